/* SPDX-License-Identifier: MIT */
/*
 * Items from a glob(3) pattern, in the byte order of the paths: glob's own order is that of the
 * locale. All matches are found, and so their number is known, before the first is handed out.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

struct glob_source {
	struct iobatch_source source;
	glob_t matches;
	size_t next;
};

/* The source that this thread's call of glob() is for: glob() hands nothing on to its callback. */
static _Thread_local struct iobatch_source *glob_current;

/* A directory that cannot be read: left out, unless it has only just vanished. Non-zero aborts. */
static int glob_unreadable(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR || error == ELOOP)
		return 0;
	return source_leave_out(glob_current, -error, path, NULL);
}

static int path_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int glob_find(struct glob_source *glob_source, const char *pattern)
{
	glob_t *matches = &glob_source->matches;
	int rc;

	glob_current = &glob_source->source;
	rc = glob(pattern, GLOB_NOSORT, glob_unreadable, matches);
	glob_current = NULL;

	switch (rc) {
	case 0:
		break;
	case GLOB_NOMATCH:
		return 0;
	default:
		/* GLOB_NOSPACE, or GLOB_ABORTED because the place could not be recorded. */
		return -ENOMEM;
	}
	for (size_t i = 0; i < matches->gl_pathc; i++)
		if (strlen(matches->gl_pathv[i]) >= IOBATCH_PATH_MAX)
			return -ENAMETOOLONG;
	qsort(matches->gl_pathv, matches->gl_pathc, sizeof(*matches->gl_pathv), path_compare);
	return 0;
}

static int glob_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct glob_source *glob_source = (struct glob_source *)source;
	const char *path;

	if (glob_source->next == glob_source->matches.gl_pathc)
		return 0;
	path = glob_source->matches.gl_pathv[glob_source->next++];
	source_fill(file, path, strlen(path));
	return 1;
}

static void glob_free(struct iobatch_source *source)
{
	struct glob_source *glob_source = (struct glob_source *)source;

	globfree(&glob_source->matches);
	free(glob_source);
}

static const struct source_kind glob_kind = {.next = glob_next, .free = glob_free};

int iobatch_source_glob(const char *pattern, struct iobatch_source **ret_source)
{
	struct glob_source *glob_source;
	int rc;

	if (!pattern)
		return -EINVAL;
	glob_source = calloc(1, sizeof(*glob_source));
	if (!glob_source)
		return -ENOMEM;
	source_init(&glob_source->source, &glob_kind, 0);
	rc = glob_find(glob_source, pattern);
	if (rc) {
		iobatch_source_free(&glob_source->source);
		return rc;
	}
	glob_source->source.count = glob_source->matches.gl_pathc;
	*ret_source = &glob_source->source;
	return 0;
}

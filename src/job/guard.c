/* SPDX-License-Identifier: MIT */
/* What is not to be removed: see guard.h. */
#include "job/guard.h"

#include "job/kinds.h"
#include "job/report.h"
#include "job/roots.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STAYS "; name what is in it, or add min_depth: 1 (--min-depth=1) to empty it"

/* What a root is; a link is itself, unless a slash behind it says that what it leads to is meant.
 */
static bool look(const char *path, struct statx *ret_statx)
{
	size_t length = strlen(path);
	int flags = AT_NO_AUTOMOUNT | (length && path[length - 1] == '/' ? 0 : AT_SYMLINK_NOFOLLOW);

	return !statx(AT_FDCWD, path, flags, STATX_TYPE | STATX_INO, ret_statx);
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

/* Kernels before 5.8 do not say it: there another device than the directory above has does. */
static bool is_mount_root(const char *path, const struct statx *here)
{
	struct statx above;
	char *parent;
	bool differs;

	if (here->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return here->stx_attributes & STATX_ATTR_MOUNT_ROOT;
	if (!S_ISDIR(here->stx_mode))
		return false;
	parent = malloc(strlen(path) + sizeof("/.."));
	if (!parent)
		return true;
	strcpy(parent, path);
	strcat(parent, "/..");
	differs = look(parent, &above) && (above.stx_dev_major != here->stx_dev_major ||
	                                   above.stx_dev_minor != here->stx_dev_minor);
	free(parent);
	return differs;
}

/* Is the current directory this one, or in it? */
static bool holds_current(const struct statx *directory)
{
	char *current = realpath(".", NULL);
	bool found = false;

	while (current && !found) {
		char *slash = strrchr(current, '/');
		struct statx here;

		found = look(current, &here) && is_same(&here, directory);
		if (!slash[1])
			break;
		slash[slash == current] = '\0';
	}
	free(current);
	return found;
}

/* Is the last component "." or "..", whatever slashes follow? */
static bool ends_in_dots(const char *path)
{
	size_t length = strlen(path), dots = 0;

	while (length && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] == '.') {
		length--;
		dots++;
	}
	return (dots == 1 || dots == 2) && (!length || path[length - 1] == '/');
}

static int check_root(struct report *report, const struct job *job, const char *key,
                      const char *path)
{
	struct statx here, top;

	if (look("/", &top) && look(path, &here) && is_same(&here, &top))
		return report_error(report, key,
		                    "%s is the root of the file system, and is never "
		                    "removed; name what is in it",
		                    path);
	if (job->walk.min_depth)
		return 0;
	if (ends_in_dots(path))
		return report_error(report, key, "%s is not removed by that name" STAYS, path);
	if (!look(path, &here))
		return 0;
	if (is_mount_root(path, &here))
		return report_error(report, key, "%s is the root of a mounted file system" STAYS,
		                    path);
	if (S_ISDIR(here.stx_mode) && holds_current(&here))
		return report_error(report, key,
		                    "%s is the current directory or holds it; change to another "
		                    "one first",
		                    path);
	return 0;
}

int guard_check(struct report *report, const struct job *job)
{
	const char *one[2];
	const char *const *roots;

	if (!(processor_kinds[job->processor].needs & KIND_REMOVES) ||
	    job->source != JOB_SOURCE_WALK)
		return 0;
	roots = roots_of(job, one);
	for (size_t i = 0; roots[i]; i++) {
		char key[64];
		int err;

		roots_key(job, i, key, sizeof(key));
		err = check_root(report, job, key, roots[i]);
		if (err)
			return err;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The kinds of sources: see kinds.h. */
#include "job/kinds.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct iobatch_word types[] = {
	{"file", IOBATCH_TYPE_FILE},
	{"directory", IOBATCH_TYPE_DIRECTORY},
	{"symlink", IOBATCH_TYPE_SYMLINK},
	{"other", IOBATCH_TYPE_OTHER},
	{NULL, 0},
};

static const struct iobatch_word root_names[] = {
	{"auto", IOBATCH_ROOT_NAME_AUTO},
	{"keep", IOBATCH_ROOT_NAME_KEEP},
	{"drop", IOBATCH_ROOT_NAME_DROP},
	{NULL, 0},
};

static const struct iobatch_word walk_orders[] = {
	{"name", IOBATCH_WALK_BY_NAME},
	{"found", IOBATCH_WALK_AS_FOUND},
	{"inode", IOBATCH_WALK_BY_INODE},
	{"size", IOBATCH_WALK_BY_SIZE},
	{NULL, 0},
};

static const struct iobatch_word walk_directories[] = {
	{"first", IOBATCH_DIRECTORIES_FIRST},
	{"last", IOBATCH_DIRECTORIES_LAST},
	{NULL, 0},
};

static const struct iobatch_word separators[] = {{"newline", '\n'}, {"nul", '\0'}, {NULL, 0}};

static const struct iobatch_word orders[] = {
	{"sequential", IOBATCH_ORDER_SEQUENTIAL},
	{"random", IOBATCH_ORDER_RANDOM},
	{NULL, 0},
};

#define WALK struct iobatch_walk_options
#define LIST struct job_list
#define RANGE struct iobatch_range_options
#define MANIFEST struct job_manifest
#define SERIES struct iobatch_series_options

static const struct key walk_keys[] = {
	KEY(KEY_TEXT, WALK, root),
	KEY(KEY_TEXTS, WALK, roots),
	KEY_FROM(KEY_WORDS, WALK, types, types),
	KEY(KEY_TEXTS, WALK, include),
	KEY(KEY_TEXTS, WALK, exclude),
	KEY(KEY_TEXTS, WALK, include_paths),
	KEY(KEY_TEXTS, WALK, exclude_paths),
	KEY_NUMBER(KEY_SIZE, WALK, min_size, 0, UINT64_MAX),
	KEY_NUMBER(KEY_SIZE, WALK, max_size, 0, UINT64_MAX),
	KEY_AS("older_than", KEY_AGE, WALK, min_age_ms),
	KEY_AS("newer_than", KEY_AGE, WALK, max_age_ms),
	KEY_NUMBER(KEY_COUNT, WALK, min_depth, 0, UINT32_MAX),
	KEY_NUMBER(KEY_COUNT, WALK, max_depth, 0, UINT32_MAX),
	KEY_BOOLEAN(WALK, one_file_system),
	KEY_WORD_AS("follow_root", KEY_WORD, WALK, no_follow, keys_not),
	KEY_FROM(KEY_WORD, WALK, root_name, root_names),
	KEY_FROM(KEY_WORD, WALK, order, walk_orders),
	KEY_FROM(KEY_WORD, WALK, directories, walk_directories),
	{NULL},
};

static const struct key glob_keys[] = {
	KEY_REQUIRED(struct job_glob, pattern),
	{NULL},
};

static const struct key list_keys[] = {
	KEY(KEY_TEXT, LIST, file),
	KEY(KEY_TEXTS, LIST, names),
	KEY_WORD_AS("separator", KEY_WORD, LIST, options.separator, separators),
	KEY_AS("root", KEY_TEXT, LIST, options.root),
	KEY_NUMBER_AS("column", KEY_COUNT, LIST, options.column, 1, UINT32_MAX),
	KEY_AS("delimiter", KEY_CHARACTER, LIST, options.delimiter),
	{NULL},
};

static const struct key range_keys[] = {
	KEY_REQUIRED(RANGE, path),
	KEY_NUMBER(KEY_SIZE, RANGE, block_size, 1, INT64_MAX),
	KEY_NUMBER(KEY_COUNT, RANGE, count, 0, UINT64_MAX),
	KEY_FROM(KEY_WORD, RANGE, order, orders),
	KEY_NUMBER(KEY_COUNT, RANGE, seed, 0, UINT64_MAX),
	KEY_BOOLEAN(RANGE, direct),
	{NULL},
};

static const struct key manifest_keys[] = {
	KEY_REQUIRED(MANIFEST, file),
	KEY_WORD_AS("algorithm", KEY_WORD, MANIFEST, options.algorithm, words_manifest_algorithms),
	KEY_AS("root", KEY_TEXT, MANIFEST, options.root),
	{NULL},
};

static const struct key series_keys[] = {
	KEY_REQUIRED(SERIES, path),
	KEY_NUMBER(KEY_COUNT, SERIES, count, 1, UINT64_MAX),
	{NULL},
};

static const WALK walk_defaults = IOBATCH_WALK_OPTIONS_INIT;
static const struct job_glob glob_defaults;
static const LIST list_defaults = {.options = IOBATCH_LIST_OPTIONS_INIT};
static const RANGE range_defaults = IOBATCH_RANGE_OPTIONS_INIT;
static const MANIFEST manifest_defaults = {.options = IOBATCH_MANIFEST_OPTIONS_INIT};
static const SERIES series_defaults = IOBATCH_SERIES_OPTIONS_INIT;

static bool given(const struct raw_mapping *raw, const struct key *keys, const char *name)
{
	return raw_find(raw, keys, name)->any;
}

static int check_walk(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	WALK *walk = &job->walk;
	unsigned needs = processor_kinds[job->processor].needs;

	if (walk->root && given(raw, walk_keys, "roots"))
		return report_error(report, "items.walk.roots",
		                    "there is a root already; put it into roots");
	if ((walk->root || given(raw, walk_keys, "roots")) && needs & KIND_WALK)
		return report_error(report, walk->root ? "items.walk.root" : "items.walk.roots",
		                    "processor.%s says itself which trees it walks; leave it out",
		                    processor_kinds[job->processor].key);
	if (!walk->root && !walk->roots && !(needs & KIND_WALK))
		return report_error(report, "items.walk.root",
		                    "this key is required and is missing");
	if (!walk->types)
		return report_error(report, "items.walk.types",
		                    "must name at least one of file, directory, symlink, other");
	if (walk->min_size > walk->max_size)
		return report_error(report, "items.walk.min_size", "is larger than max_size");
	if (walk->min_age_ms > walk->max_age_ms)
		return report_error(report, "items.walk.older_than",
		                    "is more than newer_than: nothing is both");
	if (walk->min_depth > walk->max_depth)
		return report_error(report, "items.walk.min_depth", "is larger than max_depth");
	if (needs & KIND_NO_FOLLOW && given(raw, walk_keys, "follow_root") && !walk->no_follow)
		return report_error(
			report, "items.walk.follow_root",
			"processor.%s never follows a symbolic link; name the directory "
			"itself",
			processor_kinds[job->processor].key);
	if (needs & KIND_NOT_FIRST && given(raw, walk_keys, "directories") &&
	    walk->directories == IOBATCH_DIRECTORIES_FIRST &&
	    !(needs & KIND_WHOLE_TREES && walk->max_depth == 0))
		return report_error(report, "items.walk.directories",
		                    "processor.%s needs directories when what is in them is done; "
		                    "leave it out, or say last",
		                    processor_kinds[job->processor].key);
	/* What the processor wants of a walk, where the job has not said otherwise. */
	if (needs & KIND_LAST && !given(raw, walk_keys, "directories"))
		walk->directories = IOBATCH_DIRECTORIES_LAST;
	if (needs & KIND_NO_FOLLOW)
		walk->no_follow = 1;
	if (needs & KIND_ONE_SYSTEM && !given(raw, walk_keys, "one_file_system"))
		walk->one_file_system = 1;
	if (needs & KIND_WALK && !given(raw, walk_keys, "types"))
		walk->types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK |
		              IOBATCH_TYPE_OTHER;
	return 0;
}

static int check_list(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	LIST *list = &job->list;
	bool names = given(raw, list_keys, "names");

	if (list->file && names)
		return report_error(report, "items.list.names",
		                    "there is a file already, and only one of the two can be");
	if (!list->file && !names)
		return report_error(report, "items.list", "must have a file, or names");
	if (names && (given(raw, list_keys, "separator") || given(raw, list_keys, "column")))
		return report_error(report, "items.list.names",
		                    "are one by one: separator and column are for a file");
	if (given(raw, list_keys, "delimiter") && !list->options.column)
		return report_error(report, "items.list.delimiter",
		                    "has an effect only with column");
	return 0;
}

static int open_walk(struct job *job, bool again, struct iobatch_source **ret_source)
{
	struct iobatch_walk_options options = job->walk;

	/* What is only counted comes in any order, and waits for nothing. */
	if (again)
		options.directories = IOBATCH_DIRECTORIES_FIRST;
	return iobatch_source_walk(&options, ret_source);
}

static int open_glob(struct job *job, bool again, struct iobatch_source **ret_source)
{
	return again ? -ENOTSUP : iobatch_source_glob(job->glob.pattern, ret_source);
}

static int open_range(struct job *job, bool again, struct iobatch_source **ret_source)
{
	return again ? -ENOTSUP : iobatch_source_range(&job->range, ret_source);
}

static int open_series(struct job *job, bool again, struct iobatch_source **ret_source)
{
	return again ? -ENOTSUP : iobatch_source_series(&job->series, ret_source);
}

/* The names, each with a NUL behind it, as a file in memory. */
static int make_names(const char *const *names, int *ret_fd)
{
	int fd = memfd_create("names", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (; names && *names; names++) {
		size_t length = strlen(*names) + 1;

		for (size_t done = 0; done < length;) {
			ssize_t written = write(fd, *names + done, length - done);

			if (written < 0) {
				int err = -errno;

				close(fd);
				return err;
			}
			done += (size_t)written;
		}
	}
	lseek(fd, 0, SEEK_SET);
	*ret_fd = fd;
	return 0;
}

/*
 * A descriptor of what is named, which the job keeps. To be counted it is opened once more, if it
 * can be: a pipe's names are gone when they were counted.
 */
static int open_file(struct job *job, const char *file, bool again, int *ret_fd)
{
	int *kept = again ? &job->count_fd : &job->list_fd;
	int fd = STDIN_FILENO;
	struct stat status;

	if (again &&
	    (*kept >= 0 || !strcmp(file, "-") || stat(file, &status) || !S_ISREG(status.st_mode)))
		return -ENOTSUP;
	if (strcmp(file, "-")) {
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (*kept >= 0)
			close(*kept);
		*kept = fd;
	}
	/* It can be opened, and each read of it fails. */
	if (!fstat(fd, &status) && S_ISDIR(status.st_mode))
		return -EISDIR;
	*ret_fd = fd;
	return 0;
}

static int open_list(struct job *job, bool again, struct iobatch_source **ret_source)
{
	struct iobatch_list_options options = job->list.options;
	int err;

	if (job->list.file) {
		err = open_file(job, job->list.file, again, &options.fd);
	} else {
		int *kept = again ? &job->count_fd : &job->list_fd;

		if (*kept >= 0)
			return -ENOTSUP;
		options.separator = '\0';
		err = make_names(job->list.names, kept);
		options.fd = *kept;
	}
	return err ? err : iobatch_source_list(&options, ret_source);
}

static int open_manifest(struct job *job, bool again, struct iobatch_source **ret_source)
{
	struct iobatch_manifest_options options = job->manifest.options;
	int err = open_file(job, job->manifest.file, again, &options.fd);

	return err ? err : iobatch_source_manifest(&options, ret_source);
}

#define KIND(kind, named)                                                                          \
	.key = #kind, .keys = kind##_keys, .target = offsetof(struct job, kind),                   \
	.size = sizeof(((struct job *)0)->kind), .defaults = &kind##_defaults, .name_key = #named, \
	.name = offsetof(struct job, kind.named), .open = open_##kind

const struct source_kind source_kinds[JOB_SOURCE_COUNT] = {
	[JOB_SOURCE_WALK] = {KIND(walk, root), .check = check_walk},
	[JOB_SOURCE_GLOB] = {KIND(glob, pattern)},
	[JOB_SOURCE_LIST] = {KIND(list, file), .check = check_list},
	[JOB_SOURCE_RANGE] = {KIND(range, path)},
	[JOB_SOURCE_MANIFEST] = {KIND(manifest, file)},
	[JOB_SOURCE_SERIES] = {KIND(series, path)},
};

#define ITEMS(word)                                                     \
	{                                                               \
		.name = #word, .kind = KEY_MAPPING, .keys = word##_keys \
	}

const struct key kinds_items[] = {
	ITEMS(walk), ITEMS(glob), ITEMS(list), ITEMS(range), ITEMS(manifest), ITEMS(series), {NULL},
};

/* SPDX-License-Identifier: MIT */
/*
 * The filter of a walk. The patterns are copied, so that the caller's options need not outlive the
 * call that opens the source.
 */
#include "walk_filter.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WALK_TYPES_ALL \
	(IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)

/* Copies a list and its strings into one allocation. No list and an empty one are both NULL. */
static int patterns_copy(const char *const *patterns, char ***ret_copy)
{
	size_t count = 0;
	size_t bytes = 0;
	char **copy;
	char *at;

	if (!patterns || !patterns[0]) {
		*ret_copy = NULL;
		return 0;
	}
	for (; patterns[count]; count++)
		bytes += strlen(patterns[count]) + 1;
	copy = malloc((count + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return -ENOMEM;
	at = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(patterns[i]) + 1;

		copy[i] = memcpy(at, patterns[i], size);
		at += size;
	}
	copy[count] = NULL;
	*ret_copy = copy;
	return 0;
}

static bool patterns_match(char *const *patterns, const char *name)
{
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

/* The time `age_ms` before `now`. */
static struct walk_moment moment_before(const struct timespec *now, uint64_t age_ms)
{
	struct walk_moment moment = {now->tv_sec, (uint32_t)now->tv_nsec};
	uint64_t seconds = age_ms / 1000;
	uint32_t rest = (uint32_t)(age_ms % 1000) * 1000000;

	/* Far before anything that a file system can say. */
	if (seconds > INT64_MAX / 2)
		return (struct walk_moment){INT64_MIN, 0};
	if (moment.nanoseconds < rest) {
		moment.nanoseconds += 1000000000;
		moment.seconds--;
	}
	moment.nanoseconds -= rest;
	moment.seconds -= (int64_t)seconds;
	return moment;
}

static bool moment_is_before(struct walk_moment a, struct walk_moment b)
{
	return a.seconds != b.seconds ? a.seconds < b.seconds : a.nanoseconds < b.nanoseconds;
}

/* What is younger than a moment may be from the future as well, unless an age is asked for. */
static void filter_set_age(struct walk_filter *filter, const struct iobatch_walk_options *options)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	filter->asks_age = options->min_age_ms > 0 || options->max_age_ms < UINT64_MAX;
	filter->earliest = moment_before(&now, options->max_age_ms);
	filter->latest = options->min_age_ms ? moment_before(&now, options->min_age_ms)
	                                     : (struct walk_moment){INT64_MAX, 0};
}

int walk_filter_init(struct walk_filter *filter, const struct iobatch_walk_options *options)
{
	int rc;

	if (!options->types || options->types & ~WALK_TYPES_ALL ||
	    options->min_size > options->max_size || options->min_age_ms > options->max_age_ms ||
	    options->min_depth > options->max_depth)
		return -EINVAL;

	*filter = (struct walk_filter){
		.types = options->types,
		.min_size = options->min_size,
		.max_size = options->max_size,
		.min_depth = options->min_depth,
		.max_depth = options->max_depth,
	};
	filter_set_age(filter, options);
	rc = patterns_copy(options->include, &filter->include);
	if (!rc)
		rc = patterns_copy(options->exclude, &filter->exclude);
	if (!rc)
		rc = walk_patterns_new(options->include_paths, &filter->include_paths);
	if (!rc)
		rc = walk_patterns_new(options->exclude_paths, &filter->exclude_paths);
	if (rc)
		walk_filter_deinit(filter);
	return rc;
}

void walk_filter_deinit(struct walk_filter *filter)
{
	free(filter->include);
	free(filter->exclude);
	walk_patterns_free(filter->include_paths);
	walk_patterns_free(filter->exclude_paths);
	filter->include = NULL;
	filter->exclude = NULL;
	filter->include_paths = NULL;
	filter->exclude_paths = NULL;
}

static uint32_t type_bit(uint8_t type)
{
	switch (type) {
	case DT_REG:
		return IOBATCH_TYPE_FILE;
	case DT_DIR:
		return IOBATCH_TYPE_DIRECTORY;
	case DT_LNK:
		return IOBATCH_TYPE_SYMLINK;
	default:
		return IOBATCH_TYPE_OTHER;
	}
}

bool walk_filter_wants(const struct walk_filter *filter, const char *name, uint8_t type)
{
	bool leaf = type != DT_UNKNOWN && type != DT_DIR;

	if (leaf && !(filter->types & type_bit(type)))
		return false;
	if (filter->exclude && patterns_match(filter->exclude, name))
		return false;
	return !leaf || !filter->include || patterns_match(filter->include, name);
}

bool walk_filter_wants_path(const struct walk_filter *filter, const char *path, uint8_t type)
{
	bool leaf = type != DT_UNKNOWN && type != DT_DIR;

	if (filter->exclude_paths && walk_patterns_match(filter->exclude_paths, path))
		return false;
	return !leaf || !filter->include_paths || walk_patterns_match(filter->include_paths, path);
}

bool walk_filter_asks_status(const struct walk_filter *filter, uint8_t type)
{
	if (type == DT_REG && (filter->min_size > 0 || filter->max_size < UINT64_MAX))
		return true;
	return filter->asks_age && type != DT_DIR;
}

bool walk_filter_wants_status(const struct walk_filter *filter, uint8_t type,
                              const struct statx *status)
{
	struct walk_moment modified = {status->stx_mtime.tv_sec, status->stx_mtime.tv_nsec};

	if (type == DT_DIR)
		return true;
	if (type == DT_REG &&
	    (status->stx_size < filter->min_size || status->stx_size > filter->max_size))
		return false;
	return !filter->asks_age || !(moment_is_before(modified, filter->earliest) ||
	                              moment_is_before(filter->latest, modified));
}

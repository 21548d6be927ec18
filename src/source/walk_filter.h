/* SPDX-License-Identifier: MIT */
/*
 * Which entries of a tree a walk hands out, and which directories it enters. Owns its copy of the
 * patterns. Decides from names, paths, types and what a statx() has said: it asks for nothing.
 */
#ifndef SOURCE_WALK_FILTER_H
#define SOURCE_WALK_FILTER_H

#include <iobatch.h>

#include "walk_pattern.h"

struct walk_moment {
	int64_t seconds;
	uint32_t nanoseconds;
};

struct walk_filter {
	uint32_t types;
	char **include; /* NULL = all */
	char **exclude; /* NULL = none */
	struct walk_pattern *include_paths;
	struct walk_pattern *exclude_paths;
	uint64_t min_size;
	uint64_t max_size;
	bool asks_age;
	struct walk_moment earliest; /* modification times that are wanted */
	struct walk_moment latest;
	uint32_t min_depth;
	uint32_t max_depth;
};

/* -EINVAL when an option is out of range, -ENOMEM. */
int walk_filter_init(struct walk_filter *filter, const struct iobatch_walk_options *options);
void walk_filter_deinit(struct walk_filter *filter);

/*
 * Whether an entry called `name`, of DT_* `type`, is to be handed out as far as name and type go.
 * Of a directory: whether it is to be entered. DT_UNKNOWN is wanted unless its name is excluded:
 * to be asked again when the type is known.
 */
bool walk_filter_wants(const struct walk_filter *filter, const char *name, uint8_t type);

/* The same of its path below the root. */
bool walk_filter_wants_path(const struct walk_filter *filter, const char *path, uint8_t type);

/* Whether an entry's size or time must be known, and whether they are wanted. */
bool walk_filter_asks_status(const struct walk_filter *filter, uint8_t type);
bool walk_filter_wants_status(const struct walk_filter *filter, uint8_t type,
                              const struct statx *status);

/* Whether a directory at `depth` is an item itself. */
static inline bool walk_filter_wants_directory(const struct walk_filter *filter, size_t depth)
{
	return (filter->types & IOBATCH_TYPE_DIRECTORY) && depth >= filter->min_depth;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which entries of a tree a walk hands out, and which directories it enters. Owns its copy of the
 * patterns. Decides from names, types and sizes alone: it makes no system call.
 */
#ifndef SOURCE_WALK_FILTER_H
#define SOURCE_WALK_FILTER_H

#include <iobatch.h>

struct walk_filter {
	uint32_t types;
	char **include; /* NULL = all */
	char **exclude; /* NULL = none */
	uint64_t min_size;
	uint64_t max_size;
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

/* Whether a directory is an item itself. */
static inline bool walk_filter_wants_directories(const struct walk_filter *filter)
{
	return filter->types & IOBATCH_TYPE_DIRECTORY;
}

/* Whether the size of a regular file must be known, and whether it is one that is wanted. */
static inline bool walk_filter_asks_size(const struct walk_filter *filter)
{
	return filter->min_size > 0 || filter->max_size < UINT64_MAX;
}

static inline bool walk_filter_wants_size(const struct walk_filter *filter, uint64_t size)
{
	return size >= filter->min_size && size <= filter->max_size;
}

#endif

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

int walk_filter_init(struct walk_filter *filter, const struct iobatch_walk_options *options)
{
	int rc;

	if (!options->types || options->types & ~WALK_TYPES_ALL ||
	    options->min_size > options->max_size)
		return -EINVAL;

	*filter = (struct walk_filter){
		.types = options->types,
		.min_size = options->min_size,
		.max_size = options->max_size,
	};
	rc = patterns_copy(options->include, &filter->include);
	if (!rc)
		rc = patterns_copy(options->exclude, &filter->exclude);
	if (rc)
		walk_filter_deinit(filter);
	return rc;
}

void walk_filter_deinit(struct walk_filter *filter)
{
	free(filter->include);
	free(filter->exclude);
	filter->include = NULL;
	filter->exclude = NULL;
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

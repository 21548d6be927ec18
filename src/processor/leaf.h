/* SPDX-License-Identifier: MIT */
/*
 * The last component of a path: where it is, and whether it is the name of something. Slashes
 * behind it count for nothing.
 */
#ifndef PROCESSOR_LEAF_H
#define PROCESSOR_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct leaf {
	const char *start;
	size_t length;
};

static inline struct leaf leaf_of(const char *path)
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	return (struct leaf){path + start, end - start};
}

/* Is it "" (as that of the root is), "." or ".."? */
static inline bool leaf_is_special(struct leaf leaf)
{
	return leaf.length == 0 || (leaf.length == 1 && leaf.start[0] == '.') ||
	       (leaf.length == 2 && leaf.start[0] == '.' && leaf.start[1] == '.');
}

#endif

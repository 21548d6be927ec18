/* SPDX-License-Identifier: MIT */
/*
 * What copies and moves are called: the rule of cp(1), with the trailing slash of rsync(1). In one
 * place, for the verbs that have a destination, and for who looks for what they have left there.
 */
#ifndef CLI_NAMING_H
#define CLI_NAMING_H

#include <stdbool.h>
#include <stddef.h>

/* The directory that a name stands in, or would; to be freed. NULL without memory. */
char *naming_directory(const char *path);

/*
 * Looks at the destination and says whether sources keep their names in it ("keep") or become it
 * ("drop"): they keep them when it is a directory already, ends in a slash, or there are several
 * sources. A source that ends in a slash, "." or ".." has no name to be kept: what is in it is
 * meant. -EINVAL: *ret_error says why it cannot be, to be freed.
 */
int naming_decide(char *const *sources, size_t count, const char *destination,
                  const char **ret_root_name, char **ret_error);

/*
 * Whether each source could be renamed to its place in one step: nothing is there, on the same file
 * system. Only as far as can be seen beforehand.
 */
bool naming_can_rename(char *const *sources, size_t count, const char *destination);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Patterns of whole paths: fnmatch(3) for each component, so that * and ? match no slash, and a
 * component ** for any number of components. At the end of a pattern ** is at least one: what is in
 * a directory, and not the directory. A pattern fits the path from its beginning, whether or not it
 * begins with a slash.
 */
#ifndef SOURCE_WALK_PATTERN_H
#define SOURCE_WALK_PATTERN_H

#include <stdbool.h>

struct walk_pattern;

/* Copies a NULL-terminated list; none and an empty one are both NULL. -ENOMEM. */
int walk_patterns_new(const char *const *patterns, struct walk_pattern **ret_patterns);
void walk_patterns_free(struct walk_pattern *patterns);

/* Whether one of the patterns matches a path without slashes at either end. */
bool walk_patterns_match(const struct walk_pattern *patterns, const char *path);

#endif

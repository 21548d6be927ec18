/* SPDX-License-Identifier: MIT */
/* The roots of a job's walk, and the names in them. */
#ifndef JOB_ROOTS_H
#define JOB_ROOTS_H

#include <stddef.h>

struct job;

/* The roots, ended by NULL; `one` is room for a single one. */
const char *const *roots_of(const struct job *job, const char *one[2]);

/* The key of a root in the job: "items.walk.root", "items.walk.roots.3". */
void roots_key(const struct job *job, size_t index, char *key, size_t size);

/*
 * The last component of a path that is a name to be kept, and its length: 0 for a path that ends in
 * a slash, "." or "..".
 */
const char *roots_name(const char *path, size_t *ret_length);

#endif

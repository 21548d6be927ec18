/* SPDX-License-Identifier: MIT */
/*
 * Converts what libcyaml has loaded of a mapping into the members of a struct, by the mapping's
 * table of keys. A key that is not there leaves the member's default alone. Texts are taken from
 * the document's tree and not from libcyaml, which knows no bytes that are not UTF-8.
 */
#ifndef JOB_VALUES_H
#define JOB_VALUES_H

#include "job/keys.h"

struct raw_mapping;
struct report;

/* The lists that were made: they are pointed to, so they stay until they are freed together. */
struct lists {
	const char ***lists;
	unsigned count;
};

/*
 * Fills `target` from the mapping at `path`. Mappings and steps in it are left to the caller.
 * -EINVAL: the report says which value is wrong. Whatever is returned, lists_free() frees.
 */
int values_convert(struct report *report, const char *path, const struct key *keys,
                   const struct raw_mapping *raw, void *target, struct lists *lists);

/* The text at a path of the document, as long as that lives. */
const char *values_text(const struct report *report, const char *path);

void lists_free(struct lists *lists);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Converts the texts of a loaded mapping into numbers of a target struct, by a table of rules: what
 * kind of number a key holds and which range it may have. A text that is NULL leaves the target's
 * default alone.
 */
#ifndef JOB_VALUES_H
#define JOB_VALUES_H

#include <stddef.h>
#include <stdint.h>

struct report;

enum value_kind {
	VALUE_COUNT,
	VALUE_MS,      /* a count of milliseconds */
	VALUE_SIZE,    /* bytes, with a unit */
	VALUE_PAGES,   /* bytes, with a unit, a multiple of 4096 */
	VALUE_OR_AUTO, /* a count or "auto", which is 0 */
};

struct value_rule {
	const char *key; /* NULL ends the table */
	enum value_kind kind;
	size_t text;   /* offset of the text in the loaded mapping */
	size_t target; /* offset of the number in the target */
	size_t size;   /* of the target: 4 or 8 */
	uint64_t min;
	uint64_t max; /* fits the target */
};

#define VALUE_RULE(name, what, from, to, least, most)                                          \
	{                                                                                      \
		.key = #name, .kind = what, .text = offsetof(from, name),                      \
		.target = offsetof(to, name), .size = sizeof(((to *)0)->name), .min = (least), \
		.max = (most),                                                                 \
	}

/* Applies the rules to the mapping at `path`. -EINVAL: the report says which value is wrong. */
int values_convert(struct report *report, const char *path, const struct value_rule *rules,
                   const void *texts, void *target);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a job file may hold, as libcyaml is told it and as libcyaml loads it. Words, lists and
 * structure are libcyaml's to check. Numbers are loaded as text, because libcyaml knows neither
 * units nor ranges and takes "-1" for an unsigned number: values.h converts them.
 *
 * All of it is made from tables at run time: from keys (keys.h), and for the steps from the op
 * table, so that a new op is a new step. Every mapping is loaded as an array of values, in the
 * order of its table.
 */
#ifndef JOB_SCHEMA_H
#define JOB_SCHEMA_H

#include "job/keys.h"

#include <cyaml/cyaml.h>
#include <iobatch.h>

struct raw_mapping;
struct raw_step;

/* A value; all zeroes = the key is not there. */
struct raw_value {
	union {
		char *text;
		uint64_t *bits; /* of words: the bits that they stand for */
		char **texts;
		struct raw_mapping *mapping;
		struct raw_step *steps;
		void *any;
	};
	unsigned count; /* of texts or steps */
};

/* The values of a table's keys, or of an op's arguments, by their places. */
struct raw_mapping {
	struct raw_value values[KEYS_MAX];
};

/* The arguments of the op that it is; NULL for all others. */
struct raw_step {
	struct raw_mapping *ops[IOBATCH_OP_COUNT];
};

struct schema;

/* The schema of a mapping with these keys. What is loaded by it must be freed before it. */
int schema_new(const struct key *keys, struct schema **ret_schema);
const cyaml_schema_value_t *schema_root(const struct schema *schema);
void schema_free(struct schema *schema);

/* The value of a key; its `any` is NULL when it is not there. */
const struct raw_value *raw_find(const struct raw_mapping *raw, const struct key *keys,
                                 const char *name);

#endif

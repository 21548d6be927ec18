/* SPDX-License-Identifier: MIT */
/*
 * What a job file may hold, as libcyaml is told it and as libcyaml loads it. Words, lists and
 * structure are libcyaml's to check. Numbers are loaded as text, because libcyaml knows neither
 * units nor ranges and takes "-1" for an unsigned number: values.h converts them.
 *
 * The schema of the steps is made from the op table at run time, so that a new op is a new step.
 */
#ifndef JOB_SCHEMA_H
#define JOB_SCHEMA_H

#include <cyaml/cyaml.h>
#include <iobatch.h>

/* In these, NULL = the key is not there. */
struct raw_walk {
	char *root;
	uint32_t *types;
	char **include;
	unsigned include_count;
	char **exclude;
	unsigned exclude_count;
	char *min_size;
	char *max_size;
};

struct raw_glob {
	char *pattern;
};

struct raw_list {
	char *file;
	uint32_t separator; /* 0: newline, 1: NUL */
};

struct raw_range {
	char *path;
	char *block_size;
	char *count;
	char *seed;
	uint32_t order;
	uint32_t direct;
};

struct raw_items {
	struct raw_walk *walk;
	struct raw_glob *glob;
	struct raw_list *list;
	struct raw_range *range;
};

struct raw_hash {
	uint32_t algorithm;
	char *manifest;
	char *block_size;
	char *depth;
};

struct raw_copy {
	char *destination;
	char *block_size;
	char *depth;
};

struct raw_read {
	char *block_size;
	char *depth;
	uint32_t direct;
};

struct raw_nop {
	char *nothing; /* libcyaml allocates what a mapping fills, so it must not be empty */
};

/* An argument of a step: text, or the bits of its words for FLAGS and WORD. */
union raw_argument {
	char *text;
	uint64_t *bits;
};

#define SCHEMA_ARGUMENTS_MAX 16u

struct raw_arguments {
	union raw_argument argument[SCHEMA_ARGUMENTS_MAX];
};

struct raw_step {
	struct raw_arguments *op[IOBATCH_OP_COUNT];
};

struct raw_processor {
	struct raw_hash *hash;
	struct raw_copy *copy;
	struct raw_read *read;
	struct raw_nop *nop;
	struct raw_step *steps;
	unsigned steps_count;
};

struct raw_simulation {
	char *seed;
	char *latency_min_us;
	char *latency_max_us;
	char *file_size;
	char *error_permille;
	char *short_permille;
	char *late_permille;
	char *lost_permille;
	char *submit_permille;
	uint32_t *without;
};

struct raw_options {
	char *batch_size;
	char *max_concurrent;
	char *delay_ms;
	char *timeout_ms;
	uint32_t guards;
	char *max_stuck;
	char *stuck_grace_ms;
	char *retries;
	char *backoff_ms;
	char *memory_limit;
	char *rings;
	uint32_t executor;
	char *threads;
	char *path_ops_max;
	uint32_t register_buffers;
	struct raw_simulation *simulation;
};

struct raw_job {
	char *job;
	struct raw_items *items;
	struct raw_processor *processor;
	struct raw_options *options;
};

/* A schema; what was loaded by it must be freed before it. */
struct schema {
	cyaml_schema_value_t root;
	cyaml_schema_field_t root_fields[5];
	cyaml_schema_field_t processor_fields[6];
	cyaml_schema_value_t step;
	cyaml_schema_field_t step_fields[IOBATCH_OP_COUNT + 1];
	cyaml_schema_field_t argument_fields[IOBATCH_OP_COUNT][SCHEMA_ARGUMENTS_MAX + 1];
};

int schema_new(struct schema **ret_schema);
void schema_free(struct schema *schema);

#endif

/* SPDX-License-Identifier: MIT */
/* What was loaded becomes a job: see convert.h. */
#include "job/convert.h"

#include "job/job.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/steps.h"
#include "job/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MAX (16ull << 20)
#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define NS_PER_US 1000u

static const struct value_rule walk_rules[] = {
	VALUE_RULE(min_size, VALUE_SIZE, struct raw_walk, struct iobatch_walk_options, 0,
                   UINT64_MAX),
	VALUE_RULE(max_size, VALUE_SIZE, struct raw_walk, struct iobatch_walk_options, 0,
                   UINT64_MAX),
	{NULL},
};

static const struct value_rule range_rules[] = {
	VALUE_RULE(block_size, VALUE_SIZE, struct raw_range, struct iobatch_range_options, 1,
                   INT64_MAX),
	VALUE_RULE(count, VALUE_COUNT, struct raw_range, struct iobatch_range_options, 0,
                   UINT64_MAX),
	VALUE_RULE(seed, VALUE_COUNT, struct raw_range, struct iobatch_range_options, 0,
                   UINT64_MAX),
	{NULL},
};

#define BLOCK_RULES(raw, options)                                           \
	VALUE_RULE(block_size, VALUE_PAGES, raw, options, 4096, BLOCK_MAX), \
		VALUE_RULE(depth, VALUE_COUNT, raw, options, 1, 64), {NULL},

static const struct value_rule hash_rules[] = {
	BLOCK_RULES(struct raw_hash, struct iobatch_hash_options)};
static const struct value_rule copy_rules[] = {
	BLOCK_RULES(struct raw_copy, struct iobatch_copy_options)};
static const struct value_rule read_rules[] = {
	BLOCK_RULES(struct raw_read, struct iobatch_read_options)};

#define OPTION(name, kind, min, max) \
	VALUE_RULE(name, kind, struct raw_options, struct iobatch_options, min, max)

static const struct value_rule option_rules[] = {
	OPTION(batch_size, VALUE_COUNT, 1, 1u << 20),
	OPTION(max_concurrent, VALUE_COUNT, 1, 65536),
	OPTION(delay_ms, VALUE_MS, 0, YEAR_MS),
	OPTION(timeout_ms, VALUE_MS, 0, YEAR_MS),
	OPTION(max_stuck, VALUE_COUNT, 0, 65536),
	OPTION(stuck_grace_ms, VALUE_MS, 0, YEAR_MS),
	OPTION(retries, VALUE_COUNT, 0, UINT32_MAX - 1),
	OPTION(backoff_ms, VALUE_MS, 0, YEAR_MS),
	OPTION(memory_limit, VALUE_SIZE, 4096, 1ull << 50),
	OPTION(rings, VALUE_OR_AUTO, 1, 64),
	OPTION(threads, VALUE_OR_AUTO, 1, 1024),
	OPTION(path_ops_max, VALUE_COUNT, 1, 65536),
	{NULL},
};

/* The simulation's numbers as they are written: microseconds. */
struct simulation {
	uint64_t seed;
	uint64_t latency_min_us;
	uint64_t latency_max_us;
	uint64_t file_size;
	uint32_t error_permille;
	uint32_t short_permille;
	uint32_t late_permille;
	uint32_t lost_permille;
	uint32_t submit_permille;
};

#define SIMULATION(name, kind, max) \
	VALUE_RULE(name, kind, struct raw_simulation, struct simulation, 0, max)

static const struct value_rule simulation_rules[] = {
	SIMULATION(seed, VALUE_COUNT, UINT64_MAX),
	SIMULATION(latency_min_us, VALUE_COUNT, YEAR_MS),
	SIMULATION(latency_max_us, VALUE_COUNT, YEAR_MS),
	SIMULATION(file_size, VALUE_SIZE, INT64_MAX),
	SIMULATION(error_permille, VALUE_COUNT, 1000),
	SIMULATION(short_permille, VALUE_COUNT, 1000),
	SIMULATION(late_permille, VALUE_COUNT, 1000),
	SIMULATION(lost_permille, VALUE_COUNT, 1000),
	SIMULATION(submit_permille, VALUE_COUNT, 1000),
	{NULL},
};

/* The strings of libcyaml as a list that NULL ends. */
static int terminate(char **strings, unsigned count, const char ***ret_list)
{
	const char **list = calloc(count + 1u, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		list[i] = strings[i];
	*ret_list = list;
	return 0;
}

static int convert_walk(struct report *report, const struct raw_walk *raw, struct job *job)
{
	int err;

	job->walk = (struct iobatch_walk_options)IOBATCH_WALK_OPTIONS_INIT;
	job->walk.root = raw->root;
	if (raw->types)
		job->walk.types = *raw->types;
	if (!job->walk.types)
		return report_error(report, "items.walk.types",
		                    "must name at least one of file, directory, symlink, other");
	if (raw->include_count) {
		err = terminate(raw->include, raw->include_count, &job->include);
		if (err)
			return err;
		job->walk.include = job->include;
	}
	if (raw->exclude_count) {
		err = terminate(raw->exclude, raw->exclude_count, &job->exclude);
		if (err)
			return err;
		job->walk.exclude = job->exclude;
	}
	err = values_convert(report, "items.walk", walk_rules, raw, &job->walk);
	if (!err && job->walk.min_size > job->walk.max_size)
		err = report_error(report, "items.walk.min_size", "is larger than max_size");
	return err;
}

static int convert_range(struct report *report, const struct raw_range *raw, struct job *job)
{
	job->range = (struct iobatch_range_options)IOBATCH_RANGE_OPTIONS_INIT;
	job->range.path = raw->path;
	job->range.order = raw->order;
	job->range.direct = raw->direct;
	return values_convert(report, "items.range", range_rules, raw, &job->range);
}

/* One of the keys below `path` must be there, and not a second one. */
static int exactly_one(struct report *report, const char *path, const char *const *keys,
                       const void *const *values, unsigned count, unsigned *ret_index)
{
	unsigned found = count;
	char second[64];

	for (unsigned i = 0; i < count; i++) {
		if (!values[i])
			continue;
		if (found < count) {
			snprintf(second, sizeof(second), "%s.%s", path, keys[i]);
			return report_error(report, second,
			                    "%s already has %s, and can have only one of them",
			                    path, keys[found]);
		}
		found = i;
	}
	if (found == count) {
		char list[128] = "";
		int length = 0;

		for (unsigned i = 0; i < count; i++)
			length += snprintf(list + length, sizeof(list) - (size_t)length, "%s%s",
			                   i ? ", " : "", keys[i]);
		return report_error(report, path, "must have one of %s", list);
	}
	*ret_index = found;
	return 0;
}

static int convert_items(struct report *report, const struct raw_items *raw, struct job *job)
{
	static const char *const keys[] = {"walk", "glob", "list", "range"};
	const void *const values[] = {raw->walk, raw->glob, raw->list, raw->range};
	unsigned index = 0;
	int err = exactly_one(report, "items", keys, values, 4, &index);

	if (err)
		return err;
	job->source = (enum job_source)index;
	switch (job->source) {
	case JOB_SOURCE_WALK:
		return convert_walk(report, raw->walk, job);
	case JOB_SOURCE_GLOB:
		job->glob_pattern = raw->glob->pattern;
		return 0;
	case JOB_SOURCE_LIST:
		job->list_file = raw->list->file;
		job->list_separator = raw->list->separator ? '\0' : '\n';
		return 0;
	case JOB_SOURCE_RANGE:
		return convert_range(report, raw->range, job);
	}
	return -EINVAL;
}

static int convert_processor(struct report *report, const struct raw_processor *raw,
                             struct job *job)
{
	static const char *const keys[] = {"hash", "copy", "read", "nop", "steps"};
	const void *const values[] = {raw->hash, raw->copy, raw->read, raw->nop, raw->steps};
	unsigned index = 0;
	int err = exactly_one(report, "processor", keys, values, 5, &index);

	if (err)
		return err;
	job->processor = (enum job_processor)index;
	switch (job->processor) {
	case JOB_PROCESSOR_HASH:
		job->hash = (struct iobatch_hash_options)IOBATCH_HASH_OPTIONS_INIT;
		job->hash.algorithm = raw->hash->algorithm;
		job->hash.manifest = raw->hash->manifest;
		return values_convert(report, "processor.hash", hash_rules, raw->hash, &job->hash);
	case JOB_PROCESSOR_COPY:
		job->copy = (struct iobatch_copy_options)IOBATCH_COPY_OPTIONS_INIT;
		job->copy.destination = raw->copy->destination;
		return values_convert(report, "processor.copy", copy_rules, raw->copy, &job->copy);
	case JOB_PROCESSOR_READ:
		job->read = (struct iobatch_read_options)IOBATCH_READ_OPTIONS_INIT;
		job->read.direct = raw->read->direct;
		return values_convert(report, "processor.read", read_rules, raw->read, &job->read);
	case JOB_PROCESSOR_NOP:
		return 0;
	case JOB_PROCESSOR_STEPS:
		job->op_count = raw->steps_count;
		return steps_convert(report, raw->steps, raw->steps_count, &job->ops);
	}
	return -EINVAL;
}

static int convert_simulation(struct report *report, const struct raw_simulation *raw,
                              struct job *job)
{
	struct simulation numbers = {.seed = 0};
	int err;

	if (job->options.executor != IOBATCH_EXECUTOR_SIMULATED)
		return report_error(report, "options.simulation",
		                    "has an effect only with executor: simulated");
	err = values_convert(report, "options.simulation", simulation_rules, raw, &numbers);
	if (err)
		return err;
	if (!raw->latency_max_us)
		numbers.latency_max_us = numbers.latency_min_us;
	if (numbers.latency_min_us > numbers.latency_max_us)
		return report_error(report, "options.simulation.latency_min_us",
		                    "is larger than latency_max_us");
	job->simulation = (struct iobatch_simulation){
		.seed = numbers.seed,
		.latency_min_ns = numbers.latency_min_us * NS_PER_US,
		.latency_max_ns = numbers.latency_max_us * NS_PER_US,
		.file_size = numbers.file_size,
		.error_permille = numbers.error_permille,
		.short_permille = numbers.short_permille,
		.late_permille = numbers.late_permille,
		.lost_permille = numbers.lost_permille,
		.submit_permille = numbers.submit_permille,
		.without = raw->without ? *raw->without : 0,
	};
	job->options.simulation = &job->simulation;
	return 0;
}

static int convert_options(struct report *report, const struct raw_options *raw, struct job *job)
{
	int err;

	job->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	if (!raw)
		return 0;
	job->options.executor = raw->executor;
	job->options.guards = raw->guards;
	job->options.register_buffers = raw->register_buffers;
	err = values_convert(report, "options", option_rules, raw, &job->options);
	if (!err && raw->simulation)
		err = convert_simulation(report, raw->simulation, job);
	return err;
}

/* What cannot work for any item is refused for the whole job. */
static int check_together(struct report *report, const struct job *job)
{
	if (job->source != JOB_SOURCE_RANGE)
		return 0;
	if (job->processor == JOB_PROCESSOR_COPY)
		return report_error(report, "processor.copy",
		                    "copies whole files, and items.range has blocks of one; use "
		                    "items.list to copy one file");
	if (job->processor == JOB_PROCESSOR_HASH && job->hash.manifest)
		return report_error(report, "processor.hash.manifest",
		                    "a manifest names whole files, and items.range has blocks of "
		                    "one; leave it out or use items.list");
	return 0;
}

int convert_job(struct report *report, const struct raw_job *raw, struct job *job)
{
	int err = convert_items(report, raw->items, job);

	if (!err)
		err = convert_processor(report, raw->processor, job);
	if (!err)
		err = convert_options(report, raw->options, job);
	if (!err)
		err = check_together(report, job);
	return err;
}

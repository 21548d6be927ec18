/* SPDX-License-Identifier: MIT */
/* The keys of a job's options and of the simulation in them: see kinds.h. */
#include "job/kinds.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define NS_PER_US 1000u

static const struct iobatch_word executors[] = {
	{"auto", IOBATCH_EXECUTOR_AUTO},
	{"ring", IOBATCH_EXECUTOR_RING},
	{"syscall", IOBATCH_EXECUTOR_SYSCALL},
	{"simulated", IOBATCH_EXECUTOR_SIMULATED},
	{NULL, 0},
};

static const struct iobatch_word guards[] = {
	{"auto", IOBATCH_GUARDS_AUTO},
	{"linked", IOBATCH_GUARDS_LINKED},
	{"list", IOBATCH_GUARDS_LIST},
	{NULL, 0},
};

static const struct iobatch_word lacks[] = {
	{"submit_all", IOBATCH_WITHOUT_SUBMIT_ALL},
	{"cqe_skip", IOBATCH_WITHOUT_CQE_SKIP},
	{"etime_success", IOBATCH_WITHOUT_ETIME_SUCCESS},
	{"direct_files", IOBATCH_WITHOUT_DIRECT_FILES},
	{NULL, 0},
};

static const struct iobatch_word backoffs[] = {
	{"none", IOBATCH_BACKOFF_NONE},
	{"fixed", IOBATCH_BACKOFF_FIXED},
	{"exponential", IOBATCH_BACKOFF_EXPONENTIAL},
	{NULL, 0},
};

static const struct iobatch_word halts[] = {
	{"now", IOBATCH_HALT_NOW},
	{"soon", IOBATCH_HALT_SOON},
	{NULL, 0},
};

static const struct iobatch_word on_fulls[] = {
	{"fail", IOBATCH_FULL_FAIL},
	{"halt", IOBATCH_FULL_HALT},
	{"pause", IOBATCH_FULL_PAUSE},
	{NULL, 0},
};

static const struct iobatch_word syncs[] = {
	{"none", IOBATCH_JOURNAL_NONE},
	{"batch", IOBATCH_JOURNAL_BATCH},
	{"item", IOBATCH_JOURNAL_ITEM},
	{NULL, 0},
};

/* Other names of errors than those that the C library gives them. */
static const struct iobatch_word error_aliases[] = {
	{"EWOULDBLOCK", EWOULDBLOCK},
	{"ENOTSUP", ENOTSUP},
	{"EDEADLOCK", EDEADLOCK},
	{NULL, 0},
};

/* Linux has errors up to this. */
#define ERRNO_MAX 4095

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
	uint32_t without;
};

#define SIMULATION(kind, member, max) KEY_NUMBER(kind, struct simulation, member, 0, max)

static const struct key simulation_keys[] = {
	SIMULATION(KEY_COUNT, seed, UINT64_MAX),
	SIMULATION(KEY_COUNT, latency_min_us, YEAR_MS),
	SIMULATION(KEY_COUNT, latency_max_us, YEAR_MS),
	SIMULATION(KEY_SIZE, file_size, INT64_MAX),
	SIMULATION(KEY_COUNT, error_permille, 1000),
	SIMULATION(KEY_COUNT, short_permille, 1000),
	SIMULATION(KEY_COUNT, late_permille, 1000),
	SIMULATION(KEY_COUNT, lost_permille, 1000),
	SIMULATION(KEY_COUNT, submit_permille, 1000),
	KEY_FROM(KEY_WORDS, struct simulation, without, lacks),
	{NULL},
};

#define OPTION(kind, member, min, max) KEY_NUMBER(kind, struct iobatch_options, member, min, max)

static const struct key halt_keys[] = {
	KEY_NUMBER_AS("after_failures", KEY_COUNT, struct iobatch_options, halt_after_failures, 0,
                      UINT64_MAX),
	KEY_NUMBER_AS("after_percent", KEY_COUNT, struct iobatch_options, halt_after_percent, 0,
                      100),
	KEY_NUMBER_AS("min_items", KEY_COUNT, struct iobatch_options, halt_min_items, 0,
                      UINT32_MAX),
	KEY_WORD_AS("how", KEY_WORD, struct iobatch_options, halt, halts),
	{NULL},
};

static const struct key journal_keys[] = {
	KEY_REQUIRED(struct job_journal, file),
	KEY_FROM(KEY_WORD, struct job_journal, sync, syncs),
	{NULL},
};

const struct key kinds_options[] = {
	OPTION(KEY_COUNT, batch_size, 1, 1u << 20),
	OPTION(KEY_COUNT, max_concurrent, 1, 65536),
	OPTION(KEY_MS, delay_ms, 0, YEAR_MS),
	OPTION(KEY_MS, timeout_ms, 0, YEAR_MS),
	KEY_FROM(KEY_WORD, struct iobatch_options, guards, guards),
	OPTION(KEY_COUNT, max_stuck, 0, 65536),
	OPTION(KEY_MS, stuck_grace_ms, 0, YEAR_MS),
	OPTION(KEY_COUNT, retries, 0, UINT32_MAX - 1),
	/* The member is of another kind: convert_retry_on(). */
	{.name = "retry_on", .kind = KEY_ERRORS},
	OPTION(KEY_MS, backoff_ms, 0, YEAR_MS),
	KEY_FROM(KEY_WORD, struct iobatch_options, backoff, backoffs),
	KEY_NUMBER_AS("backoff_factor", KEY_FACTOR, struct iobatch_options, backoff_factor_percent,
                      100, 10000),
	OPTION(KEY_MS, backoff_max_ms, 0, YEAR_MS),
	KEY_NUMBER_AS("backoff_jitter", KEY_COUNT, struct iobatch_options, backoff_jitter_percent,
                      0, 100),
	OPTION(KEY_COUNT, seed, 0, UINT64_MAX),
	KEY_NUMBER_AS("retry_budget", KEY_COUNT, struct iobatch_options, retry_budget_percent, 0,
                      UINT32_MAX),
	{.name = "halt", .kind = KEY_MAPPING, .keys = halt_keys},
	KEY_FROM(KEY_WORD, struct iobatch_options, on_full, on_fulls),
	OPTION(KEY_COUNT, max_concurrent_max, 0, 65536),
	OPTION(KEY_COUNT, items_per_s, 0, 1000000000),
	{.name = "journal", .kind = KEY_MAPPING, .keys = journal_keys},
	OPTION(KEY_SIZE, memory_limit, 4096, 1ull << 50),
	OPTION(KEY_OR_AUTO, rings, 1, 64),
	KEY_FROM(KEY_WORD, struct iobatch_options, executor, executors),
	OPTION(KEY_OR_AUTO, threads, 1, 1024),
	OPTION(KEY_COUNT, path_ops_max, 1, 65536),
	KEY_BOOLEAN(struct iobatch_options, register_buffers),
	{.name = "simulation", .kind = KEY_MAPPING, .keys = simulation_keys},
	{NULL},
};

static int convert_simulation(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	struct simulation numbers = {.seed = 0};
	int err;

	if (job->options.executor != IOBATCH_EXECUTOR_SIMULATED)
		return report_error(report, "options.simulation",
		                    "has an effect only with executor: simulated");
	err = values_convert(report, "options.simulation", simulation_keys, raw, &numbers,
	                     &job->lists);
	if (err)
		return err;
	if (!raw_find(raw, simulation_keys, "latency_max_us")->any)
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
		.without = numbers.without,
	};
	job->options.simulation = &job->simulation;
	return 0;
}

/* The number of an error's name; 0 = there is none of that name. */
static int find_errno(const char *name)
{
	for (const struct iobatch_word *alias = error_aliases; alias->name; alias++)
		if (!strcmp(alias->name, name))
			return (int)alias->value;
	for (int number = 1; number <= ERRNO_MAX; number++) {
		const char *known = strerrorname_np(number);

		if (known && !strcmp(known, name))
			return number;
	}
	return 0;
}

static int convert_errnos(struct report *report, const struct tree_node *list, struct job *job)
{
	job->retry_errnos = calloc(list->count + 1u, sizeof(*job->retry_errnos));
	if (!job->retry_errnos)
		return -ENOMEM;
	for (unsigned i = 0; i < list->count; i++) {
		const char *name = list->children[i]->value;

		job->retry_errnos[i] = find_errno(name);
		if (!job->retry_errnos[i])
			return report_error(report, "options.retry_on",
			                    "must be any, transient, or a list of errors such as "
			                    "[EIO, EBUSY], not %s",
			                    name);
	}
	job->options.retry_on = IOBATCH_RETRY_LISTED;
	job->options.retry_errnos = job->retry_errnos;
	return 0;
}

static int convert_retry_on(struct report *report, struct job *job)
{
	const struct tree_node *list = tree_find(report->root, "options.retry_on", NULL);
	const char *word = list->count == 1 ? list->children[0]->value : "";

	if (!strcmp(word, "any"))
		job->options.retry_on = IOBATCH_RETRY_ANY;
	else if (!strcmp(word, "transient"))
		job->options.retry_on = IOBATCH_RETRY_TRANSIENT;
	else
		return convert_errnos(report, list, job);
	return 0;
}

/* Rules over several keys. */
static int check_options(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	const struct iobatch_options *options = &job->options;

	if (options->max_concurrent_max && options->max_concurrent_max < options->max_concurrent)
		return report_error(report, "options.max_concurrent_max",
		                    "must not be less than max_concurrent, which is %" PRIu32,
		                    options->max_concurrent);
	if (raw_find(raw, kinds_options, "backoff_factor")->any &&
	    options->backoff != IOBATCH_BACKOFF_EXPONENTIAL)
		return report_error(report, "options.backoff_factor",
		                    "has an effect only with backoff: exponential");
	return 0;
}

static int convert_mappings(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	const struct raw_value *halt = raw_find(raw, kinds_options, "halt");
	const struct raw_value *journal = raw_find(raw, kinds_options, "journal");
	int err = 0;

	if (halt->mapping)
		err = values_convert(report, "options.halt", halt_keys, halt->mapping,
		                     &job->options, &job->lists);
	if (!err && journal->mapping)
		err = values_convert(report, "options.journal", journal_keys, journal->mapping,
		                     &job->journal, &job->lists);
	/* What it said would be done is not, and a run that resumes it would believe it. */
	if (!err && job->journal.file && job->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		err = report_error(report, "options.journal",
		                   "a simulated run does nothing that could be recorded; leave it "
		                   "out, or take another executor");
	if (!err && raw_find(raw, kinds_options, "retry_on")->any)
		err = convert_retry_on(report, job);
	return err ? err : check_options(report, raw, job);
}

int kinds_convert_options(struct report *report, const struct raw_value *raw, struct job *job)
{
	const struct raw_value *simulation;
	int err;

	job->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	job->journal = (struct job_journal){.sync = IOBATCH_JOURNAL_BATCH};
	if (!raw->mapping)
		return 0;
	err = values_convert(report, "options", kinds_options, raw->mapping, &job->options,
	                     &job->lists);
	simulation = raw_find(raw->mapping, kinds_options, "simulation");
	if (!err && simulation->mapping)
		err = convert_simulation(report, simulation->mapping, job);
	return err ? err : convert_mappings(report, raw->mapping, job);
}

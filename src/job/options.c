/* SPDX-License-Identifier: MIT */
/* The keys of a job's options and of the simulation in them: see kinds.h. */
#include "job/kinds.h"
#include "job/report.h"
#include "job/schema.h"

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

const struct key kinds_options[] = {
	OPTION(KEY_COUNT, batch_size, 1, 1u << 20),
	OPTION(KEY_COUNT, max_concurrent, 1, 65536),
	OPTION(KEY_MS, delay_ms, 0, YEAR_MS),
	OPTION(KEY_MS, timeout_ms, 0, YEAR_MS),
	KEY_FROM(KEY_WORD, struct iobatch_options, guards, guards),
	OPTION(KEY_COUNT, max_stuck, 0, 65536),
	OPTION(KEY_MS, stuck_grace_ms, 0, YEAR_MS),
	OPTION(KEY_COUNT, retries, 0, UINT32_MAX - 1),
	OPTION(KEY_MS, backoff_ms, 0, YEAR_MS),
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

int kinds_convert_options(struct report *report, const struct raw_value *raw, struct job *job)
{
	const struct raw_value *simulation;
	int err;

	job->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	if (!raw->mapping)
		return 0;
	err = values_convert(report, "options", kinds_options, raw->mapping, &job->options,
	                     &job->lists);
	simulation = raw_find(raw->mapping, kinds_options, "simulation");
	if (!err && simulation->mapping)
		err = convert_simulation(report, simulation->mapping, job);
	return err;
}

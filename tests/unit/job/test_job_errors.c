/* SPDX-License-Identifier: MIT */
/* Jobs that must not load: each error is one line with file, line and key, and says what to do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "job/job.h"

#define WALK "items: {walk: {root: /x}}\n"
#define NOP "processor: {nop: {}}\n"
#define STEPS "items: {list: {file: a}}\nprocessor:\n  steps:\n"

struct sample {
	const char *text;
	const char *set;
	const char *message;
};

/* All jobs of this file are called job.yaml, in a directory that is the current one. */
static char directory[] = "/tmp/iobatch-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
	(void)state;
	unlink("job.yaml");
	return chdir("/") || rmdir(directory);
}

static void check(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *sets[] = {samples[i].set, NULL};
		struct job *job = NULL;
		char *error = NULL;
		FILE *file = fopen("job.yaml", "w");

		assert_non_null(file);
		assert_int_equal(fputs(samples[i].text, file) >= 0, 1);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(job_load("job.yaml", sets, &job, &error), -EINVAL);
		assert_null(job);
		assert_non_null(error);
		assert_string_equal(error, samples[i].message);
		free(error);
	}
}

#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))

static void unknown_keys_are_refused(void **state)
{
	static const struct sample samples[] = {
		{WALK NOP "optionz: {}\n", NULL,
	         "job.yaml:3: optionz: unknown key; did you mean options?"},
		{WALK NOP "options:\n  batch_size: 1\n  batchsize: 3\n", NULL,
	         "job.yaml:5: options.batchsize: unknown key; did you mean batch_size?"},
		{"items: {glob: {pattern: a, xyzzy: 3}}\n" NOP, NULL,
	         "job.yaml:1: items.glob.xyzzy: unknown key; allowed here: pattern"},
		{WALK "processor: {nop: {fast: 1}}\n", NULL,
	         "job.yaml:2: processor.nop.fast: unknown key; allowed here: nothing"},
		{STEPS "    - openat: {path: a, as: in}\n    - raed: {file: in, length: 3}\n", NULL,
	         "job.yaml:5: processor.steps.1.raed: unknown key; did you mean read?"},
		{WALK NOP, "options.xyzzy=1",
	         "--set options.xyzzy: unknown key; allowed here: batch_size, max_concurrent, "
	         "delay_ms, timeout_ms, guards, max_stuck, stuck_grace_ms, retries, retry_on, "
	         "backoff_ms, backoff, backoff_factor, backoff_max_ms, backoff_jitter, seed, "
	         "retry_budget, halt, on_full, max_concurrent_max, items_per_s, journal, "
	         "memory_limit, rings, executor, threads, path_ops_max, register_buffers, "
	         "simulation"},
	};

	(void)state;
	CHECK(samples);
}

static void missing_keys_are_named(void **state)
{
	static const struct sample samples[] = {
		{WALK, NULL, "job.yaml:1: processor: this key is required and is missing"},
		{NOP, NULL, "job.yaml:1: items: this key is required and is missing"},
		{"job: x\nitems:\n  walk:\n    types: [file]\n    min_size: 3\n" NOP, NULL,
	         "job.yaml:3: items.walk.root: this key is required and is missing"},
		{WALK "processor: {copy: {}}\n", NULL,
	         "job.yaml:2: processor.copy.destination: this key is required and is missing"},
		{STEPS "    - openat: {as: in}\n", NULL,
	         "job.yaml:4: processor.steps.0.openat.path: this key is required and is missing"},
	};

	(void)state;
	CHECK(samples);
}

static void a_job_has_one_source_and_one_processor(void **state)
{
	static const struct sample samples[] = {
		{"items: {}\n" NOP, NULL,
	         "job.yaml:1: items: must have one of walk, glob, list, range, manifest, series"},
		{WALK "processor: {}\n", NULL,
	         "job.yaml:2: processor: must have one of copy, move, hash, verify, compare, "
	         "remove, read, fill, stat, set, rename, steps, nop"},
		{"items:\n  walk: {root: /x}\n  glob: {pattern: a}\n" NOP, NULL,
	         "job.yaml:3: items.glob: items already has walk, and can have only one of them"},
		{WALK "processor: {read: {}, nop: {}}\n", NULL,
	         "job.yaml:2: processor.nop: processor already has read, and can have only one of "
	         "them"},
		{WALK NOP, "items.list.file=x",
	         "--set items.list.file: items.list: items already has walk, and can have only one "
	         "of "
	         "them"},
	};

	(void)state;
	CHECK(samples);
}

static void values_of_the_wrong_kind_are_refused(void **state)
{
	static const struct sample samples[] = {
		{"- a\n", NULL, "job.yaml:1: must be a mapping of keys and values, not a list"},
		{"hello\n", NULL,
	         "job.yaml:1: must be a mapping of keys and values, not a single value; write "
	         "its keys below it, or in braces: { }"},
		{WALK NOP "options: [1]\n", NULL,
	         "job.yaml:3: options: must be a mapping of keys and values, not a list"},
		{WALK "processor: {nop: }\n", NULL,
	         "job.yaml:2: processor.nop: must be a mapping of keys and values, not nothing; "
	         "write "
	         "{} when there is nothing to say"},
		{WALK NOP "options: {batch_size: [1]}\n", NULL,
	         "job.yaml:3: options.batch_size: must be a single value, not a list"},
		{WALK NOP "options: {batch_size: }\n", NULL,
	         "job.yaml:3: options.batch_size: must not be empty"},
		{"items: {walk: {root: /x, types: file}}\n" NOP, NULL,
	         "job.yaml:1: items.walk.types: must be a list of words, not a single value; write "
	         "it "
	         "in brackets: [ ]"},
		{"items: {walk: {root: /x, include: [a, [b]]}}\n" NOP, NULL,
	         "job.yaml:1: items.walk.include.1: must be a single value, not a list"},
		{WALK "processor: {steps: []}\n", NULL,
	         "job.yaml:2: processor.steps: must not be an empty list"},
		{WALK NOP, "job.b=1",
	         "--set job.b: job: must be a single value, not a mapping; "
	         "put it in quotes when it begins with {"},
	};

	(void)state;
	CHECK(samples);
}

static void words_are_of_their_list(void **state)
{
	static const struct sample samples[] = {
		{"items:\n  walk:\n    root: /x\n    types: [file, door]\n" NOP, NULL,
	         "job.yaml:4: items.walk.types: must be a list of words from file, directory, "
	         "symlink, "
	         "other, not \"door\""},
		{"items: {walk: {root: /x, types: []}}\n" NOP, NULL,
	         "job.yaml:1: items.walk.types: must name at least one of file, directory, "
	         "symlink, "
	         "other"},
		{WALK "processor: {hash: {algorithm: md5}}\n", NULL,
	         "job.yaml:2: processor.hash.algorithm: must be one of xxh3, xxh3-64, xxh3-128, "
	         "sha256, crc32c, blake2b, not \"md5\""},
		{"items: {range: {path: /x, direct: maybe}}\n" NOP, NULL,
	         "job.yaml:1: items.range.direct: must be one of false, true, no, yes, not "
	         "\"maybe\""},
		{WALK NOP, "options.executor=2",
	         "--set options.executor: must be one of auto, ring, syscall, simulated, "
	         "not \"2\""},
		{WALK NOP "options:\n  guards: none\n", NULL,
	         "job.yaml:4: options.guards: must be one of auto, linked, list, not \"none\""},
		{WALK NOP "options: {executor: simulated, simulation: {without: [poll]}}\n", NULL,
	         "job.yaml:3: options.simulation.without: must be a list of words from submit_all, "
	         "cqe_skip, etime_success, direct_files, not \"poll\""},
	};

	(void)state;
	CHECK(samples);
}

static void numbers_out_of_range_are_refused(void **state)
{
	static const struct sample samples[] = {
		{WALK NOP "options:\n  batch_size: 0\n", NULL,
	         "job.yaml:4: options.batch_size: must be 1 to 1048576, not 0"},
		{WALK NOP "options: {batch_size: -1}\n", NULL,
	         "job.yaml:3: options.batch_size: must be 1 to 1048576, not -1"},
		{WALK NOP "options: {batch_size: 18446744073709551617}\n", NULL,
	         "job.yaml:3: options.batch_size: must be 1 to 1048576, not 18446744073709551617"},
		{WALK NOP "options: {retries: 4294967295}\n", NULL,
	         "job.yaml:3: options.retries: must be 0 to 4294967294, not 4294967295"},
		{WALK NOP "options: {rings: 65}\n", NULL,
	         "job.yaml:3: options.rings: must be auto or 1 to 64, not 65"},
		{WALK NOP "options: {rings: 0}\n", NULL,
	         "job.yaml:3: options.rings: must be auto or 1 to 64, not 0"},
		{WALK NOP "options:\n  threads: 0\n", NULL,
	         "job.yaml:4: options.threads: must be auto or 1 to 1024, not 0"},
		{WALK NOP "options: {threads: 1025}\n", NULL,
	         "job.yaml:3: options.threads: must be auto or 1 to 1024, not 1025"},
		{WALK NOP "options: {max_stuck: 65537}\n", NULL,
	         "job.yaml:3: options.max_stuck: must be 0 to 65536, not 65537"},
		{WALK NOP "options: {max_stuck: many}\n", NULL,
	         "job.yaml:3: options.max_stuck: must be 0 to 65536, not many"},
		{WALK NOP "options: {stuck_grace_ms: 1s}\n", NULL,
	         "job.yaml:3: options.stuck_grace_ms: must be a number of milliseconds, 0 to "
	         "31536000000, not 1s"},
		{WALK NOP "options: {path_ops_max: 0}\n", NULL,
	         "job.yaml:3: options.path_ops_max: must be 1 to 65536, not 0"},
		{WALK NOP
	         "options:\n  executor: simulated\n  simulation:\n    late_permille: 1001\n",
	         NULL, "job.yaml:6: options.simulation.late_permille: must be 0 to 1000, not 1001"},
		{WALK NOP "options: {executor: simulated, simulation: {lost_permille: 1001}}\n",
	         NULL, "job.yaml:3: options.simulation.lost_permille: must be 0 to 1000, not 1001"},
		{WALK NOP "options: {executor: simulated, simulation: {submit_permille: -1}}\n",
	         NULL, "job.yaml:3: options.simulation.submit_permille: must be 0 to 1000, not -1"},
		{WALK NOP "options: {memory_limit: 1.5G}\n", NULL,
	         "job.yaml:3: options.memory_limit: must be a size such as 64KiB, from 4KiB to "
	         "1024TiB, not 1.5G"},
		{WALK "processor: {hash: {block_size: 5000}}\n", NULL,
	         "job.yaml:2: processor.hash.block_size: must be a multiple of 4096 bytes such as "
	         "64KiB, from 4KiB to 16MiB, not 5000"},
		{WALK "processor: {read: {depth: 65}}\n", NULL,
	         "job.yaml:2: processor.read.depth: must be 1 to 64, not 65"},
		{"items: {range: {path: /x, count: x}}\n" NOP, NULL,
	         "job.yaml:1: items.range.count: must be a count of 0 or more, not x"},
		{WALK NOP, "options.batch_size=0",
	         "--set options.batch_size: must be 1 to 1048576, not 0"},
		{WALK NOP, "options={batch_size: 0}",
	         "--set options: options.batch_size: must be 1 to 1048576, not 0"},
	};

	(void)state;
	CHECK(samples);
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
	static const struct sample samples[] = {
		{"items: {walk: {root: /x, min_size: 5, max_size: 3}}\n" NOP, NULL,
	         "job.yaml:1: items.walk.min_size: is larger than max_size"},
		{WALK NOP "options: {simulation: {seed: 3}}\n", NULL,
	         "job.yaml:3: options.simulation: has an effect only with executor: simulated"},
		{WALK NOP "options:\n  executor: simulated\n  simulation:\n    latency_min_us: 7\n"
	                  "    latency_max_us: 5\n",
	         NULL,
	         "job.yaml:6: options.simulation.latency_min_us: is larger than latency_max_us"},
	};

	(void)state;
	CHECK(samples);
}

static void steps_are_checked_one_by_one(void **state)
{
	static const struct sample samples[] = {
		{STEPS "    - openat: {path: a, as: in}\n    - read: {file: out, length: 3}\n",
	         NULL,
	         "job.yaml:5: processor.steps.1.read.file: file \"out\" is used before a step "
	         "opens it "
	         "(as: out)"},
		{STEPS "    - openat: {path: a, as: in}\n      close: {file: in}\n", NULL,
	         "job.yaml:4: processor.steps.0: a step is exactly one op with its arguments, not "
	         "2; "
	         "begin each op with a dash of its own"},
		{STEPS "    - openat: {path: a, as: in, mode: 888}\n", NULL,
	         "job.yaml:4: processor.steps.0.openat.mode: must be octal permission bits such as "
	         "0644, not 888"},
		{STEPS "    - timeout: {duration: 5}\n", NULL,
	         "job.yaml:4: processor.steps.0.timeout.duration: must be a time with its unit "
	         "such as "
	         "100ms (ns, us, ms, s), not 5"},
		{STEPS
	         "    - openat: {path: a, as: in}\n    - fadvise: {file: in, advice: maybe}\n",
	         NULL,
	         "job.yaml:5: processor.steps.1.fadvise.advice: must be one of normal, sequential, "
	         "random, noreuse, willneed, dontneed, not \"maybe\""},
		{STEPS "    - nop: {}\n    - timeout: {duration: 5ms}\n",
	         "processor.steps.1.timeout.duration=7",
	         "--set processor.steps.1.timeout.duration: must be a time with its unit such as "
	         "100ms (ns, us, ms, s), not 7"},
	};

	(void)state;
	CHECK(samples);
}

/* What iobatch_steps_new() refuses comes with its own words; the place is ours. */
static void what_the_processor_refuses_has_its_line(void **state)
{
	static const char text[] = STEPS "    - nop: {}\n    - statx: {path: '{colour}'}\n";
	struct job *job = NULL;
	char *error = NULL;
	FILE *file = fopen("job.yaml", "w");
	static const char place[] = "job.yaml:5: processor.steps.1.statx: ";

	(void)state;
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(job_load("job.yaml", NULL, &job, &error), -EINVAL);
	assert_non_null(error);
	assert_memory_equal(error, place, sizeof(place) - 1);
	assert_non_null(strstr(error, "colour"));
	free(error);
}

static void a_set_must_be_a_key_and_a_value(void **state)
{
	static const struct sample samples[] = {
		{WALK NOP, "options",
	         "--set options: must be KEY=VALUE, such as options.batch_size=128"},
	};

	(void)state;
	CHECK(samples);
}

static void a_job_that_cannot_be_read_is_named(void **state)
{
	struct job *job = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(job_load("nowhere.yaml", NULL, &job, &error), -EINVAL);
	assert_string_equal(error, "nowhere.yaml: No such file or directory");
	free(error);
	assert_int_equal(job_load("/", NULL, &job, &error), -EINVAL);
	assert_string_equal(error, "/: Is a directory");
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_keys_are_refused),
		cmocka_unit_test(missing_keys_are_named),
		cmocka_unit_test(a_job_has_one_source_and_one_processor),
		cmocka_unit_test(values_of_the_wrong_kind_are_refused),
		cmocka_unit_test(words_are_of_their_list),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(keys_that_contradict_each_other_are_refused),
		cmocka_unit_test(steps_are_checked_one_by_one),
		cmocka_unit_test(what_the_processor_refuses_has_its_line),
		cmocka_unit_test(a_set_must_be_a_key_and_a_value),
		cmocka_unit_test(a_job_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests_name("job/job_errors", tests, enter, leave);
}

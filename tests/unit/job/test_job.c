/* SPDX-License-Identifier: MIT */
/* Jobs that load: every key arrives where it belongs, and what is not given is the default. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "job/job.h"

static struct job *load(const char *text, const char *const *sets)
{
	char name[] = "/tmp/iobatch-test.XXXXXX.yaml";
	struct job *job = NULL;
	char *error = NULL;
	int fd = mkstemps(name, 5), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = job_load(name, sets, &job, &error);
	unlink(name);
	if (error)
		fail_msg("%s", error);
	assert_int_equal(err, 0);
	return job;
}

static void a_job_needs_no_more_than_items_and_a_processor(void **state)
{
	struct iobatch_options defaults = IOBATCH_OPTIONS_INIT;
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct job *job = load("items: {walk: {root: /x}}\nprocessor: {hash: {}}\n", NULL);

	(void)state;
	assert_memory_equal(&job->options, &defaults, sizeof(defaults));
	assert_int_equal(job->source, JOB_SOURCE_WALK);
	assert_string_equal(job->walk.root, "/x");
	assert_int_equal(job->walk.types, walk.types);
	assert_true(job->walk.max_size == UINT64_MAX);
	assert_null(job->walk.include);
	assert_null(job->walk.exclude);
	assert_int_equal(job->processor, JOB_PROCESSOR_HASH);
	assert_int_equal(job->hash.algorithm, IOBATCH_HASH_XXH3_64);
	assert_int_equal(job->hash.block_size, 128 << 10);
	assert_int_equal(job->hash.depth, 4);
	assert_null(job->hash.manifest);
	assert_int_equal(strncmp(job->name, "iobatch-test.", 13), 0);
	assert_null(strstr(job->name, ".yaml"));
	job_free(job);
}

static void every_option_arrives(void **state)
{
	struct job *job = load("job: all\n"
	                       "items: {glob: {pattern: '*'}}\n"
	                       "processor: {nop: {}}\n"
	                       "options:\n"
	                       "  batch_size: 1\n"
	                       "  max_concurrent: 2\n"
	                       "  delay_ms: 3\n"
	                       "  timeout_ms: 4\n"
	                       "  retries: 5\n"
	                       "  backoff_ms: 6\n"
	                       "  memory_limit: 7MiB\n"
	                       "  rings: auto\n"
	                       "  threads: 13\n"
	                       "  guards: list\n"
	                       "  max_stuck: 14\n"
	                       "  stuck_grace_ms: 15\n"
	                       "  path_ops_max: 16\n"
	                       "  executor: simulated\n"
	                       "  register_buffers: true\n"
	                       "  simulation:\n"
	                       "    seed: 18446744073709551615\n"
	                       "    latency_min_us: 8\n"
	                       "    latency_max_us: 9\n"
	                       "    file_size: 10KiB\n"
	                       "    error_permille: 11\n"
	                       "    short_permille: 12\n"
	                       "    late_permille: 17\n"
	                       "    lost_permille: 18\n"
	                       "    submit_permille: 19\n"
	                       "    without: [submit_all, direct_files]\n",
	                       NULL);
	const struct iobatch_options *options = &job->options;

	(void)state;
	assert_string_equal(job->name, "all");
	assert_string_equal(job->glob.pattern, "*");
	assert_int_equal(options->batch_size, 1);
	assert_int_equal(options->max_concurrent, 2);
	assert_int_equal(options->delay_ms, 3);
	assert_int_equal(options->timeout_ms, 4);
	assert_int_equal(options->retries, 5);
	assert_int_equal(options->backoff_ms, 6);
	assert_int_equal(options->memory_limit, 7 << 20);
	assert_int_equal(options->rings, 0);
	assert_int_equal(options->executor, IOBATCH_EXECUTOR_SIMULATED);
	assert_int_equal(options->register_buffers, 1);
	assert_ptr_equal(options->simulation, &job->simulation);
	assert_true(job->simulation.seed == UINT64_MAX);
	assert_int_equal(job->simulation.latency_min_ns, 8000);
	assert_int_equal(job->simulation.latency_max_ns, 9000);
	assert_int_equal(job->simulation.file_size, 10240);
	assert_int_equal(job->simulation.error_permille, 11);
	assert_int_equal(job->simulation.short_permille, 12);
	assert_int_equal(options->threads, 13);
	assert_int_equal(options->guards, IOBATCH_GUARDS_LIST);
	assert_int_equal(options->max_stuck, 14);
	assert_int_equal(options->stuck_grace_ms, 15);
	assert_int_equal(options->path_ops_max, 16);
	assert_int_equal(job->simulation.late_permille, 17);
	assert_int_equal(job->simulation.lost_permille, 18);
	assert_int_equal(job->simulation.submit_permille, 19);
	assert_int_equal(job->simulation.without,
	                 IOBATCH_WITHOUT_SUBMIT_ALL | IOBATCH_WITHOUT_DIRECT_FILES);
	job_free(job);
}

static void every_key_of_a_walk_and_a_copy_arrives(void **state)
{
	struct job *job = load("items:\n"
	                       "  walk:\n"
	                       "    root: a\n"
	                       "    types: [directory, symlink, other]\n"
	                       "    include: ['*.c', '*.h']\n"
	                       "    exclude: [.git]\n"
	                       "    min_size: 1\n"
	                       "    max_size: 1GiB\n"
	                       "processor: {copy: {destination: b, block_size: 8K, depth: 64}}\n",
	                       NULL);

	(void)state;
	assert_int_equal(job->walk.types,
	                 IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER);
	assert_string_equal(job->walk.include[0], "*.c");
	assert_string_equal(job->walk.include[1], "*.h");
	assert_null(job->walk.include[2]);
	assert_string_equal(job->walk.exclude[0], ".git");
	assert_null(job->walk.exclude[1]);
	assert_int_equal(job->walk.min_size, 1);
	assert_int_equal(job->walk.max_size, 1 << 30);
	assert_string_equal(job->copy.destination, "b");
	assert_int_equal(job->copy.block_size, 8192);
	assert_int_equal(job->copy.depth, 64);
	job_free(job);
}

static void every_key_of_a_range_and_a_read_arrives(void **state)
{
	struct job *job = load("items:\n"
	                       "  range: {path: a, block_size: 512, count: 7, order: random,\n"
	                       "          seed: 9, direct: yes}\n"
	                       "processor: {read: {block_size: 16MiB, depth: 1, direct: true}}\n",
	                       NULL);

	(void)state;
	assert_string_equal(job->range.path, "a");
	assert_int_equal(job->range.block_size, 512);
	assert_int_equal(job->range.count, 7);
	assert_int_equal(job->range.order, IOBATCH_ORDER_RANDOM);
	assert_int_equal(job->range.seed, 9);
	assert_int_equal(job->range.direct, 1);
	assert_int_equal(job->read.block_size, 16 << 20);
	assert_int_equal(job->read.depth, 1);
	assert_int_equal(job->read.direct, 1);
	job_free(job);
}

static void every_algorithm_has_its_name(void **state)
{
	static const struct {
		const char *name;
		unsigned algorithm;
	} names[] = {
		{"xxh3", IOBATCH_HASH_XXH3_64},      {"xxh3-64", IOBATCH_HASH_XXH3_64},
		{"xxh3-128", IOBATCH_HASH_XXH3_128}, {"sha256", IOBATCH_HASH_SHA256},
		{"crc32c", IOBATCH_HASH_CRC32C},     {"blake2b", IOBATCH_HASH_BLAKE2B},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char set[64];
		struct job *job;

		snprintf(set, sizeof(set), "processor.hash.algorithm=%s", names[i].name);
		job = load("items: {list: {file: '-', separator: nul}}\n"
		           "processor: {hash: {manifest: m}}\n",
		           (const char *const[]){set, NULL});
		assert_int_equal(job->hash.algorithm, names[i].algorithm);
		assert_string_equal(job->hash.manifest, "m");
		assert_string_equal(job->list.file, "-");
		assert_int_equal(job->list.options.separator, '\0');
		job_free(job);
	}
}

/* The words of a key of `options`, each with the number that it stands for. */
static void every_word_of_an_option_arrives(void **state)
{
	static const struct {
		const char *set;
		unsigned executor, guards, threads, without;
	} samples[] = {
		{"options.executor=auto", IOBATCH_EXECUTOR_AUTO, 0, 0, 0},
		{"options.executor=ring", IOBATCH_EXECUTOR_RING, 0, 0, 0},
		{"options.executor=syscall", IOBATCH_EXECUTOR_SYSCALL, 0, 0, 0},
		{"options.executor=simulated", IOBATCH_EXECUTOR_SIMULATED, 0, 0, 0},
		{"options.guards=auto", 0, IOBATCH_GUARDS_AUTO, 0, 0},
		{"options.guards=linked", 0, IOBATCH_GUARDS_LINKED, 0, 0},
		{"options.guards=list", 0, IOBATCH_GUARDS_LIST, 0, 0},
		{"options.threads=auto", 0, 0, 0, 0},
		{"options.threads=1024", 0, 0, 1024, 0},
		{"options={executor: simulated, simulation: {without: [cqe_skip]}}",
	         IOBATCH_EXECUTOR_SIMULATED, 0, 0, IOBATCH_WITHOUT_CQE_SKIP},
		{"options={executor: simulated, simulation: {without: [etime_success]}}",
	         IOBATCH_EXECUTOR_SIMULATED, 0, 0, IOBATCH_WITHOUT_ETIME_SUCCESS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct job *job = load("items: {list: {file: x}}\nprocessor: {nop: {}}\n",
		                       (const char *const[]){samples[i].set, NULL});

		assert_int_equal(job->options.executor, samples[i].executor);
		assert_int_equal(job->options.guards, samples[i].guards);
		assert_int_equal(job->options.threads, samples[i].threads);
		assert_int_equal(job->simulation.without, samples[i].without);
		job_free(job);
	}
}

static void steps_become_ops(void **state)
{
	struct job *job = load("items: {list: {file: x}}\n"
	                       "processor:\n"
	                       "  steps:\n"
	                       "    - openat: {path: '{path}', flags: [rdonly, nofollow], as: in}\n"
	                       "    - openat: {path: '{stem}.new', flags: [wronly, creat, excl],\n"
	                       "               as: out, mode: 0640}\n"
	                       "    - read: {file: in, length: 64KiB, offset: 4K, flags: [exact]}\n"
	                       "    - write: {file: out, length: 64KiB}\n"
	                       "    - fadvise: {file: in, advice: dontneed}\n"
	                       "    - timeout: {duration: 5ms}\n"
	                       "    - close: {file: out}\n"
	                       "    - close: {file: in}\n"
	                       "    - renameat: {from: '{stem}.new', to: a, flags: [noreplace]}\n"
	                       "    - nop: {}\n",
	                       NULL);
	const struct iobatch_op *ops = job->steps.ops;

	(void)state;
	assert_int_equal(job->steps.count, 10);
	assert_int_equal(ops[0].opcode, IOBATCH_OP_OPENAT);
	assert_int_equal(ops[0].file, 0);
	assert_int_equal(ops[0].dirfd, AT_FDCWD);
	assert_int_equal(ops[0].op_flags, O_RDONLY | O_NOFOLLOW);
	assert_int_equal(ops[0].mode, 0666);
	assert_string_equal(ops[0].path, "{path}");
	assert_int_equal(ops[1].file, 1);
	assert_int_equal(ops[1].op_flags, O_WRONLY | O_CREAT | O_EXCL);
	assert_int_equal(ops[1].mode, 0640);
	assert_int_equal(ops[2].opcode, IOBATCH_OP_READ);
	assert_int_equal(ops[2].file, 0);
	assert_int_equal(ops[2].length, 65536);
	assert_int_equal(ops[2].offset, 4096);
	assert_int_equal(ops[2].flags, IOBATCH_EXACT);
	assert_int_equal(ops[3].file, 1);
	assert_int_equal(ops[3].offset, 0);
	assert_int_equal(ops[4].mode, POSIX_FADV_DONTNEED);
	assert_int_equal(ops[5].length, 5000000);
	assert_int_equal(ops[6].file, 1);
	assert_int_equal(ops[7].file, 0);
	assert_string_equal(ops[8].path, "{stem}.new");
	assert_string_equal(ops[8].path2, "a");
	assert_int_equal(ops[8].dirfd2, AT_FDCWD);
	assert_int_equal(ops[9].opcode, IOBATCH_OP_NOP);
	job_free(job);
}

/* Whatever the op table holds can be written as a step, under the table's own names. */
static void every_op_of_the_table_is_a_step(void **state)
{
	(void)state;
	for (unsigned opcode = 0; opcode < IOBATCH_OP_COUNT; opcode++) {
		const struct iobatch_op_info *info = iobatch_op_info(opcode);
		char text[1024], arguments[512] = "";
		bool opens = false;
		/* A write sends what was read before it. */
		static const char before[] = "    - openat: {path: x, as: in}\n"
					     "    - read: {file: in, length: 4KiB}\n";
		struct job *job;

		for (const struct iobatch_argument *argument = info->arguments;
		     argument && argument->name; argument++) {
			static const char *const values[] = {
				[IOBATCH_ARGUMENT_PATH] = "x",
				[IOBATCH_ARGUMENT_FILE] = "in",
				[IOBATCH_ARGUMENT_NEW_FILE] = "in2",
				[IOBATCH_ARGUMENT_SIZE] = "4KiB",
				[IOBATCH_ARGUMENT_DURATION] = "1ms",
				[IOBATCH_ARGUMENT_MODE] = "0600",
				[IOBATCH_ARGUMENT_FLAGS] = NULL,
				[IOBATCH_ARGUMENT_WORD] = NULL,
				[IOBATCH_ARGUMENT_NUMBER] = "1000",
			};
			const char *value = values[argument->type];
			size_t length = strlen(arguments);
			bool list = argument->type == IOBATCH_ARGUMENT_FLAGS;

			snprintf(arguments + length, sizeof(arguments) - length, "%s%s: %s%s%s",
			         length ? ", " : "", argument->name, list ? "[" : "",
			         value ? value : argument->words[0].name, list ? "]" : "");
			opens |= argument->type == IOBATCH_ARGUMENT_FILE;
		}
		snprintf(text, sizeof(text),
		         "items: {list: {file: x}}\nprocessor:\n  steps:\n%s    - %s: {%s}\n",
		         opens ? before : "", info->name, arguments);
		job = load(text, NULL);
		assert_int_equal(job->steps.ops[job->steps.count - 1].opcode, opcode);
		job_free(job);
	}
}

static void later_sets_win(void **state)
{
	struct job *job = load(
		"items: {walk: {root: /x}}\nprocessor: {nop: {}}\noptions: {batch_size: 1}\n",
		(const char *const[]){"options.batch_size=2", "options={retries: 3}",
	                              "options.batch_size=4", "items={list: {file: y}}", NULL});

	(void)state;
	assert_int_equal(job->options.batch_size, 4);
	assert_int_equal(job->options.retries, 3);
	assert_int_equal(job->source, JOB_SOURCE_LIST);
	assert_string_equal(job->list.file, "y");
	job_free(job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_needs_no_more_than_items_and_a_processor),
		cmocka_unit_test(every_option_arrives),
		cmocka_unit_test(every_key_of_a_walk_and_a_copy_arrives),
		cmocka_unit_test(every_key_of_a_range_and_a_read_arrives),
		cmocka_unit_test(every_algorithm_has_its_name),
		cmocka_unit_test(every_word_of_an_option_arrives),
		cmocka_unit_test(steps_become_ops),
		cmocka_unit_test(every_op_of_the_table_is_a_step),
		cmocka_unit_test(later_sets_win),
	};

	return cmocka_run_group_tests_name("job/job", tests, NULL, NULL);
}

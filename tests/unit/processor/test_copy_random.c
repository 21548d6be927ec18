/* SPDX-License-Identifier: MIT */
/*
 * Copies and moves of several names under everything that a kernel may do, from seeds: errors of
 * any kind, short and late answers, ops that never answer, deadlines. Whatever comes, a run ends
 * with one outcome for each item, forgets nothing and touches nothing that is the kernel's: that is
 * what the simulator watches. With attempts enough everything arrives.
 */
#include "copying.h"

#include <errno.h>
#include <string.h>

#define ITEMS 12u

struct links {
	uint32_t names;
	bool sparse;
};

static void some_names_are_links(void *context, const struct iobatch_op *op,
                                 struct iobatch_answer *answer)
{
	const struct links *links = context;

	(void)answer;
	if (op->opcode == IOBATCH_OP_FSTATX || op->opcode == IOBATCH_OP_STATX) {
		struct statx *statx = op->buffer;

		statx->stx_nlink = links->names;
		statx->stx_blocks = links->sparse ? 0 : 1000;
	}
}

static const char *const names[ITEMS + 1] = {"a/b/1", "a/b/2", "a/c/3", "a/4",   "5",     "a/b/6",
                                             "d/7",   "d/e/8", "d/e/9", "d/f/a", "a/b/b", "c"};

static struct iobatch_processor *make(uint64_t seed)
{
	struct iobatch_copy_options copy = copying_options("world");
	struct iobatch_processor *processor;

	copy.depth = 1 + seed % 4;
	copy.verify = seed % 5 == 0;
	copy.direct = seed % 7 == 0;
	copy.keep_cache = seed % 11 == 0;
	copy.preallocate = seed % 13 == 0;
	copy.fsync = seed % 3;
	copy.existing = seed / 3 % 3;
	if (seed % 4 == 0)
		assert_int_equal(iobatch_move_new(&copy, &processor), 0);
	else
		assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	return processor;
}

static void whatever_the_kernel_does_each_item_has_one_outcome(void **state)
{
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct links links = {.names = 1 + seed % 3, .sparse = seed % 2};
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 2000000,
		                                        .file_size = seed * 977 % (9 * BLOCK),
		                                        .short_permille = 100,
		                                        .error_permille = seed % 4 * 10,
		                                        .late_permille = 5,
		                                        .lost_permille = seed % 6 ? 0 : 3,
		                                        .submit_permille = 20,
		                                        .script = some_names_are_links,
		                                        .context = &links};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = make(seed);

		options.simulation = &simulation;
		options.timeout_ms = 60;
		options.retries = 3;
		options.batch_size = 4;
		options.max_concurrent = 2;
		options.max_stuck = 1000;
		options.rings = 1 + seed % 2;
		files_run(processor, &options, DT_REG, names, &result);
		assert_int_equal(result.successful + result.failed, ITEMS);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

static void with_attempts_enough_everything_arrives(void **state)
{
	/* Full file systems are tried again only on demand. */
	static const int full_too[] = {ENOSPC, EDQUOT, EROFS, 0};

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct links links = {.names = 1 + seed % 4, .sparse = seed % 2};
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 2000000,
		                                        .file_size = seed * 977 % (9 * BLOCK),
		                                        .short_permille = 100,
		                                        .error_permille = 20,
		                                        .script = some_names_are_links,
		                                        .context = &links};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = make(seed);

		options.simulation = &simulation;
		options.retries = 2000;
		options.retry_errnos = full_too;
		options.batch_size = 3;
		options.memory_limit = 4 * BLOCK * (1 + seed % 3);
		files_run(processor, &options, DT_REG, names, &result);
		assert_int_equal(result.successful, ITEMS);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_SIMULATED(whatever_the_kernel_does_each_item_has_one_outcome),
		FILES_ON_SIMULATED(with_attempts_enough_everything_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

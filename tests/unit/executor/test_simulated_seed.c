/* SPDX-License-Identifier: MIT */
/*
 * The ring's code on kernels that lack this or that, and under all faults at once, from many seeds:
 * every id completes once, and a seed always gives the same run.
 */
#include <errno.h>
#include <fcntl.h>

#include "stage.h"

/* ------------------------------------------------------- older kernels -- */

/* Chains with each kind of op, whatever is lacking: as the engine would make them. */
static void runs_chains(uint32_t without, unsigned guards)
{
	unsigned count = 0;
	int32_t expected[8] = {0};

	stage_init();
	stage.config.guards = guards;
	stage.simulation.without = without;
	stage_start();
	assert_int_equal(stage.executor->direct_files, !(without & IOBATCH_WITHOUT_DIRECT_FILES));
	assert_int_equal(stage.executor->timers_link, !(without & IOBATCH_WITHOUT_ETIME_SUCCESS));
	for (unsigned round = 0; round < 100; round++) {
		count = 0;
		stage.ops[count++] = iobatch_op_nop();
		expected[count] = 64;
		stage.ops[count++] = iobatch_op_read(0, stage.buffers[1], 64, 0);
		expected[count] = -EINVAL;
		/* Malformed: without SUBMIT_ALL the submission ends behind it. */
		stage.ops[count++] = iobatch_op_unlinkat(AT_FDCWD, "a", 1);
		expected[count] = -ETIME;
		stage.ops[count++] = iobatch_op_timeout(NS_PER_MS);
		expected[count] = 0;
		stage.ops[count++] = iobatch_op_nop();
		stage_submit(0, 2, false, stage_now_ns() + 100 * NS_PER_MS);
		stage_submit(2, 1, false, stage_now_ns() + 100 * NS_PER_MS);
		if (stage.executor->timers_link) {
			stage_submit(3, 2, false, stage_now_ns() + 100 * NS_PER_MS);
		} else {
			stage_submit(3, 1, false, 0);
			stage_submit(4, 1, false, stage_now_ns() + 100 * NS_PER_MS);
		}
		for (unsigned i = 0; i < count; i++) {
			struct executor_completion completion;

			assert_int_equal(stage_wait(&completion, UINT64_MAX), 1);
			assert_int_equal(completion.result, expected[completion.id]);
		}
		assert_int_equal(((struct ring *)stage.executor)->expected, 0);
	}
	stage_free();
}

static void chains_run_on_kernels_that_lack_any_feature(void **state)
{
	(void)state;
	for (uint32_t without = 0; without < 16; without++)
		for (unsigned guards = 0; guards <= IOBATCH_GUARDS_LIST; guards++)
			runs_chains(without, guards);
}

/* --------------------------------------------------------- from the seed -- */

/* Takes what completes until a time, and cancels the rest. Returns a digest of what was seen. */
static uint64_t take_and_cancel(bool *flying, uint64_t until_ns)
{
	struct executor_completion completions[OPS_MAX];
	struct executor *executor = stage.executor;
	uint64_t digest = 0;
	int count;

	while ((count = stage_wait_many(completions, OPS_MAX, until_ns)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_true(flying[completions[i].id]);
			flying[completions[i].id] = false;
			digest = digest * 0x100000001b3u ^ completions[i].id << 32 ^
			         (uint32_t)completions[i].result ^ stage_now_ns() << 8;
		}
	}
	assert_int_equal(count, 0);
	assert_int_equal(stage_now_ns(), until_ns);
	for (unsigned i = 0; i < OPS_MAX; i++)
		if (flying[i])
			(void)executor->ops->cancel(executor, i);
	return digest;
}

/* A crowd of chains under all faults at once; returns a digest of all that was seen. */
static uint64_t crowd(uint64_t seed)
{
	bool flying[OPS_MAX] = {false};
	uint64_t digest = 0;

	stage_init();
	stage.config.guards = (unsigned)(seed % 3);
	stage.simulation.seed = seed;
	stage.simulation.latency_max_ns = 20 * NS_PER_MS;
	stage.simulation.error_permille = 100;
	stage.simulation.short_permille = 100;
	stage.simulation.late_permille = 50;
	stage.simulation.lost_permille = 10;
	stage.simulation.submit_permille = 300;
	stage.simulation.without = (uint32_t)(seed / 3 % 16);
	stage_start();
	for (unsigned round = 0; round < 50; round++) {
		uint64_t deadline_ns = stage_now_ns() + 5 * NS_PER_MS;

		for (unsigned i = 0; i + 4 <= OPS_MAX; i += 4) {
			if (flying[i] || flying[i + 1] || flying[i + 2] || flying[i + 3])
				continue;
			stage.ops[i] = iobatch_op_nop();
			stage.ops[i + 1] = iobatch_op_read(0, stage.buffers[i], 64, 0);
			stage.ops[i + 2] = iobatch_op_write(0, stage.buffers[i], 64, UINT64_MAX);
			stage.ops[i + 3] = iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL);
			/* Now and then the kernel takes nothing, and there is no room. */
			if (stage_try_submit(i, 4, false, deadline_ns) == 0)
				memset(&flying[i], true, 4);
		}
		digest = digest * 31 ^ take_and_cancel(flying, deadline_ns);
	}
	/* In the end only those are left that listen to nothing, and what is linked behind them. */
	for (unsigned round = 0; round < 20; round++)
		digest = digest * 31 ^ take_and_cancel(flying, stage_now_ns() + 5000 * NS_PER_MS);
	(void)take_and_cancel(flying, stage_now_ns());
	stage_free();
	return digest;
}

static void every_id_completes_once_under_all_faults_and_a_seed_gives_the_same_run(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		uint64_t digest = crowd(seed);

		assert_true(digest == crowd(seed) && digest != before);
		before = digest;
	}
}

static void any_errno_is_drawn(void **state)
{
	bool seen[134] = {false};
	unsigned kinds = 0;

	(void)state;
	stage_init();
	stage.simulation.error_permille = 1000;
	stage_start();
	stage.ops[0] = iobatch_op_nop();
	for (unsigned i = 0; i < 10000; i++) {
		struct executor_completion completion;

		stage_submit(0, 1, false, 0);
		assert_int_equal(stage_wait(&completion, UINT64_MAX), 1);
		assert_in_range(-completion.result, 1, 133);
		assert_non_null(strerrorname_np(-completion.result));
		kinds += !seen[-completion.result];
		seen[-completion.result] = true;
	}
	assert_in_range(kinds, 120, 133);
	stage_free();
}

static void a_million_nops_are_no_matter(void **state)
{
	struct executor_completion completions[OPS_MAX];

	(void)state;
	stage_init();
	stage_start();
	for (unsigned i = 0; i < OPS_MAX; i++)
		stage.ops[i] = iobatch_op_nop();
	for (unsigned round = 0; round < 1000000 / OPS_MAX; round++) {
		for (unsigned i = 0; i < OPS_MAX; i++)
			stage_submit(i, 1, false, 0);
		assert_int_equal(
			stage.executor->ops->wait(stage.executor, completions, OPS_MAX, UINT64_MAX),
			OPS_MAX);
	}
	stage_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_run_on_kernels_that_lack_any_feature),
		cmocka_unit_test(
			every_id_completes_once_under_all_faults_and_a_seed_gives_the_same_run),
		cmocka_unit_test(any_errno_is_drawn),
		cmocka_unit_test(a_million_nops_are_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

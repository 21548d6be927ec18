/* SPDX-License-Identifier: MIT */
/*
 * How the engine carries out chains: order, links, short reads and writes, interruptions, unordered
 * chains.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void ops_run_in_order_and_the_first_failure_ends_the_attempt(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
	scene_op(&scene, iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL));
	scene_op(&scene, iobatch_op_unlinkat(AT_FDCWD, "a", 0));
	scene_op(&scene, iobatch_op_nop());
	scene_answer(&scene, 0);
	scene_answer(&scene, -EACCES);
	scene_run(&scene);
	scene_assert_failed(&scene, -EACCES, IOBATCH_OP_STATX, 1);
	/* The failed statx does not break a link: nothing may have stood behind it. */
	assert_int_equal(scene.asked, 3);
	assert_int_equal(scene.opcodes[2], IOBATCH_OP_CLOSE);
	scene_deinit(&scene);
}

static void a_destructive_op_is_asked_for_only_after_the_result_before_it(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_fsync(IOBATCH_FD(5)));
	scene_op(&scene, iobatch_op_renameat(AT_FDCWD, "a", AT_FDCWD, "b", 0));
	scene_answer(&scene, -EIO);
	scene_run(&scene);
	scene_assert_failed(&scene, -EIO, IOBATCH_OP_FSYNC, 1);
	assert_int_equal(scene.asked, 1);
	scene_deinit(&scene);
}

static void a_short_read_is_continued_and_what_follows_still_runs(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 65536, 4096));
	scene_op(&scene, iobatch_op_nop());
	scene_answer(&scene, 1000);
	scene_answer(&scene, 1);
	scene_answer(&scene, 65536 - 1001);
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.results[0], 65536);
	assert_int_equal(scene.asked, 4);
	assert_int_equal(scene.opcodes[3], IOBATCH_OP_NOP);
	scene_deinit(&scene);
}

static void a_read_that_ends_early_is_short_and_what_follows_still_runs(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 65536, 0));
	scene_op(&scene, iobatch_op_nop());
	scene_answer(&scene, 1000);
	scene_answer(&scene, 0);
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.results[0], 1000);
	assert_int_equal(scene.asked, 3);
	scene_deinit(&scene);
}

static void an_exact_read_that_ends_early_fails_with_enodata(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 65536, 0));
	scene.ops[0].flags = IOBATCH_EXACT;
	scene_answer(&scene, 1000);
	scene_answer(&scene, 0);
	scene_run(&scene);
	scene_assert_failed(&scene, -ENODATA, IOBATCH_OP_READ, 1);
	scene_deinit(&scene);
}

static void a_short_write_is_continued_and_one_of_nothing_fails(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_write(IOBATCH_FD(5), scene.buffer, 100, 0));
	scene_answer(&scene, 99);
	scene_answer(&scene, 1);
	scene_run(&scene);
	assert_int_equal(scene.results[0], 100);
	scene_deinit(&scene);

	scene_init(&scene);
	scene_op(&scene, iobatch_op_write(IOBATCH_FD(5), scene.buffer, 100, 0));
	scene_answer(&scene, 99);
	scene_answer(&scene, 0);
	scene_run(&scene);
	scene_assert_failed(&scene, -EIO, IOBATCH_OP_WRITE, 1);
	scene_deinit(&scene);
}

/* Every length that a read may be cut to, twice in a row, in order and unordered. */
static void every_short_length_adds_up(void **state)
{
	(void)state;
	for (int first = 1; first <= 16; first++) {
		for (int second = 1; first + second <= 16; second++) {
			struct scene scene;

			scene_init(&scene);
			scene.unordered = second % 2;
			scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 16, 7));
			scene_answer(&scene, first);
			scene_answer(&scene, second);
			scene_run(&scene);
			assert_int_equal(scene.result.successful, 1);
			assert_int_equal(scene.results[0], 16);
			scene_deinit(&scene);
		}
	}
}

static void eintr_and_its_relatives_are_tried_again(void **state)
{
	static const int errors[] = {EINTR, 512, 513, 514, 516};
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL));
	scene_op(&scene, iobatch_op_nop());
	for (unsigned i = 0; i < 5; i++)
		scene_answer(&scene, -errors[i]);
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.asked, 7);
	assert_true(scene.result.processing_time_ms == 0.0);
	scene_deinit(&scene);
}

static void eagain_is_tried_again_after_growing_pauses(void **state)
{
	struct scene scene;

	(void)state;
	for (int unordered = 0; unordered < 2; unordered++) {
		scene_init(&scene);
		scene.unordered = unordered;
		scene_op(&scene, iobatch_op_nop());
		scene_answer(&scene, -EAGAIN);
		scene_answer(&scene, -EAGAIN);
		scene_answer(&scene, -EAGAIN);
		scene_run(&scene);
		assert_int_equal(scene.result.successful, 1);
		assert_true(scene.result.processing_time_ms == 1.0 + 2.0 + 4.0);
		scene_deinit(&scene);
	}
}

static void eagain_for_ever_is_believed_in_the_end(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_nop());
	for (unsigned i = 0; i < 64; i++)
		scene_answer(&scene, -EAGAIN);
	scene_run(&scene);
	scene_assert_failed(&scene, -EAGAIN, IOBATCH_OP_NOP, 1);
	assert_in_range(scene.asked, 10, 20);
	scene_deinit(&scene);
}

static void a_timeout_op_takes_its_time_and_succeeds(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_timeout(30 * 1000000));
	scene_op(&scene, iobatch_op_nop());
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_true(scene.result.processing_time_ms == 30.0);
	scene_deinit(&scene);
}

static void unordered_ops_run_at_once(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.unordered = true;
	scene.simulation.latency_min_ns = scene.simulation.latency_max_ns = 7 * 1000000;
	for (unsigned i = 0; i < OPS_MAX; i++)
		scene_op(&scene, iobatch_op_nop());
	scene_run(&scene);
	assert_true(scene.result.processing_time_ms == 7.0);
	scene_deinit(&scene);
}

static int count_and_run_again(void *context, struct iobatch_item *item,
                               struct iobatch_chain *chain, struct iobatch_op *op)
{
	struct scene *scene = context;

	(void)item;
	if (++scene->completions < 20)
		iobatch_op_again(chain, op);
	return 0;
}

static void a_completed_op_of_an_unordered_chain_may_run_again(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.unordered = true;
	scene.processor.complete = count_and_run_again;
	scene_op(&scene, iobatch_op_nop());
	scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 100, 0));
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.completions, 21);
	scene_deinit(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ops_run_in_order_and_the_first_failure_ends_the_attempt),
		cmocka_unit_test(a_destructive_op_is_asked_for_only_after_the_result_before_it),
		cmocka_unit_test(a_short_read_is_continued_and_what_follows_still_runs),
		cmocka_unit_test(a_read_that_ends_early_is_short_and_what_follows_still_runs),
		cmocka_unit_test(an_exact_read_that_ends_early_fails_with_enodata),
		cmocka_unit_test(a_short_write_is_continued_and_one_of_nothing_fails),
		cmocka_unit_test(every_short_length_adds_up),
		cmocka_unit_test(eintr_and_its_relatives_are_tried_again),
		cmocka_unit_test(eagain_is_tried_again_after_growing_pauses),
		cmocka_unit_test(eagain_for_ever_is_believed_in_the_end),
		cmocka_unit_test(a_timeout_op_takes_its_time_and_succeeds),
		cmocka_unit_test(unordered_ops_run_at_once),
		cmocka_unit_test(a_completed_op_of_an_unordered_chain_may_run_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

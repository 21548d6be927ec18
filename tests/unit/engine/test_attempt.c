/* SPDX-License-Identifier: MIT */
/*
 * How attempts go: deadlines, failures of the processor's own, clean-up, closing, chains that
 * cannot be carried out, and waiting for buffers.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void an_attempt_ends_at_its_deadline_and_is_tried_again(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.options.timeout_ms = 50;
	scene.options.retries = 2;
	scene_op(&scene, iobatch_op_nop());
	scene_op(&scene, iobatch_op_read(IOBATCH_FD(5), scene.buffer, 10, 0));
	for (unsigned i = 0; i < 3; i++) {
		scene.answers[2 * i].latency_ns = 20 * 1000000;
		scene.answers[2 * i + 1].latency_ns = UINT64_MAX;
	}
	scene.answers_count = 6;
	scene_run(&scene);
	scene_assert_failed(&scene, -ETIME, IOBATCH_OP_READ, 3);
	assert_string_equal(scene.result.failed_items[0].error_name, "ETIME");
	assert_true(scene.result.processing_time_ms == 150.0);
	scene_deinit(&scene);
}

static void the_deadline_counts_all_ops_of_an_attempt_together(void **state)
{
	struct scene scene;

	(void)state;
	/* Three statx of 20 ms each are never linked: the third would start before 50 ms and end
	 * after. */
	scene_init(&scene);
	scene.options.timeout_ms = 50;
	scene.simulation.latency_min_ns = scene.simulation.latency_max_ns = 20 * 1000000;
	for (unsigned i = 0; i < 3; i++)
		scene_op(&scene, iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL));
	scene_run(&scene);
	scene_assert_failed(&scene, -ETIME, IOBATCH_OP_STATX, 1);
	assert_true(scene.result.processing_time_ms == 50.0);
	scene_deinit(&scene);
}

static void success_at_the_deadline_is_success(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.options.timeout_ms = 50;
	scene_op(&scene, iobatch_op_nop());
	scene.answers[0].latency_ns = 50 * 1000000;
	scene.answers_count = 1;
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	scene_deinit(&scene);
}

static const struct iobatch_error mismatch = {"EMISMATCH", "the checksum is another one"};

static int fail_in_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                            struct iobatch_op *op)
{
	struct scene *scene = context;

	(void)chain;
	(void)op;
	scene->completions++;
	return iobatch_item_fail(item, &mismatch);
}

static void a_failure_in_complete_waits_for_the_other_ops_and_ends_the_attempt(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.unordered = true;
	scene.options.retries = 1;
	scene.processor.complete = fail_in_complete;
	for (unsigned i = 0; i < 3; i++) {
		scene_op(&scene, iobatch_op_nop());
		scene.answers[i].latency_ns = i * 1000000;
	}
	scene.answers_count = 3;
	scene_run(&scene);
	assert_int_equal(scene.completions, 2);
	assert_int_equal(scene.asked, 6);
	assert_int_equal(scene.result.failed_items[0].attempts, 2);
	assert_int_equal(scene.result.failed_items[0].error, IOBATCH_OWN_ERROR);
	assert_string_equal(scene.result.failed_items[0].error_name, "EMISMATCH");
	assert_string_equal(scene.result.failed_items[0].message, mismatch.message);
	scene_deinit(&scene);
}

static int fail_in_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	(void)context;
	(void)done;
	(void)chain;
	return item->attempt < 3 ? iobatch_item_fail(item, &mismatch) : IOBATCH_DONE;
}

static void a_failure_of_the_processors_own_is_retried_like_any_other(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.options.retries = 2;
	scene.processor.next = fail_in_next;
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.result.retries, 2);
	scene_deinit(&scene);
}

static int clean_up(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct scene *scene = context;

	(void)item;
	scene->cleanups++;
	iobatch_chain_add(chain, iobatch_op_close(1));
	iobatch_chain_add(chain, iobatch_op_unlinkat(AT_FDCWD, "temporary", 0));
	return IOBATCH_MORE;
}

static void every_failed_attempt_is_cleaned_up_after_its_files_are_closed(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.options.retries = 1;
	scene.processor.cleanup = clean_up;
	scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
	scene_op(&scene, iobatch_op_nop());
	/* The first attempt fails, and so does the first op of its clean-up. */
	scene_answer(&scene, 0);
	scene_answer(&scene, -EIO);
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.cleanups, 1);
	assert_int_equal(scene.opcodes[2], IOBATCH_OP_CLOSE);
	/* The close of what is not open: nobody is asked. */
	assert_int_equal(scene.opcodes[3], IOBATCH_OP_UNLINKAT);
	assert_int_equal(scene.opcodes[4], IOBATCH_OP_OPENAT);
	scene_deinit(&scene);
}

static void a_close_that_fails_fails_the_item(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_WRONLY, 0));
	scene_answer(&scene, 0);
	scene_answer(&scene, -EIO);
	scene_run(&scene);
	scene_assert_failed(&scene, -EIO, IOBATCH_OP_CLOSE, 1);
	scene_deinit(&scene);
}

static void an_interrupted_close_has_closed(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_WRONLY, 0));
	scene_op(&scene, iobatch_op_close(0));
	scene_answer(&scene, 0);
	scene_answer(&scene, -EINTR);
	scene_run(&scene);
	assert_int_equal(scene.result.successful, 1);
	assert_int_equal(scene.asked, 2);
	scene_deinit(&scene);
}

static void an_op_that_may_fail_leaves_its_error_and_the_chain_goes_on(void **state)
{
	struct scene scene;

	(void)state;
	for (int unordered = 0; unordered < 2; unordered++) {
		scene_init(&scene);
		scene.unordered = unordered;
		scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
		scene.ops[0].flags = IOBATCH_MAY_FAIL;
		scene_op(&scene, iobatch_op_nop());
		scene_answer(&scene, -ENOENT);
		scene_run(&scene);
		assert_int_equal(scene.result.successful, 1);
		assert_int_equal(scene.results[0], -ENOENT);
		assert_int_equal(scene.results[1], 0);
		assert_int_equal(scene.asked, 2);
		scene_deinit(&scene);
	}
}

static void an_op_that_may_fail_does_not_outlive_the_deadline(void **state)
{
	struct scene scene;

	(void)state;
	scene_init(&scene);
	scene.options.timeout_ms = 10;
	scene_op(&scene, iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL));
	scene.ops[0].flags = IOBATCH_MAY_FAIL;
	scene.answers[0].latency_ns = UINT64_MAX;
	scene.answers_count = 1;
	scene_run(&scene);
	scene_assert_failed(&scene, -ETIME, IOBATCH_OP_STATX, 1);
	scene_deinit(&scene);
}

static void an_unsound_chain_fails_the_item(void **state)
{
	struct scene scene;
	struct iobatch_op bad[] = {
		{.opcode = IOBATCH_OP_COUNT},
		iobatch_op_close(2),
		iobatch_op_close(IOBATCH_FD(0)),
		iobatch_op_read(7, NULL, 0, 0),
	};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		scene_init(&scene);
		if (i < 4)
			scene_op(&scene, bad[i]);
		/* A file that is opened twice, and no op at all. */
		for (unsigned open = 0; i == 4 && open < 2; open++)
			scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
		scene_run(&scene);
		assert_string_equal(scene.result.failed_items[0].error_name, "EBADCHAIN");
		assert_int_equal(scene.asked, 0);
		scene_deinit(&scene);
	}
}

/* Makes a bad op of one that has succeeded. */
static int spoil_in_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                             struct iobatch_op *op)
{
	struct scene *scene = context;
	struct iobatch_op bad[] = {
		{.opcode = IOBATCH_OP_COUNT},
		iobatch_op_close(2),
		iobatch_op_read(7, NULL, 0, 0),
		iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0),
	};

	(void)item;
	*op = bad[scene->completions++];
	iobatch_op_again(chain, op);
	return 0;
}

static void an_op_that_is_rewritten_to_an_unsound_one_fails_the_item(void **state)
{
	struct scene scene;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		scene_init(&scene);
		scene.unordered = true;
		scene.processor.complete = spoil_in_complete;
		scene.completions = i;
		scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
		scene_run(&scene);
		assert_int_equal(scene.result.failed_items_count, 1);
		assert_string_equal(scene.result.failed_items[0].error_name, "EBADCHAIN");
		/* The open, and the close of what it has opened. */
		assert_int_equal(scene.asked, 2);
		scene_deinit(&scene);
	}
}

/* From one seed: the same run again, with errors and short reads on the way. */
static void the_same_seed_gives_the_same_run(void **state)
{
	double times[2];
	uint64_t ops[2], failed[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		static char objects[1000];
		struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
		struct scene scene;

		scene_init(&scene);
		scene.simulation.script = NULL;
		scene.simulation.seed = 42;
		scene.simulation.latency_max_ns = 1000000;
		scene.simulation.error_permille = 30;
		scene.simulation.short_permille = 300;
		scene.options.retries = 1;
		scene_op(&scene, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
		scene_op(&scene, iobatch_op_write(0, scene.buffer, sizeof(scene.buffer), 0));
		scene_op(&scene, iobatch_op_close(0));
		assert_int_equal(
			iobatch_run(&items, &scene.processor, &scene.options, &scene.result), 0);
		assert_int_equal(scene.result.total_processed, 1000);
		times[i] = scene.result.processing_time_ms;
		ops[i] = scene.result.ops;
		failed[i] = scene.result.failed;
		scene_deinit(&scene);
	}
	assert_true(times[0] == times[1]);
	assert_int_equal(ops[0], ops[1]);
	assert_int_equal(failed[0], failed[1]);
	assert_in_range(failed[0], 1, 100);
}

struct crowd {
	unsigned holding;
	unsigned holding_peak;
};

static int hold_a_buffer(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                         struct iobatch_chain *chain)
{
	struct crowd *crowd = context;

	assert_true(item->buffer_count >= 2);
	if (done->count > 0) {
		crowd->holding -= item->buffer_count;
		return item->attempt < 2 ? -EIO : IOBATCH_DONE;
	}
	crowd->holding += iobatch_item_reserve(item, 3);
	if (crowd->holding > crowd->holding_peak)
		crowd->holding_peak = crowd->holding;
	for (unsigned i = 0; i < item->buffer_count; i++)
		memset(item->buffers[i], (int)item->index, 4096);
	iobatch_chain_add(chain, iobatch_op_timeout(1000000));
	return IOBATCH_MORE;
}

static void memory_limit_caps_the_buffers_in_flight_and_everybody_gets_a_turn(void **state)
{
	static char objects[300];
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct crowd crowd = {0};

	processor.context = &crowd;
	processor.next = hold_a_buffer;
	processor.buffer_size = 4096;
	processor.buffers_min = 2;
	processor.buffers_max = 4;
	options.executor = trial_executor(state);
	options.memory_limit = 7 * 4096;
	options.retries = 1;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 300);
	assert_in_range(crowd.holding_peak, 4, 7);
	assert_int_equal(crowd.holding, 0);
	iobatch_result_deinit(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attempt_ends_at_its_deadline_and_is_tried_again),
		cmocka_unit_test(the_deadline_counts_all_ops_of_an_attempt_together),
		cmocka_unit_test(success_at_the_deadline_is_success),
		cmocka_unit_test(
			a_failure_in_complete_waits_for_the_other_ops_and_ends_the_attempt),
		cmocka_unit_test(a_failure_of_the_processors_own_is_retried_like_any_other),
		cmocka_unit_test(every_failed_attempt_is_cleaned_up_after_its_files_are_closed),
		cmocka_unit_test(a_close_that_fails_fails_the_item),
		cmocka_unit_test(an_interrupted_close_has_closed),
		cmocka_unit_test(an_op_that_may_fail_leaves_its_error_and_the_chain_goes_on),
		cmocka_unit_test(an_op_that_may_fail_does_not_outlive_the_deadline),
		cmocka_unit_test(an_unsound_chain_fails_the_item),
		cmocka_unit_test(an_op_that_is_rewritten_to_an_unsound_one_fails_the_item),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		TRIAL_ON_EACH(memory_limit_caps_the_buffers_in_flight_and_everybody_gets_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

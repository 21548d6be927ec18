/* SPDX-License-Identifier: MIT */
/* Limits that change while the run goes on: batches at once, delays, items in a second. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

/* So much of what was missed may be made up for, and clocks are read one after the other. */
#define CREDIT_MS 11

static void what_is_out_of_range_is_refused(void **state)
{
	struct iobatch_control *control;

	(void)state;
	assert_int_equal(iobatch_control_new(&control), 0);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_MAX_CONCURRENT, 0), -EINVAL);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_MAX_CONCURRENT, 65537),
	                 -EINVAL);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_DELAY_MS, UINT64_MAX), -EINVAL);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_ITEMS_PER_S, 1000000001),
	                 -EINVAL);
	assert_int_equal(iobatch_control_set(control, (enum iobatch_limit)3, 1), -EINVAL);
	assert_int_equal(iobatch_control_set(control, (enum iobatch_limit) - 1, 1), -EINVAL);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_MAX_CONCURRENT, 65536), 0);
	assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_ITEMS_PER_S, 0), 0);
	iobatch_control_free(control);
}

/* The most and the fewest batches that were in flight when an item started. */
struct width {
	struct iobatch_control *control;
	unsigned settled;
	unsigned in_flight;
	unsigned limit, most[3];
	int refused;
};

static const unsigned widths[] = {4, 1, 7};

static int count_width(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                       struct iobatch_chain *chain)
{
	struct width *width = context;
	unsigned part = (unsigned)item->index / 200, in_flight;

	if (done->count > 0) {
		width->in_flight--;
		return IOBATCH_DONE;
	}
	in_flight = ++width->in_flight;
	/* What is in flight when the limit falls ends first. */
	if (item->index % 200 >= 20 && in_flight > width->most[part])
		width->most[part] = in_flight;
	if (item->index % 200 == 0 && part > 0)
		assert_int_equal(iobatch_control_set(width->control, IOBATCH_LIMIT_MAX_CONCURRENT,
		                                     widths[part]),
		                 0);
	if (item->index == 0) {
		width->refused =
			iobatch_control_set(width->control, IOBATCH_LIMIT_MAX_CONCURRENT, 8);
	}
	iobatch_chain_add(chain, iobatch_op_timeout(1000000));
	return IOBATCH_MORE;
}

static void max_concurrent_falls_and_rises(void **state)
{
	struct width width = {.limit = 4};
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	char objects[600];
	struct iobatch_items items = iobatch_items_array(objects, 600, 1);

	processor.context = &width;
	processor.next = count_width;
	options.executor = trial_executor(state);
	options.batch_size = 1;
	options.max_concurrent = 4;
	options.max_concurrent_max = 7;
	assert_int_equal(iobatch_control_new(&width.control), 0);
	options.control = width.control;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 600);
	assert_int_equal(result.peak_batches, 7);
	assert_int_equal(width.refused, -EINVAL);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(width.most[i], widths[i]);
	iobatch_result_deinit(&result);
	iobatch_control_free(width.control);
}

static int nop_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                    struct iobatch_chain *chain)
{
	(void)context, (void)item;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_timeout(1000000));
	return IOBATCH_MORE;
}

/* Rings that have no share wait, and end when the others have taken all. */
static void several_rings_share_the_limit(void **state)
{
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;

	processor.next = nop_next;
	for (unsigned limit = 1; limit <= 7; limit++) {
		struct iobatch_options options = IOBATCH_OPTIONS_INIT;
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_control *control;
		char objects[60];
		struct iobatch_items items = iobatch_items_array(objects, 60, 1);

		assert_int_equal(iobatch_control_new(&control), 0);
		assert_int_equal(iobatch_control_set(control, IOBATCH_LIMIT_MAX_CONCURRENT, limit),
		                 0);
		options.executor = trial_executor(state);
		options.control = control;
		options.batch_size = 1;
		options.max_concurrent = 7;
		options.rings = 3;
		assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
		assert_int_equal(result.rings, 3);
		assert_int_equal(result.successful, 60);
		assert_true(result.peak_batches <= limit);
		iobatch_result_deinit(&result);
		iobatch_control_free(control);
	}
}

static void a_delay_can_be_taken_away_and_given(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.delay_ms = 100;
	play.options.batch_size = 10;
	play.count = 40;
	memcpy(play.deeds, (struct deed[]){{150, ACT_DELAY_MS, 0}, {160, ACT_END, 0}},
	       2 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.start_ns[0], 0);
	assert_int_equal(play.start_ns[1], 100 * NS_PER_MS);
	/* The rest of the operator's batch starts together behind it, that of the other one behind
	   the pause that has begun. */
	assert_int_equal(play.start_ns[2], 160 * NS_PER_MS);
	assert_int_equal(play.start_ns[7], 160 * NS_PER_MS);
	assert_true(play.result.processing_time_ms < 201);
	play_deinit(&play);

	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.batch_size = 3;
	play.options.max_concurrent = 2;
	play.count = 9;
	play.busy_ms = 50;
	memcpy(play.deeds, (struct deed[]){{10, ACT_DELAY_MS, 100}, {2000, ACT_END, 0}},
	       2 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	/* 1 and 2 beside the operator, 3 to 5 in the other window; 6 to 8 with the new delay. */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(play.start_ns[i], 0);
	assert_int_equal(play.start_ns[5], 150 * NS_PER_MS);
	assert_int_equal(play.start_ns[6], 300 * NS_PER_MS);
	assert_int_equal(play.start_ns[7], 450 * NS_PER_MS);
	play_deinit(&play);
}

/* Simulated time is exact. */
static void so_many_items_start_in_a_second(void **state)
{
	static const uint64_t rates[] = {1, 3, 10, 99, 1000, 12345, 1000000, 1000000000};

	(void)state;
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (unsigned rings = 1; rings <= 3; rings += 2) {
			struct play play;
			double expected_ms = 1000.0 * (ITEMS - 1) / (double)rates[i];

			play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
			play.processor.next = nop_next;
			play.processor.settled = NULL;
			play.options.items_per_s = rates[i];
			play.options.rings = rings;
			play.options.batch_size = 4;
			play.options.max_concurrent = 40;
			play.settled = play.count = ITEMS;
			play_assert_complete(&play, play_run(&play));
			assert_true(play.result.processing_time_ms >= expected_ms * 0.9999);
			/* The last takes a millisecond, and of those of one ring some wait for
			   others. */
			assert_true(play.result.processing_time_ms <=
			            expected_ms * 1.0001 + (rings == 1 ? 1.01 : 10));
			play_deinit(&play);
		}
	}
}

static void a_rate_holds_on_a_real_clock(void **state)
{
	static const uint64_t rates[] = {50, 1000, 20000, 100000};

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t count = rates[i] / 4;
		double least_ms = 1000.0 * (double)(count - 1) / (double)rates[i] - CREDIT_MS;

		/* A busy machine may be as slow as it likes, but never too quick: how quick the run
		 * has to be is known on the simulator. */
		for (unsigned rings = 1; rings <= 2; rings++) {
			struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
			struct iobatch_options options = IOBATCH_OPTIONS_INIT;
			struct iobatch_result result = IOBATCH_RESULT_INIT;
			char objects[25000];
			struct iobatch_items items = iobatch_items_array(objects, count, 1);

			processor.next = nop_next;
			options.executor = trial_executor(state);
			options.items_per_s = rates[i];
			options.max_concurrent = 16;
			options.rings = rings;
			assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
			assert_int_equal(result.successful, count);
			assert_true(result.processing_time_ms >= least_ms);
			iobatch_result_deinit(&result);
		}
	}
}

static void a_rate_has_no_burst_behind_a_pause(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.items_per_s = 10;
	play.options.batch_size = 8;
	play.options.max_concurrent = 2;
	play.count = 10;
	memcpy(play.deeds,
	       (struct deed[]){{150, ACT_PAUSE, 0},
	                       {5000, ACT_RESUME, 0},
	                       {5050, ACT_ITEMS_PER_S, 100},
	                       {5065, ACT_ITEMS_PER_S, 0},
	                       {6000, ACT_END, 0}},
	       5 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	/* The operator starts at 0. */
	assert_int_equal(play.start_ns[0], 100 * NS_PER_MS);
	assert_int_equal(play.start_ns[1], 5000 * NS_PER_MS);
	/* A rate that is raised holds at once, one that is lifted as well. */
	assert_int_equal(play.start_ns[2], 5050 * NS_PER_MS);
	assert_int_equal(play.start_ns[3], 5060 * NS_PER_MS);
	assert_int_equal(play.start_ns[4], 5065 * NS_PER_MS);
	assert_int_equal(play.start_ns[7], 5065 * NS_PER_MS);
	play_deinit(&play);

	/* Nor of the moments that would otherwise be made up for. */
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.items_per_s = 1000;
	play.options.batch_size = 8;
	play.options.max_concurrent = 2;
	play.count = 10;
	memcpy(play.deeds,
	       (struct deed[]){{3, ACT_PAUSE, 0}, {5000, ACT_RESUME, 0}, {6000, ACT_END, 0}},
	       3 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	for (unsigned i = 3; i < 8; i++)
		assert_int_equal(play.start_ns[i] - play.start_ns[2], (i - 2) * NS_PER_MS);
	assert_int_equal(play.start_ns[2], 5000 * NS_PER_MS);
	play_deinit(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_out_of_range_is_refused),
		TRIAL_ON_EACH(max_concurrent_falls_and_rises),
		TRIAL_ON_EACH(several_rings_share_the_limit),
		cmocka_unit_test(a_delay_can_be_taken_away_and_given),
		cmocka_unit_test(so_many_items_start_in_a_second),
		TRIAL_ON_REAL(a_rate_holds_on_a_real_clock),
		cmocka_unit_test(a_rate_has_no_burst_behind_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

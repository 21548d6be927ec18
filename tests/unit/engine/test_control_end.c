/* SPDX-License-Identifier: MIT */
/* Draining and cancelling: which items still come to their outcome, and which. */
#include <errno.h>
#include <string.h>

#include "play.h"

static void a_drained_run_ends_with_what_has_started(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.options.max_concurrent = 3;
	play.options.retries = 3;
	play.options.backoff_ms = 3600000;
	play.fails = true;
	memcpy(play.deeds, (struct deed[]){{30, ACT_DRAIN, 0}, {60, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_string_not_equal(play.result.message, "");
	/* The operator goes on to its end, and what was to be tried again is not. */
	assert_int_equal(play.result.total_processed, 3);
	assert_int_equal(play.result.successful, 1);
	assert_int_equal(play.outcomes[0].error, 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(play.outcomes[i].error, -ENOENT);
		assert_int_equal(play.outcomes[i].opcode, IOBATCH_OP_OPENAT);
		assert_int_equal(play.outcomes[i].attempts, 1);
	}
	play_deinit(&play);
}

static void a_drained_run_does_not_begin_what_it_has_taken(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.options.batch_size = 5;
	play.options.delay_ms = 3600000;
	play.count = 20;
	memcpy(play.deeds, (struct deed[]){{30, ACT_DRAIN, 0}, {40, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_int_equal(play.result.total_processed, 10);
	assert_int_equal(play.result.successful, 2);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(play.outcomes[i].error, i % 5 ? -ECANCELED : 0);
		assert_int_equal(play.outcomes[i].attempts, i % 5 ? 0 : 1);
	}
	play_deinit(&play);
}

/* What a drain has ended is no reason to end the run in another way. */
static void a_drained_run_is_not_halted_for_what_it_does_not_try_again(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.options.max_concurrent = 3;
	play.options.retries = 3;
	play.options.backoff_ms = 3600000;
	play.options.halt_after_failures = 1;
	play.fails = true;
	memcpy(play.deeds, (struct deed[]){{30, ACT_DRAIN, 0}, {60, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_int_equal(play.outcomes[0].error, 0);
	assert_int_equal(play.outcomes[1].error, -ENOENT);
	play_deinit(&play);
}

static void what_was_not_begun_is_no_part_of_what_has_settled(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.options.batch_size = 5;
	play.options.delay_ms = 3600000;
	play.options.halt_after_percent = 10;
	play.options.halt_min_items = 5;
	play.fails = true;
	memcpy(play.deeds, (struct deed[]){{30, ACT_DRAIN, 0}, {60, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_int_equal(play.outcomes[0].error, 0);
	assert_int_equal(play.outcomes[5].error, -ENOENT);
	assert_int_equal(play.result.failed, 9);
	play_deinit(&play);
}

static void a_drained_run_does_not_wait_for_descriptors(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.fails = true;
	play.error = -EMFILE;
	play.busy_ms = 50;
	memcpy(play.deeds, (struct deed[]){{30, ACT_DRAIN, 0}, {60, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_int_equal(play.result.total_processed, 2);
	assert_int_equal(play.outcomes[1].error, -EMFILE);
	assert_int_equal(play.outcomes[1].attempts, 1);
	assert_int_equal(play.settled_ns[1], 50 * NS_PER_MS);
	play_deinit(&play);
}

static void a_paused_run_that_ends_soon_says_that_it_is_paused(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.halt_after_failures = 1;
	play.options.halt = IOBATCH_HALT_SOON;
	play.fails = true;
	play.busy_ms = 15;
	memcpy(play.deeds,
	       (struct deed[]){{5, ACT_SEE_STATE, IOBATCH_STATE_RUNNING},
	                       {10, ACT_PAUSE, 0},
	                       {20, ACT_SEE_STATE, IOBATCH_STATE_PAUSED},
	                       {30, ACT_RESUME, 0},
	                       {40, ACT_SEE_STATE, IOBATCH_STATE_ENDING},
	                       {50, ACT_END, 0}},
	       6 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_HALTED);
	assert_int_equal(play.result.total_processed, 2);
	assert_int_equal(play.outcomes[0].error, 0);
	play_deinit(&play);
}

/* What waits for another attempt, which is not made, is not waited for, paused or not. */
static void a_run_that_was_paused_ends_soon_without_its_backoffs(void **state)
{
	static const int listed[] = {ENOENT, 0};
	struct play play;

	(void)state;
	for (unsigned pauses = 0; pauses < 2; pauses++) {
		play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
		play.options.retries = 3;
		play.options.backoff_ms = 3600000;
		play.options.retry_on = IOBATCH_RETRY_LISTED;
		play.options.retry_errnos = listed;
		play.options.halt_after_failures = 1;
		play.options.halt = IOBATCH_HALT_SOON;
		play.fails = true;
		memcpy(play.deeds,
		       (struct deed[]){{10, pauses ? ACT_PAUSE : ACT_RESUME, 0},
		                       {20, ACT_RESUME, 0},
		                       {30, ACT_FAIL, 0}},
		       3 * sizeof(struct deed));
		assert_int_equal(play_run(&play), -ECANCELED);
		assert_int_equal(play.result.end, IOBATCH_END_HALTED);
		assert_int_equal(play.result.total_processed, 2);
		assert_int_equal(play.outcomes[0].error, -EDOM);
		assert_int_equal(play.outcomes[1].error, -ENOENT);
		assert_int_equal(play.outcomes[1].attempts, 1);
		assert_int_equal(play.settled_ns[1], 30 * NS_PER_MS);
		play_deinit(&play);
	}
}

static void a_cancelled_run_ends_what_is_in_flight(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.hangs = true;
	memcpy(play.deeds, (struct deed[]){{30, ACT_CANCEL, 0}, {3600000, ACT_END, 0}},
	       2 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_CANCELLED);
	assert_int_equal(play.result.total_processed, 2);
	assert_int_equal(play.result.failed, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(play.outcomes[i].error, -ECANCELED);
		assert_int_equal(play.outcomes[i].attempts, 1);
		assert_false(play.outcomes[i].stuck);
	}
	play_deinit(&play);
}

static void a_run_that_drains_can_be_cancelled(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.hangs = true;
	memcpy(play.deeds,
	       (struct deed[]){{30, ACT_DRAIN, 0}, {40, ACT_CANCEL, 0}, {3600000, ACT_END, 0}},
	       3 * sizeof(struct deed));
	assert_int_equal(play_run(&play), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_CANCELLED);
	assert_int_equal(play.result.total_processed, 2);
	assert_int_equal(play.result.failed, 2);
	play_deinit(&play);
}

static void what_was_ended_before_it_began_takes_nothing(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct play play;

		play_init(&play, trial_executor(state));
		(i ? iobatch_control_cancel : iobatch_control_drain)(play.control);
		assert_int_equal(play_run(&play), -ECANCELED);
		assert_int_equal(play.result.end, i ? IOBATCH_END_CANCELLED : IOBATCH_END_DRAINED);
		assert_int_equal(play.result.total_processed, 0);
		play_deinit(&play);
	}
}

static void end_at_last(void *context, const struct iobatch_outcome *outcome)
{
	struct play *play = context;

	if (outcome->index + 1 == play->count)
		(play->fails ? iobatch_control_cancel : iobatch_control_drain)(play->control);
}

static void a_run_of_which_nothing_is_left_is_complete_all_the_same(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct play play;

		play_init(&play, trial_executor(state));
		play.options.max_concurrent = 1;
		play.options.context = &play;
		play.options.on_settled = end_at_last;
		play.fails = i;
		play_assert_complete(&play, play_run(&play));
		play_deinit(&play);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(a_drained_run_ends_with_what_has_started),
		TRIAL_ON_EACH(a_drained_run_does_not_begin_what_it_has_taken),
		TRIAL_ON_EACH(a_drained_run_is_not_halted_for_what_it_does_not_try_again),
		TRIAL_ON_EACH(what_was_not_begun_is_no_part_of_what_has_settled),
		cmocka_unit_test(a_drained_run_does_not_wait_for_descriptors),
		cmocka_unit_test(a_paused_run_that_ends_soon_says_that_it_is_paused),
		cmocka_unit_test(a_run_that_was_paused_ends_soon_without_its_backoffs),
		TRIAL_ON_EACH(a_cancelled_run_ends_what_is_in_flight),
		TRIAL_ON_EACH(a_run_that_drains_can_be_cancelled),
		TRIAL_ON_EACH(what_was_ended_before_it_began_takes_nothing),
		TRIAL_ON_EACH(a_run_of_which_nothing_is_left_is_complete_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

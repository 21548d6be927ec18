/* SPDX-License-Identifier: MIT */
/* Pausing and resuming: what they mean for items, attempts, delays, backoffs and deadlines. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "play.h"

#define PATIENCE_S 60

/* ----------------------------------------------------------------- pausing -- */

static void nothing_starts_while_the_run_is_paused(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.count = ITEMS;
	memcpy(play.deeds,
	       (struct deed[]){{0, ACT_PAUSE, 0},
	                       {30, ACT_RESUME, 0},
	                       {30, ACT_PAUSE, 0},
	                       {30, ACT_PAUSE, 0},
	                       {50, ACT_RESUME, 0},
	                       {50, ACT_RESUME, 0},
	                       {60, ACT_END, 0}},
	       7 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.starts, ITEMS - 1);
	assert_true(play.start_ns[1] >= 50 * NS_PER_MS);
	play_deinit(&play);
}

static void delays_stand_still_in_a_pause(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.delay_ms = 100;
	play.count = 5;
	memcpy(play.deeds,
	       (struct deed[]){{30, ACT_PAUSE, 0}, {530, ACT_RESUME, 0}, {900, ACT_END, 0}},
	       3 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.start_ns[0], 0);
	assert_int_equal(play.start_ns[1], 600 * NS_PER_MS);
	assert_int_equal(play.start_ns[2], 700 * NS_PER_MS);
	assert_int_equal(play.start_ns[3], 800 * NS_PER_MS);
	play_deinit(&play);
}

static void a_delay_stands_still_in_each_of_several_pauses(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.delay_ms = 100;
	play.count = 4;
	memcpy(play.deeds,
	       (struct deed[]){{30, ACT_PAUSE, 0},
	                       {40, ACT_RESUME, 0},
	                       {50, ACT_PAUSE, 0},
	                       {300, ACT_RESUME, 0},
	                       {310, ACT_PAUSE, 0},
	                       {1000, ACT_RESUME, 0},
	                       {2000, ACT_END, 0}},
	       7 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.start_ns[1], (100 + 10 + 250 + 690) * NS_PER_MS);
	assert_int_equal(play.start_ns[2], (200 + 10 + 250 + 690) * NS_PER_MS);
	play_deinit(&play);
}

static void backoffs_stand_still_in_a_pause(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.backoff_ms = 100;
	play.options.retries = 2;
	play.fails = true;
	play.count = 2;
	memcpy(play.deeds,
	       (struct deed[]){{30, ACT_PAUSE, 0}, {530, ACT_RESUME, 0}, {531, ACT_END, 0}},
	       3 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.outcomes[1].attempts, 3);
	assert_int_equal(play.start_ns[1], 600 * NS_PER_MS);
	assert_int_equal(play.start_ns[2], 700 * NS_PER_MS);
	play_deinit(&play);
}

static void a_backoff_that_begins_in_a_pause_is_whole_behind_it(void **state)
{
	struct play play;

	(void)state;
	play_init(&play, IOBATCH_EXECUTOR_SIMULATED);
	play.options.backoff_ms = 100;
	play.options.retries = 1;
	play.fails = true;
	play.busy_ms = 60;
	play.count = 2;
	memcpy(play.deeds,
	       (struct deed[]){{30, ACT_PAUSE, 0}, {530, ACT_RESUME, 0}, {531, ACT_END, 0}},
	       3 * sizeof(struct deed));
	play_assert_complete(&play, play_run(&play));
	assert_int_equal(play.outcomes[1].attempts, 2);
	assert_int_equal(play.start_ns[1], 630 * NS_PER_MS);
	play_deinit(&play);
}

static void deadlines_of_what_is_in_flight_go_on_in_a_pause(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.options.timeout_ms = 60;
	play.hangs = true;
	play.count = 2;
	memcpy(play.deeds,
	       (struct deed[]){{20, ACT_PAUSE, 0}, {40, ACT_PAUSE, 0}, {50, ACT_END, 0}},
	       3 * sizeof(struct deed));
	assert_int_equal(play_run(&play), 0);
	assert_int_equal(play.outcomes[1].error, -ETIME);
	assert_true(play.settled_ns[1] >= 59 * NS_PER_MS);
	play_deinit(&play);
}

/* ------------------------------------------------------- from another thread -- */

struct helper {
	struct play *play;
	unsigned processed; /* that are waited for */
	void (*then)(struct iobatch_control *control);
	bool impatient;
	uint64_t cpu_ns; /* what the process took while the run was paused */
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static void *help(void *context)
{
	const struct timespec nap = {.tv_nsec = 1000000}, rest = {.tv_nsec = 50000000};
	struct helper *helper = context;
	struct iobatch_progress progress;
	time_t end = time(NULL) + PATIENCE_S;
	uint64_t before_ns;

	while (iobatch_control_progress(helper->play->control, &progress) != IOBATCH_STATE_PAUSED ||
	       progress.processed < helper->processed) {
		helper->impatient |= time(NULL) > end;
		nanosleep(&nap, NULL);
	}
	before_ns = cpu_ns();
	nanosleep(&rest, NULL);
	helper->cpu_ns = cpu_ns() - before_ns;
	(void)iobatch_control_progress(helper->play->control, &progress);
	helper->impatient |= progress.processed != helper->processed;
	helper->then(helper->play->control);
	return NULL;
}

static void pause_once(void *context, const struct iobatch_outcome *outcome)
{
	struct play *play = context;
	struct iobatch_progress progress;

	if (outcome->index == 4)
		iobatch_control_pause(play->control);
	/* From within a callback, too. */
	(void)iobatch_control_progress(play->control, &progress);
}

static int run_with_help(struct play *play, void (*then)(struct iobatch_control *control),
                         unsigned processed)
{
	struct helper helper = {.play = play, .then = then, .processed = processed};
	pthread_t thread;
	int error;

	play->options.max_concurrent = 1;
	play->options.context = play;
	play->options.on_settled = processed > 0 ? pause_once : NULL;
	assert_int_equal(pthread_create(&thread, NULL, help, &helper), 0);
	error = play_run(play);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(helper.impatient);
	/* It has slept. */
	assert_true(helper.cpu_ns < 25 * NS_PER_MS);
	return error;
}

static void a_paused_run_sleeps_until_it_is_resumed(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play_assert_complete(&play, run_with_help(&play, iobatch_control_resume, 5));
	play_deinit(&play);
}

static void a_paused_run_can_be_drained(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	assert_int_equal(run_with_help(&play, iobatch_control_drain, 5), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_DRAINED);
	assert_int_equal(play.result.total_processed, 5);
	play_deinit(&play);
}

static void a_paused_run_can_be_cancelled(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	/* A batch is taken, and part of it not begun. */
	play.options.batch_size = 7;
	play.options.delay_ms = 1;
	assert_int_equal(run_with_help(&play, iobatch_control_cancel, 5), -ECANCELED);
	assert_int_equal(play.result.end, IOBATCH_END_CANCELLED);
	assert_int_equal(play.result.total_processed, 7);
	assert_int_equal(play.outcomes[5].error, -ECANCELED);
	assert_int_equal(play.outcomes[5].attempts, 0);
	play_deinit(&play);
}

static void a_run_that_was_paused_before_begins_paused(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	iobatch_control_pause(play.control);
	play_assert_complete(&play, run_with_help(&play, iobatch_control_resume, 0));
	play_deinit(&play);
}

/* -------------------------------------------------------------- one run -- */

static int run_again(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct play *play = context;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_items items = iobatch_items_array(play->objects, 1, 1);

	(void)item, (void)done, (void)chain;
	assert_int_equal(iobatch_run(&items, &play->processor, &play->options, &result), -EBUSY);
	assert_string_not_equal(result.message, "");
	iobatch_result_deinit(&result);
	return IOBATCH_DONE;
}

static void a_control_is_for_one_run_at_a_time(void **state)
{
	struct play play;

	play_init(&play, trial_executor(state));
	play.processor.next = run_again;
	play_assert_complete(&play, play_run(&play));
	play_deinit(&play);
	iobatch_control_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(nothing_starts_while_the_run_is_paused),
		cmocka_unit_test(delays_stand_still_in_a_pause),
		cmocka_unit_test(a_delay_stands_still_in_each_of_several_pauses),
		cmocka_unit_test(backoffs_stand_still_in_a_pause),
		cmocka_unit_test(a_backoff_that_begins_in_a_pause_is_whole_behind_it),
		TRIAL_ON_EACH(deadlines_of_what_is_in_flight_go_on_in_a_pause),
		TRIAL_ON_EACH(a_paused_run_sleeps_until_it_is_resumed),
		TRIAL_ON_EACH(a_paused_run_can_be_drained),
		TRIAL_ON_EACH(a_paused_run_can_be_cancelled),
		TRIAL_ON_EACH(a_run_that_was_paused_before_begins_paused),
		TRIAL_ON_EACH(a_control_is_for_one_run_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

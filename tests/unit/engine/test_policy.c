/* SPDX-License-Identifier: MIT */
/*
 * The failure policy: which failures are tried again, and exactly when; the budget; what halts a
 * run; how failures are grouped. Each item of a play opens a file whose name is the error that it
 * meets; the simulator's script answers with it, as often as it is told to.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS_MAX 2000u
#define NS_PER_MS UINT64_C(1000000)
#define YEARS_MS (UINT64_C(100) * 366 * 24 * 3600 * 1000) /* the most that options take */

struct play {
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;
	int error;
	unsigned count;
	char names[ITEMS_MAX][8]; /* the error that the item meets; 0 = none, -1 = one of its own */
	_Atomic uint32_t failures; /* attempts of each that meet it */
	uint32_t tries[ITEMS_MAX];
	uint64_t started_ns[ITEMS_MAX]; /* after the last try */
	struct iobatch_outcome outcomes[ITEMS_MAX];
	unsigned settled;
	bool halted;
	unsigned pauses;
	_Atomic bool over;
	_Atomic unsigned after_halt; /* attempts that started then */
};

static const struct iobatch_error own = {"EOWN", "an error of its own"};

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct play *play = context;
	const char *name = item->object;

	if (done->count > 0)
		return IOBATCH_DONE;
	play->after_halt += play->halted;
	play->tries[item->index]++;
	if (strcmp(name, "-1") == 0)
		return iobatch_item_fail(item, &own);
	iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, name, O_RDONLY, 0));
	iobatch_chain_add(chain, iobatch_op_close(0));
	return IOBATCH_MORE;
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct play *play = context;
	unsigned item;

	if (op->opcode != IOBATCH_OP_OPENAT)
		return;
	item = (unsigned)((op->path - play->names[0]) / (ptrdiff_t)sizeof(play->names[0]));
	if (play->tries[item] <= play->failures)
		answer->result = -atoi(op->path);
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct play *play = context;

	play->outcomes[outcome->index] = *outcome;
	play->settled++;
}

/* A play of `count` items that meet `error` every time. */
static struct play *play_new(unsigned count, int error)
{
	struct play *play = calloc(1, sizeof(*play));

	assert_non_null(play);
	play->count = count;
	play->failures = UINT32_MAX;
	play->processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	play->processor.context = play;
	play->processor.next = next;
	play->processor.files_max = 1;
	play->processor.process_files = 1;
	play->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	play->options.executor = IOBATCH_EXECUTOR_SIMULATED;
	play->options.simulation = &play->simulation;
	play->options.context = play;
	play->options.on_settled = on_settled;
	play->simulation.script = script;
	play->simulation.context = play;
	for (unsigned i = 0; i < count; i++)
		snprintf(play->names[i], sizeof(play->names[i]), "%d", error);
	return play;
}

static void play_set_error(struct play *play, unsigned item, int error)
{
	snprintf(play->names[item], sizeof(play->names[item]), "%d", error);
}

static void play_run(struct play *play)
{
	struct iobatch_items items =
		iobatch_items_array(play->names, play->count, sizeof(play->names[0]));
	unsigned descriptors = trial_open_descriptors();

	iobatch_result_deinit(&play->result);
	play->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
	memset(play->tries, 0, sizeof(play->tries));
	play->settled = 0;
	play->error = iobatch_run(&items, &play->processor, &play->options, &play->result);
	assert_int_equal(trial_open_descriptors(), descriptors);
	assert_int_equal(play->settled, play->result.total_processed);
	if (play->error == 0)
		assert_int_equal(play->result.end, IOBATCH_END_COMPLETE);
}

static void play_free(struct play *play)
{
	iobatch_result_deinit(&play->result);
	free(play);
}

/* ------------------------------------------------------------ which -- */

static void the_options_say_which_errors_are_tried_again(void **state)
{
	static const int listed[] = {ENOENT, ENOSPC, ETIME, 0};
	static const struct {
		int error;
		bool any, transient, listed;
	} cases[] = {
		{ENOENT, true, false, true},    {EACCES, true, false, false},
		{EBUSY, true, true, false},     {ENOMEM, true, true, false},
		{ETIMEDOUT, true, true, false}, {ETIME, true, true, true},
		{ESTALE, true, true, false},    {EIO, true, true, false},
		{-1, true, true, false},        {ENOSPC, false, false, true},
		{EDQUOT, false, false, false},  {EROFS, false, false, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const bool expected[] = {cases[i].any, cases[i].transient, cases[i].listed};

		for (unsigned retry_on = 0; retry_on < 3; retry_on++) {
			struct play *play = play_new(1, cases[i].error);

			play->options.retries = 2;
			play->options.retry_on = retry_on;
			if (retry_on == IOBATCH_RETRY_LISTED)
				play->options.retry_errnos = listed;
			play_run(play);
			assert_int_equal(play->error, 0);
			assert_int_equal(play->result.failed, 1);
			assert_int_equal(play->outcomes[0].attempts, expected[retry_on] ? 3 : 1);
			play_free(play);
		}
	}
}

static void a_full_file_system_is_tried_again_when_it_is_listed(void **state)
{
	static const int listed[] = {EDQUOT, 0};

	(void)state;
	for (unsigned retry_on = 0; retry_on < 3; retry_on++) {
		struct play *play = play_new(1, EDQUOT);

		play->options.retries = 1;
		play->options.retry_on = retry_on;
		play->options.retry_errnos = listed;
		play_run(play);
		assert_int_equal(play->outcomes[0].attempts, 2);
		play_free(play);
	}
}

/* ------------------------------------------------------------- when -- */

/* How long an item is tried that is tried again `retries` times. */
static uint64_t time_of(struct play *play, uint32_t retries)
{
	play->options.retries = retries;
	play_run(play);
	assert_int_equal(play->outcomes[0].attempts, retries + 1);
	assert_true(play->result.processing_time_ms * 1e6 == (double)play->outcomes[0].duration_ns);
	return play->outcomes[0].duration_ns;
}

static void exponential_pauses_grow_by_their_factor_up_to_their_cap(void **state)
{
	static const uint64_t doubled_ms[] = {10, 20, 40, 50, 50, 50};
	static const uint64_t by_half_us[] = {10000, 15000, 22500, 33750, 50000, 50000};
	struct play *play = play_new(1, EIO);
	uint64_t doubled_ns = 0, by_half_ns = 0;

	(void)state;
	play->options.backoff = IOBATCH_BACKOFF_EXPONENTIAL;
	play->options.backoff_ms = 10;
	play->options.backoff_max_ms = 50;
	for (unsigned i = 0; i < 6; i++) {
		doubled_ns += doubled_ms[i] * NS_PER_MS;
		by_half_ns += by_half_us[i] * 1000;
		play->options.backoff_factor_percent = 200;
		assert_int_equal(time_of(play, i + 1), doubled_ns);
		play->options.backoff_factor_percent = 150;
		assert_int_equal(time_of(play, i + 1), by_half_ns);
	}
	play_free(play);
}

static void fixed_pauses_are_as_long_as_they_are_and_there_may_be_none(void **state)
{
	struct play *play = play_new(1, EIO);

	(void)state;
	play->options.backoff_ms = 120000;
	assert_int_equal(time_of(play, 3), 360000 * NS_PER_MS);
	play->options.backoff = IOBATCH_BACKOFF_NONE;
	assert_int_equal(time_of(play, 3), 0);
	play_free(play);
}

static void pauses_do_not_overflow(void **state)
{
	struct play *play = play_new(1, EIO);

	(void)state;
	play->options.backoff = IOBATCH_BACKOFF_EXPONENTIAL;
	play->options.backoff_factor_percent = 10000;
	play->options.backoff_ms = YEARS_MS;
	play->options.backoff_max_ms = YEARS_MS;
	play->options.backoff_jitter_percent = 0;
	assert_int_equal(time_of(play, 2), 2 * YEARS_MS * NS_PER_MS);
	play->options.backoff_ms = 1;
	play->options.backoff_max_ms = 1000;
	assert_int_equal(time_of(play, 500), (1 + 100 + 498 * 1000) * NS_PER_MS);
	/* It does not grow at all. */
	play->options.backoff_factor_percent = 100;
	assert_int_equal(time_of(play, 1000), 1000 * NS_PER_MS);
	play->options.backoff_ms = 0;
	assert_int_equal(time_of(play, 1000), 0);
	play_free(play);
}

static void jitter_leaves_out_a_part_that_comes_from_the_seed_alone(void **state)
{
	struct play *play = play_new(60, EIO), *other = play_new(60, EIO);
	uint64_t least_ns = UINT64_MAX, most_ns = 0;
	bool differ = false;

	(void)state;
	play->options.retries = other->options.retries = 1;
	play->options.backoff_ms = other->options.backoff_ms = 100;
	play->options.backoff_jitter_percent = other->options.backoff_jitter_percent = 30;
	play->options.seed = other->options.seed = 42;
	/* However the items are spread. */
	other->options.rings = 3;
	other->options.batch_size = 7;
	play_run(play);
	play_run(other);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t duration_ns = play->outcomes[i].duration_ns;

		assert_int_equal(duration_ns, other->outcomes[i].duration_ns);
		assert_true(duration_ns >= 70 * NS_PER_MS && duration_ns <= 100 * NS_PER_MS);
		least_ns = duration_ns < least_ns ? duration_ns : least_ns;
		most_ns = duration_ns > most_ns ? duration_ns : most_ns;
	}
	assert_true(least_ns < 73 * NS_PER_MS && most_ns > 97 * NS_PER_MS);
	other->options.seed = 43;
	play_run(other);
	for (unsigned i = 0; i < 60; i++)
		differ |= play->outcomes[i].duration_ns != other->outcomes[i].duration_ns;
	assert_true(differ);
	play_free(play);
	play_free(other);
}

static void without_a_seed_jitter_is_another_each_time(void **state)
{
	struct play *play = play_new(20, EIO), *other = play_new(20, EIO);
	bool differ = false;

	(void)state;
	play->options.retries = other->options.retries = 1;
	play->options.backoff_ms = other->options.backoff_ms = 1000;
	play->options.backoff_jitter_percent = other->options.backoff_jitter_percent = 100;
	play_run(play);
	play_run(other);
	for (unsigned i = 0; i < 20; i++)
		differ |= play->outcomes[i].duration_ns != other->outcomes[i].duration_ns;
	assert_true(differ);
	play_free(play);
	play_free(other);
}

static void an_outcome_says_when_its_item_started_and_how_long_it_took(void **state)
{
	struct play *play = play_new(3, 0);

	(void)state;
	play->options.delay_ms = 5;
	play->simulation.latency_min_ns = play->simulation.latency_max_ns = NS_PER_MS;
	play_run(play);
	/* An open and a close each, and the pause between. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(play->outcomes[i].start_ns - play->outcomes[0].start_ns,
		                 i * 7 * NS_PER_MS);
		assert_int_equal(play->outcomes[i].duration_ns, 2 * NS_PER_MS);
	}
	play_free(play);
}

/* ----------------------------------------------------------- budget -- */

static void the_budget_bounds_the_attempts_of_the_whole_run(void **state)
{
	static const struct {
		unsigned count, retries, percent, rings;
		uint64_t expected;
	} cases[] = {
		{1000, 3, 10, 1, 100},   {1000, 3, 10, 4, 100}, {1000, 3, 250, 3, 2500},
		{1000, 1, 500, 2, 1000}, {1, 50, 5, 1, 10},     {60, 3, 10, 2, 10},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play *play = play_new(cases[i].count, EIO);
		uint64_t attempts = 0;

		play->options.retries = cases[i].retries;
		play->options.retry_budget_percent = cases[i].percent;
		play->options.rings = cases[i].rings;
		/* All are taken before any fails. */
		play->options.batch_size = 250;
		play->simulation.latency_min_ns = play->simulation.latency_max_ns = NS_PER_MS;
		play_run(play);
		assert_int_equal(play->error, 0);
		assert_int_equal(play->result.failed, cases[i].count);
		for (unsigned j = 0; j < cases[i].count; j++) {
			assert_int_equal(play->outcomes[j].error, -EIO);
			attempts += play->outcomes[j].attempts;
		}
		assert_true(play->result.retries <= cases[i].expected);
		if (cases[i].rings == 1)
			assert_int_equal(play->result.retries, cases[i].expected);
		assert_int_equal(attempts, cases[i].count + play->result.retries);
		play_free(play);
	}
}

static void the_budget_grows_with_what_is_taken(void **state)
{
	struct play *play = play_new(400, EIO);

	(void)state;
	play->options.retries = 1;
	play->options.retry_budget_percent = 25;
	play->options.batch_size = 40;
	play->options.max_concurrent = 1;
	play_run(play);
	/* 10 of the first 40, and 10 more with each batch. */
	for (unsigned batch = 0; batch < 10; batch++) {
		unsigned again = 0;

		for (unsigned i = 0; i < 40; i++)
			again += play->outcomes[batch * 40 + i].attempts - 1;
		assert_int_equal(again, 10);
	}
	play_free(play);
}

/* ------------------------------------------------------------- halt -- */

static void the_run_is_halted_when_so_many_have_failed(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= 3; rings++) {
		struct trial *trial = trial_new(executor, 2000);

		for (unsigned i = 0; i < 2000; i += 10)
			trial->items[i].failures = TRIAL_FAILS_ALWAYS;
		trial->options.batch_size = 8;
		trial->options.rings = rings;
		trial->options.halt_after_failures = 20;
		trial_run(trial);
		assert_int_equal(trial->error, -ECANCELED);
		assert_int_equal(trial->result.end, IOBATCH_END_HALTED);
		assert_non_null(strstr(trial->result.message, "ENOENT"));
		assert_non_null(strstr(trial->result.message, "20 items have failed"));
		assert_true(trial->result.failed >= 20);
		assert_true(trial->result.total_processed < 2000);
		assert_int_equal(trial->result.failed_items_count, trial->result.failed);
		for (unsigned i = 0; i < 2000; i++)
			assert_int_equal(trial->outcomes[i], i < trial->result.total_processed);
		trial_free(trial);
	}
}

/* Notes that the run has been halted, by the failure that was the last allowed. */
static void on_settled_halting(void *context, const struct iobatch_outcome *outcome)
{
	struct play *play = context;

	on_settled(context, outcome);
	if (outcome->error && outcome->error != -ECANCELED)
		play->halted = true;
}

/* Item 3 of one window of ten fails, while those before and behind it are in their pauses. */
static struct play *play_halted(uint32_t halt, uint64_t delay_ms)
{
	struct play *play = play_new(100, 0);

	play_set_error(play, 3, EACCES);
	play_set_error(play, 1, EIO);
	play->options.on_settled = on_settled_halting;
	play->options.batch_size = 10;
	play->options.max_concurrent = 1;
	play->options.retries = 5;
	play->options.retry_on = IOBATCH_RETRY_TRANSIENT;
	play->options.backoff_ms = 60000;
	play->options.delay_ms = delay_ms;
	play->options.halt_after_failures = 1;
	play->options.halt = halt;
	return play;
}

static void halted_now_nothing_more_starts(void **state)
{
	struct play *play = play_halted(IOBATCH_HALT_NOW, 0);

	(void)state;
	/* The others are in flight. */
	play->simulation.latency_min_ns = NS_PER_MS;
	play->simulation.latency_max_ns = 100 * NS_PER_MS;
	play_run(play);
	assert_int_equal(play->error, -ECANCELED);
	assert_int_equal(play->result.end, IOBATCH_END_HALTED);
	assert_int_equal(play->result.total_processed, 10);
	assert_int_equal(play->result.total_batches, 1);
	assert_int_equal(play->after_halt, 0);
	assert_int_equal(play->outcomes[3].error, -EACCES);
	assert_int_equal(play->outcomes[1].error, -ECANCELED);
	/* What had opened is closed. */
	assert_true(play->result.processing_time_ms <= 210);
	play_free(play);
}

static void halted_now_what_has_not_started_never_does(void **state)
{
	struct play *play = play_new(100, 0);

	(void)state;
	play_set_error(play, 3, EACCES);
	play->options.on_settled = on_settled_halting;
	play->options.batch_size = 10;
	play->options.max_concurrent = 2;
	play->options.delay_ms = 10;
	play->options.halt_after_failures = 1;
	play_run(play);
	assert_int_equal(play->result.total_processed, 20);
	assert_int_equal(play->after_halt, 0);
	for (unsigned i = 4; i < 10; i++) {
		assert_int_equal(play->outcomes[i].error, -ECANCELED);
		assert_int_equal(play->outcomes[i].attempts, 0);
		assert_int_equal(play->outcomes[i].start_ns, 0);
		assert_int_equal(play->outcomes[i].duration_ns, 0);
	}
	play_free(play);
}

static void halted_soon_what_was_taken_goes_on(void **state)
{
	struct play *play = play_halted(IOBATCH_HALT_SOON, 0);

	(void)state;
	play->simulation.latency_min_ns = NS_PER_MS;
	play->simulation.latency_max_ns = 100 * NS_PER_MS;
	play_run(play);
	assert_int_equal(play->error, -ECANCELED);
	assert_int_equal(play->result.end, IOBATCH_END_HALTED);
	assert_int_equal(play->result.total_processed, 10);
	assert_int_equal(play->result.successful, 8);
	assert_int_equal(play->after_halt, 0);
	/* Its pause ends at once, and it has the error that it had. */
	assert_int_equal(play->outcomes[1].error, -EIO);
	assert_int_equal(play->outcomes[1].attempts, 1);
	assert_true(play->result.processing_time_ms <= 210);
	play_free(play);
}

static void halted_soon_what_was_taken_starts_after_its_pause(void **state)
{
	struct play *play = play_new(100, 0);

	(void)state;
	play_set_error(play, 3, EACCES);
	play->options.batch_size = 10;
	play->options.max_concurrent = 2;
	play->options.delay_ms = 10;
	play->options.halt_after_failures = 1;
	play->options.halt = IOBATCH_HALT_SOON;
	play_run(play);
	assert_int_equal(play->error, -ECANCELED);
	assert_int_equal(play->result.total_processed, 20);
	assert_int_equal(play->result.successful, 19);
	assert_true(play->result.processing_time_ms == 90);
	play_free(play);
}

static void the_run_is_halted_when_too_large_a_part_has_failed(void **state)
{
	struct play *play = play_new(1000, 0);

	(void)state;
	for (unsigned i = 0; i < 1000; i += 4)
		play_set_error(play, i, EIO);
	play->options.batch_size = 1;
	play->options.max_concurrent = 1;
	play->options.halt_after_percent = 24;
	play->options.halt_min_items = 50;
	play_run(play);
	assert_int_equal(play->error, -ECANCELED);
	assert_int_equal(play->result.total_processed, 50);
	assert_non_null(strstr(play->result.message, "24 percent"));
	play->options.halt_after_percent = 27;
	play_run(play);
	assert_int_equal(play->error, 0);
	assert_int_equal(play->result.failed, 250);
	play_free(play);
}

static void the_part_is_looked_at_when_enough_have_settled_also_by_success(void **state)
{
	struct play *play = play_new(100, 0);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		play_set_error(play, i, EIO);
	play->options.batch_size = 1;
	play->options.max_concurrent = 1;
	play->options.halt_after_percent = 10;
	play->options.halt_min_items = 10;
	play->options.on_settled = NULL;
	play->options.collect = 0;
	play->settled = 10;
	play->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
	{
		struct iobatch_items items =
			iobatch_items_array(play->names, play->count, sizeof(play->names[0]));

		assert_int_equal(
			iobatch_run(&items, &play->processor, &play->options, &play->result),
			-ECANCELED);
	}
	assert_int_equal(play->result.total_processed, 10);
	play_free(play);
}

static void a_full_file_system_halts_the_run_when_it_is_to(void **state)
{
	static const int errors[] = {ENOSPC, EDQUOT, EROFS, EIO};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned on_full = 0; on_full < 3; on_full++) {
			struct play *play = play_new(100, 0);
			bool halts = on_full != IOBATCH_FULL_FAIL && errors[i] != EIO;

			play_set_error(play, 20, errors[i]);
			play->options.batch_size = 10;
			play->options.max_concurrent = 1;
			play->options.on_full = on_full;
			play->options.retries = 3;
			play->options.retry_on = IOBATCH_RETRY_TRANSIENT;
			play_run(play);
			assert_int_equal(play->error, halts ? -ECANCELED : 0);
			assert_int_equal(play->result.end,
			                 halts ? IOBATCH_END_HALTED : IOBATCH_END_COMPLETE);
			assert_int_equal(play->result.total_processed, halts ? 30 : 100);
			if (halts)
				assert_non_null(
					strstr(play->result.message, strerrorname_np(errors[i])));
			assert_int_equal(play->outcomes[20].attempts, errors[i] == EIO ? 4 : 1);
			play_free(play);
		}
	}
}

/* Makes room when the run has been paused, and lets it go on: also ops may fail that ended before.
 */
static void *operate(void *argument)
{
	struct play *play = argument;
	struct iobatch_progress progress;
	struct timespec moment = {.tv_nsec = 1000000};

	while (!play->over) {
		if (iobatch_control_progress(play->options.control, &progress) ==
		    IOBATCH_STATE_PAUSED) {
			play->failures = 0;
			play->pauses++;
			iobatch_control_resume(play->options.control);
		}
		nanosleep(&moment, NULL);
	}
	return NULL;
}

static void a_full_file_system_pauses_the_run_that_somebody_can_let_go_on(void **state)
{
	(void)state;
	for (unsigned rings = 1; rings <= 3; rings++) {
		struct play *play = play_new(300, 0);
		pthread_t operator;

		for (unsigned i = 20; i < 300; i += 9)
			play_set_error(play, i, ENOSPC);
		assert_int_equal(iobatch_control_new(&play->options.control), 0);
		play->options.batch_size = 10;
		play->options.rings = rings;
		play->options.on_full = IOBATCH_FULL_PAUSE;
		assert_int_equal(pthread_create(&operator, NULL, operate, play), 0);
		play_run(play);
		play->over = true;
		assert_int_equal(pthread_join(operator, NULL), 0);
		assert_int_equal(play->error, 0);
		assert_true(play->pauses > 0);
		assert_int_equal(play->result.successful, 300);
		assert_int_equal(play->result.retries, 0);
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(play->outcomes[i].attempts, 1);
		iobatch_control_free(play->options.control);
		play_free(play);
	}
}

static void other_ends_are_told_apart(void **state)
{
	struct play *play = play_new(10, 0);

	(void)state;
	play_run(play);
	assert_int_equal(play->result.end, IOBATCH_END_COMPLETE);
	assert_int_equal(play->result.errors_count, 0);
	assert_null(play->result.errors);
	play->options.batch_size = 0;
	play_run(play);
	assert_int_equal(play->error, -EINVAL);
	assert_int_equal(play->result.end, IOBATCH_END_ERROR);
	play_free(play);
}

/* ----------------------------------------------------------- groups -- */

static void failures_are_grouped_by_op_and_error(void **state)
{
	(void)state;
	for (unsigned rings = 1; rings <= 4; rings++) {
		struct play *play = play_new(1000, 0);
		const struct iobatch_error_group *groups;

		for (unsigned i = 0; i < 1000; i += 5)
			play_set_error(play, i, EACCES);
		for (unsigned i = 1; i < 1000; i += 10)
			play_set_error(play, i, -1);
		play_set_error(play, 999, EIO);
		play->options.rings = rings;
		play->options.collect = 0;
		play->simulation.latency_max_ns = NS_PER_MS;
		play_run(play);
		groups = play->result.errors;
		assert_int_equal(play->result.errors_count, 3);
		assert_int_equal(groups[0].error, -EACCES);
		assert_int_equal(groups[0].opcode, IOBATCH_OP_OPENAT);
		assert_string_equal(groups[0].error_name, "EACCES");
		assert_int_equal(groups[0].count, 200);
		assert_int_equal(groups[0].first[0], 0);
		assert_int_equal(groups[0].first[1], 5);
		assert_int_equal(groups[0].first[2], 10);
		assert_int_equal(groups[1].error, IOBATCH_OWN_ERROR);
		assert_int_equal(groups[1].opcode, -1);
		assert_string_equal(groups[1].error_name, "EOWN");
		assert_string_equal(groups[1].message, own.message);
		assert_int_equal(groups[1].count, 100);
		assert_int_equal(groups[1].first[2], 21);
		assert_int_equal(groups[2].count, 1);
		assert_int_equal(groups[2].first[0], 999);
		play_free(play);
	}
}

/* As many kinds as there are names of errors, which are more than groups; the first ones twice. */
static unsigned draw_kinds(struct play *play, unsigned max)
{
	unsigned kinds = 0, count = 0;

	for (int error = 1; error < 134 && kinds < max; error++) {
		if (!strerrorname_np(error) || error == ECANCELED || error == EAGAIN ||
		    error == EINTR || error == EMFILE || error == ENFILE)
			continue;
		for (unsigned i = 0; i < (kinds < 10 ? 2 : 1); i++)
			play_set_error(play, count++, error);
		kinds++;
	}
	play->count = count;
	return kinds;
}

static void kinds_beyond_the_last_group_share_it(void **state)
{
	(void)state;
	for (unsigned kinds = 63; kinds <= 100; kinds += kinds < 66 ? 1 : 34) {
		struct play *play = play_new(300, 0);
		const struct iobatch_error_group *last;
		uint64_t count = 0;

		assert_int_equal(draw_kinds(play, kinds), kinds);
		play->options.max_concurrent = 1;
		play->options.batch_size = 1;
		play_run(play);
		assert_int_equal(play->result.failed, kinds + 10);
		assert_int_equal(play->result.errors_count, kinds < 64 ? kinds : 64);
		for (uint64_t i = 0; i < play->result.errors_count; i++)
			count += play->result.errors[i].count;
		assert_int_equal(count, play->result.failed);
		assert_int_equal(play->result.errors[0].count, 2);
		last = &play->result.errors[play->result.errors_count - 1];
		if (kinds <= 64) {
			assert_int_not_equal(last->error, 0);
		} else {
			assert_int_equal(last->error, 0);
			assert_int_equal(last->opcode, -1);
			assert_non_null(last->error_name);
			assert_int_equal(last->count, kinds - 63);
			assert_int_equal(last->first[0], 73);
		}
		play_free(play);
	}
}

static void a_caller_who_does_not_know_of_groups_gets_none(void **state)
{
	struct play *play = play_new(10, EIO);
	struct iobatch_items items =
		iobatch_items_array(play->names, play->count, sizeof(play->names[0]));
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	(void)state;
	result.size = offsetof(struct iobatch_result, end);
	result.errors = (void *)play;
	assert_int_equal(iobatch_run(&items, &play->processor, &play->options, &result), 0);
	assert_int_equal(result.failed, 10);
	assert_ptr_equal(result.errors, (void *)play);
	iobatch_result_deinit(&result);
	play_free(play);
}

/* --------------------------------------------------------- options -- */

static void impossible_policies_are_refused(void **state)
{
	static const int negative[] = {ENOENT, -EIO, 0};
	const struct iobatch_options init = IOBATCH_OPTIONS_INIT;
	struct play *play = play_new(1, 0);

	(void)state;
	for (unsigned i = 0; i < 11; i++) {
		static const char *const names[] = {
			"retry_on",
			"backoff",
			"backoff_factor_percent",
			"backoff_factor_percent",
			"backoff_max_ms",
			"backoff_jitter_percent",
			"halt_after_percent",
			"halt",
			"on_full",
			"retry_errnos",
			"retry_errnos",
		};
		struct iobatch_options *options = &play->options;

		*options = init;
		options->executor = IOBATCH_EXECUTOR_SIMULATED;
		options->retry_on = i == 0 ? 3 : i == 9 ? IOBATCH_RETRY_LISTED : 0;
		options->backoff = i == 1 ? 3 : 0;
		options->backoff_factor_percent = i == 2 ? 99 : i == 3 ? 10001 : 200;
		options->backoff_max_ms = i == 4 ? UINT64_MAX : 0;
		options->backoff_jitter_percent = i == 5 ? 101 : 0;
		options->halt_after_percent = i == 6 ? 101 : 0;
		options->halt = i == 7 ? 2 : 0;
		options->on_full = i == 8 ? 3 : 0;
		options->retry_errnos = i == 10 ? negative : NULL;
		play_run(play);
		assert_int_equal(play->error, -EINVAL);
		assert_non_null(strstr(play->result.message, names[i]));
	}
	play_free(play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_options_say_which_errors_are_tried_again),
		cmocka_unit_test(a_full_file_system_is_tried_again_when_it_is_listed),
		cmocka_unit_test(exponential_pauses_grow_by_their_factor_up_to_their_cap),
		cmocka_unit_test(fixed_pauses_are_as_long_as_they_are_and_there_may_be_none),
		cmocka_unit_test(pauses_do_not_overflow),
		cmocka_unit_test(jitter_leaves_out_a_part_that_comes_from_the_seed_alone),
		cmocka_unit_test(without_a_seed_jitter_is_another_each_time),
		cmocka_unit_test(an_outcome_says_when_its_item_started_and_how_long_it_took),
		cmocka_unit_test(the_budget_bounds_the_attempts_of_the_whole_run),
		cmocka_unit_test(the_budget_grows_with_what_is_taken),
		TRIAL_ON_EACH(the_run_is_halted_when_so_many_have_failed),
		cmocka_unit_test(halted_now_nothing_more_starts),
		cmocka_unit_test(halted_now_what_has_not_started_never_does),
		cmocka_unit_test(halted_soon_what_was_taken_goes_on),
		cmocka_unit_test(halted_soon_what_was_taken_starts_after_its_pause),
		cmocka_unit_test(the_run_is_halted_when_too_large_a_part_has_failed),
		cmocka_unit_test(the_part_is_looked_at_when_enough_have_settled_also_by_success),
		cmocka_unit_test(a_full_file_system_halts_the_run_when_it_is_to),
		cmocka_unit_test(a_full_file_system_pauses_the_run_that_somebody_can_let_go_on),
		cmocka_unit_test(other_ends_are_told_apart),
		cmocka_unit_test(failures_are_grouped_by_op_and_error),
		cmocka_unit_test(kinds_beyond_the_last_group_share_it),
		cmocka_unit_test(a_caller_who_does_not_know_of_groups_gets_none),
		cmocka_unit_test(impossible_policies_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

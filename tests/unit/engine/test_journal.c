/* SPDX-License-Identifier: MIT */
/*
 * The engine's side of a journal: every outcome is recorded once, in groups; what is told or
 * destroyed is in the file before; and a journal that cannot be written ends the run in order.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t seeds = 300, current_seed;

static const enum iobatch_journal_sync syncs[] = {IOBATCH_JOURNAL_NONE, IOBATCH_JOURNAL_BATCH,
                                                  IOBATCH_JOURNAL_ITEM};

/* Items of which some fail, and some succeed the second time. */
static struct trial *mixed_trial(unsigned executor, unsigned count)
{
	struct trial *trial = trial_new(executor, count);

	trial->options.batch_size = 16;
	trial->options.max_concurrent = 4;
	trial->options.retries = 1;
	for (unsigned i = 0; i < count; i += 7)
		trial->items[i].failures = i % 3;
	return trial;
}

static void every_outcome_is_recorded_once(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= 3; rings++) {
		for (unsigned i = 0; i < 3; i++) {
			struct trial *trial = mixed_trial(executor, 1000);
			struct ledger *ledger = ledger_new(trial, syncs[i]);

			trial->options.rings = rings;
			ledger_run(ledger);
			assert_int_equal(trial->error, 0);
			assert_int_equal(trial->result.end, IOBATCH_END_COMPLETE);
			ledger_free(ledger);
			trial_free(trial);
		}
	}
}

static void what_destroys_waits_for_the_record_of_its_intent(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= 3; rings++) {
		for (unsigned i = 0; i < 3; i++) {
			struct trial *trial = mixed_trial(executor, 500);
			struct ledger *ledger = ledger_new(trial, syncs[i]);

			trial->options.rings = rings;
			ledger_destroy_things(ledger);
			ledger_run(ledger);
			assert_int_equal(trial->error, 0);
			ledger_free(ledger);
			trial_free(trial);
		}
	}
}

/* ------------------------------------------------------------- faults -- */

static struct iobatch_answer fail_eio(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	answer.result = -EIO;
	return answer;
}

static struct iobatch_answer fail_enospc(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	answer.result = -ENOSPC;
	return answer;
}

static struct iobatch_answer interrupt(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	answer.result = -EINTR;
	return answer;
}

static struct iobatch_answer put_off(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	answer.result = -EAGAIN;
	return answer;
}

static struct iobatch_answer take_one_byte(const struct iobatch_op *op,
                                           struct iobatch_answer answer)
{
	if (op->opcode == IOBATCH_OP_WRITE)
		answer.result = 1;
	return answer;
}

static struct iobatch_answer take_half(const struct iobatch_op *op, struct iobatch_answer answer)
{
	if (op->opcode == IOBATCH_OP_WRITE && answer.result > 1)
		answer.result /= 2;
	return answer;
}

static struct iobatch_answer take_nothing(const struct iobatch_op *op, struct iobatch_answer answer)
{
	if (op->opcode == IOBATCH_OP_WRITE)
		answer.result = 0;
	return answer;
}

/* What a run whose journal has failed must have come to. */
static void check_failed_run(struct ledger *ledger)
{
	const struct trial *trial = ledger->trial;
	const struct iobatch_result *result = &trial->result;
	uint64_t told = 0, cancelled = 0;

	assert_true(trial->error < 0);
	assert_int_equal(result->end, IOBATCH_END_ERROR);
	assert_memory_equal(result->message, "journal: ", 9);
	assert_int_equal(result->successful + result->failed, result->total_processed);
	assert_int_equal(result->failed_items_count, result->failed);
	for (unsigned i = 0; i < trial->count; i++) {
		assert_true(trial->outcomes[i] <= 1);
		told += trial->outcomes[i];
	}
	assert_int_equal(told, result->total_processed);
	assert_int_equal(told, trial->streamed_count);
	for (uint64_t i = 0; i < result->failed_items_count; i++) {
		if (result->failed_items[i].error == -ECANCELED) {
			assert_int_equal(result->failed_items[i].attempts, 0);
			cancelled++;
		}
	}
	assert_true(cancelled <= trial->options.batch_size * trial->options.max_concurrent);
	assert_true(ledger_check(ledger) <= told);
}

/* Returns whether the op of that number was reached. */
static bool run_with_fault(struct iobatch_answer (*fault)(const struct iobatch_op *op,
                                                          struct iobatch_answer answer),
                           unsigned at, enum iobatch_journal_sync sync, unsigned rings,
                           bool destroys)
{
	struct trial *trial = mixed_trial(IOBATCH_EXECUTOR_SIMULATED, 120);
	struct ledger *ledger = ledger_new(trial, sync);
	bool reached;

	trial->streamed = true;
	trial->options.batch_size = 8;
	trial->options.max_concurrent = 3;
	trial->options.rings = rings;
	trial->simulation.latency_max_ns = 8 * 1000000;
	trial->simulation.seed = at + 1;
	ledger->fault = fault;
	ledger->faulty = at;
	if (destroys)
		ledger_destroy_things(ledger);
	ledger_run(ledger);
	if (ledger->failed)
		check_failed_run(ledger);
	else
		assert_int_equal(trial->error, 0);
	reached = ledger->ops > at;
	ledger_free(ledger);
	trial_free(trial);
	return reached;
}

static void whichever_op_of_the_journal_fails_nothing_is_lost_or_told_too_early(void **state)
{
	struct iobatch_answer (*const faults[])(const struct iobatch_op *,
	                                        struct iobatch_answer) = {
		fail_eio, fail_enospc, interrupt, put_off, take_one_byte, take_half, take_nothing,
	};

	(void)state;
	for (unsigned f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
		for (unsigned i = 0; i < 3; i++) {
			for (unsigned variant = 0; variant < 4; variant++) {
				unsigned at = 0;

				while (run_with_fault(faults[f], at, syncs[i], 1 + variant / 2,
				                      variant % 2))
					at++;
				assert_true(at > (variant < 2 ? 3 : 0));
			}
		}
	}
}

static struct iobatch_answer hang(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	answer.latency_ns = UINT64_MAX;
	answer.cancel = IOBATCH_CANCEL_IGNORED;
	return answer;
}

static struct iobatch_answer wait_for_ever(const struct iobatch_op *op,
                                           struct iobatch_answer answer)
{
	(void)op;
	answer.latency_ns = UINT64_MAX;
	return answer;
}

static void an_op_of_the_journal_that_hangs_ends_a_run_with_deadlines(void **state)
{
	(void)state;
	for (unsigned deaf = 0; deaf < 2; deaf++) {
		for (unsigned at = 0; at < 4; at++) {
			struct trial *trial = mixed_trial(IOBATCH_EXECUTOR_SIMULATED, 120);
			struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_ITEM);

			trial->streamed = true;
			trial->options.timeout_ms = 100;
			trial->simulation.latency_max_ns = 1000000;
			ledger->faulty = at;
			ledger->fault = deaf ? hang : wait_for_ever;
			ledger_run(ledger);
			assert_int_equal(trial->error, -ETIMEDOUT);
			check_failed_run(ledger);
			/* 10 s, and the grace twice: for the op and for the end. */
			assert_true(trial->result.processing_time_ms >= 10000);
			assert_true(trial->result.processing_time_ms < 12500);
			ledger_free(ledger);
			trial_free(trial);
		}
	}
}

static void what_waits_for_a_pause_ends_when_the_journal_cannot_be_written(void **state)
{
	(void)state;
	for (unsigned delay_ms = 0; delay_ms < 200; delay_ms += 100) {
		struct trial *trial = mixed_trial(IOBATCH_EXECUTOR_SIMULATED, 120);
		struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_BATCH);

		trial->streamed = true;
		trial->options.retries = 5;
		trial->options.delay_ms = delay_ms;
		trial->options.backoff_ms = 1000000;
		trial->items[0].failures = 1;
		ledger->faulty = 0;
		ledger->fault = fail_enospc;
		ledger_run(ledger);
		assert_int_equal(trial->error, -ENOSPC);
		check_failed_run(ledger);
		assert_true(trial->result.processing_time_ms < 1000);
		/* It keeps its own error. */
		assert_int_equal(ledger->told[0], 1 + ENOENT);
		ledger_free(ledger);
		trial_free(trial);
	}
}

/* ------------------------------------------------------------- groups -- */

static void records_go_into_the_file_in_groups(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 4000);
	struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_BATCH);

	(void)state;
	trial->simulation.latency_min_ns = trial->simulation.latency_max_ns = 100000;
	ledger_run(ledger);
	assert_int_equal(trial->error, 0);
	/* 4000 items, 512 at a time and 0.1 ms each: all within 5 ms. */
	assert_in_range(ledger->writes, 1, 3);
	assert_in_range(ledger->syncs, 1, ledger->writes);
	ledger_free(ledger);
	trial_free(trial);
}

static void a_record_waits_for_5_ms_at_most(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 100);
	struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_NONE);

	(void)state;
	/* One item a millisecond. */
	trial->options.max_concurrent = trial->options.batch_size = 1;
	trial->simulation.latency_min_ns = trial->simulation.latency_max_ns = 1000000;
	ledger_run(ledger);
	assert_int_equal(trial->error, 0);
	assert_in_range(ledger->writes, 16, 21);
	assert_int_equal(ledger->syncs, 0);
	ledger_free(ledger);
	trial_free(trial);
}

/* Every op of the journal takes 10 ms: each makes the next one faulty. */
static struct ledger *slow_ledger;

static struct iobatch_answer take_10_ms(const struct iobatch_op *op, struct iobatch_answer answer)
{
	(void)op;
	slow_ledger->faulty = slow_ledger->ops;
	answer.latency_ns = 10 * 1000000;
	return answer;
}

static void slow_down(struct ledger *ledger)
{
	slow_ledger = ledger;
	ledger->faulty = 0;
	ledger->fault = take_10_ms;
}

static struct iobatch_answer sync_slowly(const struct iobatch_op *op, struct iobatch_answer answer)
{
	slow_ledger->faulty = slow_ledger->ops;
	if (op->opcode == IOBATCH_OP_FDATASYNC)
		answer.latency_ns = 10 * 1000000;
	return answer;
}

static void what_nobody_waits_for_becomes_durable_as_often_as_the_disk_can_bear(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 1000);
	struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_BATCH);

	(void)state;
	/* One item a millisecond, for a second. */
	trial->options.max_concurrent = trial->options.batch_size = 1;
	trial->simulation.latency_min_ns = trial->simulation.latency_max_ns = 1000000;
	slow_down(ledger);
	ledger->fault = sync_slowly;
	ledger_run(ledger);
	assert_int_equal(trial->error, 0);
	/* A tenth of the time at most; and the file has all soon all the same. */
	assert_in_range(ledger->syncs, 8, 12);
	assert_in_range(ledger->writes, 140, 200);
	ledger_free(ledger);
	trial_free(trial);
}

static void nobody_hears_of_an_item_before_its_record_is_durable(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 40);
	struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_ITEM);

	(void)state;
	trial->options.batch_size = 4;
	trial->options.max_concurrent = 1;
	slow_down(ledger);
	ledger_run(ledger);
	assert_int_equal(trial->error, 0);
	/* Ten batches, each a write and a sync. */
	assert_int_equal(ledger->ops, 20);
	assert_true(trial->result.processing_time_ms == 200.0);
	ledger_free(ledger);
	trial_free(trial);
}

static void items_wait_for_room_when_the_journal_is_slow(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 64);
	struct ledger *ledger = ledger_new(trial, IOBATCH_JOURNAL_BATCH);

	(void)state;
	trial->options.batch_size = 4;
	ledger->padding = 60000;
	slow_down(ledger);
	ledger_run(ledger);
	assert_int_equal(trial->error, 0);
	/* What does not fit into two buffers of a megabyte waits for the first of them. */
	assert_true(trial->result.processing_time_ms >= 60.0);
	ledger_free(ledger);
	trial_free(trial);
}

/* -------------------------------------------------------------- stuck -- */

static struct iobatch_answer stuck_answer;

static void answer_stuck(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_OPENAT)
		*answer = stuck_answer;
}

/* Items 1 and 6 do not listen; they answer before or after their record is durable, or never. */
static void a_stuck_item_is_recorded_and_told_like_any_other(void **state)
{
	const uint64_t latencies_ns[] = {111000000, 115000000, 125000000, 400000000, UINT64_MAX};

	(void)state;
	for (unsigned sync = 0; sync < 3; sync++) {
		for (unsigned i = 0; i < 5; i++) {
			struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 20);
			struct ledger *ledger;

			trial->simulation.script = answer_stuck;
			ledger = ledger_new(trial, syncs[sync]);
			stuck_answer = (struct iobatch_answer){.result = -ENOENT,
			                                       .latency_ns = latencies_ns[i],
			                                       .cancel = IOBATCH_CANCEL_IGNORED};
			trial->options.timeout_ms = 100;
			trial->options.batch_size = 4;
			trial->options.max_concurrent = 2;
			trial->items[1].failures = trial->items[6].failures = TRIAL_FAILS_ALWAYS;
			slow_down(ledger);
			ledger_run(ledger);
			assert_int_equal(trial->error, 0);
			assert_int_equal(trial->result.failed, 2);
			assert_int_equal(trial->result.stuck, 2);
			assert_int_equal(trial->result.still_running, i == 4 ? 2 : 0);
			assert_int_equal(trial->last_progress.stuck, i == 4 ? 2 : 0);
			assert_int_equal(ledger->told[1], 1 + ETIME);
			ledger_free(ledger);
			trial_free(trial);
		}
	}
}

static void a_halted_run_records_what_it_cancels(void **state)
{
	(void)state;
	for (unsigned sync = 0; sync < 3; sync++) {
		struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 40);
		struct ledger *ledger;
		unsigned told = 0;

		trial->simulation.script = answer_stuck;
		ledger = ledger_new(trial, syncs[sync]);
		stuck_answer = (struct iobatch_answer){.latency_ns = UINT64_MAX,
		                                       .cancel = IOBATCH_CANCEL_IGNORED};
		trial->streamed = true;
		trial->options.timeout_ms = 100;
		trial->options.max_stuck = 1;
		trial->options.batch_size = 4;
		trial->options.max_concurrent = 3;
		trial->options.retries = 1;
		trial->options.backoff_ms = 1000;
		trial->items[1].failures = trial->items[6].failures = TRIAL_FAILS_ALWAYS;
		slow_down(ledger);
		ledger_run(ledger);
		assert_int_equal(trial->error, -ETIMEDOUT);
		for (unsigned i = 0; i < trial->count; i++)
			told += trial->outcomes[i];
		assert_int_equal(told, trial->streamed_count);
		assert_int_equal(ledger_check(ledger), told);
		ledger_free(ledger);
		trial_free(trial);
	}
}

/* ------------------------------------------------------------- random -- */

/* SplitMix64. */
static uint64_t draw(uint64_t *random, uint64_t limit)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % limit;
}

static struct iobatch_answer (*const fatal_faults[])(const struct iobatch_op *,
                                                     struct iobatch_answer) = {
	fail_eio,
	take_nothing,
	hang,
	wait_for_ever,
};

static void make_random(struct trial *trial, uint64_t random)
{
	struct iobatch_options *options = &trial->options;
	struct iobatch_simulation *simulation = &trial->simulation;

	trial->streamed = true;
	options->batch_size = 1 + (uint32_t)draw(&random, 20);
	options->max_concurrent = 1 + (uint32_t)draw(&random, 5);
	options->rings = 1 + (uint32_t)draw(&random, 3);
	options->retries = (uint32_t)draw(&random, 3);
	options->delay_ms = draw(&random, 3) ? 0 : draw(&random, 4);
	options->backoff_ms = draw(&random, 4);
	options->timeout_ms = draw(&random, 2) ? 1 + draw(&random, 20) : 0;
	options->stuck_grace_ms = draw(&random, 100);
	options->max_stuck = TRIAL_ITEMS_MAX;
	simulation->seed = random;
	simulation->latency_max_ns = draw(&random, 3) ? draw(&random, 6000000) : 0;
	simulation->short_permille = (uint32_t)draw(&random, 500);
	simulation->submit_permille = (uint32_t)draw(&random, 3) * 100;
	if (options->timeout_ms > 0) {
		simulation->late_permille = (uint32_t)draw(&random, 100);
		simulation->lost_permille = (uint32_t)draw(&random, 3);
	}
	for (unsigned i = 0; i < trial->count; i++)
		trial->items[i].failures = (unsigned)draw(&random, 8) / 5;
}

static void run_random(uint64_t seed)
{
	uint64_t random = seed;
	struct trial *trial =
		trial_new(IOBATCH_EXECUTOR_SIMULATED, 1 + (unsigned)draw(&random, 300));
	struct ledger *ledger = ledger_new(trial, syncs[draw(&random, 3)]);

	make_random(trial, random);
	if (draw(&random, 2))
		ledger_destroy_things(ledger);
	if (draw(&random, 2))
		ledger->padding = (unsigned)draw(&random, 9000);
	if (draw(&random, 3) == 0) {
		ledger->faulty = (unsigned)draw(&random, 30);
		ledger->fault = fatal_faults[draw(&random, trial->options.timeout_ms ? 4 : 2)];
	}
	ledger_run(ledger);
	if (ledger->failed)
		check_failed_run(ledger);
	else
		assert_int_equal(trial->error, 0);
	ledger_free(ledger);
	trial_free(trial);
}

static void random_runs_keep_their_promises(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		current_seed = seed;
		run_random(seed);
	}
}

/* --------------------------------------------------------- real files -- */

static void a_full_disk_ends_the_run_and_nothing_is_destroyed(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= 2; rings++) {
		for (unsigned sync = 0; sync < 3; sync++) {
			struct trial *trial = mixed_trial(executor, 1000);
			struct ledger *ledger = ledger_new(trial, syncs[sync]);

			close(ledger->journal.fd);
			ledger->journal.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
			ledger->failed = true;
			trial->streamed = true;
			trial->options.rings = rings;
			ledger_destroy_things(ledger);
			trial_run(trial);
			assert_int_equal(trial->error, -ENOSPC);
			check_failed_run(ledger);
			/* Nothing got as far as behind its first op, which was never handed over.
			 */
			assert_int_equal(trial->attempts, 0);
			assert_int_equal(trial->result.successful, 0);
			ledger_free(ledger);
			trial_free(trial);
		}
	}
}

/* An assertion of the library, or in a thread that is not cmocka's: says in which seed. */
static void die(int signal_number)
{
	char message[80];
	int length = snprintf(message, sizeof(message), "Bail out! seed %u, signal %d\n",
	                      (unsigned)current_seed, signal_number);

	if (length < 0 || write(STDOUT_FILENO, message, (size_t)length) < 0)
		_exit(3);
	_exit(2);
}

/* The last of them. */
#define REAL_TESTS 6

/* With a number of seeds: so many random runs, and only what is simulated. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON(every_outcome_is_recorded_once, "simulated", IOBATCH_EXECUTOR_SIMULATED),
		TRIAL_ON(what_destroys_waits_for_the_record_of_its_intent, "simulated",
	                 IOBATCH_EXECUTOR_SIMULATED),
		cmocka_unit_test(records_go_into_the_file_in_groups),
		cmocka_unit_test(a_record_waits_for_5_ms_at_most),
		cmocka_unit_test(
			what_nobody_waits_for_becomes_durable_as_often_as_the_disk_can_bear),
		cmocka_unit_test(nobody_hears_of_an_item_before_its_record_is_durable),
		cmocka_unit_test(items_wait_for_room_when_the_journal_is_slow),
		cmocka_unit_test(an_op_of_the_journal_that_hangs_ends_a_run_with_deadlines),
		cmocka_unit_test(what_waits_for_a_pause_ends_when_the_journal_cannot_be_written),
		cmocka_unit_test(a_stuck_item_is_recorded_and_told_like_any_other),
		cmocka_unit_test(a_halted_run_records_what_it_cancels),
		cmocka_unit_test(
			whichever_op_of_the_journal_fails_nothing_is_lost_or_told_too_early),
		cmocka_unit_test(random_runs_keep_their_promises),
		TRIAL_ON_REAL(every_outcome_is_recorded_once),
		TRIAL_ON_REAL(what_destroys_waits_for_the_record_of_its_intent),
		TRIAL_ON_REAL(a_full_disk_ends_the_run_and_nothing_is_destroyed),
	};
	size_t count = sizeof(tests) / sizeof(tests[0]);

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 10);
	signal(SIGABRT, die);
	signal(SIGSEGV, die);
	return _cmocka_run_group_tests("tests", tests, argc > 1 ? count - REAL_TESTS : count, NULL,
	                               NULL);
}

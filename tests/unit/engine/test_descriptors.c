/* SPDX-License-Identifier: MIT */
/*
 * Running out of descriptors: it costs no attempt, and what waits for one starts when there may be
 * one. Each item opens some files one after the other, waits and closes them; on the simulator the
 * script plays a process that may have so many open.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ITEMS_MAX 400u
#define NS_PER_MS UINT64_C(1000000)

struct task {
	unsigned files; /* that it opens */
	uint64_t busy_ns;
};

struct scarcity {
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;
	int run_error;
	struct task tasks[ITEMS_MAX];
	unsigned count;
	int error;            /* of an open beyond the limit */
	_Atomic int limit;    /* files that may be open */
	_Atomic int open;     /* files that are */
	_Atomic int refused;  /* opens */
	_Atomic int failures; /* opens that fail whatever is open */
	unsigned tries[ITEMS_MAX];
	struct iobatch_outcome outcomes[ITEMS_MAX];
	unsigned settled;
};

/* Opens a file, as often as it needs; then is busy; then the engine closes them. */
static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct scarcity *scarcity = context;
	const struct task *task = item->object;
	unsigned *step = item->state;

	(void)done;
	if (*step == 0)
		scarcity->tries[item->index]++;
	if (*step < task->files)
		iobatch_chain_add(
			chain, iobatch_op_openat((int)*step, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	else if (*step == task->files)
		iobatch_chain_add(chain, iobatch_op_timeout(task->busy_ns));
	else
		return IOBATCH_DONE;
	++*step;
	return IOBATCH_MORE;
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct scarcity *scarcity = context;

	if (op->opcode == IOBATCH_OP_CLOSE)
		scarcity->open--;
	if (op->opcode != IOBATCH_OP_OPENAT)
		return;
	if (scarcity->failures > 0 || scarcity->open >= scarcity->limit) {
		scarcity->failures -= scarcity->failures > 0;
		scarcity->refused++;
		answer->result = -scarcity->error;
	} else {
		scarcity->open++;
	}
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct scarcity *scarcity = context;

	scarcity->outcomes[outcome->index] = *outcome;
	scarcity->settled++;
}

static struct scarcity *scarcity_new(unsigned executor, unsigned count)
{
	struct scarcity *scarcity = calloc(1, sizeof(*scarcity));

	assert_non_null(scarcity);
	scarcity->count = count;
	scarcity->error = EMFILE;
	scarcity->limit = 1000;
	scarcity->processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	scarcity->processor.context = scarcity;
	scarcity->processor.next = next;
	scarcity->processor.state_size = sizeof(unsigned);
	scarcity->processor.files_max = 4;
	scarcity->processor.process_files = 1;
	scarcity->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	scarcity->options.executor = executor;
	scarcity->options.simulation = &scarcity->simulation;
	scarcity->options.context = scarcity;
	scarcity->options.on_settled = on_settled;
	scarcity->options.collect = 0;
	scarcity->simulation.script = script;
	scarcity->simulation.context = scarcity;
	scarcity->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
	for (unsigned i = 0; i < count; i++)
		scarcity->tasks[i] = (struct task){.files = 1, .busy_ns = NS_PER_MS};
	return scarcity;
}

static struct scarcity *scarcity_simulated(unsigned count)
{
	return scarcity_new(IOBATCH_EXECUTOR_SIMULATED, count);
}

static void scarcity_run(struct scarcity *scarcity)
{
	struct iobatch_items items =
		iobatch_items_array(scarcity->tasks, scarcity->count, sizeof(struct task));

	scarcity->run_error =
		iobatch_run(&items, &scarcity->processor, &scarcity->options, &scarcity->result);
	assert_int_equal(scarcity->settled, scarcity->result.total_processed);
	if (scarcity->run_error == 0)
		assert_int_equal(scarcity->settled, scarcity->count);
}

static void scarcity_free(struct scarcity *scarcity)
{
	iobatch_result_deinit(&scarcity->result);
	free(scarcity);
}

static void assert_all_succeed(const struct scarcity *scarcity)
{
	assert_int_equal(scarcity->run_error, 0);
	assert_int_equal(scarcity->result.successful, scarcity->count);
	assert_int_equal(scarcity->result.retries, 0);
	for (unsigned i = 0; i < scarcity->count; i++)
		assert_int_equal(scarcity->outcomes[i].attempts, 1);
}

/* ------------------------------------------------------ virtual time -- */

static void an_item_that_never_has_a_descriptor_fails_after_five_seconds(void **state)
{
	static const int errors[] = {EMFILE, ENFILE};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct scarcity *scarcity = scarcity_simulated(1);

		scarcity->limit = 0;
		scarcity->error = errors[i];
		scarcity->options.retries = 3;
		scarcity_run(scarcity);
		assert_int_equal(scarcity->outcomes[0].error, -errors[i]);
		assert_int_equal(scarcity->outcomes[0].opcode, IOBATCH_OP_OPENAT);
		assert_int_equal(scarcity->outcomes[0].attempts, 1);
		assert_int_equal(scarcity->result.retries, 0);
		/* After 10, 20, 40... 640 ms, and each second. */
		assert_int_equal(scarcity->tries[0], 12);
		assert_true(scarcity->result.processing_time_ms == 5270);
		scarcity_free(scarcity);
	}
}

static void behind_one_without_hope_the_others_fail_at_once(void **state)
{
	(void)state;
	for (unsigned rings = 1; rings <= 2; rings++) {
		struct scarcity *scarcity = scarcity_new(IOBATCH_EXECUTOR_SIMULATED, 20);

		scarcity->limit = 0;
		scarcity->options.batch_size = 1;
		scarcity->options.max_concurrent = 4;
		scarcity->options.rings = rings;
		scarcity_run(scarcity);
		assert_int_equal(scarcity->result.failed, 20);
		/* 5 s, up to 1 s to the next try, and little for each of the others. Rings that
		 * take turns do so in real time, and their own goes on meanwhile. */
		if (rings == 1)
			assert_in_range(scarcity->result.processing_time_ms, 5000, 7000);
		scarcity_free(scarcity);
	}
}

static void tries_follow_after_pauses_that_double(void **state)
{
	static const double at_ms[] = {0, 10, 30, 70, 150, 310, 630, 1270, 2270, 3270};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct scarcity *scarcity = scarcity_simulated(1);

		scarcity->failures = (int)i;
		scarcity_run(scarcity);
		assert_all_succeed(scarcity);
		assert_int_equal(scarcity->tries[0], i + 1);
		assert_true(scarcity->result.processing_time_ms == at_ms[i] + 1);
		scarcity_free(scarcity);
	}
}

static void what_waits_starts_when_another_item_has_ended(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(3);

	(void)state;
	scarcity->limit = 1;
	for (unsigned i = 0; i < 3; i++)
		scarcity->tasks[i].busy_ns = 7 * NS_PER_MS;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	assert_true(scarcity->result.processing_time_ms == 21);
	assert_int_equal(scarcity->refused, 2);
	scarcity_free(scarcity);
}

static void nothing_fails_while_another_item_is_in_flight(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(2);

	(void)state;
	scarcity->limit = 1;
	scarcity->tasks[0].busy_ns = 60000 * NS_PER_MS;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	assert_true(scarcity->result.processing_time_ms == 60001);
	/* It was tried meanwhile, in case that others let go of one: each second. */
	assert_true(scarcity->tries[1] > 60 && scarcity->tries[1] < 70);
	scarcity_free(scarcity);
}

static void nothing_new_starts_while_items_wait(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(ITEMS_MAX);

	(void)state;
	scarcity->limit = 10;
	scarcity->options.batch_size = 10;
	scarcity->options.max_concurrent = 4;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	/* At first all that there is room for; then one too many now and then. */
	assert_true(scarcity->refused >= 30 && scarcity->refused < 70);
	/* And the ten that there may be are used most of the time. */
	assert_true(scarcity->result.processing_time_ms >= 40 &&
	            scarcity->result.processing_time_ms < 60);
	scarcity_free(scarcity);
}

static void the_width_grows_again_when_there_are_descriptors_again(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(ITEMS_MAX);

	(void)state;
	/* All but the first four are refused, once. */
	scarcity->limit = 4;
	scarcity->options.batch_size = 20;
	scarcity->options.max_concurrent = 1;
	scarcity->tasks[0].busy_ns = 3 * NS_PER_MS;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	assert_true(scarcity->result.processing_time_ms >= 100);
	scarcity->limit = 1000;
	scarcity->settled = 0;
	scarcity_run(scarcity);
	assert_true(scarcity->result.processing_time_ms < 25);
	scarcity_free(scarcity);
}

static void an_item_that_wants_more_than_there_are_fails_alone(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(100);

	(void)state;
	scarcity->limit = 3;
	scarcity->options.batch_size = 10;
	scarcity->options.max_concurrent = 2;
	scarcity->tasks[5].files = 4;
	scarcity_run(scarcity);
	assert_int_equal(scarcity->run_error, 0);
	assert_int_equal(scarcity->result.failed, 1);
	assert_int_equal(scarcity->outcomes[5].error, -EMFILE);
	assert_int_equal(scarcity->outcomes[5].attempts, 1);
	assert_int_equal(scarcity->open, 0);
	scarcity_free(scarcity);
}

static void items_of_several_files_do_not_block_each_other(void **state)
{
	(void)state;
	for (int limit = 4; limit < 24; limit++) {
		struct scarcity *scarcity = scarcity_simulated(200);

		scarcity->limit = limit;
		scarcity->options.batch_size = 10;
		for (unsigned i = 0; i < 200; i++)
			scarcity->tasks[i].files = 1 + i % 4;
		scarcity->simulation.latency_max_ns = NS_PER_MS;
		scarcity->simulation.seed = (uint64_t)limit;
		scarcity_run(scarcity);
		assert_all_succeed(scarcity);
		assert_int_equal(scarcity->open, 0);
		scarcity_free(scarcity);
	}
}

static void rings_share_what_there_is(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 20; seed++) {
		struct scarcity *scarcity = scarcity_simulated(300);

		scarcity->limit = 6;
		scarcity->options.batch_size = 5;
		scarcity->options.rings = 3;
		scarcity->simulation.seed = seed;
		scarcity->simulation.latency_max_ns = NS_PER_MS;
		for (unsigned i = 0; i < 300; i++)
			scarcity->tasks[i].files = 1 + i % 2;
		scarcity_run(scarcity);
		assert_int_equal(scarcity->run_error, 0);
		assert_int_equal(scarcity->open, 0);
		/* Clocks of their own: one may be patient for seconds while another blinks. */
		assert_int_equal(scarcity->result.retries, 0);
		scarcity_free(scarcity);
	}
}

static void a_deadline_begins_anew_with_the_try(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(2);

	(void)state;
	scarcity->limit = 1;
	scarcity->options.timeout_ms = 50;
	scarcity->tasks[0].busy_ns = scarcity->tasks[1].busy_ns = 49 * NS_PER_MS;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	assert_true(scarcity->result.processing_time_ms == 98);
	scarcity_free(scarcity);
}

static void what_waits_for_a_descriptor_is_cancelled_when_the_run_is_halted(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(3);

	(void)state;
	scarcity->limit = 1;
	scarcity->options.timeout_ms = 50;
	scarcity->options.halt_after_failures = 1;
	scarcity->tasks[0].busy_ns = 60 * NS_PER_MS;
	scarcity_run(scarcity);
	assert_int_equal(scarcity->run_error, -ECANCELED);
	assert_int_equal(scarcity->result.failed, 3);
	assert_int_equal(scarcity->outcomes[0].error, -ETIME);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(scarcity->outcomes[i].error, -ECANCELED);
		assert_int_equal(scarcity->outcomes[i].attempts, 1);
	}
	scarcity_free(scarcity);
}

static int fail_in_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	struct scarcity *scarcity = context;

	(void)done;
	(void)chain;
	return ++scarcity->tries[item->index] < 4 ? -ENFILE : IOBATCH_DONE;
}

static void a_processor_that_says_so_waits_as_well(void **state)
{
	struct scarcity *scarcity = scarcity_simulated(1);

	(void)state;
	scarcity->processor.next = fail_in_next;
	scarcity_run(scarcity);
	assert_all_succeed(scarcity);
	assert_true(scarcity->result.processing_time_ms == 70);
	scarcity_free(scarcity);
}

/* --------------------------------------------------------- real ones -- */

static void all_items_succeed_with_few_descriptors(void **state)
{
	unsigned executor = trial_executor(state);
	struct rlimit before, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned variant = 0; variant < 8; variant++) {
		struct scarcity *scarcity = scarcity_new(executor, ITEMS_MAX);
		/* Beyond the rings' own, or the pools'. */
		unsigned rings = variant & 1 ? 2 : 1;

		few = before;
		few.rlim_cur = trial_open_descriptors() + 2 * rings + (variant & 2 ? 6 : 30);
		scarcity->options.rings = rings;
		scarcity->options.timeout_ms = variant & 4 ? 30000 : 0;
		scarcity->options.batch_size = 32;
		for (unsigned i = 0; i < ITEMS_MAX; i++)
			scarcity->tasks[i] = (struct task){.files = 1 + i % 3, .busy_ns = 100000};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		scarcity_run(scarcity);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_all_succeed(scarcity);
		scarcity_free(scarcity);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_that_never_has_a_descriptor_fails_after_five_seconds),
		cmocka_unit_test(behind_one_without_hope_the_others_fail_at_once),
		cmocka_unit_test(tries_follow_after_pauses_that_double),
		cmocka_unit_test(what_waits_starts_when_another_item_has_ended),
		cmocka_unit_test(nothing_fails_while_another_item_is_in_flight),
		cmocka_unit_test(nothing_new_starts_while_items_wait),
		cmocka_unit_test(the_width_grows_again_when_there_are_descriptors_again),
		cmocka_unit_test(an_item_that_wants_more_than_there_are_fails_alone),
		cmocka_unit_test(items_of_several_files_do_not_block_each_other),
		cmocka_unit_test(rings_share_what_there_is),
		cmocka_unit_test(a_deadline_begins_anew_with_the_try),
		cmocka_unit_test(what_waits_for_a_descriptor_is_cancelled_when_the_run_is_halted),
		cmocka_unit_test(a_processor_that_says_so_waits_as_well),
		TRIAL_ON_REAL(all_items_succeed_with_few_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

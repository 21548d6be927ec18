/* SPDX-License-Identifier: MIT */
/*
 * Deadlines that are not met: what is late is cancelled and settled on time; what ignores that is
 * set aside and counted, and the others go on at full width. Where time matters it is virtual.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define ITEMS 200u
#define NEVER UINT64_MAX

/* How the one op of an item behaves, and what was seen of the item. */
enum behaviour {
	WELL,
	HANGS,         /* until it is cancelled */
	HANGS_DEAF,    /* for ever */
	ANSWERS_LATE,  /* ignores that it was cancelled, and answers some time after */
	OPENS_LATE,    /* the same with an open that succeeds */
	CLOSE_IS_DEAF, /* all is well but that the file does not close */
};

struct world {
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;
	enum behaviour behaviour[ITEMS];
	unsigned count;
	uint64_t late_ns;    /* how long after the start late ones answer */
	uint64_t latency_ns; /* of the others */
	unsigned settled[ITEMS];
	unsigned stuck[ITEMS];
	unsigned cleanups[ITEMS];
	bool cleaned_after_settled;
	uint64_t stuck_peak;      /* that progress has told */
	uint64_t first_full_ns;   /* when progress has told of all items but one */
	uint64_t elapsed_well_ns; /* when the last healthy item settled */
};

/* The op's number of bytes says which item it is for. */
static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct world *world = context;
	enum behaviour behaviour = world->behaviour[item->index];

	if (done->count > 0)
		return IOBATCH_DONE;
	if (behaviour == OPENS_LATE || behaviour == CLOSE_IS_DEAF) {
		struct iobatch_op *op =
			iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));

		op->length = item->index;
		op->mode = behaviour;
	} else {
		iobatch_chain_add(chain, iobatch_op_statx(AT_FDCWD, "a", 0, 0, item->state));
		chain->ops[0].length = item->index;
	}
	return IOBATCH_MORE;
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct world *world = context;
	enum behaviour behaviour;

	answer->latency_ns = world->latency_ns;
	if (op->opcode == IOBATCH_OP_CLOSE) {
		if (world->behaviour[0] == CLOSE_IS_DEAF) {
			answer->latency_ns = world->late_ns;
			answer->cancel = IOBATCH_CANCEL_IGNORED;
		}
		return;
	}
	if (op->opcode != IOBATCH_OP_STATX && op->opcode != IOBATCH_OP_OPENAT)
		return;
	behaviour = world->behaviour[op->length];
	if (behaviour == HANGS || behaviour == HANGS_DEAF)
		answer->latency_ns = NEVER;
	if (behaviour == ANSWERS_LATE || behaviour == OPENS_LATE)
		answer->latency_ns = world->late_ns;
	if (behaviour == HANGS_DEAF || behaviour == ANSWERS_LATE || behaviour == OPENS_LATE)
		answer->cancel = IOBATCH_CANCEL_IGNORED;
}

static int cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct world *world = context;

	(void)chain;
	world->cleanups[item->index]++;
	world->cleaned_after_settled |= world->settled[item->index] > 0;
	return IOBATCH_DONE;
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct world *world = context;

	world->settled[outcome->index]++;
	world->stuck[outcome->index] += outcome->stuck;
	assert_int_equal(outcome->stuck, outcome->still_running);
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct world *world = context;

	if (progress->stuck > world->stuck_peak)
		world->stuck_peak = progress->stuck;
	if (progress->successful > 0)
		world->elapsed_well_ns = progress->elapsed_ns;
	if (progress->processed == world->count - 1 && !world->first_full_ns)
		world->first_full_ns = progress->elapsed_ns;
}

static void world_init(struct world *world, unsigned count)
{
	memset(world, 0, sizeof(*world));
	world->count = count;
	world->latency_ns = 1 * MS;
	world->late_ns = NEVER;
	world->processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	world->processor.context = world;
	world->processor.next = next;
	world->processor.cleanup = cleanup;
	world->processor.state_size = sizeof(struct statx);
	world->processor.files_max = 1;
	world->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	world->options.executor = IOBATCH_EXECUTOR_SIMULATED;
	world->options.simulation = &world->simulation;
	world->options.context = world;
	world->options.on_settled = on_settled;
	world->options.on_progress = on_progress;
	world->options.timeout_ms = 50;
	world->options.batch_size = 8;
	world->options.max_concurrent = 2;
	world->simulation.script = script;
	world->simulation.context = world;
	world->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
}

/* Runs it; every item has one outcome, and as many are stuck as say so. */
static int world_run(struct world *world)
{
	static char objects[ITEMS];
	struct iobatch_items items = iobatch_items_array(objects, world->count, 1);
	uint64_t stuck = 0;
	int error = iobatch_run(&items, &world->processor, &world->options, &world->result);

	for (unsigned i = 0; i < world->result.total_processed; i++)
		stuck += world->stuck[i];
	assert_int_equal(world->result.stuck, stuck);
	if (error)
		return error;
	assert_int_equal(world->result.total_processed, world->count);
	for (unsigned i = 0; i < world->count; i++)
		assert_int_equal(world->settled[i], 1);
	return 0;
}

static void assert_times_out(const struct world *world, unsigned index, unsigned attempts)
{
	for (uint64_t i = 0; i < world->result.failed_items_count; i++) {
		const struct iobatch_outcome *outcome = &world->result.failed_items[i];

		if (outcome->index != index)
			continue;
		assert_int_equal(outcome->error, -ETIME);
		assert_int_equal(outcome->attempts, attempts);
		return;
	}
	fail_msg("item %u has not failed", index);
}

static void what_hears_that_it_was_cancelled_is_not_stuck(void **state)
{
	for (unsigned guards = IOBATCH_GUARDS_AUTO; guards <= IOBATCH_GUARDS_LIST; guards++) {
		struct world world;

		(void)state;
		world_init(&world, 20);
		world.options.guards = guards;
		world.options.retries = 1;
		world.behaviour[3] = HANGS;
		assert_int_equal(world_run(&world), 0);
		assert_int_equal(world.result.successful, 19);
		assert_int_equal(world.result.stuck, 0);
		assert_times_out(&world, 3, 2);
		assert_int_equal(world.cleanups[3], 2);
		iobatch_result_deinit(&world.result);
	}
}

static void what_ignores_it_is_settled_on_time_and_still_running_at_the_end(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 20);
	world.behaviour[3] = HANGS_DEAF;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.successful, 19);
	assert_int_equal(world.result.stuck, 1);
	assert_int_equal(world.result.still_running, 1);
	assert_int_equal(world.stuck_peak, 1);
	assert_times_out(&world, 3, 1);
	assert_true(world.result.failed_items[0].stuck);
	assert_true(world.result.failed_items[0].still_running);
	assert_int_equal(world.result.failed_items[0].opcode, IOBATCH_OP_STATX);
	/* Asked to end at the deadline, and given up a millisecond later. */
	assert_int_equal(world.result.lateness.count, 1);
	assert_in_range(world.result.lateness.max_ns, 1 * MS, 2 * MS);
	/* The end has waited for it as long as it was told to. */
	assert_in_range((uint64_t)world.result.processing_time_ms, 50 + 1000, 50 + 1000 + 5);
	iobatch_result_deinit(&world.result);
}

static void a_late_answer_is_dropped_and_its_slot_is_used_again(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 100);
	world.options.max_stuck = 2;
	world.options.max_concurrent = 1;
	world.late_ns = 70 * MS;
	/* More in all than may be stuck at once. */
	for (unsigned i = 0; i < 100; i += 10)
		world.behaviour[i] = ANSWERS_LATE;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.failed, 10);
	assert_int_equal(world.result.stuck, 10);
	assert_int_equal(world.result.still_running, 0);
	assert_in_range(world.stuck_peak, 1, 2);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(world.result.failed_items[i].stuck);
		assert_false(world.result.failed_items[i].still_running);
		assert_int_equal(world.cleanups[10 * i], 1);
	}
	assert_true(world.cleaned_after_settled);
	iobatch_result_deinit(&world.result);
}

/* That nothing is left open is checked by the simulated kernel itself. */
static void a_late_successful_open_is_closed(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 30);
	world.late_ns = 80 * MS;
	world.behaviour[0] = world.behaviour[29] = OPENS_LATE;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.stuck, 2);
	assert_int_equal(world.result.still_running, 0);
	iobatch_result_deinit(&world.result);
}

static void a_file_that_does_not_close_is_late_as_well(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 10);
	world.behaviour[0] = CLOSE_IS_DEAF;
	assert_int_equal(world_run(&world), 0);
	assert_times_out(&world, 0, 1);
	assert_int_equal(world.result.failed_items[0].opcode, IOBATCH_OP_CLOSE);
	assert_int_equal(world.result.still_running, 1);
	iobatch_result_deinit(&world.result);
}

static void others_go_on_at_full_width(void **state)
{
	struct world world;
	uint64_t healthy_ns;

	(void)state;
	world_init(&world, ITEMS);
	world.options.max_concurrent = 1;
	world.options.stuck_grace_ms = 0;
	assert_int_equal(world_run(&world), 0);
	healthy_ns = world.elapsed_well_ns;
	iobatch_result_deinit(&world.result);

	world_init(&world, ITEMS);
	world.options.max_concurrent = 1;
	world.options.stuck_grace_ms = 0;
	for (unsigned i = 0; i < 8; i++)
		world.behaviour[i] = HANGS_DEAF;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.still_running, 8);
	/* The first batch has hung to its deadline; the others have run like any. */
	assert_in_range(world.elapsed_well_ns, healthy_ns + 50 * MS - 1 * MS, healthy_ns + 52 * MS);
	iobatch_result_deinit(&world.result);
}

static void with_attempts_left_there_is_more_time_to_answer_but_what_is_stuck_has_no_other(
	void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 3);
	world.options.retries = 2;
	world.behaviour[0] = HANGS_DEAF;
	world.behaviour[1] = ANSWERS_LATE;
	world.late_ns = 50 * MS + 20 * MS;
	assert_int_equal(world_run(&world), 0);
	assert_times_out(&world, 0, 1);
	/* The op's own answer decides: this one has been carried out after all. */
	assert_int_equal(world.result.successful, 2);
	assert_int_equal(world.result.stuck, 1);
	assert_in_range(world.result.lateness.max_ns, 40 * MS, 42 * MS);
	iobatch_result_deinit(&world.result);
}

static void more_than_max_stuck_halts_the_run_and_nothing_is_lost(void **state)
{
	for (unsigned variant = 0; variant < 8; variant++) {
		struct world world;
		uint64_t cancelled = 0, timed_out = 0;

		(void)state;
		world_init(&world, ITEMS);
		world.options.max_stuck = 3;
		world.options.max_concurrent = 3;
		world.options.stuck_grace_ms = 10;
		world.options.delay_ms = variant & 1 ? 2 : 0;
		world.options.retries = variant & 2 ? 1 : 0;
		world.options.backoff_ms = variant & 4 ? 30 : 0;
		for (unsigned i = 0; i < ITEMS; i++)
			world.behaviour[i] = i % 5 == 0 ? HANGS_DEAF : i % 5 == 1 ? HANGS : WELL;
		assert_int_equal(world_run(&world), -ETIMEDOUT);
		assert_non_null(strstr(world.result.message, "max_stuck is 3"));
		assert_true(world.result.total_processed < ITEMS);
		/* What was taken has an outcome, and one only. */
		assert_int_equal(world.result.total_processed % 8, 0);
		assert_int_equal(world.result.total_processed, 8 * world.result.total_batches);
		for (unsigned i = 0; i < ITEMS; i++)
			assert_int_equal(world.settled[i], i < world.result.total_processed);
		for (uint64_t i = 0; i < world.result.failed_items_count; i++) {
			cancelled += world.result.failed_items[i].error == -ECANCELED;
			timed_out += world.result.failed_items[i].error == -ETIME;
		}
		assert_int_equal(cancelled + timed_out, world.result.failed);
		assert_true(timed_out >= 4);
		assert_true(world.result.still_running >= 4);
		iobatch_result_deinit(&world.result);
	}
}

/* Whoever watches learns what has settled, although nothing settles any more. */
static void progress_is_told_while_something_hangs(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 8);
	world.options.timeout_ms = 10000;
	world.options.progress_interval_ms = 100;
	world.behaviour[0] = HANGS;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.first_full_ns / MS, 100);
	iobatch_result_deinit(&world.result);
}

/* The kernel keeps the buffers of what is stuck; others take their place. */
static int next_with_buffer(void *context, struct iobatch_item *item,
                            const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)context;
	if (done->count > 0)
		return IOBATCH_DONE;
	memset(item->buffers[0], (int)item->index, 4096);
	iobatch_chain_add(chain, iobatch_op_statx(AT_FDCWD, "a", 0, 0, item->buffers[0]));
	chain->ops[0].length = item->index;
	return IOBATCH_MORE;
}

static void buffers_of_what_is_stuck_are_replaced(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 60);
	world.processor.next = next_with_buffer;
	world.processor.buffer_size = 4096;
	world.processor.buffers_min = world.processor.buffers_max = 1;
	world.options.memory_limit = 2 * 4096;
	world.late_ns = 500 * MS;
	for (unsigned i = 0; i < 12; i++)
		world.behaviour[5 * i] = i % 2 ? HANGS_DEAF : ANSWERS_LATE;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.successful, 48);
	assert_int_equal(world.result.stuck, 12);
	assert_int_equal(world.result.still_running, 6);
	iobatch_result_deinit(&world.result);
}

/* Real pipes, or on the simulator an op that says nothing: cancelled alike everywhere. */
static int next_pipe(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	const int *fds = context;

	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_nop());
	iobatch_chain_add(chain, iobatch_op_read(IOBATCH_FD(fds[0]), item->state, 1, UINT64_MAX));
	iobatch_chain_add(chain, iobatch_op_nop());
	chain->unordered = item->index % 2;
	return IOBATCH_MORE;
}

static void silent_pipe(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_READ)
		answer->latency_ns = NEVER;
}

static void silent_pipes_time_out_are_retried_and_run_out(void **state)
{
	static char objects[50];
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
	unsigned executor = trial_executor(state);

	for (unsigned guards = IOBATCH_GUARDS_AUTO; guards <= IOBATCH_GUARDS_LIST; guards++) {
		struct iobatch_simulation simulation = {.script = silent_pipe};
		struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
		struct iobatch_options options = IOBATCH_OPTIONS_INIT;
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		processor.context = fds;
		processor.next = next_pipe;
		processor.chain_ops_max = 3;
		processor.state_size = 1;
		options.executor = executor;
		options.guards = guards;
		options.timeout_ms = 20;
		options.retries = 2;
		/* A pool has a thread for each read that blocks it. */
		options.threads = 50;
		options.simulation = &simulation;
		assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
		assert_int_equal(result.failed, 50);
		/* On a busy machine an answer may come so late that its item was given up. */
		if (executor == IOBATCH_EXECUTOR_SIMULATED)
			assert_int_equal(result.stuck, 0);
		assert_in_range(result.retries, 100 - 2 * result.stuck, 100);
		assert_int_equal(result.still_running, 0);
		for (unsigned i = 0; i < 50; i++) {
			const struct iobatch_outcome *outcome = &result.failed_items[i];

			assert_int_equal(outcome->error, -ETIME);
			assert_int_equal(outcome->opcode, IOBATCH_OP_READ);
			assert_true(outcome->stuck || outcome->attempts == 3);
		}
		assert_true(result.processing_time_ms >= (result.stuck ? 20 : 60));
		iobatch_result_deinit(&result);
		close(fds[0]);
		close(fds[1]);
	}
}

/* Ops that cannot be cancelled but end, as a disk's under load do, are no reason to halt. */
static void more_than_max_stuck_that_are_only_slow_do_not_halt_the_run(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, ITEMS);
	world.options.batch_size = world.options.path_ops_max = ITEMS;
	world.options.max_stuck = 10;
	world.late_ns = 50 * MS + 300 * MS;
	for (unsigned i = 0; i < ITEMS; i++)
		world.behaviour[i] = i % 2 ? ANSWERS_LATE : WELL;
	assert_int_equal(world_run(&world), 0);
	/* Those above it have had the time to answer, and it is the answer that counts. */
	assert_int_equal(world.result.failed, 10);
	assert_int_equal(world.result.stuck, 10);
	assert_int_equal(world.result.still_running, 0);
	iobatch_result_deinit(&world.result);
}

static int cleanup_with_an_op(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	(void)context;
	(void)item;
	iobatch_chain_add(chain, iobatch_op_unlinkat(AT_FDCWD, "a", 0));
	return IOBATCH_MORE;
}

static void script_with_a_slow_unlink(void *context, const struct iobatch_op *op,
                                      struct iobatch_answer *answer)
{
	script(context, op, answer);
	if (op->opcode == IOBATCH_OP_UNLINKAT)
		answer->latency_ns = 10 * MS;
}

static void what_cleans_up_behind_the_deadline_is_not_stuck(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, 20);
	world.processor.cleanup = cleanup_with_an_op;
	world.simulation.script = script_with_a_slow_unlink;
	world.options.max_stuck = 2;
	for (unsigned i = 0; i < 20; i += 2)
		world.behaviour[i] = HANGS;
	assert_int_equal(world_run(&world), 0);
	assert_int_equal(world.result.failed, 10);
	assert_int_equal(world.result.stuck, 0);
	iobatch_result_deinit(&world.result);
}

/* The first item's callback keeps the thread busy while the second one waits for its buffer. */
static int next_that_is_slow(void *context, struct iobatch_item *item,
                             const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)context;
	if (done->count > 0) {
		if (item->index == 0)
			usleep(600000);
		return IOBATCH_DONE;
	}
	iobatch_chain_add(chain, iobatch_op_timeout(1 * MS));
	return IOBATCH_MORE;
}

static void an_attempts_time_does_not_run_while_others_callbacks_do(void **state)
{
	static char objects[2];
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	processor.next = next_that_is_slow;
	processor.buffer_size = 4096;
	processor.buffers_min = processor.buffers_max = 1;
	options.executor = trial_executor(state);
	options.memory_limit = 4096;
	options.timeout_ms = 500;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 2);
	iobatch_result_deinit(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hears_that_it_was_cancelled_is_not_stuck),
		cmocka_unit_test(what_ignores_it_is_settled_on_time_and_still_running_at_the_end),
		cmocka_unit_test(a_late_answer_is_dropped_and_its_slot_is_used_again),
		cmocka_unit_test(a_late_successful_open_is_closed),
		cmocka_unit_test(a_file_that_does_not_close_is_late_as_well),
		cmocka_unit_test(others_go_on_at_full_width),
		cmocka_unit_test(
			with_attempts_left_there_is_more_time_to_answer_but_what_is_stuck_has_no_other),
		cmocka_unit_test(more_than_max_stuck_halts_the_run_and_nothing_is_lost),
		cmocka_unit_test(more_than_max_stuck_that_are_only_slow_do_not_halt_the_run),
		cmocka_unit_test(what_cleans_up_behind_the_deadline_is_not_stuck),
		TRIAL_ON(an_attempts_time_does_not_run_while_others_callbacks_do, "ring",
	                 IOBATCH_EXECUTOR_RING),
		TRIAL_ON(an_attempts_time_does_not_run_while_others_callbacks_do, "syscall",
	                 IOBATCH_EXECUTOR_SYSCALL),
		cmocka_unit_test(progress_is_told_while_something_hangs),
		cmocka_unit_test(buffers_of_what_is_stuck_are_replaced),
		TRIAL_ON_EACH(silent_pipes_time_out_are_retried_and_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

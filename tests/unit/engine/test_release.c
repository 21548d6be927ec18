/* SPDX-License-Identifier: MIT */
/*
 * How items leave: their objects go back exactly once, when nothing of them is in flight; what
 * there was nothing to do for is counted as that; a descriptor that was taken stays open.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"

#define ITEMS 200u
#define MS UINT64_C(1000000)

/* What was seen of an item. */
struct record {
	atomic_uint settled;
	atomic_uint released;
	atomic_uint cleanups;
	bool early;   /* given back before it had settled, or while something was in flight */
	bool skipped; /* as its outcome says */
	const char *error_name;
};

struct world {
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;
	struct iobatch_progress progress;
	struct record records[ITEMS];
	uint64_t values[ITEMS];
	uint64_t given;
	bool listens; /* are there on_settled and on_progress? */
	int fds[ITEMS];
};

/* ------------------------------------------------------------- the world -- */

static ssize_t pull(void *context, void *object)
{
	struct world *world = context;

	if (world->given == ITEMS)
		return 0;
	memcpy(object, &world->values[world->given++], sizeof(uint64_t));
	return sizeof(uint64_t);
}

static void release(void *context, void *object)
{
	struct world *world = context;
	struct record *record = &world->records[*(uint64_t *)object];

	record->released++;
	record->early |= world->listens && record->settled != 1;
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct world *world = context;
	struct record *record = &world->records[outcome->index];

	record->settled++;
	record->early |= record->released > 0;
	record->skipped = outcome->skipped;
	record->error_name = outcome->error_name;
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct world *world = context;

	assert_true(progress->skipped >= world->progress.skipped);
	assert_true(progress->skipped <= progress->successful);
	world->progress = *progress;
}

static void world_init(struct world *world, unsigned executor, bool listens)
{
	*world = (struct world){
		.processor = IOBATCH_PROCESSOR_INIT,
		.options = IOBATCH_OPTIONS_INIT,
		.result = IOBATCH_RESULT_INIT,
		.listens = listens,
	};
	for (unsigned i = 0; i < ITEMS; i++)
		world->values[i] = i;
	world->processor.context = world;
	world->options.executor = executor;
	world->options.simulation = &world->simulation;
	world->options.context = world;
	world->options.batch_size = 9;
	world->options.collect = 0;
	if (listens) {
		world->options.on_settled = on_settled;
		world->options.on_progress = on_progress;
		world->options.collect = IOBATCH_COLLECT_FAILED | IOBATCH_COLLECT_SUCCESSFUL;
	}
}

static int world_run(struct world *world, bool streams)
{
	struct iobatch_items items = iobatch_items_array(world->values, ITEMS, sizeof(uint64_t));

	if (streams)
		items = iobatch_items_stream(pull, world, sizeof(uint64_t));
	items.context = world;
	items.release = release;
	return iobatch_run(&items, &world->processor, &world->options, &world->result);
}

/* ---------------------------------------------------------------- release -- */

static int next_that_fails(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct world *world = context;

	/* An object that is with an item is not given back. */
	assert_int_equal(world->records[item->index].released, 0);
	if (done->count > 0 &&
	    (item->index % 5 == 0 || (item->index % 7 == 0 && item->attempt < 2)))
		return -EIO;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static void each_object_goes_back_once_when_its_item_has_settled(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned kind = 0; kind < 8; kind++) {
		struct world world;

		world_init(&world, executor, kind & 1);
		world.processor.next = next_that_fails;
		world.options.rings = kind & 2 ? 3 : 1;
		world.options.retries = 2;
		world.options.backoff_ms = 1;
		assert_int_equal(world_run(&world, kind & 4), 0);
		assert_int_equal(world.result.failed, ITEMS / 5);
		for (unsigned i = 0; i < ITEMS; i++) {
			assert_int_equal(world.records[i].released, 1);
			assert_false(world.records[i].early);
		}
		iobatch_result_deinit(&world.result);
	}
}

static int next_that_hangs(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct world *world = context;

	assert_int_equal(world->records[item->index].released, 0);
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
	chain->ops[0].mode = (uint32_t)item->index;
	return IOBATCH_MORE;
}

static int cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct world *world = context;
	struct record *record = &world->records[item->index];

	assert_int_equal(record->released, 0);
	record->cleanups++;
	iobatch_chain_add(chain, iobatch_op_unlinkat(AT_FDCWD, "a", 0));
	return IOBATCH_MORE;
}

/* Of ten items one ignores its cancellation and answers late, and one never answers. */
static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode != IOBATCH_OP_OPENAT || op->mode % 10 > 1)
		return;
	answer->cancel = IOBATCH_CANCEL_IGNORED;
	answer->latency_ns = op->mode % 10 ? UINT64_MAX : 200 * MS;
}

static void what_is_stuck_goes_back_when_it_has_answered_and_been_cleaned_up(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, IOBATCH_EXECUTOR_SIMULATED, true);
	world.processor.next = next_that_hangs;
	world.processor.cleanup = cleanup;
	world.processor.files_max = 1;
	world.simulation.script = script;
	world.options.timeout_ms = 20;
	assert_int_equal(world_run(&world, true), 0);
	assert_int_equal(world.result.stuck, ITEMS / 5);
	assert_int_equal(world.result.still_running, ITEMS / 10);
	for (unsigned i = 0; i < ITEMS; i++) {
		const struct record *record = &world.records[i];

		assert_int_equal(record->settled, 1);
		assert_int_equal(record->released, i % 10 != 1);
		assert_int_equal(record->cleanups, i % 10 == 0);
		assert_false(record->early);
	}
	iobatch_result_deinit(&world.result);
}

/* In flight, in a backoff, waiting for its turn: whatever an item does when the run is halted. */
static void a_run_that_is_halted_gives_back_what_it_has_taken(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 8; kind++) {
		struct world world;
		uint64_t released = 0;

		world_init(&world, IOBATCH_EXECUTOR_SIMULATED, true);
		world.processor.next = next_that_hangs;
		world.processor.cleanup = kind & 1 ? cleanup : NULL;
		world.processor.files_max = 1;
		world.simulation.script = script;
		world.simulation.error_permille = 300;
		world.simulation.latency_max_ns = 10 * MS;
		world.options.timeout_ms = 20;
		world.options.retries = 3;
		world.options.backoff_ms = kind & 2 ? 15 : 0;
		world.options.delay_ms = kind & 4 ? 3 : 0;
		world.options.max_stuck = 1;
		world.options.max_concurrent = 4;
		world.options.stuck_grace_ms = 40;
		assert_int_equal(world_run(&world, true), -ETIMEDOUT);
		assert_true(world.given < ITEMS && world.result.total_processed == world.given);
		for (unsigned i = 0; i < ITEMS; i++) {
			const struct record *record = &world.records[i];

			assert_int_equal(record->settled, i < world.given);
			assert_true(record->released <= record->settled);
			assert_false(record->early);
			released += record->released;
		}
		assert_int_equal(released, world.given - world.result.still_running);
		iobatch_result_deinit(&world.result);
	}
}

/* ------------------------------------------------------------------- skip -- */

static const struct iobatch_error same = {"ESAME", "it is the same already"};
static const struct iobatch_error different = {"EDIFFERENT", "it is not"};

/* Of three items one is skipped at once, and one after an op; in each second attempt, if any. */
static int next_that_skips(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct world *world = context;

	if (item->attempt <= world->options.retries) {
		/* What it says of an attempt that fails all the same is of no matter. */
		(void)iobatch_item_skip(item, &different);
		return -EIO;
	}
	if (item->index % 3 == 0 || (item->index % 3 == 1 && done->count > 0))
		return iobatch_item_skip(item, &same);
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static void what_is_skipped_is_successful_and_counted(void **state)
{
	unsigned executor = trial_executor(state), skipped = (ITEMS + 2) / 3 + (ITEMS + 1) / 3;

	for (unsigned kind = 0; kind < 8; kind++) {
		struct world world;

		world_init(&world, executor, kind & 1);
		world.processor.next = next_that_skips;
		world.options.rings = kind & 2 ? 3 : 1;
		world.options.retries = kind & 4 ? 1 : 0;
		assert_int_equal(world_run(&world, true), 0);
		assert_int_equal(world.result.successful, ITEMS);
		assert_int_equal(world.result.skipped, skipped);
		for (unsigned i = 0; world.listens && i < ITEMS; i++) {
			const struct iobatch_outcome *outcome = &world.result.successful_items[i];

			assert_int_equal(world.records[i].skipped, i % 3 != 2);
			assert_int_equal(outcome->skipped, i % 3 != 2);
			assert_int_equal(outcome->error, 0);
			assert_ptr_equal(outcome->error_name, i % 3 == 2 ? NULL : same.name);
			assert_ptr_equal(outcome->message, i % 3 == 2 ? NULL : same.message);
		}
		if (world.listens)
			assert_int_equal(world.progress.skipped, skipped);
		iobatch_result_deinit(&world.result);
	}
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	(void)context;
	assert_int_equal(outcome->skipped, item->index % 3 != 2);
	switch (item->index % 9) {
	case 0:
		return -EDOM;
	case 1:
		return iobatch_item_fail(item, &different);
	case 3:
		return IOBATCH_OWN_ERROR;
	default:
		return 0;
	}
}

static void a_skip_that_settled_turns_into_a_failure_is_none(void **state)
{
	static const char *const names[9] = {"EDOM", "EDIFFERENT", NULL,    "EUNKNOWN", "ESAME",
	                                     NULL,   "ESAME",      "ESAME", NULL};
	unsigned failed = 0, skipped = 0;
	struct world world;

	world_init(&world, trial_executor(state), true);
	world.processor.next = next_that_skips;
	world.processor.settled = settled;
	assert_int_equal(world_run(&world, false), 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		const struct record *record = &world.records[i];
		bool fails = i % 9 == 0 || i % 9 == 1 || i % 9 == 3;

		failed += fails;
		skipped += !fails && i % 3 != 2;
		assert_int_equal(record->skipped, !fails && i % 3 != 2);
		if (names[i % 9])
			assert_string_equal(record->error_name, names[i % 9]);
		else
			assert_null(record->error_name);
	}
	assert_int_equal(world.result.failed, failed);
	assert_int_equal(world.result.skipped, skipped);
	assert_int_equal(world.progress.skipped, skipped);
	iobatch_result_deinit(&world.result);
}

/* ---------------------------------------------------------------- take_fd -- */

/* Opens two files, takes the first and uses it, and takes nothing twice. */
static int next_that_takes(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct world *world = context;
	int *fd = &world->fds[item->index];

	if (done->count == 0) {
		assert_int_equal(iobatch_item_take_fd(item, 0), -EBADF);
		iobatch_chain_add(chain,
		                  iobatch_op_openat(0, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0));
		iobatch_chain_add(chain,
		                  iobatch_op_openat(1, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0));
		chain->unordered = true;
		return IOBATCH_MORE;
	}
	if (done->count == 1)
		return IOBATCH_DONE;
	*fd = iobatch_item_take_fd(item, 0);
	assert_true(*fd >= 0);
	assert_int_equal(iobatch_item_take_fd(item, 0), -EBADF);
	assert_int_equal(iobatch_item_take_fd(item, -1), -EBADF);
	assert_int_equal(iobatch_item_take_fd(item, 2), -EBADF);
	iobatch_chain_add(chain, iobatch_op_read(IOBATCH_FD(*fd), item->state, 1, 0));
	return IOBATCH_MORE;
}

static void a_descriptor_that_was_taken_stays_open(void **state)
{
	unsigned executor = trial_executor(state);
	unsigned descriptors = trial_open_descriptors();
	bool real = executor != IOBATCH_EXECUTOR_SIMULATED;
	struct world world;

	world_init(&world, executor, false);
	world.processor.next = next_that_takes;
	world.processor.process_files = 1;
	world.processor.files_max = 2;
	world.processor.chain_ops_max = 2;
	world.processor.state_size = 1;
	world.simulation.file_size = 1;
	assert_int_equal(world_run(&world, false), 0);
	assert_int_equal(world.result.successful, ITEMS);
	if (real)
		assert_int_equal(trial_open_descriptors(), descriptors + ITEMS);
	for (unsigned i = 0; i < ITEMS; i++) {
		struct stat stat;

		for (unsigned j = 0; j < i; j++)
			assert_true(world.fds[i] != world.fds[j]);
		if (real)
			assert_int_equal(fstat(world.fds[i], &stat), 0);
		if (real)
			close(world.fds[i]);
	}
	assert_int_equal(trial_open_descriptors(), descriptors);
	iobatch_result_deinit(&world.result);
}

static int next_that_may_not(void *context, struct iobatch_item *item,
                             const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)context;
	if (done->count > 0) {
		assert_int_equal(iobatch_item_take_fd(item, 0), -EINVAL);
		return IOBATCH_DONE;
	}
	iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0));
	return IOBATCH_MORE;
}

static void files_that_may_be_a_rings_own_are_not_taken(void **state)
{
	unsigned executor = trial_executor(state);
	unsigned descriptors = trial_open_descriptors();
	struct world world;

	world_init(&world, executor, false);
	world.processor.next = next_that_may_not;
	world.processor.files_max = 1;
	assert_int_equal(world_run(&world, false), 0);
	assert_int_equal(world.result.successful, ITEMS);
	assert_int_equal(trial_open_descriptors(), descriptors);
	iobatch_result_deinit(&world.result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(each_object_goes_back_once_when_its_item_has_settled),
		cmocka_unit_test(what_is_stuck_goes_back_when_it_has_answered_and_been_cleaned_up),
		cmocka_unit_test(a_run_that_is_halted_gives_back_what_it_has_taken),
		TRIAL_ON_EACH(what_is_skipped_is_successful_and_counted),
		TRIAL_ON_EACH(a_skip_that_settled_turns_into_a_failure_is_none),
		TRIAL_ON_EACH(a_descriptor_that_was_taken_stays_open),
		TRIAL_ON_EACH(files_that_may_be_a_rings_own_are_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Random runs on the simulator: options, processor and answers all come from a seed, and what every
 * run promises is checked while it goes on, from inside (random_observer.c) and from outside.
 *
 * Arguments: how many seeds (default 500), and the first of them, to see one again.
 */
#include "random.h"

#define DATA_SIZE 4000u /* of a buffer; behind it stands whose it is */

/* -------------------------------------------------------------- processor --
 */

struct state {
	uint64_t random;
	uint32_t open;      /* files that are surely open */
	uint32_t completed; /* ops of the unordered chain that are not in flight */
	unsigned steps, agains;
	bool insists; /* has an op that must read all, and may not fail */
};

static struct record *record_of(struct world *world, const struct iobatch_item *item)
{
	CHECK(item->index < world->count);
	CHECK(*(uint64_t *)item->object == item->index);
	return &world->records[item->index];
}

static bool holds_any_file(const struct iobatch_item *item)
{
	const struct slot *slot = (const struct slot *)item;

	return slot->files_open || observer_holds_files(slot_reaper(slot)->executor, slot->number);
}

static uint64_t *mark_of(const struct iobatch_item *item, unsigned buffer)
{
	return (uint64_t *)((char *)item->buffers[buffer] + BUFFER_SIZE) - 1;
}

/* A buffer belongs to one attempt as long as it has it. */
static void check_buffers(const struct iobatch_item *item, unsigned marked)
{
	for (unsigned i = 0; i < item->buffer_count; i++) {
		if (i < marked)
			CHECK(*mark_of(item, i) == (item->index << 32 | item->attempt));
		*mark_of(item, i) = item->index << 32 | item->attempt;
	}
}

static struct iobatch_op move(uint64_t *random, const struct iobatch_item *item, int file)
{
	bool reads = one_in(random, 2);
	char *data = item->scratch;
	struct iobatch_op op;

	if (item->buffer_count > 0)
		data = item->buffers[below(random, item->buffer_count)];
	op = reads ? iobatch_op_read(file, data, below(random, DATA_SIZE), below(random, 9000))
	           : iobatch_op_write(file, data, below(random, DATA_SIZE), below(random, 9000));
	if (reads && one_in(random, 6))
		op.flags |= IOBATCH_EXACT;
	return op;
}

static struct iobatch_op other_op(uint64_t *random, const struct iobatch_item *item)
{
	switch (below(random, 5)) {
	case 0:
		return iobatch_op_statx(AT_FDCWD, "a", 0, STATX_SIZE,
		                        (struct statx *)((char *)item->scratch + DATA_SIZE));
	case 1:
		return iobatch_op_timeout(below(random, 3000000));
	case 2:
		return iobatch_op_unlinkat(AT_FDCWD, "a", 0);
	case 3:
		return iobatch_op_fchmodat(AT_FDCWD, "a", 0600);
	default:
		return iobatch_op_nop();
	}
}

/* In order a file may be used after it was opened; at once each is opened,
 * closed or used. */
static void fill(struct world *world, struct iobatch_item *item, struct state *state,
                 struct iobatch_chain *chain)
{
	unsigned count = 1 + (unsigned)below(&state->random, chain->capacity);
	uint32_t open = state->open, unsure = 0, used = 0, gone = 0;

	chain->unordered = one_in(&state->random, 2);
	while (chain->count < count) {
		struct iobatch_op op = other_op(&state->random, item);
		unsigned files = world->processor.files_max;
		int file = files ? (int)below(&state->random, files) : -1;
		uint32_t bit = files ? 1u << file : 0;

		if (file >= 0 && !one_in(&state->random, 4)) {
			if (gone & bit)
				continue;
			if (unsure & bit || (open & bit && !one_in(&state->random, 3))) {
				op = move(&state->random, item, file);
				used |= bit;
			} else if (chain->unordered && used & bit) {
				continue;
			} else if (open & bit) {
				op = iobatch_op_close(file);
				open &= ~bit;
				gone |= chain->unordered ? bit : 0;
			} else {
				op = iobatch_op_openat(file, AT_FDCWD, "a", O_RDONLY, 0);
				open |= bit;
				unsure |= chain->unordered ? bit : 0;
			}
		}
		if (!op_is(&op, OP_CLOSES_FILE) && one_in(&state->random, 6)) {
			op.flags |= IOBATCH_MAY_FAIL;
			if (op_is(&op, OP_OPENS_FILE))
				unsure |= bit;
		}
		state->insists |= op.flags == IOBATCH_EXACT;
		iobatch_chain_add(chain, op);
	}
}

static void check_done(struct state *state, const struct iobatch_chain *done)
{
	for (unsigned i = 0; i < done->count; i++) {
		const struct iobatch_op *op = &done->ops[i];

		CHECK(op->result >= 0 || op->flags & IOBATCH_MAY_FAIL);
		CHECK(op->result != -ECANCELED);
		if (op->result >= 0 &&
		    (op->opcode == IOBATCH_OP_WRITE || op->flags & IOBATCH_EXACT))
			CHECK((uint64_t)op->result == op->length);
		if (op_is(op, OP_OPENS_FILE) && op->result >= 0)
			state->open |= 1u << op->file;
		if (op_is(op, OP_CLOSES_FILE))
			state->open &= ~(1u << op->file);
	}
}

static void start_attempt(struct world *world, struct iobatch_item *item, struct state *state,
                          struct record *record)
{
	unsigned batch = (unsigned)item->index / world->options.batch_size;
	unsigned first = batch * world->options.batch_size;
	uint64_t random = world->seed ^ item->index << 20 ^ (uint64_t)item->attempt << 40;

	CHECK(item->attempt == record->attempts + 1 && item->attempt <= world->options.retries + 1);
	CHECK(!world->processor.cleanup || record->cleanups == record->attempts);
	CHECK(item->buffer_count == world->processor.buffers_min && item->bytes == 0);
	CHECK(!state->random && !state->open && !state->steps && !holds_any_file(item));
	record->attempts++;
	record->over = false;
	state->random = draw(&random) | 1;
	check_buffers(item, 0);
	if (item->attempt > 1)
		return;
	if (world->options.delay_ms && item->index > first)
		CHECK(world->records[item->index - 1].settled == 1);
	if (atomic_fetch_add(&world->batch_left[batch], 1) == 0)
		CHECK(atomic_fetch_add(&world->batches_active, 1) < world->options.max_concurrent);
}

static const struct iobatch_error own_error = {"EOWN", "an error of its own"};

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	struct state *state = item->state;
	unsigned held = item->buffer_count;

	CHECK(!record->settled && chain->count == 0 && !chain->unordered);
	if (item->attempt != record->attempts)
		start_attempt(world, item, state, record);
	CHECK(!record->over);
	check_buffers(item, held);
	check_done(state, done);
	record->over = true;
	state->completed = 0;
	if (one_in(&state->random, 20))
		return iobatch_item_fail(item, &own_error);
	if (one_in(&state->random, 20))
		return -EXDEV;
	if (state->steps++ > below(&state->random, 4))
		return IOBATCH_DONE;
	if (one_in(&state->random, 30)) {
		/* Nothing that can be carried out. */
		iobatch_chain_add(chain, iobatch_op_close(FILES_MAX));
		return IOBATCH_MORE;
	}
	record->over = false;
	if (one_in(&state->random, 3)) {
		unsigned wanted = (unsigned)below(&state->random, 6);
		unsigned now = iobatch_item_reserve(item, wanted);

		CHECK(now == item->buffer_count && now >= held &&
		      now <= world->processor.buffers_max);
		check_buffers(item, held);
	}
	fill(world, item, state, chain);
	return IOBATCH_MORE;
}

static int complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                    struct iobatch_op *op)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	struct state *state = item->state;
	unsigned number = (unsigned)(op - chain->ops);

	CHECK(!record->settled && !record->over && item->attempt == record->attempts);
	CHECK(chain->unordered && number < chain->count && !(state->completed & 1u << number));
	CHECK(op->result >= 0 || op->flags & IOBATCH_MAY_FAIL);
	check_buffers(item, item->buffer_count);
	state->completed |= 1u << number;
	if (one_in(&state->random, 40)) {
		record->over = true;
		return one_in(&state->random, 2) ? -EXDEV : iobatch_item_fail(item, &own_error);
	}
	/* This one again or another, unless it would open or close twice. */
	number = (unsigned)below(&state->random, chain->count);
	op = &chain->ops[number];
	if (state->agains < 6 && state->completed & 1u << number && one_in(&state->random, 3) &&
	    !op_is(op, OP_OPENS_FILE | OP_CLOSES_FILE)) {
		if (op_is(op, OP_MOVES_BYTES))
			op->length = below(&state->random, DATA_SIZE);
		state->agains++;
		state->completed &= ~(1u << number);
		iobatch_op_again(chain, op);
	}
	return 0;
}

static int cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	struct state *state = item->state;

	CHECK(!record->settled && item->attempt == record->attempts);
	CHECK(++record->cleanups == record->attempts && !holds_any_file(item));
	check_buffers(item, item->buffer_count);
	record->over = true;
	if (one_in(&state->random, 3))
		return IOBATCH_DONE;
	while (chain->count < chain->capacity && !one_in(&state->random, 3))
		iobatch_chain_add(chain, other_op(&state->random, item));
	/* It may forget to close. */
	if (world->processor.files_max > 0 && one_in(&state->random, 3))
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
	return IOBATCH_MORE;
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	const struct state *state = item->state;
	unsigned batch = (unsigned)item->index / world->options.batch_size;
	unsigned left = world->count - batch * world->options.batch_size;

	CHECK(++record->settled == 1 && !holds_any_file(item) && item->buffer_count == 0);
	CHECK(outcome->index == item->index && outcome->attempts == record->attempts);
	/* That an op was cancelled is either a deadline or nobody's business but the
	 * engine's. */
	CHECK(outcome->error != -ECANCELED && (outcome->error != -ENODATA || state->insists));
	CHECK(outcome->error != -ETIME || world->options.timeout_ms > 0);
	CHECK(outcome->error == 0 || record->attempts == world->options.retries + 1);
	if (world->processor.cleanup)
		CHECK(record->cleanups == record->attempts - !outcome->error);
	left = left < world->options.batch_size ? left : world->options.batch_size;
	if (atomic_fetch_add(&world->batch_left[batch], 1u << 16) >> 16 == left - 1)
		world->batches_active--;
	return item->index % 7 == world->seed % 11 ? -EDOM : 0;
}

/* -------------------------------------------------------------- listeners --
 */

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct world *world = context;

	CHECK(outcome->index < world->count && ++world->records[outcome->index].told == 1);
	CHECK((outcome->error == 0) == (outcome->error_name == NULL));
	world->digest = world->digest * 0x100000001b3u ^ outcome->index ^
	                (uint64_t)(uint32_t)outcome->error << 16 ^
	                (uint64_t)outcome->attempts << 48 ^ (uint64_t)(outcome->opcode + 1) << 56;
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct world *world = context;
	const struct iobatch_progress *last = &world->last;
	uint64_t total = progress->processed + progress->pending;

	CHECK(progress->processed == progress->successful + progress->failed);
	CHECK(progress->total_is_final ? total == world->count : total <= world->count);
	CHECK(progress->successful >= last->successful && progress->failed >= last->failed);
	CHECK(progress->current_batch >= last->current_batch && progress->retries >= last->retries);
	CHECK(progress->current_batch <= progress->total_batches);
	world->last = *progress;
}

static ssize_t pull(void *context, void *object)
{
	struct world *world = context;

	if (world->streamed == world->count)
		return 0;
	*(uint64_t *)object = world->streamed++;
	return sizeof(uint64_t);
}

/* -------------------------------------------------------------------- run --
 */

static void make_options(struct world *world, uint64_t *random)
{
	struct iobatch_options *options = &world->options;

	*options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	options->executor = IOBATCH_EXECUTOR_SIMULATED;
	options->batch_size = 1 + (uint32_t)below(random, 9);
	options->max_concurrent = 1 + (uint32_t)below(random, 5);
	options->rings = 1 + (uint32_t)below(random, 3);
	options->retries = (uint32_t)below(random, 4);
	options->delay_ms = one_in(random, 3) ? below(random, 4) : 0;
	options->timeout_ms = one_in(random, 2) ? below(random, 12) : 0;
	options->backoff_ms = one_in(random, 2) ? below(random, 4) : 0;
	options->collect = (uint32_t)below(random, 4);
	options->progress_interval_ms = below(random, 3);
	options->context = world;
	options->on_settled = on_settled;
	options->on_progress = on_progress;
	options->simulation = &world->simulation;
	world->simulation.seed = draw(random);
	world->simulation.latency_max_ns = one_in(random, 4) ? 0 : below(random, 2000000);
	world->simulation.file_size = below(random, 20000);
	world->simulation.error_permille = (uint32_t)below(random, 200);
	world->simulation.short_permille = (uint32_t)below(random, 400);
	world->simulation.context = world;
}

static void make_processor(struct world *world, uint64_t *random)
{
	struct iobatch_processor *processor = &world->processor;
	uint64_t needed;

	*processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	processor->context = world;
	processor->state_size = sizeof(struct state);
	processor->scratch_size = DATA_SIZE + sizeof(struct statx);
	processor->chain_ops_max = 1 + (unsigned)below(random, 12);
	processor->files_max = (unsigned)below(random, 5);
	processor->buffer_size = BUFFER_SIZE;
	processor->buffers_max = (unsigned)below(random, 4);
	processor->buffers_min = (unsigned)below(random, processor->buffers_max + 1);
	processor->next = next;
	processor->complete = one_in(random, 4) ? NULL : complete;
	processor->cleanup = one_in(random, 3) ? NULL : cleanup;
	processor->settled = settled;
	/* As few buffers as are allowed, or some more. */
	needed = (uint64_t)processor->buffers_min * BUFFER_SIZE * world->options.rings;
	world->options.memory_limit = needed + below(random, 8) * BUFFER_SIZE;
}

/* Runs the world of a seed; returns a digest of all that is promised to be the
 * same again. */
static uint64_t run_seed(uint64_t seed, bool *ret_repeatable)
{
	struct world *world = calloc(1, sizeof(*world));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_items items;
	uint64_t random = seed, digest, batches;
	bool streams;

	CHECK(world);
	current_seed = seed;
	world->seed = seed;
	world->count = (unsigned)below(&random, ITEMS_MAX + 1);
	make_options(world, &random);
	make_processor(world, &random);
	world->direct_files = one_in(&random, 2) && world->processor.files_max > 0;
	world->timers_link = one_in(&random, 2);
	world->unlinkable = one_in(&random, 2) ? (uint32_t)draw(&random) : 0;
	for (unsigned i = 0; i < ITEMS_MAX; i++)
		world->values[i] = i;
	streams = one_in(&random, 2);
	items = streams ? iobatch_items_stream(pull, world, sizeof(uint64_t))
	                : iobatch_items_array(world->values, world->count, sizeof(uint64_t));
	if (streams && one_in(&random, 2))
		items.count = world->count;

	CHECK(iobatch_run(&items, &world->processor, &world->options, &result) == 0);
	batches = (world->count + world->options.batch_size - 1) / world->options.batch_size;
	CHECK(result.total_processed == world->count && result.total_batches == batches);
	CHECK(result.successful + result.failed == world->count);
	CHECK(result.peak_batches <= world->options.max_concurrent);
	CHECK(world->batches_active == 0);
	CHECK(result.failed_items_count ==
	      (world->options.collect & IOBATCH_COLLECT_FAILED ? result.failed : 0));
	CHECK(result.successful_items_count ==
	      (world->options.collect & IOBATCH_COLLECT_SUCCESSFUL ? result.successful : 0));
	CHECK(world->last.processed == world->count && world->last.pending == 0);
	CHECK(world->last.successful == result.successful && world->last.total_is_final);
	for (unsigned i = 0; i < world->count; i++) {
		CHECK(world->records[i].settled == 1 && world->records[i].told == 1);
		result.retries -= world->records[i].attempts - 1;
	}
	CHECK(result.retries == 0);
	digest = world->digest ^ result.ops << 32 ^ (uint64_t)(result.processing_time_ms * 1e6);
	*ret_repeatable = world->options.rings == 1;
	iobatch_result_deinit(&result);
	free(world);
	return digest;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	printf("1..1\n");
	for (uint64_t seed = first; seed < first + count; seed++) {
		bool repeatable;
		uint64_t digest = run_seed(seed, &repeatable);

		if (repeatable)
			CHECK(run_seed(seed, &repeatable) == digest);
	}
	printf("ok 1 - %" PRIu64 " random runs keep every promise\n", count);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Random runs on the simulator: options, processor and answers all come from a
 * seed, and what every run promises is checked while it goes on. An observer
 * stands between engine and simulator. It knows what is in flight, refuses now
 * and then, gives out descriptors as a kernel does (the lowest that is free)
 * and gathers several completions.
 *
 * Arguments: how many seeds (default 500), and the first of them, to see one
 * again.
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEMS_MAX 60u
#define BUFFER_SIZE 4096u
#define DATA_SIZE 4000u /* of a buffer; behind it stands whose it is */
#define FD_FIRST 1000

static _Thread_local uint64_t current_seed; /* for the message */

static void broken(const char *what, int line)
{
	printf("Bail out! seed %" PRIu64 ", line %d: %s\n", current_seed, line, what);
	fflush(stdout);
	_exit(1);
}

/* Also from the threads of the rings, in which cmocka's asserts cannot be used.
 */
#define CHECK(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static uint64_t draw(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *random, uint64_t limit)
{
	return draw(random) % limit;
}

static bool one_in(uint64_t *random, unsigned n)
{
	return below(random, n) == 0;
}

/* ------------------------------------------------------------------ world --
 */

/* What was seen of an item. */
struct record {
	uint32_t attempts;
	uint32_t cleanups;
	unsigned settled;
	unsigned told;
	bool over; /* the processor has ended the attempt */
};

struct world {
	uint64_t seed;
	struct iobatch_options options;
	struct iobatch_processor processor;
	struct iobatch_simulation simulation;
	uint64_t values[ITEMS_MAX];
	struct record records[ITEMS_MAX];
	unsigned count;
	unsigned streamed;
	bool direct_files, timers_link;
	uint32_t unlinkable; /* bits of opcodes */
	struct iobatch_progress last;
	_Atomic unsigned batch_left[ITEMS_MAX];
	_Atomic unsigned batches_active;
	uint64_t digest; /* of what on_settled was told */
};

/* --------------------------------------------------------------- observer --
 */

struct flying {
	uint64_t id;
	const struct iobatch_op *op; /* NULL for a timer of the engine */
	struct iobatch_op copy;
	int fd;
	bool direct;
};

struct observer {
	struct executor base;
	struct executor *inner;
	struct world *world;
	uint64_t random;
	unsigned capacity, flying_count, flying_max;
	struct flying *flying;
	unsigned files;
	uint64_t *holder; /* of a descriptor or a direct file: 1 + slot * FILES_MAX +
	                     file, or 0 */
};

int __real_simulated_new(const struct executor_config *config, struct executor **ret_executor);
int __wrap_simulated_new(const struct executor_config *config, struct executor **ret_executor);

static bool refuses(struct observer *observer, unsigned count)
{
	return observer->flying_count + count > observer->capacity ||
	       (observer->flying_count > 0 && one_in(&observer->random, 16));
}

static void add_flying(struct observer *observer, const struct flying *flying)
{
	for (unsigned i = 0; i < observer->flying_count; i++) {
		const struct flying *other = &observer->flying[i];
		const char *a, *b;

		CHECK(other->id != flying->id);
		if (!flying->op || !other->op || id_number(flying->id) == id_number(other->id))
			continue;
		a = op_rest_buffer(flying->op);
		b = other->copy.buffer;
		if (op_is(flying->op, OP_MOVES_BYTES) && op_is(&other->copy, OP_MOVES_BYTES))
			CHECK(a + op_rest_length(flying->op) <= b || b + other->copy.length <= a);
	}
	CHECK(observer->flying_count < observer->flying_max);
	observer->flying[observer->flying_count++] = *flying;
}

static uint64_t holder_of(const struct executor_request *request)
{
	return 1 + (uint64_t)id_number(request->id) * FILES_MAX + (uint64_t)request->op->file;
}

static int observed_submit(struct executor *executor, const struct executor_request *requests,
                           unsigned count, uint64_t deadline_ns)
{
	struct observer *observer = (struct observer *)executor;

	if (refuses(observer, count))
		return -EAGAIN;
	for (unsigned i = 0; i < count; i++) {
		const struct executor_request *request = &requests[i];
		struct flying flying = {.id = request->id,
		                        .op = request->op,
		                        .copy = *request->op,
		                        .fd = request->fd,
		                        .direct = request->direct};
		bool named = op_is(request->op, OP_USES_FILE | OP_CLOSES_FILE);

		CHECK(count == 1 || executor->linkable[request->op->opcode]);
		if (request->direct)
			CHECK((unsigned)request->fd < observer->files);
		else if (named && request->op->file >= 0 && request->fd != -1)
			CHECK(request->fd >= FD_FIRST &&
			      observer->holder[request->fd - FD_FIRST] == holder_of(request));
		add_flying(observer, &flying);
	}
	CHECK(observer->inner->ops->submit(observer->inner, requests, count, deadline_ns) == 0);
	return 0;
}

static int observed_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct observer *observer = (struct observer *)executor;
	struct flying flying = {.id = id};

	if (refuses(observer, 1))
		return -EAGAIN;
	add_flying(observer, &flying);
	CHECK(observer->inner->ops->timer(observer->inner, id, expires_ns) == 0);
	return 0;
}

static int32_t note_opened(struct observer *observer, const struct flying *flying, int32_t result)
{
	unsigned place = 0;

	if (flying->direct)
		place = (unsigned)flying->fd;
	else
		while (place < observer->files && observer->holder[place])
			place++;
	CHECK(place < observer->files && !observer->holder[place]);
	observer->holder[place] =
		1 + (uint64_t)id_number(flying->id) * FILES_MAX + (uint64_t)flying->copy.file;
	return flying->direct ? result : FD_FIRST + (int32_t)place;
}

static void note_completion(struct observer *observer, struct executor_completion *completion)
{
	struct flying flying;
	unsigned i = 0;

	while (i < observer->flying_count && observer->flying[i].id != completion->id)
		i++;
	CHECK(i < observer->flying_count);
	flying = observer->flying[i];
	observer->flying[i] = observer->flying[--observer->flying_count];
	if (!flying.op)
		return;
	/* Neither the engine nor anybody else has touched what was in flight. */
	CHECK(flying.op->opcode == flying.copy.opcode && flying.op->file == flying.copy.file &&
	      flying.op->buffer == flying.copy.buffer && flying.op->length == flying.copy.length &&
	      flying.op->offset == flying.copy.offset &&
	      op_moved(flying.op) == op_moved(&flying.copy));
	if (op_is(&flying.copy, OP_OPENS_FILE) && completion->result >= 0)
		completion->result = note_opened(observer, &flying, completion->result);
	if (op_is(&flying.copy, OP_CLOSES_FILE) && completion->result != -ECANCELED) {
		unsigned place = (unsigned)(flying.direct ? flying.fd : flying.fd - FD_FIRST);

		CHECK(place < observer->files && observer->holder[place]);
		observer->holder[place] = 0;
	}
}

static int observed_wait(struct executor *executor, struct executor_completion *ret, unsigned max)
{
	struct observer *observer = (struct observer *)executor;
	unsigned wanted = 1 + (unsigned)below(&observer->random, 4), count = 0;

	CHECK(observer->flying_count > 0 && max >= wanted);
	while (count < wanted && observer->flying_count > 0) {
		CHECK(observer->inner->ops->wait(observer->inner, &ret[count], 1) == 1);
		note_completion(observer, &ret[count++]);
	}
	return (int)count;
}

static uint64_t observed_now_ns(struct executor *executor)
{
	struct observer *observer = (struct observer *)executor;

	return observer->inner->ops->now_ns(observer->inner);
}

static bool holds_files(const struct observer *observer, unsigned slot)
{
	for (unsigned i = 0; i < observer->files; i++) {
		if (observer->holder[i] && (observer->holder[i] - 1) / FILES_MAX == slot)
			return true;
	}
	return false;
}

static void observed_free(struct executor *executor)
{
	struct observer *observer = (struct observer *)executor;

	CHECK(observer->flying_count == 0);
	for (unsigned i = 0; i < observer->files; i++)
		CHECK(observer->holder[i] == 0);
	observer->inner->ops->free(observer->inner);
	free(observer->holder);
	free(observer->flying);
	free(observer);
}

int __wrap_simulated_new(const struct executor_config *config, struct executor **ret_executor)
{
	static const struct executor_ops ops = {
		.name = "observed",
		.submit = observed_submit,
		.timer = observed_timer,
		.wait = observed_wait,
		.now_ns = observed_now_ns,
		.free = observed_free,
	};
	struct observer *observer = calloc(1, sizeof(*observer));
	struct world *world = config->simulation->context;

	current_seed = world->seed;
	CHECK(observer && __real_simulated_new(config, &observer->inner) == 0);
	observer->base = *observer->inner;
	observer->base.ops = &ops;
	observer->base.direct_files = world->direct_files;
	observer->base.timers_link = world->timers_link;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		observer->base.linkable[i] &= !(world->unlinkable >> i & 1);
	observer->world = world;
	observer->random = world->seed ^ config->number << 8;
	observer->flying_max = config->in_flight_max;
	observer->capacity =
		config->chain_ops_max + (unsigned)below(&observer->random, config->in_flight_max);
	observer->flying = calloc(observer->flying_max, sizeof(*observer->flying));
	observer->files = config->files;
	observer->holder = calloc(config->files + 1, sizeof(*observer->holder));
	CHECK(observer->flying && observer->holder);
	*ret_executor = &observer->base;
	return 0;
}

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

	return slot->files_open ||
	       holds_files((struct observer *)slot_reaper(slot)->executor, slot->number);
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

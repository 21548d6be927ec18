/* SPDX-License-Identifier: MIT */
/*
 * Random runs on the simulator: options, processor and answers all come from a seed, and what every
 * run promises is checked while it goes on, from inside (random_observer.c) and from outside.
 *
 * Arguments: how many seeds (default 500), and the first of them, to see one again.
 */
#include "random.h"

#define PATIENCE_MS 60u /* how much longer than its time an attempt may take, answers and all */
#define DATA_SIZE 4000u /* of a buffer; behind it stands whose it is */

/* -------------------------------------------------------------- processor --
 */

struct state {
	uint64_t random;
	uint32_t open;      /* files that are surely open */
	uint32_t completed; /* ops of the unordered chain that are not in flight */
	unsigned steps, agains;
};

static struct record *record_of(struct world *world, const struct iobatch_item *item)
{
	CHECK(item->index < world->count);
	CHECK(*(uint64_t *)item->object == item->index);
	CHECK(!world->records[item->index].released);
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

static struct iobatch_op file_op(uint64_t *random, const struct iobatch_item *item, int file)
{
	bool reads = one_in(random, 2);
	char *data = item->scratch;
	struct iobatch_op op;

	switch (below(random, 8)) {
	case 0:
		return iobatch_op_fsync(file);
	case 1:
		return iobatch_op_fdatasync(file);
	case 2:
		return iobatch_op_ftruncate(file, 0);
	case 3:
		return iobatch_op_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
	default:
		break;
	}
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
	switch (below(random, 6)) {
	case 5:
		return iobatch_op_renameat(AT_FDCWD, "a", AT_FDCWD, "b", 0);
	case 0:
		return iobatch_op_statx(AT_FDCWD, "a", 0, STATX_SIZE,
		                        (struct statx *)((char *)item->scratch + DATA_SIZE));
	case 1:
		return iobatch_op_timeout(below(random, 3000000));
	case 2:
		return iobatch_op_unlinkat(AT_FDCWD, "a", 0);
	case 3:
		return iobatch_op_fchmodat(AT_FDCWD, "a", 0600, 0);
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
				op = file_op(&state->random, item, file);
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
		iobatch_chain_add(chain, op);
	}
}

/* What a read or write that did not fail has moved: all that there is. */
static void check_moved(const struct world *world, const struct iobatch_op *op)
{
	uint64_t size = world->simulation.file_size, there = 0;

	if (op->result < 0)
		return;
	if (!op_is(op, OP_MOVES_BYTES)) {
		CHECK(op->result == 0);
		return;
	}
	if (op->opcode == IOBATCH_OP_WRITE)
		there = op->length;
	else if (op->offset < size)
		there = op->length < size - op->offset ? op->length : size - op->offset;
	CHECK((uint64_t)op->result == there);
	CHECK(!(op->flags & IOBATCH_EXACT) || there == op->length);
}

static void check_done(const struct world *world, struct state *state,
                       const struct iobatch_chain *done)
{
	for (unsigned i = 0; i < done->count; i++) {
		const struct iobatch_op *op = &done->ops[i];

		CHECK(op->result >= 0 || op->flags & IOBATCH_MAY_FAIL);
		CHECK(op->result != -ECANCELED);
		check_moved(world, op);
		if (op_is(op, OP_OPENS_FILE) && op->result >= 0)
			state->open |= 1u << op->file;
		if (op_is(op, OP_CLOSES_FILE))
			state->open &= ~(1u << op->file);
	}
}

/* When the last item of a window has settled; 0 = none has. */
static uint64_t *window_ns_of(struct world *world, const struct iobatch_item *item)
{
	const struct slot *slot = (const struct slot *)item;
	const struct reaper *reaper = slot_reaper(slot);

	return &world->settled_ns[reaper->number][slot->window - reaper->windows];
}

/* How long the clock of pauses had stood still then. */
static uint64_t *window_stood_ns_of(struct world *world, const struct iobatch_item *item)
{
	const struct slot *slot = (const struct slot *)item;
	const struct reaper *reaper = slot_reaper(slot);

	return &world->stood_at[reaper->number][slot->window - reaper->windows];
}

/* The same, up to now. */
static uint64_t stood_till(struct world *world, uint64_t now_ns)
{
	control_look_on(world, now_ns);
	return control_stood_ns(world) + (world->stands ? now_ns - world->stands_since_ns : 0);
}

/* An attempt ends in time, by itself, cancelled or given up. */
static void check_time(const struct world *world, const struct record *record, uint64_t end_ns)
{
	if (record->attempts > 0 && world->options.timeout_ms > 0)
		CHECK(end_ns <=
		      record->start_ns + (world->options.timeout_ms + PATIENCE_MS) * NS_PER_MS);
}

static void start_attempt(struct world *world, struct iobatch_item *item, struct state *state,
                          struct record *record)
{
	unsigned batch = (unsigned)item->index / world->options.batch_size;
	unsigned first = batch * world->options.batch_size;
	uint64_t random = world->seed ^ item->index << 20 ^ (uint64_t)item->attempt << 40;
	uint64_t now_ns = clock_of(item), *window_ns = window_ns_of(world, item);
	struct reaper *reaper = slot_reaper((struct slot *)item);

	bool short_before = record->errnos[0] & (UINT64_C(1) << EMFILE | UINT64_C(1) << ENFILE);
	bool restarts = descriptors_are_short(record->failed_with) ||
	                (policy_holds_on(world, record->failed_with) && record->attempts > 0 &&
	                 slot_attempts((const struct slot *)item) == record->attempts);
	uint32_t attempt = slot_attempts((const struct slot *)item);
	bool full_before = policy_may_hold(world) &&
	                   (record->errnos[0] & (UINT64_C(1) << ENOSPC | UINT64_C(1) << EROFS) ||
	                    record->errnos[EDQUOT / 64] & UINT64_C(1) << EDQUOT % 64);
	uint64_t stood_ns = (control_look_on(world, now_ns), control_stood_ns(world));

	CHECK(item->attempt == record->starts + 1);
	if (!record->failed_with)
		restarts = attempt == record->attempts && attempt > 0;
	CHECK(attempt == record->attempts + !restarts && attempt <= world->options.retries + 1);
	CHECK(!world->processor.cleanup || record->cleanups == record->starts);
	/* What had found no descriptor starts over, or no room in a run that is paused for that. */
	if (restarts)
		CHECK(short_before || full_before);
	if (record->failed_with && !restarts)
		CHECK(policy_wants_retry(world, record->failed_with));
	CHECK(world->options.rings > 1 || !reaper->run->halted);
	CHECK(world->options.rings > 1 || attempt == 1 || !reaper->run->soon);
	CHECK(item->buffer_count == world->processor.buffers_min && item->bytes == 0);
	CHECK(!state->random && !state->open && !state->steps && !holds_any_file(item));
	CHECK(!reaper->halting);
	control_starts(world, item);
	/* After the backoff, or the pause since the window's last item, also of another batch. */
	if (attempt > 1 && !restarts)
		CHECK(now_ns - stood_ns >=
		      record->last_ns - record->stood_ns +
		              policy_pause_after_ns(world, record->attempts) *
		                      (100 - world->options.backoff_jitter_percent) / 100);
	else if (!restarts && world->delay_least_ms && *window_ns)
		CHECK(now_ns - stood_ns >= *window_ns - *window_stood_ns_of(world, item) +
		                                   world->delay_least_ms * NS_PER_MS);
	check_time(world, record, record->last_ns);
	world->slots[reaper->number] = reaper->slots;
	memset(record->errnos, 0, sizeof(record->errnos));
	record->start_ns = now_ns;
	if (item->attempt == 1)
		record->first_ns = now_ns;
	record->failed_with = 0;
	record->given = 0;
	record->bytes = 0;
	record->attempts = attempt;
	record->starts = item->attempt;
	record->over = false;
	record->skipped = false;
	state->random = draw(&random) | 1;
	check_buffers(item, 0);
	if (item->attempt > 1)
		return;
	if (world->delay_least_ms && item->index > first)
		CHECK(world->records[item->index - 1].settled == 1);
	if (atomic_fetch_add(&world->batch_left[batch], 1) == 0)
		CHECK(atomic_fetch_add(&world->batches_active, 1) < world->concurrent_most);
}

static const struct iobatch_error own_error = {"EOWN", "an error of its own"};
static const struct iobatch_error own_reason = {"EREASON", "a reason of its own"};

/* A file that is surely open leaves the item. */
static void take_file(struct world *world, struct iobatch_item *item, struct state *state)
{
	unsigned file = (unsigned)below(&state->random, 4);
	int fd;

	if (!(state->open & 1u << file))
		return;
	if (world->processor.process_files && atomic_fetch_add(&world->taken, 1) >= TAKEN_MAX)
		return;
	fd = iobatch_item_take_fd(item, (int)file);
	if (!world->processor.process_files) {
		CHECK(fd == -EINVAL);
		return;
	}
	CHECK(fd > STDERR_FILENO && iobatch_item_take_fd(item, (int)file) == -EBADF);
	state->open &= ~(1u << file);
}

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	struct state *state = item->state;
	unsigned held = item->buffer_count;

	CHECK(!record->settled && chain->count == 0 && !chain->unordered);
	if (!state->random) {
		start_attempt(world, item, state, record);
		control_ask_at_start(world);
	}
	control_ask(world, true);
	CHECK(!record->over);
	check_buffers(item, held);
	check_done(world, state, done);
	/* Every op has been seen to end, and run again as often as it was asked for. */
	if (done->unordered && world->processor.complete)
		CHECK(state->completed == (1u << done->count) - 1);
	record->over = true;
	record->last_ns = clock_of(item);
	record->stood_ns = stood_till(world, record->last_ns);
	record->bytes = item->bytes += below(&state->random, 1000);
	state->completed = 0;
	take_file(world, item, state);
	if (one_in(&state->random, 20)) {
		record->skipped = true;
		return iobatch_item_skip(item, &own_reason);
	}
	if (one_in(&state->random, 20))
		return record->given = iobatch_item_fail(item, &own_error);
	if (one_in(&state->random, 20))
		return record->given = -EXDEV;
	if (state->steps++ > below(&state->random, 4))
		return IOBATCH_DONE;
	if (one_in(&state->random, 30)) {
		/* Nothing that can be carried out. */
		record->given = IOBATCH_OWN_ERROR;
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

	CHECK(!record->settled && !record->over && item->attempt == record->starts);
	CHECK(chain->unordered && number < chain->count && !(state->completed & 1u << number));
	CHECK(op->result >= 0 || op->flags & IOBATCH_MAY_FAIL);
	check_buffers(item, item->buffer_count);
	check_moved(world, op);
	record->last_ns = clock_of(item);
	record->stood_ns = stood_till(world, record->last_ns);
	state->completed |= 1u << number;
	if (one_in(&state->random, 40)) {
		record->over = true;
		record->given = -EXDEV;
		if (one_in(&state->random, 2))
			record->given = iobatch_item_fail(item, &own_error);
		return record->given;
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

	/* What was stuck has answered after all. */
	CHECK((!record->settled || record->stuck) && item->attempt == record->starts);
	CHECK(++record->cleanups == record->starts && !holds_any_file(item));
	record->failed_with = ((struct slot *)item)->error;
	CHECK(record->failed_with);
	check_buffers(item, item->buffer_count);
	CHECK(item->buffer_count >= world->processor.buffers_min);
	record->over = true;
	record->last_ns = clock_of(item);
	record->stood_ns = stood_till(world, record->last_ns);
	if (one_in(&state->random, 3))
		return IOBATCH_DONE;
	while (chain->count < chain->capacity && !one_in(&state->random, 3))
		iobatch_chain_add(chain, other_op(&state->random, item));
	/* It may forget to close. */
	if (world->processor.files_max > 0 && one_in(&state->random, 3))
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0));
	return IOBATCH_MORE;
}

/* The error of an item is one that somebody has given. */
static void check_error(struct world *world, const struct record *record,
                        const struct iobatch_outcome *outcome, uint64_t now_ns, bool waited)
{
	unsigned number = (unsigned)-outcome->error;
	uint64_t deadline_ns = record->start_ns + world->options.timeout_ms * NS_PER_MS;

	switch (outcome->error) {
	case 0:
	case -ECANCELED:
		return;
	case -ETIME:
		/* No op fails with it, see `script`. */
		CHECK(world->options.timeout_ms > 0 && now_ns >= deadline_ns);
		if (waited)
			world->late_before++;
		else
			world->late++;
		return;
	case IOBATCH_OWN_ERROR:
		/* An op that does not link here is by system call, and not for direct files. */
		CHECK(record->given == outcome->error ||
		      (world->unlinkable && strcmp(outcome->error_name, "EBADCHAIN") == 0));
		return;
	default:
		break;
	}
	if (record->given == outcome->error)
		return;
	CHECK(outcome->opcode >= 0 && number < 192);
	CHECK(outcome->error != -EINTR || !observer_is_idempotent(outcome->opcode));
	/* The end of the file, and what the kernel calls an interruption. */
	CHECK(record->errnos[number / 64] >> number % 64 & 1 || outcome->error == -ENODATA ||
	      outcome->error == -EINTR);
	/* Where no op fails it can only be that a file was not open, or not any more. */
	if (world->simulation.error_permille == 0)
		CHECK(outcome->error == -ENODATA || outcome->error == -EBADF ||
		      outcome->error == -EINTR || descriptors_are_short(outcome->error));
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	struct world *world = context;
	struct record *record = record_of(world, item);
	unsigned batch = (unsigned)item->index / world->options.batch_size;
	unsigned counts, left = world->count - batch * world->options.batch_size;
	uint64_t now_ns = clock_of(item);
	const struct slot *slot = (const struct slot *)item;
	/* In a backoff, the attempt is over. */
	bool waited = outcome->error == -ECANCELED || slot_reaper(slot)->run->soon ||
	              slot_reaper(slot)->control.draining;
	uint64_t end_ns = waited ? record->last_ns : now_ns;

	CHECK(++record->settled == 1);
	record->stuck = outcome->stuck;
	record->slot = slot;
	CHECK(outcome->skipped == (record->skipped && !outcome->error));
	CHECK(!outcome->skipped || outcome->error_name == own_reason.name);
	CHECK(outcome->stuck || (!holds_any_file(item) && item->buffer_count == 0));
	CHECK(outcome->index == item->index);
	/* It may have been about to start over. */
	CHECK(outcome->attempts == record->attempts ||
	      (world->may_halt && outcome->attempts + 1 == record->attempts));
	if (outcome->attempts > 0)
		CHECK(outcome->start_ns == record->first_ns &&
		      outcome->start_ns + outcome->duration_ns == now_ns);
	else
		CHECK(outcome->start_ns == 0 && outcome->duration_ns == 0);
	/* That an op was cancelled is either a deadline or nobody's business but the engine's,
	 * unless the run is halted. */
	CHECK(outcome->error != -ECANCELED || world->may_halt);
	CHECK(outcome->bytes == record->bytes || record->attempts == 0);
	check_time(world, record, end_ns);
	check_error(world, record, outcome, now_ns, waited);
	*window_ns_of(world, item) = record->settled_ns = now_ns;
	*window_stood_ns_of(world, item) = stood_till(world, now_ns);
	CHECK(outcome->error == 0 || record->attempts == world->options.retries + 1 ||
	      outcome->stuck || world->may_halt || descriptors_are_short(outcome->error) ||
	      world->options.retry_budget_percent > 0 ||
	      !policy_wants_retry(world, outcome->error));
	CHECK(outcome->stuck == outcome->still_running);
	CHECK(!outcome->stuck || slot->phase != SLOT_RUNNING || slot->outstanding > 0);
	/* Who listens is not given up, when he has been told; what closes and cleans up is not
	 * asked. */
	CHECK(!outcome->stuck || slot->phase != SLOT_RUNNING ||
	      world->simulation.late_permille > 0 || world->simulation.lost_permille > 0 ||
	      world->simulation.submit_permille > 0);
	/* Behind what is stuck nothing is cleaned up before it has answered. */
	if (world->processor.cleanup && !outcome->stuck && !world->may_halt)
		CHECK(record->cleanups == record->starts - !outcome->error);
	left = left < world->options.batch_size ? left : world->options.batch_size;
	/* In the lower half those that have begun. */
	counts = atomic_fetch_add(&world->batch_left[batch], 1u << 16);
	if (counts >> 16 == left - 1 && (counts & 0xffff) > 0)
		world->batches_active--;
	return item->index % 7 == world->seed % 11 ? -EDOM : 0;
}

/* -------------------------------------------------------------- listeners --
 */

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct world *world = context;

	control_ask(world, true);
	CHECK(outcome->index < world->count && ++world->records[outcome->index].told == 1);
	CHECK((outcome->error == 0 && !outcome->skipped) == (outcome->error_name == NULL));
	CHECK(!outcome->skipped || !outcome->error);
	world->skipped += outcome->skipped;
	world->records[outcome->index].error = outcome->error;
	world->bytes += outcome->error ? 0 : outcome->bytes;
	world->digest = world->digest * 0x100000001b3u ^ outcome->index ^
	                (uint64_t)(uint32_t)outcome->error << 16 ^
	                (uint64_t)outcome->attempts << 48 ^ (uint64_t)(outcome->opcode + 1) << 56;
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct world *world = context;
	const struct iobatch_progress *last = &world->last;
	uint64_t total = progress->processed + progress->pending, size = world->options.batch_size;

	CHECK(progress->processed == progress->successful + progress->failed);
	CHECK(progress->total_is_final ? total == world->count : total <= world->count);
	CHECK(progress->successful >= last->successful && progress->failed >= last->failed);
	CHECK(progress->skipped >= last->skipped && progress->skipped <= progress->successful);
	CHECK(progress->current_batch >= last->current_batch && progress->retries >= last->retries);
	CHECK(progress->current_batch <= progress->total_batches);
	CHECK(progress->total_batches == (total + size - 1) / size);
	world->last = *progress;
}

/* Once, when all have heard of the item and nothing of it is left. */
static void release(void *context, void *object)
{
	struct world *world = context;
	uint64_t index = *(uint64_t *)object;
	struct record *record = &world->records[index];
	const struct slot *slot = record->slot;

	CHECK(index < world->count && record->settled == 1 && record->told == 1);
	CHECK(++record->released == 1);
	CHECK(slot->item.object == object && slot->item.index == index);
	CHECK(slot->outstanding == 0 && slot->item.buffer_count == 0 &&
	      !holds_any_file(&slot->item));
	if (world->processor.cleanup && record->stuck && record->error)
		CHECK(record->cleanups == record->starts);
}

static ssize_t pull(void *context, void *object)
{
	struct world *world = context;

	control_takes(world);
	if (world->streamed == world->count)
		return 0;
	*(uint64_t *)object = world->streamed++;
	return sizeof(uint64_t);
}

/* -------------------------------------------------------------------- run --
 */

/* That an item's time is over is said by nobody but the engine. */
static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct world *world = context;
	uint64_t random;

	if (answer->result == -ETIME && op->opcode != IOBATCH_OP_TIMEOUT)
		answer->result = -EIO;
	/* Of the errors that mean nothing to the engine. */
	if (policy_may_hold(world) && answer->result % 3 == 0 && answer->result <= -ENOMEM &&
	    answer->result > -ETIME)
		answer->result = -ENOSPC;
	if (world->short_of_files == 0 || op->opcode != IOBATCH_OP_OPENAT)
		return;
	random = world->seed + atomic_fetch_add(&world->opens, 1);
	if (below(&random, 1000) < world->short_of_files)
		answer->result = one_in(&random, 2) ? -EMFILE : -ENFILE;
}

static void make_options(struct world *world, uint64_t *random)
{
	struct iobatch_options *options = &world->options;

	*options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	options->executor = IOBATCH_EXECUTOR_SIMULATED;
	options->batch_size = 1 + (uint32_t)below(random, 9);
	options->max_concurrent = 1 + (uint32_t)below(random, CONCURRENT_MAX);
	options->rings = 1 + (uint32_t)below(random, RINGS_MAX);
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
	options->guards = (uint32_t)below(random, IOBATCH_GUARDS_LIST + 1);
	options->max_stuck = one_in(random, 3) ? (uint32_t)below(random, 4) : ITEMS_MAX;
	options->stuck_grace_ms = below(random, 60);
	world->may_halt = options->timeout_ms > 0 && options->max_stuck < ITEMS_MAX;
	policy_draw(world, random);
	control_draw(world, random);
	world->simulation.seed = draw(random);
	world->simulation.latency_max_ns = one_in(random, 4) ? 0 : below(random, 2000000);
	world->simulation.file_size = below(random, 20000);
	world->simulation.error_permille = one_in(random, 3) ? 0 : (uint32_t)below(random, 200);
	world->simulation.short_permille = (uint32_t)below(random, 400);
	world->simulation.submit_permille = (uint32_t)below(random, 3) * 100;
	/* Without a deadline nobody would ever end what does not answer. */
	if (options->timeout_ms > 0 && one_in(random, 2)) {
		world->simulation.late_permille = (uint32_t)below(random, 100);
		world->simulation.lost_permille = (uint32_t)below(random, 30);
	}
	world->simulation.without = one_in(random, 2) ? (uint32_t)below(random, 16) : 0;
	world->simulation.context = world;
	world->simulation.script = script;
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
	processor->process_files = one_in(random, 3);
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

/* A list of outcomes is what was told of, in order. Returns how many of them still run. */
static uint64_t check_list(const struct world *world, const struct iobatch_outcome *items,
                           uint64_t count, bool failed)
{
	uint64_t running = 0;

	for (uint64_t i = 0; i < count; i++) {
		CHECK(i == 0 || items[i - 1].index < items[i].index);
		CHECK(items[i].index < world->count && (items[i].error != 0) == failed);
		CHECK(*(const uint64_t *)items[i].object == items[i].index);
		CHECK(items[i].error == world->records[items[i].index].error);
		CHECK(!items[i].still_running || items[i].stuck);
		running += items[i].still_running;
	}
	return running;
}

/* What the result says is what was seen. */
static void check_result(const struct world *world, int error, const struct iobatch_result *result)
{
	uint64_t count = error ? result->total_processed : world->count, retries = result->retries;
	uint64_t batches = (count + world->options.batch_size - 1) / world->options.batch_size;
	uint64_t running, released = 0;

	policy_check(world, error, result);
	CHECK(result->total_processed == count && result->total_batches == batches);
	CHECK(result->successful + result->failed == count);
	CHECK(result->still_running <= result->stuck && result->stuck <= result->failed);
	CHECK(result->still_running >= world->left_behind);
	CHECK(result->ops == world->ops && result->bytes == world->bytes);
	CHECK(result->lateness.count >= world->late &&
	      result->lateness.count <= world->late + world->late_before);
	CHECK(result->skipped == world->skipped && world->last.skipped == world->skipped);
	CHECK(check_list(world, result->successful_items, result->successful_items_count, false) ==
	      0);
	running = check_list(world, result->failed_items, result->failed_items_count, true);
	CHECK(running ==
	      (world->options.collect & IOBATCH_COLLECT_FAILED ? result->still_running : 0));
	CHECK(result->peak_batches <= world->concurrent_most);
	CHECK(world->batches_active == 0);
	CHECK(result->failed_items_count ==
	      (world->options.collect & IOBATCH_COLLECT_FAILED ? result->failed : 0));
	CHECK(result->successful_items_count ==
	      (world->options.collect & IOBATCH_COLLECT_SUCCESSFUL ? result->successful : 0));
	CHECK(world->last.processed == count && (error || world->last.pending == 0));
	CHECK(world->last.successful == result->successful);
	CHECK(error || world->last.total_is_final);
	for (unsigned i = 0; i < world->count; i++) {
		const struct record *record = &world->records[i];

		CHECK(record->settled == (i < count) && record->told == (i < count));
		CHECK(record->released == 1 || record->stuck || i >= count);
		released += record->released;
		if (record->attempts > 0)
			retries -= record->attempts - 1;
	}
	CHECK(error || retries == 0);
	CHECK(released == count - result->still_running);
}

/* Runs the world of a seed; returns a digest of all that is promised to be the
 * same again. */
static uint64_t run_seed(uint64_t seed, bool *ret_repeatable)
{
	struct world *world = calloc(1, sizeof(*world));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_items items;
	uint64_t random = seed, digest;
	int error;
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
	items.context = world;
	items.release = release;

	error = iobatch_run(&items, &world->processor, &world->options, &result);
	check_result(world, error, &result);
	control_check(world, error, &result);
	digest = world->digest ^ result.ops << 32 ^ (uint64_t)(result.processing_time_ms * 1e6);
	*ret_repeatable = world->options.rings == 1;
	iobatch_result_deinit(&result);
	free(world);
	return digest;
}

/* An assertion, or a test that lasts too long: says in which seed. */
static void die(int signal_number)
{
	char message[80];
	int length = snprintf(message, sizeof(message), "Bail out! seed %" PRIu64 ", signal %d\n",
	                      current_seed, signal_number);

	if (length < 0 || write(STDOUT_FILENO, message, (size_t)length) < 0)
		_exit(3);
	_exit(2);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	signal(SIGABRT, die);
	signal(SIGSEGV, die);
	printf("1..1\n");
	fflush(stdout);
	for (uint64_t seed = first; seed < first + count; seed++) {
		bool repeatable;
		uint64_t digest = run_seed(seed, &repeatable);

		if (repeatable)
			CHECK(run_seed(seed, &repeatable) == digest);
	}
	printf("ok 1 - %" PRIu64 " random runs keep every promise\n", count);
	return 0;
}

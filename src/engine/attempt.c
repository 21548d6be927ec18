/* SPDX-License-Identifier: MIT */
/*
 * An item's way through its attempts: start (when there are buffers for it), the processor's
 * chains, closing what is left open, the processor's clean-up after a failure, then the next
 * attempt or the item's outcome.
 *
 * Invariant: an item is settled exactly once, when nothing of it is in flight and it holds no file
 * and no buffer, or when its slot is set aside with all of these. Its object goes back to the
 * collection exactly once: then or, when it was set aside, as soon as it has let go of these.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/engine.h"

static const struct iobatch_error bad_chain = {
	.name = "EBADCHAIN",
	.message = "the processor has asked for an op that cannot be carried out",
};

static const struct iobatch_error unknown_error = {
	.name = "EUNKNOWN",
	.message = "the processor has given an error that has no name",
};

static const struct iobatch_error unknown_reason = {
	.name = "ESKIPPED",
	.message = "there was nothing to do, and the processor has not said why",
};

static void name_error(struct iobatch_outcome *outcome, const struct iobatch_error *own)
{
	const char *name =
		outcome->error == IOBATCH_OWN_ERROR ? NULL : strerrorname_np(-outcome->error);

	if (name) {
		outcome->error_name = name;
		outcome->message = strerrordesc_np(-outcome->error);
		return;
	}
	if (outcome->error != IOBATCH_OWN_ERROR || !own)
		own = &unknown_error;
	outcome->error_name = own->name;
	outcome->message = own->message;
}

static void name_reason(struct iobatch_outcome *outcome, const struct iobatch_error *reason)
{
	if (!reason)
		reason = &unknown_reason;
	outcome->error_name = reason->name;
	outcome->message = reason->message;
}

int attempt_late_error(const struct slot *slot)
{
	return slot->halted ? -ECANCELED : -ETIME;
}

/* The processor hears of the outcome first, and may turn success into failure. */
static void tell_processor(const struct iobatch_processor *processor, struct slot *slot,
                           struct iobatch_outcome *outcome)
{
	int result;

	/* An error of its own that it names now is not the reason to skip. */
	if (!outcome->error)
		slot->own_error = NULL;
	result = processor->settled(processor->context, &slot->item, outcome);
	if (result < 0 && !outcome->error) {
		outcome->error = result;
		outcome->skipped = false;
		name_error(outcome, slot->own_error);
	}
}

void attempt_settle(struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_processor *processor = reaper->run->processor;
	struct iobatch_outcome outcome = {
		.index = slot->item.index,
		.object = slot->item.object,
		.object_size = slot->item.object_size,
		.error = slot->error,
		.opcode = slot->error ? slot->failed_opcode : -1,
		.attempts = slot->item.attempt,
		.stuck = slot->aside,
		.still_running = slot->aside,
		.bytes = slot->item.bytes,
		.skipped = slot->skipped && !slot->error,
	};

	assert(!slot->settled);
	if (outcome.error == -ETIME && slot->deadline_ns)
		lateness_add(&reaper->lateness,
		             reaper->executor->ops->now_ns(reaper->executor) - slot->deadline_ns);
	if (outcome.error)
		name_error(&outcome, slot->own_error);
	else if (outcome.skipped)
		name_reason(&outcome, slot->own_error);
	if (processor->settled)
		tell_processor(processor, slot, &outcome);
	tally_settle(reaper, &outcome);
	if (!slot->aside)
		attempt_release(reaper, slot);
	window_settled(reaper, slot);
}

/* The attempt is over and has left nothing behind. */
static void finish_attempt(struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_options *options = &reaper->run->options;

	slot->phase = SLOT_IDLE;
	if (slot->deadlines)
		deadline_stop(slot);
	if (slot->aside) {
		aside_return(reaper, slot);
		return;
	}
	if (slot->item.buffer_count > 0)
		pool_release(&reaper->pool, slot);
	if (!slot->error && reaper->run->success_is_silent) {
		tally_success(reaper, slot->item.bytes, slot->skipped);
		attempt_release(reaper, slot);
		window_settled(reaper, slot);
		return;
	}
	if (!slot->error || slot->item.attempt > options->retries || reaper->halting) {
		attempt_settle(reaper, slot);
		return;
	}
	reaper->part.retries++;
	if (options->backoff_ms == 0)
		queue_push(&reaper->ready, slot);
	else if (timer_start(reaper, slot_id(slot, ID_BACKOFF, 0),
	                     options->backoff_ms * NS_PER_MS) < 0)
		queue_push(&reaper->resting, slot);
}

/* The chain that is to be filled, empty. */
static struct iobatch_chain *empty_chain(struct slot *slot)
{
	struct iobatch_chain *chain = &slot->chains[slot->current ^ 1];

	chain->count = 0;
	chain->unordered = false;
	return chain;
}

static void run_chain(struct reaper *reaper, struct slot *slot)
{
	slot->current ^= 1;
	if (chain_start(reaper, slot) == CHAIN_OVER)
		attempt_chain_ended(reaper, slot);
}

/* May the op act on the files that it names? A ring's own files are not for system calls. */
static bool files_are_sound(const struct reaper *reaper, const struct iobatch_op *op)
{
	int files_max = (int)reaper->run->processor->files_max;
	int file2 = op_is(op, OP_USES_FILE2) ? op->file2 : -1;
	bool reachable = !reaper->executor->direct_files || reaper->executor->linkable[op->opcode];

	return op->file < files_max && file2 < files_max &&
	       (reachable || (op->file < 0 && file2 < 0));
}

/*
 * Can an op be carried out as it stands, with these files open? One that is open must not be opened
 * again: the descriptor that it has would be lost.
 */
static bool op_is_sound(const struct reaper *reaper, const struct iobatch_op *op, uint32_t open)
{
	if (op->opcode >= IOBATCH_OP_COUNT)
		return false;
	if (!op_is(op, OP_USES_FILE | OP_OPENS_FILE | OP_CLOSES_FILE | OP_USES_FILE2))
		return true;
	if (!files_are_sound(reaper, op))
		return false;
	if (op->file < 0)
		return !op_is(op, OP_OPENS_FILE | OP_CLOSES_FILE);
	return !op_is(op, OP_OPENS_FILE) || !(open & 1u << op->file);
}

bool attempt_op_is_sound(const struct reaper *reaper, const struct slot *slot,
                         const struct iobatch_op *op)
{
	return op_is_sound(reaper, op, slot->files_open);
}

int attempt_refuse_chain(struct slot *slot)
{
	return iobatch_item_fail(&slot->item, &bad_chain);
}

static bool chain_is_sound(const struct reaper *reaper, const struct slot *slot,
                           const struct iobatch_chain *chain)
{
	uint32_t open = slot->files_open;

	if (chain->count == 0 || chain->count > chain->capacity)
		return false;
	for (unsigned i = 0; i < chain->count; i++) {
		const struct iobatch_op *op = &chain->ops[i];

		if (!op_is_sound(reaper, op, open))
			return false;
		if (op_is(op, OP_OPENS_FILE))
			open |= 1u << op->file;
		if (op_is(op, OP_CLOSES_FILE) && !chain->unordered)
			open &= ~(1u << op->file);
	}
	return true;
}

static void clean_up(struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_processor *processor = reaper->run->processor;
	struct iobatch_chain *chain;

	if (!slot->error || !processor->cleanup) {
		finish_attempt(reaper, slot);
		return;
	}
	slot->phase = SLOT_CLEANUP;
	chain = empty_chain(slot);
	if (processor->cleanup(processor->context, &slot->item, chain) == IOBATCH_MORE &&
	    chain_is_sound(reaper, slot, chain)) {
		chain->unordered = false;
		run_chain(reaper, slot);
	} else {
		finish_attempt(reaper, slot);
	}
}

static void close_files(struct reaper *reaper, struct slot *slot, enum slot_phase phase)
{
	struct iobatch_chain *chain = empty_chain(slot);

	slot->phase = (uint8_t)phase;
	chain->unordered = true;
	for (unsigned file = 0; file < FILES_MAX; file++) {
		if (slot->files_open & 1u << file)
			chain->ops[chain->count++] = iobatch_op_close((int)file);
	}
	run_chain(reaper, slot);
}

/* The processor has no more chains, or the attempt has failed. */
static void end_attempt(struct reaper *reaper, struct slot *slot)
{
	if (slot->files_open)
		close_files(reaper, slot, SLOT_CLOSING);
	else
		clean_up(reaper, slot);
}

/* Asks the processor what comes next. */
static void next_chain(struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_processor *processor = reaper->run->processor;
	struct iobatch_chain *chain = empty_chain(slot);
	int result;

	result = processor->next(processor->context, &slot->item, slot_chain(slot), chain);
	if (result == IOBATCH_MORE) {
		if (chain_is_sound(reaper, slot, chain)) {
			run_chain(reaper, slot);
			return;
		}
		result = attempt_refuse_chain(slot);
	}
	if (result < 0) {
		slot->error = result;
		slot->failed_opcode = -1;
	}
	end_attempt(reaper, slot);
}

void attempt_admit(struct reaper *reaper, struct slot *slot)
{
	const struct run *run = reaper->run;
	const struct iobatch_processor *processor = run->processor;

	if (processor->buffers_min > 0)
		pool_reserve(&reaper->pool, slot, processor->buffers_min);
	slot->phase = SLOT_RUNNING;
	slot->error = 0;
	slot->failed_opcode = -1;
	slot->own_error = NULL;
	slot->skipped = false;
	slot->item.attempt++;
	slot->item.bytes = 0;
	if (processor->state_size)
		memset(slot->item.state, 0, processor->state_size);
	if (run->options.timeout_ms)
		deadline_start(reaper, slot, reaper->now_ns + run->options.timeout_ms * NS_PER_MS);
	/* Always the same chain first: short attempts then touch one of the two only. */
	slot->current = 0;
	slot_chain(slot)->count = 0;
	next_chain(reaper, slot);
}

void attempt_start(struct reaper *reaper, struct slot *slot)
{
	unsigned buffers_min = reaper->run->processor->buffers_min;

	/* All or nothing, and in turn: attempts that held some and waited for more could block each
	 * other. */
	if (buffers_min > 0 && (reaper->starving.first || reaper->pool.free_count < buffers_min))
		queue_push(&reaper->starving, slot);
	else
		attempt_admit(reaper, slot);
}

void attempt_chain_ended(struct reaper *reaper, struct slot *slot)
{
	assert(slot->outstanding == 0);
	switch ((enum slot_phase)slot->phase) {
	case SLOT_RUNNING:
		if (slot->error)
			end_attempt(reaper, slot);
		else
			next_chain(reaper, slot);
		break;
	case SLOT_CLOSING:
		/* A close that hangs may have been cancelled before it began. */
		if (slot->files_open)
			close_files(reaper, slot, SLOT_CLOSING);
		else
			clean_up(reaper, slot);
		break;
	case SLOT_CLEANUP:
		/* A clean-up may have opened files of its own. */
		if (slot->files_open)
			close_files(reaper, slot, SLOT_CLEANUP);
		else
			finish_attempt(reaper, slot);
		break;
	case SLOT_IDLE:
		assert(!"a chain without an attempt");
		break;
	}
}

int attempt_ask_to_end(struct reaper *reaper, struct slot *slot)
{
	struct executor *executor = reaper->executor;

	if (slot->phase == SLOT_IDLE)
		return executor->ops->cancel(executor, slot_id(slot, ID_BACKOFF, 0));
	return handover_cancel(reaper, slot);
}

int attempt_expire(struct reaper *reaper, struct slot *slot)
{
	enum chain_state state = CHAIN_RUNNING;

	assert(slot->phase != SLOT_IDLE);
	if (handover_cancel(reaper, slot) < 0)
		return -EAGAIN;
	deadline_passed(reaper, slot);
	/* What waits for room has no answer of its own to wait for. */
	if (slot->phase == SLOT_RUNNING && slot->queue) {
		queue_leave(slot);
		state = chain_give_up(slot, attempt_late_error(slot));
	}
	if (state == CHAIN_OVER)
		attempt_chain_ended(reaper, slot);
	return 0;
}

void attempt_halt(struct reaper *reaper, struct slot *slot)
{
	bool waits = slot->queue || slot->item.attempt == 0;

	/* What closes and cleans up goes on, and so does what has been told to end. */
	if (slot->phase > SLOT_RUNNING || slot->deadlines == &reaper->overdue)
		return;
	if (slot->phase == SLOT_RUNNING) {
		/* The halt is a deadline that comes now. */
		slot->halted = true;
		slot->deadline_ns = reaper->now_ns;
		if (attempt_expire(reaper, slot) < 0) {
			deadline_passed(reaper, slot);
			slot->asked_ns = 0;
		}
		return;
	}
	queue_leave(slot);
	slot->error = -ECANCELED;
	slot->failed_opcode = -1;
	slot->deadline_ns = 0;
	/* The pause before the next attempt is in flight: nobody will listen when it ends. */
	if (!waits)
		deadline_passed(reaper, slot);
	attempt_settle(reaper, slot);
}

int iobatch_item_fail(struct iobatch_item *item, const struct iobatch_error *error)
{
	struct slot *slot = (struct slot *)item;

	slot->own_error = error;
	return IOBATCH_OWN_ERROR;
}

int iobatch_item_skip(struct iobatch_item *item, const struct iobatch_error *reason)
{
	struct slot *slot = (struct slot *)item;

	slot->own_error = reason;
	slot->skipped = true;
	return IOBATCH_DONE;
}

int iobatch_item_take_fd(struct iobatch_item *item, int file)
{
	struct slot *slot = (struct slot *)item;
	struct reaper *reaper = slot_reaper(slot);
	const struct iobatch_processor *processor = reaper->run->processor;

	if (!processor->process_files)
		return -EINVAL;
	if (file < 0 || (unsigned)file >= processor->files_max || !(slot->files_open & 1u << file))
		return -EBADF;
	slot->files_open &= ~(1u << file);
	reaper->executor->ops->disown(reaper->executor, slot->files[file]);
	return slot->files[file];
}

unsigned iobatch_item_reserve(struct iobatch_item *item, unsigned wanted)
{
	struct slot *slot = (struct slot *)item;
	struct reaper *reaper = slot_reaper(slot);
	unsigned max = reaper->run->processor->buffers_max;

	/* Attempts that wait to start come first. */
	if (reaper->starving.first)
		return item->buffer_count;
	return pool_reserve(&reaper->pool, slot, wanted < max ? wanted : max);
}

void iobatch_op_again(struct iobatch_chain *chain, struct iobatch_op *op)
{
	unsigned number = (unsigned)(op - chain->ops);

	assert(number < chain->count);
	chain->reserved[number / 64] |= UINT64_C(1) << number % 64;
}

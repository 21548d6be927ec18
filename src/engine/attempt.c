/* SPDX-License-Identifier: MIT */
/*
 * An item's way through its attempts: start (when there are buffers for it), the processor's
 * chains, closing what is left open, the processor's clean-up after a failure, then the next
 * attempt or the item's outcome. What ends an attempt before its time is attempt_end.c's business,
 * and who hears of the outcome that of attempt_outcome.c.
 *
 * Invariant: of a slot no more than one chain is carried out, and when an attempt is over, however
 * it went, nothing of it is in flight or open, and it has no buffer.
 */
#include <assert.h>
#include <string.h>

#include "engine/engine.h"

static const struct iobatch_error bad_chain = {
	.name = "EBADCHAIN",
	.message = "the processor has asked for an op that cannot be carried out",
};

/* The item waits for its next attempt. */
static void tell_of_wait(const struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_processor *processor = reaper->run->processor;

	if (processor->wait)
		processor->wait(processor->context, &slot->item);
}

int attempt_rest(struct reaper *reaper, struct slot *slot)
{
	return timer_start(reaper, slot_id(slot, ID_BACKOFF, 0), policy_pause_ns(reaper, slot));
}

/* An attempt has failed, of an item that may have another. */
static void try_again(struct reaper *reaper, struct slot *slot)
{
	if (reaper->control.draining && (slot_attempts(slot) <= reaper->run->options.retries ||
	                                 descriptors_are_short(slot->error)))
		reaper->run->cut = true;
	if (policy_retry(reaper, slot)) {
		tell_of_wait(reaper, slot);
		reaper->part.retries++;
		if (policy_pause_ns(reaper, slot) == 0)
			queue_push(&reaper->ready, slot);
		else if (attempt_rest(reaper, slot) < 0)
			queue_push(&reaper->resting, slot);
	} else if (policy_holds(reaper, slot)) {
		tell_of_wait(reaper, slot);
		slot->restarts++;
		queue_push(&reaper->ready, slot);
	} else {
		attempt_settle(reaper, slot);
	}
}

/* The attempt is over and has left nothing behind. */
static void finish_attempt(struct reaper *reaper, struct slot *slot)
{
	slot->phase = SLOT_IDLE;
	if (slot->deadlines)
		deadline_stop(slot);
	if (slot->aside) {
		aside_return(reaper, slot);
		return;
	}
	reaper_count_active(reaper, -1);
	if (slot->item.buffer_count > 0)
		pool_release(&reaper->pool, slot);
	if (descriptors_are_short(slot->error) && !reaper->halting && !reaper->control.draining) {
		if (descriptors_wait(reaper, slot))
			tell_of_wait(reaper, slot);
		else
			attempt_settle(reaper, slot);
		return;
	}
	if (reaper->throttle.width != UINT32_MAX)
		descriptors_ended(reaper, slot);
	if (!slot->error && reaper->run->success_is_silent) {
		tally_success(reaper, slot->item.bytes, slot->skipped);
		attempt_release(reaper, slot);
		window_settled(reaper, slot);
		return;
	}
	if (slot->error)
		try_again(reaper, slot);
	else
		attempt_settle(reaper, slot);
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

	/* The run ends soon: what has failed is not tried again. */
	if (slot_attempts(slot) > 0 && run->soon) {
		slot->deadline_ns = 0;
		attempt_settle(reaper, slot);
		return;
	}
	if (processor->buffers_min > 0)
		pool_reserve(&reaper->pool, slot, processor->buffers_min);
	reaper_count_active(reaper, 1);
	slot->phase = SLOT_RUNNING;
	slot->error = 0;
	slot->failed_opcode = -1;
	slot->own_error = NULL;
	slot->skipped = false;
	slot->note = NULL;
	slot->item.attempt++;
	if (run->wants_times && slot->item.attempt == 1)
		slot->start_ns = reaper->now_ns;
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
	if (!descriptors_must_wait(reaper, slot))
		attempt_start_over(reaper, slot);
}

void attempt_start_over(struct reaper *reaper, struct slot *slot)
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
	case SLOT_JOURNAL:
		journal_chain_ended(reaper, slot);
		break;
	case SLOT_IDLE:
		assert(!"a chain without an attempt");
		break;
	}
}

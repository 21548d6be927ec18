/* SPDX-License-Identifier: MIT */
/*
 * Carries out the chain of a slot, and is the one place that continues short reads and writes and
 * repeats what ended with EINTR or EAGAIN.
 *
 * In order: when all completions of a sequence are there they are judged from the front; what a
 * short read, an EINTR or the end of the sequence has kept from running goes into the next
 * sequence. Unordered: each op is judged alone.
 *
 * A chain ends, well or with slot->error set, when nothing of it is outstanding;
 * attempt_chain_ended() is then told.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine.h"

/* EINTR and EAGAIN in a row after which they are believed, and the pauses before EAGAIN is tried
 * again. */
#define INTERRUPTED_MAX 16u
#define AGAIN_PAUSE_NS UINT64_C(1000000)
#define AGAIN_SHIFT_MAX 6u

/* What the kernel uses within itself and lets out of a cancelled open now and then. */
#define ERESTARTSYS_FIRST 512
#define ERESTARTSYS_LAST 516

enum verdict {
	OP_DONE,
	OP_FAILED,
	OP_AGAIN,  /* to be handed over again, as it now stands */
	OP_PAUSED, /* the same, after a pause that has been started */
};

static enum chain_state state_of(const struct slot *slot)
{
	if (slot->queue)
		return CHAIN_BLOCKED;
	return slot->outstanding > 0 ? CHAIN_RUNNING : CHAIN_OVER;
}

/*
 * The end of every way into this file: hands over what is wanted. A slot for which there is no room
 * waits in the queue for it, behind those that wait already.
 */
static inline enum chain_state go_on(struct reaper *reaper, struct slot *slot)
{
	if (!slot->queue && handover_is_wanted(slot)) {
		/* What is late does not wait for room any more: that ends it. */
		bool waits = reaper->blocked.first && !slot_is_late(reaper, slot);
		struct slot_queue *queue = waits ? &reaper->blocked : handover(reaper, slot);

		if (queue)
			queue_push(queue, slot);
	}
	return state_of(slot);
}

enum chain_state chain_unblock(struct reaper *reaper, struct slot *slot)
{
	struct slot_queue *queue = handover(reaper, slot);

	if (queue == slot->queue)
		return CHAIN_BLOCKED;
	queue_leave(slot);
	if (queue)
		queue_push(queue, slot);
	return state_of(slot);
}

enum chain_state chain_start(struct reaper *reaper, struct slot *slot)
{
	struct iobatch_chain *chain = slot_chain(slot);

	slot->generation++;
	slot->position = 0;
	slot->submitted = 0;
	slot->interrupted = 0;
	slot->unlinked = false;
	for (unsigned i = 0; i < chain->count; i++) {
		chain->ops[i].reserved[0] = chain->ops[i].reserved[3] = 0;
		chain->ops[i].result = 0;
	}
	if (chain->unordered) {
		for (unsigned i = 0; i < chain->count; i++)
			op_set_add(&slot->wanted, i);
	}
	return go_on(reaper, slot);
}

/* ------------------------------------------------------------ judging -- */

static enum verdict failed(const struct iobatch_op *op)
{
	return op->flags & IOBATCH_MAY_FAIL ? OP_DONE : OP_FAILED;
}

/* Keeps the books of open files, whatever becomes of the attempt. */
static void note_file(struct slot *slot, const struct iobatch_op *op, int32_t result)
{
	if (op_is(op, OP_OPENS_FILE) && result >= 0) {
		slot->files_open |= 1u << op->file;
		slot->files[op->file] = result;
	}
	/* Even a close that fails has let go of the descriptor, unless it never ran. */
	if (op_is(op, OP_CLOSES_FILE) && result != -ECANCELED)
		slot->files_open &= ~(1u << op->file);
}

/*
 * EINTR, EAGAIN: again, at once or after a pause, but not for ever. An op that may have been
 * carried out before it was interrupted, and would then give another answer, is left to the next
 * attempt.
 */
static enum verdict judge_interrupted(struct reaper *reaper, struct slot *slot, unsigned number,
                                      int32_t result)
{
	const struct iobatch_chain *chain = slot_chain(slot);
	struct iobatch_op *op = &chain->ops[number];
	/* Each op of an unordered chain has its share. */
	unsigned tried = slot->interrupted / (chain->unordered ? chain->count : 1);
	uint64_t pause_ns;

	if (tried >= INTERRUPTED_MAX)
		return failed(op);
	if (result == -EINTR && !op_is(op, OP_IDEMPOTENT) && slot_may_be_late(slot))
		return failed(op);
	slot->interrupted++;
	if (result == -EINTR)
		return OP_AGAIN;
	pause_ns = AGAIN_PAUSE_NS << (tried < AGAIN_SHIFT_MAX ? tried : AGAIN_SHIFT_MAX);
	/* Without room for the timer the op waits for room, which is a pause as well. */
	if (timer_start(reaper, slot_id(slot, ID_RESUME, number), pause_ns) < 0)
		return OP_AGAIN;
	op->result = OP_RESTING;
	slot->outstanding++;
	return OP_PAUSED;
}

static enum verdict judge_moved(struct slot *slot, struct iobatch_op *op, int32_t result)
{
	op->reserved[0] += (uint64_t)result;
	op->result = (int64_t)op_moved(op);
	slot->interrupted = 0;
	if (op_moved(op) >= op->length)
		return OP_DONE;
	if (result > 0)
		return OP_AGAIN;
	/* The end of the file: fine for what reads and does not insist; a write must move
	 * something. */
	if (op->opcode == IOBATCH_OP_WRITE) {
		op->result = -EIO;
		return failed(op);
	}
	if (op->flags & IOBATCH_EXACT) {
		op->result = -ENODATA;
		return failed(op);
	}
	return OP_DONE;
}

/* An op that has failed, for now. */
static enum verdict judge_error(struct reaper *reaper, struct slot *slot, unsigned number,
                                int32_t result)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];

	if (result <= -ERESTARTSYS_FIRST && result >= -ERESTARTSYS_LAST)
		result = -EINTR;
	op->result = result;
	/* A timer that has run its time; a close that is interrupted has closed (close(2)). */
	if ((op_is(op, OP_IS_TIMER) && result == -ETIME) ||
	    (op_is(op, OP_CLOSES_FILE) && result == -EINTR)) {
		op->result = 0;
		return OP_DONE;
	}
	if ((result == -ECANCELED || result == -EINTR || result == -EAGAIN) &&
	    slot_is_late(reaper, slot)) {
		op->result = attempt_late_error(slot);
		return OP_FAILED;
	}
	/*
	 * Nobody has asked for that: the submission of its sequence was cut, or the kernel has
	 * found something wrong with another op of it before any began. Alone each says its own.
	 */
	if (result == -ECANCELED &&
	    slot->interrupted++ / slot_chain(slot)->count < INTERRUPTED_MAX) {
		slot->unlinked = true;
		return OP_AGAIN;
	}
	/* A close is never repeated: whatever it said, the descriptor may be another file's now. */
	if ((result == -EINTR || result == -EAGAIN) && !op_is(op, OP_CLOSES_FILE))
		return judge_interrupted(reaper, slot, number, result);
	return failed(op);
}

/* What a completion means for its op. */
static inline enum verdict judge(struct reaper *reaper, struct slot *slot, unsigned number)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];
	int32_t result = (int32_t)op->result;

	if (result < 0)
		return judge_error(reaper, slot, number, result);
	if (op_is(op, OP_MOVES_BYTES))
		return judge_moved(slot, op, result);
	if (op_is(op, OP_OPENS_FILE))
		op->result = 0; /* a descriptor is none of the processor's business */
	slot->interrupted = 0;
	return OP_DONE;
}

/*
 * Has an op that is done cancelled what was linked behind it? A read that ended early has, and a
 * close that was interrupted.
 */
static bool broke_link(const struct iobatch_op *op, int64_t answer)
{
	return (op_is(op, OP_MOVES_BYTES) && op_moved(op) < op->length) ||
	       (op_is(op, OP_CLOSES_FILE) && answer < 0);
}

/* All completions of a sequence are there: judges them from the front. */
static void judge_sequence(struct reaper *reaper, struct slot *slot)
{
	struct iobatch_chain *chain = slot_chain(slot);
	bool broken = false;

	while (slot->position < slot->submitted && !broken) {
		struct iobatch_op *op = &chain->ops[slot->position];
		int64_t answer = op->result;

		switch (judge(reaper, slot, slot->position)) {
		case OP_DONE:
			slot->position++;
			broken = broke_link(op, answer);
			break;
		case OP_FAILED:
			slot_fail(slot, op, (int)op->result);
			slot->position = slot->phase == SLOT_CLEANUP ? slot->position + 1
			                                             : (uint8_t)chain->count;
			broken = true;
			break;
		case OP_AGAIN:
		case OP_PAUSED:
			broken = true;
			break;
		}
	}
	slot->submitted = slot->position;
}

/* Lets the processor see an op of an unordered chain that is done; it may want some to run again.
 */
static void tell_processor(struct reaper *reaper, struct slot *slot, struct iobatch_op *op)
{
	const struct iobatch_processor *processor = reaper->run->processor;
	struct iobatch_chain *chain = slot_chain(slot);
	struct op_set again;
	unsigned number;
	int result;

	if (slot->phase != SLOT_RUNNING || !processor->complete || slot->error)
		return;
	result = processor->complete(processor->context, &slot->item, chain, op);
	for (unsigned i = 0; i < OPS_MAX / 64; i++) {
		again.bits[i] = chain->reserved[i];
		chain->reserved[i] = 0;
	}
	if (result < 0) {
		slot->error = result;
		slot->failed_opcode = (int16_t)op->opcode;
		return;
	}
	while (op_set_take(&again, &number)) {
		if (!attempt_op_is_sound(reaper, slot, &chain->ops[number])) {
			slot->error = attempt_refuse_chain(slot);
			return;
		}
		chain->ops[number].reserved[3] = 0;
		chain->ops[number].reserved[0] = 0;
		op_set_add(&slot->wanted, number);
	}
}

static void judge_alone(struct reaper *reaper, struct slot *slot, unsigned number)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];

	switch (judge(reaper, slot, number)) {
	case OP_DONE:
		tell_processor(reaper, slot, op);
		break;
	case OP_FAILED:
		slot_fail(slot, op, (int)op->result);
		break;
	case OP_AGAIN:
		op_set_add(&slot->wanted, number);
		break;
	case OP_PAUSED:
		break;
	}
	if (slot->error && slot->phase == SLOT_RUNNING)
		handover_abandon(slot);
}

/*
 * An op has succeeded at the last moment, and what is linked behind it begins: that is late as
 * well. When there is no room to say so, the deadlines' list will. In a run that is halted nobody
 * waits for a certain time, and it has as long to answer as the one before.
 */
static void tell_next(struct reaper *reaper, struct slot *slot)
{
	bool told = handover_cancel(reaper, slot) == 0;

	if (!slot->halted || slot->deadlines != &reaper->overdue)
		return;
	deadline_passed(reaper, slot);
	if (!told)
		slot->asked_ns = 0;
}

enum chain_state chain_complete(struct reaper *reaper, struct slot *slot, unsigned number,
                                int32_t result)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];

	assert(number < slot_chain(slot)->count && slot->outstanding > 0);
	slot->outstanding--;
	op->result = result;
	if (op_is(op, OP_ON_PATH))
		lanes_leave(&reaper->lanes, op);
	if (op_is(op, OP_OPENS_FILE | OP_CLOSES_FILE))
		note_file(slot, op, result);
	if (slot_chain(slot)->unordered)
		judge_alone(reaper, slot, number);
	else if (slot->outstanding == 0)
		judge_sequence(reaper, slot);
	else if (result >= 0 && slot_is_late(reaper, slot))
		tell_next(reaper, slot);
	return go_on(reaper, slot);
}

/* The pause before an op is tried again is over. */
enum chain_state chain_resume(struct reaper *reaper, struct slot *slot, unsigned number)
{
	assert(slot->outstanding > 0);
	slot->outstanding--;
	slot_chain(slot)->ops[number].result = -EAGAIN;
	/* In order it is the op at slot->position, which is wanted anyhow. */
	if (slot_chain(slot)->unordered && (!slot->error || slot->phase != SLOT_RUNNING))
		op_set_add(&slot->wanted, number);
	return go_on(reaper, slot);
}

enum chain_state chain_give_up(struct slot *slot, int error)
{
	const struct iobatch_chain *chain = slot_chain(slot);
	unsigned number = 0;

	while (number < chain->count && !op_is_owed(&chain->ops[number]))
		number++;
	if (number == chain->count)
		number = handover_first_wanted(slot);
	if (number < chain->count)
		slot_fail(slot, &chain->ops[number], error);
	handover_abandon(slot);
	return state_of(slot);
}

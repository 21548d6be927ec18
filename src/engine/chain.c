/* SPDX-License-Identifier: MIT */
/*
 * Carries out the chain of a slot, and is the one place that continues short reads and writes and
 * repeats what ended with EINTR or EAGAIN.
 *
 * In order: the ops go to the executor in linked sequences as long as the op table allows. Nothing
 * is linked behind an op whose failure does not break a link, nothing destructive is linked behind
 * anything, and an op on a file waits for the open unless the executor has direct descriptors. When
 * all completions of a sequence are there they are judged from the front; what a short read, an
 * EINTR or the end of the sequence has kept from running goes into the next sequence.
 *
 * Unordered: each op goes alone, and is judged alone.
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

static void fail(struct slot *slot, const struct iobatch_op *op, int error)
{
	/* The first failure is the attempt's; in clean-up there is nothing left to fail. */
	if (slot->error || slot->phase == SLOT_CLEANUP)
		return;
	slot->error = error;
	slot->failed_opcode = op->opcode;
}

static bool deadline_passed(const struct reaper *reaper, const struct slot *slot)
{
	return slot->phase == SLOT_RUNNING && slot->deadline_ns &&
	       reaper->now_ns >= slot->deadline_ns;
}

/* ------------------------------------------------------- handing over -- */

static inline void make_request(const struct reaper *reaper, struct slot *slot, unsigned number,
                                struct executor_request *ret)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];
	unsigned facts = op_row(op)->facts;

	ret->op = op;
	ret->id = id_make(ID_OP, slot->number, slot->generation, number);
	ret->fd = -1;
	ret->direct = false;
	if (!(facts & (OP_USES_FILE | OP_OPENS_FILE | OP_CLOSES_FILE)))
		return;
	if (op->file < 0) {
		ret->fd = IOBATCH_FD(op->file);
	} else if (reaper->executor->direct_files) {
		ret->fd = (int)(slot->number * reaper->run->processor->files_max) + op->file;
		ret->direct = true;
	} else if (!(facts & OP_OPENS_FILE)) {
		/* What is not open has no number: the last one is somebody else's by now. */
		ret->fd = slot->files_open & 1u << op->file ? slot->files[op->file] : -1;
	}
}

/* May `next` be linked behind `op`? */
static bool may_link(const struct executor *executor, const struct iobatch_op *op,
                     const struct iobatch_op *next)
{
	if (!op_is(op, OP_BREAKS_LINK) || op_is(next, OP_DESTRUCTIVE))
		return false;
	if (!executor->linkable[op->opcode] || !executor->linkable[next->opcode])
		return false;
	/* What is linked behind would be cancelled. */
	if (op->flags & IOBATCH_MAY_FAIL)
		return false;
	if (op_is(op, OP_IS_TIMER) && !executor->timers_link)
		return false;
	/* A part that is whole does not break the link, although the op goes on. */
	if (op_is(op, OP_MOVES_BYTES) && op->length - op_moved(op) > OP_PART_MAX)
		return false;
	/* A normal descriptor is not known before the open has completed. */
	return executor->direct_files || !op_is(op, OP_OPENS_FILE);
}

/* Hands over ops from slot->submitted on. Returns 0, or -EAGAIN when the executor has no room. */
static inline int submit_sequence(struct reaper *reaper, struct slot *slot, uint64_t deadline_ns)
{
	struct iobatch_chain *chain = slot_chain(slot);
	struct executor_request requests[OPS_MAX];
	unsigned from = slot->submitted, count = 0;
	int result;

	do {
		make_request(reaper, slot, from + count, &requests[count]);
		count++;
		/* What cleans up runs whatever became of the op before it. */
	} while (from + count < chain->count && slot->phase != SLOT_CLEANUP &&
	         may_link(reaper->executor, &chain->ops[from + count - 1],
	                  &chain->ops[from + count]));
	result = reaper->executor->ops->submit(reaper->executor, requests, count, deadline_ns);
	if (result < 0)
		return result;
	reaper->in_flight += count;
	slot->submitted = (uint8_t)(from + count);
	slot->outstanding += count;
	return 0;
}

static int submit_alone(struct reaper *reaper, struct slot *slot, uint64_t deadline_ns)
{
	struct op_set left = slot->wanted;
	struct executor_request request;
	unsigned number;

	while (op_set_take(&left, &number)) {
		make_request(reaper, slot, number, &request);
		if (reaper->executor->ops->submit(reaper->executor, &request, 1, deadline_ns) < 0)
			return -EAGAIN;
		reaper->in_flight++;
		slot->outstanding++;
		slot->wanted = left;
	}
	return 0;
}

static unsigned first_wanted(const struct slot *slot)
{
	struct op_set wanted = slot->wanted;
	unsigned number;

	return op_set_take(&wanted, &number) ? number : slot->position;
}

/* Gives up what has not been handed over. */
static void abandon(struct slot *slot)
{
	slot->wanted = (struct op_set){0};
	slot->position = (uint8_t)slot_chain(slot)->count;
	slot->submitted = slot->position;
}

static bool anything_wanted(const struct slot *slot)
{
	const struct iobatch_chain *chain = &slot->chains[slot->current];

	return chain->unordered ? !op_set_is_empty(&slot->wanted)
	                        : slot->outstanding == 0 && slot->position < chain->count;
}

/* Hands over what is wanted. Returns 0, or -EAGAIN when the executor had no room for all of it. */
static int hand_over(struct reaper *reaper, struct slot *slot)
{
	uint64_t deadline_ns = slot->phase == SLOT_RUNNING ? slot->deadline_ns : 0;

	if (deadline_passed(reaper, slot)) {
		fail(slot, &slot_chain(slot)->ops[first_wanted(slot)], -ETIME);
		abandon(slot);
		return 0;
	}
	return slot_chain(slot)->unordered ? submit_alone(reaper, slot, deadline_ns)
	                                   : submit_sequence(reaper, slot, deadline_ns);
}

static enum chain_state state_of(const struct slot *slot)
{
	if (slot->blocked)
		return CHAIN_BLOCKED;
	return slot->outstanding > 0 ? CHAIN_RUNNING : CHAIN_OVER;
}

/*
 * The end of every way into this file: hands over what is wanted. A slot for which there is no room
 * waits in the reaper's list, behind those that wait already.
 */
static inline enum chain_state go_on(struct reaper *reaper, struct slot *slot)
{
	if (!slot->blocked && anything_wanted(slot) &&
	    (reaper->blocked.first || hand_over(reaper, slot) < 0)) {
		slot->blocked = true;
		queue_push(&reaper->blocked, slot);
	}
	return state_of(slot);
}

enum chain_state chain_unblock(struct reaper *reaper, struct slot *slot)
{
	if (hand_over(reaper, slot) < 0)
		return CHAIN_BLOCKED;
	queue_pop(&reaper->blocked);
	slot->blocked = false;
	return state_of(slot);
}

enum chain_state chain_start(struct reaper *reaper, struct slot *slot)
{
	struct iobatch_chain *chain = slot_chain(slot);

	slot->generation++;
	slot->position = 0;
	slot->submitted = 0;
	slot->interrupted = 0;
	for (unsigned i = 0; i < chain->count; i++)
		chain->ops[i].reserved[0] = 0;
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
	const struct iobatch_op *op = &chain->ops[number];
	/* Each op of an unordered chain has its share. */
	unsigned tried = slot->interrupted / (chain->unordered ? chain->count : 1);
	uint64_t pause_ns;

	if (tried >= INTERRUPTED_MAX)
		return failed(op);
	if (result == -EINTR && !op_is(op, OP_IDEMPOTENT) && slot->phase == SLOT_RUNNING)
		return failed(op);
	slot->interrupted++;
	if (result == -EINTR)
		return OP_AGAIN;
	pause_ns = AGAIN_PAUSE_NS << (tried < AGAIN_SHIFT_MAX ? tried : AGAIN_SHIFT_MAX);
	/* Without room for the timer the op waits for room, which is a pause as well. */
	if (timer_start(reaper, id_make(ID_RESUME, slot->number, slot->generation, number),
	                pause_ns) < 0)
		return OP_AGAIN;
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
	/* The end of the file: fine for a read that does not insist; a write must move something.
	 */
	if (op->opcode != IOBATCH_OP_READ) {
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
	    deadline_passed(reaper, slot)) {
		op->result = -ETIME;
		return OP_FAILED;
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
			fail(slot, op, (int)op->result);
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
		slot->failed_opcode = op->opcode;
		return;
	}
	while (op_set_take(&again, &number)) {
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
		fail(slot, op, (int)op->result);
		break;
	case OP_AGAIN:
		op_set_add(&slot->wanted, number);
		break;
	case OP_PAUSED:
		break;
	}
	if (slot->error && slot->phase == SLOT_RUNNING)
		abandon(slot);
}

enum chain_state chain_complete(struct reaper *reaper, struct slot *slot, unsigned number,
                                int32_t result)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];

	assert(number < slot_chain(slot)->count && slot->outstanding > 0);
	slot->outstanding--;
	op->result = result;
	if (op_is(op, OP_OPENS_FILE | OP_CLOSES_FILE))
		note_file(slot, op, result);
	if (slot_chain(slot)->unordered)
		judge_alone(reaper, slot, number);
	else if (slot->outstanding == 0)
		judge_sequence(reaper, slot);
	return go_on(reaper, slot);
}

/* The pause before an op is tried again is over. */
enum chain_state chain_resume(struct reaper *reaper, struct slot *slot, unsigned number)
{
	assert(slot->outstanding > 0);
	slot->outstanding--;
	/* In order it is the op at slot->position, which is wanted anyhow. */
	if (slot_chain(slot)->unordered && (!slot->error || slot->phase != SLOT_RUNNING))
		op_set_add(&slot->wanted, number);
	return go_on(reaper, slot);
}

/* SPDX-License-Identifier: MIT */
/*
 * Hands the ops of a slot's chain over to the executor, as far as they are wanted and there is
 * room, and asks for them back. Knows how ops may be linked and what a file is called on the
 * executor; what an answer means is chain.c's business.
 *
 * In order: the ops go in linked sequences as long as the op table allows. Nothing is linked behind
 * an op whose failure does not break a link, nothing destructive is linked behind anything, and an
 * op on a file waits for the open unless the executor has direct descriptors. Unordered: each op
 * goes alone.
 *
 * An op that is in flight says so in its result, which is how what hangs is found.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine.h"

/* What a file of an op is called on the executor. */
static inline int file_place(const struct reaper *reaper, const struct slot *slot, int file,
                             bool opens, bool *ret_direct)
{
	if (file < 0)
		return IOBATCH_FD(file);
	if (reaper->executor->direct_files) {
		*ret_direct = true;
		return (int)(slot->number * reaper->run->processor->files_max) + file;
	}
	/* What is not open has no number: the last one is somebody else's by now. */
	return !opens && slot->files_open & 1u << file ? slot->files[file] : -1;
}

static inline void make_request(const struct reaper *reaper, struct slot *slot, unsigned number,
                                struct executor_request *ret)
{
	struct iobatch_op *op = &slot_chain(slot)->ops[number];
	unsigned facts = op_row(op)->facts;

	ret->op = op;
	ret->id = slot_id(slot, ID_OP, number);
	ret->fd = ret->fd2 = -1;
	ret->direct = ret->direct2 = false;
	if (facts & (OP_USES_FILE | OP_OPENS_FILE | OP_CLOSES_FILE))
		ret->fd = file_place(reaper, slot, op->file, facts & OP_OPENS_FILE, &ret->direct);
	if (facts & OP_USES_FILE2)
		ret->fd2 = file_place(reaper, slot, op->file2, false, &ret->direct2);
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

/* Each file system that is used has as many ops that may block as the first one. */
static void widen(struct reaper *reaper, unsigned lanes_before)
{
	unsigned more = reaper->lanes.used_count - (lanes_before ? lanes_before : 1);

	if (more > 0)
		reaper->executor->ops->grow(reaper->executor, more * reaper->lanes.max);
}

/*
 * Hands over the ops of some requests, which stand side by side in the chain. Returns NULL, or the
 * queue in which the slot has to wait for room.
 */
static inline struct slot_queue *submit(struct reaper *reaper, struct slot *slot,
                                        const struct executor_request *requests, unsigned count,
                                        uint64_t deadline_ns)
{
	unsigned lanes_before = reaper->lanes.used_count;
	struct lane *lane = NULL;
	int result;

	if (reaper->lanes.mounts)
		lane = lanes_enter(&reaper->lanes, slot, requests[0].op, count);
	if (lane)
		return &lane->waiting;
	result = reaper->executor->ops->submit(reaper->executor, requests, count, deadline_ns);
	if (result < 0) {
		for (unsigned i = 0; i < count; i++)
			lanes_leave(&reaper->lanes, requests[i].op);
		return &reaper->blocked;
	}
	for (unsigned i = 0; i < count; i++)
		requests[i].op->result = OP_IN_FLIGHT;
	reaper->in_flight += count;
	slot->outstanding += count;
	if (reaper->lanes.used_count > lanes_before)
		widen(reaper, lanes_before);
	return NULL;
}

/* Hands over ops from slot->submitted on. Returns like submit(). */
static inline struct slot_queue *submit_sequence(struct reaper *reaper, struct slot *slot,
                                                 uint64_t deadline_ns)
{
	struct iobatch_chain *chain = slot_chain(slot);
	struct executor_request requests[OPS_MAX];
	unsigned from = slot->submitted, count = 0;
	struct slot_queue *queue;

	do {
		make_request(reaper, slot, from + count, &requests[count]);
		count++;
		/* What cleans up runs whatever became of the op before it. */
	} while (from + count < chain->count && slot->phase != SLOT_CLEANUP && !slot->unlinked &&
	         may_link(reaper->executor, &chain->ops[from + count - 1],
	                  &chain->ops[from + count]));
	queue = submit(reaper, slot, requests, count, deadline_ns);
	if (!queue)
		slot->submitted = (uint8_t)(from + count);
	return queue;
}

static struct slot_queue *submit_alone(struct reaper *reaper, struct slot *slot,
                                       uint64_t deadline_ns)
{
	struct op_set left = slot->wanted;
	struct executor_request request;
	unsigned number;

	while (op_set_take(&left, &number)) {
		struct slot_queue *queue;

		make_request(reaper, slot, number, &request);
		queue = submit(reaper, slot, &request, 1, deadline_ns);
		if (queue)
			return queue;
		slot->wanted = left;
	}
	return NULL;
}

unsigned handover_first_wanted(const struct slot *slot)
{
	struct op_set wanted = slot->wanted;
	unsigned number;

	return op_set_take(&wanted, &number) ? number : slot->position;
}

/* Gives up what has not been handed over. */
void handover_abandon(struct slot *slot)
{
	slot->wanted = (struct op_set){0};
	slot->position = (uint8_t)slot_chain(slot)->count;
	slot->submitted = slot->position;
}

/* Hands over what is wanted. Returns NULL, or the queue in which the slot waits to go on. */
struct slot_queue *handover(struct reaper *reaper, struct slot *slot)
{
	uint64_t deadline_ns = slot->phase == SLOT_RUNNING ? slot->deadline_ns : 0;
	int intent;

	if (slot_is_late(reaper, slot)) {
		slot_fail(slot, &slot_chain(slot)->ops[handover_first_wanted(slot)],
		          attempt_late_error(slot));
		handover_abandon(slot);
		return NULL;
	}
	intent = reaper->run->journal.asks && slot->phase == SLOT_RUNNING
	                 ? journal_intend(reaper, slot)
	                 : 0;
	if (intent == -EAGAIN)
		return &reaper->log.intending;
	if (intent < 0) {
		slot_fail(slot, &slot_chain(slot)->ops[handover_first_wanted(slot)], intent);
		handover_abandon(slot);
		return NULL;
	}
	return slot_chain(slot)->unordered ? submit_alone(reaper, slot, deadline_ns)
	                                   : submit_sequence(reaper, slot, deadline_ns);
}

int handover_cancel(struct reaper *reaper, struct slot *slot)
{
	const struct iobatch_chain *chain = slot_chain(slot);
	struct executor *executor = reaper->executor;

	/* What closes and cleans up is not stopped, unless it hangs: nobody else would do it. */
	if ((!slot_may_be_late(slot) && !slot->aside) || slot->outstanding == 0)
		return 0;
	for (unsigned i = 0; i < chain->count; i++) {
		const struct iobatch_op *op = &chain->ops[i];
		enum id_kind kind = op->result == OP_RESTING ? ID_RESUME : ID_OP;

		if (!op_is_owed(op))
			continue;
		if (executor->ops->cancel(executor, slot_id(slot, kind, i)) < 0)
			return -EAGAIN;
		/* What is linked behind it ends with it. */
		if (!chain->unordered)
			break;
	}
	return 0;
}

void handover_discount(struct reaper *reaper, struct slot *slot)
{
	struct iobatch_chain *chain = slot_chain(slot);
	unsigned blocking = 0;

	for (unsigned i = 0; i < chain->count; i++) {
		if (chain->ops[i].result != OP_IN_FLIGHT)
			continue;
		lanes_leave(&reaper->lanes, &chain->ops[i]);
		blocking++;
	}
	/* In order, one blocks and the others stand behind it. */
	if (blocking > 0)
		reaper->executor->ops->grow(reaper->executor, chain->unordered ? blocking : 1);
}

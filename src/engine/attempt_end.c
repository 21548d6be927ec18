/* SPDX-License-Identifier: MIT */
/*
 * What ends an attempt, or an item that waits for one, before its time: a deadline, the run that
 * drains, or one that is halted.
 *
 * Invariant: what has an op in flight is told to end and settles when that has answered (or is set
 * aside); what has none settles at once, whichever queue it waits in.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine.h"

int attempt_late_error(const struct slot *slot)
{
	return slot->halted ? -ECANCELED : -ETIME;
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

/* Ends an item of which no attempt is going on. */
static void end_waiting(struct reaper *reaper, struct slot *slot)
{
	bool waits = slot->queue || slot->item.attempt == 0;

	queue_leave(slot);
	slot->deadline_ns = 0;
	/* The pause before the next attempt is in flight: nobody will listen when it ends. */
	if (!waits)
		deadline_passed(reaper, slot);
	attempt_settle(reaper, slot);
}

void attempt_drain(struct reaper *reaper, struct slot *slot)
{
	if (slot->phase != SLOT_IDLE || slot->deadlines == &reaper->overdue)
		return;
	if (slot->item.attempt == 0) {
		slot->error = -ECANCELED;
		slot->failed_opcode = -1;
	}
	reaper->run->cut = true;
	end_waiting(reaper, slot);
}

void attempt_halt(struct reaper *reaper, struct slot *slot)
{
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
	slot->error = -ECANCELED;
	slot->failed_opcode = -1;
	end_waiting(reaper, slot);
}

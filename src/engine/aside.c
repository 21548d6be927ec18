/* SPDX-License-Identifier: MIT */
/*
 * Slots set aside: an op of theirs ignores that it was cancelled, as a read from a dead network
 * mount does. The item is settled on time, as timed out and stuck, another slot takes the place in
 * its window, other buffers the place of those that it holds, and the others go on at full width.
 *
 * Invariant: nothing of a slot that is set aside is used for anything else before its last op has
 * answered: not its memory, nor its buffers, files or ids. When they have, what the attempt has
 * left is closed and cleaned up like after any other failure, and the slot is a spare one.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine.h"

/* Puts a spare slot into the slot's place. Without one the place is never filled again. */
static void replace(struct reaper *reaper, const struct slot *slot)
{
	struct slot *spare = queue_pop(&reaper->spares);

	if (!spare)
		return;
	spare->window = slot->window;
	spare->place = slot->place;
	slot->window->places[slot->place] = spare;
}

void aside_put(struct reaper *reaper, struct slot *slot)
{
	struct run *run = reaper->run;
	uint32_t max = run->options.max_stuck;

	if (slot->phase == SLOT_RUNNING) {
		queue_leave(slot);
		chain_give_up(slot, attempt_late_error(slot));
	} else if (!slot->error) {
		/* All went well, but what the attempt has opened does not close. */
		slot->error = attempt_late_error(slot);
		slot->failed_opcode = IOBATCH_OP_CLOSE;
	}
	assert(slot->outstanding > 0 || slot->queue);
	slot->aside = true;
	deadline_move(reaper, slot, &reaper->set_aside, DEADLINE_ASIDE_NS);
	handover_discount(reaper, slot);
	pool_replace(&reaper->pool, slot);
	reaper->aside_count++;
	reaper_count_active(reaper, -1);
	descriptors_leave_probe(reaper);
	if (atomic_fetch_add(&run->stuck, 1) >= max)
		halt_run(run, -ETIMEDOUT,
		         "max_stuck is %u and one more item has run out of time while an op of it "
		         "ignores that it was cancelled; see what the items that are still running "
		         "wait for, or raise max_stuck",
		         max);
	if (reaper->pool.count - reaper->pool.missing < run->processor->buffers_min)
		halt_run(run, -ENOMEM,
		         "no memory for buffers in the place of those that stuck items keep");
	replace(reaper, slot);
	attempt_settle(reaper, slot);
}

void aside_return(struct reaper *reaper, struct slot *slot)
{
	assert(slot->aside && slot->outstanding == 0);
	/* Nobody has heard of it yet. */
	if (slot->recording)
		return;
	slot->aside = false;
	pool_take_back(&reaper->pool, slot);
	attempt_release(reaper, slot);
	reaper->aside_count--;
	atomic_fetch_sub(&reaper->run->stuck, 1);
	queue_push(&reaper->spares, slot);
}

int aside_ask_to_end(struct reaper *reaper)
{
	int result = 0;

	/* One that there was no room for keeps none of the others from being asked. */
	for (struct slot *slot = reaper->set_aside.first; slot; slot = slot->later) {
		if (attempt_ask_to_end(reaper, slot) < 0)
			result = -EAGAIN;
	}
	return result;
}

unsigned aside_owed(const struct reaper *reaper)
{
	unsigned owed = 0;

	for (const struct slot *slot = reaper->set_aside.first; slot; slot = slot->later)
		owed += slot->outstanding;
	return owed;
}

void aside_leave_behind(struct reaper *reaper)
{
	/* Nothing else is in flight, unless the executor broke. */
	assert(aside_owed(reaper) + journal_owed(reaper) == reaper->in_flight || reaper->error);
	for (struct slot *slot = reaper->set_aside.first; slot; slot = slot->later)
		tally_still_running(reaper->run, slot->item.index);
}

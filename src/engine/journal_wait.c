/* SPDX-License-Identifier: MIT */
/*
 * What waits for the journal, of one ring: items whose record found no room, items that nobody
 * hears of before their record is durable, and chains that are about to destroy something. Each
 * waits in its slot, so that a window takes nothing new meanwhile, and all go on in the order in
 * which they came. How the text gets into the file is journal.c's business.
 *
 * Invariant: an item is told once, and, as long as the journal can be written, after the one call
 * that makes its record.
 */
#include <errno.h>

#include "engine/engine.h"
#include "engine/journal.h"

/* ----------------------------------------------------------- outcomes -- */

static void list_push(struct slot_list *list, struct slot *slot)
{
	slot->unheard = NULL;
	if (list->last)
		list->last->unheard = slot;
	else
		list->first = slot;
	list->last = slot;
	slot->recording = true;
}

static void list_pop(struct slot_list *list)
{
	struct slot *slot = list->first;

	list->first = slot->unheard;
	if (!list->first)
		list->last = NULL;
	slot->recording = false;
}

/* Has the outcome recorded. Returns false when the slot has to wait for room. */
static bool record(struct reaper *reaper, struct slot *slot, const struct iobatch_outcome *outcome)
{
	struct logger *log = &reaper->log;
	uint64_t end = 0;
	int result = journal_record_outcome(reaper, outcome, &end);

	if (result == -EAGAIN)
		return false;
	if (slot->recording)
		list_pop(&log->unrecorded);
	slot->record_end = end;
	if (result == 0 && reaper->run->journal.tells_late && end > log->committed)
		list_push(&log->untold, slot);
	else
		attempt_tell(reaper, slot, outcome);
	return true;
}

void journal_settle(struct reaper *reaper, struct slot *slot, const struct iobatch_outcome *outcome)
{
	struct logger *log = &reaper->log;

	if (log->unrecorded.first || !record(reaper, slot, outcome))
		list_push(&log->unrecorded, slot);
}

/* ------------------------------------------------------------ intents -- */

/*
 * Where an op that destroys something keeps the end of the record of its intent; no such op has
 * anything else there. 0 = it has not asked yet.
 */
#define INTENT_PLACE 3
/* It has, and there is none. */
#define INTENT_NONE UINT64_MAX

static int intend_op(struct reaper *reaper, const struct slot *slot, struct iobatch_op *op)
{
	struct logger *log = &reaper->log;
	uint64_t *end = &op->reserved[INTENT_PLACE];

	if (!op_is(op, OP_DESTRUCTIVE))
		return 0;
	if (*end == 0) {
		uint64_t recorded = 0;
		int result = journal_record_intent(reaper, slot, op, &recorded);

		if (result < 0)
			return result;
		*end = recorded ? recorded : INTENT_NONE;
	}
	if (*end == INTENT_NONE || *end <= log->committed)
		return 0;
	return log->error ? log->error : -EAGAIN;
}

int journal_intend(struct reaper *reaper, struct slot *slot)
{
	struct iobatch_chain *chain = slot_chain(slot);
	struct op_set wanted = slot->wanted;
	unsigned number = slot->submitted;
	int result = 0;

	/* In order, what destroys something is the first of its sequence: it is never linked. */
	if (!chain->unordered)
		return intend_op(reaper, slot, &chain->ops[number]);
	while (op_set_take(&wanted, &number)) {
		int one = intend_op(reaper, slot, &chain->ops[number]);

		if (one < 0 && one != -EAGAIN)
			return one;
		result = result ? result : one;
	}
	return result;
}

/* ------------------------------------------------------------ waiting -- */

/* Lets what waits for the journal go on, as far as it can. */
static void go_on(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;
	struct iobatch_outcome outcome;
	struct slot *slot;

	pthread_mutex_lock(&journal->lock);
	log->committed = journal->committed;
	log->error = journal->error;
	pthread_mutex_unlock(&journal->lock);
	while ((slot = log->untold.first) && (log->error || slot->record_end <= log->committed)) {
		list_pop(&log->untold);
		outcome = attempt_outcome(reaper, slot);
		attempt_tell(reaper, slot, &outcome);
	}
	while ((slot = log->unrecorded.first)) {
		outcome = attempt_outcome(reaper, slot);
		if (!record(reaper, slot, &outcome))
			break;
	}
	reaper_serve(reaper, &log->intending);
}

bool journal_keeps(const struct reaper *reaper)
{
	const struct logger *log = &reaper->log;

	return log->unrecorded.first || log->untold.first || log->intending.first;
}

void journal_serve(struct reaper *reaper)
{
	if (!reaper->run->journal.on)
		return;
	journal_hurry(reaper);
	if (journal_keeps(reaper))
		go_on(reaper);
}

/* SPDX-License-Identifier: MIT */
/*
 * The outcome of an item: what it says, and who hears of it in which order: the processor, which
 * may yet turn a success into a failure, the journal, then everybody else.
 *
 * Invariant: an item is settled exactly once, when nothing of it is in flight and it holds no file
 * and no buffer, or when its slot is set aside with all of these. Its object goes back to the
 * collection exactly once: then or, when it was set aside, as soon as it has let go of these.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/engine.h"

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

static void note_success(struct iobatch_outcome *outcome, const struct slot *slot)
{
	outcome->note = outcome->error ? NULL : slot->note;
	outcome->note_length = outcome->note ? slot->note_length : 0;
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
		slot->error = outcome->error = result;
		slot->failed_opcode = -1;
		outcome->skipped = false;
		name_error(outcome, slot->own_error);
	}
	/* It may have found something out by looking at the outcome. */
	note_success(outcome, slot);
}

/* What is to start over, and never does, has been tried nevertheless. */
static uint32_t attempts_made(const struct slot *slot)
{
	uint32_t attempts = slot_attempts(slot);

	return attempts == 0 && slot->item.attempt > 0 ? 1 : attempts;
}

struct iobatch_outcome attempt_outcome(const struct reaper *reaper, const struct slot *slot)
{
	struct iobatch_outcome outcome = {
		.index = slot->item.index,
		.object = slot->item.object,
		.object_size = slot->item.object_size,
		.error = slot->error,
		.opcode = slot->error ? slot->failed_opcode : -1,
		.attempts = attempts_made(slot),
		.stuck = slot->aside,
		.still_running = slot->aside,
		.bytes = slot->item.bytes,
		.skipped = slot->skipped && !slot->error,
	};

	if (reaper->run->wants_times && outcome.attempts > 0) {
		outcome.start_ns = slot->start_ns;
		outcome.duration_ns = slot->duration_ns;
	}
	if (outcome.error)
		name_error(&outcome, slot->own_error);
	else if (outcome.skipped)
		name_reason(&outcome, slot->own_error);
	note_success(&outcome, slot);
	return outcome;
}

void attempt_settle(struct reaper *reaper, struct slot *slot)
{
	const struct run *run = reaper->run;
	struct iobatch_outcome outcome;

	assert(!slot->settled);
	slot->settled = true;
	if (run->wants_times)
		slot->duration_ns = reaper_clock_ns(reaper) - slot->start_ns;
	if (slot->error == -ETIME && slot->deadline_ns)
		lateness_add(&reaper->lateness, reaper_clock_ns(reaper) - slot->deadline_ns);
	outcome = attempt_outcome(reaper, slot);
	if (run->processor->settled)
		tell_processor(run->processor, slot, &outcome);
	if (run->journal.on)
		journal_settle(reaper, slot, &outcome);
	else
		attempt_tell(reaper, slot, &outcome);
}

void attempt_tell(struct reaper *reaper, struct slot *slot, const struct iobatch_outcome *outcome)
{
	tally_settle(reaper, outcome);
	if (!slot->aside)
		attempt_release(reaper, slot);
	window_settled(reaper, slot);
	/* Its ops have answered while the journal kept it. */
	if (slot->aside && slot->phase == SLOT_IDLE)
		aside_return(reaper, slot);
}

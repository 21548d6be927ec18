/* SPDX-License-Identifier: MIT */
/*
 * The deadlines of a reaper's attempts. All attempts of a run have the same time, so that the list
 * of those before their deadline is a queue: an attempt enters it at the end, and the first is the
 * next to be late. What is late moves to a second list, in which it is asked again and again to
 * end, and when it does not, is set aside: the third list, which asks more seldom. In each list all
 * wait for the same time, so that each is in order by itself.
 *
 * Keeping a deadline that is met costs two insertions and no system call. What ends an attempt and
 * what becomes of it is not known here.
 */
#include <errno.h>

#include "engine/engine.h"

/* How long an op that was told to end may take to answer, before its item is given up: little when
 * nothing can be gained any more, longer when there is another attempt to come. */
#define PATIENCE_NS NS_PER_MS
#define PATIENCE_TO_RETRY_NS (40 * NS_PER_MS)
/* Where so much completes that it is never known whether that was all, it is this long. */
#define PATIENCE_AT_LOAD_NS (40 * NS_PER_MS)
/* So many are told to end before the answers of those before them are taken. */
#define EXPIRE_MAX 64u
/* An op behind a link is not found before it has begun: so ask again. */
#define ASK_AGAIN_NS NS_PER_MS

static void append(struct deadline_list *list, struct slot *slot, uint64_t due_ns)
{
	slot->deadlines = list;
	slot->due_ns = due_ns;
	slot->later = NULL;
	slot->earlier = list->last;
	if (list->last)
		list->last->later = slot;
	else
		list->first = slot;
	list->last = slot;
}

void deadline_stop(struct slot *slot)
{
	struct deadline_list *list = slot->deadlines;

	if (!list)
		return;
	slot->deadlines = NULL;
	if (slot->earlier)
		slot->earlier->later = slot->later;
	else
		list->first = slot->later;
	if (slot->later)
		slot->later->earlier = slot->earlier;
	else
		list->last = slot->earlier;
}

void deadline_start(struct reaper *reaper, struct slot *slot, uint64_t deadline_ns)
{
	slot->deadline_ns = deadline_ns;
	append(&reaper->ahead, slot, deadline_ns);
}

void deadline_move(struct reaper *reaper, struct slot *slot, struct deadline_list *list,
                   uint64_t after_ns)
{
	deadline_stop(slot);
	append(list, slot, reaper->now_ns + after_ns);
}

void deadline_passed(struct reaper *reaper, struct slot *slot)
{
	slot->asked_ns = reaper->now_ns;
	deadline_move(reaper, slot, &reaper->overdue, ASK_AGAIN_NS);
}

uint64_t deadline_next(const struct reaper *reaper)
{
	const struct slot *firsts[] = {reaper->ahead.first, reaper->overdue.first,
	                               reaper->set_aside.first};
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < 3; i++) {
		if (firsts[i] && firsts[i]->due_ns < next_ns)
			next_ns = firsts[i]->due_ns;
	}
	return next_ns;
}

static bool is_due(const struct reaper *reaper, const struct deadline_list *list)
{
	return list->first && list->first->due_ns <= reaper->now_ns;
}

static uint64_t patience_ns(const struct reaper *reaper, const struct slot *slot, bool idle)
{
	const struct run *run = reaper->run;
	bool last = policy_is_last(reaper, slot, -ETIME);
	uint64_t grace_ns = run->options.stuck_grace_ms * NS_PER_MS;

	/* One more would halt the run: what only is slow is given the time that the end would take.
	 */
	if (run->stuck >= run->options.max_stuck && !reaper->halting &&
	    grace_ns > PATIENCE_TO_RETRY_NS)
		return grace_ns;
	/* What closes and cleans up was not told to end, and is busy rather than stuck. */
	if (!last || slot->phase != SLOT_RUNNING)
		return PATIENCE_TO_RETRY_NS;
	return idle ? PATIENCE_NS : PATIENCE_AT_LOAD_NS;
}

/* When the executor was told what the slot was told: with the wait after that. */
static uint64_t told_ns(const struct reaper *reaper, const struct slot *slot)
{
	return slot->asked_ns >= reaper->checked_ns ? reaper->handed_ns : slot->asked_ns;
}

/* What is late is told to end, as far as there is room for that. */
static void expire(struct reaper *reaper)
{
	for (unsigned i = 0; i < EXPIRE_MAX && is_due(reaper, &reaper->ahead); i++) {
		if (attempt_expire(reaper, reaper->ahead.first) < 0)
			return;
	}
}

static void check_lists(struct reaper *reaper, bool idle)
{
	expire(reaper);
	/* What has answered may stand behind the completions that were taken. */
	while (is_due(reaper, &reaper->overdue)) {
		struct slot *slot = reaper->overdue.first;

		/* Its answer may be among those that are still to be taken: to ask again only adds
		 * to them. */
		if (!idle && slot->asked_ns &&
		    reaper->now_ns - slot->asked_ns < PATIENCE_AT_LOAD_NS)
			break;
		/* What waits for room is not stuck: there was none to say so when it expired. */
		if (slot->phase == SLOT_RUNNING && slot->queue) {
			if (attempt_expire(reaper, slot) < 0)
				return;
			continue;
		}
		if (slot->phase != SLOT_IDLE && slot->asked_ns &&
		    reaper->now_ns - told_ns(reaper, slot) >= patience_ns(reaper, slot, idle)) {
			aside_put(reaper, slot);
			continue;
		}
		if (attempt_ask_to_end(reaper, slot) < 0)
			return;
		if (!slot->asked_ns)
			slot->asked_ns = reaper->now_ns;
		deadline_move(reaper, slot, &reaper->overdue, ASK_AGAIN_NS);
	}
	while (is_due(reaper, &reaper->set_aside)) {
		struct slot *slot = reaper->set_aside.first;

		if (attempt_ask_to_end(reaper, slot) < 0)
			return;
		deadline_move(reaper, slot, &reaper->set_aside, DEADLINE_ASIDE_NS);
	}
}

void deadline_check(struct reaper *reaper, bool idle)
{
	check_lists(reaper, idle);
	reaper->checked_ns = reaper->now_ns;
}

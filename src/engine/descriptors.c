/* SPDX-License-Identifier: MIT */
/*
 * See descriptors.h. Each ring finds its own width: it falls to what was in flight beside an
 * attempt that found no descriptor, and grows by one when twice as many have ended well. What waits
 * starts as others end, in turn, and at the latest after a pause, since descriptors may be other
 * parts' of the process.
 *
 * Invariant: an attempt that waits holds no descriptor, so that those that wait never keep each
 * other from ending. When tries fail for seconds while nothing else is in flight in any ring,
 * nothing will be freed by waiting; others then do not wait as long, until one that has waited
 * finds one. Only one ring at a time tries when it has nothing else in flight: two that did would
 * each look busy to the other.
 */
#include "engine/descriptors.h"

#include "engine/engine.h"

#define PAUSE_MIN_NS (10 * NS_PER_MS)
#define PAUSE_MAX_NS (1000 * NS_PER_MS)
/* How long tries may fail, and how many do at least. */
#define PATIENCE_NS (5000 * NS_PER_MS)
#define TRIES_MIN 8u

void descriptors_init(struct throttle *throttle)
{
	throttle->width = UINT32_MAX;
	throttle->pause_ns = PAUSE_MIN_NS;
}

bool descriptors_must_wait(struct reaper *reaper, struct slot *slot)
{
	struct throttle *throttle = &reaper->throttle;

	if (!throttle->waiting.first && reaper_active(reaper) < throttle->width)
		return false;
	if (!throttle->waiting.first)
		throttle->due_ns = reaper_clock_ns(reaper) + throttle->pause_ns;
	queue_push(&throttle->waiting, slot);
	return true;
}

/* With nothing else in flight here a try is the only one in all rings. */
static bool take_probe(struct reaper *reaper)
{
	bool taken = false;

	if (reaper_active(reaper) > 0 || reaper->throttle.probes)
		return true;
	reaper->throttle.probes =
		atomic_compare_exchange_strong(&reaper->run->probed, &taken, true);
	return reaper->throttle.probes;
}

void descriptors_leave_probe(struct reaper *reaper)
{
	if (reaper->throttle.probes)
		reaper->run->probed = false;
	reaper->throttle.probes = false;
}

static void rest(struct throttle *throttle, uint64_t now_ns)
{
	throttle->pause_ns *= 2;
	if (throttle->pause_ns > PAUSE_MAX_NS)
		throttle->pause_ns = PAUSE_MAX_NS;
	throttle->due_ns = now_ns + throttle->pause_ns;
}

struct slot *descriptors_next(struct reaper *reaper)
{
	struct throttle *throttle = &reaper->throttle;
	uint64_t now_ns;

	/* One that waited for buffers would not be seen here. */
	if (!throttle->waiting.first || reaper->starving.first)
		return NULL;
	now_ns = reaper_clock_ns(reaper);
	if (throttle->rests || reaper_active(reaper) >= throttle->width) {
		if (now_ns < throttle->due_ns)
			return NULL;
		if (!take_probe(reaper)) {
			throttle->due_ns = now_ns + throttle->pause_ns;
			return NULL;
		}
		throttle->rests = false;
		rest(throttle, now_ns);
	} else {
		throttle->due_ns = now_ns + throttle->pause_ns;
	}
	return queue_pop(&throttle->waiting);
}

uint64_t descriptors_due(const struct reaper *reaper)
{
	if (!reaper->throttle.waiting.first || reaper->starving.first)
		return UINT64_MAX;
	return reaper->throttle.due_ns;
}

/* Is anything in flight in any ring? */
static bool anything_in_flight(const struct run *run)
{
	for (unsigned i = 0; i < run->reapers_count; i++) {
		if (reaper_active(&run->reapers[i]) > 0)
			return true;
	}
	return false;
}

/* A try has failed while nothing else was in flight: was it the last that makes sense? */
static bool is_hopeless(struct throttle *throttle, uint64_t now_ns)
{
	if (!throttle->alone) {
		throttle->alone = true;
		throttle->alone_tries = 0;
		throttle->alone_ns = now_ns;
	}
	throttle->alone_tries++;
	if (throttle->alone_tries >= TRIES_MIN && now_ns - throttle->alone_ns >= PATIENCE_NS)
		throttle->hopeless = true;
	return throttle->hopeless;
}

bool descriptors_wait(struct reaper *reaper, struct slot *slot)
{
	struct throttle *throttle = &reaper->throttle;
	uint64_t now_ns = reaper_clock_ns(reaper);
	/* Before another ring tries in its turn. */
	bool is_alone = !anything_in_flight(reaper->run);

	/* From now on pauses are looked at after each wait. */
	reaper->reads_clock = true;
	descriptors_leave_probe(reaper);
	throttle->rests = true;
	throttle->due_ns = now_ns + throttle->pause_ns;
	if (reaper_active(reaper) < throttle->width) {
		throttle->width = reaper_active(reaper) > 0 ? reaper_active(reaper) : 1;
		throttle->ended = 0;
	}
	if (!is_alone)
		throttle->alone = false;
	if (is_alone && is_hopeless(throttle, now_ns)) {
		/* The others that wait are not each waited for as long. */
		throttle->pause_ns = PAUSE_MIN_NS;
		throttle->due_ns = now_ns + throttle->pause_ns;
		return false;
	}
	/* As if it had not been. */
	slot->restarts++;
	queue_push(&throttle->waiting, slot);
	return true;
}

void descriptors_ended(struct reaper *reaper, const struct slot *slot)
{
	struct throttle *throttle = &reaper->throttle;

	/* One has waited, and not in vain. */
	if (slot->restarts > 0)
		throttle->hopeless = false;
	descriptors_leave_probe(reaper);
	throttle->rests = false;
	throttle->alone = false;
	throttle->pause_ns = PAUSE_MIN_NS;
	if (++throttle->ended < 2 * throttle->width)
		return;
	throttle->ended = 0;
	throttle->width = throttle->width < reaper->slots_count ? throttle->width + 1 : UINT32_MAX;
}

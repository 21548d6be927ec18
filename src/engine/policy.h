/* SPDX-License-Identifier: MIT */
/*
 * The failure policy of a run: which failed attempts are followed by another, after what pause, and
 * when failures end the run. All of it lies on the way of failures only; what the rings share of it
 * is a few counters.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct iobatch_options;
struct iobatch_outcome;
struct reaper;
struct run;
struct slot;

struct policy {
	uint64_t seed; /* of the jitter */
	bool counts_settled;
	_Atomic uint64_t retries; /* further attempts that the budget has paid for */
	_Atomic uint64_t settled; /* items, when that is wanted */
	_Atomic uint64_t failed;  /* of them */
};

void policy_init(struct policy *policy, const struct iobatch_options *options);
/* Would an attempt that fails with `error` now be its item's last, whatever the budget says? */
bool policy_is_last(const struct reaper *reaper, const struct slot *slot, int error);
/* May the failed attempt of the slot be followed by another? Takes it from the budget. */
bool policy_retry(struct reaper *reaper, const struct slot *slot);
/* The pause before that attempt: the same whenever it is asked. */
uint64_t policy_pause_ns(const struct reaper *reaper, const struct slot *slot);
/*
 * The slot's item has failed for want of room on a file system, and would settle. true: the run is
 * paused instead, and the item's attempt starts over when it goes on.
 */
bool policy_holds(struct reaper *reaper, const struct slot *slot);
/* An item has settled: that may halt the run. The tally's lock is not held. */
void policy_settled(struct run *run, const struct iobatch_outcome *outcome);

#endif

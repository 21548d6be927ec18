/* SPDX-License-Identifier: MIT */
/*
 * See policy.h. Pauses come from the seed, the item and the attempt alone, so that they are the
 * same however many rings there are and whatever happens in between.
 *
 * Invariant: the budget is never overdrawn, not even for a moment, whichever rings ask at once. How
 * an attempt goes and how a run is halted is not known here.
 */
#include "engine/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/engine.h"

/* Attempts that the budget always pays for: of few items a part is none at all. */
#define BUDGET_MIN 10u

void policy_init(struct policy *policy, const struct iobatch_options *options)
{
	struct timespec now;

	policy->seed = options->seed;
	policy->counts_settled = options->halt_after_percent > 0;
	if (policy->seed || options->backoff_jitter_percent == 0)
		return;
	if (getrandom(&policy->seed, sizeof(policy->seed), GRND_NONBLOCK) ==
	    (ssize_t)sizeof(policy->seed))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	policy->seed = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
}

/* ----------------------------------------------------------- whether -- */

/* These say that a file system takes no more: only ops that write are given them. */
static bool means_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EROFS;
}

static bool is_transient(int error)
{
	switch (error) {
	case -EINTR:
	case -EAGAIN:
	case -EBUSY:
	case -ENOMEM:
	case -ETIMEDOUT:
	case -ETIME:
	case -ESTALE:
	case -EIO:
	case IOBATCH_OWN_ERROR:
		return true;
	default:
		return false;
	}
}

static bool is_listed(const struct iobatch_options *options, int error)
{
	if (error == IOBATCH_OWN_ERROR)
		return false;
	for (const int *listed = options->retry_errnos; listed && *listed; listed++) {
		if (-*listed == error)
			return true;
	}
	return false;
}

static bool is_retried(const struct iobatch_options *options, int error)
{
	if (options->retry_on == IOBATCH_RETRY_LISTED || means_full(error))
		return is_listed(options, error);
	return options->retry_on == IOBATCH_RETRY_ANY || is_transient(error);
}

bool policy_is_last(const struct reaper *reaper, const struct slot *slot, int error)
{
	const struct iobatch_options *options = &reaper->run->options;

	return slot_attempts(slot) > options->retries || reaper->halting || reaper->run->soon ||
	       reaper->control.draining || reaper->run->drained || !is_retried(options, error);
}

/* How many further attempts the budget pays for, of as many items as were taken so far. */
static uint64_t budget_of(const struct run *run)
{
	unsigned __int128 part = run->intake.taken;

	part = part * run->options.retry_budget_percent / 100;
	if (part < BUDGET_MIN)
		return BUDGET_MIN;
	return part < UINT64_MAX ? (uint64_t)part : UINT64_MAX;
}

bool policy_retry(struct reaper *reaper, const struct slot *slot)
{
	struct run *run = reaper->run;
	uint64_t made;

	if (policy_is_last(reaper, slot, slot->error))
		return false;
	if (run->options.retry_budget_percent == 0)
		return true;
	made = run->policy.retries;
	do {
		if (made >= budget_of(run))
			return false;
	} while (!atomic_compare_exchange_weak(&run->policy.retries, &made, made + 1));
	return true;
}

/* Once for all whose errors come before the reaper has taken the pause up, or a few times. */
static void say_that_it_is_full(const struct reaper *reaper, int error)
{
	const struct iobatch_options *options = &reaper->run->options;
	char message[200];

	if (!options->on_log || reaper->control.paused)
		return;
	snprintf(message, sizeof(message),
	         "paused, since a file system takes no more: %s (%s); make room, and resume",
	         strerrorname_np(-error), strerrordesc_np(-error));
	options->on_log(options->context, IOBATCH_LOG_WARNING, message);
}

bool policy_holds(struct reaper *reaper, const struct slot *slot)
{
	const struct iobatch_options *options = &reaper->run->options;

	if (!means_full(slot->error) || options->on_full != IOBATCH_FULL_PAUSE || reaper->halting ||
	    reaper->run->soon || reaper->control.draining || reaper->run->drained)
		return false;
	if (!control_pause_run(reaper->run))
		return false;
	say_that_it_is_full(reaper, slot->error);
	return true;
}

/* -------------------------------------------------------------- when -- */

/* The finaliser of SplitMix64: all bits of the result depend on all of `z`. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A number from 0 to `max`, of the item and the attempt. */
static uint64_t draw(const struct reaper *reaper, const struct slot *slot, uint64_t max)
{
	uint64_t random = mix(reaper->run->policy.seed + 0x9e3779b97f4a7c15u);

	random = mix(random ^ mix(slot->item.index + 0x9e3779b97f4a7c15u));
	random = mix(random + slot_attempts(slot));
	return (uint64_t)((unsigned __int128)random * ((unsigned __int128)max + 1) >> 64);
}

/* The whole pause behind the attempt, which has failed: the first is 1. */
static uint64_t growing_pause_ns(const struct iobatch_options *options, uint32_t attempt)
{
	uint64_t pause_ns = options->backoff_ms * NS_PER_MS;
	uint64_t max_ns = options->backoff_max_ms * NS_PER_MS;

	if (options->backoff == IOBATCH_BACKOFF_NONE)
		return 0;
	if (options->backoff == IOBATCH_BACKOFF_FIXED)
		return pause_ns;
	while (--attempt > 0 && pause_ns < max_ns) {
		unsigned __int128 next =
			(unsigned __int128)pause_ns * options->backoff_factor_percent / 100;

		/* It grows no more, however many attempts there were. */
		if (next == pause_ns)
			break;
		pause_ns = next < max_ns ? (uint64_t)next : max_ns;
	}
	return pause_ns < max_ns ? pause_ns : max_ns;
}

uint64_t policy_pause_ns(const struct reaper *reaper, const struct slot *slot)
{
	const struct iobatch_options *options = &reaper->run->options;
	uint64_t pause_ns = growing_pause_ns(options, slot_attempts(slot));
	uint64_t most;

	if (options->backoff_jitter_percent == 0 || pause_ns == 0)
		return pause_ns;
	most = (uint64_t)((unsigned __int128)pause_ns * options->backoff_jitter_percent / 100);
	return pause_ns - draw(reaper, slot, most);
}

/* -------------------------------------------------------------- halt -- */

static const char *op_name(const struct iobatch_outcome *outcome)
{
	return outcome->opcode < 0 ? "its processor" : op_table[outcome->opcode].info.name;
}

/* Has the share of failures become too large? */
static bool too_many(const struct policy *policy, const struct iobatch_options *options,
                     uint64_t settled)
{
	return settled >= options->halt_min_items &&
	       (unsigned __int128)policy->failed * 100 >
	               (unsigned __int128)settled * options->halt_after_percent;
}

void policy_settled(struct run *run, const struct iobatch_outcome *outcome)
{
	const struct iobatch_options *options = &run->options;
	struct policy *policy = &run->policy;
	bool failed = outcome->error != 0;
	uint64_t failures;

	/*
	 * What the end of a run has cancelled, or its journal failed, says nothing of items, nor is
	 * a run that is drained halted for what it does not try again.
	 */
	if (outcome->error == -ECANCELED || run->drained || run->cut)
		return;
	failures = failed ? atomic_fetch_add(&policy->failed, 1) + 1 : 0;
	if (policy->counts_settled &&
	    too_many(policy, options, atomic_fetch_add(&policy->settled, 1) + 1))
		halt_by_policy(run, "more than %u percent of the items have failed",
		               options->halt_after_percent);
	if (!failed)
		return;
	if (options->halt_after_failures > 0 && failures >= options->halt_after_failures)
		halt_by_policy(run, "%llu %s failed, the last with %s at %s",
		               (unsigned long long)failures,
		               failures == 1 ? "item has" : "items have", outcome->error_name,
		               op_name(outcome));
	if (means_full(outcome->error) && options->on_full != IOBATCH_FULL_FAIL)
		halt_by_policy(run, "a file system takes no more: %s (%s) at %s",
		               outcome->error_name, outcome->message, op_name(outcome));
}

/* SPDX-License-Identifier: MIT */
/*
 * The failure policy of the random test: what is drawn of it, and what it means, written down once
 * more.
 */
#include "random.h"

/* Known by heart, and not from the engine. */
bool policy_wants_retry(const struct world *world, int error)
{
	static const int transient[] = {EINTR,     EAGAIN, EBUSY,  ENOMEM,
	                                ETIMEDOUT, ETIME,  ESTALE, EIO};
	bool listed = false, passes = error == IOBATCH_OWN_ERROR;

	for (unsigned i = 0; i < 8; i++)
		passes |= error == -transient[i];
	for (unsigned i = 0; i < 2 && world->options.retry_errnos; i++)
		listed |= error == -world->listed[i];
	if (error == -ENOSPC || error == -EDQUOT || error == -EROFS)
		return listed;
	switch (world->options.retry_on) {
	case IOBATCH_RETRY_ANY:
		return true;
	case IOBATCH_RETRY_TRANSIENT:
		return passes;
	default:
		return listed;
	}
}

bool policy_may_hold(const struct world *world)
{
	return world->options.on_full == IOBATCH_FULL_PAUSE && world->options.control;
}

bool policy_holds_on(const struct world *world, int error)
{
	return policy_may_hold(world) && (error == -ENOSPC || error == -EDQUOT || error == -EROFS);
}

uint64_t policy_pause_after_ns(const struct world *world, uint32_t attempt)
{
	const struct iobatch_options *options = &world->options;
	uint64_t pause_ns = options->backoff_ms * NS_PER_MS;

	if (options->backoff == IOBATCH_BACKOFF_FIXED)
		return pause_ns;
	for (uint32_t i = 1; i < attempt; i++)
		pause_ns = pause_ns * options->backoff_factor_percent / 100;
	return pause_ns < options->backoff_max_ms * NS_PER_MS ? pause_ns
	                                                      : options->backoff_max_ms * NS_PER_MS;
}

/* What is to be done about failures. Of a third of all runs: the defaults. */
void policy_draw(struct world *world, uint64_t *random)
{
	struct iobatch_options *options = &world->options;

	if (one_in(random, 5))
		world->short_of_files = (uint32_t)below(random, 1001);
	if (one_in(random, 3))
		return;
	options->retry_on = (uint32_t)below(random, 3);
	for (unsigned i = 0; i < 2; i++)
		world->listed[i] = (int)(1 + below(random, 40));
	if (options->retry_on == IOBATCH_RETRY_LISTED || one_in(random, 2))
		options->retry_errnos = world->listed;
	options->backoff = (uint32_t)below(random, 2);
	options->backoff_factor_percent = 100 + (uint32_t)below(random, 400);
	options->backoff_max_ms = below(random, 20);
	options->backoff_jitter_percent = one_in(random, 2) ? (uint32_t)below(random, 101) : 0;
	options->seed = 1 + draw(random) / 2;
	options->retry_budget_percent = one_in(random, 3) ? 1 + (uint32_t)below(random, 100) : 0;
	if (one_in(random, 4))
		options->halt_after_failures = 1 + below(random, 20);
	if (one_in(random, 4))
		options->halt_after_percent = 1 + (uint32_t)below(random, 100);
	options->halt_min_items = (uint32_t)below(random, 40);
	options->halt = (uint32_t)below(random, 2);
	/* Without a control a pause is a halt. */
	options->on_full = one_in(random, 4) ? (uint32_t)below(random, 3) : 0;
	world->may_fail_early = options->halt_after_failures > 0 ||
	                        options->halt_after_percent > 0 || options->on_full > 0;
	world->may_halt |= world->may_fail_early;
}

/* Each item that has failed is in one group; those of the result are in order. */
static void check_groups(const struct world *world, const struct iobatch_result *result)
{
	uint64_t failed = 0, lowest;

	for (uint64_t i = 0; i < result->errors_count; i++) {
		const struct iobatch_error_group *group = &result->errors[i];

		CHECK(group->error && group->error_name && group->message && group->count > 0);
		CHECK(i == 0 || group[-1].count >= group->count);
		lowest = UINT64_MAX;
		for (unsigned j = 0; j < 3 && j < group->count; j++) {
			CHECK(world->records[group->first[j]].error == group->error);
			CHECK(j == 0 || group->first[j] > lowest);
			lowest = group->first[j];
		}
		failed += group->count;
	}
	CHECK(failed == result->failed);
}

/* A run ends early as its options say. */
static void check_end(const struct world *world, int error, const struct iobatch_result *result)
{
	const struct iobatch_options *options = &world->options;
	uint64_t budget = result->total_processed * options->retry_budget_percent / 100;

	CHECK(error == 0 || (error == -ETIMEDOUT && world->may_halt) ||
	      (error == -ECANCELED && (world->may_fail_early || options->control)));
	CHECK(error != -ETIMEDOUT || result->stuck > options->max_stuck);
	if (result->end != IOBATCH_END_DRAINED && result->end != IOBATCH_END_CANCELLED)
		CHECK(result->end == (error == 0            ? IOBATCH_END_COMPLETE
		                      : error == -ETIMEDOUT ? IOBATCH_END_STUCK
		                                            : IOBATCH_END_HALTED));
	CHECK((error == 0) == (result->message[0] == 0));
	if (options->retry_budget_percent)
		CHECK(result->retries <= (budget > 10 ? budget : 10));
	if (error)
		return;
	CHECK(!options->halt_after_failures || result->failed < options->halt_after_failures);
	CHECK(!options->halt_after_percent || result->total_processed < options->halt_min_items ||
	      result->failed * 100 <= result->total_processed * options->halt_after_percent);
}

void policy_check(const struct world *world, int error, const struct iobatch_result *result)
{
	check_end(world, error, result);
	check_groups(world, result);
}

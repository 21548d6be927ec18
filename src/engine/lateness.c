/* SPDX-License-Identifier: MIT */
/*
 * See lateness.h. Times below 64 ns have a bucket each; above, each doubling has 32 of them, so
 * that a bucket is never wider than a 32nd of what is in it.
 */
#include "engine/lateness.h"

static unsigned bucket_of(uint64_t time_ns)
{
	unsigned shift;

	if (time_ns < 2 * LATENESS_STEPS)
		return (unsigned)time_ns;
	/* The six highest bits, of which the first is 1. */
	shift = 63 - (unsigned)__builtin_clzll(time_ns) - 5;
	return shift * LATENESS_STEPS + (unsigned)(time_ns >> shift);
}

/* The greatest time of a bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2 * LATENESS_STEPS)
		return bucket;
	shift = bucket / LATENESS_STEPS - 1;
	return ((uint64_t)(LATENESS_STEPS + bucket % LATENESS_STEPS + 1) << shift) - 1;
}

void lateness_add(struct lateness *lateness, uint64_t time_ns)
{
	lateness->count++;
	lateness->buckets[bucket_of(time_ns)]++;
	if (time_ns > lateness->max_ns)
		lateness->max_ns = time_ns;
}

void lateness_merge(struct lateness *lateness, const struct lateness *other)
{
	lateness->count += other->count;
	for (unsigned i = 0; i < LATENESS_BUCKETS; i++)
		lateness->buckets[i] += other->buckets[i];
	if (other->max_ns > lateness->max_ns)
		lateness->max_ns = other->max_ns;
}

/* The time that `percent` of all are not above. */
static uint64_t percentile(const struct lateness *lateness, unsigned percent)
{
	uint64_t wanted = (lateness->count * percent + 99) / 100, seen = 0;

	for (unsigned i = 0; i < LATENESS_BUCKETS; i++) {
		seen += lateness->buckets[i];
		if (seen >= wanted)
			return bucket_end(i) < lateness->max_ns ? bucket_end(i) : lateness->max_ns;
	}
	return lateness->max_ns;
}

void lateness_report(const struct lateness *lateness, struct iobatch_lateness *ret)
{
	ret->count = lateness->count;
	ret->p50_ns = percentile(lateness, 50);
	ret->p90_ns = percentile(lateness, 90);
	ret->p99_ns = percentile(lateness, 99);
	ret->max_ns = lateness->max_ns;
}

/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times: eight decades of nanoseconds and more in buckets that are a 32nd wide, in
 * constant memory. Debian packages no library for it.
 */
#ifndef ENGINE_LATENESS_H
#define ENGINE_LATENESS_H

#include <iobatch.h>

#define LATENESS_STEPS 32u /* buckets of one doubling */
#define LATENESS_BUCKETS (60u * LATENESS_STEPS)

struct lateness {
	uint64_t count;
	uint64_t max_ns;
	uint32_t buckets[LATENESS_BUCKETS];
};

void lateness_add(struct lateness *lateness, uint64_t time_ns);
/* Adds what another has counted. */
void lateness_merge(struct lateness *lateness, const struct lateness *other);
void lateness_report(const struct lateness *lateness, struct iobatch_lateness *ret);

#endif

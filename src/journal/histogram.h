/* SPDX-License-Identifier: MIT */
/*
 * How long things took, to 7% at worst, in a few kilobytes: sixteen steps for each doubling. It
 * knows nothing of what took so long.
 */
#ifndef JOURNAL_HISTOGRAM_H
#define JOURNAL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS (64u * 16u)

struct histogram {
	uint64_t total;
	uint64_t longest;
	uint64_t counts[HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* A value that so many of 100 are not above; the longest for 100. 0 when there is none. */
uint64_t histogram_percentile(const struct histogram *histogram, unsigned percent);

#endif

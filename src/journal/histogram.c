/* SPDX-License-Identifier: MIT */
/* See histogram.h. Step 16 * n + m holds the values from (16 + m) << (n - 1) on; below 16, their
 * own. */
#include "journal/histogram.h"

static unsigned step_of(uint64_t value)
{
	unsigned shift;

	if (value < 16)
		return (unsigned)value;
	shift = 59 - (unsigned)__builtin_clzll(value);
	return (shift + 1) * 16 + (unsigned)(value >> shift & 15);
}

/* The largest value of a step. */
static uint64_t step_end(unsigned step)
{
	unsigned shift;

	if (step < 16)
		return step;
	shift = step / 16 - 1;
	return ((UINT64_C(16) + step % 16) << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[step_of(value)]++;
	histogram->total++;
	if (value > histogram->longest)
		histogram->longest = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, unsigned percent)
{
	uint64_t wanted, seen = 0;

	if (!histogram->total || percent >= 100)
		return histogram->longest;
	wanted = (uint64_t)((unsigned __int128)histogram->total * percent / 100);
	for (unsigned step = 0; step < HISTOGRAM_STEPS; step++) {
		uint64_t end = step_end(step);

		seen += histogram->counts[step];
		if (seen > wanted)
			return end < histogram->longest ? end : histogram->longest;
	}
	return histogram->longest;
}

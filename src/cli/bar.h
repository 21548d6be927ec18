/* SPDX-License-Identifier: MIT */
/*
 * The text of the progress bar, and the rates that stand in it. Pure: takes numbers, fills a
 * buffer; who writes it where is not known here. A line is never wider than it was asked to be:
 * what does not fit is left out, the least useful first.
 */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include <iobatch.h>

#define BAR_COLUMNS_MAX 512u

/* Rates, smoothed over about the last two seconds so that they can be read. */
struct bar_rates {
	uint64_t elapsed_ns; /* of the last sample */
	uint64_t processed;
	uint64_t bytes;
	double items_per_s;
	double bytes_per_s;
	bool sampled;
};

void bar_sample(struct bar_rates *rates, const struct iobatch_progress *progress);

/*
 * Fills `line` (BAR_COLUMNS_MAX + 1 bytes) with at most `columns` characters, all of them ASCII,
 * without a newline. Returns their number. `state` is a word for a run that does not just go on,
 * and stands in place of the time that is left, which nobody knows then; NULL = none.
 */
size_t bar_render(char *line, size_t columns, const struct iobatch_progress *progress,
                  const struct bar_rates *rates, const char *state);

/* "1.5 GiB", "912 B"; at most 10 characters. */
void bar_format_bytes(char *text, size_t size, double bytes);

/* "0.42 s", "12.3 s", "4m05s", "3h07m", "5d04h"; at most 15 characters. */
void bar_format_duration(char *text, size_t size, double seconds);

#endif

/* SPDX-License-Identifier: MIT */
/* The text of the progress bar: see bar.h. */
#include "cli/bar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1e9
#define SMOOTH_S 2.0 /* time constant of the rates */
#define METER_WIDTH 20u

void bar_sample(struct bar_rates *rates, const struct iobatch_progress *progress)
{
	double seconds, weight, items, bytes;

	if (progress->elapsed_ns <= rates->elapsed_ns)
		return;
	seconds = (double)(progress->elapsed_ns - rates->elapsed_ns) / NS_PER_S;
	items = (double)(progress->processed - rates->processed) / seconds;
	bytes = (double)(progress->bytes - rates->bytes) / seconds;
	/* The first sample is all that is known. */
	weight = rates->sampled ? seconds / (seconds + SMOOTH_S) : 1;
	rates->items_per_s += weight * (items - rates->items_per_s);
	rates->bytes_per_s += weight * (bytes - rates->bytes_per_s);
	rates->elapsed_ns = progress->elapsed_ns;
	rates->processed = progress->processed;
	rates->bytes = progress->bytes;
	rates->sampled = true;
}

void bar_format_bytes(char *text, size_t size, double bytes)
{
	static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned unit = 0;

	/* 1023.95 would be rounded up to four digits and a decimal. */
	while (bytes >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

void bar_format_duration(char *text, size_t size, double seconds)
{
	uint64_t whole = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 1000000000;

	if (seconds < 9.995)
		snprintf(text, size, "%.2f s", seconds);
	else if (seconds < 59.95)
		snprintf(text, size, "%.1f s", seconds);
	else if (whole < 3600)
		snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m", whole / 3600, whole / 60 % 60);
	else
		snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h", whole / 86400,
		         whole / 3600 % 24);
}

/* 1234 as it is, 1234567 as "1.23M": a rate is to be read, not to be counted with. */
static void format_rate(char *text, size_t size, double rate)
{
	if (rate < 99999.5)
		snprintf(text, size, "%.0f/s", rate);
	else if (rate < 999950)
		snprintf(text, size, "%.0fk/s", rate / 1e3);
	else
		snprintf(text, size, "%.2fM/s", rate / 1e6);
}

/* The most useful first: what does not fit any more is dropped from the end. */
enum field {
	FIELD_COUNT,
	FIELD_FAILED,
	FIELD_STUCK,
	FIELD_PERCENT,
	FIELD_ETA,
	FIELD_ITEM_RATE,
	FIELD_BYTE_RATE,
	FIELD_METER,
	FIELDS,
};

#define FIELD_SIZE 64u

static void fill_meter(char *text, double part)
{
	unsigned full = (unsigned)(part * METER_WIDTH);

	*text++ = '[';
	for (unsigned i = 0; i < METER_WIDTH; i++)
		*text++ = i < full ? '#' : '.';
	*text++ = ']';
	*text = '\0';
}

/* The texts of the fields; those that have nothing to say are empty. */
static void fill_fields(char fields[FIELDS][FIELD_SIZE], const struct iobatch_progress *progress,
                        const struct bar_rates *rates, const char *state)
{
	uint64_t total = progress->processed + progress->pending;
	char text[32];

	memset(fields, 0, FIELDS * FIELD_SIZE);
	if (progress->total_is_final) {
		double part = total ? (double)progress->processed / (double)total : 1;

		/* Rounded down: 100% is said when all is done, not before. */
		snprintf(fields[FIELD_PERCENT], FIELD_SIZE, "%3u%%", (unsigned)(part * 100));
		fill_meter(fields[FIELD_METER], part);
		snprintf(fields[FIELD_COUNT], FIELD_SIZE, "%" PRIu64 "/%" PRIu64,
		         progress->processed, total);
		if (!state && progress->pending && rates->items_per_s > 0) {
			bar_format_duration(text, sizeof(text),
			                    (double)progress->pending / rates->items_per_s);
			snprintf(fields[FIELD_ETA], FIELD_SIZE, "ETA %s", text);
		}
	} else {
		/* The source is still being read: a total would only be a guess. */
		snprintf(fields[FIELD_COUNT], FIELD_SIZE,
		         "%" PRIu64 " done, %" PRIu64 " or more left", progress->processed,
		         progress->pending);
	}
	if (state)
		snprintf(fields[FIELD_ETA], FIELD_SIZE, "%s", state);
	if (progress->failed)
		snprintf(fields[FIELD_FAILED], FIELD_SIZE, "%" PRIu64 " failed", progress->failed);
	if (progress->stuck)
		snprintf(fields[FIELD_STUCK], FIELD_SIZE, "%" PRIu64 " stuck", progress->stuck);
	if (rates->sampled) {
		format_rate(fields[FIELD_ITEM_RATE], FIELD_SIZE, rates->items_per_s);
		bar_format_bytes(text, sizeof(text), rates->bytes_per_s);
		if (progress->bytes)
			snprintf(fields[FIELD_BYTE_RATE], FIELD_SIZE, "%s/s", text);
	}
}

size_t bar_render(char *line, size_t columns, const struct iobatch_progress *progress,
                  const struct bar_rates *rates, const char *state)
{
	/* From left to right on the line. */
	static const enum field order[FIELDS] = {FIELD_METER,     FIELD_PERCENT,   FIELD_COUNT,
	                                         FIELD_ITEM_RATE, FIELD_BYTE_RATE, FIELD_ETA,
	                                         FIELD_FAILED,    FIELD_STUCK};
	char fields[FIELDS][FIELD_SIZE];
	size_t length = 0, used = 0;

	if (columns > BAR_COLUMNS_MAX)
		columns = BAR_COLUMNS_MAX;
	fill_fields(fields, progress, rates, state);
	for (unsigned i = 0; i < FIELDS; i++) {
		size_t size = strlen(fields[i]);

		if (!size)
			continue;
		if (used + size + (used ? 2 : 0) > columns)
			fields[i][0] = '\0';
		else
			used += size + (used ? 2 : 0);
	}
	for (unsigned i = 0; i < FIELDS; i++) {
		const char *text = fields[order[i]];

		if (!*text)
			continue;
		length += (size_t)sprintf(line + length, "%s%s", length ? "  " : "", text);
	}
	line[length] = '\0';
	return length;
}

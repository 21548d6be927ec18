/* SPDX-License-Identifier: MIT */
/*
 * Shows how far a run is, on stderr: as a bar that redraws itself, as one JSON object a line, or
 * not at all; and the summary at the end. Each redraw is one write, so that a terminal never shows
 * half of one.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/bar.h"
#include "cli/count.h"
#include "job/job.h"

#include <iobatch.h>

enum progress_mode {
	PROGRESS_AUTO, /* the bar on a terminal, else only the summary */
	PROGRESS_BAR,
	PROGRESS_JSON,
	PROGRESS_NONE,
	PROGRESS_SUMMARY, /* what `auto` becomes without a terminal */
};

struct progress {
	enum progress_mode mode;
	struct bar_rates rates;
	struct count count; /* of the items, for the bar */
	bool drawn;         /* a bar stands on the terminal's line */
};

/* The mode of a word of --progress. Returns -EINVAL when it is none. */
int progress_parse_mode(const char *word, enum progress_mode *ret_mode);

/*
 * Resolves `auto`, and sets how often the run is to call back. For a bar the job's items are
 * counted beforehand, when they can be. progress_deinit() must follow, before the job is freed; it
 * returns false when that count hangs: the process must then end with all that it holds.
 */
void progress_init(struct progress *progress, enum progress_mode mode, struct job *job);
bool progress_deinit(struct progress *progress);

/* Has `struct progress` as its context: on_progress of struct iobatch_options. */
void progress_show(struct progress *progress, const struct iobatch_progress *now);

/* Takes the bar away, so that a message can be written in its place. */
void progress_clear(struct progress *progress);

/* The line at the end of the run, unless the mode is json or none. */
void progress_finish(struct progress *progress, const char *job,
                     const struct iobatch_result *result);

#endif

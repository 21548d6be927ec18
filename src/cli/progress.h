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

struct resume;
struct resume_counts;

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
	bool ended;         /* no bar is drawn any more, whoever wants one */
	const char *state;  /* what stands in it in place of the time that is left; NULL = that */
	const struct resume *resume; /* what of the items the run leaves out; NULL = none */
};

/* The mode of a word of --progress. Returns -EINVAL when it is none. */
int progress_parse_mode(const char *word, enum progress_mode *ret_mode);

/*
 * Resolves `auto`, and sets how often the run is to call back. For a bar the job's items are
 * counted beforehand, when they can be; `resume` says which of them are none of this run (NULL =
 * all are). progress_deinit() must follow, before the job is freed; it returns false when that
 * count hangs: the process must then end with all that it holds.
 */
void progress_init(struct progress *progress, enum progress_mode mode, struct job *job,
                   const struct resume *resume);
bool progress_deinit(struct progress *progress);

/* Has `struct progress` as its context: on_progress of struct iobatch_options. */
void progress_show(struct progress *progress, const struct iobatch_progress *now);

/* Takes the bar away, so that a message can be written in its place; the other one for good. */
void progress_clear(struct progress *progress);
void progress_end(struct progress *progress);

/*
 * These may be called from any thread while the run goes on. Writes a line like cli_complain(), in
 * place of the bar; returns false when it was not, with `json`, whose readers are not to find
 * anything else there. The other one draws the bar again, which from then on says that the run is
 * in this state, a word that stays; NULL: it just goes on. It returns whether that is news.
 */
bool progress_say(struct progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool progress_set_state(struct progress *progress, const char *state,
                        const struct iobatch_progress *now);

/* Bytes of the longest object of --progress=json; and that object, without a newline. */
#define PROGRESS_JSON_MAX 512u
size_t progress_json(char text[PROGRESS_JSON_MAX], const struct iobatch_progress *now);

/* The line at the end of the run, unless the mode is json or none. */
void progress_finish(struct progress *progress, const char *job,
                     const struct iobatch_result *result, const struct resume_counts *resumed);

#endif

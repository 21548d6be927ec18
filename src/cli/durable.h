/* SPDX-License-Identifier: MIT */
/*
 * A run that outlives itself: takes the journal of a job before it is run, has what is done left
 * out, or come with what is known of it, and says so. This is all that the command knows of
 * journals but for `iobatch journal`, and the only place that brings jobs and journals together.
 */
#ifndef CLI_DURABLE_H
#define CLI_DURABLE_H

#include "journal/journal.h"
#include "journal/resume.h"

#include <iobatch.h>
#include <stdbool.h>

struct job;

/* What the user wants of the journal: the options of the command. */
struct durable_wish {
	bool resume;
	bool failed_only;
	bool force;
};

/* All zero without a journal. */
struct durable {
	struct journal *journal;
	struct resume *resume;
	const char *path;
	bool resumed;      /* there was a journal to go on with */
	bool nothing_left; /* all that the source would begin with is gone, since it is done */
	bool leaves_out;   /* what is done: but not where all is needed for a whole */
	bool carries;      /* to such a whole what is known of what is done */
	bool silent;
	uint64_t mark;   /* of the job's temporary names */
	uint64_t device; /* the journal's own file, which is no item */
	uint64_t inode;
	char name[256]; /* the only one that it has; empty when it may have others */
};

/*
 * Opens the journal that the job asks for, if it does, and puts it into the job's options.
 * Otherwise it has said why not, and returns the exit code. `silent`: says nothing else.
 */
int durable_begin(struct durable *durable, const struct durable_wish *wish, struct job *job,
                  bool silent);

/* Opens what is left of the job's source. 0 or a negative errno, as job_open_source(). */
int durable_open_source(struct durable *durable, struct job *job,
                        struct iobatch_source **ret_source, char **ret_error);

/*
 * What a command had decided by what was there before its run of this journal began, as
 * durable_decided() words it, in one line: to be freed. NULL: there is no such journal.
 */
char *durable_recall(const char *path);

/* Whether a run ended because its journal could not be written. */
bool durable_failed(const struct durable *durable, const struct iobatch_result *result);

/* Writes how the run has ended, and says what was done again. Returns the exit code. */
int durable_end(struct durable *durable, const struct iobatch_result *result, int code);

/* What resuming has come to; false when nothing was resumed. */
bool durable_counts(const struct durable *durable, struct resume_counts *ret_counts);

/* `unused`: the run has touched nothing, and a journal that is new goes again. */
void durable_deinit(struct durable *durable, bool unused);

#endif

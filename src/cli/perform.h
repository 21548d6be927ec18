/* SPDX-License-Identifier: MIT */
/*
 * Carries a job out as the command does it, wherever the job came from: shows the progress, names
 * what failed, writes the result, and finds the exit code. `iobatch run` and all verbs end here, so
 * that none of them can differ in that.
 */
#ifndef CLI_PERFORM_H
#define CLI_PERFORM_H

#include "cli/durable.h"
#include "cli/progress.h"

#include <argp.h>
#include <stdbool.h>

struct attendant;
struct job;

struct perform {
	enum progress_mode mode;
	const char *result_file; /* NULL = none */
	bool list_successful;
	bool dry_run;
	bool print_job;
	struct durable_wish durable_wish;
	struct durable durable;
	bool ran;      /* it came to items, or to the end of none */
	bool reported; /* failures stand in a report on standard output, and are not named again */
	struct progress progress;
	const char *control_path; /* of the control socket; NULL = none */
	struct attendant *attendant;
};

/* The options of perform_parse(), as keys of argp. */
enum perform_key {
	PERFORM_PROGRESS = 'p',
	PERFORM_RESULT = 'r',
	PERFORM_DRY_RUN = 'n',
	PERFORM_LIST_SUCCESSFUL = 1000, /* from here on without a letter */
	PERFORM_PRINT_JOB,
	PERFORM_RESULT_WITHOUT_LETTER,
	PERFORM_RESUME,
	PERFORM_RESUME_FAILED,
	PERFORM_FORCE,
	PERFORM_CONTROL,
};

/* Takes the options, and at ARGP_KEY_SUCCESS checks them; ARGP_ERR_UNKNOWN for all else. */
error_t perform_parse(struct perform *perform, int key, char *argument, struct argp_state *state);

/* Runs the job, or only shows what it would do; returns the exit code. */
int perform_job(struct perform *perform, struct job *job);

#endif

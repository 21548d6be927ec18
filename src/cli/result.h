/* SPDX-License-Identifier: MIT */
/*
 * The result file: what a run came to, as JSON. It appears under its name whole or not at all,
 * except where the name is a pipe, a device or standard output, which are written to as they are.
 * Lists are written item by item, so that their length costs no memory.
 */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include <iobatch.h>

struct resume_counts;

struct result_report {
	const char *job;
	const struct iobatch_result *result;
	bool list_successful;
	uint64_t source_errors;
	const struct resume_counts *resumed; /* NULL = it was no run that went on with another */
	const char *run_error; /* why the run ended early; NULL = it went to its end */
};

/*
 * Whether a result could be written to `path` ("-" = standard output) as things are: 0 or a
 * negative errno. Touches nothing.
 */
int result_check(const char *path);

/* Writes the file. Returns 0 or a negative errno; a file that was there is then unchanged. */
int result_write(const char *path, const struct result_report *report);

#endif

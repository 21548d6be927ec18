/* SPDX-License-Identifier: MIT */
/*
 * The commands and what they share: exit codes, and lines on stderr. Commands know the job and the
 * public interface of the library, nothing of the engine.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* items failed, or something of the run could not be completed */
	CLI_USAGE = 2,  /* arguments or job file: nothing was touched */
	CLI_MACHINE = 3 /* this machine cannot run it: nothing was touched */
};

/* Each takes its arguments from its own name on and returns an exit code. */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_ops(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/*
 * Writes "iobatch: ..." and a newline to stderr, as one write. What terminals would obey is escaped
 * (escape.h), so names can be given as they are.
 */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a ready message that may be NULL for lack of memory; frees it. */
void cli_complain_free(char *message);

/* A growing list of the arguments of --set, which NULL ends. */
struct cli_sets {
	const char **set;
	size_t count;
};

/* Ends the program when there is no memory. */
void cli_sets_add(struct cli_sets *sets, const char *set);

#endif

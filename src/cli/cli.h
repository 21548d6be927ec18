/* SPDX-License-Identifier: MIT */
/*
 * The commands and what they share: exit codes, and lines on stderr. Commands know the job and the
 * public interface of the library, nothing of the engine.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stddef.h>

struct job;

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,  /* items failed, or something of the run could not be completed */
	CLI_USAGE = 2,   /* arguments or job file: nothing was touched */
	CLI_MACHINE = 3, /* this machine cannot run it; or its journal could not be written */
	CLI_JOURNAL =
		4,     /* the journal is locked, of another job, or damaged: nothing was touched */
	CLI_HALTED = 5 /* the run was halted by its own policy */
};

/* Each takes its arguments from its own name on and returns an exit code. */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_ops(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_journal(int argc, char **argv);
int cli_ctl(int argc, char **argv);

/*
 * Writes "iobatch: ..." and a newline to stderr, as one write. What terminals would obey is escaped
 * (escape.h), so names can be given as they are.
 */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a ready message that may be NULL for lack of memory; frees it. */
void cli_complain_free(char *message);

/* Closes standard output. Returns `code`, or CLI_FAILED, after saying so, when output was lost. */
int cli_close_stdout(int code);

/* The job of a command line: its file, and the arguments of --set. All zero at first. */
struct cli_job {
	const char *file;
	const char **sets; /* ended by NULL; NULL = none */
	size_t sets_count;
};

#define CLI_OPTION_SET                                                                         \
	{                                                                                      \
		"set", 's', "KEY=VALUE", 0, "Put VALUE in place of what the job has at KEY", 0 \
	}

/* Takes CLI_OPTION_SET and the one job file: for parsers of argp to call for what they do not know.
 */
error_t cli_job_parse(struct cli_job *arguments, int key, char *argument, struct argp_state *state);

/* The same as --set=`set`, which must stay. */
void cli_job_set(struct cli_job *arguments, const char *set);

/* Loads that job. Otherwise it has said why not, and returns the exit code. */
int cli_job_load(const struct cli_job *arguments, struct job **ret_job);

void cli_job_deinit(struct cli_job *arguments);

#endif

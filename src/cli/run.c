/* SPDX-License-Identifier: MIT */
/* `iobatch run`: loads the job of a file and carries it out. */
#include "cli/cli.h"
#include "cli/perform.h"
#include "job/job.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct cli_job arguments;
	struct perform perform;
	char *sets[2]; /* what --journal and --journal-sync stand for */
};

enum run_key {
	KEY_EXECUTOR = 'e',
	KEY_JOURNAL = 2000, /* behind those of perform_parse() */
	KEY_JOURNAL_SYNC,
};

static const struct argp_option options[] = {
	CLI_OPTION_SET,
	{"executor", KEY_EXECUTOR, "NAME", 0,
         "What carries the operations out: auto, ring, syscall or simulated; the same as --set "
         "options.executor=NAME",
         0},
	{"progress", PERFORM_PROGRESS, "HOW", 0,
         "Show progress on stderr: bar, json (one object a line), none, or auto (the "
         "default: a bar on a terminal, else one line at the end)",
         0},
	{"result", PERFORM_RESULT, "FILE", 0, "Write the result as JSON to FILE (- is stdout)", 0},
	{"list-successful", PERFORM_LIST_SUCCESSFUL, NULL, 0,
         "List the successful items in the result too", 0},
	{"control", PERFORM_CONTROL, "PATH", 0,
         "Listen for iobatch ctl on a socket at PATH while it runs", 0},
	{"print-job", PERFORM_PRINT_JOB, NULL, 0,
         "Print the job with all that --set has put into it, and touch nothing", 0},
	{"journal", KEY_JOURNAL, "FILE", 0,
         "Record in FILE what is done, so that the job can be resumed; the same as --set "
         "options.journal.file=FILE",
         0},
	{"journal-sync", KEY_JOURNAL_SYNC, "HOW", 0,
         "Make that durable: none, batch or item; the same as --set options.journal.sync=HOW", 0},
	{"resume", PERFORM_RESUME, NULL, 0, "Go on where the run of the journal stopped", 0},
	{"resume-failed", PERFORM_RESUME_FAILED, NULL, 0,
         "Do again what has failed, and nothing else", 0},
	{"force", PERFORM_FORCE, NULL, 0, "Resume a journal of another job", 0},
	{"dry-run", PERFORM_DRY_RUN, NULL, 0, "Print what would be done, and touch nothing", 0},
	{0},
};

static const char doc[] =
	"Run the job that JOB.yaml describes.\v"
	"Relative paths, also those in the job, are relative to the current directory.\n"
	"\n"
	"Examples:\n"
	"  iobatch run quickstart.yaml\n"
	"  iobatch run copy-tree.yaml --set processor.copy.destination=/backup\n"
	"  iobatch run scrub.yaml --set options.rings=auto --result scrub.json\n"
	"  iobatch run scrub.yaml --set 'items.walk.types=[file, symlink]' --dry-run\n"
	"\n"
	"KEY is the way to a value, joined by dots; entries of a list count from 0.\n"
	"A VALUE that begins with [ { \" or ' is YAML, anything else is taken as it\n"
	"stands.\n"
	"\n"
	"Exit status: 0 all items succeeded; 1 items failed, or could not be found, or\n"
	"an output could not be written; 2 wrong arguments or job; 3 this machine\n"
	"cannot run it (see iobatch doctor), or the journal cannot be written; 4 the\n"
	"journal is locked, of another job, or damaged; 5 halted, because too many\n"
	"items failed or did not answer; 130 and 143 ended early by SIGINT and SIGTERM.\n"
	"With 2 and 4 nothing was touched.";

/* By enum iobatch_executor. */
static const char *const executor_sets[] = {
	[IOBATCH_EXECUTOR_AUTO] = "options.executor=auto",
	[IOBATCH_EXECUTOR_RING] = "options.executor=ring",
	[IOBATCH_EXECUTOR_SYSCALL] = "options.executor=syscall",
	[IOBATCH_EXECUTOR_SIMULATED] = "options.executor=simulated",
};

static void set_executor(struct run *run, const char *name, struct argp_state *state)
{
	for (size_t i = 0; i < sizeof(executor_sets) / sizeof(executor_sets[0]); i++) {
		if (!strcmp(name, strchr(executor_sets[i], '=') + 1)) {
			cli_job_set(&run->arguments, executor_sets[i]);
			return;
		}
	}
	argp_error(state, "--executor must be auto, ring, syscall or simulated, not %s", name);
}

static void *must_have(void *made)
{
	if (!made) {
		cli_complain("out of memory");
		exit(CLI_MACHINE);
	}
	return made;
}

/* A name that --set would take for YAML, as YAML that stands for it; any other as it is. */
static char *quote(const char *name)
{
	char *text, *end;

	if (!strchr("[{\"'!", *name) || !*name)
		return must_have(strdup(name));
	text = must_have(malloc(strlen(name) * 4 + sizeof("!bytes \"\"")));
	end = stpcpy(text, "!bytes \"");
	for (; *name; name++)
		end += sprintf(end, "\\x%02x", (unsigned char)*name);
	strcpy(end, "\"");
	return text;
}

static void set_journal(struct run *run, int key, const char *value, struct argp_state *state)
{
	char **set = &run->sets[key - KEY_JOURNAL];
	char *text, *quoted = quote(value);

	if (asprintf(&text, "options.journal.%s=%s", key == KEY_JOURNAL ? "file" : "sync", quoted) <
	    0)
		text = NULL;
	text = must_have(text);
	free(quoted);
	if (*set)
		argp_error(state, "--journal and --journal-sync: once each");
	cli_job_set(&run->arguments, text);
	*set = text;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct run *run = state->input;
	error_t err;

	if (key == KEY_EXECUTOR) {
		set_executor(run, argument, state);
		return 0;
	}
	if (key == KEY_JOURNAL || key == KEY_JOURNAL_SYNC) {
		set_journal(run, key, argument, state);
		return 0;
	}
	err = perform_parse(&run->perform, key, argument, state);
	return err == ARGP_ERR_UNKNOWN ? cli_job_parse(&run->arguments, key, argument, state) : err;
}

int cli_run(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, "JOB.yaml", doc, NULL, NULL, NULL};
	struct run run = {.perform = {.mode = PROGRESS_AUTO}};
	struct job *job;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run))
		return CLI_USAGE;
	code = cli_job_load(&run.arguments, &job);
	if (!code) {
		code = perform_job(&run.perform, job);
		job_free(job);
	}
	cli_job_deinit(&run.arguments);
	free(run.sets[0]);
	free(run.sets[1]);
	return code;
}

/* SPDX-License-Identifier: MIT */
/* `iobatch check`: says whether a job file is valid and what it would do; looks at nothing else. */
#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/escape.h"
#include "job/job.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct check {
	const char *file;
	struct cli_sets sets;
};

static const struct argp_option options[] = {
	{"set", 's', "KEY=VALUE", 0, "Put VALUE in place of what the job has at KEY", 0},
	{0},
};

static const char doc[] =
	"Check that JOB.yaml is a valid job, without running it.\v"
	"Only the job file is looked at: whether what it names exists is seen when it runs, or by\n"
	"iobatch run --dry-run.\n"
	"\n"
	"Examples:\n"
	"  iobatch check quickstart.yaml\n"
	"  iobatch check quickstart.yaml --set options.batch_size=128\n"
	"\n"
	"Exit status: 0 the job is valid; 2 it is not, or the arguments are wrong.";

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct check *check = state->input;

	switch (key) {
	case 's':
		cli_sets_add(&check->sets, argument);
		return 0;
	case ARGP_KEY_ARG:
		if (check->file)
			argp_error(state, "one job at a time: %s is too much", argument);
		check->file = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a job file is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_check(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, "JOB.yaml", doc, NULL, NULL, NULL};
	struct check check = {.file = NULL};
	struct job *job;
	char *message, *name;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &check))
		return CLI_USAGE;
	err = job_load(check.file, check.sets.set, &job, &message);
	free(check.sets.set);
	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	name = escape_text(check.file, strlen(check.file));
	printf("%s: ok\n", name ? name : "?");
	free(name);
	describe_job(job, stdout);
	putchar('\n');
	job_free(job);
	return CLI_OK;
}

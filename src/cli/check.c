/* SPDX-License-Identifier: MIT */
/* `iobatch check`: says whether a job file is valid and what it would do; looks at nothing else. */
#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/escape.h"
#include "job/job.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
	CLI_OPTION_SET,
	{0},
};

static const char doc[] =
	"Check that JOB.yaml is a valid job, without running it.\v"
	"Only the job file is looked at: whether what it names exists is seen when it\n"
	"runs, or by iobatch run --dry-run.\n"
	"\n"
	"Examples:\n"
	"  iobatch check quickstart.yaml\n"
	"  iobatch check quickstart.yaml --set options.batch_size=128\n"
	"\n"
	"Exit status: 0 the job is valid; 2 it is not, or the arguments are wrong.";

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	return cli_job_parse(state->input, key, argument, state);
}

int cli_check(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, "JOB.yaml", doc, NULL, NULL, NULL};
	struct cli_job arguments = {.file = NULL};
	struct job *job;
	char *name;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return CLI_USAGE;
	code = cli_job_load(&arguments, &job);
	cli_job_deinit(&arguments);
	if (code)
		return code;
	name = escape_text(arguments.file, strlen(arguments.file));
	printf("%s: ok\n", name ? name : "?");
	free(name);
	describe_job(job, stdout);
	putchar('\n');
	job_free(job);
	return CLI_OK;
}

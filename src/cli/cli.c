/* SPDX-License-Identifier: MIT */
/* What the commands share: see cli.h. */
#include "cli/cli.h"

#include "cli/escape.h"
#include "job/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing can be done about a stderr that does not take it. */
static void write_line(const char *text)
{
	char *escaped = escape_text(text, strlen(text)), *line;
	int length;

	if (!escaped)
		return;
	length = asprintf(&line, "iobatch: %s\n", escaped);
	free(escaped);
	if (length < 0)
		return;
	if (write(STDERR_FILENO, line, (size_t)length) < 0) {
		/* See above. */
	}
	free(line);
}

void cli_complain(const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	write_line(text);
	free(text);
}

void cli_complain_free(char *message)
{
	write_line(message ? message : "out of memory");
	free(message);
}

int cli_close_stdout(int code)
{
	if (!fclose(stdout))
		return code;
	cli_complain("standard output: %s", strerror(errno));
	return CLI_FAILED;
}

void cli_job_set(struct cli_job *arguments, const char *set)
{
	const char **grown =
		reallocarray(arguments->sets, arguments->sets_count + 2, sizeof(*grown));

	if (!grown) {
		cli_complain("out of memory");
		exit(CLI_MACHINE);
	}
	arguments->sets = grown;
	arguments->sets[arguments->sets_count++] = set;
	arguments->sets[arguments->sets_count] = NULL;
}

error_t cli_job_parse(struct cli_job *arguments, int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case 's':
		cli_job_set(arguments, argument);
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->file)
			argp_error(state, "one job at a time: %s is too much", argument);
		arguments->file = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a job file is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_job_load(const struct cli_job *arguments, struct job **ret_job)
{
	char *message;
	int err = job_load(arguments->file, arguments->sets, ret_job, &message);

	if (!err)
		return CLI_OK;
	cli_complain_free(message);
	return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
}

void cli_job_deinit(struct cli_job *arguments)
{
	free(arguments->sets);
}

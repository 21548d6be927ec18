/* SPDX-License-Identifier: MIT */
/* What the commands share: see cli.h. */
#include "cli/cli.h"

#include "cli/escape.h"

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

void cli_sets_add(struct cli_sets *sets, const char *set)
{
	const char **grown = reallocarray(sets->set, sets->count + 2, sizeof(*grown));

	if (!grown) {
		cli_complain("out of memory");
		exit(CLI_MACHINE);
	}
	sets->set = grown;
	sets->set[sets->count++] = set;
	sets->set[sets->count] = NULL;
}

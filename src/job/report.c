/* SPDX-License-Identifier: MIT */
/* Places an error about a job: see report.h. */
#include "job/report.h"

#include "job/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * "job.yaml:12: key: what", "--set key: what" or "--option: what", with the key only where it says
 * more.
 */
static char *place(const struct report *report, const char *path, const char *what)
{
	const struct tree_node *node = NULL;
	char *whole;
	int length;

	tree_find(report->root, path, (struct tree_node **)&node);
	if (node->argument && !node->set)
		length = asprintf(&whole, "%s%s%s", node->argument, *node->argument ? ": " : "",
		                  what);
	else if (node->set && !strcmp(node->set, path))
		length = asprintf(&whole, "--set %s: %s", path, what);
	else if (node->set)
		length = asprintf(&whole, "--set %s: %s: %s", node->set, path, what);
	else if (*path)
		length = asprintf(&whole, "%s:%u: %s: %s", report->file, node->line, path, what);
	else
		length = asprintf(&whole, "%s:%u: %s", report->file, node->line, what);
	return length < 0 ? NULL : whole;
}

int report_error(struct report *report, const char *path, const char *format, ...)
{
	va_list arguments;
	char *what;
	int length;

	va_start(arguments, format);
	length = vasprintf(&what, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -EINVAL;
	if (!report->message)
		report->message = place(report, path, what);
	free(what);
	return -EINVAL;
}

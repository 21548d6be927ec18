/* SPDX-License-Identifier: MIT */
/* Reading a journal that stays as it is: see scan.h. */
#include "journal/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int scan_fail(struct scan *scan, int err, const char *format, ...)
{
	va_list arguments;
	char *text = NULL, *line = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text && asprintf(&line, "%s: %s", scan->path, text) < 0)
		line = NULL;
	free(text);
	free(scan->error);
	scan->error = line;
	return err;
}

int scan_open(struct scan *scan, const char *path, int flags)
{
	struct stat stat_;

	*scan = (struct scan){.path = path};
	scan->fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (scan->fd < 0)
		return scan_fail(scan, -errno, "%s", strerror(errno));
	if (fstat(scan->fd, &stat_))
		return scan_fail(scan, -errno, "%s", strerror(errno));
	if (!S_ISREG(stat_.st_mode))
		return scan_fail(scan, -EINVAL, "this is no regular file");
	return journal_reader_new(scan->fd, &scan->reader);
}

int scan_again(struct scan *scan)
{
	journal_reader_free(scan->reader);
	scan->reader = NULL;
	return journal_reader_new(scan->fd, &scan->reader);
}

int scan_next(struct scan *scan, struct record *ret_record)
{
	int rc = journal_reader_next(scan->reader, ret_record);

	return rc < 0 ? scan_fail(scan, rc, "%s", journal_reader_problem(scan->reader)) : rc;
}

void scan_close(struct scan *scan)
{
	journal_reader_free(scan->reader);
	if (scan->fd >= 0)
		close(scan->fd);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns a report's file. The final name is touched by one rename only, after every write is known to
 * be good. The order of the lines is lines.c's business; what they say, that of who writes them.
 */
#include "processor/report.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processor/file.h"
#include "processor/lines.h"
#include "processor/temporary.h"

struct report {
	pthread_mutex_t lock;
	int fd;
	int error; /* the first one; sticky */
	bool abandoned;
	bool is_terminal; /* somebody waits for each line */
	uint64_t seed;    /* of temporary names */
	char *path;       /* the final name; NULL when the file is written directly */
	char *temporary;  /* the name until then; NULL when there is none any more */
	struct lines *lines;
};

int report_add(struct report *report, uint64_t index, const char *text, size_t length)
{
	int result;

	pthread_mutex_lock(&report->lock);
	if (report->error == 0)
		report->error = lines_add(report->lines, index, text, length);
	if (report->error == 0 && report->is_terminal)
		report->error = lines_flush(report->lines);
	result = report->error;
	pthread_mutex_unlock(&report->lock);
	return result;
}

/* -------------------------------------------------------------- itself -- */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool report_is(const struct report *report, const struct iobatch_file *object)
{
	const char *name = file_last_component(object);
	struct stat file, own;

	if (!report->temporary)
		return false;
	/* No other file has this name. */
	if (strcmp(name, last_component(report->temporary)) == 0)
		return true;
	return strcmp(name, last_component(report->path)) == 0 &&
	       fstatat(file_dirfd(object), file_name(object), &file, 0) == 0 &&
	       stat(report->path, &own) == 0 && file.st_dev == own.st_dev &&
	       file.st_ino == own.st_ino;
}

/* --------------------------------------------------- beginning and end -- */

static int open_directly(struct report *report, const char *path)
{
	if (strcmp(path, "-") == 0)
		report->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		report->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (report->fd < 0)
		return -errno;
	report->is_terminal = isatty(report->fd);
	return 0;
}

/* A file beside the report, made anew. */
static int make_beside(const struct report *report, uint64_t number, char *ret_name, size_t size)
{
	struct temporary temporary = {.seed = report->seed};
	int result = temporary_name(report->path, strlen(report->path), number, temporary, ret_name,
	                            size);
	int fd;

	if (result < 0)
		return result;
	fd = open(ret_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

/* For lines that wait: beside the report, and without a name. */
static int open_spill(void *context)
{
	const struct report *report = context;
	char name[PATH_MAX];
	FILE *file;
	int fd;

	if (report->path) {
		fd = make_beside(report, 1, name, sizeof(name));
		if (fd >= 0 && unlink(name) < 0) {
			close(fd);
			return -errno;
		}
		return fd;
	}
	file = tmpfile();
	if (!file)
		return -errno;
	fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	fclose(file);
	return fd;
}

static int open_temporary(struct report *report, const char *path)
{
	char name[PATH_MAX];
	int result;

	/* Behind a symbolic link it is the file that is replaced, not the link. */
	report->path = realpath(path, NULL);
	if (!report->path && errno == ENOENT)
		report->path = strdup(path);
	if (!report->path)
		return -errno;
	result = temporary_seed(&report->seed);
	if (result == 0)
		result = make_beside(report, 0, name, sizeof(name));
	if (result < 0)
		return result;
	report->fd = result;
	report->temporary = strdup(name);
	if (!report->temporary) {
		unlink(name);
		return -ENOMEM;
	}
	return 0;
}

int report_new(const char *path, struct report **ret_report)
{
	struct report *report;
	struct stat stat_buffer;
	int result;

	if (!*path)
		return -ENOENT;
	report = calloc(1, sizeof(*report));
	if (!report)
		return -ENOMEM;
	report->fd = -1;
	result = -pthread_mutex_init(&report->lock, NULL);
	if (result < 0) {
		free(report);
		return result;
	}
	if (strcmp(path, "-") == 0 ||
	    (stat(path, &stat_buffer) == 0 && !S_ISREG(stat_buffer.st_mode)))
		result = open_directly(report, path);
	else
		result = open_temporary(report, path);
	if (result == 0)
		result = lines_new(report->fd, open_spill, report, &report->lines);
	if (result < 0) {
		report_free(report);
		return result;
	}
	*ret_report = report;
	return 0;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	if (report->fd >= 0)
		close(report->fd);
	if (report->temporary)
		unlink(report->temporary);
	lines_free(report->lines);
	free(report->temporary);
	free(report->path);
	pthread_mutex_destroy(&report->lock);
	free(report);
}

static int finish(struct report *report)
{
	int result = report->error;

	if (result == 0)
		result = lines_finish(report->lines);
	if (close(report->fd) < 0 && result == 0)
		result = -errno;
	report->fd = -1;
	if (result < 0 || !report->temporary || report->abandoned)
		return result;
	if (rename(report->temporary, report->path) < 0)
		return -errno;
	free(report->temporary);
	report->temporary = NULL;
	return 0;
}

void report_abandon(struct report *report)
{
	if (report)
		report->abandoned = true;
}

int report_finish(struct report *report)
{
	if (!report)
		return 0;
	pthread_mutex_lock(&report->lock);
	if (report->fd >= 0)
		report->error = finish(report);
	pthread_mutex_unlock(&report->lock);
	return report->error;
}

/* ---------------------------------------------------------------- lines -- */

bool report_escapes(const char *name)
{
	return strpbrk(name, "\\\n\r");
}

char *report_put_name(char *at, const char *name, bool escape)
{
	for (; *name; name++) {
		if (escape && (*name == '\\' || *name == '\n' || *name == '\r')) {
			*at++ = '\\';
			*at++ = *name == '\n' ? 'n' : *name == '\r' ? 'r' : '\\';
		} else {
			*at++ = *name;
		}
	}
	return at;
}

size_t report_line(const char *before, const char *name, const char *after, char *ret_line)
{
	bool escape = report_escapes(name);
	char *at = ret_line;

	if (escape)
		*at++ = '\\';
	at = stpcpy(at, before);
	at = report_put_name(at, name, escape);
	at = stpcpy(at, after);
	*at++ = '\n';
	return (size_t)(at - ret_line);
}

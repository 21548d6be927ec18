/* SPDX-License-Identifier: MIT */
/*
 * Finds a source that overlaps its destination: see overlap.h. Directories are compared by what
 * they are and not by their names, so that links and bind mounts hide nothing.
 */
#include "job/overlap.h"

#include "job/job.h"
#include "job/report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The canonical path of `path`, or of the directory that it would be made in; NULL when neither is.
 */
static char *resolve(const char *path)
{
	char *whole = realpath(path, NULL), *parent;
	size_t length = strlen(path);

	if (whole || errno != ENOENT)
		return whole;
	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	parent = length ? strndup(path, length) : strdup(".");
	if (!parent)
		return NULL;
	whole = realpath(parent, NULL);
	free(parent);
	return whole;
}

/* Is the file, or a directory that it is in, the one of `other`? Cuts the path off. */
static bool is_within(char *path, const struct stat *other)
{
	for (;;) {
		char *slash = strrchr(path, '/');
		struct stat here;

		if (!stat(path, &here) && here.st_dev == other->st_dev &&
		    here.st_ino == other->st_ino)
			return true;
		if (!slash || !slash[1])
			return false;
		slash[slash == path] = '\0';
	}
}

int overlap_check(struct report *report, const struct job *job)
{
	static const char key[] = "processor.copy.destination";
	const char *root = job->walk.root, *destination = job->copy.destination;
	char *from = NULL, *to = NULL;
	struct stat source, target;
	bool there;
	int err = 0;

	if (job->source != JOB_SOURCE_WALK || job->processor != JOB_PROCESSOR_COPY)
		return 0;
	if (stat(root, &source) || !S_ISDIR(source.st_mode))
		return 0;
	there = !stat(destination, &target);
	from = resolve(root);
	to = resolve(destination);
	if (there && source.st_dev == target.st_dev && source.st_ino == target.st_ino)
		err = report_error(report, key, "%s is items.walk.root itself; name another place",
		                   destination);
	else if (to && is_within(to, &source))
		err = report_error(
			report, key,
			"%s lies in items.walk.root, %s, and would be copied into itself; "
			"name a place outside of it",
			destination, root);
	else if (there && from && is_within(from, &target))
		err = report_error(
			report, key,
			"%s holds items.walk.root, %s, which could be written over; name a "
			"place beside it",
			destination, root);
	free(from);
	free(to);
	return err;
}

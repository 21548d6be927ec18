/* SPDX-License-Identifier: MIT */
/* Roots: see roots.h. */
#include "job/roots.h"

#include "job/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *const *roots_of(const struct job *job, const char *one[2])
{
	if (job->walk.roots)
		return job->walk.roots;
	one[0] = job->walk.root;
	one[1] = NULL;
	return one;
}

void roots_key(const struct job *job, size_t index, char *key, size_t size)
{
	static const char *const walked[] = {"first", "other"};

	if (job->walk.roots == job->walked)
		snprintf(key, size, "processor.%s.%s", processor_kinds[job->processor].key,
		         walked[index]);
	else if (job->walk.roots)
		snprintf(key, size, "items.walk.roots.%zu", index);
	else
		snprintf(key, size, "items.walk.root");
}

const char *roots_name(const char *path, size_t *ret_length)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	*ret_length = strcmp(name, ".") && strcmp(name, "..") ? strlen(name) : 0;
	return name;
}

bool job_drop_roots(struct job *job, bool (*is_done)(void *context, const char *root),
                    void *context)
{
	const char *one[2];
	const char *const *roots;
	/* The list is of the job's own; only its type says that nobody else may change it. */
	const char **list = (const char **)job->walk.roots;
	struct stat stat_;
	size_t left = 0;

	if (job->source != JOB_SOURCE_WALK)
		return true;
	for (roots = roots_of(job, one); *roots; roots++) {
		if (lstat(*roots, &stat_) && errno == ENOENT && is_done(context, *roots))
			continue;
		if (list)
			list[left] = *roots;
		left++;
	}
	if (list && left)
		list[left] = NULL;
	return left;
}

/* SPDX-License-Identifier: MIT */
/* Roots: see roots.h. */
#include "job/roots.h"

#include "job/kinds.h"

#include <stdio.h>
#include <string.h>

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

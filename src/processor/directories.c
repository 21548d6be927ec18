/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of directories of a copy. While the copy runs a directory has to be writable and
 * each new entry changes its times, so both are set at the end, and in a directory before its
 * parent, which may lose the permission to be searched. This part knows paths; neither items nor
 * ops.
 */
#include "processor/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_FIRST 64u

struct directory {
	char *path;
	int open_flags;
	uint32_t mode;
	struct timespec times[2];
};

int directories_init(struct directories *directories)
{
	*directories = (struct directories){0};
	return -pthread_mutex_init(&directories->lock, NULL);
}

void directories_deinit(struct directories *directories)
{
	for (size_t i = 0; i < directories->count; i++)
		free(directories->list[i].path);
	free(directories->list);
	pthread_mutex_destroy(&directories->lock);
}

static int add(struct directories *directories, const struct directory *directory)
{
	size_t max = directories->max ? directories->max * 2 : LIST_FIRST;
	struct directory *list = directories->list;

	if (directories->count == directories->max) {
		list = reallocarray(list, max, sizeof(*list));
		if (!list)
			return -ENOMEM;
		directories->list = list;
		directories->max = max;
	}
	list[directories->count++] = *directory;
	return 0;
}

int directories_add(struct directories *directories, const char *path, int open_flags,
                    uint32_t mode, const struct timespec times[2])
{
	struct directory directory = {.path = strdup(path),
	                              .open_flags = open_flags,
	                              .mode = mode,
	                              .times = {times[0], times[1]}};
	int result;

	if (!directory.path)
		return -ENOMEM;
	pthread_mutex_lock(&directories->lock);
	result = add(directories, &directory);
	pthread_mutex_unlock(&directories->lock);
	if (result < 0)
		free(directory.path);
	return result;
}

/* What begins with the whole of another path sorts behind it: reversed, the deepest come first. */
static int deepest_first(const void *a, const void *b)
{
	const struct directory *left = a, *right = b;

	return strcmp(right->path, left->path);
}

static int set(const struct directory *directory)
{
	int fd, result = 0;

	fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | directory->open_flags);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, directory->mode) < 0 || futimens(fd, directory->times) < 0)
		result = -errno;
	close(fd);
	return result;
}

int directories_finish(struct directories *directories)
{
	int result = 0;

	if (directories->count > 0)
		qsort(directories->list, directories->count, sizeof(*directories->list),
		      deepest_first);
	for (size_t i = 0; i < directories->count; i++) {
		int error = set(&directories->list[i]);

		if (result == 0)
			result = error;
	}
	return result;
}

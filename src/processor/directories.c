/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of directories of a copy about which there is something left to be done. While
 * things are put into a directory it has to be writable, nobody else is to look into it, and each
 * new entry changes its times; so mode and times are set when that is over, and in a directory
 * before its parent, which may lose the permission to be searched. An entry goes when the
 * directory's own item has come, so that the table is as large as the part of the tree that is open
 * at a time; only directories that never come as items stay in it to the end.
 */
#include "processor/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define BUCKETS_FIRST 1024u

struct directory {
	struct directory *same_bucket;
	uint64_t hash;
	uint32_t mode;
	bool made;
	bool kept;  /* mode, and times if there are any, are to be set */
	bool timed; /* `times` are to be set */
	bool noted;
	struct timespec times[2];
	struct timespec source_times[2];
	uint32_t length;
	char path[];
};

int directories_init(struct directories *directories, uint32_t made_mode, bool sync)
{
	*directories = (struct directories){
		.buckets_count = BUCKETS_FIRST,
		.made_mode = made_mode,
		.sync = sync,
	};
	directories->buckets = calloc(BUCKETS_FIRST, sizeof(*directories->buckets));
	if (!directories->buckets)
		return -ENOMEM;
	pthread_mutex_init(&directories->lock, NULL);
	return 0;
}

void directories_deinit(struct directories *directories)
{
	for (size_t i = 0; i < directories->buckets_count; i++) {
		while (directories->buckets[i]) {
			struct directory *directory = directories->buckets[i];

			directories->buckets[i] = directory->same_bucket;
			free(directory);
		}
	}
	free(directories->buckets);
	pthread_mutex_destroy(&directories->lock);
}

/* -------------------------------------------------------------- the table -- */

static struct directory **find(const struct directories *directories, const char *path,
                               uint32_t length, uint64_t hash)
{
	struct directory **at = &directories->buckets[hash & (directories->buckets_count - 1)];

	while (*at && ((*at)->hash != hash || (*at)->length != length ||
	               memcmp((*at)->path, path, length) != 0))
		at = &(*at)->same_bucket;
	return at;
}

/* More buckets for more entries; without memory for them it is slower, and that is all. */
static void grow(struct directories *directories)
{
	size_t count = directories->buckets_count;
	struct directory **buckets = calloc(2 * count, sizeof(struct directory *));

	if (!buckets)
		return;
	for (size_t i = 0; i < count; i++) {
		while (directories->buckets[i]) {
			struct directory *directory = directories->buckets[i];
			struct directory **at = &buckets[directory->hash & (2 * count - 1)];

			directories->buckets[i] = directory->same_bucket;
			directory->same_bucket = *at;
			*at = directory;
		}
	}
	free(directories->buckets);
	directories->buckets = buckets;
	directories->buckets_count = 2 * count;
}

/* The entry, new if there was none; NULL = no memory. Under the lock. */
static struct directory *get(struct directories *directories, const char *path, uint32_t length)
{
	uint64_t hash = XXH3_64bits(path, length);
	struct directory **at = find(directories, path, length, hash), *directory = *at;

	if (directory)
		return directory;
	directory = calloc(1, sizeof(*directory) + length + 1);
	if (!directory)
		return NULL;
	directory->hash = hash;
	directory->length = length;
	memcpy(directory->path, path, length);
	*at = directory;
	if (++directories->count > directories->buckets_count)
		grow(directories);
	return directory;
}

int directories_made(struct directories *directories, const char *path, uint32_t length)
{
	struct directory *directory;

	pthread_mutex_lock(&directories->lock);
	directory = get(directories, path, length);
	if (directory)
		directory->made = true;
	pthread_mutex_unlock(&directories->lock);
	return directory ? 0 : -ENOMEM;
}

int directories_keep(struct directories *directories, const char *path, uint32_t length,
                     uint32_t mode, const struct timespec *times)
{
	struct directory *directory;

	pthread_mutex_lock(&directories->lock);
	directory = get(directories, path, length);
	if (directory) {
		directory->kept = true;
		directory->mode = mode;
		directory->timed = times != NULL;
		if (times)
			memcpy(directory->times, times, sizeof(directory->times));
	}
	pthread_mutex_unlock(&directories->lock);
	return directory ? 0 : -ENOMEM;
}

int directories_note(struct directories *directories, const char *path, uint32_t length,
                     const struct timespec *times)
{
	struct directory *directory;

	pthread_mutex_lock(&directories->lock);
	directory = get(directories, path, length);
	if (directory && !directory->noted) {
		directory->noted = true;
		memcpy(directory->source_times, times, sizeof(directory->source_times));
	}
	pthread_mutex_unlock(&directories->lock);
	return directory ? 0 : -ENOMEM;
}

bool directories_noted(struct directories *directories, const char *path, uint32_t length,
                       struct timespec *ret_times)
{
	struct directory *directory;
	bool noted;

	pthread_mutex_lock(&directories->lock);
	directory = *find(directories, path, length, XXH3_64bits(path, length));
	noted = directory && directory->noted;
	if (noted && ret_times)
		memcpy(ret_times, directory->source_times, sizeof(directory->source_times));
	pthread_mutex_unlock(&directories->lock);
	return noted;
}

void directories_forget(struct directories *directories, const char *path, uint32_t length)
{
	struct directory **at, *directory;

	pthread_mutex_lock(&directories->lock);
	at = find(directories, path, length, XXH3_64bits(path, length));
	directory = *at;
	if (directory) {
		*at = directory->same_bucket;
		directories->count--;
	}
	pthread_mutex_unlock(&directories->lock);
	free(directory);
}

/* -------------------------------------------------------------- at the end -- */

/* What begins with the whole of another path sorts behind it: reversed, the deepest come first. */
static int deepest_first(const void *a, const void *b)
{
	const struct directory *const *left = a, *const *right = b;

	return strcmp((*right)->path, (*left)->path);
}

static int set(const struct directories *directories, const struct directory *directory, int fd)
{
	uint32_t mode = directory->kept ? directory->mode : directories->made_mode;
	struct stat stat_;

	if (fchmod(fd, mode) < 0)
		return -errno;
	if (directory->kept && directory->timed && futimens(fd, directory->times) < 0)
		return -errno;
	/* XFS says that one is durable even when it was lost: see copy_add_sync(). */
	return directories->sync && (fsync(fd) < 0 || fstat(fd, &stat_) < 0) ? -errno : 0;
}

static struct directory **in_order(const struct directories *directories)
{
	struct directory **list = calloc(directories->count, sizeof(struct directory *));
	size_t count = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; i < directories->buckets_count; i++) {
		for (struct directory *directory = directories->buckets[i]; directory;
		     directory = directory->same_bucket)
			list[count++] = directory;
	}
	qsort(list, count, sizeof(struct directory *), deepest_first);
	return list;
}

int directories_finish(struct directories *directories,
                       int (*open_directory)(void *context, const char *path), void *context)
{
	struct directory **list;
	int result = 0;

	if (directories->count == 0)
		return 0;
	list = in_order(directories);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < directories->count; i++) {
		int error = 0, fd;

		if (!list[i]->kept && !list[i]->made)
			continue;
		fd = open_directory(context, list[i]->path);
		if (fd >= 0) {
			error = set(directories, list[i], fd);
			close(fd);
		} else if (fd != -ENOENT) {
			error = fd;
		}
		if (result == 0)
			result = error;
	}
	free(list);
	return result;
}

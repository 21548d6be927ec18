/* SPDX-License-Identifier: MIT */
/*
 * Owns a manifest file and the order of its lines. Items settle in any order; a line that comes
 * before its turn waits in a ring that is indexed by how far its item is ahead. Invariant: what the
 * file holds are the lines of the items below `next`, in order. The final name is touched by one
 * rename only, after every write is known to be good. It knows neither digests nor ops.
 */
#include "processor/manifest.h"

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

#include "processor/temporary.h"

#define BUFFER_SIZE (64u << 10)
#define WAITING_FIRST 1024u

/* A line that waits for its turn. */
struct line {
	bool present; /* the item has settled */
	char *text;   /* NULL: it has no line */
	size_t length;
};

struct manifest {
	pthread_mutex_t lock;
	int fd;
	int error;       /* the first one; sticky */
	char *path;      /* the final name; NULL when the file is written directly */
	char *temporary; /* the name until then; NULL when there is none any more */

	uint64_t next;        /* index whose turn it is */
	struct line *waiting; /* of item `next + i` at (next + i) % waiting_max */
	uint64_t waiting_max; /* a power of two */

	size_t used;
	char buffer[BUFFER_SIZE];
};

/* ------------------------------------------------------------- writing -- */

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static int flush(struct manifest *manifest)
{
	int result = write_all(manifest->fd, manifest->buffer, manifest->used);

	manifest->used = 0;
	return result;
}

static int put_line(struct manifest *manifest, const char *text, size_t length)
{
	int result = 0;

	if (length == 0)
		return 0;
	if (length > BUFFER_SIZE - manifest->used)
		result = flush(manifest);
	if (result < 0)
		return result;
	if (length > BUFFER_SIZE)
		return write_all(manifest->fd, text, length);
	memcpy(manifest->buffer + manifest->used, text, length);
	manifest->used += length;
	return 0;
}

/* --------------------------------------------------------------- order -- */

static struct line *place(struct manifest *manifest, uint64_t index)
{
	return &manifest->waiting[index & (manifest->waiting_max - 1)];
}

/* Makes room for an item that is `ahead` of the one whose turn it is. */
static int make_room(struct manifest *manifest, uint64_t ahead)
{
	struct manifest old = {.waiting = manifest->waiting, .waiting_max = manifest->waiting_max};
	uint64_t max = old.waiting_max ? old.waiting_max : WAITING_FIRST;

	if (ahead < old.waiting_max)
		return 0;
	if (ahead >= SIZE_MAX / sizeof(struct line) / 4)
		return -ENOMEM;
	while (max <= ahead)
		max *= 2;
	manifest->waiting = calloc(max, sizeof(struct line));
	if (!manifest->waiting) {
		manifest->waiting = old.waiting;
		return -ENOMEM;
	}
	manifest->waiting_max = max;
	for (uint64_t i = 0; i < old.waiting_max; i++)
		*place(manifest, manifest->next + i) = *place(&old, manifest->next + i);
	free(old.waiting);
	return 0;
}

static int keep_line(struct manifest *manifest, uint64_t index, const char *text, size_t length)
{
	struct line line = {.present = true, .length = length};
	int result;

	result = make_room(manifest, index - manifest->next);
	if (result < 0)
		return result;
	if (length > 0) {
		line.text = malloc(length);
		if (!line.text)
			return -ENOMEM;
		memcpy(line.text, text, length);
	}
	*place(manifest, index) = line;
	return 0;
}

/* Writes the line whose turn it is, if it waits; it waits no longer whatever the result. */
static int write_waiting(struct manifest *manifest)
{
	struct line *line = place(manifest, manifest->next);
	int result = line->text ? put_line(manifest, line->text, line->length) : 0;

	free(line->text);
	*line = (struct line){0};
	manifest->next++;
	return result;
}

static int add_line(struct manifest *manifest, uint64_t index, const char *text, size_t length)
{
	int result;

	assert(index >= manifest->next);
	if (index > manifest->next)
		return keep_line(manifest, index, text, length);
	result = put_line(manifest, text, length);
	manifest->next++;
	while (result == 0 && manifest->waiting && place(manifest, manifest->next)->present)
		result = write_waiting(manifest);
	return result;
}

int manifest_add(struct manifest *manifest, uint64_t index, const char *line, size_t length)
{
	int result;

	pthread_mutex_lock(&manifest->lock);
	if (manifest->error == 0)
		manifest->error = add_line(manifest, index, line, length);
	result = manifest->error;
	pthread_mutex_unlock(&manifest->lock);
	return result;
}

/* -------------------------------------------------------------- itself -- */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool manifest_is(const struct manifest *manifest, const char *path)
{
	const char *name = last_component(path);
	struct stat file, own;

	if (!manifest->temporary)
		return false;
	/* No other file has this name. */
	if (strcmp(name, last_component(manifest->temporary)) == 0)
		return true;
	return strcmp(name, last_component(manifest->path)) == 0 && stat(path, &file) == 0 &&
	       stat(manifest->path, &own) == 0 && file.st_dev == own.st_dev &&
	       file.st_ino == own.st_ino;
}

/* --------------------------------------------------- beginning and end -- */

static int open_directly(struct manifest *manifest, const char *path)
{
	if (strcmp(path, "-") == 0)
		manifest->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		manifest->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return manifest->fd < 0 ? -errno : 0;
}

static int open_temporary(struct manifest *manifest, const char *path)
{
	char name[PATH_MAX];
	uint64_t seed;
	int result;

	/* Behind a symbolic link it is the file that is replaced, not the link. */
	manifest->path = realpath(path, NULL);
	if (!manifest->path && errno == ENOENT)
		manifest->path = strdup(path);
	if (!manifest->path)
		return -errno;
	result = temporary_seed(&seed);
	if (result < 0)
		return result;
	result =
		temporary_name(manifest->path, strlen(manifest->path), 0, seed, name, sizeof(name));
	if (result < 0)
		return result;
	manifest->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (manifest->fd < 0)
		return -errno;
	manifest->temporary = strdup(name);
	if (!manifest->temporary) {
		unlink(name);
		return -ENOMEM;
	}
	return 0;
}

int manifest_new(const char *path, struct manifest **ret_manifest)
{
	struct manifest *manifest;
	struct stat stat_buffer;
	int result;

	if (!*path)
		return -ENOENT;
	manifest = calloc(1, sizeof(*manifest));
	if (!manifest)
		return -ENOMEM;
	manifest->fd = -1;
	result = -pthread_mutex_init(&manifest->lock, NULL);
	if (result < 0) {
		free(manifest);
		return result;
	}
	if (strcmp(path, "-") == 0 ||
	    (stat(path, &stat_buffer) == 0 && !S_ISREG(stat_buffer.st_mode)))
		result = open_directly(manifest, path);
	else
		result = open_temporary(manifest, path);
	if (result < 0) {
		manifest_free(manifest);
		return result;
	}
	*ret_manifest = manifest;
	return 0;
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	if (manifest->fd >= 0)
		close(manifest->fd);
	if (manifest->temporary)
		unlink(manifest->temporary);
	for (uint64_t i = 0; i < manifest->waiting_max; i++)
		free(manifest->waiting[i].text);
	free(manifest->waiting);
	free(manifest->temporary);
	free(manifest->path);
	pthread_mutex_destroy(&manifest->lock);
	free(manifest);
}

static int finish(struct manifest *manifest)
{
	int result = manifest->error;

	/* Items that never settled leave a gap; what waits behind it is written all the same. */
	for (uint64_t i = 0; result == 0 && i < manifest->waiting_max; i++)
		result = write_waiting(manifest);
	if (result == 0)
		result = flush(manifest);
	if (close(manifest->fd) < 0 && result == 0)
		result = -errno;
	manifest->fd = -1;
	if (result < 0 || !manifest->temporary)
		return result;
	if (rename(manifest->temporary, manifest->path) < 0)
		return -errno;
	free(manifest->temporary);
	manifest->temporary = NULL;
	return 0;
}

int manifest_finish(struct manifest *manifest)
{
	pthread_mutex_lock(&manifest->lock);
	if (manifest->fd >= 0)
		manifest->error = finish(manifest);
	pthread_mutex_unlock(&manifest->lock);
	return manifest->error;
}

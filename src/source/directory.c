/* SPDX-License-Identifier: MIT */
/*
 * Counts references and uses without a lock: uses come and go in the threads of the reapers, and
 * only the thread of the source makes a closed directory an open one again.
 */
#include "directory.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Descriptors for directories: a part of what the process may have, within these bounds. What items
 * open needs some, too. */
#define OPEN_PART 4
#define OPEN_MIN 4
#define OPEN_MAX 4096

void directory_pool_init(struct directory_pool *pool)
{
	struct rlimit limit = {.rlim_cur = OPEN_PART * OPEN_MIN};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	pool->open = 0;
	pool->limit = OPEN_MAX;
	if (limit.rlim_cur / OPEN_PART < OPEN_MAX)
		pool->limit = (uint32_t)limit.rlim_cur / OPEN_PART;
	if (pool->limit < OPEN_MIN)
		pool->limit = OPEN_MIN;
}

/* Which directory a descriptor is. What a network file system knows of it already is enough. */
static int identify(int fd, uint64_t *ret_device, uint64_t *ret_inode)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status))
		return -errno;
	*ret_device = makedev(status.stx_dev_major, status.stx_dev_minor);
	*ret_inode = status.stx_ino;
	return 0;
}

int directory_new(struct directory_pool *pool, struct iobatch_directory *parent, int fd,
                  const char *name, size_t name_length, struct iobatch_directory **ret_directory)
{
	struct iobatch_directory *directory;
	uint64_t device;
	uint64_t inode;
	int rc = identify(fd, &device, &inode);

	if (rc)
		return rc;
	directory = calloc(1, sizeof(*directory) + name_length + 1);
	if (!directory)
		return -ENOMEM;
	directory->pool = pool;
	directory->parent = parent;
	directory->refs = 1;
	directory->uses = 1;
	directory->fd = fd;
	directory->device = device;
	directory->inode = inode;
	directory->name_length = (uint32_t)name_length;
	memcpy(directory->name, name, name_length);
	if (parent)
		directory_ref(parent);
	pool->open++;
	*ret_directory = directory;
	return 0;
}

void directory_ref(struct iobatch_directory *directory)
{
	directory->refs++;
}

void directory_unref(struct iobatch_directory *directory)
{
	/* A chain of any length may go at once. */
	while (directory && --directory->refs == 0) {
		struct iobatch_directory *parent = directory->parent;

		assert(directory->uses == 0);
		free(directory);
		directory = parent;
	}
}

void directory_use(struct iobatch_directory *directory)
{
	uint32_t before = directory->uses++;

	assert(before > 0);
	(void)before;
}

bool directory_use_if_open(struct iobatch_directory *directory)
{
	uint32_t uses = directory->uses;

	while (uses)
		if (atomic_compare_exchange_weak(&directory->uses, &uses, uses + 1))
			return true;
	return false;
}

void directory_unuse(struct iobatch_directory *directory)
{
	/* As soon as the last use is gone it may be opened again: the number is read before. */
	int fd = directory->fd;

	if (--directory->uses)
		return;
	close(fd);
	directory->pool->open--;
	directory_unref(directory);
}

/* Takes `fd`, which must be the directory that it once was. */
static int directory_take(struct iobatch_directory *directory, int fd)
{
	uint64_t device;
	uint64_t inode;
	int rc = identify(fd, &device, &inode);

	if (!rc && (device != directory->device || inode != directory->inode))
		rc = -ESTALE;
	if (rc) {
		close(fd);
		return rc;
	}
	directory->fd = fd;
	directory_ref(directory);
	directory->pool->open++;
	directory->uses = 1;
	return 0;
}

/* The directory below `at` on the way down to `directory`. */
static const struct iobatch_directory *step_towards(const struct iobatch_directory *directory,
                                                    const struct iobatch_directory *at)
{
	while (directory->parent != at)
		directory = directory->parent;
	return directory;
}

/* Goes down by names, one at a time and through no link: a path might be too long. */
static int open_from_above(const struct iobatch_directory *directory, int *ret_fd)
{
	struct iobatch_directory *above = directory->parent;
	const struct iobatch_directory *at;
	int rc = 0;
	int fd;

	while (above && !directory_use_if_open(above))
		above = above->parent;
	if (!above)
		return -ESTALE;
	fd = above->fd;
	for (at = above; !rc && at != directory;) {
		int below;

		at = step_towards(directory, at);
		below = openat(fd, at->name, DIRECTORY_FLAGS);
		if (below < 0)
			rc = -errno;
		if (fd != above->fd)
			close(fd);
		fd = below;
	}
	directory_unuse(above);
	if (!rc)
		*ret_fd = fd;
	return rc;
}

int directory_reopen(struct iobatch_directory *directory, const struct iobatch_directory *child)
{
	int rc;
	int fd;

	if (directory_use_if_open(directory))
		return 0;
	if (child) {
		fd = openat(child->fd, "..", DIRECTORY_FLAGS);
		if (fd >= 0 && !directory_take(directory, fd))
			return 0;
	}
	rc = open_from_above(directory, &fd);
	return rc ? rc : directory_take(directory, fd);
}

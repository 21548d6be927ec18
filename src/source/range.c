/* SPDX-License-Identifier: MIT */
/*
 * Items that are blocks of one file or block device, which is opened once for all of them. The size
 * is taken when the source is opened; how many items there are is known from then on. Sequential
 * blocks cover the file without a gap up to its end; random ones are whole blocks, drawn evenly and
 * with repetition, the same ones for the same seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/abi.h"
#include "source.h"

/* The least alignment that any device asks of direct I/O, and one that satisfies all. */
#define DIRECT_ALIGNMENT_MIN 512
#define DIRECT_ALIGNMENT_SAFE 4096

struct range {
	struct iobatch_source source;
	int fd;
	int tail_fd; /* without O_DIRECT, for a tail that is not aligned; or -1 */
	uint64_t size;
	uint64_t block_size;
	uint64_t blocks;          /* that random order draws from, 0 = sequential */
	uint64_t next;            /* number of the next item */
	uint64_t random;          /* state of splitmix64 */
	struct iobatch_file file; /* what all items have in common */
};

/* splitmix64 (Steele, Lea and Flood 2014): every seed is a good one. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* A number below `limit`, each equally likely: the 2^64 % limit lowest draws are thrown away. */
static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	uint64_t uneven = -limit % limit;
	uint64_t value;

	do {
		value = random_next(state);
	} while (value < uneven);
	return value % limit;
}

static int range_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct range *range = (struct range *)source;
	uint64_t block = range->next;
	uint64_t left;

	if (range->next == range->source.count)
		return 0;
	range->next++;
	if (range->blocks)
		block = random_below(&range->random, range->blocks);

	memcpy(file, &range->file, iobatch_file_size(&range->file));
	file->offset = block * range->block_size;
	left = range->size - file->offset;
	file->length = left < range->block_size ? left : range->block_size;
	if (range->tail_fd >= 0 && left < range->block_size)
		file->fd = range->tail_fd;
	return 1;
}

static void range_free(struct iobatch_source *source)
{
	struct range *range = (struct range *)source;

	if (range->fd >= 0)
		close(range->fd);
	if (range->tail_fd >= 0)
		close(range->tail_fd);
	free(range);
}

static const struct source_kind range_kind = {.next = range_next, .free = range_free};

static int range_size(int fd, mode_t mode, uint64_t size, uint64_t *ret_size)
{
	if (S_ISBLK(mode))
		return ioctl(fd, BLKGETSIZE64, ret_size) ? -errno : 0;
	if (S_ISDIR(mode))
		return -EISDIR;
	/* Pipes, terminals and the like have no size and no offsets. */
	if (!S_ISREG(mode))
		return -EINVAL;
	*ret_size = size;
	return 0;
}

/*
 * Opens the file and learns its size. It is opened with O_NONBLOCK lest a FIFO keep us waiting for
 * a writer, and the flag is taken off again, for it would make the ring's reads give up early.
 */
static int range_open(struct range *range, const char *path, int flags)
{
	struct stat status;
	int fd_flags;
	int rc;

	range->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (range->fd < 0)
		return -errno;
	if (fstat(range->fd, &status))
		return -errno;
	rc = range_size(range->fd, status.st_mode, (uint64_t)status.st_size, &range->size);
	if (rc)
		return rc;
	fd_flags = fcntl(range->fd, F_GETFL);
	if (fd_flags < 0 || fcntl(range->fd, F_SETFL, fd_flags & ~O_NONBLOCK))
		return -errno;

	source_fill(&range->file, path, strlen(path));
	range->file.fd = range->fd;
	range->file.type = IFTODT(status.st_mode);
	return 0;
}

/* A direct read cannot end in the middle of a sector: the end of the file is read without. */
static int range_open_tail(struct range *range)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	if (range->size % range->block_size % DIRECT_ALIGNMENT_SAFE == 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", range->fd);
	range->tail_fd = open(link, O_RDONLY | O_CLOEXEC);
	return range->tail_fd < 0 ? -errno : 0;
}

/* Decides how many items there are, from the size. */
static int range_count(struct range *range, uint64_t count, uint32_t order)
{
	uint64_t whole = range->size / range->block_size;
	uint64_t blocks = whole + (range->size % range->block_size != 0);

	if (!range->size) {
		range->source.count = 0;
	} else if (order == IOBATCH_ORDER_RANDOM) {
		if (!whole)
			return -EINVAL;
		range->blocks = whole;
		range->source.count = count ? count : whole;
	} else {
		range->source.count = count && count < blocks ? count : blocks;
	}
	return 0;
}

static int range_check(const struct iobatch_range_options *options)
{
	if (!options->path || !options->block_size || options->order > IOBATCH_ORDER_RANDOM ||
	    options->direct > 1)
		return -EINVAL;
	if (options->direct && options->block_size % DIRECT_ALIGNMENT_MIN)
		return -EINVAL;
	return strlen(options->path) < IOBATCH_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int iobatch_source_range(const struct iobatch_range_options *given,
                         struct iobatch_source **ret_source)
{
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;
	struct range *range;
	int rc;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	rc = range_check(&options);
	if (rc)
		return rc;

	range = calloc(1, sizeof(*range));
	if (!range)
		return -ENOMEM;
	source_init(&range->source, &range_kind, 0);
	range->fd = -1;
	range->tail_fd = -1;
	range->block_size = options.block_size;
	range->random = options.seed;
	rc = range_open(range, options.path, options.direct ? O_DIRECT : 0);
	if (!rc)
		rc = range_count(range, options.count, options.order);
	if (!rc && options.direct && options.order == IOBATCH_ORDER_SEQUENTIAL)
		rc = range_open_tail(range);
	if (rc)
		iobatch_source_free(&range->source);
	else
		*ret_source = &range->source;
	return rc;
}

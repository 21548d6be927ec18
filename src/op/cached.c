/* SPDX-License-Identifier: MIT */
/*
 * Asks for the page cache: see cached.h. cachestat(2), from Linux 6.5 on, needs no mapping; older
 * kernels have mincore(2).
 */
#include "op/cached.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define MAP_PAGES ((uint64_t)16384)

/* The kernel's, which the headers may be older than. */
struct cached_range {
	uint64_t offset;
	uint64_t length;
};

struct cached_stat {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

/* mincore() over a window of the file. Returns the pages that are there or a negative errno. */
static int64_t count_window(int fd, uint64_t offset, size_t length, uint64_t page)
{
	unsigned char there[MAP_PAGES];
	int64_t count = 0;
	void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)offset);

	if (map == MAP_FAILED)
		return errno == ENODEV ? -EOPNOTSUPP : -errno;
	if (mincore(map, length, there) < 0)
		count = -errno;
	for (size_t i = 0; count >= 0 && i < (length + page - 1) / page; i++)
		count += there[i] & 1;
	munmap(map, length);
	return count;
}

int cached_count(int fd, uint64_t offset, uint64_t length, uint64_t ret_pages[2])
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end;
	struct cached_range range = {.offset = offset};
	struct cached_stat found;
	uint64_t cached = 0;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	end = (uint64_t)status.st_size;
	if (length > 0 && end > offset && length < end - offset)
		end = offset + length;
	if (offset >= end) {
		ret_pages[0] = ret_pages[1] = 0;
		return 0;
	}
	offset -= offset % page;
	range.offset = offset;
	range.length = end - offset;
	ret_pages[1] = (range.length + page - 1) / page;
	if (syscall(SYS_cachestat, fd, &range, &found, 0) == 0) {
		ret_pages[0] = found.cached;
		return 0;
	}
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	while (offset < end) {
		uint64_t part = end - offset < MAP_PAGES * page ? end - offset : MAP_PAGES * page;
		int64_t count = count_window(fd, offset, (size_t)part, page);

		if (count < 0)
			return (int)count;
		cached += (uint64_t)count;
		offset += part;
	}
	ret_pages[0] = cached;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Locking a journal: see lock.h. */
#include "journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often a lock that is taken is asked for again. */
#define AGAIN_NS 20000000

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int lock_take(int fd, unsigned wait_ms)
{
	uint64_t until = now_ms() + wait_ms;

	for (;;) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		struct timespec pause = {.tv_nsec = AGAIN_NS};

		if (!fcntl(fd, F_OFD_SETLK, &lock))
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return errno == EINTR ? -EAGAIN : -errno;
		if (now_ms() >= until)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
}

/* The third field of the line "run" at `line`. */
static uint64_t pid_of(const char *line, const char *end)
{
	const char *tab = memchr(line, '\t', (size_t)(end - line));
	uint64_t pid = 0;

	if (tab)
		tab = memchr(tab + 1, '\t', (size_t)(end - tab - 1));
	if (!tab)
		return 0;
	for (tab++; tab < end && *tab >= '0' && *tab <= '9' && pid < UINT32_MAX; tab++)
		pid = pid * 10 + (uint64_t)(*tab - '0');
	return tab < end && *tab == '\t' ? pid : 0;
}

uint64_t lock_holder(int fd)
{
	static const char run[] = "\nrun\t";
	char buffer[65536];
	struct stat stat_;
	off_t end;

	if (fstat(fd, &stat_))
		return 0;
	/* Backwards, by pieces that overlap: a name cannot look like this, since it has no newline.
	 */
	for (end = stat_.st_size; end > 0;) {
		off_t begin = end > (off_t)sizeof(buffer) ? end - (off_t)sizeof(buffer) : 0;
		ssize_t count = pread(fd, buffer, (size_t)(end - begin), begin);
		const char *found = NULL, *next;

		if (count <= 0)
			return 0;
		for (next = buffer;
		     (next = memmem(next, (size_t)(buffer + count - next), run, sizeof(run) - 1));
		     next++)
			found = next;
		if (found)
			return pid_of(found + 1, buffer + count);
		if (!begin)
			break;
		end = begin + 4096;
	}
	return 0;
}

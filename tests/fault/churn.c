/* SPDX-License-Identifier: MIT */
/*
 * Changes a file again and again, until it is killed:
 *
 *     churn MANNER FILE SIZE [READY]
 *
 *     rewrite     overwrites it in place, each time with another byte throughout
 *     replace     renames a new file, of one other byte throughout, over it
 *     append      grows it by a page, up to 64 times SIZE, and then shortens it to SIZE
 *     truncate    shortens it to nothing and fills it again
 *     vanish      removes it and makes it again
 *     grow        FILE is a directory, in which it makes files and directories, up to SIZE
 *
 * A copy that is a moment of what is replaced has one byte throughout; of what is rewritten, the
 * new byte and then the old one.
 * Makes READY after the first change.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static char block[4096];

/* By pages, so that no write goes on for long after it has set the time of the file. */
static void fill(const char *path, int flags, uint64_t size, unsigned turn)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	if (fd < 0)
		err(1, "%s", path);
	memset(block, 'a' + (int)(turn % 26), sizeof(block));
	while (size > 0) {
		size_t now = size < sizeof(block) ? (size_t)size : sizeof(block);

		if (write(fd, block, now) != (ssize_t)now)
			err(1, "%s", path);
		size -= now;
	}
	close(fd);
}

static void append(const char *path, uint64_t size, unsigned turn)
{
	struct stat stat;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	(void)turn;
	if (fd < 0 || fstat(fd, &stat))
		err(1, "%s", path);
	if ((uint64_t)stat.st_size > 64 * size && ftruncate(fd, (off_t)size))
		err(1, "%s", path);
	memset(block, '.', sizeof(block));
	if (write(fd, block, sizeof(block)) != sizeof(block))
		err(1, "%s", path);
	close(fd);
}

static void grow(const char *path, uint64_t size, unsigned turn)
{
	char name[4096];

	if (turn >= size) {
		pause();
		return;
	}
	snprintf(name, sizeof(name), "%s/%u", path, turn);
	if (turn % 16 == 0)
		mkdir(name, 0755);
	else
		fill(name, 0, 1, turn);
}

int main(int argc, char **argv)
{
	const char *path;
	char *fresh;
	uint64_t size;

	if (argc < 4)
		errx(2, "usage: churn MANNER FILE SIZE [READY]");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	path = argv[2];
	size = strtoull(argv[3], NULL, 10);
	if (asprintf(&fresh, "%s.new", path) < 0)
		err(1, "memory");
	for (unsigned turn = 0;; turn++) {
		if (!strcmp(argv[1], "rewrite")) {
			fill(path, 0, size, turn);
		} else if (!strcmp(argv[1], "replace")) {
			fill(fresh, O_TRUNC, size, turn);
			if (rename(fresh, path))
				err(1, "%s", path);
		} else if (!strcmp(argv[1], "append")) {
			append(path, size, turn);
		} else if (!strcmp(argv[1], "truncate")) {
			fill(path, O_TRUNC, size, turn);
		} else if (!strcmp(argv[1], "vanish")) {
			unlink(path);
			fill(path, O_EXCL, size, turn);
		} else if (!strcmp(argv[1], "grow")) {
			grow(path, size, turn);
		} else {
			errx(2, "no such manner");
		}
		if (turn == 0 && argc > 4)
			close(open(argv[4], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
}

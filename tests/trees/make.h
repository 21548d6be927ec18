/* SPDX-License-Identifier: MIT */
/*
 * How the programs here make files: below a descriptor, and ended by the first thing that goes
 * wrong, with the name of it.
 */
#ifndef TREES_MAKE_H
#define TREES_MAKE_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The same numbers each time; xorshift. */
static inline uint64_t make_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline int make_directory(int parent, const char *name, mode_t mode)
{
	int fd;

	if (mkdirat(parent, name, mode) && errno != EEXIST)
		err(1, "mkdir %s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(1, "open %s", name);
	return fd;
}

/* Bytes that follow from the seed, at the place where the descriptor is. */
static inline void make_bytes(int fd, uint64_t length, uint64_t seed, const char *name)
{
	static uint64_t block[16384];

	seed = seed * 0x9e3779b97f4a7c15u + 1;
	while (length > 0) {
		size_t size = length < sizeof(block) ? (size_t)length : sizeof(block);

		for (size_t i = 0; i < (size + 7) / 8; i++)
			block[i] = make_random(&seed);
		if (write(fd, block, size) != (ssize_t)size)
			err(1, "write %s", name);
		length -= size;
	}
}

static inline void make_file(int parent, const char *name, uint64_t length, uint64_t seed)
{
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "create %s", name);
	make_bytes(fd, length, seed, name);
	if (close(fd))
		err(1, "close %s", name);
}

#endif

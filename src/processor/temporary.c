/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of temporary names. The process id and the index make a leftover readable for
 * people, the seed makes it unique. This part knows names only; nothing is looked up or made here.
 */
#include "processor/temporary.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int temporary_seed(uint64_t *ret_seed)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return errno ? -errno : -EIO;
	*ret_seed = seed;
	return 0;
}

int temporary_name(const char *path, size_t length, uint64_t index, uint64_t seed, char *ret_name,
                   size_t size)
{
	const char *slash = memrchr(path, '/', length);
	size_t directory = slash ? (size_t)(slash - path) + 1 : 0;
	size_t name = length - directory;
	char suffix[80];
	size_t tail;

	tail = (size_t)snprintf(suffix, sizeof(suffix), ".iobatch-%ld-%" PRIu64 "-%016" PRIx64,
	                        (long)getpid(), index, seed);
	if (1 + name + tail > NAME_MAX) {
		name = NAME_MAX - 1 - tail;
		/* Not in the middle of a UTF-8 character: some file systems refuse that. */
		while (name > 0 && ((unsigned char)path[directory + name] & 0xc0) == 0x80)
			name--;
	}
	if (directory + 1 + name + tail + 1 > size)
		return -ENAMETOOLONG;
	memcpy(ret_name, path, directory);
	ret_name[directory] = '.';
	memcpy(ret_name + directory + 1, path + directory, name);
	memcpy(ret_name + directory + 1 + name, suffix, tail + 1);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of temporary names. They are short, because a directory keeps the size that the
 * longest of its times has given it, and 64 bits of the process, the seed and the index make each
 * unlike any other. This part knows names only; nothing is looked up or made here.
 */
#include "processor/temporary.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

/* In front of the digits, of which there are as many as 64 bits need, five at a time. */
#define MARK ".iobatch-"
#define MARK_LENGTH (sizeof(MARK) - 1)
#define DIGITS 13u
#define TAIL (MARK_LENGTH + DIGITS)

int temporary_seed(uint64_t *ret_seed)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return errno ? -errno : -EIO;
	*ret_seed = seed;
	return 0;
}

/* Letters of one case and digits: some file systems do not tell cases apart. */
static void write_tail(uint64_t index, uint64_t seed, char *ret_tail)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	const uint64_t what[2] = {(uint64_t)getpid(), index};
	uint64_t number = XXH3_64bits_withSeed(what, sizeof(what), seed);

	memcpy(ret_tail, MARK, MARK_LENGTH);
	for (unsigned i = 0; i < DIGITS; i++) {
		ret_tail[MARK_LENGTH + i] = digits[number % 32];
		number /= 32;
	}
	ret_tail[TAIL] = '\0';
}

int temporary_name(const char *path, size_t length, uint64_t index, uint64_t seed, char *ret_name,
                   size_t size)
{
	const char *slash = memrchr(path, '/', length);
	size_t directory = slash ? (size_t)(slash - path) + 1 : 0;
	size_t name = length - directory;

	if (1 + name + TAIL > NAME_MAX) {
		name = NAME_MAX - 1 - TAIL;
		/* Not in the middle of a UTF-8 character: some file systems refuse that. */
		while (name > 0 && ((unsigned char)path[directory + name] & 0xc0) == 0x80)
			name--;
	}
	if (directory + 1 + name + TAIL + 1 > size)
		return -ENAMETOOLONG;
	memcpy(ret_name, path, directory);
	ret_name[directory] = '.';
	memcpy(ret_name + directory + 1, path + directory, name);
	write_tail(index, seed, ret_name + directory + 1 + name);
	return 0;
}

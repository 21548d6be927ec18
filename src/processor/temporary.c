/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of temporary names. They are short, because a directory keeps the size that the
 * longest of its times has given it, and 35 bits of the process, the seed and the index make each
 * unlike any other of a directory; should one be there, O_EXCL notices. Thirty more say whose it
 * is. This part knows names only; nothing is looked up or made here.
 */
#include "processor/temporary.h"

#include <iobatch.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

/* In front of the digits, of which there are as many as 64 bits need, five at a time. */
#define MARK ".iobatch-"
#define MARK_LENGTH (sizeof(MARK) - 1)
#define OWN_DIGITS 7u  /* that tell names apart */
#define MARK_DIGITS 6u /* that tell whose they are */
#define DIGITS (OWN_DIGITS + MARK_DIGITS)
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
static void write_digits(uint64_t number, unsigned count, char *ret_digits)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (unsigned i = 0; i < count; i++) {
		ret_digits[i] = digits[number % 32];
		number /= 32;
	}
}

static void write_mark(uint64_t mark, const char own[OWN_DIGITS], char ret_digits[MARK_DIGITS])
{
	write_digits(XXH3_64bits_withSeed(own, OWN_DIGITS, mark), MARK_DIGITS, ret_digits);
}

static void write_tail(uint64_t index, struct temporary temporary, char *ret_tail)
{
	const uint64_t what[2] = {(uint64_t)getpid(), index};
	char *own = ret_tail + MARK_LENGTH;

	memcpy(ret_tail, MARK, MARK_LENGTH);
	write_digits(XXH3_64bits_withSeed(what, sizeof(what), temporary.seed), OWN_DIGITS, own);
	write_mark(temporary.mark, own, own + OWN_DIGITS);
	ret_tail[TAIL] = '\0';
}

bool iobatch_is_temporary(const char *name, uint64_t mark)
{
	size_t length = strlen(name);
	char digits[MARK_DIGITS];
	const char *tail = name + length - TAIL;

	if (length < 1 + TAIL || *name != '.' || memcmp(tail, MARK, MARK_LENGTH))
		return false;
	write_mark(mark, tail + MARK_LENGTH, digits);
	return !memcmp(tail + MARK_LENGTH + OWN_DIGITS, digits, MARK_DIGITS);
}

int temporary_name(const char *path, size_t length, uint64_t index, struct temporary temporary,
                   char *ret_name, size_t size)
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
	write_tail(index, temporary, ret_name + directory + 1 + name);
	return 0;
}

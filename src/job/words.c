/* SPDX-License-Identifier: MIT */
/* Words: see words.h. */
#include "job/words.h"

#define ALGORITHMS                                                                    \
	{"xxh3", IOBATCH_HASH_XXH3_64}, {"xxh3-64", IOBATCH_HASH_XXH3_64},            \
		{"xxh3-128", IOBATCH_HASH_XXH3_128}, {"sha256", IOBATCH_HASH_SHA256}, \
		{"crc32c", IOBATCH_HASH_CRC32C}, {"blake2b", IOBATCH_HASH_BLAKE2B}, {NULL, 0},

const struct iobatch_word words_algorithms[] = {ALGORITHMS};
const struct iobatch_word words_manifest_algorithms[] = {{"auto", IOBATCH_HASH_COUNT}, ALGORITHMS};

const struct iobatch_word words_existing[] = {
	{"replace", IOBATCH_EXISTING_REPLACE},
	{"skip", IOBATCH_EXISTING_SKIP},
	{"fail", IOBATCH_EXISTING_FAIL},
	{NULL, 0},
};

const struct iobatch_word words_fsync[] = {
	{"none", IOBATCH_FSYNC_NONE},
	{"data", IOBATCH_FSYNC_DATA},
	{"full", IOBATCH_FSYNC_FULL},
	{NULL, 0},
};

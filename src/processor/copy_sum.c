/* SPDX-License-Identifier: MIT */
/*
 * Owns the sum over a file's content: see copy_sum.h. Addition is what makes it independent of the
 * order; 128 bits make an accident impossible.
 */
#include "processor/copy_sum.h"

#include <string.h>
#include <xxhash.h>

bool copy_is_zero(const void *data, size_t length)
{
	const char *bytes = data;

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

static void add_page(struct copy_sum *sum, uint64_t seed, const char *page, size_t length)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(page, length, seed);

	sum->high += hash.high64 + __builtin_add_overflow(sum->low, hash.low64, &sum->low);
}

void copy_sum_add(struct copy_sum *sum, uint64_t seed, const void *data, size_t length,
                  uint64_t offset)
{
	for (size_t at = 0; at < length; at += COPY_SUM_PAGE) {
		const char *page = (const char *)data + at;
		size_t rest = length - at < COPY_SUM_PAGE ? length - at : COPY_SUM_PAGE;

		if (!copy_is_zero(page, rest))
			add_page(sum, seed ^ (offset + at), page, rest);
	}
	if (offset + length > sum->length)
		sum->length = offset + length;
}

bool copy_sum_equal(const struct copy_sum *a, const struct copy_sum *b)
{
	return a->low == b->low && a->high == b->high;
}

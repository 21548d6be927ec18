/* SPDX-License-Identifier: MIT */
/*
 * A sum over the content of a file that does not depend on the order in which its blocks come, nor
 * on whether zeroes are holes: to compare what was read, out of order, with what was written. It is
 * the sum of hashes of the pages that are not all zeroes, each with its offset. The seed is a
 * secret of the run, so that nobody can make two files alike on purpose. This part knows bytes.
 */
#ifndef PROCESSOR_COPY_SUM_H
#define PROCESSOR_COPY_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_SUM_PAGE 4096u

struct copy_sum {
	uint64_t low, high;
	uint64_t length; /* where the last byte that was seen ends */
};

/* Are all of `length` > 0 bytes zero? */
bool copy_is_zero(const void *data, size_t length);

/* Adds a block, which begins at a multiple of the page. */
void copy_sum_add(struct copy_sum *sum, uint64_t seed, const void *data, size_t length,
                  uint64_t offset);

/* Are the contents of two files of the same length the same? */
bool copy_sum_equal(const struct copy_sum *a, const struct copy_sum *b);

#endif

/* SPDX-License-Identifier: MIT */
/* What of a file is in the page cache, for the op cached. */
#ifndef OP_CACHED_H
#define OP_CACHED_H

#include <stdint.h>

/*
 * Counts the pages of a range (length 0: to the end of the file) in ret_pages[1], and those of them
 * that are in the page cache in ret_pages[0]. Returns 0 or a negative errno; -EOPNOTSUPP where the
 * kernel does not tell.
 */
int cached_count(int fd, uint64_t offset, uint64_t length, uint64_t ret_pages[2]);

#endif

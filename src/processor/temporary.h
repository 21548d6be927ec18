/* SPDX-License-Identifier: MIT */
/*
 * Names of temporary files: beside the file that they become, hidden, and unlike any other name.
 * This part knows names only; who makes the file opens it with O_EXCL.
 */
#ifndef PROCESSOR_TEMPORARY_H
#define PROCESSOR_TEMPORARY_H

#include <stddef.h>
#include <stdint.h>

/* A number that two runs do not share, for temporary_name(). */
int temporary_seed(uint64_t *ret_seed);

/* What all temporary names of a run have in common: see iobatch_is_temporary(). */
struct temporary {
	uint64_t seed;
	uint64_t mark;
};

/*
 * Writes "DIR/.NAME.iobatch-DIGITS" for the path "DIR/NAME" of `length` bytes. A long NAME
 * is shortened. -ENAMETOOLONG when that does not fit `size` bytes, the NUL included.
 */
int temporary_name(const char *path, size_t length, uint64_t index, struct temporary temporary,
                   char *ret_name, size_t size);

#endif

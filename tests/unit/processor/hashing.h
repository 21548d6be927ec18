/* SPDX-License-Identifier: MIT */
/* What the tests of the hash processor have in common. */
#ifndef TESTS_PROCESSOR_HASHING_H
#define TESTS_PROCESSOR_HASHING_H

#include <stdint.h>

#include <iobatch.h>

/* Blocks of BLOCK bytes. */
struct iobatch_processor *hashing_new(unsigned algorithm, const char *manifest, uint32_t depth);

/* The line of a manifest for a file of so many bytes of the pattern; ends in a NUL. */
void hashing_pattern_line(unsigned algorithm, const char *name, uint64_t size, char *ret_line);

/* The whole of a manifest of at most 8191 bytes. */
void hashing_assert_manifest(const char *name, const char *expected);

#endif

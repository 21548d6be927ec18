/* SPDX-License-Identifier: MIT */
/*
 * Bytes that are a function of a key and their place, and look like noise: no compression makes
 * them fewer and no block of them is like another. This part knows numbers only.
 */
#ifndef PROCESSOR_PATTERN_H
#define PROCESSOR_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* The key of an item's bytes. */
uint64_t pattern_key(uint64_t seed, uint64_t index);

/* Writes the bytes at `offset`, a multiple of 8. */
void pattern_write(uint64_t key, uint64_t offset, void *buffer, size_t length);

#endif

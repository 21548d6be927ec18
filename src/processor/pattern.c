/* SPDX-License-Identifier: MIT */
/*
 * Owns the pattern: the numbers of splitmix64 (Steele, Lea and Flood 2014), which has its whole
 * state in a counter, so that any place can be written by itself. The bytes are the same on every
 * machine.
 */
#include "processor/pattern.h"

#include <endian.h>
#include <string.h>

#define STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

uint64_t pattern_key(uint64_t seed, uint64_t index)
{
	/* Mixed twice: neighbours in seed and index begin far from each other. */
	return mix(mix(seed + STEP) + (index + 1) * STEP);
}

void pattern_write(uint64_t key, uint64_t offset, void *buffer, size_t length)
{
	uint64_t counter = key + offset / 8 * STEP;
	unsigned char *at = buffer;
	uint64_t word;

	for (size_t words = length / 8; words > 0; words--) {
		word = htole64(mix(counter));
		memcpy(at, &word, 8);
		counter += STEP;
		at += 8;
	}
	word = htole64(mix(counter));
	memcpy(at, &word, length % 8);
}

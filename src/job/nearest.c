/* SPDX-License-Identifier: MIT */
/* The distance of words: see nearest.h. */
#include "job/nearest.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

unsigned nearest_distance(const char *a, const char *b)
{
	size_t length = strlen(b);
	unsigned row[64];

	if (length >= sizeof(row) / sizeof(row[0]))
		return UINT32_MAX;
	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (unsigned line = 1; *a; a++, line++) {
		unsigned diagonal = row[0];

		row[0] = line;
		for (size_t i = 0; i < length; i++) {
			unsigned changed = diagonal + (*a != b[i]);
			unsigned added = row[i] + 1, removed = row[i + 1] + 1;

			diagonal = row[i + 1];
			row[i + 1] = added < removed ? added : removed;
			if (changed < row[i + 1])
				row[i + 1] = changed;
		}
	}
	return row[length];
}

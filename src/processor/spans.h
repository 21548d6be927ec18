/* SPDX-License-Identifier: MIT */
/*
 * Ranges of a file that could not be read, with their errors: collected in any order, told in the
 * order of the file, those that touch as one. This part knows numbers only.
 */
#ifndef PROCESSOR_SPANS_H
#define PROCESSOR_SPANS_H

#include <stddef.h>
#include <stdint.h>

struct span {
	uint64_t offset;
	uint64_t length;
	int error;
};

struct spans {
	struct span *list;
	size_t count;
	size_t max;
};

/* Adds a range. Returns 0 or -ENOMEM. */
int spans_add(struct spans *spans, uint64_t offset, uint64_t length, int error);

/* Puts them in order and makes one of those that touch and have the same error. */
void spans_merge(struct spans *spans);

void spans_deinit(struct spans *spans);

#endif

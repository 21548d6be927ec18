/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of ranges that could not be read. What is unreadable lies together as a rule, so
 * that a new range mostly extends one of the last few: memory grows with the number of places, not
 * with their size.
 */
#include "processor/spans.h"

#include <errno.h>
#include <stdlib.h>

/* Blocks of one file in flight, each of which may be at a place of its own. */
#define LOOK_BACK 64u
#define SPANS_FIRST 16u

int spans_add(struct spans *spans, uint64_t offset, uint64_t length, int error)
{
	size_t stop = spans->count > LOOK_BACK ? spans->count - LOOK_BACK : 0;
	struct span *list = spans->list;

	for (size_t i = spans->count; i > stop; i--) {
		struct span *span = &list[i - 1];

		if (span->error != error)
			continue;
		if (span->offset + span->length == offset) {
			span->length += length;
			return 0;
		}
		if (offset + length == span->offset) {
			span->offset = offset;
			span->length += length;
			return 0;
		}
	}
	if (spans->count == spans->max) {
		size_t max = spans->max ? 2 * spans->max : SPANS_FIRST;

		list = reallocarray(spans->list, max, sizeof(*list));
		if (!list)
			return -ENOMEM;
		spans->list = list;
		spans->max = max;
	}
	list[spans->count++] = (struct span){offset, length, error};
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

void spans_merge(struct spans *spans)
{
	size_t count = 0;

	if (spans->count == 0)
		return;
	qsort(spans->list, spans->count, sizeof(*spans->list), by_offset);
	for (size_t i = 1; i < spans->count; i++) {
		struct span *last = &spans->list[count], *next = &spans->list[i];

		if (last->offset + last->length == next->offset && last->error == next->error)
			last->length += next->length;
		else
			spans->list[++count] = *next;
	}
	spans->count = count + 1;
}

void spans_deinit(struct spans *spans)
{
	free(spans->list);
	*spans = (struct spans){0};
}

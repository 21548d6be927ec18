/* SPDX-License-Identifier: MIT */
/*
 * Takes batches from the collection, an array or a stream, for whichever window asks. Knows what
 * has been taken and whether that is all; nothing of what becomes of it.
 */
#include <errno.h>

#include "engine/engine.h"

int intake_init(struct intake *intake, const struct iobatch_items *items)
{
	intake->items = items;
	if (items->count != IOBATCH_UNKNOWN) {
		intake->total = items->count;
		intake->total_is_final = true;
	}
	return -pthread_mutex_init(&intake->lock, NULL);
}

void intake_deinit(struct intake *intake)
{
	pthread_mutex_destroy(&intake->lock);
}

static unsigned take_from_array(struct intake *intake, uint32_t batch_size, struct slot **slots)
{
	const struct iobatch_items *items = intake->items;
	uint64_t first = intake->taken;
	uint64_t left = items->count - first;
	unsigned count = left < batch_size ? (unsigned)left : batch_size;

	for (unsigned i = 0; i < count; i++) {
		slots[i]->item.object = (char *)items->base + (first + i) * items->stride;
		slots[i]->item.object_size = items->stride;
	}
	return count;
}

static unsigned take_from_stream(struct intake *intake, uint32_t batch_size, struct slot **slots)
{
	const struct iobatch_items *items = intake->items;
	unsigned count = 0;

	while (count < batch_size && !intake->ended) {
		/* A stream that has said how long it is is not asked for more. */
		if (intake->taken + count == items->count) {
			intake->ended = true;
			break;
		}
		ssize_t size = items->next(items->context, slots[count]->item.object);

		if (size > 0 && (size_t)size <= items->stride) {
			slots[count++]->item.object_size = (size_t)size;
			continue;
		}
		intake->ended = true;
		if (size != 0)
			intake->error = size < 0 ? (int)size : -EOVERFLOW;
	}
	return count;
}

unsigned intake_take(struct intake *intake, uint32_t batch_size, struct slot **slots)
{
	unsigned count;

	pthread_mutex_lock(&intake->lock);
	if (intake->closed) {
		pthread_mutex_unlock(&intake->lock);
		return 0;
	}
	count = intake->items->next ? take_from_stream(intake, batch_size, slots)
	                            : take_from_array(intake, batch_size, slots);
	for (unsigned i = 0; i < count; i++) {
		slots[i]->item.index = intake->taken + i;
		slots[i]->item.attempt = 0;
		slots[i]->settled = false;
	}
	intake->taken += count;
	/* What is known of a stream is what it has given. Progress reads in the opposite order. */
	if (intake->items->count == IOBATCH_UNKNOWN || intake->ended)
		intake->total = intake->taken;
	if (intake->ended)
		intake->total_is_final = true;
	if (count > 0)
		intake->batches++;
	pthread_mutex_unlock(&intake->lock);
	return count;
}

void intake_close(struct intake *intake)
{
	pthread_mutex_lock(&intake->lock);
	intake->closed = true;
	pthread_mutex_unlock(&intake->lock);
}

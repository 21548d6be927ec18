/* SPDX-License-Identifier: MIT */
/*
 * Takes batches from the collection, an array or a stream, for whichever window asks. Knows what
 * has been taken and whether that is all; nothing of what becomes of it.
 *
 * Invariant: batches are full but for the last of all. When a stream has nothing in the middle of
 * one, it stays open, and what comes next is for it.
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

static unsigned take_from_array(struct intake *intake, uint32_t room, struct slot **slots)
{
	const struct iobatch_items *items = intake->items;
	uint64_t first = intake->taken;
	uint64_t left = items->count - first;
	unsigned count = left < room ? (unsigned)left : room;

	for (unsigned i = 0; i < count; i++) {
		slots[i]->item.object = (char *)items->base + (first + i) * items->stride;
		slots[i]->item.object_size = items->stride;
	}
	return count;
}

static unsigned take_from_stream(struct intake *intake, uint32_t room, struct slot **slots,
                                 bool *ret_dry)
{
	const struct iobatch_items *items = intake->items;
	unsigned count = 0;

	while (count < room && !intake->ended) {
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
		if (size == -EAGAIN && intake->may_be_dry) {
			*ret_dry = true;
			break;
		}
		intake->ended = true;
		if (size != 0)
			intake->error = size < 0 ? (int)size : -EOVERFLOW;
	}
	return count;
}

static void take(struct intake *intake, uint32_t batch_size, const struct window *window,
                 unsigned *ret_count, bool *ret_dry)
{
	struct slot **slots = window->places + window->size;
	unsigned room = batch_size - window->size, count;

	count = intake->items->next ? take_from_stream(intake, room, slots, ret_dry)
	                            : take_from_array(intake, room, slots);
	for (unsigned i = 0; i < count; i++) {
		slots[i]->item.index = intake->taken + i;
		slots[i]->item.attempt = 0;
		slots[i]->restarts = 0;
		slots[i]->settled = false;
	}
	intake->taken += count;
	/* What is known of a stream is what it has given. Progress reads in the opposite order. */
	if (intake->items->count == IOBATCH_UNKNOWN || intake->ended)
		intake->total = intake->taken;
	if (intake->ended)
		intake->total_is_final = true;
	if (count > 0 && window->size == 0)
		intake->batches++;
	*ret_count = count;
}

enum intake_state intake_take(struct intake *intake, uint32_t batch_size,
                              const struct window *window, unsigned *ret_count)
{
	bool dry = false, held;

	*ret_count = 0;
	pthread_mutex_lock(&intake->lock);
	held = intake->open && intake->open != window;
	if (!intake->closed && !held) {
		take(intake, batch_size, window, ret_count, &dry);
		intake->open = dry && window->size + *ret_count > 0 ? window : NULL;
	}
	pthread_mutex_unlock(&intake->lock);
	if (held)
		return INTAKE_HELD;
	return dry ? INTAKE_DRY : INTAKE_FULL;
}

void intake_close(struct intake *intake)
{
	pthread_mutex_lock(&intake->lock);
	intake->closed = true;
	intake->open = NULL;
	pthread_mutex_unlock(&intake->lock);
}

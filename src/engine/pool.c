/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken when a run starts and given back when it ends: the buffers of a reaper,
 * which are lent to attempts, and the mapping behind its slots. Pages are touched as they are first
 * used, so that limits may be generous.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/engine.h"

void *region_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void region_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

void region_keep_sparse(void *memory, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)memory + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)memory + size) & ~(page - 1);

	/* A kernel without huge pages refuses, and is right. */
	if (start < end)
		(void)madvise((void *)start, end - start, MADV_NOHUGEPAGE);
}

int pool_init(struct pool *pool, size_t buffer_size, uint64_t count, uint64_t spare_max)
{
	if (count == 0)
		return 0;
	if (count > UINT32_MAX || spare_max > UINT32_MAX ||
	    __builtin_mul_overflow(buffer_size, count, &pool->memory_size))
		return -ENOMEM;
	pool->memory = region_map(pool->memory_size);
	pool->free = calloc(count, sizeof(*pool->free));
	pool->spare = calloc(2 * spare_max + 1, sizeof(*pool->spare));
	if (!pool->memory || !pool->free || !pool->spare)
		return -ENOMEM;
	pool->made = pool->spare + spare_max;
	/* The stack gives the lowest first, so that few pages are touched when few are needed. */
	for (uint64_t i = 0; i < count; i++)
		pool->free[i] = pool->memory + (count - 1 - i) * buffer_size;
	pool->buffer_size = buffer_size;
	pool->spare_max = (unsigned)spare_max;
	pool->count = (unsigned)count;
	pool->free_count = pool->count;
	return 0;
}

void pool_leave_behind(struct pool *pool)
{
	free(pool->free);
	free(pool->spare);
}

void pool_deinit(struct pool *pool)
{
	for (unsigned i = 0; i < pool->made_count; i++)
		region_unmap(pool->made[i], pool->buffer_size);
	region_unmap(pool->memory, pool->memory_size);
	pool_leave_behind(pool);
}

unsigned pool_reserve(struct pool *pool, struct slot *slot, unsigned wanted)
{
	struct iobatch_item *item = &slot->item;

	while (item->buffer_count < wanted && pool->free_count > 0)
		item->buffers[item->buffer_count++] = pool->free[--pool->free_count];
	return item->buffer_count;
}

void pool_release(struct pool *pool, struct slot *slot)
{
	struct iobatch_item *item = &slot->item;

	while (item->buffer_count > 0)
		pool->free[pool->free_count++] = item->buffers[--item->buffer_count];
}

/* A buffer besides those that the pool began with: rare, so that it is mapped when it is needed. */
static void *make_spare(struct pool *pool)
{
	void *buffer;

	if (pool->spare_count > 0)
		return pool->spare[--pool->spare_count];
	if (pool->made_count == pool->spare_max)
		return NULL;
	buffer = region_map(pool->buffer_size);
	if (buffer)
		pool->made[pool->made_count++] = buffer;
	return buffer;
}

void pool_replace(struct pool *pool, const struct slot *slot)
{
	for (unsigned i = 0; i < slot->item.buffer_count; i++) {
		void *buffer = make_spare(pool);

		if (buffer)
			pool->free[pool->free_count++] = buffer;
		else
			pool->missing++;
	}
}

void pool_take_back(struct pool *pool, struct slot *slot)
{
	struct iobatch_item *item = &slot->item;

	while (item->buffer_count > 0) {
		void *buffer = item->buffers[--item->buffer_count];

		if (pool->missing > 0) {
			pool->missing--;
			pool->free[pool->free_count++] = buffer;
		} else {
			pool->spare[pool->spare_count++] = buffer;
		}
	}
}

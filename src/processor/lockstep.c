/* SPDX-License-Identifier: MIT */
/*
 * Owns how two files are read side by side. Ops 2n and 2n + 1 of the chain are a pair: the same
 * block of the one and of the other file. Pairs end in any order; when one differs no further ones
 * are begun, and those in flight may yet bring a difference further in front.
 */
#include "processor/lockstep.h"

#include <string.h>

void lockstep_start(struct lockstep *lockstep, int file, int file2, uint32_t block_size,
                    uint64_t limit)
{
	*lockstep = (struct lockstep){
		.file = file,
		.file2 = file2,
		.block_size = block_size,
		.limit = limit,
		.difference = LOCKSTEP_SAME,
	};
}

/* Makes the two ops the reads of the next block. */
static void read_pair(struct lockstep *lockstep, const struct iobatch_item *item,
                      struct iobatch_op *pair, unsigned number)
{
	uint64_t offset = lockstep->next;

	pair[0] = iobatch_op_read(lockstep->file, item->buffers[number], lockstep->block_size,
	                          offset);
	pair[1] = iobatch_op_read(lockstep->file2, item->buffers[number + 1], lockstep->block_size,
	                          offset);
	lockstep->next += lockstep->block_size;
}

void lockstep_lanes(struct lockstep *lockstep, struct iobatch_item *item, unsigned depth,
                    struct iobatch_chain *chain)
{
	uint64_t blocks = (lockstep->limit - lockstep->next - 1) / lockstep->block_size + 1;
	unsigned pairs = blocks < depth ? (unsigned)blocks : depth;

	pairs = iobatch_item_reserve(item, 2 * pairs) / 2;
	chain->unordered = true;
	while (chain->count < 2 * pairs && lockstep->next < lockstep->limit) {
		read_pair(lockstep, item, &chain->ops[chain->count], chain->count);
		chain->count += 2;
	}
}

/* Where two blocks differ first; LOCKSTEP_SAME = nowhere. */
static uint64_t find_difference(const struct iobatch_op *pair)
{
	uint64_t length = (uint64_t)pair[0].result, length2 = (uint64_t)pair[1].result;
	uint64_t both = length < length2 ? length : length2;
	const unsigned char *bytes = pair[0].buffer, *bytes2 = pair[1].buffer;
	uint64_t at = 0;

	if (memcmp(bytes, bytes2, both) == 0)
		return length == length2 ? LOCKSTEP_SAME : pair[0].offset + both;
	while (bytes[at] == bytes2[at])
		at++;
	return pair[0].offset + at;
}

void lockstep_complete(struct lockstep *lockstep, struct iobatch_item *item,
                       struct iobatch_chain *chain, struct iobatch_op *op)
{
	unsigned number = (unsigned)(op - chain->ops) & ~1u;
	struct iobatch_op *pair = &chain->ops[number];
	uint64_t both = UINT64_C(3) << number;
	uint64_t difference;

	lockstep->arrived |= UINT64_C(1) << (op - chain->ops);
	if ((lockstep->arrived & both) != both)
		return;
	lockstep->arrived &= ~both;
	item->bytes += (uint64_t)pair[0].result;
	difference = find_difference(pair);
	if (difference < lockstep->difference)
		lockstep->difference = difference;
	if (lockstep->difference != LOCKSTEP_SAME || lockstep->next >= lockstep->limit)
		return;
	read_pair(lockstep, item, pair, number);
	iobatch_op_again(chain, &pair[0]);
	iobatch_op_again(chain, &pair[1]);
}

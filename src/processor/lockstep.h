/* SPDX-License-Identifier: MIT */
/*
 * Compares the contents of two files of an item, block by block with several pairs of blocks in
 * flight, and finds the first byte in which they differ. This part knows open files; neither their
 * names nor what a difference means.
 */
#ifndef PROCESSOR_LOCKSTEP_H
#define PROCESSOR_LOCKSTEP_H

#include <iobatch.h>

/* Pairs of blocks in flight at most: each takes two of an item's buffers. */
#define LOCKSTEP_DEPTH_MAX 32u

#define LOCKSTEP_SAME UINT64_MAX

struct lockstep {
	int file, file2; /* of the item */
	uint32_t block_size;
	uint64_t next;    /* the first byte that is not asked for yet */
	uint64_t limit;   /* nothing is asked for that begins here or behind */
	uint64_t arrived; /* reads that wait for the other one of their pair: bits of the chain */
	uint64_t difference; /* the first byte found to differ; LOCKSTEP_SAME = none */
};

/* Begins: compares the bytes below `limit`, of which there is at least one. */
void lockstep_start(struct lockstep *lockstep, int file, int file2, uint32_t block_size,
                    uint64_t limit);

/* Fills the chain, with at most `depth` pairs; the item holds two buffers at least. */
void lockstep_lanes(struct lockstep *lockstep, struct iobatch_item *item, unsigned depth,
                    struct iobatch_chain *chain);

/* To be called as `complete` for that chain. When it has ended, lockstep->difference is known. */
void lockstep_complete(struct lockstep *lockstep, struct iobatch_item *item,
                       struct iobatch_chain *chain, struct iobatch_op *op);

#endif

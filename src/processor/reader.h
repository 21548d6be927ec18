/* SPDX-License-Identifier: MIT */
/*
 * Reads the file of an item, or a range of it, block by block with several blocks in flight, and
 * gives each block to a sink. It serves the processors that read; what is done with the data is the
 * sink's business, and which executor reads is nobody's.
 *
 * The way: the first block is read alone. When it is short, that was the whole file, and nothing
 * needs to be known about it beforehand. Else reader_expect() is told the size, and reader_lanes()
 * makes an unordered chain of as many reads as there are buffers, each of which goes on with the
 * next block when it is through. What lies behind the expected size is read with one lane until the
 * end of the file is seen.
 */
#ifndef PROCESSOR_READER_H
#define PROCESSOR_READER_H

#include <iobatch.h>

#include "processor/file.h"

/* Blocks of one file in flight, at most. */
#define READER_DEPTH_MAX 64u

/* What the processors that read take from their options. */
struct reader_plan {
	uint32_t block_size;
	uint32_t depth;
	uint32_t open_flags; /* O_* besides O_RDONLY and what reader_open() adds */
	bool ordered;        /* the sink gets the blocks in the order of the file */
	/*
	 * Takes `length` > 0 bytes at op->buffer, which stand at op->offset of the file. It may
	 * make another op of `op` that works on the buffer (not when `ordered`): then the lane
	 * reads on when that op has completed. Returns 0 or the attempt's error. Called by the
	 * reader only. NULL: the bytes are counted and that is all.
	 */
	int (*take)(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length);
	/*
	 * When not NULL, a block that cannot be read is read again by pages, and this takes what
	 * still cannot be: `length` bytes from `offset`, at most a page. Returns 0, to read on, or
	 * the attempt's error. Not when `ordered`.
	 */
	int (*failed)(void *context, struct iobatch_item *item, uint64_t offset, uint64_t length,
	              int error);
	void *context;
};

/* The chain that reader_next() has asked for last. */
enum reader_phase {
	READER_START,
	READER_FIRST,
	READER_SIZE,
	READER_LANES,
};

/* How far the file of an item is read. Lives in item->state; zeroed before reader_start(). */
struct reader {
	uint64_t start;   /* the first byte of all */
	uint64_t next;    /* the first byte that no read was asked for yet */
	uint64_t limit;   /* no read is asked for that begins here or behind */
	uint64_t size;    /* where the file, or the range, has to reach at least; 0 = unknown */
	uint64_t waiting; /* lanes whose block waits until the blocks before it are taken */
	int32_t file;     /* as in struct iobatch_op */
	uint8_t phase;    /* enum reader_phase; of reader_next() only */
	uint8_t turn;     /* when ordered: the lane with the next block of the file */
	bool bounded;     /* a range of known length: reading ends there */
	bool end_seen;    /* of the file */
	bool first_bad;   /* the block before the lanes is to be read again by pages */
};

extern const struct iobatch_error reader_shrunk;
extern const struct iobatch_error reader_special;

/* Are the two options in their ranges? Returns 0 or -EINVAL. */
int reader_check(uint32_t block_size, uint32_t depth);

/* Begins: `file` is the item's file that will be open when the first op runs. */
void reader_start(struct reader *reader, const struct iobatch_file *object, int file);

/*
 * The op that opens the object as `file`: read only. Where a regular file was promised it does not
 * wait for what may have taken its place, such as a FIFO; any other name may well be one.
 */
struct iobatch_op reader_open(const struct iobatch_file *object, int file, uint32_t open_flags);

/* The next read, into the item's buffer `lane`. */
struct iobatch_op reader_op(const struct reader_plan *plan, struct reader *reader,
                            const struct iobatch_item *item, unsigned lane);

/*
 * Takes the block that a read outside of the lanes has brought. When the sink made another op of
 * `op` it is for the caller to run it.
 */
int reader_take(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                struct iobatch_op *op);

/* Says how long the file is, by statx. */
void reader_expect(struct reader *reader, uint64_t size);

/* Has everything been asked for and seen? */
bool reader_finished(const struct reader *reader);

/*
 * Fills the chain with lanes that read on from where the reader stands. To be called, from `next`,
 * until reader_finished(). Ops that are in the chain already are lanes, too: op N works on buffer
 * N.
 */
int reader_lanes(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                 struct iobatch_chain *chain);

/* To be called as `complete` for the chain of reader_lanes(). */
int reader_complete(const struct reader_plan *plan, struct reader *reader,
                    struct iobatch_item *item, struct iobatch_chain *chain, struct iobatch_op *op);

/*
 * All of the above for a processor that does nothing but read: its `next`. It needs one file,
 * chains of `depth` ops and at least two, and a place for a statx that lasts as long as the
 * attempt.
 */
int reader_next(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                const struct iobatch_chain *done, struct iobatch_chain *chain, struct statx *statx);

#endif

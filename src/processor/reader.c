/* SPDX-License-Identifier: MIT */
/*
 * Owns how a file is read: which block next, when the end has been seen, and what a file is that
 * ends too early. Invariant: every byte from the start to the end is given to the sink exactly
 * once, and an end is believed only when a read has seen it. It knows neither what the sink does
 * nor the engine.
 *
 * A read is short only at the end of the file, since the engine continues it. Whole blocks are
 * asked for even when fewer bytes are expected, so that the last read sees the end as well, and so
 * that the length stays aligned for O_DIRECT.
 */
#include "processor/reader.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK_SIZE_UNIT 4096u
#define BLOCK_SIZE_MAX (16u << 20)
#define SECTOR_SIZE 512u

const struct iobatch_error reader_shrunk = {
	.name = "ESHRUNK",
	.message = "the file became shorter while it was read",
};

int reader_check(uint32_t block_size, uint32_t depth)
{
	if (block_size == 0 || block_size % BLOCK_SIZE_UNIT || block_size > BLOCK_SIZE_MAX)
		return -EINVAL;
	return depth >= 1 && depth <= READER_DEPTH_MAX ? 0 : -EINVAL;
}

const struct iobatch_file *reader_object(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;

	if (item->object_size <= offsetof(struct iobatch_file, path) ||
	    item->object_size - offsetof(struct iobatch_file, path) <= object->path_length ||
	    object->path_length >= IOBATCH_PATH_MAX || object->path[object->path_length] != '\0' ||
	    object->relative > object->path_length)
		return NULL;
	return object;
}

void reader_start(struct reader *reader, const struct iobatch_file *object, int file)
{
	uint64_t end;

	reader->file = file;
	reader->next = object->offset;
	reader->limit = UINT64_MAX;
	if (object->length > 0 && !__builtin_add_overflow(object->offset, object->length, &end)) {
		reader->bounded = true;
		reader->size = end;
		reader->limit = end;
	}
}

struct iobatch_op reader_open(const struct iobatch_file *object, int file, uint32_t open_flags)
{
	open_flags |= O_RDONLY | O_NOCTTY;
	if (object->type == DT_REG)
		open_flags |= O_NOFOLLOW;
	return iobatch_op_openat(file, AT_FDCWD, object->path, open_flags, 0);
}

struct iobatch_op reader_op(const struct reader_plan *plan, struct reader *reader,
                            const struct iobatch_item *item, unsigned lane)
{
	uint64_t offset = reader->next, length = plan->block_size;

	if (reader->bounded && reader->limit - offset < length) {
		length = reader->limit - offset;
		/*
		 * The tail of a range. A descriptor that was opened with O_DIRECT reads whole
		 * sectors only; what is beyond the range is not taken.
		 */
		if (length % SECTOR_SIZE)
			length = (length + BLOCK_SIZE_UNIT - 1) / BLOCK_SIZE_UNIT * BLOCK_SIZE_UNIT;
	}
	if (__builtin_add_overflow(offset, length, &reader->next))
		reader->next = UINT64_MAX;
	return iobatch_op_read(reader->file, item->buffers[lane], length, offset);
}

int reader_take(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                struct iobatch_op *op)
{
	uint64_t length = (uint64_t)op->result;

	assert(op->result >= 0 && length <= op->length);
	if (length < op->length) {
		reader->end_seen = true;
		if (op->offset + length < reader->size)
			return iobatch_item_fail(item, &reader_shrunk);
	}
	if (reader->bounded && reader->limit - op->offset < length)
		length = reader->limit - op->offset;
	item->bytes += length;
	if (length == 0 || !plan->take)
		return 0;
	return plan->take(plan->context, item, op, length);
}

void reader_expect(struct reader *reader, uint64_t size)
{
	if (!reader->bounded)
		reader->size = size;
}

bool reader_finished(const struct reader *reader)
{
	return reader->end_seen || (reader->bounded && reader->next >= reader->limit);
}

int reader_lanes(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	unsigned lanes = chain->count > 0 ? chain->count : 1;

	/* Behind what is expected there is nothing, as a rule: one lane looks. */
	if (!reader->bounded)
		reader->limit = reader->next < reader->size ? reader->size : UINT64_MAX;
	if (reader->next < reader->size) {
		uint64_t blocks = (reader->size - reader->next - 1) / plan->block_size + 1;
		uint64_t wanted = blocks + chain->count;

		lanes = wanted < plan->depth ? (unsigned)wanted : plan->depth;
		lanes = iobatch_item_reserve(item, lanes);
	}
	reader->waiting = 0;
	reader->turn = 0;
	chain->unordered = true;
	while (chain->count < lanes && reader->next < reader->limit)
		iobatch_chain_add(chain, reader_op(plan, reader, item, chain->count));
	return IOBATCH_MORE;
}

/* Lets a lane whose block is dealt with read the next one, if there is one. */
static void read_on(const struct reader_plan *plan, struct reader *reader,
                    const struct iobatch_item *item, struct iobatch_chain *chain,
                    struct iobatch_op *op)
{
	if (reader->end_seen || reader->next >= reader->limit)
		return;
	*op = reader_op(plan, reader, item, (unsigned)(op - chain->ops));
	iobatch_op_again(chain, op);
}

/*
 * Blocks go round the lanes in the order of the file: a lane gets its next block when its last one
 * was taken, and they are taken in turn.
 */
static int take_in_turn(const struct reader_plan *plan, struct reader *reader,
                        struct iobatch_item *item, struct iobatch_chain *chain)
{
	while (reader->waiting & UINT64_C(1) << reader->turn) {
		struct iobatch_op *op = &chain->ops[reader->turn];
		int result;

		reader->waiting &= ~(UINT64_C(1) << reader->turn);
		reader->turn = (uint8_t)((reader->turn + 1u) % chain->count);
		result = reader_take(plan, reader, item, op);
		if (result < 0)
			return result;
		read_on(plan, reader, item, chain, op);
	}
	return 0;
}

int reader_complete(const struct reader_plan *plan, struct reader *reader,
                    struct iobatch_item *item, struct iobatch_chain *chain, struct iobatch_op *op)
{
	int result;

	if (plan->ordered) {
		reader->waiting |= UINT64_C(1) << (op - chain->ops);
		return take_in_turn(plan, reader, item, chain);
	}
	if (op->opcode == IOBATCH_OP_READ) {
		result = reader_take(plan, reader, item, op);
		if (result < 0)
			return result;
		if (op->opcode != IOBATCH_OP_READ) {
			iobatch_op_again(chain, op);
			return 0;
		}
	}
	read_on(plan, reader, item, chain, op);
	return 0;
}

/* ---------------------------------------------------------- the whole way -- */

static int first_block(const struct reader_plan *plan, struct reader *reader,
                       const struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = reader_object(item);

	if (!object)
		return -EINVAL;
	reader_start(reader, object, object->fd >= 0 ? IOBATCH_FD(object->fd) : 0);
	if (object->fd < 0)
		iobatch_chain_add(chain, reader_open(object, 0, plan->open_flags));
	iobatch_chain_add(chain, reader_op(plan, reader, item, 0));
	reader->phase = READER_FIRST;
	return IOBATCH_MORE;
}

/* Only a file of more than one block comes here: for others its size need not be known. */
static int ask_size(struct reader *reader, const struct iobatch_item *item,
                    struct iobatch_chain *chain, struct statx *statx)
{
	const struct iobatch_file *object = item->object;
	uint32_t flags = object->type == DT_REG ? AT_SYMLINK_NOFOLLOW : 0;

	if (object->fd >= 0)
		iobatch_chain_add(
			chain, iobatch_op_statx(object->fd, "", AT_EMPTY_PATH, STATX_SIZE, statx));
	else
		iobatch_chain_add(
			chain, iobatch_op_statx(AT_FDCWD, object->path, flags, STATX_SIZE, statx));
	reader->phase = READER_SIZE;
	return IOBATCH_MORE;
}

int reader_next(const struct reader_plan *plan, struct reader *reader, struct iobatch_item *item,
                const struct iobatch_chain *done, struct iobatch_chain *chain, struct statx *statx)
{
	struct iobatch_op op;
	int result;

	switch (reader->phase) {
	case READER_START:
		return first_block(plan, reader, item, chain);
	case READER_FIRST:
		op = done->ops[done->count - 1];
		result = reader_take(plan, reader, item, &op);
		if (result < 0)
			return result;
		if (!reader->bounded && !reader->end_seen)
			return ask_size(reader, item, chain, statx);
		break;
	case READER_SIZE:
		reader_expect(reader, statx->stx_size);
		break;
	case READER_LANES:
		break;
	}
	if (reader_finished(reader))
		return IOBATCH_DONE;
	reader->phase = READER_LANES;
	return reader_lanes(plan, reader, item, chain);
}

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
/* What is reported as unreadable at once. */
#define PAGE UINT64_C(4096)

const struct iobatch_error reader_special = {
	.name = "ESPECIAL",
	.message = "it is a FIFO, a device or a socket",
};

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

void reader_start(struct reader *reader, const struct iobatch_file *object, int file)
{
	uint64_t end;

	reader->file = file;
	reader->start = object->offset;
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
	open_flags |= O_RDONLY | O_NOCTTY | file_open_flags(object);
	/* What has come to be a FIFO since the source saw it is not waited for. */
	if (object->type == DT_REG || object->directory)
		open_flags |= O_NONBLOCK;
	return file_at(object, iobatch_op_openat(file, AT_FDCWD, NULL, open_flags, 0));
}

/* A read at `offset` of a block, or of what is left of the range. */
static struct iobatch_op read_op(const struct reader_plan *plan, const struct reader *reader,
                                 uint64_t offset, uint64_t length, void *buffer)
{
	struct iobatch_op op;

	if (reader->bounded && reader->limit - offset < length) {
		length = reader->limit - offset;
		/*
		 * The tail of a range. A descriptor that was opened with O_DIRECT reads whole
		 * sectors only; what is beyond the range is not taken.
		 */
		if (length % SECTOR_SIZE)
			length = (length + BLOCK_SIZE_UNIT - 1) / BLOCK_SIZE_UNIT * BLOCK_SIZE_UNIT;
	}
	op = iobatch_op_read(reader->file, buffer, length, offset);
	if (plan->failed)
		op.flags |= IOBATCH_MAY_FAIL;
	return op;
}

struct iobatch_op reader_op(const struct reader_plan *plan, struct reader *reader,
                            const struct iobatch_item *item, unsigned lane)
{
	struct iobatch_op op =
		read_op(plan, reader, reader->next, plan->block_size, item->buffers[lane]);

	if (__builtin_add_overflow(reader->next, op.length, &reader->next))
		reader->next = UINT64_MAX;
	return op;
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

/* ------------------------------------------------------- what is unreadable -- */

/* Is this the answer of what is read, and not of how it was asked? */
static bool is_of_medium(int64_t error)
{
	switch (error) {
	case -EBADF:
	case -EINVAL:
	case -EISDIR:
	case -ESPIPE:
	case -EACCES:
	case -EPERM:
	case -EAGAIN:
	case -EINTR:
	case -ECANCELED:
	case -ENOMEM:
	case -ESTALE:
		return false;
	default:
		return true;
	}
}

/* Makes `op` the read of the page at `offset`. */
static void read_page(const struct reader_plan *plan, const struct reader *reader, uint64_t offset,
                      struct iobatch_op *op)
{
	*op = read_op(plan, reader, offset, PAGE, op->buffer);
}

/* A page that cannot be read: is there any of it? */
static int give_up_page(const struct reader_plan *plan, struct reader *reader,
                        struct iobatch_item *item, const struct iobatch_op *op)
{
	uint64_t length = PAGE;

	if (!reader->bounded && op->offset >= reader->size) {
		/* Behind the end that was expected only a read that succeeds says that there is
		 * more. */
		reader->end_seen = true;
		return op->offset > reader->start ? 0 : (int)op->result;
	}
	if (reader->size - op->offset < length)
		length = reader->size - op->offset;
	return plan->failed(plan->context, item, op->offset, length, (int)op->result);
}

/*
 * A read of a lane that has failed, or that has read a page of a block that had. Returns 1 when
 * `op` is the next page of this block, 0 when the block is dealt with, or the attempt's error.
 */
static int take_page(const struct reader_plan *plan, struct reader *reader,
                     struct iobatch_item *item, struct iobatch_op *op)
{
	uint64_t next = op->offset + PAGE;
	bool end = false;
	int result;

	if (op->result < 0 && !is_of_medium(op->result))
		return (int)op->result;
	if (op->result < 0 && op->length > PAGE) {
		read_page(plan, reader, op->offset, op);
		return 1;
	}
	if (op->result < 0) {
		result = give_up_page(plan, reader, item, op);
	} else {
		end = (uint64_t)op->result < op->length;
		result = reader_take(plan, reader, item, op);
	}
	if (result < 0)
		return result;
	if (end || (next - reader->start) % plan->block_size == 0 ||
	    (!reader->bounded && next >= reader->size && reader->end_seen) ||
	    (reader->bounded && next >= reader->limit))
		return 0;
	read_page(plan, reader, next, op);
	return 1;
}

int reader_complete(const struct reader_plan *plan, struct reader *reader,
                    struct iobatch_item *item, struct iobatch_chain *chain, struct iobatch_op *op)
{
	int result;

	if (plan->ordered) {
		reader->waiting |= UINT64_C(1) << (op - chain->ops);
		return take_in_turn(plan, reader, item, chain);
	}
	if (op->opcode == IOBATCH_OP_READ && plan->failed &&
	    (op->result < 0 || op->length <= PAGE)) {
		result = take_page(plan, reader, item, op);
		if (result < 0)
			return result;
		if (result > 0) {
			iobatch_op_again(chain, op);
			return 0;
		}
	} else if (op->opcode == IOBATCH_OP_READ) {
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

/* Something in a tree that has no content of its own. Who names a FIFO wants to read it. */
static bool is_special(const struct iobatch_file *object)
{
	return object->directory &&
	       (object->type == DT_FIFO || object->type == DT_SOCK || object->type == DT_CHR);
}

static int first_block(const struct reader_plan *plan, struct reader *reader,
                       struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);

	if (!object)
		return -EINVAL;
	if (is_special(object))
		return iobatch_item_skip(item, &reader_special);
	reader_start(reader, object, object->fd >= 0 ? IOBATCH_FD(object->fd) : 0);
	if (object->fd < 0)
		iobatch_chain_add(chain, reader_open(object, 0, plan->open_flags));
	iobatch_chain_add(chain, reader_op(plan, reader, item, 0));
	reader->phase = READER_FIRST;
	return IOBATCH_MORE;
}

/*
 * Only a file of more than one block comes here, for others its size need not be known; and one of
 * a tree that is empty, for so are FIFOs that nobody writes to.
 */
static int ask_size(struct reader *reader, const struct iobatch_item *item,
                    struct iobatch_chain *chain, struct statx *statx)
{
	const struct iobatch_file *object = item->object;
	struct iobatch_op op;

	if (object->fd >= 0)
		op = iobatch_op_statx(object->fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE,
		                      statx);
	else
		op = file_at(object, iobatch_op_statx(AT_FDCWD, NULL, file_at_flags(object),
		                                      STATX_TYPE | STATX_SIZE, statx));
	iobatch_chain_add(chain, op);
	reader->phase = READER_SIZE;
	return IOBATCH_MORE;
}

/* May the first block be read again by pages? */
static int first_failed(const struct iobatch_op *op)
{
	return is_of_medium(op->result) ? 0 : (int)op->result;
}

/* Has nothing come of a file of a tree? */
static bool is_empty(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;

	return item->bytes == 0 && object->directory;
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
		reader->first_bad = op.result < 0;
		result = op.result < 0 ? first_failed(&op) : reader_take(plan, reader, item, &op);
		if (result < 0)
			return result;
		if ((!reader->bounded && !reader->end_seen) || is_empty(item))
			return ask_size(reader, item, chain, statx);
		break;
	case READER_SIZE:
		if (is_empty(item) && !S_ISREG(statx->stx_mode) && !S_ISBLK(statx->stx_mode))
			return iobatch_item_fail(item, &reader_special);
		reader_expect(reader, statx->stx_size);
		break;
	case READER_LANES:
		break;
	}
	if (reader->first_bad) {
		reader->first_bad = false;
		op = read_op(plan, reader, reader->start, PAGE, item->buffers[0]);
		iobatch_chain_add(chain, op);
	} else if (reader_finished(reader)) {
		return IOBATCH_DONE;
	}
	reader->phase = READER_LANES;
	return reader_lanes(plan, reader, item, chain);
}

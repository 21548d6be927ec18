/* SPDX-License-Identifier: MIT */
/*
 * The op table: one row describes an operation to everybody. The executors learn how to carry it
 * out, the engine which facts it must respect, the job file what its arguments are called. To add
 * an op: an enum value in iobatch.h and a row in table.c.
 *
 * This part knows the kernel's interface (struct io_uring_sqe, system calls) but neither liburing
 * nor items.
 */
#ifndef OP_OP_H
#define OP_OP_H

#include <iobatch.h>

struct io_uring_sqe;

/* Facts about an op. Those about links are probed: tests/unit/op/test_link_facts.c. */
enum op_fact {
	/* A failure cancels what is linked behind it. Without this nothing may be linked behind. */
	OP_BREAKS_LINK = 1u << 0,
	/* Removes or replaces something: never starts behind a link, but after the result before
	 * it. */
	OP_DESTRUCTIVE = 1u << 1,
	/* Acts on `file`. */
	OP_USES_FILE = 1u << 2,
	/* Fills `file`. */
	OP_OPENS_FILE = 1u << 3,
	/* Empties `file`. */
	OP_CLOSES_FILE = 1u << 4,
	/* Its result is a number of bytes that may be less than `length`, and then goes on. */
	OP_MOVES_BYTES = 1u << 5,
	/* Ends with -ETIME when all is well. */
	OP_IS_TIMER = 1u << 6,
	/* May be run again although it was perhaps carried out. */
	OP_IDEMPOTENT = 1u << 7,
	/* Looks up a path: on a file system that hangs it holds a kernel worker. */
	OP_ON_PATH = 1u << 8,
	/* Acts on `file2` too. */
	OP_USES_FILE2 = 1u << 9,
};

#define OP_NO_RING (-1)

struct op_row {
	struct iobatch_op_info info;
	int ring_opcode; /* IORING_OP_*, or OP_NO_RING */
	unsigned facts;  /* enum op_fact */
	/*
	 * Fills a zeroed SQE, all but user_data and flags. `fd` is the descriptor that op->file
	 * stands for. May keep in op->reserved[1..3] what the SQE points to. NULL for OP_NO_RING
	 * and for timers, which need a timespec that lives with the ring.
	 */
	void (*prepare)(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
	/*
	 * The same as a system call: the result or a negative errno. `fd2` is what op->file2 stands
	 * for. NULL for timers.
	 */
	int64_t (*call)(const struct iobatch_op *op, int fd, int fd2);
};

extern const struct op_row op_table[IOBATCH_OP_COUNT];

static inline const struct op_row *op_row(const struct iobatch_op *op)
{
	return &op_table[op->opcode];
}

static inline bool op_is(const struct iobatch_op *op, unsigned facts)
{
	return op_row(op)->facts & facts;
}

/* Bytes of an op that moves bytes that were moved before it was continued: reserved[0]. */
static inline uint64_t op_moved(const struct iobatch_op *op)
{
	return op->reserved[0];
}

/*
 * The rest of an op that was continued: where in memory, where in the files and how much at once.
 * An SQE's length has 32 bits and the kernel moves less than 2 GiB in one call, so that a long op
 * is moved in parts, each of which ends on a page.
 */
#define OP_PART_MAX (UINT64_C(1) << 30)

static inline char *op_rest_buffer(const struct iobatch_op *op)
{
	return (char *)op->buffer + op_moved(op);
}

static inline uint64_t op_rest_offset(const struct iobatch_op *op)
{
	/* UINT64_MAX stands for the file's own position, which has moved by itself. */
	return op->offset == UINT64_MAX ? UINT64_MAX : op->offset + op_moved(op);
}

static inline uint64_t op_rest_offset2(const struct iobatch_op *op)
{
	return op->offset2 == UINT64_MAX ? UINT64_MAX : op->offset2 + op_moved(op);
}

static inline uint32_t op_rest_length(const struct iobatch_op *op)
{
	uint64_t rest = op->length - op_moved(op);

	return (uint32_t)(rest < OP_PART_MAX ? rest : OP_PART_MAX);
}

#endif

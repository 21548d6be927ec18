/* SPDX-License-Identifier: MIT */
/*
 * Writes ops into SQEs. Each function fills what its opcode looks at and leaves the rest zero,
 * which the kernel insists on. It does not know how a file is held: direct descriptors and
 * registered buffers are the ring's business, which changes the SQE afterwards.
 */
#include "op/prepare.h"

#include <assert.h>

#include "op/how.h"

static_assert(sizeof(struct open_how) <= 3 * sizeof(uint64_t),
              "an open_how must fit into what an op reserves for it");

static inline __u64 address(const void *pointer)
{
	return (__u64)(uintptr_t)pointer;
}

void prepare_nop(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)op;
	(void)fd;
	sqe->opcode = IORING_OP_NOP;
}

void prepare_openat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = op->mode;
	sqe->open_flags = op->op_flags | O_CLOEXEC;
}

void prepare_openat2(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	struct open_how *how = (struct open_how *)&op->reserved[1];

	(void)fd;
	how_fill(how, op);
	sqe->opcode = IORING_OP_OPENAT2;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = sizeof(*how);
	sqe->addr2 = address(how);
}

void prepare_close(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)op;
	sqe->opcode = IORING_OP_CLOSE;
	sqe->fd = fd;
}

static void prepare_rw(struct io_uring_sqe *sqe, const struct iobatch_op *op, int fd)
{
	sqe->fd = fd;
	sqe->addr = address(op_rest_buffer(op));
	sqe->len = op_rest_length(op);
	sqe->off = op_rest_offset(op);
	sqe->rw_flags = (__kernel_rwf_t)op->op_flags;
}

void prepare_read(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_READ;
	prepare_rw(sqe, op, fd);
}

void prepare_write(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_WRITE;
	prepare_rw(sqe, op, fd);
}

void prepare_fsync(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)op;
	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = fd;
}

void prepare_fdatasync(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	prepare_fsync(sqe, op, fd);
	sqe->fsync_flags = IORING_FSYNC_DATASYNC;
}

void prepare_fallocate(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_FALLOCATE;
	sqe->fd = fd;
	sqe->off = op->offset;
	/* The length stands where others have an address, and the mode where they have a length. */
	sqe->addr = op->length;
	sqe->len = op->mode;
}

void prepare_fadvise(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_FADVISE;
	sqe->fd = fd;
	sqe->off = op->offset;
	/*
	 * Newer kernels take a length of 64 bits in `addr`, older ones refuse it there: an honest
	 * error is better than advice on another range.
	 */
	if (op->length > UINT32_MAX)
		sqe->addr = op->length;
	else
		sqe->len = (__u32)op->length;
	sqe->fadvise_advice = op->mode;
}

void prepare_statx(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_STATX;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = op->mode;
	sqe->addr2 = address(op->buffer);
	sqe->statx_flags = op->op_flags;
}

void prepare_renameat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_RENAMEAT;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = (__u32)op->dirfd2;
	sqe->addr2 = address(op->path2);
	sqe->rename_flags = op->op_flags;
}

void prepare_unlinkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_UNLINKAT;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->unlink_flags = op->op_flags;
}

void prepare_mkdirat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_MKDIRAT;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = op->mode;
}

void prepare_symlinkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_SYMLINKAT;
	sqe->fd = op->dirfd2;
	sqe->addr = address(op->path);
	sqe->addr2 = address(op->path2);
}

void prepare_linkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	(void)fd;
	sqe->opcode = IORING_OP_LINKAT;
	sqe->fd = op->dirfd;
	sqe->addr = address(op->path);
	sqe->len = (__u32)op->dirfd2;
	sqe->addr2 = address(op->path2);
	sqe->hardlink_flags = op->op_flags;
}

void prepare_ftruncate(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_FTRUNCATE;
	sqe->fd = fd;
	sqe->off = op->length;
}

void prepare_fstatx(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd)
{
	sqe->opcode = IORING_OP_STATX;
	sqe->fd = fd;
	sqe->addr = address("");
	sqe->len = op->mode;
	sqe->addr2 = address(op->buffer);
	sqe->statx_flags = AT_EMPTY_PATH;
}

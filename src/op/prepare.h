/* SPDX-License-Identifier: MIT */
/*
 * How each op that has a ring opcode is written into an SQE. Only the op table uses these; what
 * they promise stands at `prepare` in op.h.
 */
#ifndef OP_PREPARE_H
#define OP_PREPARE_H

#include <linux/io_uring.h>

#include "op/op.h"

/* The header may be older than the kernel. Where it is not, this is what its enum says. */
#define IORING_OP_FTRUNCATE 55

void prepare_nop(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_openat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_openat2(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_close(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_read(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_write(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_fsync(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_fdatasync(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_fallocate(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_fadvise(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_statx(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_renameat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_unlinkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_mkdirat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_symlinkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_linkat(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_ftruncate(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);
void prepare_fstatx(struct io_uring_sqe *sqe, struct iobatch_op *op, int fd);

#endif

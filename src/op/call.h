/* SPDX-License-Identifier: MIT */
/*
 * How each op is done by a system call. Only the op table uses these; what they promise stands at
 * `call` in op.h. An op means the same here as in prepare.h.
 */
#ifndef OP_CALL_H
#define OP_CALL_H

#include <fcntl.h>

#include "op/op.h"

int64_t call_nop(const struct iobatch_op *op, int fd, int fd2);
int64_t call_openat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_openat2(const struct iobatch_op *op, int fd, int fd2);
int64_t call_close(const struct iobatch_op *op, int fd, int fd2);
int64_t call_read(const struct iobatch_op *op, int fd, int fd2);
int64_t call_write(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fsync(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fdatasync(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fallocate(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fadvise(const struct iobatch_op *op, int fd, int fd2);
int64_t call_statx(const struct iobatch_op *op, int fd, int fd2);
int64_t call_renameat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_unlinkat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_mkdirat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_symlinkat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_linkat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_readlinkat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fchmodat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_utimensat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_ftruncate(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fchmod(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fchown(const struct iobatch_op *op, int fd, int fd2);
int64_t call_futimens(const struct iobatch_op *op, int fd, int fd2);
int64_t call_copy_file_range(const struct iobatch_op *op, int fd, int fd2);
int64_t call_ficlone(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fstatx(const struct iobatch_op *op, int fd, int fd2);
int64_t call_fchownat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_mknodat(const struct iobatch_op *op, int fd, int fd2);
int64_t call_find_data(const struct iobatch_op *op, int fd, int fd2);
int64_t call_copy_xattrs(const struct iobatch_op *op, int fd, int fd2);
int64_t call_cached(const struct iobatch_op *op, int fd, int fd2);

#endif

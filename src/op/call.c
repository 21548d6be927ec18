/* SPDX-License-Identifier: MIT */
/*
 * Does ops by system calls, for ops and kernels without a ring opcode. Each function makes one call
 * and returns its result or a negative errno, and behaves as the ring does where the two interfaces
 * differ. Retries and continuations are the engine's business.
 */
#include "op/call.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "op/cached.h"
#include "op/how.h"
#include "op/xattr.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* All functions have the same parameters, and few of them need all. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static inline int64_t result_of(int64_t returned)
{
	return returned < 0 ? -errno : returned;
}

int64_t call_nop(const struct iobatch_op *op, int fd, int fd2)
{
	return 0;
}

int64_t call_openat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(openat(op->dirfd, op->path, (int)(op->op_flags | O_CLOEXEC), op->mode));
}

int64_t call_openat2(const struct iobatch_op *op, int fd, int fd2)
{
	struct open_how how = {0};

	how_fill(&how, op);
	return result_of(syscall(SYS_openat2, op->dirfd, op->path, &how, sizeof(how)));
}

int64_t call_close(const struct iobatch_op *op, int fd, int fd2)
{
	/* An interrupted close has freed the descriptor: to try again could close another file. */
	if (close(fd) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

typedef ssize_t (*move_fn)(int fd, const struct iovec *iov, int count, off_t offset, int flags);

static int64_t move(move_fn move_at, const struct iobatch_op *op, int fd)
{
	struct iovec iov = {.iov_base = op_rest_buffer(op), .iov_len = op_rest_length(op)};
	int flags = (int)op->op_flags;
	/* The offset -1 is the file's own position, for these calls as for the ring. */
	ssize_t moved = move_at(fd, &iov, 1, (off_t)op_rest_offset(op), flags);

	/* The ring ignores the offset of what has no position, such as a pipe. */
	if (moved < 0 && errno == ESPIPE)
		moved = move_at(fd, &iov, 1, -1, flags);
	return result_of(moved);
}

int64_t call_read(const struct iobatch_op *op, int fd, int fd2)
{
	return move(preadv2, op, fd);
}

int64_t call_write(const struct iobatch_op *op, int fd, int fd2)
{
	return move(pwritev2, op, fd);
}

int64_t call_fsync(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(fsync(fd));
}

int64_t call_fdatasync(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(fdatasync(fd));
}

int64_t call_fallocate(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(fallocate(fd, (int)op->mode, (off_t)op->offset, (off_t)op->length));
}

int64_t call_fadvise(const struct iobatch_op *op, int fd, int fd2)
{
	/* Returns the error instead of setting errno. */
	return -posix_fadvise(fd, (off_t)op->offset, (off_t)op->length, (int)op->mode);
}

int64_t call_statx(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(statx(op->dirfd, op->path, (int)op->op_flags, op->mode, op->buffer));
}

int64_t call_renameat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(renameat2(op->dirfd, op->path, op->dirfd2, op->path2, op->op_flags));
}

int64_t call_unlinkat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(unlinkat(op->dirfd, op->path, (int)op->op_flags));
}

int64_t call_mkdirat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(mkdirat(op->dirfd, op->path, op->mode));
}

int64_t call_symlinkat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(symlinkat(op->path, op->dirfd2, op->path2));
}

int64_t call_linkat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(linkat(op->dirfd, op->path, op->dirfd2, op->path2, (int)op->op_flags));
}

int64_t call_readlinkat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(readlinkat(op->dirfd, op->path, op->buffer, op->length));
}

int64_t call_fchmodat(const struct iobatch_op *op, int fd, int fd2)
{
	/*
	 * Not to follow a link is a call of its own, from Linux 6.6 on. Without it the C library
	 * goes by /proc, which takes four calls; a filter that does not know it may say EPERM.
	 */
	if (op->op_flags & AT_SYMLINK_NOFOLLOW) {
		if (syscall(SYS_fchmodat2, op->dirfd, op->path, op->mode, op->op_flags) == 0)
			return 0;
		if (errno != ENOSYS && errno != EPERM)
			return -errno;
	}
	return result_of(fchmodat(op->dirfd, op->path, op->mode, (int)op->op_flags));
}

int64_t call_utimensat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(utimensat(op->dirfd, op->path, op->buffer, (int)op->op_flags));
}

int64_t call_ftruncate(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(ftruncate(fd, (off_t)op->length));
}

int64_t call_fchmod(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(fchmod(fd, op->mode));
}

int64_t call_fchown(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(fchown(fd, op->op_flags, op->mode));
}

int64_t call_futimens(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(futimens(fd, op->buffer));
}

int64_t call_copy_file_range(const struct iobatch_op *op, int fd, int fd2)
{
	off_t from = (off_t)op_rest_offset(op), to = (off_t)op_rest_offset2(op);

	/* Here it is a missing offset that stands for the file's own position. */
	return result_of(copy_file_range(fd, from < 0 ? NULL : &from, fd2, to < 0 ? NULL : &to,
	                                 op_rest_length(op), 0));
}

int64_t call_ficlone(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(ioctl(fd2, FICLONE, fd));
}

int64_t call_fstatx(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(statx(fd, "", AT_EMPTY_PATH, op->mode, op->buffer));
}

int64_t call_fchownat(const struct iobatch_op *op, int fd, int fd2)
{
	int flags = op->length & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;

	return result_of(fchownat(op->dirfd, op->path, op->op_flags, op->mode, flags));
}

int64_t call_mknodat(const struct iobatch_op *op, int fd, int fd2)
{
	return result_of(mknodat(op->dirfd, op->path, op->op_flags | op->mode, op->length));
}

int64_t call_find_data(const struct iobatch_op *op, int fd, int fd2)
{
	uint64_t *range = op->buffer;
	off_t start = lseek(fd, (off_t)op->offset, SEEK_DATA), end;

	if (start < 0)
		return -errno;
	end = lseek(fd, start, SEEK_HOLE);
	if (end < 0)
		return -errno;
	range[0] = (uint64_t)start;
	range[1] = (uint64_t)end;
	return 0;
}

int64_t call_copy_xattrs(const struct iobatch_op *op, int fd, int fd2)
{
	return xattr_copy(fd, fd2, op->op_flags);
}

int64_t call_cached(const struct iobatch_op *op, int fd, int fd2)
{
	return cached_count(fd, op->offset, op->length, op->buffer);
}

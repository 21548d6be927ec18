/* SPDX-License-Identifier: MIT */
/*
 * The simulated kernel's descriptors: a table of direct files, and descriptors of the process, of
 * which an open gets the lowest that is free. Descriptors below SIMULATED_FD_FIRST are somebody
 * else's and always open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "executor/simulated.h"

static bool is_open(const struct simulated *kernel, bool direct, int fd)
{
	if (direct)
		return fd >= 0 && (unsigned)fd < kernel->direct_count && kernel->direct[fd];
	if (fd < SIMULATED_FD_FIRST)
		return fd >= 0;
	fd -= SIMULATED_FD_FIRST;
	return (unsigned)fd < kernel->files_max && kernel->files[fd];
}

int simulated_file_find(const struct simulated *kernel, const struct simulated_request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	bool open;

	if (!op_is(&request->copy, OP_USES_FILE))
		return 0;
	if (sqe->opcode == IORING_OP_CLOSE && sqe->file_index)
		open = is_open(kernel, true, (int)sqe->file_index - 1);
	else
		open = is_open(kernel, sqe->flags & IOSQE_FIXED_FILE, sqe->fd);
	if (open && op_is(&request->copy, OP_USES_FILE2))
		open = is_open(kernel, false, (int)sqe->splice_fd_in);
	return open ? 0 : -EBADF;
}

static int32_t open_lowest(struct simulated *kernel)
{
	unsigned fd = 0;

	while (fd < kernel->files_max && kernel->files[fd])
		fd++;
	if (fd == kernel->files_max) {
		unsigned max = kernel->files_max ? 2 * kernel->files_max : 64;
		bool *files = realloc(kernel->files, max * sizeof(*files));

		if (!files)
			return -ENFILE;
		memset(files + kernel->files_max, 0, (max - kernel->files_max) * sizeof(*files));
		kernel->files = files;
		kernel->files_max = max;
	}
	kernel->files[fd] = true;
	kernel->open_count++;
	return SIMULATED_FD_FIRST + (int32_t)fd;
}

static int32_t note_open(struct simulated *kernel, const struct io_uring_sqe *sqe, int32_t result)
{
	unsigned place = sqe->file_index - 1;

	if (sqe->file_index == 0)
		return open_lowest(kernel);
	if (place >= kernel->direct_count)
		return -EINVAL;
	/* What was open there is closed, as in the kernel. */
	kernel->open_count += !kernel->direct[place];
	kernel->direct[place] = true;
	return result;
}

static void note_close(struct simulated *kernel, const struct io_uring_sqe *sqe)
{
	if (sqe->file_index)
		kernel->direct[sqe->file_index - 1] = false;
	else if (sqe->fd >= SIMULATED_FD_FIRST)
		kernel->files[sqe->fd - SIMULATED_FD_FIRST] = false;
	else
		return;
	kernel->open_count--;
}

int32_t simulated_file_note(struct simulated *kernel, const struct simulated_request *request,
                            int32_t result)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	if (op_is(&request->copy, OP_OPENS_FILE) && result >= 0)
		return note_open(kernel, sqe, result);
	/* A close that fails has closed all the same (close(2)), but for one that never was. */
	if (op_is(&request->copy, OP_CLOSES_FILE) && result != -ECANCELED &&
	    simulated_file_find(kernel, request) == 0)
		note_close(kernel, sqe);
	return result;
}

void simulated_file_disown(struct simulated *kernel, int fd)
{
	/* Its number stays taken: nobody says when whoever has it now closes it. */
	if (fd >= SIMULATED_FD_FIRST && is_open(kernel, false, fd))
		kernel->open_count--;
}

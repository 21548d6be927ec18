/* SPDX-License-Identifier: MIT */
/*
 * How the simulated kernel takes SQEs: what it looks at before anything runs, and how sequences are
 * put together. A sequence of which one SQE is refused here fails as a whole, also what stands in
 * front of that SQE; and one that a submission has cut runs as it is. What then becomes of them
 * stands in simulated_kernel.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>

#include "executor/simulated.h"

#define NS_PER_S UINT64_C(1000000000)

/* The kernel copies names as it takes an SQE, and refuses it with those that can be none. */
static int check_name(const struct io_uring_sqe *sqe, const char *name)
{
	size_t length;

	if (!name)
		return 0;
	length = strnlen(name, PATH_MAX);
	if (length == PATH_MAX)
		return -ENAMETOOLONG;
	if (length == 0 && !(sqe->opcode == IORING_OP_STATX && sqe->statx_flags & AT_EMPTY_PATH))
		return -ENOENT;
	return 0;
}

static int check_op(const struct io_uring_sqe *sqe, const struct iobatch_op *op)
{
	int result = 0;

	switch (op->opcode) {
	case IOBATCH_OP_RENAMEAT:
	case IOBATCH_OP_LINKAT:
	case IOBATCH_OP_SYMLINKAT:
		result = check_name(sqe, op->path);
		return result < 0 ? result : check_name(sqe, op->path2);
	case IOBATCH_OP_UNLINKAT:
		if (sqe->unlink_flags & ~(unsigned)AT_REMOVEDIR)
			return -EINVAL;
		return check_name(sqe, op->path);
	case IOBATCH_OP_OPENAT:
		if (sqe->file_index && sqe->open_flags & O_CLOEXEC)
			return -EINVAL;
		return check_name(sqe, op->path);
	case IOBATCH_OP_OPENAT2:
		if (sqe->file_index &&
		    ((const struct open_how *)(uintptr_t)sqe->addr2)->flags & O_CLOEXEC)
			return -EINVAL;
		return check_name(sqe, op->path);
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_MKDIRAT:
		return check_name(sqe, op->path);
	default:
		return 0;
	}
}

/* What the kernel looks at before anything of the sequence runs. */
static int check_sqe(const struct simulated *kernel, const struct simulated_request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	unsigned timeout_flags = IORING_TIMEOUT_ABS | IORING_TIMEOUT_ETIME_SUCCESS;

	if (kernel->script.without & IOBATCH_WITHOUT_ETIME_SUCCESS)
		timeout_flags = IORING_TIMEOUT_ABS;
	if (sqe->flags & ~(IOSQE_IO_LINK | IOSQE_FIXED_FILE | IOSQE_ASYNC))
		return -EINVAL;
	switch (sqe->opcode) {
	case IORING_OP_LINK_TIMEOUT:
		if (!kernel->head || kernel->last->sqe.opcode == IORING_OP_LINK_TIMEOUT)
			return -EINVAL;
		return sqe->timeout_flags & ~(unsigned)IORING_TIMEOUT_ABS ? -EINVAL : 0;
	case IORING_OP_TIMEOUT:
		return sqe->timeout_flags & ~timeout_flags ? -EINVAL : 0;
	default:
		if (!request->op)
			return 0;
		/* Kernels without a sparse file table look at descriptors as early as this. */
		if (kernel->script.without & IOBATCH_WITHOUT_DIRECT_FILES &&
		    simulated_file_find(kernel, request) < 0)
			return -EBADF;
		return check_op(sqe, request->op);
	}
}

static struct simulated_request *new_request(struct simulated *kernel)
{
	struct simulated_request *request = kernel->free;

	if (request)
		kernel->free = request->next;
	else if (kernel->requests_count < kernel->requests_max)
		request = &kernel->requests[kernel->requests_count++];
	else
		return NULL;
	memset(request, 0, sizeof(*request));
	return request;
}

static void note_op(struct simulated_request *request, const struct iobatch_op *op)
{
	request->op = op;
	if (op)
		request->copy = *op;
}

static void run_sequence(struct simulated *kernel)
{
	struct simulated_request *head = kernel->head;

	kernel->head = NULL;
	simulated_run_sequence(kernel, head);
}

bool simulated_take(struct simulated *kernel, unsigned place)
{
	struct simulated_request *request = new_request(kernel);
	bool links;
	int error;

	if (!request)
		return false;
	kernel->sq_head++;
	request->sqe = kernel->sqes[place];
	note_op(request, kernel->notes ? kernel->notes[place] : NULL);
	simulated_id_add(kernel, request);
	if (request->sqe.opcode == IORING_OP_TIMEOUT ||
	    request->sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		const struct __kernel_timespec *time = (const void *)(uintptr_t)request->sqe.addr;

		request->expires_ns = (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
	}
	links = request->sqe.flags & IOSQE_IO_LINK;
	error = check_sqe(kernel, request);
	if (error < 0) {
		request->failed = true;
		request->result = error;
		if (kernel->head && !kernel->head->failed) {
			kernel->head->failed = true;
			kernel->head->result = -ECANCELED;
		}
	}
	if (kernel->head)
		kernel->last->next = request;
	else
		kernel->head = request;
	kernel->last = request;
	if (links)
		return true;
	run_sequence(kernel);
	return error == 0 || kernel->submit_all;
}

void simulated_take_end(struct simulated *kernel)
{
	if (kernel->head)
		run_sequence(kernel);
}

int simulated_call(struct simulated *kernel, const struct executor_request *request)
{
	struct simulated_request *call = new_request(kernel);

	if (!call)
		return -EAGAIN;
	call->sqe.opcode = SIMULATED_CALL;
	call->sqe.user_data = request->id;
	call->sqe.fd = request->fd;
	call->sqe.splice_fd_in = request->fd2;
	note_op(call, request->op);
	simulated_id_add(kernel, call);
	simulated_run_sequence(kernel, call);
	return 0;
}

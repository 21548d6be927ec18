/* SPDX-License-Identifier: MIT */
/*
 * What the simulated kernel's user must not do: touch what an op in flight is about, or give its
 * memory to another; forget something in flight; leave something open. These are checks of this
 * library on itself. What breaks one is said with the seed, and ends the process.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/simulated.h"

static void check(const struct simulated *kernel, bool holds, const char *what,
                  const struct simulated_request *request)
{
	if (holds)
		return;
	fprintf(stderr, "simulated executor, seed %" PRIu64 ": %s (%s, id %" PRIx64 ")\n",
	        kernel->script.seed, what,
	        request && request->op ? op_row(&request->copy)->info.name : "-",
	        request ? (uint64_t)request->sqe.user_data : 0);
	abort();
}

/* The caller's memory that an op reads or writes. */
struct span {
	const char *start;
	size_t length;
	bool written;
};

static struct span span_of(const struct simulated_request *request)
{
	const struct iobatch_op *op = &request->copy;
	struct span span = {.start = op->buffer};

	switch (op->opcode) {
	case IOBATCH_OP_READ:
	case IOBATCH_OP_WRITE:
		span.start = (const char *)(uintptr_t)request->sqe.addr;
		span.length = request->sqe.len;
		span.written = op->opcode == IOBATCH_OP_READ;
		break;
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_FSTATX:
		span.length = sizeof(struct statx);
		span.written = true;
		break;
	case IOBATCH_OP_READLINKAT:
		span.length = op->length;
		span.written = true;
		break;
	default:
		break;
	}
	return span;
}

/*
 * Ops that stand this near to each other may be of one chain, and a processor's own memory is its
 * own affair.
 */
static bool is_near(const struct simulated *kernel, const struct simulated_request *a,
                    const struct simulated_request *b)
{
	uintptr_t near = kernel->chain_ops_max * sizeof(*a->op);

	return (uintptr_t)a->op - (uintptr_t)b->op + near < 2 * near;
}

static bool clash(const struct span *a, const struct span *b)
{
	return (a->written || b->written) && a->start < b->start + b->length &&
	       b->start < a->start + a->length;
}

void simulated_check_start(struct simulated *kernel, struct simulated_request *request)
{
	struct span span = span_of(request);

	if (!request->op || !span.start || span.length == 0)
		return;
	for (struct simulated_request *other = kernel->touching; other; other = other->beside[1]) {
		struct span others = span_of(other);

		check(kernel, is_near(kernel, request, other) || !clash(&span, &others),
		      "memory of an op in flight is another's too", request);
	}
	request->touches = true;
	request->beside[0] = NULL;
	request->beside[1] = kernel->touching;
	if (kernel->touching)
		kernel->touching->beside[0] = request;
	kernel->touching = request;
}

static void stop_touching(struct simulated *kernel, struct simulated_request *request)
{
	if (request->beside[0])
		request->beside[0]->beside[1] = request->beside[1];
	else
		kernel->touching = request->beside[1];
	if (request->beside[1])
		request->beside[1]->beside[0] = request->beside[0];
}

void simulated_check_end(struct simulated *kernel, struct simulated_request *request)
{
	const struct iobatch_op *op = request->op, *copy = &request->copy;

	if (request->touches)
		stop_touching(kernel, request);
	check(kernel,
	      op->opcode == copy->opcode && op->flags == copy->flags && op->file == copy->file &&
	              op->file2 == copy->file2 && op->dirfd == copy->dirfd &&
	              op->dirfd2 == copy->dirfd2 && op->op_flags == copy->op_flags &&
	              op->mode == copy->mode && op->path == copy->path &&
	              op->path2 == copy->path2 && op->buffer == copy->buffer &&
	              op->offset == copy->offset && op->offset2 == copy->offset2 &&
	              op->length == copy->length && op->resolve == copy->resolve &&
	              memcmp(op->reserved, copy->reserved, sizeof(op->reserved)) == 0,
	      "an op was changed in flight", request);
}

/* A cancellation that is queued and was not handed over was asked for all the same. */
static bool is_cancel_queued(const struct simulated *kernel)
{
	const struct io_uring_sq *sq = &kernel->base.uring->sq;

	for (unsigned at = kernel->sq_head; at != sq->sqe_tail; at++) {
		if (sq->sqes[at & sq->ring_mask].opcode == IORING_OP_ASYNC_CANCEL)
			return true;
	}
	return false;
}

void simulated_check_exit(struct simulated *kernel)
{
	/* What is queued was not taken from the queue, and will never be. */
	bool asked, given_up = kernel->sq_head != kernel->base.uring->sq.sqe_tail;

	/* Whoever was told that nothing will happen, or never asked, is right to leave. */
	if (kernel->broken)
		return;
	asked = kernel->asked || is_cancel_queued(kernel);
	for (unsigned i = 0; i <= kernel->by_id_mask; i++) {
		for (struct simulated_request *request = kernel->by_id[i]; request;
		     request = request->same_hash) {
			/* Who never told anything to end has nothing to give up. */
			check(kernel, asked, "something in flight was forgotten", request);
			given_up = true;
		}
	}
	/* An item that is given up keeps its files. */
	check(kernel, given_up || kernel->open_count == 0, "a file was left open", NULL);
}

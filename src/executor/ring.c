/* SPDX-License-Identifier: MIT */
/*
 * The ring executor's hot path: turns requests into SQEs and CQEs into completions. All submitting,
 * waiting and reaping of the program is in this file.
 *
 * Invariants. A sequence is queued whole or not at all, and the queue is only ever flushed between
 * sequences, so that a submission cannot cut a chain. No more completions are outstanding than the
 * completion queue holds, so that it cannot overflow; room for two stands behind each guarded op,
 * since a linked timeout posts one of its own when the chain breaks before it, skipped or not
 * (probed: tests/unit/executor/test_ring_facts.c). Those are dropped, and never waited for.
 */
#include "executor/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "op/op.h"

#define NS_PER_S 1000000000u

static inline struct ring *ring_of(struct executor *executor)
{
	return (struct ring *)executor;
}

static uint64_t ring_now_ns(struct executor *executor)
{
	struct timespec now;

	(void)executor;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A timespec that lives until the SQE is submitted: the kernel copies it then. */
static __u64 timespec_for(struct ring *ring, const struct io_uring_sqe *sqe, uint64_t time_ns)
{
	struct __kernel_timespec *time = &ring->times[sqe - ring->uring.sq.sqes];

	time->tv_sec = (long long)(time_ns / NS_PER_S);
	time->tv_nsec = (long long)(time_ns % NS_PER_S);
	return (__u64)(uintptr_t)time;
}

static void prepare_timeout(struct ring *ring, struct io_uring_sqe *sqe, int opcode,
                            uint64_t time_ns, unsigned flags)
{
	sqe->opcode = (__u8)opcode;
	sqe->fd = -1;
	sqe->addr = timespec_for(ring, sqe, time_ns);
	sqe->len = 1;
	sqe->timeout_flags = flags;
}

/* An SQE of the zeroed kind; room was checked before. */
static struct io_uring_sqe *next_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	assert(sqe);
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

/* Has the op act on, fill or empty a place in the ring's file table instead of a descriptor. */
static void use_direct_file(struct io_uring_sqe *sqe, const struct executor_request *request)
{
	struct iobatch_op *op = request->op;

	if (op_is(op, OP_OPENS_FILE)) {
		/* The kernel refuses O_CLOEXEC for a descriptor that exec cannot see. */
		if (op->opcode == IOBATCH_OP_OPENAT2)
			((struct open_how *)(uintptr_t)sqe->addr2)->flags &= ~(__u64)O_CLOEXEC;
		else
			sqe->open_flags &= ~(__u32)O_CLOEXEC;
		sqe->file_index = (__u32)request->fd + 1;
	} else if (op_is(op, OP_CLOSES_FILE)) {
		sqe->fd = 0;
		sqe->file_index = (__u32)request->fd + 1;
	} else {
		sqe->flags |= IOSQE_FIXED_FILE;
	}
}

static void use_registered_buffer(const struct ring *ring, struct io_uring_sqe *sqe)
{
	uint64_t from = sqe->addr - (uint64_t)(uintptr_t)ring->buffers;

	if (from >= ring->buffers_size)
		return;
	if (sqe->opcode == IORING_OP_READ)
		sqe->opcode = IORING_OP_READ_FIXED;
	else if (sqe->opcode == IORING_OP_WRITE)
		sqe->opcode = IORING_OP_WRITE_FIXED;
	else
		return;
	sqe->buf_index = (__u16)(from / ring->chunk);
}

static void prepare_op(struct ring *ring, struct io_uring_sqe *sqe,
                       const struct executor_request *request)
{
	const struct op_row *row = op_row(request->op);

	if (row->facts & OP_IS_TIMER)
		prepare_timeout(ring, sqe, IORING_OP_TIMEOUT, request->op->length,
		                ring->base.timers_link ? IORING_TIMEOUT_ETIME_SUCCESS : 0);
	else
		row->prepare(sqe, request->op, request->fd);
	if (request->direct)
		use_direct_file(sqe, request);
	if (ring->buffers_size > 0 && row->facts & OP_MOVES_BYTES)
		use_registered_buffer(ring, sqe);
	sqe->user_data = request->id;
}

/*
 * Hands the queue to the kernel and, with `wait`, waits for a completion. Returns 0 when the kernel
 * has taken something or had nothing to take; -EAGAIN when it cannot now (completions must be taken
 * first, or memory is short).
 */
static int enter(struct ring *ring, bool wait)
{
	int result;

	do {
		result = wait ? io_uring_submit_and_wait(&ring->uring, 1)
		              : io_uring_submit(&ring->uring);
	} while (result == -EINTR && !wait);
	if (result >= 0 || result == -EINTR)
		return 0;
	return result == -EBUSY ? -EAGAIN : result;
}

/* Makes room for SQEs and for the CQEs that they will post. */
static int make_room(struct ring *ring, unsigned sqes, unsigned completions)
{
	if (ring->expected + completions > ring->expected_max)
		return -EAGAIN;
	if (io_uring_sq_space_left(&ring->uring) >= sqes)
		return 0;
	(void)enter(ring, false);
	return io_uring_sq_space_left(&ring->uring) >= sqes ? 0 : -EAGAIN;
}

/* An op without a ring opcode (or one that this kernel lacks): the system call, here and now. */
static int submit_call(struct ring *ring, const struct executor_request *request)
{
	struct executor_completion *called;

	if (ring->called_count == ring->called_max)
		return -EAGAIN;
	called = &ring->called[ring->called_count++];
	called->id = request->id;
	called->result = (int32_t)op_row(request->op)->call(request->op, request->fd);
	return 0;
}

/* Queues a sequence. Always inlined, so that the way of single ops without a deadline is a short
 * one. */
__attribute__((always_inline)) static inline int queue_sequence(
	struct ring *ring, const struct executor_request *requests, unsigned count,
	uint64_t deadline_ns)
{
	int result = make_room(ring, deadline_ns ? 2 * count : count, count);

	if (result < 0)
		return result;
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = next_sqe(ring);
		unsigned char link = i + 1 < count ? IOSQE_IO_LINK : 0;

		prepare_op(ring, sqe, &requests[i]);
		if (!deadline_ns) {
			sqe->flags |= link;
			continue;
		}
		sqe->flags |= IOSQE_IO_LINK;
		sqe = next_sqe(ring);
		prepare_timeout(ring, sqe, IORING_OP_LINK_TIMEOUT, deadline_ns, IORING_TIMEOUT_ABS);
		sqe->flags = link | (ring->skip_success ? IOSQE_CQE_SKIP_SUCCESS : 0);
		sqe->user_data = EXECUTOR_NO_ID;
	}
	ring->expected += count;
	return 0;
}

static int ring_submit(struct executor *executor, const struct executor_request *requests,
                       unsigned count, uint64_t deadline_ns)
{
	struct ring *ring = ring_of(executor);

	if (ring->by_call[requests[0].op->opcode]) {
		assert(count == 1);
		return submit_call(ring, &requests[0]);
	}
	if (count == 1 && !deadline_ns)
		return queue_sequence(ring, requests, 1, 0);
	return queue_sequence(ring, requests, count, deadline_ns);
}

static int ring_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct ring *ring = ring_of(executor);
	struct io_uring_sqe *sqe;
	int result = make_room(ring, 1, 1);

	if (result < 0)
		return result;
	sqe = next_sqe(ring);
	prepare_timeout(ring, sqe, IORING_OP_TIMEOUT, expires_ns, IORING_TIMEOUT_ABS);
	sqe->user_data = id;
	ring->expected++;
	return 0;
}

/* Takes what has completed. CQEs are copied out before the kernel may write over them. */
static unsigned reap(struct ring *ring, struct executor_completion *ret, unsigned max)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0, count = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe)
	{
		if (count == max)
			break;
		seen++;
		if (cqe->user_data == EXECUTOR_NO_ID)
			continue;
		ret[count].id = cqe->user_data;
		ret[count].result = cqe->res;
		count++;
	}
	io_uring_cq_advance(&ring->uring, seen);
	assert(count <= ring->expected);
	ring->expected -= count;
	return count;
}

static int ring_wait(struct executor *executor, struct executor_completion *ret, unsigned max)
{
	struct ring *ring = ring_of(executor);
	unsigned count = 0;

	if (ring->called_count > 0) {
		/* Half of the room is for what the kernel has: calls must not starve it. */
		unsigned most = ring->expected > 0 ? (max + 1) / 2 : max;

		count = ring->called_count < most ? ring->called_count : most;
		memcpy(ret, ring->called, count * sizeof(*ret));
		ring->called_count -= count;
		memmove(ring->called, ring->called + count, ring->called_count * sizeof(*ret));
		if (ring->expected > 0) {
			(void)io_uring_submit_and_get_events(&ring->uring);
			count += reap(ring, ret + count, max - count);
		}
		return (int)count;
	}
	assert(ring->expected > 0);
	while (count == 0) {
		int result = enter(ring, true);

		if (result < 0 && result != -EAGAIN)
			return result;
		count = reap(ring, ret, max);
		if (count == 0 && result == -EAGAIN) {
			/* The kernel is short of memory and owes us nothing that would free some.
			 */
			struct timespec pause = {.tv_nsec = 1000000};

			nanosleep(&pause, NULL);
		}
	}
	return (int)count;
}

static void ring_free(struct executor *executor)
{
	struct ring *ring = ring_of(executor);

	if (!ring)
		return;
	assert(ring->expected == 0 && ring->called_count == 0);
	io_uring_queue_exit(&ring->uring);
	free(ring->times);
	free(ring->called);
	free(ring);
}

const struct executor_ops ring_ops = {
	.name = "ring",
	.submit = ring_submit,
	.timer = ring_timer,
	.wait = ring_wait,
	.now_ns = ring_now_ns,
	.free = ring_free,
};

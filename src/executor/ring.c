/* SPDX-License-Identifier: MIT */
/*
 * The ring executor's hot path, first half: turns requests into SQEs, and hands those to the
 * kernel. The other half is ring_wait.c; all submitting, waiting and reaping of the program is in
 * these two. Which kernel takes the SQEs they do not know.
 *
 * Invariants. A sequence is queued whole or not at all, and the queue is only ever flushed between
 * sequences; when the kernel stops within one all the same, ring_cut.c sees to the rest. Each SQE
 * posts exactly one CQE, also those of the ring's own, which are counted with the others and
 * dropped (probed: tests/unit/executor/test_ring_facts.c). No more CQEs are owed than the
 * completion queue holds, so that it cannot overflow, and cancelling has room there that nothing
 * else takes.
 */
#include "executor/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"

/*
 * How long after the deadline a linked timeout comes: the caller, who cancels at the deadline, is
 * quicker where it is not busy, and when both end the same op it takes twice as long (measured:
 * bench/deadline_lateness.c).
 */
#define GUARD_BEHIND_NS 5000000u
#define NS_PER_S 1000000000u
static inline struct ring *ring_of(struct executor *executor)
{
	return (struct ring *)executor;
}

static uint64_t ring_now_ns(struct executor *executor)
{
	struct kernel *kernel = ring_of(executor)->kernel;

	return kernel->ops->now_ns(kernel);
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

struct io_uring_sqe *ring_next_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	assert(sqe);
	memset(sqe, 0, sizeof(*sqe));
	if (ring->notes)
		ring->notes[sqe - ring->uring.sq.sqes] = NULL;
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
	if (ring->notes)
		ring->notes[sqe - ring->uring.sq.sqes] = request->op;
}

int ring_enter(struct ring *ring, bool wait, uint64_t until_ns)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	unsigned head = *sq->khead, queued = sq->sqe_tail - head;
	int result;

	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	result = ring->kernel->ops->enter(ring->kernel, queued, wait, until_ns);
	if (*sq->khead != head) {
		ring->refused = 0;
		if (*sq->khead != sq->sqe_tail)
			ring_mend_cut(ring);
	}
	return result < 0 ? result : 0;
}

int ring_make_places(struct ring *ring, unsigned sqes)
{
	if (io_uring_sq_space_left(&ring->uring) >= sqes)
		return 0;
	(void)ring_enter(ring, false, 0);
	return io_uring_sq_space_left(&ring->uring) >= sqes ? 0 : -EAGAIN;
}

/* The same for SQEs that each post a CQE. */
static inline int make_room(struct ring *ring, unsigned sqes)
{
	if (ring->owed + sqes > ring->owed_max)
		return -EAGAIN;
	return ring_make_places(ring, sqes);
}

/* An op without a ring opcode, or with one that this kernel lacks: a system call. */
static int submit_call(struct ring *ring, const struct executor_request *request,
                       uint64_t deadline_ns)
{
	int result;

	if (!ring->kernel->ops->call)
		return ring_calls_submit(ring, request, deadline_ns);
	if (ring->owed == ring->owed_max)
		return -EAGAIN;
	result = ring->kernel->ops->call(ring->kernel, request);
	if (result < 0)
		return result;
	ring->expected++;
	ring->owed++;
	return 0;
}

/* Does the kernel itself guard this op's deadline, besides the caller's list? */
static inline bool is_guarded(const struct ring *ring, const struct iobatch_op *op)
{
	if (ring->guards == IOBATCH_GUARDS_LINKED)
		return true;
	return op_is(op, OP_MOVES_BYTES) && op->offset == UINT64_MAX;
}

/* Queues a linked timeout for the op that was queued last. */
static void queue_guard(struct ring *ring, uint64_t deadline_ns, unsigned char link)
{
	struct io_uring_sqe *sqe = ring_next_sqe(ring);

	prepare_timeout(ring, sqe, IORING_OP_LINK_TIMEOUT, deadline_ns + GUARD_BEHIND_NS,
	                IORING_TIMEOUT_ABS);
	sqe->flags = link;
	sqe->user_data = ring_id(RING_ID_GUARD);
}

/*
 * Queues a sequence, `guards` of whose ops are guarded. Always inlined, so that the way of single
 * ops without a guard is a short one.
 */
__attribute__((always_inline)) static inline int queue_sequence(
	struct ring *ring, const struct executor_request *requests, unsigned count, unsigned guards,
	uint64_t deadline_ns)
{
	int result = make_room(ring, count + guards);

	if (result < 0)
		return result;
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = ring_next_sqe(ring);
		unsigned char link = i + 1 < count ? IOSQE_IO_LINK : 0;

		prepare_op(ring, sqe, &requests[i]);
		if (guards == 0 || !is_guarded(ring, requests[i].op)) {
			sqe->flags |= link;
			continue;
		}
		sqe->flags |= IOSQE_IO_LINK;
		queue_guard(ring, deadline_ns, link);
	}
	ring->expected += count;
	ring->owed += count + guards;
	return 0;
}

static unsigned count_guards(const struct ring *ring, const struct executor_request *requests,
                             unsigned count)
{
	unsigned guards = 0;

	for (unsigned i = 0; i < count; i++)
		guards += is_guarded(ring, requests[i].op);
	return guards;
}

static int ring_submit(struct executor *executor, const struct executor_request *requests,
                       unsigned count, uint64_t deadline_ns)
{
	struct ring *ring = ring_of(executor);
	unsigned guards = 0;

	if (ring->by_call[requests[0].op->opcode]) {
		assert(count == 1);
		return submit_call(ring, &requests[0], deadline_ns);
	}
	if (deadline_ns && ring->guards != IOBATCH_GUARDS_LIST)
		guards = count_guards(ring, requests, count);
	if (count == 1 && guards == 0)
		return queue_sequence(ring, requests, 1, 0, 0);
	return queue_sequence(ring, requests, count, guards, deadline_ns);
}

static int ring_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct ring *ring = ring_of(executor);
	struct io_uring_sqe *sqe;
	int result = make_room(ring, 1);

	if (result < 0)
		return result;
	sqe = ring_next_sqe(ring);
	prepare_timeout(ring, sqe, IORING_OP_TIMEOUT, expires_ns, IORING_TIMEOUT_ABS);
	sqe->user_data = id;
	ring->expected++;
	ring->owed++;
	return 0;
}

static int ring_cancel(struct executor *executor, uint64_t id)
{
	struct ring *ring = ring_of(executor);
	struct io_uring_sqe *sqe;

	if (ring->calls.in_flight > 0 && workers_cancel(ring->calls.workers, id))
		return 0;
	/* Up to the last place but one of the completion queue: what is cancelled makes room. */
	if (ring->owed + 1 >= ring->uring.cq.ring_entries || ring_make_places(ring, 1) < 0)
		return -EAGAIN;
	sqe = ring_next_sqe(ring);
	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = -1;
	sqe->addr = id;
	sqe->user_data = ring_id(RING_ID_CANCEL);
	ring->owed++;
	return 0;
}

static void ring_grow(struct executor *executor, unsigned count)
{
	struct ring *ring = ring_of(executor);

	struct io_uring_sqe *sqe;

	for (unsigned i = 0; i < 2; i++)
		ring->workers[i] += count;
	ring_limit_workers(ring);
	if (ring->calls.workers)
		workers_grow(ring->calls.workers, count);
	else
		ring->calls.config.threads_max += count;
	/*
	 * What waits for a worker already is begun by the next op that goes to one, and not by the
	 * limit (probed: tests/fault/hung_ends.c): so one goes. It may use the last places but one,
	 * like a cancellation.
	 */
	if (ring->owed + 1 >= ring->uring.cq.ring_entries || ring_make_places(ring, 1) < 0)
		return;
	sqe = ring_next_sqe(ring);
	sqe->opcode = IORING_OP_NOP;
	sqe->flags = IOSQE_ASYNC;
	sqe->fd = -1;
	sqe->user_data = ring_id(RING_ID_NOP);
	ring->owed++;
}

static void ring_disown(struct executor *executor, int fd)
{
	struct kernel *kernel = ring_of(executor)->kernel;

	if (kernel->ops->disown)
		kernel->ops->disown(kernel, fd);
}

static void ring_free(struct executor *executor)
{
	struct ring *ring = ring_of(executor);

	if (!ring)
		return;
	if (ring->kernel)
		ring->kernel->ops->exit(ring->kernel);
	ring_calls_deinit(&ring->calls);
	ring_bell_close(&ring->bell);
	free(ring->notes);
	free(ring->times);
	free(ring->called);
	free(ring);
}

const struct executor_ops ring_ops = {
	.submit = ring_submit,
	.timer = ring_timer,
	.cancel = ring_cancel,
	.wait = ring_wait,
	.wake = ring_wake,
	.grow = ring_grow,
	.disown = ring_disown,
	.now_ns = ring_now_ns,
	.free = ring_free,
};

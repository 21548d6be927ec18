/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a request in the simulated kernel, by the rules that the real one was seen to
 * follow (KERNEL; tests/unit/executor/test_ring_facts.c, tests/unit/op/test_link_facts.c,
 * tests/unit/executor/test_conformance.c).
 *
 * - The next of a sequence starts when the one before it has ended well; else all that is behind
 *   ends with -ECANCELED. Not every failure breaks a link: the op table knows.
 * - A linked timeout guards the op before it only, and is deaf while a worker is inside.
 * - Every request posts one completion.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "executor/simulated.h"

#define ERESTARTSYS 512

static void start(struct simulated *kernel, struct simulated_request *request);

/* ----------------------------------------------------------- completions -- */

static bool cq_is_full(const struct simulated *kernel)
{
	return kernel->cq_tail - kernel->cq_head == kernel->base.uring->cq.ring_entries;
}

static void post(struct simulated *kernel, uint64_t user_data, int32_t result)
{
	struct io_uring_cqe *cqe = &kernel->overflow[kernel->overflow_count];

	if (kernel->overflow_count > 0 || cq_is_full(kernel)) {
		assert(kernel->overflow_count < kernel->overflow_max);
		kernel->overflow_count++;
		kernel->sq_flags |= IORING_SQ_CQ_OVERFLOW;
	} else {
		cqe = &kernel->cqes[kernel->cq_tail++ & kernel->base.uring->cq.ring_mask];
	}
	*cqe = (struct io_uring_cqe){.user_data = user_data, .res = result};
}

void simulated_flush(struct simulated *kernel)
{
	unsigned moved = 0;

	while (moved < kernel->overflow_count && !cq_is_full(kernel))
		kernel->cqes[kernel->cq_tail++ & kernel->base.uring->cq.ring_mask] =
			kernel->overflow[moved++];
	kernel->overflow_count -= moved;
	memmove(kernel->overflow, kernel->overflow + moved,
	        kernel->overflow_count * sizeof(*kernel->overflow));
	if (kernel->overflow_count == 0)
		kernel->sq_flags &= ~IORING_SQ_CQ_OVERFLOW;
}

/* ---------------------------------------------------------------- ending -- */

static void recycle(struct simulated *kernel, struct simulated_request *request)
{
	simulated_event_drop(kernel, request);
	simulated_id_drop(kernel, request);
	request->next = kernel->free;
	kernel->free = request;
}

/* Has the request's end cancelled what is linked behind it? */
static bool breaks_link(const struct simulated_request *request, int32_t result)
{
	const struct iobatch_op *op = &request->copy;

	if (request->sqe.opcode == IORING_OP_TIMEOUT)
		return result != -ETIME ||
		       !(request->sqe.timeout_flags & IORING_TIMEOUT_ETIME_SUCCESS);
	if (!request->op)
		return result < 0;
	/* Neither the op itself has failed: it never ran. */
	if (result == -ECANCELED || result == -EBADF)
		return true;
	if (result < 0)
		return op_is(op, OP_BREAKS_LINK);
	return op_is(op, OP_MOVES_BYTES) && (uint32_t)result < request->sqe.len;
}

/* Ends a sequence, or what is left of it, without running it. */
static void fail_sequence(struct simulated *kernel, struct simulated_request *request)
{
	while (request) {
		struct simulated_request *next = request->next;

		if (request->op)
			simulated_check_end(kernel, request);
		post(kernel, request->sqe.user_data,
		     request->failed ? request->result : -ECANCELED);
		recycle(kernel, request);
		request = next;
	}
}

static bool holds_worker(const struct simulated_request *request)
{
	return request->state == SIMULATED_RUNNING && request->way == SIMULATED_WORKING &&
	       request->sqe.opcode != SIMULATED_CALL;
}

/* The one end of every request that has started. */
static void finish(struct simulated *kernel, struct simulated_request *request, int32_t result)
{
	struct simulated_request *next = request->next, *guard = request->guard;
	bool breaks = breaks_link(request, result), worked = holds_worker(request);

	if (request->op) {
		simulated_check_end(kernel, request);
		result = simulated_file_note(kernel, request, result);
	}
	post(kernel, request->sqe.user_data, result);
	recycle(kernel, request);
	if (guard) {
		post(kernel, guard->sqe.user_data, -ECANCELED);
		recycle(kernel, guard);
	}
	if (next && breaks)
		fail_sequence(kernel, next);
	else if (next)
		start(kernel, next);
	if (worked) {
		kernel->workers--;
		simulated_start_waiting(kernel);
	}
}

/* ---------------------------------------------------------- cancellation -- */

/* Takes a request out of the queue for workers. */
static void leave_queue(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request **at = &kernel->waiting;

	while (*at != request)
		at = &(*at)->beside[0];
	*at = request->beside[0];
	if (!*at)
		kernel->waiting_last = at;
}

/* A worker inside an op is interrupted. What was opened just before is open all the same. */
static void interrupt(struct simulated *kernel, struct simulated_request *request)
{
	const struct iobatch_simulation *script = &kernel->script;

	request->answer.result = -EINTR;
	if (op_is(&request->copy, OP_OPENS_FILE) && script->late_permille > 0 &&
	    simulated_random(kernel) % 4 == 0)
		request->answer.result = 0;
	else if (script->error_permille > 0 && simulated_random(kernel) % 8 == 0)
		request->answer.result = -ERESTARTSYS;
	simulated_event_drop(kernel, request);
	simulated_event_add(kernel, request, kernel->now_ns);
}

static int32_t cancel(struct simulated *kernel, uint64_t id)
{
	struct simulated_request *request = simulated_id_find(kernel, id);

	if (!request)
		return -ENOENT;
	kernel->asked = true;
	if (request->state == SIMULATED_QUEUED) {
		leave_queue(kernel, request);
		finish(kernel, request, -ECANCELED);
		return 0;
	}
	if (request->answer.cancel == IOBATCH_CANCEL_IGNORED)
		return -EALREADY;
	if (request->way == SIMULATED_ARMED) {
		finish(kernel, request, -ECANCELED);
		return 0;
	}
	interrupt(kernel, request);
	return -EALREADY;
}

/* The time of a linked timeout has come. */
static void fire_guard(struct simulated *kernel, struct simulated_request *guard)
{
	struct simulated_request *request = guard->op_of;
	bool listens = request->answer.cancel != IOBATCH_CANCEL_IGNORED;

	request->guard = NULL;
	post(kernel, guard->sqe.user_data, listens ? -ETIME : -EALREADY);
	recycle(kernel, guard);
	if (listens)
		finish(kernel, request, request->way == SIMULATED_TRIED ? -EINTR : -ECANCELED);
}

/* -------------------------------------------------------------- starting -- */

static enum simulated_way way_of(const struct simulated_request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	uint64_t flags = sqe->open_flags;

	switch (sqe->opcode) {
	case IORING_OP_FSYNC:
	case IORING_OP_FALLOCATE:
	case IORING_OP_STATX:
	case IORING_OP_RENAMEAT:
	case IORING_OP_UNLINKAT:
	case IORING_OP_MKDIRAT:
	case IORING_OP_SYMLINKAT:
	case IORING_OP_LINKAT:
	case SIMULATED_CALL:
		return SIMULATED_WORKING;
	case IORING_OP_OPENAT2:
		flags = request->copy.op_flags;
		/* fall through */
	case IORING_OP_OPENAT:
		return flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)) ? SIMULATED_WORKING
		                                                                : SIMULATED_TRIED;
	default:
		return SIMULATED_ARMED;
	}
}

static void add_event_after(struct simulated *kernel, struct simulated_request *request,
                            uint64_t latency_ns)
{
	uint64_t time_ns;

	/* What never answers is not among the events. */
	if (!__builtin_add_overflow(kernel->now_ns, latency_ns, &time_ns) && time_ns != UINT64_MAX)
		simulated_event_add(kernel, request, time_ns);
}

static void arm_guard(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request *guard = request->guard;

	if (!guard || request->way == SIMULATED_WORKING)
		return;
	simulated_event_add(kernel, guard,
	                    guard->expires_ns > kernel->now_ns ? guard->expires_ns
	                                                       : kernel->now_ns);
}

/* The op is being carried out from now on. */
static void begin(struct simulated *kernel, struct simulated_request *request)
{
	request->state = SIMULATED_RUNNING;
	if (holds_worker(request))
		kernel->workers++;
	simulated_check_start(kernel, request);
	simulated_answer(kernel, request);
	add_event_after(kernel, request, request->answer.latency_ns);
	arm_guard(kernel, request);
}

void simulated_start_waiting(struct simulated *kernel)
{
	while (kernel->waiting && kernel->workers < kernel->workers_max) {
		struct simulated_request *request = kernel->waiting;

		leave_queue(kernel, request);
		begin(kernel, request);
	}
}

static void start_op(struct simulated *kernel, struct simulated_request *request)
{
	int error = simulated_file_find(kernel, request);

	request->way = (uint8_t)way_of(request);
	if (error < 0) {
		/* Like a cancelled one, it has no guard yet: that goes with what is behind. */
		finish(kernel, request, error);
		return;
	}
	if (request->way == SIMULATED_WORKING)
		simulated_start_waiting(kernel);
	if (request->way == SIMULATED_WORKING && request->sqe.opcode != SIMULATED_CALL &&
	    kernel->workers >= kernel->workers_max) {
		request->state = SIMULATED_QUEUED;
		request->beside[0] = NULL;
		*kernel->waiting_last = request;
		kernel->waiting_last = &request->beside[0];
	} else {
		begin(kernel, request);
	}
}

static void start(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request *guard = request->next;

	if (guard && guard->sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		request->next = guard->next;
		guard->next = NULL;
		guard->op_of = request;
		request->guard = guard;
	}
	if (request->sqe.flags & IOSQE_ASYNC)
		simulated_start_waiting(kernel);
	if (request->op) {
		start_op(kernel, request);
		return;
	}
	request->state = SIMULATED_RUNNING;
	switch (request->sqe.opcode) {
	case IORING_OP_TIMEOUT:
		request->answer.result = -ETIME;
		if (request->sqe.timeout_flags & IORING_TIMEOUT_ABS)
			simulated_event_add(kernel, request,
			                    request->expires_ns > kernel->now_ns
			                            ? request->expires_ns
			                            : kernel->now_ns);
		else
			add_event_after(kernel, request, request->expires_ns);
		arm_guard(kernel, request);
		break;
	case IORING_OP_ASYNC_CANCEL:
		finish(kernel, request, cancel(kernel, request->sqe.addr));
		break;
	default:
		finish(kernel, request, 0);
		break;
	}
}

void simulated_run_sequence(struct simulated *kernel, struct simulated_request *head)
{
	if (head->failed)
		fail_sequence(kernel, head);
	else
		start(kernel, head);
}

void simulated_run_due(struct simulated *kernel)
{
	while (kernel->events_count > 0 && kernel->events[0]->time_ns <= kernel->now_ns) {
		struct simulated_request *request = kernel->events[0];

		simulated_event_drop(kernel, request);
		if (request->sqe.opcode == IORING_OP_LINK_TIMEOUT)
			fire_guard(kernel, request);
		else
			finish(kernel, request, request->answer.result);
	}
}

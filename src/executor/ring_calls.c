/* SPDX-License-Identifier: MIT */
/*
 * Ops that are no SQEs: the ring's own small pool of threads makes the system calls, so that the
 * reaper never blocks in one. The pool is started by the first such op, and tells by an eventfd
 * that it has completions. Where no thread can be made the call is made in place.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "executor/ring.h"
#include "op/op.h"

void ring_calls_init(struct ring_calls *calls, const struct executor_config *config)
{
	calls->config = (struct workers_config){
		.threads = config->threads > 0 ? config->threads : 1,
		.threads_max = config->threads + config->blocking_max,
		.ops_max = config->in_flight_max,
		.deadlines = config->deadlines,
		.event_fd = -1,
		.log = config->log,
		.log_context = config->log_context,
	};
}

static void start_pool(struct ring_calls *calls)
{
	calls->config.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (calls->config.event_fd >= 0 && workers_new(&calls->config, &calls->workers) == 0)
		return;
	/* It is not tried again: each call is made in place. */
	calls->config.threads = 0;
	if (calls->config.event_fd >= 0)
		close(calls->config.event_fd);
}

static void complete_in_place(struct ring *ring, const struct executor_request *request,
                              int64_t result)
{
	struct executor_completion *called = &ring->called[ring->called_count++];

	called->id = request->id;
	called->result = (int32_t)result;
}

/* No system call knows what stands in the ring's file table. */
static bool names_direct_file(const struct executor_request *request)
{
	return (op_is(request->op, OP_USES_FILE) && request->direct) ||
	       (op_is(request->op, OP_USES_FILE2) && request->direct2);
}

int ring_calls_submit(struct ring *ring, const struct executor_request *request,
                      uint64_t deadline_ns)
{
	struct ring_calls *calls = &ring->calls;
	struct executor_request call;
	int result;

	if (ring->called_count >= ring->called_max)
		return -EAGAIN;
	if (names_direct_file(request)) {
		complete_in_place(ring, request, -EOPNOTSUPP);
		return 0;
	}
	if (!calls->workers && calls->config.threads > 0)
		start_pool(calls);
	if (!calls->workers) {
		complete_in_place(
			ring, request,
			op_row(request->op)->call(request->op, request->fd, request->fd2));
		return 0;
	}
	call = *request;
	call.direct = call.direct2 = false;
	result = workers_submit(calls->workers, &call, 1, deadline_ns);
	if (result == 0)
		calls->in_flight++;
	return result;
}

unsigned ring_calls_take(struct ring *ring, struct executor_completion *ret, unsigned max)
{
	unsigned count = workers_take(ring->calls.workers, ret, max);

	ring->calls.in_flight -= count;
	return count;
}

void ring_calls_prepare_poll(struct ring *ring, struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_add(sqe, ring->calls.config.event_fd, POLLIN);
	sqe->user_data = ring_id(RING_ID_CALLS);
	ring->calls.armed = true;
}

void ring_calls_polled(struct ring *ring)
{
	uint64_t count;

	ring->calls.armed = false;
	/* What is in it says nothing; it only must not be ready for ever. */
	if (read(ring->calls.config.event_fd, &count, sizeof(count)) < 0)
		return;
}

void ring_calls_deinit(struct ring_calls *calls)
{
	if (!calls->workers)
		return;
	workers_free(calls->workers);
	close(calls->config.event_fd);
}

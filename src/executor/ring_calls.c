/* SPDX-License-Identifier: MIT */
/*
 * Ops that are no SQEs: the ring's own small pool of threads makes the system calls, so that the
 * reaper never blocks in one. The pool is started by the first such op, and rings the ring's bell
 * when it has completions. Where no thread can be made the call is made in place.
 */
#include <errno.h>

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

static void start_pool(struct ring_calls *calls, struct ring_bell *bell)
{
	if (ring_bell_open(bell) == 0) {
		calls->config.event_fd = bell->fd;
		if (workers_new(&calls->config, &calls->workers) == 0)
			return;
	}
	/* It is not tried again: each call is made in place. */
	calls->config.threads = 0;
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
		start_pool(calls, &ring->bell);
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

void ring_calls_deinit(struct ring_calls *calls)
{
	workers_free(calls->workers);
}

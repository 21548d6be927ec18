/* SPDX-License-Identifier: MIT */
/*
 * What is going to happen and when, and which request has which id. Events at the same time happen
 * in the order in which they were added, so that the same seed gives the same run.
 */
#include <assert.h>

#include "executor/simulated.h"

static bool before(const struct simulated_request *a, const struct simulated_request *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	return a->order < b->order;
}

static void put(struct simulated *kernel, unsigned at, struct simulated_request *request)
{
	kernel->events[at] = request;
	request->place = at + 1;
}

static void sift_up(struct simulated *kernel, unsigned at, struct simulated_request *request)
{
	while (at > 0 && before(request, kernel->events[(at - 1) / 2])) {
		put(kernel, at, kernel->events[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(kernel, at, request);
}

static void sift_down(struct simulated *kernel, unsigned at, struct simulated_request *request)
{
	unsigned count = kernel->events_count;

	while (2 * at + 1 < count) {
		unsigned child = 2 * at + 1;

		if (child + 1 < count && before(kernel->events[child + 1], kernel->events[child]))
			child++;
		if (!before(kernel->events[child], request))
			break;
		put(kernel, at, kernel->events[child]);
		at = child;
	}
	put(kernel, at, request);
}

void simulated_event_add(struct simulated *kernel, struct simulated_request *request,
                         uint64_t time_ns)
{
	assert(request->place == 0 && kernel->events_count < kernel->requests_max);
	request->time_ns = time_ns;
	request->order = kernel->order++;
	sift_up(kernel, kernel->events_count++, request);
}

void simulated_event_drop(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request *last;
	unsigned at = request->place - 1;

	if (request->place == 0)
		return;
	request->place = 0;
	last = kernel->events[--kernel->events_count];
	if (last == request)
		return;
	if (at > 0 && before(last, kernel->events[(at - 1) / 2]))
		sift_up(kernel, at, last);
	else
		sift_down(kernel, at, last);
}

static struct simulated_request **bucket(const struct simulated *kernel, uint64_t id)
{
	return &kernel->by_id[(id * 0x9e3779b97f4a7c15u >> 32) & kernel->by_id_mask];
}

void simulated_id_add(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request **first = bucket(kernel, request->sqe.user_data);

	request->same_hash = *first;
	*first = request;
}

void simulated_id_drop(struct simulated *kernel, struct simulated_request *request)
{
	struct simulated_request **at = bucket(kernel, request->sqe.user_data);

	while (*at != request)
		at = &(*at)->same_hash;
	*at = request->same_hash;
}

struct simulated_request *simulated_id_find(const struct simulated *kernel, uint64_t id)
{
	struct simulated_request *request = *bucket(kernel, id);

	/* Like the kernel, which does not find what waits behind a link. */
	while (request && (request->sqe.user_data != id || request->state == SIMULATED_LINKED))
		request = request->same_hash;
	return request;
}

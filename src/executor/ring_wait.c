/* SPDX-License-Identifier: MIT */
/*
 * The ring executor's hot path, second half: waits, and turns CQEs into completions. See ring.c for
 * the first half, and for what holds in both.
 *
 * A wait ends with a completion, at its time, or when somebody has rung the bell to wake the ring.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "executor/ring.h"

/* Rounds in which the kernel says that it holds something back and posts nothing. */
#define REST_EMPTY_MAX 4u
/* How long to wait for better times when the kernel takes nothing, and how often in a row. */
#define REFUSED_PAUSE_NS UINT64_C(1000000)
#define REFUSED_MAX 10000u
#define REFUSED_PATIENTLY 16u

static inline struct ring *ring_of(struct executor *executor)
{
	return (struct ring *)executor;
}

static uint64_t now_ns(const struct ring *ring)
{
	return ring->kernel->ops->now_ns(ring->kernel);
}

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Has the ring hear the bell while somebody may ring it. Returns when it must look around although
 * nobody has, at the latest.
 */
static uint64_t listen_for_bell(struct ring *ring, uint64_t until_ns)
{
	if (ring->calls.in_flight == 0 && !ring->bell.wakes)
		return until_ns;
	/* There is always room for its completion: ring_cancel() and ring_grow() leave the last. */
	if (!ring->bell.armed && ring_make_places(ring, 1) == 0) {
		ring_bell_prepare_poll(&ring->bell, ring_next_sqe(ring));
		ring->owed++;
	}
	/* The kernel takes nothing from a full queue now. */
	if (!ring->bell.armed)
		until_ns = earlier(until_ns, now_ns(ring) + REFUSED_PAUSE_NS);
	if (ring->calls.in_flight == 0)
		return until_ns;
	workers_flush(ring->calls.workers);
	return earlier(until_ns, workers_due_ns(ring->calls.workers));
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
		if (ring_id_is_own(cqe->user_data)) {
			if (cqe->user_data == ring_id(RING_ID_BELL))
				ring_bell_answer(&ring->bell);
			continue;
		}
		ret[count].id = cqe->user_data;
		ret[count].result = cqe->res;
		count++;
	}
	io_uring_cq_advance(&ring->uring, seen);
	assert(count <= ring->expected && seen <= ring->owed);
	ring->expected -= count;
	ring->owed -= seen;
	return count;
}

/* Completions that are no CQEs. */
static unsigned take_called(struct ring *ring, struct executor_completion *ret, unsigned max)
{
	unsigned count = ring->called_count < max ? ring->called_count : max;

	memcpy(ret, ring->called, count * sizeof(*ret));
	ring->called_count -= count;
	memmove(ring->called, ring->called + count, ring->called_count * sizeof(*ret));
	if (ring->calls.in_flight > 0 && count < max)
		count += ring_calls_take(ring, ret + count, max - count);
	return count;
}

/*
 * The kernel takes nothing from the queue now: completions must be taken first, or memory is short.
 * Waits a while for what is in flight, and gives up when it has been like that for long.
 */
static int stand_off(struct ring *ring, int error, uint64_t until_ns)
{
	struct kernel *kernel = ring->kernel;
	uint64_t pause_ns = kernel->ops->now_ns(kernel) + REFUSED_PAUSE_NS;
	int result;

	if (++ring->refused > REFUSED_MAX)
		return error;
	/* Refused again and again, it waits although it is late: else all tries are over at once.
	 */
	if (until_ns < pause_ns && ring->refused < REFUSED_PATIENTLY)
		pause_ns = until_ns;
	result = kernel->ops->enter(kernel, 0, true, pause_ns);
	return result == -ETIME || result == -EINTR ? 0 : result;
}

/* Waits once. 0, or why the ring is broken. */
static int wait_once(struct ring *ring, uint64_t until_ns)
{
	int result = ring_enter(ring, true, until_ns);

	switch (result) {
	case -ETIME:
		return 0;
	case -EINTR:
		/* A signal has ended the waiting, or else kept the kernel from taking anything. */
		if (io_uring_sq_ready(&ring->uring) == 0)
			return 0;
		return stand_off(ring, result, until_ns);
	case -EAGAIN:
	case -EBUSY:
		return stand_off(ring, result, until_ns);
	default:
		return result;
	}
}

/*
 * There are completions that are no CQEs, or may be: takes them with what the kernel has, without
 * waiting. Half of the room is for the kernel's: calls must not starve it.
 */
static unsigned take_both(struct ring *ring, struct executor_completion *ret, unsigned max)
{
	unsigned count = take_called(ring, ret, ring->expected > 0 ? (max + 1) / 2 : max);

	if (count > 0 && ring->owed > 0) {
		(void)ring_enter(ring, true, 0);
		count += reap(ring, ret + count, max - count);
	}
	return count;
}

/*
 * Takes what the kernel holds back. With deferred task work it runs about 20 pieces at a time, so
 * that few completions would not say that nothing else has happened. A flag tells of what is held
 * back, but not of what is left of a bunch: where guards and cancellations are about, whose work
 * posts no completion itself, it is asked until nothing comes.
 */
static unsigned reap_rest(struct ring *ring, struct executor_completion *ret, unsigned max)
{
	const unsigned *flags = ring->uring.sq.kflags;
	unsigned count = 0, empty = 0;

	while (count < max && empty < REST_EMPTY_MAX &&
	       (ring->owed > ring->expected + ring->bell.armed ||
	        IO_URING_READ_ONCE(*flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))) {
		unsigned owed = ring->owed;

		(void)ring_enter(ring, true, 0);
		count += reap(ring, ret + count, max - count);
		empty = ring->owed < owed ? 0 : empty + 1;
	}
	return count;
}

int ring_wait(struct executor *executor, struct executor_completion *ret, unsigned max,
              uint64_t until_ns)
{
	struct ring *ring = ring_of(executor);
	unsigned count = 0;
	int result;

	if (ring->called_count > 0 || ring->calls.in_flight > 0)
		count = take_both(ring, ret, max);
	/* What a full `ret` has left behind needs no waiting. */
	if (count == 0 && io_uring_sq_ready(&ring->uring) == 0)
		count = reap(ring, ret, max);
	assert(count > 0 || ring->expected > 0 || ring->calls.in_flight > 0 || ring->bell.wakes ||
	       until_ns != UINT64_MAX);
	while (count == 0) {
		/* What is queued starts all the same. */
		if (atomic_load(&ring->bell.woken))
			until_ns = 0;
		result = wait_once(ring, listen_for_bell(ring, until_ns));
		count = reap(ring, ret, max);
		if (count == 0)
			count = take_called(ring, ret, max);
		if (count > 0)
			break;
		if (result < 0)
			return result;
		if (until_ns != UINT64_MAX && now_ns(ring) >= until_ns)
			break;
	}
	/* Who woke it before this is heard by the caller, who looks around after each wait. */
	if (ring->bell.wakes && atomic_load(&ring->bell.woken))
		atomic_exchange(&ring->bell.woken, false);
	return (int)(count + reap_rest(ring, ret + count, max - count));
}

void ring_wake(struct executor *executor)
{
	ring_bell_ring(&ring_of(executor)->bell);
}

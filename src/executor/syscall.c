/* SPDX-License-Identifier: MIT */
/*
 * The syscall executor: system calls by a pool of threads, for machines where io_uring is forbidden
 * and as what the ring is measured against. The pool carries out the ops; what is here is the
 * clock: timers are a heap, and the wait for the pool ends when the first of them is due, so that
 * no thread sleeps for one.
 *
 * It needs nothing of io_uring.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "executor/executor.h"
#include "executor/workers.h"
#include "op/op.h"

#define NS_PER_S UINT64_C(1000000000)

struct timer {
	uint64_t expires_ns;
	uint64_t order; /* in which they were set: equal times complete in it */
	struct executor_completion completion;
};

struct syscall {
	struct executor base;
	struct workers *workers;
	struct timer *timers; /* a binary heap */
	unsigned timers_count;
	unsigned timers_max;
	uint64_t timers_order;
	bool wakes;
};

static inline struct syscall *syscall_of(struct executor *executor)
{
	return (struct syscall *)executor;
}

static uint64_t syscall_now_ns(struct executor *executor)
{
	struct timespec now;

	(void)executor;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------- timers -- */

static bool timer_before(const struct timer *a, const struct timer *b)
{
	if (a->expires_ns != b->expires_ns)
		return a->expires_ns < b->expires_ns;
	return a->order < b->order;
}

/* Puts a timer to its place, from `at` upwards. */
static void sift_up(struct syscall *syscall, unsigned at, struct timer timer)
{
	struct timer *timers = syscall->timers;

	while (at > 0 && timer_before(&timer, &timers[(at - 1) / 2])) {
		timers[at] = timers[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	timers[at] = timer;
}

static struct timer pop_timer(struct syscall *syscall)
{
	struct timer *timers = syscall->timers;
	struct timer first = timers[0], last = timers[--syscall->timers_count];
	unsigned count = syscall->timers_count, at = 0;

	while (2 * at + 1 < count) {
		unsigned child = 2 * at + 1;

		if (child + 1 < count && timer_before(&timers[child + 1], &timers[child]))
			child++;
		if (!timer_before(&timers[child], &last))
			break;
		timers[at] = timers[child];
		at = child;
	}
	timers[at] = last;
	return first;
}

static int syscall_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct syscall *syscall = syscall_of(executor);
	struct timer timer = {
		.expires_ns = expires_ns,
		.order = syscall->timers_order++,
		.completion = {.id = id, .result = -ETIME},
	};

	if (syscall->timers_count == syscall->timers_max)
		return -EAGAIN;
	sift_up(syscall, syscall->timers_count++, timer);
	return 0;
}

static void cancel_timer(struct syscall *syscall, uint64_t id)
{
	for (unsigned i = 0; i < syscall->timers_count; i++) {
		struct timer timer = syscall->timers[i];

		if (timer.completion.id != id)
			continue;
		timer.expires_ns = 0;
		timer.completion.result = -ECANCELED;
		sift_up(syscall, i, timer);
		return;
	}
}

static unsigned take_timers(struct syscall *syscall, struct executor_completion *ret, unsigned max)
{
	uint64_t now_ns;
	unsigned count = 0;

	if (syscall->timers_count == 0 || max == 0)
		return 0;
	now_ns = syscall_now_ns(&syscall->base);
	while (count < max && syscall->timers_count > 0 && syscall->timers[0].expires_ns <= now_ns)
		ret[count++] = pop_timer(syscall).completion;
	return count;
}

/* ---------------------------------------------------------- the executor -- */

static int syscall_submit(struct executor *executor, const struct executor_request *requests,
                          unsigned count, uint64_t deadline_ns)
{
	struct syscall *syscall = syscall_of(executor);
	const struct iobatch_op *op = requests[0].op;

	if (op_is(op, OP_IS_TIMER)) {
		assert(count == 1);
		return syscall_timer(executor, requests[0].id,
		                     syscall_now_ns(executor) + op->length);
	}
	return workers_submit(syscall->workers, requests, count, deadline_ns);
}

static int syscall_cancel(struct executor *executor, uint64_t id)
{
	struct syscall *syscall = syscall_of(executor);

	if (!workers_cancel(syscall->workers, id))
		cancel_timer(syscall, id);
	return 0;
}

static int syscall_wait(struct executor *executor, struct executor_completion *ret, unsigned max,
                        uint64_t until_ns)
{
	struct syscall *syscall = syscall_of(executor);
	unsigned count;

	assert(max > 0 && (until_ns != UINT64_MAX || syscall->wakes || syscall->timers_count > 0 ||
	                   workers_in_flight(syscall->workers) > 0));
	for (;;) {
		uint64_t wake_ns = until_ns;

		/* Neither may starve the other: half of the room is for ops. */
		count = take_timers(syscall, ret, (max + 1) / 2);
		if (count < max)
			count += workers_take(syscall->workers, ret + count, max - count);
		if (count > 0)
			break;
		if (syscall->timers_count > 0 && syscall->timers[0].expires_ns < wake_ns)
			wake_ns = syscall->timers[0].expires_ns;
		count = workers_wait(syscall->workers, ret, max, wake_ns);
		if (count > 0 || wake_ns == until_ns || workers_are_woken(syscall->workers))
			break;
	}
	/* Who woke it before this is heard by the caller, who looks around after each wait. */
	if (syscall->wakes)
		workers_forget_wake(syscall->workers);
	return (int)count;
}

static void syscall_wake(struct executor *executor)
{
	workers_wake(syscall_of(executor)->workers);
}

static void syscall_grow(struct executor *executor, unsigned count)
{
	workers_grow(syscall_of(executor)->workers, count);
}

/* A descriptor of the process is as it is: nobody here remembers it. */
static void syscall_disown(struct executor *executor, int fd)
{
	(void)executor;
	(void)fd;
}

static void syscall_free(struct executor *executor)
{
	struct syscall *syscall = syscall_of(executor);

	if (!syscall)
		return;
	workers_free(syscall->workers);
	free(syscall->timers);
	free(syscall);
}

static const struct executor_ops syscall_ops = {
	.submit = syscall_submit,
	.timer = syscall_timer,
	.cancel = syscall_cancel,
	.wait = syscall_wait,
	.wake = syscall_wake,
	.grow = syscall_grow,
	.disown = syscall_disown,
	.now_ns = syscall_now_ns,
	.free = syscall_free,
};

int syscall_new(const struct executor_config *config, struct executor **ret_executor)
{
	const struct workers_config workers_config = {
		.threads = config->threads,
		.threads_max = config->threads + config->blocking_max,
		.ops_max = config->in_flight_max,
		.files = config->files,
		.deadlines = config->deadlines,
		.event_fd = -1,
		.log = config->log,
		.log_context = config->log_context,
	};
	struct syscall *syscall = calloc(1, sizeof(*syscall));
	int result = -ENOMEM;

	if (!syscall)
		return -ENOMEM;
	syscall->base.ops = &syscall_ops;
	syscall->base.kind = "syscall";
	syscall->base.direct_files = config->files > 0;
	syscall->wakes = config->wakes;
	/* A pool's links are our own: all but timers, which are not in it. */
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		syscall->base.linkable[i] = !(op_table[i].facts & OP_IS_TIMER);
	syscall->timers_max = config->in_flight_max;
	syscall->timers = calloc(syscall->timers_max, sizeof(*syscall->timers));
	if (syscall->timers)
		result = workers_new(&workers_config, &syscall->workers);
	if (result < 0) {
		syscall_free(&syscall->base);
		return result;
	}
	*ret_executor = &syscall->base;
	return 0;
}

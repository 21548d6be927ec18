/* SPDX-License-Identifier: MIT */
/*
 * Waking an executor from another thread: the wait that goes on ends, or else the next one, and no
 * more than that.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "executor/executor.h"

#define NS_PER_MS UINT64_C(1000000)
#define PATIENCE_NS (20000 * NS_PER_MS)
#define ROUNDS 50000u
#define CALLS 200u

static struct executor *make(void **state)
{
	const struct executor_config config = {
		.chain_ops_max = 4,
		.batch_ops = 8,
		.in_flight_max = 16,
		.deadlines = true,
		.wakes = true,
		.threads = 2,
	};
	int (*make_one)(const struct executor_config *, struct executor **) = *state;
	struct executor *executor;

	if (make_one(&config, &executor) < 0) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	return executor;
}

static uint64_t now(struct executor *executor)
{
	return executor->ops->now_ns(executor);
}

static int wait_until(struct executor *executor, uint64_t until_ns)
{
	struct executor_completion completion;

	return executor->ops->wait(executor, &completion, 1, until_ns);
}

static void submit(struct executor *executor, struct iobatch_op *op, uint64_t id)
{
	const struct executor_request request = {.op = op, .id = id, .fd = IOBATCH_FD(op->file)};

	assert_int_equal(executor->ops->submit(executor, &request, 1, 0), 0);
}

static void a_wake_before_the_wait_ends_it_and_not_the_one_after(void **state)
{
	struct executor *executor = make(state);

	for (unsigned i = 0; i < 3; i++) {
		uint64_t until_ns;

		for (unsigned wakes = 0; wakes <= i; wakes++)
			executor->ops->wake(executor);
		assert_int_equal(wait_until(executor, UINT64_MAX), 0);
		until_ns = now(executor) + 20 * NS_PER_MS;
		assert_int_equal(wait_until(executor, until_ns), 0);
		assert_true(now(executor) >= until_ns);
	}
	executor->ops->free(executor);
}

static void a_woken_wait_starts_what_is_queued(void **state)
{
	struct executor *executor = make(state);
	struct iobatch_op op = iobatch_op_nop();
	int count = 0;

	for (unsigned i = 0; i < 100; i++) {
		submit(executor, &op, i);
		executor->ops->wake(executor);
		count += wait_until(executor, UINT64_MAX);
		while (count <= (int)i)
			count += wait_until(executor, now(executor) + PATIENCE_NS);
	}
	assert_int_equal(count, 100);
	executor->ops->free(executor);
}

/* A thread that hands a ball back, by a wake. */
struct game {
	struct executor *executor;
	atomic_uint served, returned;
};

static void *player(void *context)
{
	struct game *game = context;

	for (unsigned i = 1; i <= ROUNDS; i++) {
		while (atomic_load(&game->served) < i)
			;
		/* The wait is caught at each of its steps in some round. */
		for (volatile unsigned spin = i % 200; spin > 0; spin--)
			;
		atomic_store(&game->returned, i);
		game->executor->ops->wake(game->executor);
	}
	return NULL;
}

static void no_wake_from_another_thread_is_lost(void **state)
{
	struct game game = {.executor = make(state)};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, player, &game), 0);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		atomic_store(&game.served, i);
		while (atomic_load(&game.returned) < i)
			assert_int_equal(wait_until(game.executor, UINT64_MAX), 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	game.executor->ops->free(game.executor);
}

static void *caller(void *context)
{
	struct game *game = context;

	while (!atomic_load(&game->served))
		game->executor->ops->wake(game->executor);
	return NULL;
}

/* The ring's system calls are told of by the same bell. */
static void wakes_keep_no_system_call_from_completing(void **state)
{
	struct game game = {.executor = make(state)};
	struct executor *executor = game.executor;
	struct iobatch_op op;
	char target[64];
	pthread_t thread;

	op = iobatch_op_readlinkat(AT_FDCWD, "/proc/self/exe", target, sizeof(target));
	assert_int_equal(pthread_create(&thread, NULL, caller, &game), 0);
	for (unsigned i = 0; i < CALLS; i++) {
		uint64_t until_ns = now(executor) + PATIENCE_NS;

		submit(executor, &op, i);
		while (wait_until(executor, until_ns) == 0)
			assert_true(now(executor) < until_ns);
	}
	atomic_store(&game.served, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* And without wakes, on an executor that could be woken. */
	(void)wait_until(executor, 0);
	for (unsigned i = 0; i < CALLS; i++) {
		submit(executor, &op, i);
		assert_int_equal(wait_until(executor, now(executor) + PATIENCE_NS), 1);
	}
	executor->ops->free(executor);
}

#define ON_EACH(test)                                                                \
	{#test " (ring)", test, NULL, NULL, (void *)(uintptr_t)ring_new},            \
	{                                                                            \
#test " (syscall)", test, NULL, NULL, (void *)(uintptr_t)syscall_new \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH(a_wake_before_the_wait_ends_it_and_not_the_one_after),
		ON_EACH(a_woken_wait_starts_what_is_queued),
		ON_EACH(no_wake_from_another_thread_is_lost),
		ON_EACH(wakes_keep_no_system_call_from_completing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

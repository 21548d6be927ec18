/* SPDX-License-Identifier: MIT */
/*
 * Ops that the ring has no opcode for go to threads: the ring waits for both at once, and an op
 * that hangs in a system call keeps nothing else waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/ring.h"
#include "op/op.h"

#define CALLS 300
#define NS_PER_S UINT64_C(1000000000)

static struct executor *ring_or_skip(unsigned in_flight_max)
{
	const struct executor_config config = {
		.chain_ops_max = 4,
		.batch_ops = 8,
		.in_flight_max = in_flight_max,
		.deadlines = true,
		.threads = 2,
	};
	struct executor *executor;

	if (ring_new(&config, &executor) < 0) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	return executor;
}

static int submit_one(struct executor *executor, struct iobatch_op *op, uint64_t id)
{
	struct executor_request request = {.op = op, .id = id, .fd = IOBATCH_FD(op->file)};

	return executor->ops->submit(executor, &request, 1, 0);
}

static void calls_and_ops_of_the_ring_complete_beside_each_other(void **state)
{
	static char targets[CALLS][64];
	static struct iobatch_op ops[2 * CALLS];
	struct executor *executor = ring_or_skip(64);
	struct executor_completion completions[16];
	bool done[2 * CALLS] = {false};
	unsigned submitted = 0, completed = 0;

	(void)state;
	for (unsigned i = 0; i < CALLS; i++) {
		ops[2 * i] = iobatch_op_readlinkat(AT_FDCWD, "/proc/self/exe", targets[i], 64);
		ops[2 * i + 1] = iobatch_op_nop();
	}
	while (completed < 2 * CALLS) {
		int count;

		while (submitted < 2 * CALLS &&
		       submit_one(executor, &ops[submitted], submitted) == 0)
			submitted++;
		count = executor->ops->wait(executor, completions, 16, UINT64_MAX);
		assert_true(count > 0);
		for (int i = 0; i < count; i++) {
			uint64_t id = completions[i].id;

			assert_false(done[id]);
			done[id] = true;
			if (id % 2)
				assert_int_equal(completions[i].result, 0);
			else
				assert_true(completions[i].result > 0);
		}
		completed += (unsigned)count;
	}
	assert_int_equal(targets[CALLS - 1][0], '/');
	assert_int_equal(((struct ring *)executor)->calls.in_flight, 0);
	assert_true(((struct ring *)executor)->calls.workers != NULL);
	executor->ops->free(executor);
}

static void a_wait_for_calls_ends_at_its_time(void **state)
{
	struct executor *executor = ring_or_skip(8);
	struct executor_completion completion;
	struct iobatch_op op = iobatch_op_fchmodat(AT_FDCWD, "/nonexistent/file", 0600, 0);
	uint64_t now_ns = executor->ops->now_ns(executor);

	(void)state;
	/* Nothing in flight, and a time that has passed: no waiting. */
	assert_int_equal(executor->ops->wait(executor, &completion, 1, now_ns), 0);
	assert_int_equal(submit_one(executor, &op, 5), 0);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, now_ns + 3600 * NS_PER_S),
	                 1);
	assert_int_equal(completion.id, 5);
	assert_int_equal(completion.result, -ENOENT);
	executor->ops->free(executor);
}

static void a_call_on_a_direct_file_is_refused(void **state)
{
	struct executor *executor = ring_or_skip(8);
	struct executor_completion completion;
	struct iobatch_op op = iobatch_op_fchmod(0, 0600);
	struct executor_request request = {.op = &op, .id = 5, .fd = 0, .direct = true};

	(void)state;
	assert_int_equal(executor->ops->submit(executor, &request, 1, 0), 0);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, UINT64_MAX), 1);
	assert_int_equal(completion.result, -EOPNOTSUPP);
	executor->ops->free(executor);
}

/* No descriptor is left for the eventfd: the call is made here. */
static void without_a_pool_calls_are_made_in_place(void **state)
{
	struct executor *executor = ring_or_skip(8);
	struct executor_completion completion;
	struct iobatch_op op = iobatch_op_fchmodat(AT_FDCWD, "/nonexistent/file", 0600, 0);
	struct rlimit limit, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(submit_one(executor, &op, 5), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_null(((struct ring *)executor)->calls.workers);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, UINT64_MAX), 1);
	assert_int_equal(completion.result, -ENOENT);
	executor->ops->free(executor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_and_ops_of_the_ring_complete_beside_each_other),
		cmocka_unit_test(a_wait_for_calls_ends_at_its_time),
		cmocka_unit_test(a_call_on_a_direct_file_is_refused),
		cmocka_unit_test(without_a_pool_calls_are_made_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

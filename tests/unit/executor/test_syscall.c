/* SPDX-License-Identifier: MIT */
/*
 * The syscall executor: the interface of executors on a pool of threads, and its timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "executor/executor.h"

#define IN_FLIGHT_MAX 8u
#define NS_PER_MS UINT64_C(1000000)
#define PATIENCE_NS (20000 * NS_PER_MS)

static struct executor *make(unsigned threads)
{
	const struct executor_config config = {
		.chain_ops_max = 4,
		.batch_ops = 4,
		.in_flight_max = IN_FLIGHT_MAX,
		.deadlines = true,
		.threads = threads,
		.files = 4,
	};
	struct executor *executor;

	assert_int_equal(syscall_new(&config, &executor), 0);
	return executor;
}

static uint64_t now(struct executor *executor)
{
	return executor->ops->now_ns(executor);
}

static uint64_t submit(struct executor *executor, struct iobatch_op *op, uint64_t id)
{
	const struct executor_request request = {.op = op, .id = id, .fd = IOBATCH_FD(op->file)};

	assert_int_equal(executor->ops->submit(executor, &request, 1, 0), 0);
	return id;
}

/* The next completion, for which the test's patience waits. */
static struct executor_completion next(struct executor *executor)
{
	struct executor_completion completion = {0};

	assert_int_equal(executor->ops->wait(executor, &completion, 1, now(executor) + PATIENCE_NS),
	                 1);
	return completion;
}

static void it_says_what_it_can(void **state)
{
	struct executor *executor = make(2);

	(void)state;
	assert_string_equal(executor->kind, "syscall");
	assert_true(executor->direct_files);
	assert_false(executor->timers_link);
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		assert_int_equal(executor->linkable[i], i != IOBATCH_OP_TIMEOUT);
	executor->ops->free(executor);
}

static void without_places_for_files_there_are_no_direct_ones(void **state)
{
	const struct executor_config config = {
		.chain_ops_max = 1, .batch_ops = 1, .in_flight_max = 1, .threads = 1};
	struct executor *executor;

	(void)state;
	assert_int_equal(syscall_new(&config, &executor), 0);
	assert_false(executor->direct_files);
	executor->ops->free(executor);
}

static void a_file_is_opened_read_and_closed_in_one_sequence(void **state)
{
	char data[8] = "";
	struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "/dev/zero", O_RDONLY, 0),
		iobatch_op_read(0, data, sizeof(data), 0),
		iobatch_op_close(0),
	};
	const int32_t results[] = {0, sizeof(data), 0};
	struct executor *executor = make(2);
	struct executor_request requests[3];

	(void)state;
	memset(data, 'x', sizeof(data));
	for (unsigned i = 0; i < 3; i++)
		requests[i] =
			(struct executor_request){.op = &ops[i], .id = i, .fd = 2, .direct = true};
	assert_int_equal(executor->ops->submit(executor, requests, 3, now(executor) + PATIENCE_NS),
	                 0);
	for (unsigned i = 0; i < 3; i++) {
		struct executor_completion completion = next(executor);

		assert_int_equal(completion.id, i);
		assert_int_equal(completion.result, results[i]);
	}
	assert_memory_equal(data, "\0\0\0\0\0\0\0\0", sizeof(data));
	executor->ops->free(executor);
}

static void timers_complete_in_the_order_of_their_times(void **state)
{
	static const unsigned after_ms[] = {4, 1, 3, 0, 2, 1};
	static const uint64_t order[] = {3, 1, 5, 4, 2, 0};
	struct executor *executor = make(1);
	uint64_t start_ns = now(executor);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(
			executor->ops->timer(executor, i, start_ns + after_ms[i] * NS_PER_MS), 0);
	for (unsigned i = 0; i < 6; i++) {
		struct executor_completion completion = next(executor);

		assert_int_equal(completion.id, order[i]);
		assert_int_equal(completion.result, -ETIME);
		assert_true(now(executor) >= start_ns + after_ms[order[i]] * NS_PER_MS);
	}
	executor->ops->free(executor);
}

static void a_timeout_op_is_a_timer(void **state)
{
	struct iobatch_op op = iobatch_op_timeout(2 * NS_PER_MS);
	struct executor *executor = make(1);
	uint64_t start_ns = now(executor);
	struct executor_completion completion;

	(void)state;
	submit(executor, &op, 7);
	completion = next(executor);
	assert_int_equal(completion.id, 7);
	assert_int_equal(completion.result, -ETIME);
	assert_true(now(executor) >= start_ns + 2 * NS_PER_MS);
	executor->ops->free(executor);
}

static void a_timer_that_is_cancelled_completes_at_once(void **state)
{
	struct executor *executor = make(1);
	struct executor_completion completion;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(executor->ops->timer(executor, i, now(executor) + 2 * PATIENCE_NS),
		                 0);
	assert_int_equal(executor->ops->cancel(executor, 1), 0);
	completion = next(executor);
	assert_int_equal(completion.id, 1);
	assert_int_equal(completion.result, -ECANCELED);
	executor->ops->free(executor);
}

static void no_more_timers_than_agreed_are_taken(void **state)
{
	struct executor *executor = make(1);

	(void)state;
	for (unsigned i = 0; i < IN_FLIGHT_MAX; i++)
		assert_int_equal(executor->ops->timer(executor, i, now(executor)), 0);
	assert_int_equal(executor->ops->timer(executor, 99, 0), -EAGAIN);
	next(executor);
	assert_int_equal(executor->ops->timer(executor, 99, 0), 0);
	executor->ops->free(executor);
}

static void a_timer_ends_a_wait_for_an_op(void **state)
{
	char data[1];
	int fds[2];
	struct executor *executor = make(1);
	struct iobatch_op read;
	struct executor_completion completion;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	read = iobatch_op_read(IOBATCH_FD(fds[0]), data, 1, UINT64_MAX);
	submit(executor, &read, 1);
	assert_int_equal(executor->ops->timer(executor, 2, now(executor) + NS_PER_MS), 0);
	assert_int_equal(next(executor).id, 2);
	assert_int_equal(executor->ops->cancel(executor, 1), 0);
	completion = next(executor);
	assert_int_equal(completion.id, 1);
	assert_true(completion.result == -EINTR || completion.result == -ECANCELED);
	executor->ops->free(executor);
	close(fds[0]);
	close(fds[1]);
}

static void neither_ops_nor_timers_starve(void **state)
{
	struct iobatch_op nop = iobatch_op_nop();
	struct executor *executor = make(1);
	uint64_t until_ns = now(executor) + PATIENCE_NS;
	bool timer_came = false, op_came = false;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		submit(executor, &nop, i);
		assert_int_equal(executor->ops->timer(executor, 10 + i, 0), 0);
	}
	while (now(executor) < until_ns && !(timer_came && op_came)) {
		struct executor_completion completions[2];
		int count =
			executor->ops->wait(executor, completions, 2, now(executor) + PATIENCE_NS);

		assert_true(count > 0);
		for (int i = 0; i < count; i++) {
			uint64_t id = completions[i].id;

			timer_came |= id >= 10;
			op_came |= id < 10;
			/* Again at once, so that there always are some. */
			if (id >= 10)
				assert_int_equal(executor->ops->timer(executor, id, 0), 0);
		}
	}
	assert_true(timer_came && op_came);
	executor->ops->free(executor);
}

static void a_wait_until_a_time_that_has_passed_does_not_wait(void **state)
{
	struct executor *executor = make(1);
	struct executor_completion completion;

	(void)state;
	assert_int_equal(executor->ops->wait(executor, &completion, 1, 0), 0);
	assert_int_equal(executor->ops->timer(executor, 1, now(executor) + 2 * PATIENCE_NS), 0);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, 0), 0);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, now(executor) + NS_PER_MS),
	                 0);
	executor->ops->free(executor);
}

static void more_threads_can_be_had(void **state)
{
	char data[1];
	int fds[2];
	struct executor *executor = make(1);
	struct iobatch_op read, nop = iobatch_op_nop();

	(void)state;
	assert_int_equal(pipe(fds), 0);
	read = iobatch_op_read(IOBATCH_FD(fds[0]), data, 1, UINT64_MAX);
	submit(executor, &read, 1);
	submit(executor, &nop, 2);
	executor->ops->grow(executor, 1);
	assert_int_equal(next(executor).id, 2);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(next(executor).id, 1);
	executor->ops->free(executor);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_can),
		cmocka_unit_test(without_places_for_files_there_are_no_direct_ones),
		cmocka_unit_test(a_file_is_opened_read_and_closed_in_one_sequence),
		cmocka_unit_test(timers_complete_in_the_order_of_their_times),
		cmocka_unit_test(a_timeout_op_is_a_timer),
		cmocka_unit_test(a_timer_that_is_cancelled_completes_at_once),
		cmocka_unit_test(no_more_timers_than_agreed_are_taken),
		cmocka_unit_test(a_timer_ends_a_wait_for_an_op),
		cmocka_unit_test(neither_ops_nor_timers_starve),
		cmocka_unit_test(a_wait_until_a_time_that_has_passed_does_not_wait),
		cmocka_unit_test(more_threads_can_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The pool of threads: what a sequence means, files by index, room, completions and how they are
 * announced. What ends an op early is in test_workers_end.c.
 */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static char file_name[] = "/tmp/iobatch-workers-XXXXXX";

static int set_up(void **state)
{
	int fd = mkstemp(file_name);

	(void)state;
	if (fd < 0 || write(fd, "0123456789", 10) != 10)
		return -1;
	return close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(file_name);
}

static struct iobatch_op op_open(int file)
{
	return iobatch_op_openat(file, AT_FDCWD, file_name, O_RDWR, 0);
}

static void a_file_by_index_is_opened_used_and_closed_in_one_sequence(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[4];

	(void)state;
	pool_init(&pool, &config);
	requests[0] = pool_direct(&pool, op_open(3));
	requests[1] = pool_direct(&pool, iobatch_op_read(3, pool.buffer, 4, 2));
	requests[2] = pool_direct(&pool, iobatch_op_close(3));
	requests[3] = pool_direct(&pool, iobatch_op_fsync(3));
	pool_submit(&pool, requests, 4, 0);
	pool_wait(&pool, 4);
	assert_int_equal(pool.results[0], 0);
	assert_int_equal(pool.results[1], 4);
	assert_memory_equal(pool.buffer, "2345", 4);
	assert_int_equal(pool.results[2], 0);
	assert_int_equal(pool.results[3], -EBADF);
	pool_deinit(&pool);
}

static void a_second_file_goes_by_index_too(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[4];

	(void)state;
	pool_init(&pool, &config);
	requests[0] = pool_direct(&pool, op_open(0));
	requests[1] = pool_direct(&pool,
	                          iobatch_op_openat(7, AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600));
	requests[2] = pool_direct(&pool, iobatch_op_copy_file_range(0, 1, 7, 0, 3));
	requests[2].fd2 = 7;
	requests[2].direct2 = true;
	requests[3] = pool_direct(&pool, iobatch_op_read(7, pool.buffer, 3, 0));
	pool_submit(&pool, requests, 4, 0);
	pool_wait(&pool, 4);
	assert_int_equal(pool.results[3], 3);
	assert_memory_equal(pool.buffer, "123", 3);
	requests[2] = pool_direct(&pool, iobatch_op_copy_file_range(0, 1, 6, 0, 3));
	requests[2].fd2 = 6;
	requests[2].direct2 = true;
	pool_submit(&pool, &requests[2], 1, 0);
	pool_wait(&pool, 5);
	assert_int_equal(pool.results[4], -EBADF);
	pool_deinit(&pool);
}

static void no_descriptor_is_left_of_files_by_index(void **state)
{
	unsigned before = pool_descriptors();
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	unsigned with_pool;

	(void)state;
	pool_init(&pool, &config);
	with_pool = pool_descriptors();
	/* One after the other, in the same place. */
	for (unsigned i = 0; i < 3; i++) {
		struct executor_request request = pool_direct(&pool, op_open(5));

		pool_submit(&pool, &request, 1, 0);
		pool_wait(&pool, i + 1);
		assert_int_equal(pool.results[i], 0);
	}
	assert_int_equal(pool_descriptors(), with_pool + 1);
	pool_deinit(&pool);
	assert_int_equal(pool_descriptors(), before);
}

static void a_link_breaks_where_one_of_the_ring_does(void **state)
{
	const struct iobatch_op nop = iobatch_op_nop();
	const struct iobatch_op missing = iobatch_op_openat(0, AT_FDCWD, MISSING, O_RDONLY, 0);
	const struct iobatch_op no_unlink = iobatch_op_unlinkat(AT_FDCWD, MISSING, 0);
	const struct iobatch_op no_place = iobatch_op_fsync(IOBATCH_FD(1 << 20));
	const struct iobatch_op no_sync = iobatch_op_fsync(IOBATCH_FD(0));
	char data[16];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), directory = open("/", O_RDONLY);
	int file = open(file_name, O_RDONLY | O_CLOEXEC), full = open("/dev/full", O_WRONLY);
	const struct {
		struct iobatch_op op;
		int32_t result;
		bool breaks;
	} cases[] = {
		{nop, 0, false},
		{missing, -ENOENT, true},
		{no_unlink, -ENOENT, false},
		{no_place, -EBADF, true},
		{no_sync, -EINVAL, false},
		{iobatch_op_read(IOBATCH_FD(file), data, 10, 0), 10, false},
		{iobatch_op_read(IOBATCH_FD(file), data, 11, 0), 10, true},
		{iobatch_op_read(IOBATCH_FD(file), data, 11, 10), 0, true},
		{iobatch_op_read(IOBATCH_FD(directory), data, 10, 0), -EISDIR, true},
		{iobatch_op_write(IOBATCH_FD(null), data, 10, 0), 10, false},
		{iobatch_op_write(IOBATCH_FD(full), data, 10, 0), -ENOSPC, true},
		{iobatch_op_readlinkat(AT_FDCWD, "/", data, 1), -EINVAL, true},
	};
	struct pool pool;
	struct workers_config config = pool_config(&pool);

	(void)state;
	pool_init(&pool, &config);
	/* fsync of a pipe fails, but not for want of a file. */
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iobatch_op op = cases[i].op;
		struct executor_request requests[3];

		if (op.opcode == IOBATCH_OP_FSYNC && op.file == IOBATCH_FD(0))
			op.file = IOBATCH_FD(pool.silent[0]);
		requests[0] = pool_request(&pool, op);
		requests[1] = pool_request(&pool, nop);
		requests[2] = pool_request(&pool, nop);
		pool_submit(&pool, requests, 3, 0);
		pool_wait(&pool, 3 * i + 3);
		if (pool.results[3 * i] != cases[i].result)
			print_error("case %u\n", i);
		assert_int_equal(pool.results[3 * i], cases[i].result);
		assert_int_equal(pool.results[3 * i + 1], cases[i].breaks ? -ECANCELED : 0);
		assert_int_equal(pool.results[3 * i + 2], cases[i].breaks ? -ECANCELED : 0);
	}
	pool_deinit(&pool);
	close(null);
	close(directory);
	close(file);
	close(full);
}

static void a_continued_read_is_whole_with_its_rest(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[3];

	(void)state;
	pool_init(&pool, &config);
	requests[0] = pool_direct(&pool, op_open(0));
	requests[1] = pool_direct(&pool, iobatch_op_read(0, pool.buffer, 10, 0));
	requests[2] = pool_request(&pool, iobatch_op_nop());
	pool.ops[1].reserved[0] = 7;
	pool_submit(&pool, requests, 3, 0);
	pool_wait(&pool, 3);
	assert_int_equal(pool.results[1], 3);
	assert_int_equal(pool.results[2], 0);
	pool_deinit(&pool);
}

static void a_sequence_for_which_there_is_no_room_is_refused_whole(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[5];

	(void)state;
	config.ops_max = 4;
	pool_init(&pool, &config);
	for (unsigned i = 0; i < 5; i++)
		requests[i] = pool_request(&pool, iobatch_op_nop());
	pool_submit(&pool, requests, 3, 0);
	assert_int_equal(workers_submit(pool.workers, &requests[3], 2, 0), -EAGAIN);
	assert_int_equal(workers_in_flight(pool.workers), 3);
	pool_wait(&pool, 3);
	assert_int_equal(workers_in_flight(pool.workers), 0);
	pool_submit(&pool, &requests[3], 2, 0);
	pool_wait(&pool, 5);
	pool_deinit(&pool);
}

static void completions_of_a_sequence_come_in_order_in_as_many_parts_as_wanted(void **state)
{
	struct executor_completion one;
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[5];

	(void)state;
	pool_init(&pool, &config);
	for (unsigned i = 0; i < 5; i++)
		requests[i] = pool_request(&pool, iobatch_op_nop());
	pool_submit(&pool, requests, 5, 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(workers_wait(pool.workers, &one, 1, UINT64_MAX), 1);
		assert_int_equal(one.id, i);
		assert_int_equal(workers_in_flight(pool.workers), 4 - i);
	}
	assert_int_equal(workers_take(pool.workers, &one, 1), 0);
	pool_deinit(&pool);
}

static void one_thread_runs_sequences_in_the_order_that_they_came_in(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);

	(void)state;
	config.threads = 1;
	pool_init(&pool, &config);
	for (unsigned i = 0; i < 20; i++)
		pool_submit_op(&pool, iobatch_op_nop());
	pool_wait(&pool, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(pool.order[i], i);
	pool_deinit(&pool);
}

static void a_wait_for_nothing_ends_on_time(void **state)
{
	struct executor_completion completion;
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	uint64_t until_ns;

	(void)state;
	pool_init(&pool, &config);
	assert_int_equal(workers_wait(pool.workers, &completion, 1, 0), 0);
	pool_hang(&pool);
	until_ns = pool_now_ns() + 5 * NS_PER_MS;
	assert_int_equal(workers_wait(pool.workers, &completion, 1, until_ns), 0);
	assert_true(pool_now_ns() >= until_ns);
	pool_answer(&pool);
	pool_wait(&pool, 2);
	pool_deinit(&pool);
}

static void an_eventfd_announces_the_first_completion_after_none(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct pollfd event = {.events = POLLIN};
	struct executor_completion completions[4];
	eventfd_t value;

	(void)state;
	event.fd = config.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(event.fd >= 0);
	pool_init(&pool, &config);
	for (unsigned round = 0; round < 100; round++) {
		struct iobatch_op op = iobatch_op_nop();
		const struct executor_request request = {.op = &op, .id = 1000 + round};

		assert_int_equal(poll(&event, 1, 0), 0);
		pool_submit(&pool, &request, 1, 0);
		workers_flush(pool.workers);
		assert_int_equal(poll(&event, 1, 20000), 1);
		assert_int_equal(eventfd_read(event.fd, &value), 0);
		assert_int_equal(value, 1);
		assert_int_equal(workers_take(pool.workers, completions, 4), 1);
		assert_int_equal(completions[0].id, 1000 + round);
	}
	pool_deinit(&pool);
	close(event.fd);
}

static void more_threads_take_over_from_those_that_hang(void **state)
{
	struct executor_completion completion;
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	uint64_t hung[2], late;

	(void)state;
	pool_init(&pool, &config);
	hung[0] = pool_hang(&pool);
	hung[1] = pool_hang(&pool);
	late = pool_submit_op(&pool, iobatch_op_nop());
	assert_int_equal(workers_wait(pool.workers, &completion, 1, pool_now_ns() + 5 * NS_PER_MS),
	                 0);
	workers_grow(pool.workers, 2);
	pool_wait(&pool, 1);
	assert_int_equal(pool.results[late], 0);
	pool_answer(&pool);
	pool_answer(&pool);
	pool_wait(&pool, 5);
	assert_int_equal(pool.results[hung[0]], 1);
	assert_int_equal(pool.results[hung[1]], 1);
	pool_deinit(&pool);
}

static void a_signal_to_the_process_is_not_taken_by_a_thread_of_the_pool(void **state)
{
	const struct timespec soon = {.tv_sec = 20};
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	sigset_t set;

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* Blocked here only now: a thread that did not block it would end the process. */
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	for (unsigned i = 0; i < 8; i++)
		pool_submit_op(&pool, iobatch_op_nop());
	pool_wait(&pool, 8);
	assert_int_equal(sigtimedwait(&set, NULL, &soon), SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	pool_deinit(&pool);
}

/* Every id once, whatever the threads make of it. */
static void nothing_is_lost_among_many(void **state)
{
	enum {
		ROUNDS = 200,
		SEQUENCES = 100
	};
	struct iobatch_op nop = iobatch_op_nop();
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_completion completions[7];

	(void)state;
	config.threads = 4;
	config.ops_max = 2 * SEQUENCES;
	config.deadlines = true;
	pool_init(&pool, &config);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned char seen[2 * SEQUENCES] = {0};
		unsigned left = 2 * SEQUENCES;

		for (unsigned i = 0; i < SEQUENCES; i++) {
			const struct executor_request requests[] = {
				{.op = &nop, .id = 2 * i},
				{.op = &nop, .id = 2 * i + 1},
			};
			uint64_t deadline_ns = i % 3 == 0 ? pool_now_ns() + i * 1000 : 0;

			pool_submit(&pool, requests, 2, deadline_ns);
			if (i % 16 == 0)
				assert_true(workers_cancel(pool.workers, 2 * i + round % 2));
		}
		while (left > 0) {
			unsigned count = workers_wait(pool.workers, completions, 7,
			                              pool_now_ns() + 20000 * NS_PER_MS);

			assert_true(count > 0);
			for (unsigned i = 0; i < count; i++) {
				assert_true(completions[i].result == 0 ||
				            completions[i].result == -ECANCELED);
				assert_int_equal(seen[completions[i].id]++, 0);
			}
			left -= count;
		}
	}
	pool_deinit(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_by_index_is_opened_used_and_closed_in_one_sequence),
		cmocka_unit_test(a_second_file_goes_by_index_too),
		cmocka_unit_test(no_descriptor_is_left_of_files_by_index),
		cmocka_unit_test(a_link_breaks_where_one_of_the_ring_does),
		cmocka_unit_test(a_continued_read_is_whole_with_its_rest),
		cmocka_unit_test(a_sequence_for_which_there_is_no_room_is_refused_whole),
		cmocka_unit_test(
			completions_of_a_sequence_come_in_order_in_as_many_parts_as_wanted),
		cmocka_unit_test(one_thread_runs_sequences_in_the_order_that_they_came_in),
		cmocka_unit_test(a_wait_for_nothing_ends_on_time),
		cmocka_unit_test(an_eventfd_announces_the_first_completion_after_none),
		cmocka_unit_test(more_threads_take_over_from_those_that_hang),
		cmocka_unit_test(a_signal_to_the_process_is_not_taken_by_a_thread_of_the_pool),
		cmocka_unit_test(nothing_is_lost_among_many),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/*
 * The pool of threads: what ends an op early (cancellation, a deadline, the end of the pool), and
 * the signal that does it.
 *
 * A thread that truly hangs in the kernel cannot be had without a file system that hangs, but one
 * that the pool may not interrupt looks the same to it: a pool without deadlines, or a program that
 * has a handler for the signal.
 */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool was_ended(int32_t result)
{
	return result == -EINTR || result == -ECANCELED;
}

static unsigned signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static struct sigaction disposition(void)
{
	struct sigaction now;

	assert_int_equal(sigaction(SIGURG, NULL, &now), 0);
	return now;
}

static void set_disposition(void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	assert_int_equal(sigaction(SIGURG, &action, NULL), 0);
}

/* ------------------------------------------------------- cancellation -- */

static void a_running_op_that_is_cancelled_is_interrupted(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	uint64_t hung;

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	hung = pool_hang(&pool);
	assert_true(workers_cancel(pool.workers, hung));
	pool_wait(&pool, 2);
	assert_int_equal(pool.results[hung - 1], 1);
	assert_true(was_ended(pool.results[hung]));
	pool_deinit(&pool);
}

/* At whatever moment it comes: in the queue, before the system call, or in it. */
static void no_cancellation_is_lost(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_completion completion;
	struct iobatch_op op;

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	op = iobatch_op_read(IOBATCH_FD(pool.silent[0]), pool.buffer, 1, UINT64_MAX);
	for (unsigned i = 0; i < 1000; i++) {
		const struct executor_request request = {.op = &op, .id = i, .fd = pool.silent[0]};

		pool_submit(&pool, &request, 1, 0);
		workers_flush(pool.workers);
		for (volatile unsigned spin = 0; spin < i * 20; spin++)
			;
		assert_true(workers_cancel(pool.workers, i));
		assert_int_equal(workers_wait(pool.workers, &completion, 1,
		                              pool_now_ns() + 20000 * NS_PER_MS),
		                 1);
		assert_int_equal(completion.id, i);
		assert_true(was_ended(completion.result));
	}
	pool_deinit(&pool);
}

static void a_signal_for_one_op_does_not_interrupt_the_next(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_completion completion;
	struct iobatch_op nop = iobatch_op_nop(), read;

	(void)state;
	config.threads = 1;
	config.deadlines = true;
	pool_init(&pool, &config);
	read = iobatch_op_read(IOBATCH_FD(pool.silent[0]), pool.buffer, 1, UINT64_MAX);
	for (unsigned i = 0; i < 500; i++) {
		const struct executor_request requests[] = {
			{.op = &nop, .id = 2 * i},
			{.op = &read, .id = 2 * i + 1, .fd = pool.silent[0]},
		};
		uint64_t until_ns = pool_now_ns() + 20000 * NS_PER_MS;

		pool_submit(&pool, &requests[0], 1, 0);
		pool_submit(&pool, &requests[1], 1, 0);
		workers_flush(pool.workers);
		for (volatile unsigned spin = 0; spin < i * 20; spin++)
			;
		assert_true(workers_cancel(pool.workers, 2 * i));
		assert_int_equal(workers_wait(pool.workers, &completion, 1, until_ns), 1);
		assert_int_equal(completion.id, 2 * i);
		pool_answer(&pool);
		assert_int_equal(workers_wait(pool.workers, &completion, 1, until_ns), 1);
		assert_int_equal(completion.id, 2 * i + 1);
		assert_int_equal(completion.result, 1);
	}
	pool_deinit(&pool);
}

static void a_queued_op_that_is_cancelled_ends_at_once_with_its_sequence(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[2];
	uint64_t hung;

	(void)state;
	config.threads = 1;
	pool_init(&pool, &config);
	hung = pool_hang(&pool);
	requests[0] = pool_request(&pool, iobatch_op_nop());
	requests[1] = pool_request(&pool, iobatch_op_nop());
	pool_submit(&pool, requests, 2, 0);
	assert_true(workers_cancel(pool.workers, requests[0].id));
	pool_wait(&pool, 2);
	assert_int_equal(pool.results[requests[0].id], -ECANCELED);
	assert_int_equal(pool.results[requests[1].id], -ECANCELED);
	pool_answer(&pool);
	pool_wait(&pool, 4);
	assert_int_equal(pool.results[hung], 1);
	pool_deinit(&pool);
}

static void an_op_that_is_cancelled_behind_a_link_does_not_start(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[4];
	char byte;

	(void)state;
	pool_init(&pool, &config);
	requests[0] = pool_request(
		&pool, iobatch_op_write(IOBATCH_FD(pool.started[1]), "s", 1, UINT64_MAX));
	requests[1] = pool_request(
		&pool, iobatch_op_read(IOBATCH_FD(pool.silent[0]), pool.buffer, 1, UINT64_MAX));
	requests[2] = pool_request(
		&pool, iobatch_op_write(IOBATCH_FD(pool.started[1]), "s", 1, UINT64_MAX));
	requests[3] = pool_request(&pool, iobatch_op_nop());
	pool_submit(&pool, requests, 4, 0);
	workers_flush(pool.workers);
	assert_int_equal(read(pool.started[0], &byte, 1), 1);
	assert_true(workers_cancel(pool.workers, requests[2].id));
	pool_answer(&pool);
	pool_wait(&pool, 4);
	assert_int_equal(pool.results[1], 1);
	assert_int_equal(pool.results[2], -ECANCELED);
	assert_int_equal(pool.results[3], -ECANCELED);
	pool_deinit(&pool);
}

static void an_id_that_is_not_in_flight_cannot_be_cancelled(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);

	(void)state;
	pool_init(&pool, &config);
	assert_false(workers_cancel(pool.workers, 0));
	pool_submit_op(&pool, iobatch_op_nop());
	pool_wait(&pool, 1);
	assert_false(workers_cancel(pool.workers, 0));
	assert_int_equal(pool.results[0], 0);
	pool_deinit(&pool);
}

/* ------------------------------------------------------------ deadlines -- */

static void nothing_begins_after_its_deadline(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[2];

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	requests[0] = pool_request(
		&pool, iobatch_op_write(IOBATCH_FD(pool.started[1]), "s", 1, UINT64_MAX));
	requests[1] = pool_request(&pool, iobatch_op_nop());
	pool_submit(&pool, requests, 2, pool_now_ns());
	pool_wait(&pool, 2);
	assert_int_equal(pool.results[0], -ECANCELED);
	assert_int_equal(pool.results[1], -ECANCELED);
	pool_deinit(&pool);
}

static void what_is_queued_is_ended_by_its_deadline_when_all_threads_hang(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct executor_request requests[3];
	uint64_t deadline_ns, hung;

	(void)state;
	set_disposition(count_signal);
	config.threads = 1;
	config.deadlines = true;
	pool_init(&pool, &config);
	hung = pool_hang(&pool);
	for (unsigned i = 0; i < 3; i++)
		requests[i] = pool_request(&pool, iobatch_op_nop());
	deadline_ns = pool_now_ns() + 5 * NS_PER_MS;
	/* The later deadline stands before the earlier one. */
	pool_submit(&pool, &requests[0], 1, UINT64_MAX);
	pool_submit(&pool, &requests[1], 2, deadline_ns);
	assert_true(workers_due_ns(pool.workers) == deadline_ns);
	pool_wait(&pool, 2);
	assert_true(pool_now_ns() >= deadline_ns);
	assert_int_equal(pool.results[requests[1].id], -ECANCELED);
	assert_int_equal(pool.results[requests[2].id], -ECANCELED);
	pool_answer(&pool);
	pool_wait(&pool, 5);
	assert_int_equal(pool.results[hung], 1);
	assert_int_equal(pool.results[requests[0].id], 0);
	pool_deinit(&pool);
	set_disposition(SIG_DFL);
}

/* -------------------------------------------------------------- the end -- */

static void the_end_does_not_wait_for_a_thread_that_hangs(void **state)
{
	/* The thread goes on to use it. */
	static struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct pollfd byte = {.events = POLLIN};
	const struct timespec moment = {.tv_nsec = NS_PER_MS};

	(void)state;
	pool_init(&pool, &config);
	pool_hang(&pool);
	workers_free(pool.workers);
	pool.workers = NULL;
	/* It is still there, and it is it that frees the pool: a sanitizer sees to that. */
	pool_answer(&pool);
	byte.fd = pool.silent[0];
	for (unsigned i = 0; i < 20000 && poll(&byte, 1, 0) > 0; i++)
		nanosleep(&moment, NULL);
	assert_int_equal(poll(&byte, 1, 0), 0);
	pool_deinit(&pool);
}

static void what_runs_at_the_end_is_interrupted(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	struct pollfd reader;

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	pool_hang(&pool);
	pool_submit_op(&pool, iobatch_op_nop());
	workers_free(pool.workers);
	pool.workers = NULL;
	/* Nobody reads any more: what is written stays. */
	pool_answer(&pool);
	reader = (struct pollfd){.fd = pool.silent[0], .events = POLLIN};
	assert_int_equal(poll(&reader, 1, 0), 1);
	pool_deinit(&pool);
}

static void what_is_opened_late_is_closed(void **state)
{
	/* The threads go on to use them. */
	static struct pool pool;
	static char directory[] = "/tmp/iobatch-workers-XXXXXX", fifo[64];
	unsigned before = pool_descriptors();
	struct workers_config config = pool_config(&pool);
	struct executor_completion completion;
	struct pollfd writer = {.events = 0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	pool_init(&pool, &config);
	pool_submit_op(&pool, iobatch_op_openat(0, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	pool_submit_op(&pool, iobatch_op_openat(0, AT_FDCWD, fifo, O_RDONLY, 0));
	workers_flush(pool.workers);
	assert_int_equal(
		workers_wait(pool.workers, &completion, 1, pool_now_ns() + 20000 * NS_PER_MS), 1);
	assert_true(completion.result >= 0);
	close(completion.result);
	/* One that nobody takes, and the fifo, which is not open before the pool has gone. */
	pool_submit_op(&pool, iobatch_op_openat(0, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	workers_flush(pool.workers);
	pool_wait_for_call(SYS_openat);
	workers_free(pool.workers);
	pool.workers = NULL;
	/* There is a reader, or this would fail. */
	writer.fd = open(fifo, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	assert_true(writer.fd >= 0);
	/* The pipe has an error when its last reader has closed it. */
	assert_int_equal(poll(&writer, 1, 20000), 1);
	assert_true(writer.revents & POLLERR);
	close(writer.fd);
	unlink(fifo);
	rmdir(directory);
	pool_deinit(&pool);
	assert_int_equal(pool_descriptors(), before);
}

/* ----------------------------------------------------------- the signal -- */

static void the_handler_goes_with_the_last_pool_that_needs_one(void **state)
{
	static void (*const handlers[])(int) = {SIG_DFL, SIG_IGN};
	struct pool pools[3];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct workers_config config = pool_config(&pools[0]);

		set_disposition(handlers[i]);
		pool_init(&pools[0], &config);
		assert_ptr_equal(disposition().sa_handler, handlers[i]);
		config.deadlines = true;
		pool_init(&pools[1], &config);
		pool_init(&pools[2], &config);
		assert_ptr_not_equal(disposition().sa_handler, handlers[i]);
		assert_false(disposition().sa_flags & SA_RESTART);
		pool_deinit(&pools[1]);
		assert_ptr_not_equal(disposition().sa_handler, handlers[i]);
		pool_deinit(&pools[2]);
		assert_ptr_equal(disposition().sa_handler, handlers[i]);
		assert_true(disposition().sa_flags & SA_RESTART);
		pool_deinit(&pools[0]);
	}
	set_disposition(SIG_DFL);
}

static void a_handler_of_the_program_is_left_alone(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);
	uint64_t hung;

	(void)state;
	set_disposition(count_signal);
	config.deadlines = true;
	pool_init(&pool, &config);
	assert_int_equal(pool.warnings, 1);
	assert_ptr_equal(disposition().sa_handler, count_signal);
	signals = 0;
	hung = pool_hang(&pool);
	assert_true(workers_cancel(pool.workers, hung));
	pool_answer(&pool);
	pool_wait(&pool, 2);
	assert_int_equal(pool.results[hung], 1);
	pool_deinit(&pool);
	assert_int_equal(signals, 0);
	assert_ptr_equal(disposition().sa_handler, count_signal);
	set_disposition(SIG_DFL);
}

static void a_handler_that_the_program_sets_meanwhile_stays(void **state)
{
	struct pool pool;
	struct workers_config config = pool_config(&pool);

	(void)state;
	config.deadlines = true;
	pool_init(&pool, &config);
	set_disposition(count_signal);
	pool_deinit(&pool);
	assert_ptr_equal(disposition().sa_handler, count_signal);
	set_disposition(SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_op_that_is_cancelled_is_interrupted),
		cmocka_unit_test(no_cancellation_is_lost),
		cmocka_unit_test(a_signal_for_one_op_does_not_interrupt_the_next),
		cmocka_unit_test(a_queued_op_that_is_cancelled_ends_at_once_with_its_sequence),
		cmocka_unit_test(an_op_that_is_cancelled_behind_a_link_does_not_start),
		cmocka_unit_test(an_id_that_is_not_in_flight_cannot_be_cancelled),
		cmocka_unit_test(nothing_begins_after_its_deadline),
		cmocka_unit_test(what_is_queued_is_ended_by_its_deadline_when_all_threads_hang),
		cmocka_unit_test(the_end_does_not_wait_for_a_thread_that_hangs),
		cmocka_unit_test(what_runs_at_the_end_is_interrupted),
		cmocka_unit_test(what_is_opened_late_is_closed),
		cmocka_unit_test(the_handler_goes_with_the_last_pool_that_needs_one),
		cmocka_unit_test(a_handler_of_the_program_is_left_alone),
		cmocka_unit_test(a_handler_that_the_program_sets_meanwhile_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

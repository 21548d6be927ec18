/* SPDX-License-Identifier: MIT */
/*
 * What this kernel does with linked timeouts, where the ring executor builds on it and the manual
 * does not say. What breaks a link, op by op, is probed in tests/unit/op.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/ring.h"

#define PAUSE_NS 20000000

struct facts {
	struct io_uring ring;
	struct __kernel_timespec soon;
	struct __kernel_timespec late;
	int pipe[2];
	char byte;
};

static int set_up(void **state)
{
	static struct facts facts;
	struct timespec now;

	*state = NULL;
	if (ring_init_queue(&facts.ring, 16, 64, false) < 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	facts.soon = (struct __kernel_timespec){now.tv_sec, now.tv_nsec + PAUSE_NS};
	if (facts.soon.tv_nsec >= 1000000000) {
		facts.soon.tv_sec++;
		facts.soon.tv_nsec -= 1000000000;
	}
	facts.late = (struct __kernel_timespec){now.tv_sec + 3600, 0};
	if (pipe(facts.pipe) < 0)
		return -1;
	*state = &facts;
	return 0;
}

static int tear_down(void **state)
{
	struct facts *facts = *state;

	if (!facts)
		return 0;
	close(facts->pipe[0]);
	close(facts->pipe[1]);
	io_uring_queue_exit(&facts->ring);
	return 0;
}

static struct facts *facts_or_skip(void **state)
{
	if (!*state) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	return *state;
}

static struct io_uring_sqe *add(struct facts *facts, uint64_t id, unsigned flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&facts->ring);

	assert_non_null(sqe);
	io_uring_prep_nop(sqe);
	sqe->user_data = id;
	sqe->flags = (__u8)flags;
	return sqe;
}

static void add_guard(struct facts *facts, uint64_t id, struct __kernel_timespec *time,
                      unsigned flags)
{
	struct io_uring_sqe *sqe = add(facts, id, flags);

	io_uring_prep_link_timeout(sqe, time, IORING_TIMEOUT_ABS);
	sqe->user_data = id;
	sqe->flags = (__u8)flags;
}

/* The result of each id of 0..count-1 that posts; whatever else there is to come must come with
 * them. */
static unsigned collect(struct facts *facts, unsigned wait, int *results, unsigned count)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;

	for (unsigned i = 0; i < count; i++)
		results[i] = 1;
	assert_true(io_uring_submit_and_wait(&facts->ring, wait) >= 0);
	io_uring_for_each_cqe(&facts->ring, head, cqe)
	{
		assert_true(cqe->user_data < count);
		results[cqe->user_data] = cqe->res;
		seen++;
	}
	io_uring_cq_advance(&facts->ring, seen);
	return seen;
}

static void a_linked_timeout_in_mid_chain_guards_the_op_before_it_only(void **state)
{
	struct facts *facts = facts_or_skip(state);
	int results[4];
	struct io_uring_sqe *sqe;

	add(facts, 0, IOSQE_IO_LINK);
	add_guard(facts, 1, &facts->late, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
	sqe = add(facts, 2, IOSQE_IO_LINK);
	io_uring_prep_read(sqe, facts->pipe[0], &facts->byte, 1, (__u64)-1);
	sqe->user_data = 2;
	sqe->flags = IOSQE_IO_LINK;
	add_guard(facts, 3, &facts->soon, IOSQE_CQE_SKIP_SUCCESS);
	assert_int_equal(collect(facts, 2, results, 4), 2);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[2], -ECANCELED);
}

static void a_skipped_linked_timeout_posts_nothing_when_its_op_succeeds(void **state)
{
	struct facts *facts = facts_or_skip(state);
	int results[2];

	add(facts, 0, IOSQE_IO_LINK);
	add_guard(facts, 1, &facts->late, IOSQE_CQE_SKIP_SUCCESS);
	assert_int_equal(collect(facts, 1, results, 2), 1);
	assert_int_equal(results[0], 0);
}

/* The skip flag is taken from what a broken chain cancels. */
static void a_skipped_linked_timeout_posts_when_the_chain_breaks_before_it(void **state)
{
	struct facts *facts = facts_or_skip(state);
	struct io_uring_sqe *sqe;
	int results[4];

	sqe = add(facts, 0, 0);
	io_uring_prep_close(sqe, 1 << 20);
	sqe->user_data = 0;
	sqe->flags = IOSQE_IO_LINK;
	add_guard(facts, 1, &facts->late, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
	add(facts, 2, IOSQE_IO_LINK);
	add_guard(facts, 3, &facts->late, IOSQE_CQE_SKIP_SUCCESS);
	assert_int_equal(collect(facts, 3, results, 4), 3);
	assert_int_equal(results[0], -EBADF);
	assert_int_equal(results[2], -ECANCELED);
	assert_int_equal(results[3], -ECANCELED);
}

/* What the ring counts upon: one that does not skip posts once, whatever becomes of its op. */
static void a_linked_timeout_posts_exactly_once(void **state)
{
	struct facts *facts = facts_or_skip(state);
	struct io_uring_sqe *sqe;
	int results[8];

	/* Its op succeeds; its op fails, so that the next is not reached. */
	add(facts, 0, IOSQE_IO_LINK);
	add_guard(facts, 1, &facts->late, IOSQE_IO_LINK);
	sqe = add(facts, 2, 0);
	io_uring_prep_close(sqe, 1 << 20);
	sqe->user_data = 2;
	sqe->flags = IOSQE_IO_LINK;
	add_guard(facts, 3, &facts->late, IOSQE_IO_LINK);
	add(facts, 4, IOSQE_IO_LINK);
	add_guard(facts, 5, &facts->late, 0);
	/* Its op is late. */
	sqe = add(facts, 6, 0);
	io_uring_prep_read(sqe, facts->pipe[0], &facts->byte, 1, (__u64)-1);
	sqe->user_data = 6;
	sqe->flags = IOSQE_IO_LINK;
	add_guard(facts, 7, &facts->soon, 0);
	assert_int_equal(collect(facts, 8, results, 8), 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_not_equal(results[i], 1);
	assert_int_equal(results[2], -EBADF);
	assert_int_equal(results[4], -ECANCELED);
	assert_int_equal(results[6], -ECANCELED);
}

static void a_timeout_op_is_cancelled_by_its_linked_timeout(void **state)
{
	struct facts *facts = facts_or_skip(state);
	struct __kernel_timespec hour = {.tv_sec = 3600};
	struct io_uring_sqe *sqe = add(facts, 0, 0);
	int results[2];

	io_uring_prep_timeout(sqe, &hour, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	sqe->user_data = 0;
	sqe->flags = IOSQE_IO_LINK;
	add_guard(facts, 1, &facts->soon, IOSQE_CQE_SKIP_SUCCESS);
	assert_int_equal(collect(facts, 1, results, 2), 1);
	assert_int_equal(results[0], -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_linked_timeout_in_mid_chain_guards_the_op_before_it_only, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_skipped_linked_timeout_posts_nothing_when_its_op_succeeds, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_skipped_linked_timeout_posts_when_the_chain_breaks_before_it, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_linked_timeout_posts_exactly_once, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_timeout_op_is_cancelled_by_its_linked_timeout,
	                                        set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

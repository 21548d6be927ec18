/* SPDX-License-Identifier: MIT */
/*
 * A kernel that takes less than it was given, or nothing: whatever it does to a submission, no part
 * of a sequence runs without the rest, and every id completes exactly once. It stands in front of
 * either kernel, so that the same holds on the real ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "executor/ring.h"
#include "op/op.h"

#define CHAIN_MAX 6
#define HOUR_NS UINT64_C(3600000000000)
#define NOTHING INT32_MAX
#define MANY 60

/* The kernel in between, which fails as it is told. */
struct faulty {
	struct kernel base;
	struct kernel *inner;
	unsigned take;  /* SQEs of the next submission that are taken; UINT32_MAX = all */
	int error;      /* of the next submissions, */
	unsigned times; /* so many of them */
	unsigned enters;
};

static struct faulty faulty;

static int faulty_enter(struct kernel *base, unsigned to_submit, bool wait, uint64_t until_ns)
{
	struct kernel *inner = faulty.inner;

	(void)base;
	faulty.enters++;
	if (to_submit > 0 && faulty.times > 0) {
		faulty.times--;
		return faulty.error;
	}
	if (to_submit > faulty.take) {
		to_submit = faulty.take;
		wait = false;
		faulty.take = UINT32_MAX;
	}
	return inner->ops->enter(inner, to_submit, wait, until_ns);
}

static void faulty_exit(struct kernel *base)
{
	(void)base;
	faulty.inner->ops->exit(faulty.inner);
}

static uint64_t faulty_now_ns(struct kernel *base)
{
	(void)base;
	return faulty.inner->ops->now_ns(faulty.inner);
}

static struct ring *put_between(struct executor *executor)
{
	static struct kernel_ops ops;
	struct ring *ring = (struct ring *)executor;

	/* What else is asked of a kernel was asked at the set-up. */
	ops = (struct kernel_ops){
		.enter = faulty_enter, .now_ns = faulty_now_ns, .exit = faulty_exit};
	faulty = (struct faulty){.base.ops = &ops, .inner = ring->kernel, .take = UINT32_MAX};
	ring->kernel = &faulty.base;
	return ring;
}

typedef int (*new_fn)(const struct executor_config *config, struct executor **ret_executor);

/* The executor that the test is for, with the faulty kernel put between; skips without io_uring. */
static struct executor *executor_of(void **state, const struct executor_config *config)
{
	new_fn *make = *state;
	struct executor *executor;

	if ((*make)(config, &executor) < 0) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	put_between(executor);
	return executor;
}

static void submit(struct executor *executor, struct iobatch_op *ops, unsigned count,
                   uint64_t first_id, uint64_t deadline_ns)
{
	struct executor_request requests[CHAIN_MAX];

	for (unsigned i = 0; i < count; i++)
		requests[i] = (struct executor_request){
			.op = &ops[i], .id = first_id + i, .fd = IOBATCH_FD(ops[i].file)};
	assert_int_equal(executor->ops->submit(executor, requests, count, deadline_ns), 0);
}

/* Takes the completions of the ids below `count`, one for each. */
static void take_all(struct executor *executor, unsigned count, int32_t *results)
{
	struct executor_completion completions[8];
	unsigned left = count;

	for (unsigned i = 0; i < count; i++)
		results[i] = NOTHING;
	while (left > 0) {
		int taken = executor->ops->wait(executor, completions, 8, UINT64_MAX);

		assert_true(taken > 0);
		for (int i = 0; i < taken; i++) {
			assert_in_range(completions[i].id, 0, count - 1);
			assert_int_equal(results[completions[i].id], NOTHING);
			results[completions[i].id] = completions[i].result;
		}
		left -= (unsigned)taken;
	}
	assert_int_equal(((struct ring *)executor)->expected, 0);
}

/* Sees to it that nothing more comes, and that the ring owes what it says. */
static void assert_quiet(struct executor *executor)
{
	struct executor_completion completion;
	uint64_t now_ns = executor->ops->now_ns(executor);

	assert_int_equal(executor->ops->wait(executor, &completion, 1, now_ns + UINT64_C(1000000)),
	                 0);
	assert_int_equal(((struct ring *)executor)->owed, 0);
}

static const struct executor_config guarded_config = {
	.chain_ops_max = CHAIN_MAX,
	.batch_ops = 4 * CHAIN_MAX,
	.in_flight_max = 8 * CHAIN_MAX,
	.deadlines = true,
	.guards = IOBATCH_GUARDS_LINKED,
};

/* Three chains one behind the other; the submission is cut after each SQE in turn. */
static void cut_everywhere(struct executor *executor, unsigned length, uint64_t deadline_ns)
{
	unsigned each = deadline_ns ? 2 : 1, sqes = 3 * length * each;

	for (unsigned cut = 1; cut < sqes; cut++) {
		struct iobatch_op ops[3][CHAIN_MAX];
		int32_t results[3 * CHAIN_MAX];
		unsigned taken = (cut + each - 1) / each; /* ops of which an SQE was taken */

		for (unsigned i = 0; i < 3 * length; i++)
			ops[i / length][i % length] = iobatch_op_nop();
		for (unsigned i = 0; i < 3; i++)
			submit(executor, ops[i], length, (uint64_t)i * length, deadline_ns);
		faulty.take = cut;
		take_all(executor, 3 * length, results);
		for (unsigned i = 0; i < 3 * length; i++) {
			/* Cut off: behind the cut, in a chain of which something was taken. */
			bool lost = i >= taken && i / length == (cut - 1) / (length * each);

			assert_int_equal(results[i], lost ? -ECANCELED : 0);
		}
		assert_quiet(executor);
	}
}

static void the_rest_of_a_chain_that_was_cut_never_runs(void **state)
{
	struct executor *executor = executor_of(state, &guarded_config);
	uint64_t deadline_ns = executor->ops->now_ns(executor) + HOUR_NS;

	for (unsigned length = 1; length <= CHAIN_MAX; length++) {
		cut_everywhere(executor, length, 0);
		cut_everywhere(executor, length, deadline_ns);
	}
	executor->ops->free(executor);
}

/* The part that was taken fails: what was cut off must not run behind it all the same. */
static void what_was_cut_off_does_not_follow_a_failure(void **state)
{
	struct executor *executor = executor_of(state, &guarded_config);
	struct iobatch_op ops[3] = {iobatch_op_close(0), iobatch_op_nop(), iobatch_op_nop()};
	int32_t results[3];

	ops[0].file = IOBATCH_FD(-1);
	for (unsigned cut = 1; cut < 3; cut++) {
		submit(executor, ops, 3, 0, 0);
		faulty.take = cut;
		take_all(executor, 3, results);
		assert_int_equal(results[0], -EBADF);
		assert_int_equal(results[1], -ECANCELED);
		assert_int_equal(results[2], -ECANCELED);
	}
	assert_quiet(executor);
	executor->ops->free(executor);
}

static void a_submission_that_is_refused_is_made_again(void **state)
{
	static const int errors[] = {-EAGAIN, -EBUSY, -EINTR};
	struct executor *executor = executor_of(state, &guarded_config);
	struct iobatch_op ops[2][3];
	int32_t results[6];

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned times = 1; times <= 5; times++) {
			uint64_t now_ns = executor->ops->now_ns(executor);

			for (unsigned op = 0; op < 6; op++)
				ops[op / 3][op % 3] = iobatch_op_nop();
			submit(executor, ops[0], 3, 0, 0);
			submit(executor, ops[1], 3, 3, now_ns + HOUR_NS);
			faulty.error = errors[i];
			faulty.times = times;
			faulty.enters = 0;
			take_all(executor, 6, results);
			for (unsigned op = 0; op < 6; op++)
				assert_int_equal(results[op], 0);
			/* A pause for each refusal, and no spinning. */
			assert_true(executor->ops->now_ns(executor) - now_ns >=
			            times * UINT64_C(1000000));
			assert_in_range(faulty.enters, times + 1, 3 * times + 3);
			assert_quiet(executor);
		}
	}
	executor->ops->free(executor);
}

static void a_kernel_that_takes_nothing_for_ever_is_an_error(void **state)
{
	struct executor *executor = executor_of(state, &guarded_config);
	struct executor_completion completion;
	struct iobatch_op op = iobatch_op_nop();

	submit(executor, &op, 1, 0, 0);
	faulty.error = -EAGAIN;
	faulty.times = UINT32_MAX;
	assert_int_equal(executor->ops->wait(executor, &completion, 1, UINT64_MAX), -EAGAIN);
	executor->ops->free(executor);
}

/* The time of a wait is kept also while the kernel refuses what is queued. */
static void a_refused_submission_does_not_outwait_its_time(void **state)
{
	struct executor *executor = executor_of(state, &guarded_config);
	struct executor_completion completion;
	struct iobatch_op op = iobatch_op_nop();
	uint64_t until_ns = executor->ops->now_ns(executor) + UINT64_C(5000000);
	int32_t result;

	submit(executor, &op, 1, 0, 0);
	faulty.error = -EBUSY;
	faulty.times = UINT32_MAX;
	assert_int_equal(executor->ops->wait(executor, &completion, 1, until_ns), 0);
	assert_true(executor->ops->now_ns(executor) >= until_ns);
	faulty.times = 0;
	take_all(executor, 1, &result);
	executor->ops->free(executor);
}

/* More completions than the queue holds: the accounting is broken by hand, the kernel keeps them.
 */
static void nothing_is_lost_when_the_completion_queue_is_full(void **state)
{
	static struct iobatch_op ops[MANY];
	const struct executor_config config = {
		.chain_ops_max = 1, .batch_ops = 8, .in_flight_max = 8};
	struct executor *executor = executor_of(state, &config);
	struct ring *ring = (struct ring *)executor;
	int32_t results[MANY];

	assert_in_range(ring->uring.cq.ring_entries, 8, MANY - 8);
	ring->owed_max = MANY;
	for (unsigned i = 0; i < MANY; i++) {
		ops[i] = iobatch_op_nop();
		submit(executor, &ops[i], 1, i, 0);
	}
	take_all(executor, MANY, results);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(results[i], 0);
	executor->ops->free(executor);
}

static new_fn make_ring = ring_new, make_simulated = simulated_new;

#define ON_BOTH(test)                                                   \
	{#test " (ring)", test, NULL, NULL, &make_ring},                \
	{                                                               \
#test " (simulated)", test, NULL, NULL, &make_simulated \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(the_rest_of_a_chain_that_was_cut_never_runs),
		ON_BOTH(what_was_cut_off_does_not_follow_a_failure),
		ON_BOTH(a_submission_that_is_refused_is_made_again),
		{"a_kernel_that_takes_nothing_for_ever_is_an_error (simulated)",
	         a_kernel_that_takes_nothing_for_ever_is_an_error, NULL, NULL, &make_simulated},
		ON_BOTH(a_refused_submission_does_not_outwait_its_time),
		ON_BOTH(nothing_is_lost_when_the_completion_queue_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What the ring hands to the kernel and when: a batch goes in one submission, the queue is flushed
 * between sequences only, files are direct and buffers registered.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/ring.h"

#define CHAIN 3
#define BATCH 64

static struct executor *ring_or_skip(const struct executor_config *config)
{
	struct executor *executor;

	if (ring_new(config, &executor) < 0) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	return executor;
}

static unsigned queued(struct executor *executor)
{
	return io_uring_sq_ready(&((struct ring *)executor)->uring);
}

/* Submits a sequence of nops; their ids count on from `*id`. */
static int submit_nops(struct executor *executor, struct iobatch_op *ops, unsigned count,
                       uint64_t deadline_ns, uint64_t *id)
{
	struct executor_request requests[CHAIN];

	for (unsigned i = 0; i < count; i++) {
		ops[i] = iobatch_op_nop();
		requests[i] = (struct executor_request){.op = &ops[i], .id = (*id)++, .fd = -1};
	}
	return executor->ops->submit(executor, requests, count, deadline_ns);
}

/* Takes `count` completions, all of which must be successes. */
static void take(struct executor *executor, unsigned count)
{
	struct executor_completion completions[64];

	while (count > 0) {
		int taken = executor->ops->wait(executor, completions, 64, UINT64_MAX);

		assert_true(taken > 0 && (unsigned)taken <= count);
		for (int i = 0; i < taken; i++)
			assert_int_equal(completions[i].result, 0);
		count -= (unsigned)taken;
	}
}

static void a_batch_with_deadlines_goes_in_one_submission(void **state)
{
	const struct executor_config config = {
		.chain_ops_max = CHAIN,
		.batch_ops = BATCH * CHAIN,
		.in_flight_max = BATCH * CHAIN,
		.deadlines = true,
		.guards = IOBATCH_GUARDS_LINKED,
	};
	static struct iobatch_op ops[BATCH][CHAIN];
	struct executor *executor = ring_or_skip(&config);
	uint64_t id = 0, deadline_ns = executor->ops->now_ns(executor) + 3600000000000;

	(void)state;
	for (unsigned i = 0; i < BATCH; i++)
		assert_int_equal(submit_nops(executor, ops[i], CHAIN, deadline_ns, &id), 0);
	/* An SQE for each op and one for its deadline, and the kernel has seen none of them. */
	assert_int_equal(queued(executor), BATCH * CHAIN * 2);
	take(executor, BATCH * CHAIN);
	assert_int_equal(queued(executor), 0);
	executor->ops->free(executor);
}

static void a_sequence_that_does_not_fit_starts_a_new_submission_as_a_whole(void **state)
{
	/* Eight places: two sequences of three, and two places that stay empty. */
	const struct executor_config config = {
		.chain_ops_max = CHAIN,
		.batch_ops = 8,
		.in_flight_max = 64,
	};
	static struct iobatch_op ops[4][CHAIN];
	struct executor *executor = ring_or_skip(&config);
	uint64_t id = 0;

	(void)state;
	assert_int_equal(submit_nops(executor, ops[0], CHAIN, 0, &id), 0);
	assert_int_equal(submit_nops(executor, ops[1], CHAIN, 0, &id), 0);
	assert_int_equal(queued(executor), 6);
	assert_int_equal(submit_nops(executor, ops[2], CHAIN, 0, &id), 0);
	assert_int_equal(queued(executor), 3);
	assert_int_equal(submit_nops(executor, ops[3], CHAIN, 0, &id), 0);
	assert_int_equal(queued(executor), 6);
	take(executor, 4 * CHAIN);
	executor->ops->free(executor);
}

/* No more is owed than the completion queue holds: what is beyond is refused, and fits later. */
static void what_the_completion_queue_cannot_hold_is_refused(void **state)
{
	const struct executor_config config = {
		.chain_ops_max = 1,
		.batch_ops = 8,
		.in_flight_max = 16,
	};
	static struct iobatch_op ops[64];
	struct executor *executor = ring_or_skip(&config);
	unsigned room = ((struct ring *)executor)->owed_max;
	unsigned cancels = 0;
	uint64_t id = 0;

	(void)state;
	assert_in_range(room, 16, 63);
	for (unsigned i = 0; i < room; i++)
		assert_int_equal(submit_nops(executor, &ops[i], 1, 0, &id), 0);
	assert_int_equal(submit_nops(executor, &ops[room], 1, 0, &id), -EAGAIN);
	assert_int_equal(executor->ops->timer(executor, id, 1), -EAGAIN);
	/* There is room to cancel all the same, and an end to it. */
	while (executor->ops->cancel(executor, id) == 0)
		assert_true(++cancels <= 64);
	assert_int_equal(room + cancels + 1, ((struct ring *)executor)->uring.cq.ring_entries);
	take(executor, room);
	assert_int_equal(submit_nops(executor, &ops[0], 1, 0, &id), 0);
	take(executor, 1);
	executor->ops->free(executor);
}

/* The SQE that was queued last. */
static const struct io_uring_sqe *last_sqe(struct executor *executor)
{
	const struct io_uring_sq *sq = &((struct ring *)executor)->uring.sq;

	return &sq->sqes[(sq->sqe_tail - 1) & (sq->ring_entries - 1)];
}

static void submit_one(struct executor *executor, struct iobatch_op *op, int fd, bool direct)
{
	struct executor_request request = {.op = op, .id = 1, .fd = fd, .direct = direct};

	assert_int_equal(executor->ops->submit(executor, &request, 1, 0), 0);
}

static int32_t result_of_one(struct executor *executor)
{
	struct executor_completion completion;

	assert_int_equal(executor->ops->wait(executor, &completion, 1, UINT64_MAX), 1);
	return completion.result;
}

static void files_are_direct_and_buffers_registered_where_the_machine_lets_them(void **state)
{
	static char memory[4 * 4096] __attribute__((aligned(4096)));
	static char other[4096];
	struct executor_config config = {
		.chain_ops_max = 1,
		.batch_ops = 8,
		.in_flight_max = 16,
		.files = 8,
		.buffers = memory,
		.buffers_size = sizeof(memory),
		.buffer_size = 4096,
	};
	struct executor *executor = ring_or_skip(&config);
	struct iobatch_op open_op = iobatch_op_openat(0, AT_FDCWD, "/dev/zero", O_RDONLY, 0);
	struct iobatch_op in_pool = iobatch_op_read(0, memory + 8192, 4096, 0);
	struct iobatch_op beside = iobatch_op_read(0, other, 4096, 0);
	struct iobatch_op close_op = iobatch_op_close(0);

	(void)state;
	if (!executor->direct_files || !((struct ring *)executor)->buffers_size) {
		executor->ops->free(executor);
		print_message("limits of descriptors or locked memory are in the way\n");
		skip();
	}
	memory[8192] = 1;
	submit_one(executor, &open_op, 5, true);
	assert_int_equal(last_sqe(executor)->file_index, 6);
	assert_int_equal(result_of_one(executor), 0);

	submit_one(executor, &in_pool, 5, true);
	assert_int_equal(last_sqe(executor)->opcode, IORING_OP_READ_FIXED);
	assert_true(last_sqe(executor)->flags & IOSQE_FIXED_FILE);
	assert_int_equal(result_of_one(executor), 4096);
	assert_int_equal(memory[8192], 0);

	submit_one(executor, &beside, 5, true);
	assert_int_equal(last_sqe(executor)->opcode, IORING_OP_READ);
	assert_int_equal(result_of_one(executor), 4096);

	submit_one(executor, &close_op, 5, true);
	assert_int_equal(result_of_one(executor), 0);
	submit_one(executor, &beside, 5, true);
	assert_int_equal(result_of_one(executor), -EBADF);
	executor->ops->free(executor);
}

static unsigned sqes_of(unsigned guards, const struct iobatch_op *given, unsigned count)
{
	const struct executor_config config = {
		.chain_ops_max = CHAIN,
		.batch_ops = 8,
		.in_flight_max = 16,
		.deadlines = true,
		.guards = guards,
	};
	struct executor *executor = ring_or_skip(&config);
	struct executor_request requests[CHAIN];
	struct executor_completion completions[CHAIN];
	struct iobatch_op ops[CHAIN];
	unsigned sqes;

	for (unsigned i = 0; i < count; i++) {
		ops[i] = given[i];
		requests[i] = (struct executor_request){.op = &ops[i], .id = i, .fd = -1};
	}
	assert_int_equal(executor->ops->submit(executor, requests, count,
	                                       executor->ops->now_ns(executor) + 3600000000000),
	                 0);
	sqes = queued(executor);
	while (count > 0)
		count -= (unsigned)executor->ops->wait(executor, completions, CHAIN, UINT64_MAX);
	executor->ops->free(executor);
	return sqes;
}

static void the_guards_say_which_ops_get_a_linked_timeout(void **state)
{
	char byte;
	const struct iobatch_op ops[CHAIN] = {
		iobatch_op_nop(),
		iobatch_op_read(0, &byte, 1, 0),
		iobatch_op_read(0, &byte, 1, UINT64_MAX),
	};

	(void)state;
	assert_int_equal(sqes_of(IOBATCH_GUARDS_LINKED, ops, CHAIN), 6);
	assert_int_equal(sqes_of(IOBATCH_GUARDS_AUTO, ops, CHAIN), 4);
	assert_int_equal(sqes_of(IOBATCH_GUARDS_AUTO, ops, 2), 2);
	assert_int_equal(sqes_of(IOBATCH_GUARDS_LIST, ops, CHAIN), 3);
}

/* Arming linked timeouts is dearer on a ring that defers its work; all else is cheaper there. */
static void only_a_ring_whose_ops_are_all_guarded_does_not_defer(void **state)
{
	unsigned flags[IOBATCH_GUARDS_LIST + 1];

	(void)state;
	for (unsigned guards = 0; guards <= IOBATCH_GUARDS_LIST; guards++) {
		const struct executor_config config = {.chain_ops_max = 1,
		                                       .batch_ops = 8,
		                                       .in_flight_max = 8,
		                                       .deadlines = true,
		                                       .guards = guards};
		struct executor *executor = ring_or_skip(&config);

		flags[guards] = ((struct ring *)executor)->uring.flags & IORING_SETUP_DEFER_TASKRUN;
		executor->ops->free(executor);
	}
	if (!flags[IOBATCH_GUARDS_LIST]) {
		print_message("this kernel defers nothing\n");
		skip();
	}
	assert_true(flags[IOBATCH_GUARDS_AUTO]);
	assert_false(flags[IOBATCH_GUARDS_LINKED]);
}

static void assert_workers(struct executor *executor, unsigned count)
{
	struct kernel *kernel = ((struct ring *)executor)->kernel;
	unsigned workers[2] = {0, 0};

	assert_int_equal(kernel->ops->limit_workers(kernel, workers), 0);
	assert_int_equal(workers[0], count);
	assert_int_equal(workers[1], count);
}

static void as_many_kernel_workers_as_ops_that_may_block(void **state)
{
	const struct executor_config config = {
		.chain_ops_max = 1, .batch_ops = 8, .in_flight_max = 8, .blocking_max = 5};
	struct executor *executor = ring_or_skip(&config);

	(void)state;
	assert_workers(executor, 5);
	executor->ops->grow(executor, 3);
	assert_workers(executor, 8);
	executor->ops->free(executor);
}

/* A pipe that nobody writes to: the ring is closed on top of the read. */
static void what_is_in_flight_can_be_given_up(void **state)
{
	static char byte;
	static struct iobatch_op op;
	const struct executor_config config = {
		.chain_ops_max = 1, .batch_ops = 8, .in_flight_max = 8};
	struct executor *executor = ring_or_skip(&config);
	struct executor_completion completion;
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	op = iobatch_op_read(0, &byte, 1, UINT64_MAX);
	submit_one(executor, &op, pipe_fds[0], false);
	assert_int_equal(executor->ops->wait(executor, &completion, 1, 0), 0);
	executor->ops->free(executor);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_with_deadlines_goes_in_one_submission),
		cmocka_unit_test(a_sequence_that_does_not_fit_starts_a_new_submission_as_a_whole),
		cmocka_unit_test(what_the_completion_queue_cannot_hold_is_refused),
		cmocka_unit_test(
			files_are_direct_and_buffers_registered_where_the_machine_lets_them),
		cmocka_unit_test(the_guards_say_which_ops_get_a_linked_timeout),
		cmocka_unit_test(only_a_ring_whose_ops_are_all_guarded_does_not_defer),
		cmocka_unit_test(as_many_kernel_workers_as_ops_that_may_block),
		cmocka_unit_test(what_is_in_flight_can_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

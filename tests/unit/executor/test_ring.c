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

#include <cmocka.h>

#include "executor/ring.h"

#define CHAIN 3
#define BATCH 64

static struct executor *ring_or_skip(const struct executor_config *config)
{
	struct executor *executor;

	if (ring_new(config, &executor) < 0) {
		print_message("skipped: io_uring cannot be used here\n");
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
		int taken = executor->ops->wait(executor, completions, 64);

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
	unsigned room = ((struct ring *)executor)->uring.cq.ring_entries;
	uint64_t id = 0;

	(void)state;
	assert_in_range(room, 16, 63);
	for (unsigned i = 0; i < room; i++)
		assert_int_equal(submit_nops(executor, &ops[i], 1, 0, &id), 0);
	assert_int_equal(submit_nops(executor, &ops[room], 1, 0, &id), -EAGAIN);
	assert_int_equal(executor->ops->timer(executor, id, 1), -EAGAIN);
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

	assert_int_equal(executor->ops->wait(executor, &completion, 1), 1);
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
		print_message("skipped: limits of descriptors or locked memory are in the way\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_with_deadlines_goes_in_one_submission),
		cmocka_unit_test(a_sequence_that_does_not_fit_starts_a_new_submission_as_a_whole),
		cmocka_unit_test(what_the_completion_queue_cannot_hold_is_refused),
		cmocka_unit_test(
			files_are_direct_and_buffers_registered_where_the_machine_lets_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

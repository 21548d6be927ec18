/* SPDX-License-Identifier: MIT */
/*
 * The same sequences on the real ring and on the simulator give the same results, op by op: what is
 * proved on the simulator holds on this kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/executor.h"
#include "op/op.h"

#define OPS_MAX 6
#define MISSING "/nonexistent/file"
#define NS_PER_MS 1000000

static char buffer[4096];
static struct statx attributes;
static int null_fd, pipe_fds[2];

/* What the world is like, told to the simulator: missing paths, the empty file, the silent pipe. */
static void world(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->path && strcmp(op->path, MISSING) == 0)
		answer->result = -ENOENT;
	else if (op->opcode == IOBATCH_OP_READ && op->file == IOBATCH_FD(pipe_fds[0]))
		answer->latency_ns = UINT64_MAX;
	else if (op->opcode == IOBATCH_OP_FSYNC && op->file == IOBATCH_FD(pipe_fds[0]))
		answer->result = -EINVAL;
}

static const struct executor_config config = {
	.chain_ops_max = OPS_MAX,
	.batch_ops = OPS_MAX,
	.in_flight_max = OPS_MAX,
	.deadlines = true,
	.simulation = &(struct iobatch_simulation){.script = world},
};

struct sequence {
	struct iobatch_op ops[OPS_MAX];
	unsigned count;
	unsigned timeout_ms;
};

static void run(struct executor *executor, const struct sequence *sequence, int32_t *results)
{
	struct executor_request requests[OPS_MAX];
	struct executor_completion completions[OPS_MAX];
	struct iobatch_op ops[OPS_MAX];
	unsigned done = 0;
	uint64_t deadline_ns = 0;

	memcpy(ops, sequence->ops, sizeof(ops));
	for (unsigned i = 0; i < sequence->count; i++)
		requests[i] = (struct executor_request){
			.op = &ops[i], .id = i, .fd = IOBATCH_FD(ops[i].file)};
	if (sequence->timeout_ms)
		deadline_ns = executor->ops->now_ns(executor) +
		              (uint64_t)sequence->timeout_ms * NS_PER_MS;
	assert_int_equal(executor->ops->submit(executor, requests, sequence->count, deadline_ns),
	                 0);
	while (done < sequence->count) {
		int count = executor->ops->wait(executor, completions, OPS_MAX);

		assert_true(count > 0);
		for (int i = 0; i < count; i++)
			results[completions[i].id] = completions[i].result;
		done += (unsigned)count;
	}
}

static void both_executors_give_the_same_results(void **state)
{
	const struct iobatch_op nop = iobatch_op_nop();
	const struct iobatch_op no_file = iobatch_op_openat(0, AT_FDCWD, MISSING, O_RDONLY, 0);
	const struct iobatch_op no_statx = iobatch_op_statx(AT_FDCWD, MISSING, 0, 0, &attributes);
	const struct iobatch_op no_unlink = iobatch_op_unlinkat(AT_FDCWD, MISSING, 0);
	const struct iobatch_op no_rename =
		iobatch_op_renameat(AT_FDCWD, MISSING, AT_FDCWD, MISSING, 0);
	const struct iobatch_op no_fsync = iobatch_op_fsync(IOBATCH_FD(pipe_fds[0]));
	const struct iobatch_op ends = iobatch_op_read(IOBATCH_FD(null_fd), buffer, 10, 0);
	const struct iobatch_op hangs =
		iobatch_op_read(IOBATCH_FD(pipe_fds[0]), buffer, 10, UINT64_MAX);
	const struct iobatch_op takes = iobatch_op_write(IOBATCH_FD(null_fd), buffer, 10, 0);
	const struct iobatch_op waits = iobatch_op_timeout(NS_PER_MS);
	const struct sequence sequences[] = {
		{{nop, nop, nop}, 3, 0},
		{{no_file, nop, nop}, 3, 0},
		{{nop, no_file, nop}, 3, 0},
		{{no_statx, nop}, 2, 0},
		{{no_unlink, nop}, 2, 0},
		{{no_rename, nop}, 2, 0},
		{{no_fsync, nop}, 2, 0},
		{{ends, nop}, 2, 0},
		{{takes, nop}, 2, 0},
		{{waits, nop}, 2, 0},
		{{nop, waits, no_file, nop}, 4, 0},
		{{nop, nop}, 2, 60000},
		{{no_file, nop, nop}, 3, 60000},
		{{hangs}, 1, 20},
		{{nop, hangs, nop}, 3, 20},
		{{takes, hangs, takes, nop}, 4, 20},
	};
	struct executor *ring, *simulated;

	(void)state;
	if (ring_new(&config, &ring) < 0) {
		print_message("skipped: io_uring cannot be used here\n");
		skip();
	}
	assert_int_equal(simulated_new(&config, &simulated), 0);
	for (unsigned i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		int32_t real[OPS_MAX], virtual[OPS_MAX];

		run(ring, &sequences[i], real);
		run(simulated, &sequences[i], virtual);
		for (unsigned op = 0; op < sequences[i].count; op++) {
			if (real[op] != virtual[op])
				fail_msg("sequence %u, op %u: %d on the ring, %d simulated", i, op,
				         real[op], virtual[op]);
		}
	}
	ring->ops->free(ring);
	simulated->ops->free(simulated);
}

/* Many broken and guarded sequences: what a chain leaves behind is neither lost nor counted. */
static void broken_guarded_sequences_leave_nothing_behind(void **state)
{
	struct sequence sequence = {{iobatch_op_openat(0, AT_FDCWD, MISSING, O_RDONLY, 0),
	                             iobatch_op_nop(), iobatch_op_nop()},
	                            3,
	                            60000};
	struct executor *ring;
	int32_t results[OPS_MAX];

	(void)state;
	if (ring_new(&config, &ring) < 0)
		skip();
	for (unsigned i = 0; i < 5000; i++) {
		run(ring, &sequence, results);
		assert_int_equal(results[0], -ENOENT);
		assert_int_equal(results[1], -ECANCELED);
		assert_int_equal(results[2], -ECANCELED);
	}
	ring->ops->free(ring);
}

static int set_up(void **state)
{
	(void)state;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null_fd < 0 || pipe(pipe_fds) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(null_fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_executors_give_the_same_results),
		cmocka_unit_test(broken_guarded_sequences_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

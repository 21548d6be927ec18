/* SPDX-License-Identifier: MIT */
/*
 * The same sequences on the real ring and on the simulator give the same results, op by op: what is
 * proved on the simulator holds on this kernel. In each guard mode, with direct files and without,
 * and with ops that are cancelled. Where kernels are known to differ from each other the table says
 * so, and a difference is printed instead of failing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/executor.h"
#include "op/op.h"

#define OPS_MAX 128
#define FILES 4
#define FILE_SIZE 5000
#define MISSING "/nonexistent/file"
#define NS_PER_MS UINT64_C(1000000)

/* Files of an item: what they are is told to the simulator by their number. */
#define REGULAR 0
#define NULL_FILE 1
#define NEVER_OPENED 3

static char buffer[OPS_MAX][8192];
static char too_long[PATH_MAX + 1];
static struct statx attributes;
static int null_fd, pipe_fds[2];
static char regular[] = "/tmp/iobatch-conformance-XXXXXX";

/* What the world is like: missing paths, the empty file, the silent pipe. */
static void world(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->path && strcmp(op->path, MISSING) == 0)
		answer->result = -ENOENT;
	else if (op->opcode == IOBATCH_OP_READ && op->file == IOBATCH_FD(pipe_fds[0]))
		answer->latency_ns = UINT64_MAX;
	else if (op->opcode == IOBATCH_OP_READ &&
	         (op->file == IOBATCH_FD(null_fd) || op->file == NULL_FILE))
		answer->result = 0;
	else if (op->opcode == IOBATCH_OP_FSYNC && op->file == IOBATCH_FD(pipe_fds[0]))
		answer->result = -EINVAL;
}

struct sequence {
	const char *name;
	struct iobatch_op ops[6];
	unsigned count;
	unsigned timeout_ms;
	int cancels[2];         /* one more than the ops that are cancelled when all has started */
	const char *may_differ; /* why kernels do */
};

static struct executor_config config_of(unsigned guards)
{
	static const struct iobatch_simulation simulation = {.script = world,
	                                                     .file_size = FILE_SIZE};
	struct executor_config config = {
		.chain_ops_max = OPS_MAX,
		.batch_ops = OPS_MAX,
		.in_flight_max = OPS_MAX,
		.deadlines = true,
		.guards = guards,
		.threads = 1,
		.blocking_max = 8,
		.files = FILES,
		.simulation = &simulation,
	};

	return config;
}

static void start(struct executor *executor, struct iobatch_op *ops, unsigned count,
                  uint64_t deadline_ns)
{
	struct executor_request requests[OPS_MAX];

	for (unsigned i = 0; i < count; i++) {
		bool direct = ops[i].file >= 0 &&
		              op_is(&ops[i], OP_USES_FILE | OP_OPENS_FILE | OP_CLOSES_FILE);

		requests[i] = (struct executor_request){
			.op = &ops[i],
			.id = i,
			.fd = direct ? ops[i].file : IOBATCH_FD(ops[i].file),
			.direct = direct,
		};
	}
	assert_int_equal(executor->ops->submit(executor, requests, count, deadline_ns), 0);
}

/* Takes what completes until all have. What is late is cancelled, as by a list of deadlines. */
static void finish(struct executor *executor, unsigned count, uint64_t deadline_ns,
                   int32_t *results)
{
	struct executor_completion completions[OPS_MAX];
	bool done[OPS_MAX] = {false};
	unsigned left = count;

	while (left > 0) {
		int taken = executor->ops->wait(executor, completions, OPS_MAX, deadline_ns);

		assert_true(taken >= 0);
		for (int i = 0; i < taken; i++) {
			assert_in_range(completions[i].id, 0, count - 1);
			assert_false(done[completions[i].id]);
			done[completions[i].id] = true;
			results[completions[i].id] = completions[i].result;
		}
		left -= (unsigned)taken;
		if (taken > 0)
			continue;
		assert_true(executor->ops->now_ns(executor) >= deadline_ns);
		for (unsigned i = 0; i < count; i++)
			if (!done[i])
				assert_int_equal(executor->ops->cancel(executor, i), 0);
		deadline_ns = executor->ops->now_ns(executor) + NS_PER_MS;
	}
}

static void run(struct executor *executor, const struct sequence *sequence, int32_t *results)
{
	struct iobatch_op ops[6];
	uint64_t now_ns = executor->ops->now_ns(executor), deadline_ns = 0;

	memcpy(ops, sequence->ops, sizeof(ops));
	if (sequence->timeout_ms)
		deadline_ns = now_ns + sequence->timeout_ms * NS_PER_MS;
	start(executor, ops, sequence->count, deadline_ns);
	if (sequence->cancels[0]) {
		struct executor_completion completion;

		/* All of it has started, and nothing has ended. */
		assert_int_equal(executor->ops->wait(executor, &completion, 1, 0), 0);
		for (unsigned i = 0; i < 2 && sequence->cancels[i]; i++)
			assert_int_equal(
				executor->ops->cancel(executor, (uint64_t)sequence->cancels[i] - 1),
				0);
	}
	finish(executor, sequence->count, deadline_ns ? deadline_ns : UINT64_MAX, results);
}

static void compare(struct executor *ring, struct executor *simulated,
                    const struct sequence *sequence)
{
	int32_t real[6], virtual[6];

	run(ring, sequence, real);
	run(simulated, sequence, virtual);
	for (unsigned i = 0; i < sequence->count; i++) {
		if (real[i] == virtual[i])
			continue;
		if (!sequence->may_differ)
			fail_msg("%s, op %u: %d on the ring, %d simulated", sequence->name, i,
			         real[i], virtual[i]);
		print_message("%s, op %u: %d on the ring, %d simulated: %s\n", sequence->name, i,
		              real[i], virtual[i], sequence -> may_differ);
	}
}

static struct executor *ring_or_skip(const struct executor_config *config)
{
	struct executor *ring;

	if (ring_new(config, &ring) < 0) {
		print_message("io_uring cannot be used here\n");
		skip();
	}
	return ring;
}

static void compare_all(unsigned guards)
{
	const struct executor_config config = config_of(guards);
	/* A sequence with one that is bad then fails as a whole. */
	static const char early[] = "before 5.19 descriptors are looked at as SQEs are taken";
	const struct iobatch_op nop = iobatch_op_nop();
	const struct iobatch_op no_file = iobatch_op_openat(REGULAR, AT_FDCWD, MISSING, 0, 0);
	const struct iobatch_op no_name = iobatch_op_openat(REGULAR, AT_FDCWD, "", 0, 0);
	const struct iobatch_op long_name = iobatch_op_openat(REGULAR, AT_FDCWD, too_long, 0, 0);
	const struct iobatch_op no_statx = iobatch_op_statx(AT_FDCWD, MISSING, 0, 0, &attributes);
	const struct iobatch_op no_unlink = iobatch_op_unlinkat(AT_FDCWD, MISSING, 0);
	const struct iobatch_op bad_unlink = iobatch_op_unlinkat(AT_FDCWD, MISSING, 1);
	const struct iobatch_op no_rename =
		iobatch_op_renameat(AT_FDCWD, MISSING, AT_FDCWD, MISSING, 0);
	const struct iobatch_op no_fsync = iobatch_op_fsync(IOBATCH_FD(pipe_fds[0]));
	const struct iobatch_op bad_fsync = iobatch_op_fsync(IOBATCH_FD(-1));
	const struct iobatch_op bad_read =
		iobatch_op_read(IOBATCH_FD(-1), buffer[0], 10, UINT64_MAX);
	const struct iobatch_op ends = iobatch_op_read(IOBATCH_FD(null_fd), buffer[0], 10, 0);
	const struct iobatch_op hangs =
		iobatch_op_read(IOBATCH_FD(pipe_fds[0]), buffer[0], 10, UINT64_MAX);
	const struct iobatch_op takes = iobatch_op_write(IOBATCH_FD(null_fd), buffer[1], 10, 0);
	const struct iobatch_op waits = iobatch_op_timeout(NS_PER_MS);
	const struct iobatch_op hour = iobatch_op_timeout(3600000 * NS_PER_MS);
	const struct iobatch_op open_it = iobatch_op_openat(REGULAR, AT_FDCWD, regular, 0, 0);
	const struct iobatch_op open_null =
		iobatch_op_openat(NULL_FILE, AT_FDCWD, "/dev/null", O_RDWR, 0);
	const struct iobatch_op read_all = iobatch_op_read(REGULAR, buffer[2], FILE_SIZE, 0);
	const struct iobatch_op read_more = iobatch_op_read(REGULAR, buffer[3], 8192, 0);
	const struct iobatch_op read_end = iobatch_op_read(REGULAR, buffer[4], 100, FILE_SIZE - 1);
	const struct iobatch_op read_null = iobatch_op_read(NULL_FILE, buffer[5], 10, 0);
	const struct iobatch_op write_null = iobatch_op_write(NULL_FILE, buffer[6], 10, 0);
	const struct iobatch_op shut = iobatch_op_close(REGULAR);
	const struct iobatch_op shut_null = iobatch_op_close(NULL_FILE);
	const struct iobatch_op read_none = iobatch_op_read(NEVER_OPENED, buffer[7], 10, 0);
	const struct iobatch_op fsync_none = iobatch_op_fsync(NEVER_OPENED);
	const struct iobatch_op shut_none = iobatch_op_close(NEVER_OPENED);
	const struct sequence sequences[] = {
		{"successes", {nop, nop, nop}, 3, 0, {0}, NULL},
		{"a failed open", {no_file, nop, nop}, 3, 0, {0}, NULL},
		{"a failed open in the middle", {nop, no_file, nop}, 3, 0, {0}, NULL},
		{"a name that is none", {nop, no_name, nop}, 3, 0, {0}, NULL},
		{"a name too long", {nop, long_name, nop}, 3, 0, {0}, NULL},
		{"a malformed op at the end", {nop, bad_unlink}, 2, 0, {0}, NULL},
		{"a malformed op at the front", {bad_unlink, nop}, 2, 0, {0}, NULL},
		{"a malformed op and a deadline", {nop, bad_unlink, nop}, 3, 60000, {0}, NULL},
		{"a failed statx", {no_statx, nop}, 2, 0, {0}, NULL},
		{"a failed unlink", {no_unlink, nop}, 2, 0, {0}, NULL},
		{"a failed rename", {no_rename, nop}, 2, 0, {0}, NULL},
		{"a failed fsync", {no_fsync, nop}, 2, 0, {0}, NULL},
		{"an fsync of no descriptor", {nop, bad_fsync, nop}, 3, 0, {0}, early},
		{"a read of no descriptor", {nop, bad_read, nop}, 3, 60000, {0}, early},
		{"a short read", {ends, nop}, 2, 0, {0}, NULL},
		{"a write", {takes, nop}, 2, 0, {0}, NULL},
		{"a timer", {waits, nop}, 2, 0, {0}, NULL},
		{"a timer and a failed open", {nop, waits, no_file, nop}, 4, 0, {0}, NULL},
		{"successes with a deadline", {nop, nop}, 2, 60000, {0}, NULL},
		{"a failed open with a deadline", {no_file, nop, nop}, 3, 60000, {0}, NULL},
		{"a late read", {hangs}, 1, 20, {0}, NULL},
		{"a late read in the middle", {nop, hangs, nop}, 3, 20, {0}, NULL},
		{"a late read further on", {takes, hangs, takes, nop}, 4, 20, {0}, NULL},
		{"a late timer", {nop, hour, nop}, 3, 20, {0}, NULL},
		{"a cancelled read", {hangs}, 1, 0, {1}, NULL},
		{"a cancelled read with a deadline", {hangs}, 1, 60000, {1}, NULL},
		{"a cancelled chain", {hangs, nop, nop}, 3, 0, {1}, NULL},
		{"a cancelled timer", {hour}, 1, 0, {1}, NULL},
		{"a cancelled timer at a chain's head", {hour, nop}, 2, 60000, {1}, NULL},
		{"what waits is not found", {hangs, nop, nop}, 3, 0, {2, 1}, NULL},
		{"open, read, close", {open_it, read_all, shut}, 3, 0, {0}, NULL},
		{"the same with a deadline", {open_it, read_all, shut}, 3, 60000, {0}, NULL},
		{"a read beyond the end", {open_it, read_more, shut}, 3, 0, {0}, NULL},
		{"its close", {shut, nop}, 2, 0, {0}, NULL},
		{"a read at the end", {open_it, read_end, shut}, 3, 60000, {0}, NULL},
		{"its close, too", {nop, shut}, 2, 60000, {0}, NULL},
		{"/dev/null", {open_null, write_null, shut_null}, 3, 0, {0}, NULL},
		{"a read of /dev/null", {open_null, read_null, shut_null}, 3, 0, {0}, NULL},
		{"and its close", {shut_null}, 1, 0, {0}, NULL},
		{"opened twice", {open_it, open_it, read_all, shut}, 4, 0, {0}, NULL},
		{"closed twice", {open_it, shut, shut, nop}, 4, 0, {0}, NULL},
		{"a read of what is not open", {nop, read_none, nop}, 3, 0, {0}, NULL},
		{"an fsync of what is not open", {nop, fsync_none, nop}, 3, 0, {0}, NULL},
		{"a close of what is not open", {nop, shut_none, nop}, 3, 60000, {0}, NULL},
	};
	struct executor *ring = ring_or_skip(&config), *simulated;

	assert_int_equal(simulated_new(&config, &simulated), 0);
	if (!ring->direct_files)
		print_message("no direct files here: sequences on them are left out\n");
	assert_true(simulated->direct_files);
	for (unsigned i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		const struct iobatch_op *first = &sequences[i].ops[0];
		bool direct = first->file >= 0 && op_is(first, OP_OPENS_FILE | OP_USES_FILE);

		if (ring->direct_files || !direct)
			compare(ring, simulated, &sequences[i]);
	}
	ring->ops->free(ring);
	simulated->ops->free(simulated);
}

static void both_agree_with_a_linked_timeout_for_each_op(void **state)
{
	(void)state;
	compare_all(IOBATCH_GUARDS_LINKED);
}

static void both_agree_with_linked_timeouts_for_streams(void **state)
{
	(void)state;
	compare_all(IOBATCH_GUARDS_AUTO);
}

static void both_agree_with_a_list_of_deadlines_alone(void **state)
{
	(void)state;
	compare_all(IOBATCH_GUARDS_LIST);
}

/* Chains as long as there may be, broken at each place. */
static void both_agree_on_the_longest_chains(void **state)
{
	struct iobatch_op ops[OPS_MAX];

	(void)state;
	for (unsigned guards = 0; guards <= IOBATCH_GUARDS_LIST; guards++) {
		const struct executor_config config = config_of(guards);
		struct executor *executors[2];
		int32_t results[2][OPS_MAX];

		executors[0] = ring_or_skip(&config);
		assert_int_equal(simulated_new(&config, &executors[1]), 0);
		for (unsigned broken = 0; broken <= OPS_MAX; broken++) {
			for (unsigned i = 0; i < OPS_MAX; i++)
				ops[i] = i == broken ? iobatch_op_close(NEVER_OPENED)
				                     : iobatch_op_nop();
			for (unsigned i = 0; i < 2; i++) {
				struct executor *executor = executors[i];
				uint64_t now_ns = executor->ops->now_ns(executor);

				start(executor, ops, OPS_MAX, now_ns + 60000 * NS_PER_MS);
				finish(executor, OPS_MAX, UINT64_MAX, results[i]);
			}
			assert_memory_equal(results[0], results[1], sizeof(results[0]));
			for (unsigned i = 0; i < OPS_MAX; i++)
				assert_int_equal(results[0][i], i < broken    ? 0
				                                : i == broken ? -EBADF
				                                              : -ECANCELED);
		}
		for (unsigned i = 0; i < 2; i++)
			executors[i]->ops->free(executors[i]);
	}
}

/* A timer of the engine's own, cancelled and not. */
static void both_agree_on_timers(void **state)
{
	const struct executor_config config = config_of(IOBATCH_GUARDS_AUTO);
	struct executor *executors[2];

	(void)state;
	executors[0] = ring_or_skip(&config);
	assert_int_equal(simulated_new(&config, &executors[1]), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct executor *executor = executors[i];
		uint64_t now_ns = executor->ops->now_ns(executor);
		struct executor_completion ret;

		assert_int_equal(executor->ops->timer(executor, 7, now_ns + NS_PER_MS), 0);
		assert_int_equal(executor->ops->wait(executor, &ret, 1, UINT64_MAX), 1);
		assert_int_equal(ret.id, 7);
		assert_int_equal(ret.result, -ETIME);
		assert_true(executor->ops->now_ns(executor) >= now_ns + NS_PER_MS);

		/* One of the past ends at once; nothing comes before a time that has passed. */
		assert_int_equal(executor->ops->timer(executor, 8, 1), 0);
		assert_int_equal(executor->ops->wait(executor, &ret, 1, UINT64_MAX), 1);
		assert_int_equal(ret.result, -ETIME);

		now_ns = executor->ops->now_ns(executor);
		assert_int_equal(executor->ops->timer(executor, 9, now_ns + 3600000 * NS_PER_MS),
		                 0);
		assert_int_equal(executor->ops->wait(executor, &ret, 1, now_ns + NS_PER_MS), 0);
		assert_true(executor->ops->now_ns(executor) >= now_ns + NS_PER_MS);
		assert_int_equal(executor->ops->cancel(executor, 9), 0);
		assert_int_equal(executor->ops->wait(executor, &ret, 1, UINT64_MAX), 1);
		assert_int_equal(ret.id, 9);
		assert_int_equal(ret.result, -ECANCELED);
		executor->ops->free(executor);
	}
}

/* Many broken and guarded sequences: what a chain leaves behind is neither lost nor counted. */
static void broken_guarded_sequences_leave_nothing_behind(void **state)
{
	const struct executor_config config = config_of(IOBATCH_GUARDS_LINKED);
	const struct sequence sequence = {"broken",
	                                  {iobatch_op_openat(0, AT_FDCWD, MISSING, O_RDONLY, 0),
	                                   iobatch_op_nop(), iobatch_op_nop()},
	                                  3,
	                                  60000,
	                                  {0},
	                                  NULL};
	struct executor *ring = ring_or_skip(&config);
	int32_t results[3];

	(void)state;
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
	int fd = mkstemp(regular);

	(void)state;
	if (fd < 0 || ftruncate(fd, FILE_SIZE) < 0 || close(fd) < 0)
		return -1;
	memset(too_long, 'a', PATH_MAX);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null_fd < 0 || pipe(pipe_fds) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(null_fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return unlink(regular);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_agree_with_a_linked_timeout_for_each_op),
		cmocka_unit_test(both_agree_with_linked_timeouts_for_streams),
		cmocka_unit_test(both_agree_with_a_list_of_deadlines_alone),
		cmocka_unit_test(both_agree_on_the_longest_chains),
		cmocka_unit_test(both_agree_on_timers),
		cmocka_unit_test(broken_guarded_sequences_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

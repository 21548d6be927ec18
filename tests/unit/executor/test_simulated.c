/* SPDX-License-Identifier: MIT */
/*
 * What cannot be had from a real kernel at will: ops that hang and do not listen, workers that run
 * out, and the checks that the simulated kernel makes on its user.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

static void hang(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)op;
	answer->latency_ns = UINT64_MAX;
	answer->cancel = context ? IOBATCH_CANCEL_IGNORED : IOBATCH_CANCEL_ENDS;
}

/* KERNEL: a linked timeout is deaf while a worker is inside the op; cancellation is not. */
static void a_hung_statx_outlives_its_linked_timeout_and_is_interrupted(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.config.guards = IOBATCH_GUARDS_LINKED;
	stage.simulation.script = hang;
	stage_start();
	stage.ops[0] = iobatch_op_statx(AT_FDCWD, "a", 0, 0, NULL);
	stage_submit(0, 1, false, 10 * NS_PER_MS);
	assert_int_equal(stage_wait(&completion, 50 * NS_PER_MS), 0);
	assert_int_equal(stage_now_ns(), 50 * NS_PER_MS);
	stage_cancel(0);
	stage_expect(0, -EINTR, 50 * NS_PER_MS);
	stage_free();
}

static void a_hung_open_is_ended_by_its_linked_timeout(void **state)
{
	(void)state;
	stage_init();
	stage.config.guards = IOBATCH_GUARDS_LINKED;
	stage.simulation.script = hang;
	stage_start();
	stage.ops[0] = iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0);
	stage.ops[1] = iobatch_op_nop();
	stage_submit(0, 2, true, 10 * NS_PER_MS);
	/* The guard stands behind the caller's own deadline. */
	stage_expect(0, -EINTR, 15 * NS_PER_MS);
	stage_expect(1, -ECANCELED, 15 * NS_PER_MS);
	stage_free();
}

static void an_op_that_ignores_cancellation_goes_on_and_can_be_given_up(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.config.guards = IOBATCH_GUARDS_LINKED;
	stage.simulation.script = hang;
	stage.simulation.context = &stage;
	stage_start();
	stage.ops[0] = iobatch_op_read(0, stage.buffers[0], 10, 0);
	stage.ops[1] = iobatch_op_nop();
	stage_submit(0, 2, false, 10 * NS_PER_MS);
	assert_int_equal(stage_wait(&completion, 20 * NS_PER_MS), 0);
	for (unsigned i = 0; i < 3; i++) {
		stage_cancel(0);
		assert_int_equal(stage_wait(&completion, (30 + i) * NS_PER_MS), 0);
	}
	stage_free();
}

static void a_cancellation_counts_although_the_kernel_has_not_seen_it(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.simulation.script = hang;
	stage_start();
	stage.ops[0] = iobatch_op_nop();
	stage_submit(0, 1, false, 0);
	assert_int_equal(stage_wait(&completion, NS_PER_MS), 0);
	stage_cancel(0);
	stage_free();
}

static void waiting_for_what_never_comes_is_said(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.simulation.script = hang;
	stage_start();
	stage.ops[0] = iobatch_op_nop();
	stage_submit(0, 1, false, 0);
	assert_int_equal(stage_wait(&completion, UINT64_MAX), -EDEADLK);
	stage_free();
}

static void hang_on_a(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->path && strcmp(op->path, "hung") == 0)
		hang(NULL, op, answer);
}

/* KERNEL: hung ops hold the workers, and healthy ones wait for one. */
static void hung_ops_starve_others_until_there_are_more_workers(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.config.blocking_max = 2;
	stage.simulation.script = hang_on_a;
	stage_start();
	for (unsigned i = 0; i < 5; i++) {
		stage.ops[i] = iobatch_op_statx(AT_FDCWD, i < 3 ? "hung" : "b", 0, 0, NULL);
		stage_submit(i, 1, false, 0);
	}
	assert_int_equal(stage_wait(&completion, NS_PER_MS), 0);
	/* What waits for a worker ends at once, and not by an interruption. */
	stage_cancel(2);
	stage_expect(2, -ECANCELED, NS_PER_MS);
	stage.executor->ops->grow(stage.executor, 1);
	stage_expect(3, 0, NS_PER_MS);
	stage_expect(4, 0, NS_PER_MS);
	stage_cancel(0);
	stage_expect(0, -EINTR, NS_PER_MS);
	stage_cancel(1);
	stage_expect(1, -EINTR, NS_PER_MS);
	stage_free();
}

static void calls_are_answered_by_the_simulator_and_can_be_cancelled(void **state)
{
	struct executor_completion completion;

	(void)state;
	stage_init();
	stage.simulation.script = hang_on_a;
	stage.simulation.latency_min_ns = stage.simulation.latency_max_ns = NS_PER_MS;
	stage_start();
	stage.ops[0] = iobatch_op_fchmodat(AT_FDCWD, "hung", 0600, 0);
	stage.ops[1] = iobatch_op_fchmodat(AT_FDCWD, "b", 0600, 0);
	assert_false(stage.executor->linkable[IOBATCH_OP_FCHMODAT]);
	stage_submit(0, 1, false, 0);
	stage_submit(1, 1, false, 0);
	stage_expect(1, 0, NS_PER_MS);
	assert_int_equal(stage_wait(&completion, 2 * NS_PER_MS), 0);
	stage_cancel(0);
	stage_expect(0, -EINTR, 2 * NS_PER_MS);
	stage_free();
}

static void descriptors_are_the_lowest_that_are_free(void **state)
{
	struct executor_completion completion;
	int fds[3];

	(void)state;
	stage_init();
	stage.config.files = 0;
	stage_start();
	assert_false(stage.executor->direct_files);
	for (unsigned i = 0; i < 3; i++) {
		stage.ops[i] = iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0);
		stage_submit(i, 1, false, 0);
		assert_int_equal(stage_wait(&completion, UINT64_MAX), 1);
		fds[i] = completion.result;
	}
	assert_int_equal(fds[1], fds[0] + 1);
	assert_int_equal(fds[2], fds[0] + 2);
	for (unsigned i = 0; i < 5; i++) {
		const struct executor_request request = {.op = &stage.ops[8 + i],
		                                         .id = 8,
		                                         .fd = fds[i < 2    ? 1
		                                                   : i == 2 ? 1
		                                                            : 2 * (i - 3)]};

		stage.ops[8 + i] =
			i == 1 ? iobatch_op_openat(0, AT_FDCWD, "a", 0, 0) : iobatch_op_close(0);
		assert_int_equal(stage.executor->ops->submit(stage.executor, &request, 1, 0), 0);
		/* Closed, and given out again. */
		stage_expect(8, i == 1 ? fds[1] : 0, 0);
	}
	stage_free();
}

/* ------------------------------------------------- checks on the user -- */

static void changes_an_op_in_flight(void)
{
	stage.ops[0] = iobatch_op_nop();
	stage_submit(0, 1, false, 0);
	(void)stage.executor->ops->wait(stage.executor, &(struct executor_completion){0}, 1, 0);
	stage.ops[0].length = 1;
	(void)stage_wait(&(struct executor_completion){0}, UINT64_MAX);
}

static void shares_memory_in_flight(void)
{
	for (unsigned i = 0; i < 2; i++) {
		stage.ops[i * 32] = iobatch_op_read(0, &stage.buffers[0][i], 10, 0);
		stage_submit(i * 32, 1, false, 0);
	}
	(void)stage_wait(&(struct executor_completion){0}, UINT64_MAX);
}

static void forgets_an_op_in_flight(void)
{
	stage.ops[0] = iobatch_op_nop();
	stage_submit(0, 1, false, 0);
	(void)stage_wait(&(struct executor_completion){0}, 0);
	stage_free();
}

static void leaves_a_file_open(void)
{
	stage.ops[0] = iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0);
	stage_submit(0, 1, true, 0);
	(void)stage_wait(&(struct executor_completion){0}, UINT64_MAX);
	stage_free();
}

static void behaves(void)
{
	stage.ops[0] = iobatch_op_openat(0, AT_FDCWD, "a", O_RDONLY, 0);
	stage.ops[1] = iobatch_op_close(0);
	stage_submit(0, 2, true, 0);
	(void)stage_wait(&(struct executor_completion){0}, UINT64_MAX);
	(void)stage_wait(&(struct executor_completion){0}, UINT64_MAX);
	stage_free();
}

/* The signal that ends a process which does that; 0 for none. */
static int signal_of(void (*misdeed)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = {0, 0};

		/* Neither a message nor a core of a death that is wanted, nor cmocka's handlers. */
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		stage_init();
		stage.simulation.latency_min_ns = stage.simulation.latency_max_ns = NS_PER_MS;
		stage_start();
		misdeed();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void what_breaks_the_kernels_trust_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(signal_of(behaves), 0);
	assert_int_equal(signal_of(changes_an_op_in_flight), SIGABRT);
	assert_int_equal(signal_of(shares_memory_in_flight), SIGABRT);
	assert_int_equal(signal_of(forgets_an_op_in_flight), SIGABRT);
	assert_int_equal(signal_of(leaves_a_file_open), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hung_statx_outlives_its_linked_timeout_and_is_interrupted),
		cmocka_unit_test(a_hung_open_is_ended_by_its_linked_timeout),
		cmocka_unit_test(an_op_that_ignores_cancellation_goes_on_and_can_be_given_up),
		cmocka_unit_test(a_cancellation_counts_although_the_kernel_has_not_seen_it),
		cmocka_unit_test(waiting_for_what_never_comes_is_said),
		cmocka_unit_test(hung_ops_starve_others_until_there_are_more_workers),
		cmocka_unit_test(calls_are_answered_by_the_simulator_and_can_be_cancelled),
		cmocka_unit_test(descriptors_are_the_lowest_that_are_free),
		cmocka_unit_test(what_breaks_the_kernels_trust_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

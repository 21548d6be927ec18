/* SPDX-License-Identifier: MIT */
/*
 * What signals ask of a run, with a control that has none: the test sends them to itself and is the
 * thread that listens.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/signals.h"

static struct iobatch_control *control;
static int wake;

static void catch_(void)
{
	assert_int_equal(iobatch_control_new(&control), 0);
	wake = eventfd(0, EFD_NONBLOCK);
	assert_true(wake >= 0);
	signals_catch(control, wake);
	signals_listen();
}

static void release(void)
{
	signals_release();
	close(wake);
	iobatch_control_free(control);
}

/* Until a repeated request is one of its own. */
static void let_time_pass(void)
{
	const struct timespec time = {.tv_nsec = (SIGNALS_SAME_MS + 1) * 1000000};

	nanosleep(&time, NULL);
}

static void the_first_drains_and_the_second_cancels(void **state)
{
	uint64_t woken;

	(void)state;
	catch_();
	assert_int_equal(signals_ending(), 0);
	assert_int_equal(signals_take(), 0);
	raise(SIGTERM);
	assert_int_equal(read(wake, &woken, sizeof(woken)), sizeof(woken));
	assert_int_equal(signals_take(), SIGNALS_DRAIN);
	assert_int_equal(signals_take(), 0);
	let_time_pass();
	raise(SIGINT);
	assert_int_equal(signals_take(), SIGNALS_CANCEL);
	assert_int_equal(signals_ending(), SIGTERM);
	release();
}

static void what_comes_at_once_is_one(void **state)
{
	(void)state;
	catch_();
	for (unsigned i = 0; i < 10; i++)
		raise(SIGINT);
	assert_int_equal(signals_take(), SIGNALS_DRAIN);
	release();
}

static void the_third_kills(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		catch_();
		for (unsigned i = 0; i < 3; i++) {
			raise(SIGINT);
			let_time_pass();
		}
		_exit(99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

static void what_is_ignored_stays_ignored(void **state)
{
	static const int ended_by[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGTSTP};
	struct sigaction action;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		signal(ended_by[i], SIG_IGN);
	catch_();
	for (unsigned i = 0; i < 5; i++)
		raise(ended_by[i]);
	assert_int_equal(signals_take(), 0);
	assert_int_equal(signals_ending(), 0);
	release();
	for (unsigned i = 0; i < 5; i++) {
		sigaction(ended_by[i], NULL, &action);
		assert_ptr_equal(action.sa_handler, SIG_IGN);
		signal(ended_by[i], SIG_DFL);
	}
}

static void all_is_as_it_was_afterwards(void **state)
{
	struct sigaction action;
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &before);
	catch_();
	release();
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int number = 1; number < 32; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));
	sigaction(SIGINT, NULL, &action);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static void sigusr1_never_kills_once_it_is_prepared(void **state)
{
	(void)state;
	signals_prepare();
	raise(SIGUSR1);
	catch_();
	raise(SIGUSR1);
	assert_int_equal(signals_take(), SIGNALS_STATUS);
	release();
	raise(SIGUSR1);
}

static void a_handler_leaves_errno_as_it_was(void **state)
{
	const uint64_t full = UINT64_MAX - 1;

	(void)state;
	catch_();
	/* So that waking fails. */
	assert_int_equal(write(wake, &full, sizeof(full)), sizeof(full));
	errno = ENOTTY;
	raise(SIGUSR1);
	assert_int_equal(errno, ENOTTY);
	raise(SIGINT);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(signals_take(), SIGNALS_STATUS | SIGNALS_DRAIN);
	release();
}

/* The stopping itself is for the cases: a test has no shell above it. */
static void sigcont_takes_sigtstp_back(void **state)
{
	(void)state;
	catch_();
	raise(SIGTSTP);
	assert_int_equal(signals_take(), SIGNALS_STOP);
	assert_false(signals_continued());
	raise(SIGCONT);
	assert_true(signals_continued());
	assert_int_equal(signals_take(), SIGNALS_CONTINUE);
	/* Returns, as it must. */
	signals_stop();
	raise(SIGTSTP);
	assert_false(signals_continued());
	release();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_drains_and_the_second_cancels),
		cmocka_unit_test(what_comes_at_once_is_one),
		cmocka_unit_test(the_third_kills),
		cmocka_unit_test(what_is_ignored_stays_ignored),
		cmocka_unit_test(all_is_as_it_was_afterwards),
		cmocka_unit_test(sigusr1_never_kills_once_it_is_prepared),
		cmocka_unit_test(a_handler_leaves_errno_as_it_was),
		cmocka_unit_test(sigcont_takes_sigtstp_back),
	};

	return cmocka_run_group_tests_name("cli/signals", tests, NULL, NULL);
}

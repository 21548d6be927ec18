/* SPDX-License-Identifier: MIT */
/*
 * The parent and the child that are one command to the outside. Each test forks a process that
 * plays the command, and looks at how it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/supervise.h"

/* The process that plays the command, and the child that it made. */
struct scene {
	pid_t command;
	pid_t child;
	int told; /* what the child says by tell() */
};

static int tell_fd;

static void tell(char word)
{
	if (write(tell_fd, &word, 1) != 1)
		_exit(99);
}

static char heard(const struct scene *scene)
{
	char word = 0;

	assert_true(read(scene->told, &word, 1) >= 0);
	return word;
}

/* Starts a command whose child calls `work`, and waits until there is that child. */
static struct scene play(void (*work)(void))
{
	struct scene scene;
	int told[2];

	assert_int_equal(pipe(told), 0);
	scene.command = fork();
	assert_true(scene.command >= 0);
	if (!scene.command) {
		struct rlimit none = {0, 0};
		pid_t child;

		/* Whatever becomes of the tests: nothing of them stays. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &none);
		/* In a group that nobody in its session is above, SIGTSTP does nothing. */
		setpgid(0, 0);
		for (int signal_ = 1; signal_ < 32; signal_++)
			signal(signal_, SIG_DFL);
		close(told[0]);
		tell_fd = told[1];
		supervise();
		child = getpid();
		if (write(tell_fd, &child, sizeof(child)) != sizeof(child))
			_exit(99);
		work();
		_exit(98);
	}
	close(told[1]);
	scene.told = told[0];
	assert_int_equal(read(scene.told, &scene.child, sizeof(scene.child)), sizeof(scene.child));
	assert_int_not_equal(scene.child, scene.command);
	return scene;
}

static int end(struct scene *scene)
{
	int status;

	assert_int_equal(waitpid(scene->command, &status, 0), scene->command);
	close(scene->told);
	return status;
}

static void wait_for_ever(void)
{
	while (true)
		pause();
}

static void exit_with_7(void)
{
	_exit(7);
}

static void leave_with_5(void)
{
	supervise_leave(5);
}

static void the_command_exits_as_the_child_does(void **state)
{
	struct scene scene = play(exit_with_7);
	int status = end(&scene);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	/* It was waited for: nothing is left of it. */
	assert_int_equal(kill(scene.child, 0), -1);
	scene = play(leave_with_5);
	status = end(&scene);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void the_command_dies_of_what_the_child_dies_of(void **state)
{
	static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct scene scene = play(wait_for_ever);
		int status;

		kill(scene.child, signals[i]);
		status = end(&scene);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
	}
}

static void signals_are_passed_on(void **state)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct scene scene = play(wait_for_ever);
		int status;

		kill(scene.command, signals[i]);
		status = end(&scene);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
	}
}

static void note_signal(int signal_)
{
	(void)signal_;
	tell('s');
}

/* The signal waits until the process waits for it, however soon it comes. */
static void take_usr1_and_exit(void)
{
	sigset_t usr1, before;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	signal(SIGUSR1, note_signal);
	tell('r');
	sigsuspend(&before);
	_exit(3);
}

static void a_child_that_catches_a_signal_decides_itself(void **state)
{
	struct scene scene = play(take_usr1_and_exit);
	int status;

	(void)state;
	assert_int_equal(heard(&scene), 'r');
	kill(scene.command, SIGUSR1);
	assert_int_equal(heard(&scene), 's');
	status = end(&scene);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

/* Nobody else waits for the child, so the pipe that it alone holds says when it is gone. */
static void a_command_that_is_killed_takes_the_child_with_it(void **state)
{
	struct scene scene = play(wait_for_ever);
	int status;

	(void)state;
	kill(scene.command, SIGKILL);
	assert_int_equal(waitpid(scene.command, &status, 0), scene.command);
	assert_int_equal(heard(&scene), 0);
	close(scene.told);
}

/* The state letter of a process, '?' when there is none. */
static char state_of(pid_t pid)
{
	char path[64], text[512] = "";
	FILE *file;
	char *end_of_name;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return '?';
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	end_of_name = strrchr(text, ')');
	return end_of_name ? end_of_name[2] : '?';
}

/* Whether it comes to be in one of these states within a generous time. */
static bool comes_to(pid_t pid, const char *states)
{
	for (unsigned i = 0; i < 2000; i++) {
		if (strchr(states, state_of(pid)))
			return true;
		usleep(5000);
	}
	return false;
}

static void both_stop_and_go_on_together(void **state)
{
	struct scene scene = play(wait_for_ever);
	int status;

	(void)state;
	kill(scene.command, SIGTSTP);
	if (waitpid(scene.command, &status, WUNTRACED) != scene.command || !WIFSTOPPED(status))
		fail_msg("the command has not stopped");
	assert_true(comes_to(scene.child, "T"));
	kill(scene.command, SIGCONT);
	assert_true(comes_to(scene.command, "RS"));
	assert_true(comes_to(scene.child, "RS"));
	kill(scene.command, SIGTERM);
	status = end(&scene);
	assert_true(WIFSIGNALED(status));
}

static void *wait_in_thread(void *argument)
{
	wait_for_ever();
	return argument;
}

static void end_the_main_thread_only(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_in_thread, NULL))
		_exit(97);
	syscall(SYS_exit, 6);
}

/* As when a thread hangs in the kernel: the process is ending, and cannot be waited for. */
static void a_child_that_cannot_end_is_left_with_its_code(void **state)
{
	struct scene scene = play(end_the_main_thread_only);
	int status = end(&scene);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 6);
}

static void leave_when_told(void)
{
	dup2(tell_fd, STDOUT_FILENO);
	close(tell_fd);
	raise(SIGSTOP);
	supervise_leave(5);
}

/*
 * A tracer holds the child in the middle of its exit. The command must end with the code that it
 * was given, and whoever reads from the child's standard output must see its end.
 */
static void the_last_word_of_a_child_that_hangs_is_enough(void **state)
{
	struct scene scene = play(leave_when_told);
	int status;

	(void)state;
	assert_true(comes_to(scene.child, "T"));
	if (ptrace(PTRACE_SEIZE, scene.child, 0, PTRACE_O_TRACEEXIT)) {
		int error = errno;

		kill(scene.command, SIGKILL);
		end(&scene);
		print_message("a process cannot be traced here: %s\n", strerror(error));
		skip();
	}
	kill(scene.child, SIGCONT);
	/* The stop that it was in, the signal, and then its exit. */
	do {
		assert_int_equal(waitpid(scene.child, &status, __WALL), scene.child);
		assert_true(WIFSTOPPED(status));
		if (status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			ptrace(PTRACE_CONT, scene.child, 0, 0);
	} while (status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8));
	assert_int_equal(waitpid(scene.command, &status, 0), scene.command);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(kill(scene.child, 0), 0);
	assert_int_equal(heard(&scene), 0);
	close(scene.told);
	ptrace(PTRACE_CONT, scene.child, 0, 0);
	while (waitpid(scene.child, &status, __WALL) == scene.child && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, scene.child, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_command_exits_as_the_child_does),
		cmocka_unit_test(the_command_dies_of_what_the_child_dies_of),
		cmocka_unit_test(signals_are_passed_on),
		cmocka_unit_test(a_child_that_catches_a_signal_decides_itself),
		cmocka_unit_test(a_command_that_is_killed_takes_the_child_with_it),
		cmocka_unit_test(both_stop_and_go_on_together),
		cmocka_unit_test(a_child_that_cannot_end_is_left_with_its_code),
		cmocka_unit_test(the_last_word_of_a_child_that_hangs_is_enough),
	};

	return cmocka_run_group_tests_name("cli/supervise", tests, NULL, NULL);
}

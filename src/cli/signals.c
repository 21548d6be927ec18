/* SPDX-License-Identifier: MIT */
/*
 * The handlers: see signals.h.
 *
 * Invariant: all of them run on the one thread that listens, each with the others blocked; what
 * they share with other threads is atomic. They call only what a handler may.
 */
#include "cli/signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static struct iobatch_control *told; /* the run's control */
static int wake_fd;
static sigset_t mask_before;

static _Atomic unsigned news;
static atomic_int ending;
static atomic_bool continued;

/* Of the handler alone. */
static unsigned requests; /* to end */
static uint64_t last_request_ms;

static void on_end(int signal);
static void on_status(int signal);
static void on_stop(int signal);
static void on_continue(int signal);

static struct caught {
	int signal;
	void (*handler)(int signal);
	bool caught;
	struct sigaction before;
} signals[] = {
	{.signal = SIGINT, .handler = on_end},   {.signal = SIGTERM, .handler = on_end},
	{.signal = SIGHUP, .handler = on_end},   {.signal = SIGUSR1, .handler = on_status},
	{.signal = SIGTSTP, .handler = on_stop}, {.signal = SIGCONT, .handler = on_continue},
};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell(unsigned what)
{
	const uint64_t one = 1;

	atomic_fetch_or(&news, what);
	if (write(wake_fd, &one, sizeof(one)) < 0) {
		/* It is full: whoever listens is awake already. */
	}
}

static void on_end(int signal)
{
	int error = errno;
	uint64_t now = now_ms();

	if (!requests || now - last_request_ms >= SIGNALS_SAME_MS) {
		last_request_ms = now;
		requests++;
		if (requests == 1) {
			atomic_store(&ending, signal);
			iobatch_control_drain(told);
			tell(SIGNALS_DRAIN);
		} else if (requests == 2) {
			iobatch_control_cancel(told);
			tell(SIGNALS_CANCEL);
		} else {
			struct sigaction dies = {.sa_handler = SIG_DFL};

			/* It is blocked now: the process dies of it when this returns. */
			sigaction(signal, &dies, NULL);
			raise(signal);
		}
	}
	errno = error;
}

static void on_status(int signal)
{
	int error = errno;

	(void)signal;
	tell(SIGNALS_STATUS);
	errno = error;
}

static void on_stop(int signal)
{
	int error = errno;

	(void)signal;
	atomic_store(&continued, false);
	tell(SIGNALS_STOP);
	errno = error;
}

static void on_continue(int signal)
{
	int error = errno;

	(void)signal;
	atomic_store(&continued, true);
	tell(SIGNALS_CONTINUE);
	errno = error;
}

static void on_nothing(int signal)
{
	(void)signal;
}

void signals_prepare(void)
{
	struct sigaction action = {.sa_handler = on_nothing, .sa_flags = SA_RESTART}, before;

	/* Not SIG_IGN: that would look like something that is to stay ignored. */
	if (!sigaction(SIGUSR1, NULL, &before) && before.sa_handler == SIG_DFL)
		sigaction(SIGUSR1, &action, NULL);
}

static void caught_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(set, signals[i].signal);
}

void signals_catch(struct iobatch_control *control, int wake)
{
	struct sigaction action = {.sa_flags = SA_RESTART};

	told = control;
	wake_fd = wake;
	requests = 0;
	atomic_store(&news, 0);
	atomic_store(&ending, 0);
	atomic_store(&continued, false);
	caught_signals(&action.sa_mask);
	pthread_sigmask(SIG_BLOCK, &action.sa_mask, &mask_before);
	for (size_t i = 0; i < SIGNALS; i++) {
		struct caught *caught = &signals[i];

		action.sa_handler = caught->handler;
		sigaction(caught->signal, NULL, &caught->before);
		caught->caught = caught->before.sa_handler != SIG_IGN;
		if (caught->caught)
			sigaction(caught->signal, &action, NULL);
	}
}

void signals_listen(void)
{
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

void signals_release(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (signals[i].caught)
			sigaction(signals[i].signal, &signals[i].before, NULL);
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

unsigned signals_take(void)
{
	return atomic_exchange(&news, 0);
}

int signals_ending(void)
{
	return atomic_load(&ending);
}

bool signals_continued(void)
{
	return atomic_load(&continued);
}

void signals_stop(void)
{
	struct sigaction stops = {.sa_handler = SIG_DFL}, caught;
	sigset_t on, before;

	sigemptyset(&on);
	sigaddset(&on, SIGCONT);
	/* Between the look and the stop a SIGCONT must not be taken for one that came earlier. */
	pthread_sigmask(SIG_BLOCK, &on, &before);
	if (!signals_continued()) {
		sigaction(SIGTSTP, &stops, &caught);
		raise(SIGTSTP);
		sigaction(SIGTSTP, &caught, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

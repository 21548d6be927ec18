/* SPDX-License-Identifier: MIT */
/* A signal that interrupts, and whose handler it is: see interrupt.h. */
#include "executor/interrupt.h"

#include <assert.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction before; /* what the program had, while there are users */

static void do_nothing(int signal)
{
	(void)signal;
}

static bool is_ours(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == do_nothing;
}

static bool is_free(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) &&
	       (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN);
}

bool interrupt_acquire(void)
{
	struct sigaction now, ours = {.sa_handler = do_nothing};
	bool usable;

	sigemptyset(&ours.sa_mask);
	pthread_mutex_lock(&lock);
	/* It is looked at again with every user: the program may have come by a handler since. */
	usable = sigaction(INTERRUPT_SIGNAL, NULL, &now) == 0 && (is_ours(&now) || is_free(&now));
	if (usable && !is_ours(&now)) {
		usable = sigaction(INTERRUPT_SIGNAL, &ours, NULL) == 0;
		before = now;
	}
	if (usable)
		users++;
	pthread_mutex_unlock(&lock);
	return usable;
}

void interrupt_release(void)
{
	struct sigaction now;

	pthread_mutex_lock(&lock);
	assert(users > 0);
	users--;
	if (users == 0 && sigaction(INTERRUPT_SIGNAL, NULL, &now) == 0 && is_ours(&now))
		(void)sigaction(INTERRUPT_SIGNAL, &before, NULL);
	pthread_mutex_unlock(&lock);
}

void interrupt_thread(pthread_t thread)
{
	(void)pthread_kill(thread, INTERRUPT_SIGNAL);
}

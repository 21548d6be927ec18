/* SPDX-License-Identifier: MIT */
/*
 * Interrupts system calls of other threads by a signal, SIGURG, which does nothing by default. What
 * it takes for that is a handler without SA_RESTART: a signal without a handler interrupts nothing.
 * The handler is the process's, so that it is counted here over all who need it, and taken away
 * with the last. A program that has a handler of its own keeps it.
 */
#ifndef EXECUTOR_INTERRUPT_H
#define EXECUTOR_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#define INTERRUPT_SIGNAL SIGURG

/* False: the program has a handler of its own for the signal, and nothing can be interrupted. */
bool interrupt_acquire(void);

/* Once for each interrupt_acquire() that was true. */
void interrupt_release(void);

/*
 * Interrupts what `thread`, which has not been joined and does not block the signal, is waiting for
 * in the kernel. When it is about to begin a system call, the signal may come too early and do
 * nothing.
 */
void interrupt_thread(pthread_t thread);

#endif

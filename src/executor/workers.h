/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads that make the system calls of ops: all that the syscall executor does, and what
 * a ring has no opcode for. A sequence goes to one thread as a whole, and means there what it means
 * on a ring: the failure of an op that breaks links (or -EBADF of any op), or a short read or
 * write, cancels what is behind it, and each op completes with its own result.
 *
 * A pool belongs to the thread that made it: all functions but workers_wake() are that thread's.
 * Everything is bounded and allocated when the pool is made. It knows neither rings nor timers.
 */
#ifndef EXECUTOR_WORKERS_H
#define EXECUTOR_WORKERS_H

#include "executor/executor.h"

struct workers;

struct workers_config {
	unsigned threads; /* at least 1 */
	/*
	 * As long as ops wait and none ends, since all threads are held up in system calls, more
	 * threads are made every few milliseconds, twice as many as the last time, up to this many.
	 */
	unsigned threads_max;
	/* Ops that are queued, running, or complete and not taken yet, at least 1. */
	unsigned ops_max;
	/* Places for descriptors that requests with `direct` refer to; 0 = there are none. */
	unsigned files;
	/*
	 * Will deadlines be given? Only then are system calls interrupted, by SIGURG: the pool sees
	 * to it that the signal has a handler while it exists, but leaves a program's own alone.
	 */
	bool deadlines;
	/*
	 * An eventfd of the caller's, or -1. 1 is added to it when there are completions to take
	 * after there were none; what is in it says nothing else.
	 */
	int event_fd;
	void (*log)(void *context, enum iobatch_log_level level, const char *message);
	void *log_context;
};

/* -ENOMEM, or -EAGAIN when not even one thread can be made; with fewer than wanted it goes on. */
int workers_new(const struct workers_config *config, struct workers **ret_workers);

/*
 * Queues a sequence, whole or not at all. It starts with the next call of any other function here
 * at the latest. What is still queued at `deadline_ns` (CLOCK_MONOTONIC, 0 = none) is not begun:
 * -ECANCELED. Timers are refused by assertion. 0, or -EAGAIN when there is no room before
 * completions are taken.
 */
int workers_submit(struct workers *workers, const struct executor_request *requests, unsigned count,
                   uint64_t deadline_ns);

/* Starts what is queued. */
void workers_flush(struct workers *workers);

/*
 * Asks that an op in flight end. In a queue it does at once, with what is linked behind it; a
 * system call is interrupted when config.deadlines allows for that, again and again, at times that
 * workers_due_ns() tells: many calls cannot be interrupted and go on.
 * Returns false when the pool has no such op.
 */
bool workers_cancel(struct workers *workers, uint64_t id);

/*
 * Takes up to `max` completions, and does what is due. Never waits. What it leaves when it returns
 * `max` is not announced again.
 */
unsigned workers_take(struct workers *workers, struct executor_completion *ret, unsigned max);

/*
 * The same, but waits for a completion, at the longest until `until_ns` (UINT64_MAX = for ever, a
 * time that has passed = not at all). Returns 0 at the end of that time, or when it was woken.
 */
unsigned workers_wait(struct workers *workers, struct executor_completion *ret, unsigned max,
                      uint64_t until_ns);

/*
 * Ends the workers_wait() that goes on, and those to come until that is forgotten. From any thread
 * or signal handler.
 */
void workers_wake(struct workers *workers);
bool workers_are_woken(const struct workers *workers);
void workers_forget_wake(struct workers *workers);

/*
 * When workers_take() should be called although nothing may have completed: an op waits whose
 * deadline passes, or a call is to be interrupted again. UINT64_MAX = never. workers_wait() heeds
 * it by itself.
 */
uint64_t workers_due_ns(struct workers *workers);

/* Ops that were submitted and whose completions have not been taken. */
unsigned workers_in_flight(const struct workers *workers);

/* Raises config.threads_max: as many hang, and are not to stand in the way of the others. */
void workers_grow(struct workers *workers, unsigned count);

/*
 * Gives up what is in flight. Threads that do not come back from a system call, even though it is
 * interrupted, are left to themselves, with what they use: each ends when its call does, and closes
 * what it opened. `workers` may be NULL.
 */
void workers_free(struct workers *workers);

#endif

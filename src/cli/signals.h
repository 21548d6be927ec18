/* SPDX-License-Identifier: MIT */
/*
 * Signals as words to a run: SIGINT, SIGTERM and SIGHUP end it, gently, then at once, then by
 * killing the process; SIGUSR1 asks how far it is; SIGTSTP stops it between items, and SIGCONT has
 * it go on. A handler does what cannot wait and notes the rest for a thread that can print. What is
 * ignored when the process starts stays ignored. There is one run of this kind in a process.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <iobatch.h>
#include <signal.h>
#include <stdbool.h>

/* What has come since the last look. */
enum signals_news {
	SIGNALS_DRAIN = 1,
	SIGNALS_CANCEL = 2,
	SIGNALS_STATUS = 4,
	SIGNALS_STOP = 8,
	SIGNALS_CONTINUE = 16,
};

/* A repeated request counts as one within this time: a group is often told twice at once. */
#define SIGNALS_SAME_MS 100

/*
 * At the start of the process: from now on SIGUSR1 does not kill, also when it comes before there
 * is a run that could answer, or after it.
 */
void signals_prepare(void);

/*
 * Catches them, and blocks them in this thread and in those that it makes from then on, so that no
 * call of the run is ever interrupted. The thread that is to run the handlers calls
 * signals_listen(). `wake` is an eventfd (or another descriptor that takes 8 bytes and never
 * blocks), which is written to when there is news. signals_release() makes all as it was.
 */
void signals_catch(struct iobatch_control *control, int wake);
void signals_listen(void);
void signals_release(void);

/* The news (enum signals_news), which is then old. */
unsigned signals_take(void);

/* The signal that has asked for the end, 0 = none. */
int signals_ending(void);

/* Has somebody said SIGCONT since the SIGTSTP that is in the news? */
bool signals_continued(void);

/*
 * Stops the process as SIGTSTP does by default, unless it is to go on already; returns when it goes
 * on. From the thread that listens.
 */
void signals_stop(void);

#endif

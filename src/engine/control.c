/* SPDX-License-Identifier: MIT */
/*
 * Controls of runs, on the side of those who ask. Who does (any thread, or a signal handler) writes
 * down what is wanted, counts the request and rings the bell of each reaper; a reaper looks at the
 * count before each wait, and takes up what is written: control_reaper.c.
 *
 * Invariant: no request is lost, since the count goes up before a bell is rung and a bell that is
 * rung before a wait ends that wait; and nobody rings at a reaper that is gone. Who rings is a
 * visitor of the bell while he does; a reaper shuts its bell and waits until the last visitor has
 * left, and a shut bell takes no visitors. Nothing here that a signal handler may call waits,
 * allocates or takes a lock.
 */
#include "engine/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"

#define MS_MAX (UINT64_C(100) * 366 * 24 * 3600 * 1000)
#define CONCURRENT_MAX 65536u
#define PER_S_MAX UINT64_C(1000000000)
/* How long to wait for a visitor before looking again. */
#define VISITOR_NS 20000

/* ------------------------------------------------------------- asking -- */

static void ring(struct bell *bell)
{
	uint32_t visitors = atomic_load(&bell->visitors);

	do {
		if (!(visitors & BELL_OPEN))
			return;
	} while (!atomic_compare_exchange_weak(&bell->visitors, &visitors, visitors + 1));
	if (bell->executor)
		bell->executor->ops->wake(bell->executor);
	else if (!atomic_exchange(&bell->rung, true))
		sem_post(&bell->rests);
	atomic_fetch_sub(&bell->visitors, 1);
}

/* Something has changed. A signal handler leaves errno as it was. */
static void tell(struct iobatch_control *control)
{
	int error = errno;

	atomic_fetch_add(&control->changes, 1);
	for (unsigned i = 0; i < CONTROL_BELLS; i++)
		ring(&control->bells[i]);
	errno = error;
}

void iobatch_control_pause(struct iobatch_control *control)
{
	if (!(atomic_fetch_or(&control->wanted, WANTED_PAUSE) & WANTED_PAUSE))
		tell(control);
}

void iobatch_control_resume(struct iobatch_control *control)
{
	if (atomic_fetch_and(&control->wanted, ~(uint32_t)WANTED_PAUSE) & WANTED_PAUSE)
		tell(control);
}

void iobatch_control_drain(struct iobatch_control *control)
{
	if (!(atomic_fetch_or(&control->wanted, WANTED_DRAIN) & WANTED_DRAIN))
		tell(control);
}

void iobatch_control_cancel(struct iobatch_control *control)
{
	if (!(atomic_fetch_or(&control->wanted, WANTED_CANCEL) & WANTED_CANCEL))
		tell(control);
}

int iobatch_control_set(struct iobatch_control *control, enum iobatch_limit limit, uint64_t value)
{
	const uint64_t max[CONTROL_LIMITS] = {
		[IOBATCH_LIMIT_MAX_CONCURRENT] = control->concurrent_max,
		[IOBATCH_LIMIT_DELAY_MS] = MS_MAX,
		[IOBATCH_LIMIT_ITEMS_PER_S] = PER_S_MAX,
	};

	if ((unsigned)limit >= CONTROL_LIMITS || value > max[limit] ||
	    (limit == IOBATCH_LIMIT_MAX_CONCURRENT && value == 0))
		return -EINVAL;
	atomic_store(&control->limits[limit], value);
	tell(control);
	return 0;
}

/* ------------------------------------------------------- making, freeing -- */

int iobatch_control_new(struct iobatch_control **ret_control)
{
	struct iobatch_control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	pthread_mutex_init(&control->lock, NULL);
	control->concurrent_max = CONCURRENT_MAX;
	for (unsigned i = 0; i < CONTROL_LIMITS; i++)
		control->limits[i] = CONTROL_UNSET;
	for (unsigned i = 0; i < CONTROL_BELLS; i++)
		sem_init(&control->bells[i].rests, 0, 0);
	*ret_control = control;
	return 0;
}

void iobatch_control_free(struct iobatch_control *control)
{
	if (!control)
		return;
	for (unsigned i = 0; i < CONTROL_BELLS; i++)
		sem_destroy(&control->bells[i].rests);
	pthread_mutex_destroy(&control->lock);
	free(control);
}

/* --------------------------------------------------------- how far it is -- */

static uint64_t machine_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* The lock is held, and there is a run. */
static void look_at_run(const struct iobatch_control *control, struct iobatch_progress *ret)
{
	struct run *run = control->run;
	uint64_t elapsed_ns = run->tally.elapsed_ns;

	/* Simulated time is what the reapers say it is. Before the start it may yet be another. */
	if (control->start_ns && run->executor != IOBATCH_EXECUTOR_SIMULATED)
		elapsed_ns = machine_ns() - control->start_ns;
	tally_progress(run, elapsed_ns, ret);
}

enum iobatch_state iobatch_control_progress(struct iobatch_control *control,
                                            struct iobatch_progress *ret_progress)
{
	enum iobatch_state state = IOBATCH_STATE_WAITING;
	struct iobatch_progress progress;
	uint32_t wanted = control->wanted;

	pthread_mutex_lock(&control->lock);
	progress = control->progress;
	if (control->run) {
		look_at_run(control, &progress);
		state = IOBATCH_STATE_RUNNING;
		if (control->run->halted || control->run->drained ||
		    wanted & (WANTED_DRAIN | WANTED_CANCEL))
			state = IOBATCH_STATE_ENDING;
		/* Also one that ends soon: what it has taken waits for somebody. */
		else if (wanted & WANTED_PAUSE)
			state = IOBATCH_STATE_PAUSED;
		else if (control->run->soon)
			state = IOBATCH_STATE_ENDING;
	}
	pthread_mutex_unlock(&control->lock);
	*ret_progress = progress;
	return state;
}

/* --------------------------------------------------------- the run's side -- */

int control_claim(struct run *run)
{
	struct iobatch_control *control = run->options.control;
	int result = 0;

	if (!control)
		return 0;
	pthread_mutex_lock(&control->lock);
	if (control->run) {
		snprintf(run->message, sizeof(run->message),
		         "options.control has a run that still goes on");
		result = -EBUSY;
	} else {
		control->run = run;
		control->start_ns = 0;
		control->concurrent_max = run->concurrent_max;
	}
	pthread_mutex_unlock(&control->lock);
	return result;
}

void control_attach(struct run *run)
{
	struct iobatch_control *control = run->options.control;

	run->meter.base_ns = reaper_clock_ns(&run->reapers[0]);
	if (!control)
		return;
	pthread_mutex_lock(&control->lock);
	control->start_ns = machine_ns();
	pthread_mutex_unlock(&control->lock);
	for (unsigned i = 0; i < run->reapers_count; i++) {
		struct bell *bell = &control->bells[i];

		bell->executor = run->executor == IOBATCH_EXECUTOR_SIMULATED
		                         ? NULL
		                         : run->reapers[i].executor;
		run->reapers[i].control.on = true;
		/* What was asked before is looked at first of all. */
		run->reapers[i].control.seen = control->changes - 1;
		atomic_store(&bell->visitors, BELL_OPEN);
	}
}

void control_detach(struct reaper *reaper)
{
	const struct timespec pause = {.tv_nsec = VISITOR_NS};
	struct bell *bell;

	if (!reaper->control.on)
		return;
	bell = &reaper->run->options.control->bells[reaper->number];
	atomic_fetch_and(&bell->visitors, ~BELL_OPEN);
	while (atomic_load(&bell->visitors) != 0)
		nanosleep(&pause, NULL);
}

void control_release(struct run *run)
{
	struct iobatch_control *control = run->options.control;

	if (!control)
		return;
	pthread_mutex_lock(&control->lock);
	if (control->run == run) {
		if (control->start_ns)
			look_at_run(control, &control->progress);
		control->run = NULL;
		control->concurrent_max = CONCURRENT_MAX;
	}
	pthread_mutex_unlock(&control->lock);
}

int control_verdict(struct run *run)
{
	struct iobatch_control *control = run->options.control;

	if (!control || !run->cut || run->end != IOBATCH_END_COMPLETE)
		return 0;
	snprintf(run->message, sizeof(run->message),
	         "the run was drained: what had started went on to its outcome, and the rest was "
	         "not begun");
	run->end = IOBATCH_END_DRAINED;
	return -ECANCELED;
}

void control_wake(struct run *run)
{
	if (run->options.control)
		tell(run->options.control);
}

bool control_pause_run(struct run *run)
{
	struct iobatch_control *control = run->options.control;

	if (!control || control->wanted & (WANTED_DRAIN | WANTED_CANCEL))
		return false;
	iobatch_control_pause(control);
	return true;
}

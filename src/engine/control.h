/* SPDX-License-Identifier: MIT */
/*
 * Controls of runs. Signal handlers and other threads ask (control.c); each reaper looks before
 * each wait and takes up what has changed (control_reaper.c): one that is paused starts nothing,
 * and its clock of pauses, on which delays and backoffs run, stands still. Limits hold without a
 * control as well (meter.c).
 */
#ifndef ENGINE_CONTROL_H
#define ENGINE_CONTROL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <iobatch.h>

#include "engine/slot.h"

struct executor;
struct reaper;
struct run;
struct window;

#define CONTROL_BELLS 64u
#define CONTROL_LIMITS 3u
/* Of a limit: the option holds. */
#define CONTROL_UNSET UINT64_MAX
#define BELL_OPEN 0x80000000u

enum wanted {
	WANTED_PAUSE = 1,
	WANTED_DRAIN = 2,
	WANTED_CANCEL = 4,
};

/* By which a reaper is woken. */
struct bell {
	_Atomic uint32_t visitors; /* and BELL_OPEN */
	struct executor *executor; /* that is woken; NULL = the simulated one, whose reaper... */
	sem_t rests;               /* ...waits for this */
	atomic_bool rung;
};

struct iobatch_control {
	_Atomic uint32_t wanted;  /* enum wanted */
	_Atomic uint32_t changes; /* requests so far */
	_Atomic uint64_t limits[CONTROL_LIMITS];
	_Atomic uint32_t concurrent_max; /* of the run */
	struct bell bells[CONTROL_BELLS];
	pthread_mutex_t lock; /* of those below: never taken by a signal handler */
	struct run *run;
	uint64_t start_ns;                /* of the run, on the clock of the machine */
	struct iobatch_progress progress; /* of the last run, when there is none */
};

/*
 * Items that may start in a second, of all reapers together: when the last one did, in 256ths of a
 * nanosecond since the beginning (and METER_START); 0 = none has.
 */
struct meter {
	_Atomic uint64_t last;
	uint64_t base_ns;
};

/* A reaper's part. The limits hold without a control as well. */
struct reaper_control {
	unsigned windows_max;      /* with a batch in flight */
	uint64_t delay_ns;         /* between the items of a window */
	uint64_t interval;         /* between starts, as in struct meter; 0 = none */
	struct slot_queue metered; /* items that wait for their turn... */
	uint64_t metered_ns;       /* ...until then */

	bool on;       /* the run has a control */
	bool paused;   /* nothing starts */
	bool draining; /* nothing more will start */
	uint32_t seen; /* as many requests have been taken up */
	uint64_t paused_since_ns;
	uint64_t stood_ns;           /* how long the clock of pauses has stood still before that */
	struct slot_queue held;      /* backoffs that stand still, or wait for room */
	struct window *held_windows; /* delays that do */
};

/* control.c: the run's side of those who ask. */
/* The control belongs to the run now. 0, or -EBUSY when it has another. */
int control_claim(struct run *run);
/* All executors stand: requests reach the reapers from now on. */
void control_attach(struct run *run);
/* The reaper's executor goes: nobody wakes it any more once this returns. */
void control_detach(struct reaper *reaper);
/* The run has ended. */
void control_release(struct run *run);
/* -ECANCELED when the run was ended by its control before its time, else 0. */
int control_verdict(struct run *run);
/* Wakes all reapers: something concerns all of them. */
void control_wake(struct run *run);
/*
 * Pauses the run as its control would. Returns false when it has none that could let it go on. From
 * a reaper's thread.
 */
bool control_pause_run(struct run *run);

/* meter.c: limits, those that the reaper begins with and those that are in force now. */
void meter_take_limits(struct reaper *reaper);
/* The run goes on: nothing is made up for of the time before now. */
void meter_reset(struct reaper *reaper);
/* Has those items start, of those that wait for their turn, whose turn it is. */
void meter_serve(struct reaper *reaper);

/* control_reaper.c */
/*
 * These three are for a reaper whose run has a control. Takes up what was asked since the last
 * time; has anything been asked since then? May anything start now?
 */
void control_look_now(struct reaper *reaper);
bool control_is_asked_now(const struct reaper *reaper);
bool control_lets_start_now(struct reaper *reaper);
/* Is there anything that goes on only when somebody says so, or will be taken then? */
bool control_is_held(const struct reaper *reaper);
/*
 * What is held waits for somebody to say something, and time is simulated: waits for that in real
 * time. Returns false when there is something to wait for on the reaper's own clock.
 */
bool control_rests(struct reaper *reaper);
/* Delays and backoffs that stood still go on, as far as the executor has room. */
void control_go_on(struct reaper *reaper);
/* Now, on the clock of pauses. */
uint64_t control_clock_ns(const struct reaper *reaper);
/* A backoff has run its time, on the executor's clock. Returns whether it is over. */
bool control_backoff_is_over(struct reaper *reaper, struct slot *slot);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the random test and its observer share: the seed's numbers, the checks, and the world of one
 * seed, in which both write down what they see.
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEMS_MAX 60u
#define BUFFER_SIZE 4096u
#define RINGS_MAX 3u
#define CONCURRENT_MAX 5u
#define TAKEN_MAX 64u

extern _Thread_local uint64_t current_seed; /* for the message */

/* Ends the test, also from the threads of the rings, in which cmocka's asserts cannot be used. */
void broken(const char *file, int line, const char *what);

#define CHECK(condition) ((condition) ? (void)0 : broken(__FILE__, __LINE__, #condition))

/* SplitMix64. */
static inline uint64_t draw(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t below(uint64_t *random, uint64_t limit)
{
	return draw(random) % limit;
}

static inline bool one_in(uint64_t *random, unsigned n)
{
	return below(random, n) == 0;
}

/* What was seen of an item. */
struct record {
	uint32_t attempts;
	uint32_t cleanups;
	uint32_t starts;   /* of its attempts; `attempts` are those that count */
	int failed_with;   /* the last attempt, as its clean-up saw it; 0 = it had none */
	uint64_t first_ns; /* when the first attempt started */
	unsigned settled;
	unsigned told;
	unsigned released;
	const struct slot *slot; /* in which it settled */
	bool skipped;            /* by the attempt */
	bool stuck;              /* when it settled */
	bool over;               /* the processor has ended the attempt */
	int error;               /* when it settled */
	int given; /* the attempt's error as the processor gave it; 0 = it gave none */
	uint64_t bytes;
	/* On the clock of the item's ring. */
	uint64_t start_ns;   /* of the attempt */
	uint64_t last_ns;    /* the processor's last callback */
	uint64_t settled_ns; /* the item's end */
	uint64_t stood_ns;   /* how long the clock of pauses had stood still then */
	uint64_t errnos[3];  /* bits: with which ops of the attempt have failed */
};

struct world {
	uint64_t seed;
	struct iobatch_options options;
	struct iobatch_processor processor;
	struct iobatch_simulation simulation;
	uint64_t values[ITEMS_MAX];
	struct record records[ITEMS_MAX];
	unsigned count;
	unsigned streamed;
	bool direct_files, timers_link;
	uint32_t unlinkable;     /* bits of opcodes */
	bool may_halt;           /* more may be stuck than the run allows, or fail */
	bool may_fail_early;     /* by the policy */
	uint32_t short_of_files; /* of 1000 opens: those that find no descriptor */
	_Atomic uint64_t opens;
	int listed[3]; /* errors to be tried again after */
	struct iobatch_progress last;
	struct slot *slots[RINGS_MAX];                  /* of each ring, once it has begun */
	uint64_t settled_ns[RINGS_MAX][CONCURRENT_MAX]; /* the last item of each window */
	_Atomic uint64_t ops;
	_Atomic unsigned late;        /* items that have timed out, and... */
	_Atomic unsigned late_before; /* ...those that waited for another attempt then */
	_Atomic unsigned left_behind; /* slots of which ops were in flight at the end */
	uint64_t bytes;
	uint64_t skipped;
	_Atomic unsigned taken; /* descriptors, out of items */
	_Atomic unsigned batch_left[ITEMS_MAX];
	_Atomic unsigned batches_active;
	uint64_t digest; /* of what on_settled was told */

	/* With a control: what was asked of it, and when. */
	_Atomic uint64_t asks;
	uint64_t asks_seed;
	bool starts;             /* in a run of one ring: an attempt does right now */
	uint64_t delay_least_ms; /* of all that were in force */
	uint32_t concurrent_most;
	_Atomic uint32_t limit;
	uint64_t rate;            /* items in a second; 0 = any... */
	uint64_t rate_since_ns;   /* ...since then... */
	uint64_t rate_starts;     /* ...in which so many started... */
	uint64_t rate_ahead;      /* ...besides those whose turn had come */
	bool stands;              /* the clock of pauses, in a run of one ring... */
	uint64_t stands_since_ns; /* ...since then... */
	uint64_t stood_ns;        /* ...and before */
	uint64_t stood_at[RINGS_MAX][CONCURRENT_MAX]; /* as the last item of a window settled */
};

/* The clock of the ring that an item is on. */
static inline uint64_t clock_of(const struct iobatch_item *item)
{
	const struct executor *executor = slot_reaper((const struct slot *)item)->executor;

	return executor->ops->now_ns((struct executor *)executor);
}

/* May an op be run again although it was perhaps carried out? Known by heart. */
bool observer_is_idempotent(int opcode);

/* random_policy.c: draws options, of a world that has the others. */
void policy_draw(struct world *world, uint64_t *random);
/* Is an error one after which the options want another attempt? */
bool policy_wants_retry(const struct world *world, int error);
/* Is the run paused when a file system is full, and does the item start over behind that? */
bool policy_may_hold(const struct world *world);
bool policy_holds_on(const struct world *world, int error);
/* The longest pause behind an attempt. */
uint64_t policy_pause_after_ns(const struct world *world, uint32_t attempt);
/* How the run has ended, and what failed. */
void policy_check(const struct world *world, int error, const struct iobatch_result *result);

/* random_control.c: draws whether there is a control. The other options have been drawn. */
void control_draw(struct world *world, uint64_t *random);
/* On the thread of each ring, before it begins. */
void control_begin(struct world *world);
/* Something may be asked now: seldom it is. */
void control_ask(struct world *world, bool seldom);
void control_ask_at_start(struct world *world);
/* A ring is about to wait, or to look at the time. */
void control_look_on(struct world *world, uint64_t now_ns);
/* How long the clock of pauses has stood still; 0 where there are several. */
uint64_t control_stood_ns(const struct world *world);
/* The stream is asked for an item; an attempt starts; the run has ended. */
void control_takes(struct world *world);
void control_starts(struct world *world, const struct iobatch_item *item);
void control_check(struct world *world, int error, const struct iobatch_result *result);

/* Does a slot have a file open, as the observer (the executor) sees it? */
bool observer_holds_files(const struct executor *executor, unsigned slot);

#endif

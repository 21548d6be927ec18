/* SPDX-License-Identifier: MIT */
/*
 * A run with a control whose item 0 is the operator: an item whose ops are pauses, between which it
 * asks. So on the simulator all happens at a known time.
 */
#ifndef TESTS_ENGINE_PLAY_H
#define TESTS_ENGINE_PLAY_H

#include "engine/engine.h"
#include "trial.h"

#define ITEMS 100u

enum act {
	ACT_END,
	ACT_PAUSE,
	ACT_RESUME,
	ACT_DRAIN,
	ACT_CANCEL,
	ACT_ITEMS_PER_S,
	ACT_DELAY_MS,
	ACT_MAX_CONCURRENT,
	ACT_SEE_STATE, /* asks nothing: it is as given */
	ACT_FAIL,      /* the operator does, with EDOM */
};

/* What the operator does, and when: at a time of the run. */
struct deed {
	uint64_t at_ms;
	enum act act;
	uint64_t value;
};

struct play {
	struct iobatch_control *control;
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;
	struct deed deeds[12]; /* ended by ACT_END */
	unsigned count;        /* of items, the operator included */
	bool fails;            /* the items' ops, each time... */
	int error;             /* ...on the simulator with this; 0 = ENOENT */
	bool hangs;            /* they never end by themselves */
	uint64_t busy_ms;      /* how long one takes */
	int silent[2];         /* a pipe */
	char objects[ITEMS];

	unsigned done;        /* deeds */
	bool paused;          /* by the operator, and not resumed */
	uint64_t begun_ns;    /* the operator's start */
	unsigned starts;      /* attempts */
	uint64_t start_ns[8]; /* of the first of them, since then */
	struct iobatch_outcome outcomes[ITEMS];
	uint64_t settled_ns[ITEMS];
	unsigned settled;
};

/* Ten items, two at a time; to be changed as wanted before it runs. */
void play_init(struct play *play, unsigned executor);
/* What iobatch_run() returned. Its counts agree, and it has left no descriptor open. */
int play_run(struct play *play);
void play_deinit(struct play *play);
/* The run came to its end with all items, and `error` is 0. */
void play_assert_complete(struct play *play, int error);

/* On the item's executor. */
uint64_t play_now(const struct iobatch_item *item);

#endif

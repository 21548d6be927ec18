/* SPDX-License-Identifier: MIT */
/*
 * The inside of the engine: what a run consists of while it goes on.
 *
 *     run      everything that its reapers share: intake, tally, options
 *     reaper   one executor (one ring) and the windows, slots and buffers that belong to it
 *     window   a place for one batch in flight
 *     slot     a place for one item in flight, with its attempt and its chain
 *
 * A reaper and what belongs to it is touched by its thread only. What the reapers share is taken
 * once for a batch (intake) and, when somebody listens, once for a settled item (tally). The engine
 * knows ops and the executor interface; neither io_uring nor job files.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include <iobatch.h>

#include "executor/executor.h"
#include "op/op.h"

#define FILES_MAX 16u
#define OPS_MAX 128u
#define BUFFERS_MAX 64u

/* ------------------------------------------------------------- slots -- */

/* Where an attempt stands. */
enum slot_phase {
	SLOT_IDLE,    /* no attempt: before the first, in a backoff, or settled */
	SLOT_RUNNING, /* the processor's chains */
	SLOT_CLOSING, /* closing what the attempt has left open */
	SLOT_CLEANUP, /* the processor's clean-up after a failure */
};

/* A set of op numbers. */
struct op_set {
	uint64_t bits[OPS_MAX / 64];
};

struct slot {
	struct iobatch_item item; /* first: the processor's handle is the slot */

	/* What every item needs comes first, in as few cache lines as possible. */
	struct window *window;
	struct slot *next; /* in the one list that the slot is in */
	uint32_t number;
	uint32_t generation;  /* of the chain, so that ids are not used twice */
	uint64_t deadline_ns; /* of the attempt; 0 = none */
	uint32_t files_open;  /* bits of `files` */
	int error;            /* the attempt's first failure */
	int failed_opcode;    /* the op that failed, or -1 */
	uint16_t outstanding; /* completions that are owed, timers included */
	uint8_t phase;        /* enum slot_phase */
	bool blocked;         /* in the reaper's list of those that wait for room */
	uint8_t current;      /* chains[current] runs, the other is the one before or the next */
	uint8_t position;     /* in order: the first op that is not done */
	uint8_t submitted;    /* in order: the first op that is not handed over */
	uint16_t interrupted; /* EINTR and EAGAIN in a row; unordered: of all ops */

	struct iobatch_chain chains[2];
	struct op_set wanted; /* unordered: ops to be handed over */
	int *files;           /* descriptors, when the executor has no direct ones */
	const struct iobatch_error *own_error;
} __attribute__((aligned(64)));

struct window {
	struct reaper *reaper;
	struct window *next; /* in the list of windows to be filled */
	uint32_t first_slot;
	uint32_t size;      /* items of the batch */
	uint32_t started;   /* with a delay: items of it that were started */
	uint32_t unsettled; /* items of it that have no outcome yet */
	bool used;          /* has an item been started in this window, so that a pause is due? */
};

struct slot_queue {
	struct slot *first;
	struct slot **last;
};

/* ------------------------------------------------------------ reapers -- */

/* Buffers of one reaper: a stack of free ones over one mapping. */
struct pool {
	char *memory;
	size_t memory_size;
	void **free;
	unsigned free_count;
	unsigned count;
};

/* What a reaper has counted and not yet published. */
struct tally_part {
	uint64_t successful;
	uint64_t failed;
	uint64_t retries;
	uint64_t bytes;
};

struct reaper {
	struct run *run;
	unsigned number;
	pthread_t thread;
	int error;            /* of the set-up, or of the executor */
	bool executor_failed; /* is the set-up's error the executor's? */

	struct executor *executor;
	uint64_t now_ns; /* the clock as of the last wait */
	uint64_t start_ns;
	bool reads_clock;
	unsigned in_flight; /* completions that the executor owes */
	uint64_t ops;

	struct window *windows;
	unsigned windows_count;
	struct slot *slots;
	unsigned slots_count;
	struct pool pool;

	struct window *to_fill;
	struct slot_queue ready;    /* an attempt is to start */
	struct slot_queue starving; /* an attempt waits for buffers */
	struct slot_queue blocked;  /* a chain waits for room in the executor */
	struct slot_queue resting;  /* a backoff waits for room in the executor */
	struct window *to_pause;    /* a delay waits for room in the executor */

	struct tally_part part;
	uint64_t published_ns;

	void *region; /* memory behind the slots */
	size_t region_size;
};

/* ---------------------------------------------------------------- run -- */

/* Where items come from. */
struct intake {
	const struct iobatch_items *items;
	pthread_mutex_t lock; /* of a stream */
	bool ended;
	int error;
	_Atomic uint64_t taken;
	_Atomic uint64_t batches;
	_Atomic uint64_t total; /* items known so far, or of all */
	_Atomic bool total_is_final;
};

/* Outcomes of one kind, as they are collected. */
struct outcome_list {
	struct iobatch_outcome *items;
	uint64_t count;
	uint64_t max;
};

/* What the reapers have published. */
struct tally {
	pthread_mutex_t lock;
	struct tally_part sum;
	struct outcome_list successful;
	struct outcome_list failed;
	bool lists_incomplete;
	_Atomic uint32_t batches_in_flight;
	_Atomic uint32_t batches_peak;
};

struct run {
	struct iobatch_options options;
	const struct iobatch_processor *processor;
	struct intake intake;
	struct tally tally;
	struct reaper *reapers;
	unsigned reapers_count;
	bool success_is_silent; /* nobody wants to hear of an item that succeeds */
	unsigned windows_count; /* of all reapers */
	unsigned window_slots;
	unsigned chain_ops; /* room of a chain: the processor's, and to close every file */
	size_t chain_size;  /* bytes of it, whole cache lines */

	/* The reapers wait for each other between set-up and start. */
	pthread_mutex_t gate_lock;
	pthread_cond_t gate_changed;
	unsigned gate_arrived;
	enum {
		GATE_SHUT,
		GATE_OPEN,
		GATE_CANCELLED
	} gate;

	char message[512];
};

/* options.c: checks arguments. 0, or -EINVAL with `message` filled. */
int options_check(const struct iobatch_items *items, const struct iobatch_processor *processor,
                  const struct iobatch_options *given, struct iobatch_options *ret_options,
                  char *message, size_t message_size);

/* intake.c: takes batches from the collection. */
int intake_init(struct intake *intake, const struct iobatch_items *items);
void intake_deinit(struct intake *intake);
/*
 * Puts the next batch into `slots` (`batch_size` of them), as far as there is one; returns its
 * size, 0 when there is nothing more.
 */
unsigned intake_take(struct intake *intake, uint32_t batch_size, struct slot *slots);

/* tally.c: counts outcomes and tells those who listen. */
int tally_init(struct tally *tally);
void tally_deinit(struct tally *tally, bool owns_objects);
void tally_batch_started(struct tally *tally);
void tally_batch_ended(struct tally *tally);
void tally_settle(struct reaper *reaper, const struct iobatch_outcome *outcome);
/* Counts a success, and no more. */
static inline void tally_success(struct reaper *reaper, uint64_t bytes)
{
	reaper->part.successful++;
	reaper->part.bytes += bytes;
}
/* Adds what the reaper has counted to the sum: at its end. */
void tally_add(struct reaper *reaper);
/* The last progress call, when all reapers have ended. */
void tally_end(struct run *run, uint64_t elapsed_ns);
void tally_finish(struct run *run, struct iobatch_result *result);

/* pool.c: buffers, and the mapping behind slots. */
int pool_init(struct pool *pool, size_t buffer_size, uint64_t count);
void pool_deinit(struct pool *pool);
/* Gives the slot buffers up to `wanted`, as far as there are any; returns how many it has. */
unsigned pool_reserve(struct pool *pool, struct slot *slot, unsigned wanted);
void pool_release(struct pool *pool, struct slot *slot);
void *region_map(size_t size);
void region_unmap(void *memory, size_t size);

/* reaper.c */
int reaper_init(struct reaper *reaper, struct run *run, unsigned number);
void reaper_deinit(struct reaper *reaper);
void reaper_loop(struct reaper *reaper);

/* window.c: batches, and when their items start. */
/* Takes the next batch into a window whose batch has settled. Without one the window is done with.
 */
void window_fill(struct reaper *reaper, struct window *window);
void window_start_next(struct reaper *reaper, struct window *window);
/* With a delay: the window's next item, after the pause that separates it from the one before. */
void window_pause(struct reaper *reaper, struct window *window);
/* The item of a slot has its outcome: its window goes on. */
void window_settled(struct reaper *reaper, struct slot *slot);
/* Has a timer complete `pause_ns` from now. Returns 0, or -EAGAIN when the executor has no room. */
int timer_start(struct reaper *reaper, uint64_t id, uint64_t pause_ns);

/* attempt.c: from an attempt's start to the item's outcome. */
void attempt_start(struct reaper *reaper, struct slot *slot);
/* The same when there are buffers for it and it is its turn. */
void attempt_admit(struct reaper *reaper, struct slot *slot);
void attempt_chain_ended(struct reaper *reaper, struct slot *slot);

/* chain.c: carries out the chain of a slot. All but chain_unblock() leave a slot that is blocked in
 * its list. */
enum chain_state {
	CHAIN_RUNNING,
	CHAIN_BLOCKED, /* waits for room in the executor */
	CHAIN_OVER,    /* nothing of it is outstanding; slot->error says how it went */
};
enum chain_state chain_start(struct reaper *reaper, struct slot *slot);
enum chain_state chain_complete(struct reaper *reaper, struct slot *slot, unsigned op,
                                int32_t result);
enum chain_state chain_resume(struct reaper *reaper, struct slot *slot, unsigned op);
/* There may be room again for the first of those that wait for it. */
enum chain_state chain_unblock(struct reaper *reaper, struct slot *slot);

/* ----------------------------------------------------------- small things -- */

static inline struct iobatch_chain *slot_chain(struct slot *slot)
{
	return &slot->chains[slot->current];
}

static inline struct reaper *slot_reaper(const struct slot *slot)
{
	return slot->window->reaper;
}

static inline void queue_init(struct slot_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static inline void queue_push(struct slot_queue *queue, struct slot *slot)
{
	slot->next = NULL;
	*queue->last = slot;
	queue->last = &slot->next;
}

static inline struct slot *queue_pop(struct slot_queue *queue)
{
	struct slot *slot = queue->first;

	if (slot) {
		queue->first = slot->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return slot;
}

static inline void op_set_add(struct op_set *set, unsigned op)
{
	set->bits[op / 64] |= UINT64_C(1) << op % 64;
}

static inline bool op_set_take(struct op_set *set, unsigned *ret_op)
{
	for (unsigned i = 0; i < OPS_MAX / 64; i++) {
		if (set->bits[i]) {
			*ret_op = i * 64 + (unsigned)__builtin_ctzll(set->bits[i]);
			set->bits[i] &= set->bits[i] - 1;
			return true;
		}
	}
	return false;
}

static inline bool op_set_is_empty(const struct op_set *set)
{
	return !(set->bits[0] | set->bits[1]);
}

/*
 * Ids say where a completion belongs: slot or window number, generation of the chain, op, and what
 * it was.
 */
enum id_kind {
	ID_OP,      /* an op of a slot's chain */
	ID_RESUME,  /* the pause before an op is tried again */
	ID_BACKOFF, /* the pause before an attempt */
	ID_DELAY,   /* the pause between items of a window */
};

#define ID_NUMBER_MAX (1u << 24)

static inline uint64_t id_make(enum id_kind kind, uint32_t number, uint32_t generation, unsigned op)
{
	return (uint64_t)number << 40 | (uint64_t)(generation & 0xffffffu) << 16 | op << 8 | kind;
}

static inline enum id_kind id_kind(uint64_t id)
{
	return (enum id_kind)(id & 0xff);
}

static inline unsigned id_op(uint64_t id)
{
	return id >> 8 & 0xff;
}

static inline uint32_t id_generation(uint64_t id)
{
	return id >> 16 & 0xffffffu;
}

static inline uint32_t id_number(uint64_t id)
{
	return (uint32_t)(id >> 40);
}

#endif

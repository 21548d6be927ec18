/* SPDX-License-Identifier: MIT */
/*
 * A slot: the place of one item in flight, with its attempt and its chain; the queues that slots
 * wait in; and the ids by which completions find their slot.
 *
 * A slot stands in one queue at most, and beside that, while its attempt has a deadline, in one of
 * the reaper's lists of them (deadline.c).
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include <iobatch.h>

#define FILES_MAX 16u
#define OPS_MAX 128u
#define BUFFERS_MAX 64u

/* Where an attempt stands. */
enum slot_phase {
	SLOT_IDLE,    /* no attempt: before the first, in a backoff, or settled */
	SLOT_RUNNING, /* the processor's chains */
	SLOT_CLOSING, /* closing what the attempt has left open */
	SLOT_CLEANUP, /* the processor's clean-up after a failure */
	SLOT_JOURNAL, /* no item's: it carries out what the journal wants */
};

/* A set of op numbers. */
struct op_set {
	uint64_t bits[OPS_MAX / 64];
};

struct slot {
	struct iobatch_item item; /* first: the processor's handle is the slot */

	/* What every item needs comes first, in as few cache lines as possible. */
	struct window *window;
	struct slot *next; /* in `queue` */
	struct slot *previous;
	struct slot_queue *queue; /* that the slot waits in; NULL = none */
	uint32_t number;
	uint32_t generation;   /* of the chain, so that ids are not used twice */
	uint32_t files_open;   /* bits of `files` */
	int error;             /* the attempt's first failure */
	int16_t failed_opcode; /* the op that failed, or -1 */
	uint16_t outstanding;  /* completions that are owed, timers included */
	uint8_t phase;         /* enum slot_phase */
	uint8_t current;       /* chains[current] runs, the other is the one before or the next */
	uint8_t position;      /* in order: the first op that is not done */
	uint8_t submitted;     /* in order: the first op that is not handed over */
	uint16_t interrupted;  /* EINTR and EAGAIN in a row; unordered: of all ops */
	bool settled;          /* the item has its outcome, or there is none */
	bool recording;        /* it has, and waits for the journal before anyone hears of it */
	bool unlinked;         /* the ops of the chain go one by one: one of them is not sound */
	bool aside;            /* settled while ops of it were running: see aside.c */
	bool halted;           /* ended by the end of the run, and not by its own deadline */
	bool rests;            /* the pause before its next attempt is in flight */
	bool skipped;          /* successful, since there is nothing to do: own_error says why */

	struct iobatch_chain chains[2];

	/* The attempt's deadline, 0 = none, and the list that it stands in. */
	uint64_t deadline_ns;
	struct deadline_list *deadlines;
	struct slot *later;
	struct slot *earlier;
	uint64_t due_ns;   /* when the list wants to look at the slot */
	uint32_t restarts; /* attempts that cost nothing: they are made once more */
	uint64_t start_ns; /* of the first attempt, when somebody asks */
	uint64_t asked_ns; /* when it was first told to end; 0 = there was no room to */

	uint64_t rested_ns;   /* when its backoff is over, on the clock of pauses */
	uint64_t duration_ns; /* from the first start until the outcome, when somebody asks */

	struct slot *unheard; /* the next in a list of the journal's */
	uint64_t record_end;  /* where in it the record of the outcome ends */

	uint32_t place;       /* in the window */
	struct op_set wanted; /* unordered: ops to be handed over */
	int *files;           /* descriptors, when the executor has no direct ones */
	const struct iobatch_error *own_error; /* or the reason to skip */

	const char *note; /* the processor's; of an attempt */
	uint32_t note_length;
} __attribute__((aligned(64)));

/* -------------------------------------------------------------- queues -- */

struct slot_queue {
	struct slot *first;
	struct slot *last;
};

static inline void queue_push(struct slot_queue *queue, struct slot *slot)
{
	slot->queue = queue;
	slot->next = NULL;
	slot->previous = queue->last;
	if (queue->last)
		queue->last->next = slot;
	else
		queue->first = slot;
	queue->last = slot;
}

/* Takes the slot out of the queue that it waits in, if any. */
static inline void queue_leave(struct slot *slot)
{
	struct slot_queue *queue = slot->queue;

	if (!queue)
		return;
	slot->queue = NULL;
	if (slot->previous)
		slot->previous->next = slot->next;
	else
		queue->first = slot->next;
	if (slot->next)
		slot->next->previous = slot->previous;
	else
		queue->last = slot->previous;
}

static inline struct slot *queue_pop(struct slot_queue *queue)
{
	struct slot *slot = queue->first;

	if (slot)
		queue_leave(slot);
	return slot;
}

/* --------------------------------------------------------- sets of ops -- */

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

/* ----------------------------------------------------------------- ids -- */

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

static inline uint64_t slot_id(const struct slot *slot, enum id_kind kind, unsigned op)
{
	return id_make(kind, slot->number, slot->generation, op);
}

/* --------------------------------------------------------- small things -- */

/* Results of ops that have none yet. */
#define OP_IN_FLIGHT INT64_MIN
#define OP_RESTING (INT64_MIN + 1) /* in the pause before it is tried again */

/* Does the slot wait for an answer to this op? */
static inline bool op_is_owed(const struct iobatch_op *op)
{
	return op->result == OP_IN_FLIGHT || op->result == OP_RESTING;
}

/* Attempts that count, the one in progress included. */
static inline uint32_t slot_attempts(const struct slot *slot)
{
	return slot->item.attempt - slot->restarts;
}

static inline void slot_fail(struct slot *slot, const struct iobatch_op *op, int error)
{
	/* The first failure is the attempt's; in clean-up there is nothing left to fail. */
	if (slot->error || slot->phase == SLOT_CLEANUP)
		return;
	slot->error = error;
	slot->failed_opcode = (int16_t)op->opcode;
}

static inline struct iobatch_chain *slot_chain(struct slot *slot)
{
	return &slot->chains[slot->current];
}

#endif

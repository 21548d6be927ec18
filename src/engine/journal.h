/* SPDX-License-Identifier: MIT */
/*
 * The engine's side of a journal (struct iobatch_journal): records of outcomes and intents, written
 * in groups by the executors of the run, and the items that wait for their record.
 *
 * All rings put their records into one text, so that their order in the file is that in which they
 * were asked for, and one write makes the records of all of them safe. A place in that text, its
 * records' bytes counted from the run's first, is how everybody says how far something has come.
 */
#ifndef ENGINE_JOURNAL_H
#define ENGINE_JOURNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <iobatch.h>

#include "engine/slot.h"

struct reaper;
struct run;

/* The run's: what all rings share. */
struct journal {
	bool on;
	bool asks;       /* for intents */
	bool tells_late; /* an item's record is durable before anyone hears of its outcome */
	struct iobatch_journal file;
	size_t buffer_size;

	pthread_mutex_t lock;   /* of all that follows, and of the caller's formatting */
	pthread_cond_t changed; /* a group has ended: for those whose time stands still */
	char *buffers[2];       /* one is filled while the other is written */
	unsigned filling;       /* which */
	size_t filled;          /* bytes in it */
	uint64_t appended;      /* the end of the text */
	uint64_t written;       /* up to here the file has it */
	uint64_t committed;     /* up to here it is as safe as was asked for */
	uint64_t wanted;        /* up to here somebody waits for that, or soon will */
	uint64_t awaited;       /* the same, of what was taken to be written */
	uint64_t asked;         /* up to here it is to be written at once */
	uint64_t sync_gap_ns;   /* what is not waited for becomes durable so long after */
	struct reaper *writer;  /* has an op in flight; NULL = nobody */
	uint64_t writing;       /* what was written when that has ended */
	bool crowded;           /* somebody has found no room */
	bool left_behind;       /* an op of the journal never answered */
	int error;              /* nothing more is written */
};

/* Items in the order of their records. */
struct slot_list {
	struct slot *first;
	struct slot *last;
};

/* A ring's. */
struct logger {
	struct slot *slot;           /* carries the journal's ops out */
	struct slot_list unrecorded; /* have an outcome, and there was no room for its record */
	struct slot_list untold;     /* their record is not durable */
	struct slot_queue intending; /* a chain waits for the record of its intent */
	uint64_t committed;          /* what it knows of the journal's */
	int error;
	uint64_t appended;    /* the end of its last record */
	uint64_t due_ns;      /* when what it has appended is to be written; 0 = there is nothing */
	_Atomic bool waits;   /* other rings look: is there anything for it to be woken for? */
	uint64_t sync_due_ns; /* when what it has written is to be made durable */
	bool busy;            /* it has an op in flight... */
	bool syncing;         /* ...which is no write... */
	uint64_t started_ns;  /* ...since then */
	bool given_up;        /* its op does not answer, and nobody waits for that */
	uint64_t asked_ns;    /* when that op was last told to end; 0 = it was not */
};

/* 0, or -ENOMEM. */
int journal_init(struct run *run);
void journal_deinit(struct run *run);
/* Slots that a ring needs for its ops: 0 or 1. */
unsigned journal_slots(const struct run *run);
/* Does the ring have to be woken by others? */
bool journal_wakes(const struct run *run);

/* journal_wait.c: what waits for the journal. */
/* An item has its outcome: has it recorded, and told when it may be. */
void journal_settle(struct reaper *reaper, struct slot *slot,
                    const struct iobatch_outcome *outcome);
/*
 * The slot is about to hand over ops that it wants: those among them that destroy something are
 * recorded. 0 = it may; -EAGAIN = it has to wait in the ring's queue of those that intend; or why
 * it must not.
 */
int journal_intend(struct reaper *reaper, struct slot *slot);

/* After each wait: lets those go on that the journal has kept. */
void journal_serve(struct reaper *reaper);
/* Does anything of the ring wait for the journal? */
bool journal_keeps(const struct reaper *reaper);

/* journal.c: the text, and how it gets into the file. */
/*
 * Has a record made. 0 and its end, 0 = there is none; -EAGAIN: there is no room before a group
 * begins; or why nothing is written any more.
 */
int journal_record_outcome(struct reaper *reaper, const struct iobatch_outcome *outcome,
                           uint64_t *ret_end);
int journal_record_intent(struct reaper *reaper, const struct slot *slot,
                          const struct iobatch_op *op, uint64_t *ret_end);
/* A chain of the journal's own slot has ended. */
void journal_chain_ended(struct reaper *reaper, struct slot *slot);
/* Before each wait: starts what is due. Returns true when something can go on without waiting. */
bool journal_begin(struct reaper *reaper);
/* Has an op of the journal end that takes too long, and gives up one that does not. */
void journal_hurry(struct reaper *reaper);
/* When it must look again for the journal's sake. */
uint64_t journal_due(const struct reaper *reaper);
/* Completions that are not waited for: those of an op that does not answer. */
unsigned journal_owed(const struct reaper *reaper);
/* The reaper ends. */
void journal_leave(struct reaper *reaper);

#endif

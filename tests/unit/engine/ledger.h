/* SPDX-License-Identifier: MIT */
/*
 * A ledger: the journal of a trial, whose records are lines, with a model of the file as a
 * simulated kernel has it. It checks, whenever somebody hears of an outcome or an op is handed
 * over, that what must be in the file by then is, and in the end that the file says what has
 * happened.
 *
 *     outcome  o INDEX ERROR ATTEMPTS
 *     intent   i INDEX ATTEMPT
 */
#ifndef TESTS_LEDGER_H
#define TESTS_LEDGER_H

#include <pthread.h>

#include "trial.h"

#define LEDGER_MODEL_SIZE (4u << 20)

struct ledger {
	struct trial *trial;
	struct iobatch_journal journal;
	unsigned padding; /* bytes that make a record of an outcome longer */

	/* The file: real, or what a simulated kernel has of it. */
	pthread_mutex_t lock;
	char *model;
	size_t length;  /* written, from its start and without a hole */
	size_t durable; /* of it */
	bool torn;      /* the last write has stopped within a record */

	/* What the script is to do to the journal's op of this number, from 0. */
	unsigned ops, writes, syncs;
	unsigned faulty;
	struct iobatch_answer (*fault)(const struct iobatch_op *op, struct iobatch_answer answer);

	/* Seen. */
	bool failed; /* an op of the journal, for good */
	unsigned records;
	unsigned intents[TRIAL_ITEMS_MAX]; /* of each item's attempt */
	bool inside;                       /* a callback of the caller's goes on */
	unsigned asked_unsafe; /* destroying ops that began although their intent was not safe */
	int told[TRIAL_ITEMS_MAX]; /* 1 + error as the caller heard of it; 0 = it has not */
};

#define LEDGER_NO_FAULT UINT32_MAX

/* A trial with a journal. The script of a simulated one is the ledger's. */
struct ledger *ledger_new(struct trial *trial, enum iobatch_journal_sync sync);
/* Has every item remove a name first, whose intent is recorded. */
void ledger_destroy_things(struct ledger *ledger);
/* Runs the trial; the checks of trial_run() are made, too, when it succeeds. */
void ledger_run(struct ledger *ledger);
/*
 * Checks the file: whole lines, one outcome at most of each item, as the caller has heard it, and
 * behind its intent. Returns how many outcomes there are.
 */
unsigned ledger_check(struct ledger *ledger);
void ledger_free(struct ledger *ledger);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a journal says as a whole, and how a broken one is mended. These take the file's name and no
 * lock: a run may go on meanwhile, and what it has just appended is the torn end at worst. Errors
 * are those of journal.h.
 *
 * Counts are of items, by the latest that is said of each: an item that has failed and was done in
 * a later run is done.
 */
#ifndef JOURNAL_SUMMARY_H
#define JOURNAL_SUMMARY_H

#include "journal/record.h"

/* Failed items of one kind. */
struct journal_group {
	char *op;    /* NULL = none */
	char *error; /* NULL: those for which there was no group left */
	uint64_t count;
};

struct journal_summary {
	char *job;
	char *hash;    /* of the last run's job */
	char *options; /* NULL = none */
	char **roots;
	uint64_t roots_count;
	uint64_t begun_ns;  /* wall time: of the first run, */
	uint64_t latest_ns; /* and the latest that is known of */
	uint64_t active_ns; /* the runs together: from each one's beginning to its latest record */
	uint64_t runs;
	uint64_t pid;    /* of the last run */
	const char *end; /* how the last run ended (static); NULL: it goes on, or was cut off */
	uint64_t items[RECORD_OUTCOMES]; /* by their latest outcome */
	uint64_t open;                   /* items of which it is not known what became of them */
	uint64_t records;                /* outcomes in all, those that later ones replace too */
	uint64_t attempts;               /* in all */
	uint64_t bytes;                  /* in all */
	uint64_t duration_ns[4];         /* of outcomes: the median, 90%, 99%, the longest */
	struct journal_group *groups;    /* of failed items, the most frequent first */
	uint64_t groups_count;
	uint64_t lines;
	uint64_t size; /* bytes that are good */
	uint64_t torn; /* bytes of the torn end */
};

/* Reads and checks all of it. On failure *ret_error is a line to be freed, or NULL. */
int journal_summary_new(const char *path, struct journal_summary **ret_summary, char **ret_error);
/* NULL is none. */
void journal_summary_free(struct journal_summary *summary);

/*
 * Gives each item whose latest outcome is failed or stuck, in the order of the file. The record is
 * valid during the call. `failed` returns 0, or something else, which ends it and is returned.
 */
int journal_failed(const char *path, int (*failed)(void *context, const struct record *record),
                   void *context, char **ret_error);

/* The same for what was left open: the records are intents. */
int journal_open_items(const char *path, int (*open)(void *context, const struct record *record),
                       void *context, char **ret_error);

/*
 * Whether all lines are good. Returns 0, and what a torn end has; or JOURNAL_BAD with *ret_offset,
 * where the first bad line begins, which holds good ones before it.
 */
int journal_check(const char *path, uint64_t *ret_lines, uint64_t *ret_offset, uint64_t *ret_torn,
                  char **ret_error);

/*
 * Cuts the file off where its first bad line begins, or its torn end, and makes that durable. It
 * takes the lock, and waits for it. *ret_cut is how many bytes are gone; 0: there was nothing to
 * do. JOURNAL_BAD: not even its head is good, and so nothing was changed.
 */
int journal_repair(const char *path, unsigned wait_ms, uint64_t *ret_cut, char **ret_error);

#endif

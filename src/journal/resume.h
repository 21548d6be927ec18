/* SPDX-License-Identifier: MIT */
/*
 * What is left to do of a job whose journal has been read: for each item whether it is done, by the
 * latest that the journal says of it, by what has become of the file since, and, where the journal
 * says only that something was about to be done, by what is really there.
 *
 * An item is told by its name as people see it, its range, and what its source has put behind the
 * name. A name that a list has twice is one item here.
 *
 * Directories that were done are done once more, since what is in them may change what they have
 * to be: nothing that is done with a directory is wrong a second time. With RESUME_FAILED they are
 * when something in them has failed that may be put right.
 *
 * Where the job needs all items for a whole, what is done comes all the same, with what its journal
 * has noted of it: resume_carry().
 *
 * journal_open() fills it; resume_keep() is then asked for each item.
 */
#ifndef JOURNAL_RESUME_H
#define JOURNAL_RESUME_H

#include "journal/record.h"

struct resume;

enum resume_what {
	RESUME_REST,   /* all that is not done */
	RESUME_FAILED, /* what has failed, or was left open, and nothing else */
};

/* How it is told whether an item that is done must be done again. */
enum resume_judge {
	/* Its file was changed after the item was begun: for what reads files. */
	RESUME_CHANGED_SINCE_BEGUN,
	/* Its file was changed after the item was done: for what changes the files themselves. */
	RESUME_CHANGED_SINCE_DONE,
	/* Its file is there: for what removes, moves and renames. */
	RESUME_IS_THERE,
	/* Never: for ranges of a file that the job writes to. */
	RESUME_NEVER,
};

/* What resume_keep() has seen so far. */
struct resume_counts {
	uint64_t done;     /* left out, since they are done */
	uint64_t others;   /* left out, since they have not failed */
	uint64_t changed;  /* of the kept: done, and changed since or there again */
	uint64_t failed;   /* of the kept: have failed before */
	uint64_t resolved; /* of done: what the journal had left open has turned out to be done */
	uint64_t carried;  /* kept, and came to what was known of it */
};

int resume_new(enum resume_what what, enum resume_judge judge, struct resume **ret_resume);
/* NULL is none. */
void resume_free(struct resume *resume);

/*
 * A file with several names is done again although it is done: for what keeps them names of one
 * file, which it can only when it sees them all.
 */
void resume_do_linked(struct resume *resume);

/*
 * Nothing is left out, whatever was wanted: an item of which a note says what it has come to, and
 * whose file is there and was not changed since, is kept with that note (iobatch_file_know()); any
 * other is done again. Before the first record is taken. -ENOMEM.
 */
int resume_carry(struct resume *resume);

/* The file that notes are read back from, as long as there are items; it stays the caller's. */
void resume_read_from(struct resume *resume, int fd);

/* An item has come to what was known of it. From any thread. `resume` may be NULL. */
void resume_carried(struct resume *resume);

/* Takes the next record of the journal. 0 or -ENOMEM. */
int resume_take(struct resume *resume, const struct record *record);
/* After the last. 0 or -ENOMEM. */
int resume_taken(struct resume *resume);

/*
 * Whether an item is to be done, for iobatch_source_filter(): `context` is the struct resume. It
 * looks at the file, unless that is a directory, and, to carry, reads in the journal.
 */
bool resume_keep(void *context, struct iobatch_file *file);

/* From any thread. */
void resume_counts(const struct resume *resume, struct resume_counts *ret_counts);

/* Items that the journal says are done, skipped, failed (with stuck), and left open. */
void resume_known(const struct resume *resume, uint64_t *ret_done, uint64_t *ret_failed,
                  uint64_t *ret_open);

/*
 * What was left open, one by one: an item, and what was about to be done to it. `*at` is NULL for
 * the first. NULL: there are no more.
 */
const struct record *resume_open_next(const struct resume *resume, const void **at);

/*
 * The same after a run that has come to its end, of those that have turned out to be done: for the
 * journal to say so.
 */
const struct record *resume_resolved_next(struct resume *resume, const void **at);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The records of a journal, as data and as lines: docs/iobatch-journal.5 says what stands where. A
 * record is made and understood here; the bytes of a line are text.h's, the order of the lines is
 * reader.h's.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "journal/text.h"

#include <iobatch.h>

#define JOURNAL_VERSION 1u

enum record_kind {
	/* How an item has ended. The order is that of the words in the table. */
	RECORD_DONE,
	RECORD_SKIPPED, /* there was nothing to do */
	RECORD_FAILED,
	RECORD_STUCK,     /* failed at its deadline, and an op of it may still have taken effect */
	RECORD_CANCELLED, /* the run was ended before it was tried, or while it was */
	RECORD_OUTCOMES,
	/* What an item is about to do that cannot be undone. */
	RECORD_INTENT = RECORD_OUTCOMES,
	/* The head of the file, and the marks of runs. */
	RECORD_HEADER,
	RECORD_ROOT,
	RECORD_RUN,
	RECORD_END,
	RECORD_COUNT,
};

/* Where the target of an intent is. */
enum record_place {
	RECORD_NOWHERE, /* there is none */
	RECORD_BESIDE,  /* in the item's own directory */
	RECORD_ELSEWHERE,
};

/*
 * One record. Which members a kind has stands behind them. Strings belong to the line that was
 * read, and end with a NUL that is not in their length.
 */
struct record {
	enum record_kind kind;
	uint64_t time_ns;     /* all but roots: wall time; of an outcome: of its start */
	uint64_t duration_ns; /* outcomes */
	uint64_t attempts;    /* outcomes */
	uint64_t bytes;       /* outcomes, end */
	const char *error;    /* outcomes: the error's name, NULL = none; end: how the run ended */
	const char *op;       /* outcomes: the op that failed, NULL = none; intents: the op */
	const char *note;     /* outcomes: what was found out, NULL = nothing */
	size_t note_length;
	uint64_t offset;  /* outcomes, intents: of a range, else 0 */
	uint64_t length;  /* outcomes, intents: of a range, else 0 */
	uint64_t extra;   /* outcomes, intents: a hash of what stood behind the name; 0 = nothing */
	const char *name; /* outcomes, intents, roots; header: of the job */
	size_t name_length;
	bool own;                /* intents: the op is about the item's own name */
	enum record_place place; /* intents */
	const char *target;      /* intents: NULL = none */
	size_t target_length;
	uint64_t version;                 /* header */
	const char *hash;                 /* header, run: of the job */
	const char *options;              /* header: NULL = none */
	uint64_t pid;                     /* run */
	const char *mode;                 /* run: "new", "resume" or "failed" */
	uint64_t counts[RECORD_OUTCOMES]; /* end: outcomes of that run, by kind */
	uint64_t place_in_file;           /* of one that was read: where its line begins */
};

/* Static word ("done"), NULL when there is none. */
const char *record_word(unsigned kind);

/*
 * Writes a record as a line into `line` (JOURNAL_LINE_MAX bytes) and returns its length. `check` as
 * for text_end().
 */
size_t record_write(const struct record *record, char *line, uint64_t *check);

/*
 * Understands a line whose check is right, of `length` bytes without its newline, in place. NULL,
 * or what is wrong with it.
 */
const char *record_read(char *line, size_t length, struct record *ret_record);

/* Fills the members that are an item's identity. */
void record_of_file(const struct iobatch_file *file, struct record *record);

#endif

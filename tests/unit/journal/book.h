/* SPDX-License-Identifier: MIT */
/*
 * A journal in a directory of its own, written by way of the callbacks as a run does it, without a
 * run. The stand-in for the engine is book_outcome() and book_intent().
 */
#ifndef BOOK_H
#define BOOK_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "journal/journal.h"
#include "journal/record.h"
#include "journal/resume.h"

struct book {
	char directory[64];
	char path[80];
	struct journal *journal; /* NULL: closed */
	uint64_t offset;
};

/* Makes the directory; and removes it with all in it. */
void book_setup(struct book *book);
void book_teardown(struct book *book);

/* The options that the tests have in common. */
struct journal_options book_options(const struct book *book, enum journal_mode mode);

/* Opens the journal, which must go well; `resume` may be NULL. */
void book_open(struct book *book, enum journal_mode mode, struct resume *resume);
/* The same with an error, whose message must have `part` in it. */
void book_refused(struct book *book, const struct journal_options *options, int err,
                  const char *part);
/* Closes it, with an end or as a crash does. */
void book_end(struct book *book);
void book_crash(struct book *book);

/* A file as sources give it: `name` from the current directory, and all of it. */
struct iobatch_file *book_file(const char *name);

/* An item of this name has ended: with `error`, 0 or a negative errno. */
void book_outcome(struct book *book, const char *name, int error);
/* An op, which this is not the item's own name of, is about to be handed over. */
void book_intent(struct book *book, const char *name, const struct iobatch_op *op);
/* Whatever the outcome is; it took duration_ns until now. */
void book_add(struct book *book, const struct iobatch_outcome *outcome);

/* The path of a name in the directory of the journal; the last eight of them are valid. */
const char *book_path(const struct book *book, const char *name);
/* Makes a file there, and lets time pass until it is older than anything that begins now. */
void book_make(const struct book *book, const char *name);

/* The whole file, to be freed; and the file made anew. */
char *book_read(const struct book *book, size_t *ret_size);
void book_write(const struct book *book, const char *bytes, size_t size);

#endif

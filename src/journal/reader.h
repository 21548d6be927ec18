/* SPDX-License-Identifier: MIT */
/*
 * Reads a journal record by record, in the memory of a few lines however long the file is. Each
 * line is checked before anything of it is looked at, and nothing behind a bad line is read: what
 * the reader has given is what was written, in that order. A bad line that may be the end of a
 * write that was cut short, because nothing or nothing but the rest of a line is behind it, is the
 * torn end: left out, and said.
 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "journal/record.h"

struct journal_reader;

/*
 * Reads from the beginning of `fd`, a regular file, which stays the caller's and whose position is
 * not used. What is appended meanwhile may be read or not. -ENOMEM.
 */
int journal_reader_new(int fd, struct journal_reader **ret_reader);
/* NULL is none. */
void journal_reader_free(struct journal_reader *reader);

/*
 * The next record, valid until the next call. Returns 1; or 0 at the end; or a negative errno, with
 * journal_reader_problem(): -EBADMSG for a bad line, -EPROTONOSUPPORT for another version, or that
 * of a read. After that, and after the end, it returns the same again.
 */
int journal_reader_next(struct journal_reader *reader, struct record *ret_record);

/* What is wrong, in words that follow upon the name of the file; "" when nothing is. */
const char *journal_reader_problem(const struct journal_reader *reader);

/* Lines read that were good, and where the last of them ends: what is behind is bad, or torn. */
uint64_t journal_reader_lines(const struct journal_reader *reader);
uint64_t journal_reader_offset(const struct journal_reader *reader);
/* The check of the last good line: that which the next one to be written follows upon. */
uint64_t journal_reader_check(const struct journal_reader *reader);
/* At the end: bytes of the torn end. */
uint64_t journal_reader_torn(const struct journal_reader *reader);
/* Whether the head is whole: that there is a run whose records may follow. */
bool journal_reader_begun(const struct journal_reader *reader);

#endif

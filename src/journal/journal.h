/* SPDX-License-Identifier: MIT */
/*
 * The journal of a job: which items are done, in a text file that outlives the process. Its format
 * is docs/iobatch-journal.5. This is the part that writers use: it opens the file, locks it, says
 * whose it is, and makes the records that iobatch_run() appends. What readers use is in reader.h
 * (line by line), summary.h (the whole) and resume.h (what is left to do).
 *
 * The way of a run:
 *
 *     resume_new() -> journal_open() -> iobatch_source_filter(source, resume_keep, resume)
 *         -> iobatch_run() with journal_callbacks() -> journal_end() -> journal_close()
 *         -> resume_free()
 *
 * Nobody else than the holder of the lock changes the file, and it is only ever appended to; the
 * one exception is its torn end, which is cut off when it is opened again. An item that comes to
 * the note which it has brought from an earlier run is not written again. This part knows the
 * public interface only: not the engine, not job files, not the terminal.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <iobatch.h>

struct journal;
struct resume;

enum journal_mode {
	JOURNAL_NEW,      /* there must be no such file yet */
	JOURNAL_RESUME,   /* the file must be there */
	JOURNAL_CONTINUE, /* resume it when it is there, else begin a new one */
};

/* What journal_open() returns besides the errno of a call that failed. */
#define JOURNAL_EXISTS (-EEXIST)          /* new, and the file is there */
#define JOURNAL_MISSING (-ENOENT)         /* to be resumed, and it (or its directory) is not */
#define JOURNAL_LOCKED (-EBUSY)           /* another run has it */
#define JOURNAL_OTHER_JOB (-EKEYREJECTED) /* it is of a job with another hash */
#define JOURNAL_OTHER_VERSION (-EPROTONOSUPPORT) /* of a format that is not known here */
#define JOURNAL_BAD (-EBADMSG) /* it is no journal, or has a bad line that is not its end */

/* How long a run that was killed may take to be really gone: what a command waits for the lock. */
#define JOURNAL_WAIT_MS 3000u

struct journal_options {
	const char *path;
	enum journal_mode mode;
	bool failed_only; /* for the record only: what the run is about to do */
	bool force;       /* resume it for a job with another hash */
	unsigned wait_ms; /* how long a lock is waited for */
	uint32_t sync;    /* enum iobatch_journal_sync */
	const char *job;  /* the job's name, at most 4 KiB */
	/*
	 * Of all that decides what is done with which item, the current directory included when
	 * names are relative to it; any word of at most 256 bytes.
	 */
	const char *hash;
	const char *options;      /* one line for people, at most 4 KiB; NULL = none */
	const char *const *roots; /* ended by NULL; NULL = none */
	/*
	 * Filled with what the journal of a resumed job says, before anything is written: see
	 * resume.h. It must outlive the journal. NULL = not wanted.
	 */
	struct resume *resume;
};

/*
 * Opens a journal for a run: makes it, or checks all of it and cuts off its torn end; and writes
 * that a run begins, durably, unless `sync` is none. On failure nothing has changed, but that a
 * file that was made for nothing is gone again, and *ret_error is one line that says what is wrong,
 * to be freed; NULL without memory for it.
 */
int journal_open(const struct journal_options *options, struct journal **ret_journal,
                 char **ret_error);

/* Whether it was there before, and what was cut off its end, in bytes. */
bool journal_resumed(const struct journal *journal);
uint64_t journal_torn(const struct journal *journal);

/*
 * For iobatch_options.journal, of a run over items that are struct iobatch_file. Valid until the
 * journal is closed.
 */
const struct iobatch_journal *journal_callbacks(struct journal *journal);

/*
 * Writes how the run has ended, after it has; `result` may be NULL when there is none. -EIO: what
 * the run has recorded is not all in the file, and so nothing may follow it.
 */
int journal_end(struct journal *journal, const struct iobatch_result *result);

/* Closes the file, and with it gives the lock away. NULL is none. */
void journal_close(struct journal *journal);

#endif

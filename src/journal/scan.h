/* SPDX-License-Identifier: MIT */
/*
 * A journal that is only read: its file, its reader, and the line that says what is wrong. This
 * part does not know what the records are good for.
 */
#ifndef JOURNAL_SCAN_H
#define JOURNAL_SCAN_H

#include "journal/reader.h"

struct scan {
	const char *path;
	int fd;
	struct journal_reader *reader;
	char *error; /* to be freed by who takes it */
};

/* `flags` as for open(2). On failure scan->error is set, and scan_close() is still to be called. */
int scan_open(struct scan *scan, const char *path, int flags);
/* From the first record again. */
int scan_again(struct scan *scan);
/* As journal_reader_next(). */
int scan_next(struct scan *scan, struct record *ret_record);
void scan_close(struct scan *scan);

/* Says "PATH: ..." and returns `err`. */
__attribute__((format(printf, 3, 4))) int scan_fail(struct scan *scan, int err, const char *format,
                                                    ...);

#endif

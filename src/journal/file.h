/* SPDX-License-Identifier: MIT */
/* What journal.c and open.c share: the open journal, and a line that is written by hand. */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include "journal/journal.h"
#include "journal/record.h"

struct journal {
	int fd;
	bool resumed;
	uint64_t torn;
	uint64_t offset;          /* where the next line goes */
	uint64_t check;           /* of the line before it */
	uint64_t clocks_apart_ns; /* from the executor's clock to that of files, at least */
	struct resume *resume;
	struct iobatch_journal callbacks;
	uint64_t counts[RECORD_OUTCOMES];
	uint64_t bytes;
	char line[JOURNAL_LINE_MAX];
};

uint64_t journal_now_ns(void);

void journal_init_callbacks(struct journal *journal, uint32_t sync);

/* Appends a line, or changes nothing but the file behind `offset`. */
int journal_file_add(struct journal *journal, const struct record *record);

#endif

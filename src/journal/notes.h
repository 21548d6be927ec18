/* SPDX-License-Identifier: MIT */
/*
 * What the journal has noted of items, read back when an item comes: a journal of ten million items
 * has a gigabyte of notes, and this has room for a few lines. A line is checked once more, by
 * itself and by the check before it, and must be of the item that it is looked up for.
 */
#ifndef JOURNAL_NOTES_H
#define JOURNAL_NOTES_H

#include "journal/record.h"

struct notes;

struct note {
	uint64_t time_ns;     /* when the item began... */
	uint64_t duration_ns; /* ...and how long it took */
	size_t length;
	char text[IOBATCH_NOTE_MAX];
};

int notes_new(struct notes **ret_notes);
/* NULL is none. */
void notes_free(struct notes *notes);

/* Before the first is read. The descriptor stays the caller's; its position is not used. */
void notes_read_from(struct notes *notes, int fd);

/*
 * Reads the note of an item that is done in the line that begins at `place`; `item` is the item by
 * the members that are its identity. False: there is none, or it cannot be read. From any thread.
 */
bool notes_read(struct notes *notes, uint64_t place, const struct record *item,
                struct note *ret_note);

#endif

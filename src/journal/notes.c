/* SPDX-License-Identifier: MIT */
/*
 * Notes: see notes.h. Items come in about the order in which they were settled, so that what was
 * read for one holds the lines of the next ones, as a rule; the window is small, for else there is
 * one read for each.
 */
#include "journal/notes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The check of the line before, and its newline. */
#define BEFORE 17u

/* What is read at once, and when that was too short for a line: the longest there is. */
#define WINDOW 16384u
#define WINDOW_MAX (BEFORE + JOURNAL_LINE_MAX)

struct notes {
	pthread_mutex_t lock;
	int fd;
	uint64_t start; /* of what the window holds */
	size_t fill;
	char window[WINDOW_MAX];
	char line[JOURNAL_LINE_MAX]; /* the one that is understood, which changes it */
};

int notes_new(struct notes **ret_notes)
{
	struct notes *notes = malloc(sizeof(*notes));

	if (!notes)
		return -ENOMEM;
	pthread_mutex_init(&notes->lock, NULL);
	notes->fd = -1;
	notes->start = 0;
	notes->fill = 0;
	*ret_notes = notes;
	return 0;
}

void notes_free(struct notes *notes)
{
	if (!notes)
		return;
	pthread_mutex_destroy(&notes->lock);
	free(notes);
}

void notes_read_from(struct notes *notes, int fd)
{
	notes->fd = fd;
}

/* Fills the window from `start` on. */
static void move_window(struct notes *notes, uint64_t start, size_t size)
{
	ssize_t count;

	notes->start = start;
	notes->fill = 0;
	do {
		count = pread(notes->fd, notes->window + notes->fill, size - notes->fill,
		              (off_t)(start + notes->fill));
		if (count > 0)
			notes->fill += (size_t)count;
	} while (notes->fill < size && (count > 0 || (count < 0 && errno == EINTR)));
}

/* The line at `place`, without its newline, when the window has all of it and what is before. */
static const char *find_line(const struct notes *notes, uint64_t place, size_t *ret_length)
{
	const char *line, *newline;

	if (place < notes->start + BEFORE || place >= notes->start + notes->fill)
		return NULL;
	line = notes->window + (place - notes->start);
	newline = memchr(line, '\n', notes->fill - (place - notes->start));
	if (!newline)
		return NULL;
	*ret_length = (size_t)(newline - line);
	return line;
}

static const char *fetch_line(struct notes *notes, uint64_t place, size_t *ret_length)
{
	const char *line = find_line(notes, place, ret_length);

	/* The head of a journal is longer than that. */
	if (line || place < BEFORE)
		return line;
	move_window(notes, place - BEFORE, WINDOW);
	line = find_line(notes, place, ret_length);
	if (line || notes->fill < WINDOW)
		return line;
	move_window(notes, place - BEFORE, WINDOW_MAX);
	return find_line(notes, place, ret_length);
}

static bool is_same_item(const struct record *a, const struct record *b)
{
	return a->name_length == b->name_length && !memcmp(a->name, b->name, a->name_length) &&
	       a->offset == b->offset && a->length == b->length && a->extra == b->extra;
}

/* The record in the line, whose strings are in notes->line. */
static bool read_record(struct notes *notes, uint64_t place, struct record *ret_record)
{
	struct text_field before = {.length = BEFORE - 1};
	size_t length;
	const char *line = fetch_line(notes, place, &length);
	uint64_t check;

	if (!line || length >= JOURNAL_LINE_MAX)
		return false;
	before.bytes = (char *)line - BEFORE;
	if (!text_read_hex(&before, &check) || !text_check(line, length, &check))
		return false;
	memcpy(notes->line, line, length);
	return !record_read(notes->line, length, ret_record);
}

bool notes_read(struct notes *notes, uint64_t place, const struct record *item,
                struct note *ret_note)
{
	struct record record;
	bool found;

	pthread_mutex_lock(&notes->lock);
	found = read_record(notes, place, &record) && record.kind == RECORD_DONE && record.note &&
	        is_same_item(&record, item);
	if (found) {
		ret_note->time_ns = record.time_ns;
		ret_note->duration_ns = record.duration_ns;
		ret_note->length = record.note_length;
		memcpy(ret_note->text, record.note, record.note_length);
	}
	pthread_mutex_unlock(&notes->lock);
	return found;
}

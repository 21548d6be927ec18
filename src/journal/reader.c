/* SPDX-License-Identifier: MIT */
/* Reading a journal: see reader.h. */
#include "journal/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)2 * JOURNAL_LINE_MAX)

/* What may come next. */
enum stage {
	STAGE_HEADER,
	STAGE_ROOTS,  /* roots, and the first run */
	STAGE_RUN,    /* records of a run, its end, or the next run */
	STAGE_BETWEEN /* the next run */
};

struct journal_reader {
	int fd;
	enum stage stage;
	uint64_t offset; /* where the line begins that is looked at next */
	uint64_t lines;
	uint64_t check;
	uint64_t torn;
	int end; /* what `next` returns from now on, once `ended` */
	bool ended;
	bool file_ended; /* the buffer holds all up to the end of the file */
	size_t start;    /* in the buffer: of that line, */
	size_t fill;     /* and of what has not been read */
	char problem[160];
	char buffer[BUFFER_SIZE];
};

int journal_reader_new(int fd, struct journal_reader **ret_reader)
{
	struct journal_reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	memset(reader, 0, offsetof(struct journal_reader, buffer));
	reader->fd = fd;
	reader->check = JOURNAL_CHECK_SEED;
	*ret_reader = reader;
	return 0;
}

void journal_reader_free(struct journal_reader *reader)
{
	free(reader);
}

static int reader_end(struct journal_reader *reader, int end)
{
	reader->ended = true;
	reader->end = end;
	return end;
}

__attribute__((format(printf, 3, 4))) static int reader_fail(struct journal_reader *reader, int err,
                                                             const char *format, ...)
{
	va_list arguments;
	int length = snprintf(reader->problem, sizeof(reader->problem),
	                      "line %llu, at byte %llu: ", (unsigned long long)reader->lines + 1,
	                      (unsigned long long)reader->offset);

	va_start(arguments, format);
	vsnprintf(reader->problem + length, sizeof(reader->problem) - (size_t)length, format,
	          arguments);
	va_end(arguments);
	return reader_end(reader, err);
}

/* Reads more behind what the buffer holds, which is less than all of it. */
static int reader_fill(struct journal_reader *reader)
{
	size_t held = reader->fill - reader->start;
	ssize_t count;

	memmove(reader->buffer, reader->buffer + reader->start, held);
	reader->start = 0;
	reader->fill = held;
	do
		count = pread(reader->fd, reader->buffer + held, BUFFER_SIZE - held,
		              (off_t)(reader->offset + held));
	while (count < 0 && errno == EINTR);
	if (count < 0) {
		int err = -errno;

		return reader_fail(reader, err, "it cannot be read: %s", strerror(-err));
	}
	reader->fill += (size_t)count;
	reader->file_ended = count == 0;
	return 0;
}

/*
 * Whether the rest of the file, from the line that is looked at, can be what a write that was cut
 * short has left: there is no newline in it, or none but its last byte. Counts it. The buffer is
 * used up.
 */
static int reader_is_torn(struct journal_reader *reader, bool *ret_torn, uint64_t *ret_size)
{
	uint64_t begin = reader->offset, size = 0;
	bool newline = false;
	int err = 0;

	for (;;) {
		const char *from = reader->buffer + reader->start;
		size_t held = reader->fill - reader->start;
		const char *found;

		if (held && newline)
			break; /* something is behind it */
		found = memchr(from, '\n', held);
		size += held;
		if (found && found != from + held - 1)
			break;
		newline = found != NULL;
		reader->start = reader->fill;
		reader->offset += held;
		if (reader->file_ended) {
			*ret_torn = true;
			*ret_size = size;
			reader->offset = begin;
			return 0;
		}
		err = reader_fill(reader);
		if (err)
			break;
	}
	reader->offset = begin;
	*ret_torn = false;
	return err;
}

/* A first line that is no more than the beginning of one. */
static bool reader_may_begin(const char *line, size_t length)
{
	const char *magic = record_word(RECORD_HEADER);
	size_t size = strlen(magic);

	return !memcmp(line, magic, length < size ? length : size);
}

/* The line that is looked at is bad. */
static int reader_bad(struct journal_reader *reader, const char *problem)
{
	bool may_be_torn = reader->lines || reader_may_begin(reader->buffer + reader->start,
	                                                     reader->fill - reader->start);
	bool torn;
	uint64_t size;
	int err;

	if (!may_be_torn)
		return reader_fail(reader, -EBADMSG, "this is no journal");
	err = reader_is_torn(reader, &torn, &size);
	if (err)
		return err;
	if (!torn)
		return reader_fail(reader, -EBADMSG, "%s", problem);
	reader->torn = size;
	return reader_end(reader, 0);
}

/* Whether a record may come now, and what may come after it. */
static bool reader_order(struct journal_reader *reader, enum record_kind kind)
{
	switch (reader->stage) {
	case STAGE_HEADER:
		reader->stage = STAGE_ROOTS;
		return kind == RECORD_HEADER;
	case STAGE_ROOTS:
		if (kind == RECORD_RUN)
			reader->stage = STAGE_RUN;
		return kind == RECORD_ROOT || kind == RECORD_RUN;
	case STAGE_RUN:
		if (kind == RECORD_END)
			reader->stage = STAGE_BETWEEN;
		return kind < RECORD_HEADER || kind == RECORD_RUN || kind == RECORD_END;
	case STAGE_BETWEEN:
		reader->stage = STAGE_RUN;
		return kind == RECORD_RUN;
	}
	return false;
}

/* Takes the line of `length` bytes without its newline. */
static int reader_take(struct journal_reader *reader, size_t length, struct record *ret_record)
{
	char *line = reader->buffer + reader->start;
	uint64_t check = reader->check;
	struct record record;
	const char *problem;

	if (!text_check(line, length, &check))
		return reader_bad(reader, "its check is wrong: it has been changed, or lines "
		                          "before it are missing");
	problem = record_read(line, length, &record);
	if (problem)
		return reader_fail(reader, -EBADMSG, "%s", problem);
	if (record.kind == RECORD_HEADER && record.version != JOURNAL_VERSION)
		return reader_fail(reader, -EPROTONOSUPPORT,
		                   "this is a journal of version %llu, and only %u is known",
		                   (unsigned long long)record.version, JOURNAL_VERSION);
	if (!reader_order(reader, record.kind))
		return reader_fail(reader, -EBADMSG, "a record \"%s\" where none may be",
		                   record_word(record.kind));
	record.place_in_file = reader->offset;
	reader->check = check;
	reader->lines++;
	reader->start += length + 1;
	reader->offset += length + 1;
	*ret_record = record;
	return 1;
}

int journal_reader_next(struct journal_reader *reader, struct record *ret_record)
{
	size_t scanned = 0;

	if (reader->ended)
		return reader->end;
	for (;;) {
		char *line = reader->buffer + reader->start;
		size_t held = reader->fill - reader->start;
		size_t reach = held < JOURNAL_LINE_MAX ? held : JOURNAL_LINE_MAX;
		char *newline = memchr(line + scanned, '\n', reach - scanned);
		int err;

		if (newline)
			return reader_take(reader, (size_t)(newline - line), ret_record);
		if (reach == JOURNAL_LINE_MAX)
			return reader_bad(reader, "it is longer than any line can be");
		if (reader->file_ended)
			return held ? reader_bad(reader, "it has no end") : reader_end(reader, 0);
		scanned = reach;
		err = reader_fill(reader);
		if (err)
			return err;
	}
}

const char *journal_reader_problem(const struct journal_reader *reader)
{
	return reader->problem;
}

uint64_t journal_reader_lines(const struct journal_reader *reader)
{
	return reader->lines;
}

uint64_t journal_reader_offset(const struct journal_reader *reader)
{
	return reader->offset;
}

uint64_t journal_reader_check(const struct journal_reader *reader)
{
	return reader->check;
}

uint64_t journal_reader_torn(const struct journal_reader *reader)
{
	return reader->torn;
}

bool journal_reader_begun(const struct journal_reader *reader)
{
	return reader->stage >= STAGE_RUN;
}

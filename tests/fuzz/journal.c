/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a journal: nothing of it may crash, and what is accepted must hold together. The
 * checks keep a fuzzer out of all that is behind them, so the first byte says what becomes of the
 * others: '=' a file as it stands; '+' lines that get the checks that they must have, behind a
 * head;
 * '#' the same without the head; '"' a name, which is written and read back.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "journal/journal.h"
#include "journal/notes.h"
#include "journal/reader.h"
#include "journal/resume.h"
#include "journal/summary.h"

#define SIZE_MAX_ (1u << 20)

static void demand(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void put_line(int fd, char *line, size_t length, uint64_t *check)
{
	length = text_end(line, line + length, check);
	demand(write(fd, line, length) == (ssize_t)length, "the file is written");
}

/* Each line of the data with its check. */
static void write_mended(int fd, const char *data, size_t size, bool head)
{
	static char line[SIZE_MAX_ + 64];
	uint64_t check = JOURNAL_CHECK_SEED;

	if (head) {
		put_line(fd, line,
		         (size_t)sprintf(line, "iobatch-journal\t1\t1.000000000\thash\t-\tjob"),
		         &check);
		put_line(fd, line, (size_t)sprintf(line, "run\t2.000000000\t1\tnew\thash"), &check);
	}
	while (size) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;

		memcpy(line, data, length);
		put_line(fd, line, length, &check);
		data += length + (newline != NULL);
		size -= length + (newline != NULL);
	}
}

struct reading {
	int end;
	uint64_t lines;
	uint64_t offset;
	uint64_t torn;
};

/* What stands in a line that was good is found by the place of it. */
static void find_note(struct notes *notes, const struct record *record)
{
	struct note note;

	demand(notes_read(notes, record->place_in_file, record, &note), "a note is found");
	demand(note.length == record->note_length && note.time_ns == record->time_ns &&
	               !memcmp(note.text, record->note, note.length),
	       "and is what was noted");
}

static struct reading read_all(int fd, bool with_resume)
{
	struct reading reading;
	struct journal_reader *reader;
	struct resume *resume;
	struct notes *notes;
	struct record record;
	uint64_t done, failed, open;
	const void *at = NULL;

	demand(!journal_reader_new(fd, &reader), "there is memory");
	demand(!resume_new(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN, &resume), "there is memory");
	demand(!notes_new(&notes), "there is memory");
	notes_read_from(notes, fd);
	while ((reading.end = journal_reader_next(reader, &record)) > 0) {
		demand(record.kind < RECORD_COUNT, "a record has a kind");
		demand(!record.name || strlen(record.name) == record.name_length,
		       "a name is as long as it says");
		demand(!record.target || strlen(record.target) == record.target_length,
		       "and a target");
		if (record.kind == RECORD_DONE && record.note)
			find_note(notes, &record);
		if (with_resume)
			demand(!resume_take(resume, &record), "there is memory");
	}
	if (with_resume) {
		demand(!resume_taken(resume), "there is memory");
		resume_known(resume, &done, &failed, &open);
		while (resume_open_next(resume, &at))
			open--;
		demand(!open, "all open items are given");
	}
	reading.lines = journal_reader_lines(reader);
	reading.offset = journal_reader_offset(reader);
	reading.torn = journal_reader_torn(reader);
	demand((reading.end < 0) == !!*journal_reader_problem(reader), "a problem is explained");
	notes_free(notes);
	resume_free(resume);
	journal_reader_free(reader);
	return reading;
}

static int count_item(void *context, const struct record *record)
{
	demand(record->name != NULL, "an item has a name");
	++*(uint64_t *)context;
	return 0;
}

static void summarise(const char *path, const struct reading *reading)
{
	struct journal_summary *summary;
	uint64_t failed = 0, open = 0;
	char *error = NULL;
	int err = journal_summary_new(path, &summary, &error);

	demand(err == reading->end, "a summary is of what can be read");
	free(error);
	if (err)
		return;
	demand(summary->lines == reading->lines, "a summary is of all lines");
	demand(!journal_failed(path, count_item, &failed, &error), "it has a list of failures");
	demand(!journal_open_items(path, count_item, &open, &error), "it has a list of open items");
	demand(failed == summary->items[RECORD_FAILED] + summary->items[RECORD_STUCK],
	       "the list has all that have failed");
	demand(open == summary->open, "the list has all that is open");
	for (uint64_t i = 0; i < summary->groups_count; i++)
		failed -= summary->groups[i].count;
	demand(!failed, "the groups have all that have failed");
	journal_summary_free(summary);
}

static void repair(const char *path, int fd, const struct reading *before)
{
	uint64_t cut;
	char *error = NULL;
	struct reading after;

	if (journal_repair(path, 0, &cut, &error)) {
		demand(before->end < 0 || !before->lines || before->lines < 3,
		       "what can be mended is mended");
		free(error);
		return;
	}
	after = read_all(fd, false);
	demand(!after.end && !after.torn, "what was mended is whole");
	demand(after.lines == before->lines && after.offset == before->offset,
	       "what was mended has all good lines and nothing else");
}

static void try_file(int fd)
{
	struct reading reading = read_all(fd, true);
	uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	demand(reading.offset + reading.torn <= size, "no more is read than there is");
	demand(reading.end || reading.offset + reading.torn == size, "all is read");
	summarise(path, &reading);
	repair(path, fd, &reading);
}

static void try_name(const char *name, size_t length)
{
	static char line[4 * JOURNAL_NAME_MAX + 1];
	struct text_field field = {line, 0};

	if (length >= JOURNAL_NAME_MAX || memchr(name, '\0', length))
		return;
	field.length = (size_t)(text_name(line, name, length) - line);
	demand(field.length <= 4 * length, "a name becomes four times as long at most");
	demand(!text_is(&field, "-"), "no name looks like none");
	demand(!memchr(line, '\n', field.length) && !memchr(line, '\t', field.length),
	       "a name stays in its field");
	demand(text_read_name(&field), "what was written can be read");
	demand(field.length == length && !memcmp(line, name, length), "and is the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;
	int fd;

	if (!size || size > SIZE_MAX_)
		return 0;
	size--;
	if (*data == '"') {
		try_name(bytes, size);
		return 0;
	}
	fd = memfd_create("journal", MFD_CLOEXEC);
	demand(fd >= 0, "there is memory");
	if (*data == '+' || *data == '#')
		write_mended(fd, bytes, size, *data == '+');
	else
		demand(write(fd, bytes, size) == (ssize_t)size, "the file is written");
	try_file(fd);
	close(fd);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Resuming what needs all items for a whole: what is done comes with what was noted of it, as long
 * as that is true, and all else comes as it is.
 */
#include "book.h"

#include "journal/notes.h"
#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct book book;
static struct resume *resume;
static struct iobatch_file *file;

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	resume = NULL;
	file = NULL;
	book_open(&book, JOURNAL_NEW, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	book_teardown(&book);
	resume_free(resume);
	free(file);
	return 0;
}

static void take(const char *name)
{
	free(file);
	file = book_file(name);
}

/* The file has come to this; `note` may be NULL. */
static void ended(int error, const char *note)
{
	struct iobatch_outcome outcome = {
		.object = file,
		.error = error,
		.error_name = error ? "EANY" : NULL,
		.opcode = -1,
		.attempts = 1,
		.note = note,
		.note_length = note ? strlen(note) : 0,
	};

	book_add(&book, &outcome);
}

static void ended_as(const char *name, int error, const char *note)
{
	take(book_path(&book, name));
	ended(error, note);
}

static void again(enum resume_judge judge)
{
	book_crash(&book);
	resume_free(resume);
	/* Whichever is wanted. */
	assert_int_equal(resume_new(RESUME_FAILED, judge, &resume), 0);
	assert_int_equal(resume_carry(resume), 0);
	book_open(&book, JOURNAL_RESUME, resume);
}

static struct resume_counts counts(void)
{
	struct resume_counts counts_;

	resume_counts(resume, &counts_);
	return counts_;
}

/* `file` is kept, and brings this note; NULL = none. */
static void brings(const char *note)
{
	const char *known = file->path + file->path_length + 1 + file->extra_length;

	assert_true(resume_keep(resume, file));
	if (!note) {
		assert_int_equal(file->known_length, 0);
		return;
	}
	assert_int_equal(file->known_length, strlen(note));
	assert_memory_equal(known, note, strlen(note));
}

static void brings_as(const char *name, const char *note)
{
	take(book_path(&book, name));
	brings(note);
}

static void what_is_done_comes_with_its_note_and_all_else_comes_without(void **state)
{
	uint64_t done, failed, open;

	(void)state;
	book_make(&book, "done");
	book_make(&book, "silent");
	book_make(&book, "skipped");
	book_make(&book, "failed");
	book_make(&book, "cancelled");
	book_make(&book, "unknown");
	ended_as("done", 0, "a\tnote: \xff");
	ended_as("silent", 0, NULL);
	ended_as("failed", -EIO, NULL);
	ended_as("cancelled", -ECANCELED, NULL);
	again(RESUME_CHANGED_SINCE_BEGUN);
	resume_known(resume, &done, &failed, &open);
	assert_int_equal(done, 2);
	assert_int_equal(failed, 1);
	brings_as("done", "a\tnote: \xff");
	brings_as("silent", NULL);
	brings_as("failed", NULL);
	brings_as("cancelled", NULL);
	brings_as("unknown", NULL);
	assert_int_equal(counts().done, 0);
	assert_int_equal(counts().changed, 0);
}

static void the_latest_note_holds(void **state)
{
	(void)state;
	book_make(&book, "twice");
	book_make(&book, "then failed");
	book_make(&book, "failed first");
	ended_as("twice", 0, "first");
	ended_as("then failed", 0, "gone");
	ended_as("failed first", -EIO, NULL);
	again(RESUME_CHANGED_SINCE_BEGUN);
	ended_as("twice", 0, "second");
	ended_as("then failed", -EIO, NULL);
	ended_as("failed first", 0, "there");
	again(RESUME_CHANGED_SINCE_BEGUN);
	brings_as("twice", "second");
	brings_as("then failed", NULL);
	brings_as("failed first", "there");
}

static void a_file_that_has_changed_or_is_gone_comes_without_a_note(void **state)
{
	(void)state;
	book_make(&book, "changed");
	book_make(&book, "gone");
	book_make(&book, "same");
	book_make(&book, "target");
	assert_int_equal(symlink("target", book_path(&book, "link")), 0);
	book_make(&book, "later");
	ended_as("changed", 0, "note");
	ended_as("gone", 0, "note");
	ended_as("same", 0, "note");
	ended_as("link", 0, "note");
	again(RESUME_CHANGED_SINCE_BEGUN);
	brings_as("link", "note");
	assert_int_equal(truncate(book_path(&book, "changed"), 3), 0);
	assert_int_equal(unlink(book_path(&book, "gone")), 0);
	assert_int_equal(unlink(book_path(&book, "target")), 0);
	brings_as("changed", NULL);
	assert_int_equal(counts().changed, 1);
	brings_as("gone", NULL);
	brings_as("link", NULL);
	brings_as("same", "note");
	assert_int_equal(counts().changed, 3);
}

static void a_note_is_of_one_identity(void **state)
{
	(void)state;
	book_make(&book, "a");
	take(book_path(&book, "a"));
	file->extra_length = 3;
	memcpy(file->path + file->path_length + 1, "abc", 3);
	ended(0, "of abc");
	again(RESUME_CHANGED_SINCE_BEGUN);
	brings("of abc");
	assert_memory_equal(file->path + file->path_length + 1, "abcof abc", 9);
	/* What is known has no part in it. */
	brings("of abc");
	file->known_length = 0;
	memcpy(file->path + file->path_length + 1, "abd", 3);
	brings(NULL);
	file->extra_length = 0;
	brings(NULL);
}

static void an_item_that_has_come_to_what_was_known_is_not_recorded_again(void **state)
{
	struct iobatch_outcome outcome = {.opcode = -1, .attempts = 1};
	size_t size, size_then;

	(void)state;
	book_make(&book, "a");
	ended_as("a", 0, "note");
	again(RESUME_CHANGED_SINCE_BEGUN);
	brings_as("a", "note");
	free(book_read(&book, &size));
	ended(0, "note");
	free(book_read(&book, &size_then));
	assert_int_equal(size_then, size);
	assert_int_equal(counts().carried, 1);
	/* But when it has come to something else, whatever that is. */
	ended(0, "other");
	ended(0, "not");
	ended(0, "mote");
	ended(0, NULL);
	outcome.object = file;
	outcome.error = -EIO;
	outcome.error_name = "EIO";
	book_add(&book, &outcome);
	free(book_read(&book, &size));
	assert_true(size > size_then);
	assert_int_equal(counts().carried, 1);
	again(RESUME_CHANGED_SINCE_BEGUN);
	brings_as("a", NULL);
	assert_int_equal(counts().failed, 1);
}

/* A name of this number, some of them longer than anything that is read at once. */
static const char *name_of(unsigned number)
{
	static char name[JOURNAL_NAME_MAX];
	size_t length = number % 50 == 49 ? JOURNAL_NAME_MAX - 1 - number : 4 + number % 200;

	memset(name, number % 3 ? 'n' : '\xff', length);
	name[length] = '\0';
	memcpy(name, &(char[4]){'0' + number / 100, '0' + number / 10 % 10, '0' + number % 10, '/'},
	       4);
	return name;
}

static void notes_are_found_in_any_order_and_however_long_the_lines_are(void **state)
{
	enum {
		COUNT = 400
	};
	char note[8];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		take(name_of(i));
		snprintf(note, sizeof(note), "n%u", i);
		ended(0, note);
	}
	again(RESUME_NEVER);
	for (unsigned step = 1; step < 300; step += 149)
		for (unsigned i = 0, at = 0; i < COUNT; i++, at = (at + step) % COUNT) {
			take(name_of(at));
			snprintf(note, sizeof(note), "n%u", at);
			brings(note);
		}
}

static void a_line_that_is_not_what_it_was_is_no_note(void **state)
{
	size_t size;
	char *bytes, *note;

	(void)state;
	book_make(&book, "a");
	book_make(&book, "b");
	book_make(&book, "c");
	ended_as("a", 0, "note a");
	ended_as("b", 0, "note b");
	ended_as("c", 0, "note c");
	again(RESUME_CHANGED_SINCE_BEGUN);
	bytes = book_read(&book, &size);
	/* It is cut off. */
	book_write(&book, bytes, (size_t)(strstr(bytes, "note c") - bytes));
	brings_as("c", NULL);
	brings_as("b", "note b");
	note = strstr(bytes, "note b");
	assert_non_null(note);
	note[5] = 'x';
	book_write(&book, bytes, size);
	free(bytes);
	brings_as("a", "note a");
	brings_as("c", "note c");
	brings_as("b", NULL);
}

static void a_note_is_given_for_its_own_item_and_place_only(void **state)
{
	int fd = open(book.path, O_RDONLY | O_CLOEXEC);
	struct journal_reader *reader;
	struct record record, wanted;
	struct notes *notes;
	struct note note;
	uint64_t place = 0;

	(void)state;
	take("silent");
	ended(0, NULL);
	take("a");
	file->offset = 5;
	ended(0, "note");
	record_of_file(file, &wanted);
	assert_true(fd >= 0);
	assert_int_equal(notes_new(&notes), 0);
	assert_false(notes_read(notes, 0, &wanted, &note));
	notes_read_from(notes, fd);
	assert_int_equal(journal_reader_new(fd, &reader), 0);
	while (journal_reader_next(reader, &record) > 0) {
		place = record.place_in_file;
		assert_int_equal(notes_read(notes, place, &wanted, &note),
		                 record.kind == RECORD_DONE && record.note);
	}
	journal_reader_free(reader);
	assert_true(notes_read(notes, place, &wanted, &note));
	assert_int_equal(note.length, 4);
	for (uint64_t other = 0; other < place + 500; other++)
		assert_int_equal(notes_read(notes, other, &wanted, &note), other == place);
	wanted.offset++;
	assert_false(notes_read(notes, place, &wanted, &note));
	wanted.offset--;
	wanted.length++;
	assert_false(notes_read(notes, place, &wanted, &note));
	wanted.length--;
	wanted.extra++;
	assert_false(notes_read(notes, place, &wanted, &note));
	wanted.extra--;
	wanted.name = "b";
	assert_false(notes_read(notes, place, &wanted, &note));
	notes_free(notes);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(what_is_done_comes_with_its_note_and_all_else_comes_without),
	TEST(the_latest_note_holds),
	TEST(a_file_that_has_changed_or_is_gone_comes_without_a_note),
	TEST(a_note_is_of_one_identity),
	TEST(an_item_that_has_come_to_what_was_known_is_not_recorded_again),
	TEST(notes_are_found_in_any_order_and_however_long_the_lines_are),
	TEST(a_line_that_is_not_what_it_was_is_no_note),
	TEST(a_note_is_given_for_its_own_item_and_place_only),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

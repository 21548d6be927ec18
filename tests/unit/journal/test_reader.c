/* SPDX-License-Identifier: MIT */
/* What a reader takes of a journal that is whole, cut, changed, or none. */
#include "book.h"

#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD "iobatch-journal\t1\t1.000000000\thash\t-\tjob"
#define RUN "run\t2.000000000\t1\tnew\thash"
#define NOTED(note, name) "done\t3.000000000\t0.000000001\t1\t0\t-\t-\t" note "\t0\t0\t-\t" name
#define DONE(name) NOTED("-", name)
/* A note of 250 bytes. */
#define TEN_BYTES "0123456789"
#define FIFTY_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES
#define LONG_NOTE FIFTY_BYTES FIFTY_BYTES FIFTY_BYTES FIFTY_BYTES FIFTY_BYTES

static struct book book;

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	book_teardown(&book);
	return 0;
}

/* What a file says: its names of done items, one after the other, and how it ended. */
struct reading {
	int end;
	uint64_t lines;
	uint64_t offset;
	uint64_t torn;
	char done[256];
	char problem[200];
};

static struct reading read_fd(int fd)
{
	struct reading reading = {0};
	struct journal_reader *reader;
	struct record record;

	assert_int_equal(journal_reader_new(fd, &reader), 0);
	while ((reading.end = journal_reader_next(reader, &record)) > 0)
		if (record.kind == RECORD_DONE &&
		    strlen(reading.done) + record.name_length + 2 < sizeof(reading.done)) {
			strcat(reading.done, record.name);
			strcat(reading.done, " ");
		}
	assert_int_equal(journal_reader_next(reader, &record), reading.end);
	reading.lines = journal_reader_lines(reader);
	reading.offset = journal_reader_offset(reader);
	reading.torn = journal_reader_torn(reader);
	snprintf(reading.problem, sizeof(reading.problem), "%s", journal_reader_problem(reader));
	journal_reader_free(reader);
	return reading;
}

static struct reading read_bytes(const char *bytes, size_t size)
{
	struct reading reading;
	int fd = memfd_create("journal", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	reading = read_fd(fd);
	close(fd);
	return reading;
}

/* A journal of two runs, the first of which was cut off. */
static char *sample(size_t *ret_size)
{
	struct iobatch_op unlink = iobatch_op_unlinkat(AT_FDCWD, "b", 0);

	book_open(&book, JOURNAL_NEW, NULL);
	book_outcome(&book, "a", 0);
	book_intent(&book, "b", &unlink);
	book_crash(&book);
	book_open(&book, JOURNAL_RESUME, NULL);
	book_outcome(&book, "b", 0);
	book_outcome(&book, "c", -ENOENT);
	book_outcome(&book, "d", 0);
	book_end(&book);
	return book_read(&book, ret_size);
}

static void a_whole_journal_is_read_to_its_end(void **state)
{
	size_t size;
	char *bytes = sample(&size);
	struct reading reading = read_bytes(bytes, size);

	(void)state;
	assert_int_equal(reading.end, 0);
	assert_int_equal(reading.torn, 0);
	assert_int_equal(reading.offset, size);
	assert_string_equal(reading.done, "a b d ");
	/* The header, two roots, two runs, four outcomes, an intent, an end. */
	assert_int_equal(reading.lines, 11);
	free(bytes);
}

static void a_cut_at_any_byte_leaves_the_lines_before_it(void **state)
{
	size_t size;
	char *bytes = sample(&size);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		struct reading reading = read_bytes(bytes, cut);
		size_t whole = cut;

		while (whole && bytes[whole - 1] != '\n')
			whole--;
		assert_int_equal(reading.end, 0);
		assert_int_equal(reading.offset, whole);
		assert_int_equal(reading.torn, cut - whole);
		assert_int_equal(strncmp("a b d ", reading.done, strlen(reading.done)), 0);
	}
	free(bytes);
}

/* Which of the items are done before the byte at `at`. */
static size_t done_before(const char *bytes, size_t at)
{
	size_t count = 0;

	for (const char *line = bytes; line < bytes + at;) {
		const char *next = strchr(line, '\n') + 1;

		if (next > bytes + at)
			break;
		count += !strncmp(line, "done\t", 5);
		line = next;
	}
	return count;
}

static void a_flipped_bit_is_refused_with_its_place_and_never_makes_a_record(void **state)
{
	size_t size;
	char *bytes = sample(&size);
	size_t last = size - 1;

	(void)state;
	while (bytes[last - 1] != '\n')
		last--;
	for (size_t bit = 0; bit < size * 8; bit++) {
		size_t at = bit / 8, line = at;
		struct reading reading;

		while (line && bytes[line - 1] != '\n')
			line--;
		bytes[at] ^= (char)(1u << bit % 8);
		reading = read_bytes(bytes, size);
		bytes[at] ^= (char)(1u << bit % 8);
		assert_int_equal(reading.offset, line);
		assert_int_equal(strlen(reading.done), 2 * done_before(bytes, line));
		assert_int_equal(strncmp("a b d ", reading.done, strlen(reading.done)), 0);
		if (reading.end == 0) {
			/* It looks like a torn end: its last line, or the two that are now one. */
			assert_int_equal(reading.torn, size - line);
			assert_true(line == last || at == last - 1);
		} else {
			char place[40];

			assert_int_equal(reading.end, -EBADMSG);
			snprintf(place, sizeof(place), ", at byte %zu: ", line);
			assert_non_null(strstr(reading.problem, place));
		}
	}
	free(bytes);
}

/* The place of line `number`, from 0, and its length with the newline. */
static char *line_at(char *bytes, unsigned number, size_t *ret_length)
{
	while (number--)
		bytes = strchr(bytes, '\n') + 1;
	*ret_length = (size_t)(strchr(bytes, '\n') + 1 - bytes);
	return bytes;
}

static void a_line_that_is_missing_moved_or_doubled_is_noticed(void **state)
{
	size_t size, length, next_length;
	char *bytes = sample(&size);
	char *other = malloc(2 * size);
	char *line = line_at(bytes, 7, &length), *next = line_at(bytes, 8, &next_length);
	size_t before = (size_t)(line - bytes);
	struct reading reading;

	(void)state;
	assert_non_null(other);
	/* Left out. */
	memcpy(other, bytes, before);
	memcpy(other + before, next, size - before - length);
	reading = read_bytes(other, size - length);
	assert_int_equal(reading.end, -EBADMSG);
	assert_int_equal(reading.offset, before);
	/* Two in the other order. */
	memcpy(other, bytes, size);
	memcpy(other + before, next, next_length);
	memcpy(other + before + next_length, line, length);
	reading = read_bytes(other, size);
	assert_int_equal(reading.end, -EBADMSG);
	assert_int_equal(reading.offset, before);
	/* Twice. */
	memcpy(other, bytes, size);
	memcpy(other + before + length, line, size - before);
	reading = read_bytes(other, size + length);
	assert_int_equal(reading.end, -EBADMSG);
	assert_int_equal(reading.offset, before + length);
	free(other);
	free(bytes);
}

static void zeroes_behind_the_last_line_are_a_torn_end_however_many(void **state)
{
	const size_t zeroes = 3u << 20;
	size_t size;
	char *bytes = sample(&size);
	struct reading reading;

	(void)state;
	bytes = realloc(bytes, size + zeroes);
	assert_non_null(bytes);
	memset(bytes + size, 0, zeroes);
	reading = read_bytes(bytes, size + zeroes);
	assert_int_equal(reading.end, 0);
	assert_int_equal(reading.torn, zeroes);
	assert_int_equal(reading.offset, size);
	/* Something behind them is no torn end any more. */
	bytes[size + zeroes - 2] = '\n';
	reading = read_bytes(bytes, size + zeroes);
	assert_int_equal(reading.end, -EBADMSG);
	assert_int_equal(reading.offset, size);
	assert_non_null(strstr(reading.problem, "longer than any line can be"));
	free(bytes);
}

/*
 * Wherever a reader's buffer may end: the last line is bad and it is the torn end, or there is a
 * good one behind it and it is not.
 */
static void what_is_behind_a_bad_line_is_seen_wherever_it_is(void **state)
{
	const size_t end = 2 * JOURNAL_LINE_MAX;
	char *bytes = malloc(end + 1000), *name = malloc(JOURNAL_LINE_MAX);
	uint64_t check = JOURNAL_CHECK_SEED;
	size_t size = 0, bad = 0;

	(void)state;
	assert_true(bytes && name);
	size += (size_t)sprintf(bytes, HEAD);
	size = text_end(bytes, bytes + size, &check);
	bad = size;
	size += (size_t)sprintf(bytes + size, RUN);
	size = bad + text_end(bytes + bad, bytes + size, &check);
	while (size < end) {
		size_t room = end - size, fixed = strlen(DONE("")) + 18;
		size_t length = room < 60000 + 2 * fixed ? room - fixed : 30000;
		char *to = bytes + size;

		memset(name, 'x', length);
		name[length] = '\0';
		to += sprintf(to, DONE("%s"), name);
		bad = size;
		size += text_end(bytes + size, to, &check);
	}
	assert_int_equal(size, end);
	bytes[bad + 5] ^= 1;
	assert_int_equal(read_bytes(bytes, size).end, 0);
	assert_int_equal(read_bytes(bytes, size).torn, size - bad);
	for (size_t more = 1; more < 3; more++) {
		bytes[size + more - 1] = 'x';
		assert_int_equal(read_bytes(bytes, size + more).end, -EBADMSG);
		assert_int_equal(read_bytes(bytes, size + more).offset, bad);
	}
	free(bytes);
	free(name);
}

static void a_line_that_is_longer_than_any_can_be_is_refused(void **state)
{
	const size_t longer = JOURNAL_LINE_MAX + 1;
	char *line = malloc(longer + 100);
	size_t size;
	char *bytes = sample(&size);
	uint64_t check = JOURNAL_CHECK_SEED;
	struct reading reading;

	(void)state;
	assert_non_null(line);
	/* With the check that it must have. */
	strcpy(line, "iobatch-journal\t1\t1.000000000\thash\t-\t");
	memset(line + strlen(line), 'x', longer - strlen(line));
	size = text_end(line, line + longer, &check);
	line[size] = '\n';
	reading = read_bytes(line, size + 1);
	assert_int_equal(reading.end, -EBADMSG);
	assert_int_equal(reading.lines, 0);
	assert_non_null(strstr(reading.problem, "longer than any line can be"));
	free(line);
	free(bytes);
}

static void another_file_is_no_journal(void **state)
{
	static const char *const others[] = {"hello", "hello\n", "\n", "a\tb\nc\n", "{}\n"};

	(void)state;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct reading reading = read_bytes(others[i], strlen(others[i]));

		assert_int_equal(reading.end, -EBADMSG);
		assert_non_null(strstr(reading.problem, "this is no journal"));
	}
}

/* Lines get the checks that they must have, so that it is what they say that is refused. */
static struct reading read_lines(const char *const *lines)
{
	char *bytes = malloc(4096);
	uint64_t check = JOURNAL_CHECK_SEED;
	struct reading reading;
	size_t size = 0;

	assert_non_null(bytes);
	for (; *lines; lines++) {
		strcpy(bytes + size, *lines);
		size += text_end(bytes + size, bytes + size + strlen(*lines), &check);
	}
	reading = read_bytes(bytes, size);
	free(bytes);
	return reading;
}

static void another_version_is_refused_as_such(void **state)
{
	static const char *const lines[] = {"iobatch-journal\t2\tsomething", "new", NULL};
	struct reading reading = read_lines(lines);

	(void)state;
	assert_int_equal(reading.end, -EPROTONOSUPPORT);
	assert_non_null(strstr(reading.problem, "version 2"));
}

static void records_where_they_may_not_be_are_refused(void **state)
{
	static const char *const wrong[][6] = {
		{RUN},
		{DONE("a")},
		{HEAD, DONE("a")},
		{HEAD, HEAD},
		{HEAD, RUN, DONE("a"), "root\t/"},
		{HEAD, RUN, HEAD},
		{HEAD, RUN, "end\t4.000000000\tcomplete\t0\t0\t0\t0\t0\t0", DONE("a")},
		{HEAD, RUN, "what\ta"},
		{HEAD, RUN, DONE("a") "\tb"},
		{HEAD, RUN, DONE("-")},
		{HEAD, RUN, DONE("\\q")},
		{HEAD, RUN, NOTED("", "a")},
		{HEAD, RUN, NOTED(LONG_NOTE "0123456", "a")},
		{HEAD, RUN, "intent\t3.000000000\trenameat\town\tbeside\t-\t0\t0\t-\ta"},
		{HEAD, RUN, "intent\t3.000000000\trenameat\twhose\tbeside\tb\t0\t0\t-\ta"},
		{HEAD, RUN, "intent\t3.000000000\t-\town\t-\t-\t0\t0\t-\ta"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct reading reading = read_lines(wrong[i]);

		if (reading.end != -EBADMSG)
			fail_msg("%u: %d", i, reading.end);
		assert_true(strlen(reading.done) <= 2);
	}
	assert_int_equal(read_lines((const char *const[]){HEAD, RUN, DONE("a"), NULL}).end, 0);
	assert_int_equal(
		read_lines((const char *const[]){HEAD, RUN, NOTED(LONG_NOTE "012345", "a"), NULL})
			.end,
		0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_whole_journal_is_read_to_its_end, setup, teardown),
	cmocka_unit_test_setup_teardown(a_cut_at_any_byte_leaves_the_lines_before_it, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(
		a_flipped_bit_is_refused_with_its_place_and_never_makes_a_record, setup, teardown),
	cmocka_unit_test_setup_teardown(a_line_that_is_missing_moved_or_doubled_is_noticed, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(zeroes_behind_the_last_line_are_a_torn_end_however_many,
                                        setup, teardown),
	cmocka_unit_test_setup_teardown(a_line_that_is_longer_than_any_can_be_is_refused, setup,
                                        teardown),
	cmocka_unit_test(what_is_behind_a_bad_line_is_seen_wherever_it_is),
	cmocka_unit_test(another_file_is_no_journal),
	cmocka_unit_test(another_version_is_refused_as_such),
	cmocka_unit_test(records_where_they_may_not_be_are_refused),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

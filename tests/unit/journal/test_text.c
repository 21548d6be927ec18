/* SPDX-License-Identifier: MIT */
/* Fields and lines: what is written is read back, and nothing else is. */
#include "book.h"

#include "journal/record.h"
#include "journal/text.h"

#include <stdlib.h>
#include <string.h>

static char line[JOURNAL_LINE_MAX];

static void round_trip(const char *name, size_t length)
{
	struct text_field field = {line, (size_t)(text_name(line, name, length) - line)};

	assert_true(field.length <= 4 * length);
	assert_false(text_is(&field, "-"));
	for (size_t i = 0; i < field.length; i++)
		assert_true((unsigned char)line[i] >= 0x20);
	assert_true(text_read_name(&field));
	assert_int_equal(field.length, length);
	assert_memory_equal(field.bytes, name, length);
	assert_int_equal(field.bytes[length], '\0');
}

static void names_of_every_byte_come_back(void **state)
{
	char name[3] = {0};

	(void)state;
	round_trip("", 0);
	for (unsigned first = 1; first < 256; first++) {
		name[0] = (char)first;
		round_trip(name, 1);
		for (unsigned second = 1; second < 256; second++) {
			name[1] = (char)second;
			round_trip(name, 2);
			name[2] = 'x';
			round_trip(name, 3);
		}
	}
}

static void written_as(const char *name, const char *text)
{
	*text_name(line, name, strlen(name)) = '\0';
	assert_string_equal(line, text);
}

static void names_are_written_as_people_and_awk_read_them(void **state)
{
	(void)state;
	written_as("a b", "a b");
	written_as("a\tb\nc\\d\re", "a\\tb\\nc\\\\d\\x0de");
	written_as("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	written_as("\xff\x1b[m\x7f", "\\xff\\x1b[m\\x7f");
	/* A surrogate, an overlong form, a control character, a separator of lines. */
	written_as("\xed\xa0\x80", "\\xed\\xa0\\x80");
	written_as("\xc0\xaf", "\\xc0\\xaf");
	written_as("\xc2\x85", "\\xc2\\x85");
	written_as("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
	written_as("-", "\\x2d");
	written_as("--", "--");
}

static bool reads(const char *text)
{
	struct text_field field = {line, strlen(text)};

	strcpy(line, text);
	return text_read_name(&field);
}

static void escapes_that_nobody_writes_are_refused(void **state)
{
	static const char *const wrong[] = {"\\",    "a\\", "\\x",   "\\x1", "\\xZZ", "\\x1G",
	                                    "\\x00", "\\a", "\\xFF", "\xff", "\x01",  "\xc3"};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (reads(wrong[i]))
			fail_msg("%s", wrong[i]);
	assert_true(reads("\\xff\\\\\\n\\t"));
}

static bool reads_number(const char *text, uint64_t *ret_number)
{
	struct text_field field = {(char *)text, strlen(text)};

	return text_read_number(&field, ret_number);
}

static bool reads_time(const char *text, uint64_t *ret_ns)
{
	struct text_field field = {(char *)text, strlen(text)};

	return text_read_time(&field, ret_ns);
}

static void numbers_come_back_and_too_large_ones_are_refused(void **state)
{
	static const uint64_t numbers[] = {0,         1, 9, 10, 4095, UINT32_MAX, UINT64_MAX - 1,
	                                   UINT64_MAX};
	uint64_t number;

	(void)state;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*text_number(line, numbers[i]) = '\0';
		assert_true(reads_number(line, &number));
		assert_int_equal(number, numbers[i]);
		*text_time(line, numbers[i]) = '\0';
		assert_true(reads_time(line, &number));
		assert_int_equal(number, numbers[i]);
	}
	number = 7;
	assert_false(reads_number("18446744073709551616", &number));
	assert_false(reads_number("99999999999999999999", &number));
	assert_false(reads_number("000000000000000000001", &number));
	assert_false(reads_number("", &number));
	assert_false(reads_number("-1", &number));
	assert_false(reads_number("1 ", &number));
	assert_false(reads_time("1", &number));
	assert_false(reads_time(".000000000", &number));
	assert_false(reads_time("1.00000000", &number));
	assert_false(reads_time("18446744073.709551616", &number));
	assert_false(reads_time("18446744074.000000000", &number));
	assert_int_equal(number, 7);
}

/* The longest that there can be, each byte of it escaped. */
static void the_longest_record_fits(void **state)
{
	char *name = malloc(JOURNAL_NAME_MAX), *error = malloc(1000);
	struct record record = {
		.kind = RECORD_INTENT,
		.time_ns = UINT64_MAX,
		.duration_ns = UINT64_MAX,
		.attempts = UINT64_MAX,
		.bytes = UINT64_MAX,
		.op = "copy_file_range",
		.offset = UINT64_MAX,
		.length = UINT64_MAX,
		.extra = UINT64_MAX,
		.name = name,
		.name_length = JOURNAL_NAME_MAX - 1,
		.place = RECORD_ELSEWHERE,
		.target = name,
		.target_length = JOURNAL_TARGET_MAX - 1,
	};
	uint64_t check = JOURNAL_CHECK_SEED, read_check = JOURNAL_CHECK_SEED;
	struct record read;
	size_t length;

	(void)state;
	assert_true(name && error);
	memset(name, 0xff, JOURNAL_NAME_MAX);
	memset(error, 0xff, 1000);
	error[999] = '\0';
	length = record_write(&record, line, &check);
	assert_true(length <= JOURNAL_LINE_MAX);
	assert_true(text_check(line, length - 1, &read_check));
	assert_null(record_read(line, length - 1, &read));
	assert_int_equal(read.name_length, JOURNAL_NAME_MAX - 1);
	assert_memory_equal(read.name, name, read.name_length);
	assert_int_equal(read.target_length, JOURNAL_TARGET_MAX - 1);

	record.kind = RECORD_FAILED;
	record.error = error;
	record.note = name;
	record.note_length = IOBATCH_NOTE_MAX;
	length = record_write(&record, line, &check);
	assert_true(length <= JOURNAL_LINE_MAX);
	assert_true(text_check(line, length - 1, &read_check));
	assert_null(record_read(line, length - 1, &read));
	assert_int_equal(read.bytes, UINT64_MAX);
	assert_int_equal(read.extra, UINT64_MAX);
	assert_int_equal(read.note_length, IOBATCH_NOTE_MAX);
	assert_memory_equal(read.note, name, IOBATCH_NOTE_MAX);
	free(name);
	free(error);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_of_every_byte_come_back),
	cmocka_unit_test(names_are_written_as_people_and_awk_read_them),
	cmocka_unit_test(escapes_that_nobody_writes_are_refused),
	cmocka_unit_test(numbers_come_back_and_too_large_ones_are_refused),
	cmocka_unit_test(the_longest_record_fits),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a journal when memory runs out, at each allocation in turn. The linker's --wrap
 * hands the allocations to this file first. That nothing is lost is for the sanitizer's builds to
 * see.
 */
#include "book.h"

#include "journal/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The linker's names for the functions that are stood in for. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *pointer, size_t count, size_t size);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *pointer, size_t count, size_t size);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t length);

static long fail_at = -1; /* allocations until one fails, -1 = none does */

static bool fails(void)
{
	return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *pointer, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(pointer, count, size);
}

char *__wrap_strdup(const char *string)
{
	return fails() ? NULL : __real_strdup(string);
}

char *__wrap_strndup(const char *string, size_t length)
{
	return fails() ? NULL : __real_strndup(string, length);
}

static struct book book;
static char *bytes;
static size_t size;

static void fill(void)
{
	struct iobatch_op op = iobatch_op_renameat(-100, "b", -100, "c", 0);

	book_outcome(&book, "a", 0);
	book_outcome(&book, "a", -EIO);
	book_outcome(&book, "d", -ENOENT);
	book_intent(&book, "b", &op);
	book_intent(&book, "b", &op);
	for (char name[3] = "xa"; name[1] <= 'z'; name[1]++)
		book_outcome(&book, name, 0);
}

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	book_open(&book, JOURNAL_NEW, NULL);
	fill();
	book_crash(&book);
	bytes = book_read(&book, &size);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(bytes);
	book_teardown(&book);
	return 0;
}

static void is_as_it_was(void)
{
	size_t after;
	char *text = book_read(&book, &after);

	assert_int_equal(after, size);
	assert_memory_equal(text, bytes, size);
	free(text);
}

static void a_journal_that_is_not_resumed_is_as_it_was(void **state)
{
	long number = 0;
	int err;

	(void)state;
	do {
		struct journal_options options = book_options(&book, JOURNAL_RESUME);
		struct resume *resume = NULL;
		char *error = NULL;

		fail_at = number++;
		err = resume_new(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN, &resume);
		options.resume = resume;
		if (!err)
			err = resume_carry(resume);
		if (!err)
			err = journal_open(&options, &book.journal, &error);
		fail_at = -1;
		free(error);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_null(book.journal);
			is_as_it_was();
		}
		resume_free(resume);
	} while (err);
	assert_true(number > 10);
}

static void a_journal_that_is_not_begun_is_not_there(void **state)
{
	long number = 0;
	int err;

	(void)state;
	unlink(book.path);
	do {
		struct journal_options options = book_options(&book, JOURNAL_CONTINUE);
		char *error = NULL;

		options.sync = IOBATCH_JOURNAL_BATCH;
		fail_at = number++;
		err = journal_open(&options, &book.journal, &error);
		fail_at = -1;
		free(error);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(access(book.path, F_OK), -1);
		}
	} while (err);
	assert_true(number > 2);
}

static int pass(void *context, const struct record *record)
{
	(void)context;
	(void)record;
	return 0;
}

static int read_in_every_way(void)
{
	struct journal_summary *summary;
	uint64_t lines, offset, torn;
	char *error = NULL;
	int err = journal_summary_new(book.path, &summary, &error);

	if (!err) {
		journal_summary_free(summary);
		err = journal_failed(book.path, pass, NULL, &error);
	}
	if (!err)
		err = journal_open_items(book.path, pass, NULL, &error);
	if (!err)
		err = journal_check(book.path, &lines, &offset, &torn, &error);
	if (!err)
		err = journal_repair(book.path, 0, &torn, &error);
	free(error);
	return err;
}

static void what_only_reads_says_that_there_is_no_memory(void **state)
{
	long number = 0;
	int err;

	(void)state;
	do {
		fail_at = number++;
		err = read_in_every_way();
		fail_at = -1;
		assert_true(!err || err == -ENOMEM);
		is_as_it_was();
	} while (err);
	assert_true(number > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(a_journal_that_is_not_resumed_is_as_it_was),
	TEST(a_journal_that_is_not_begun_is_not_there),
	TEST(what_only_reads_says_that_there_is_no_memory),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

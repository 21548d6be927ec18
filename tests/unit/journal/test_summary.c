/* SPDX-License-Identifier: MIT */
/* The journal as a whole: counts of items, of errors, of time, and the lists of items. */
#include "book.h"

#include "journal/histogram.h"
#include "journal/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct book book;

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	book_open(&book, JOURNAL_NEW, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	book_teardown(&book);
	return 0;
}

static struct journal_summary *summary_of(void)
{
	struct journal_summary *summary;
	char *error = NULL;

	if (journal_summary_new(book.path, &summary, &error))
		fail_msg("%s", error);
	return summary;
}

static void items_are_counted_once_by_their_latest_outcome(void **state)
{
	struct iobatch_op unlink = iobatch_op_unlinkat(AT_FDCWD, "e", 0);
	struct journal_summary *summary;

	(void)state;
	book_outcome(&book, "a", -EIO);
	book_outcome(&book, "b", -EIO);
	book_outcome(&book, "c", -ENOENT);
	book_outcome(&book, "d", 0);
	book_outcome(&book, "e", -ENOENT);
	book_crash(&book);
	book_open(&book, JOURNAL_RESUME, NULL);
	book_outcome(&book, "a", 0);
	book_outcome(&book, "b", -ECANCELED);
	book_outcome(&book, "c", -ENOENT);
	book_intent(&book, "e", &unlink);
	summary = summary_of();
	assert_int_equal(summary->runs, 2);
	assert_int_equal(summary->items[RECORD_DONE], 2);
	assert_int_equal(summary->items[RECORD_FAILED], 2);
	assert_int_equal(summary->open, 1);
	assert_int_equal(summary->records, 8);
	assert_int_equal(summary->attempts, 20);
	assert_int_equal(summary->bytes, 2000);
	assert_int_equal(summary->groups_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(summary->groups[i].count, 1);
		assert_string_equal(summary->groups[i].op, "openat");
	}
	assert_null(summary->end);
	assert_int_equal(summary->torn, 0);
	assert_true(summary->latest_ns >= summary->begun_ns);
	/* All of them took a millisecond. */
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(summary->duration_ns[i], 940000, 1000000);
	journal_summary_free(summary);

	book_end(&book);
	summary = summary_of();
	assert_string_equal(summary->end, "complete");
	journal_summary_free(summary);
}

static void errors_are_grouped_the_most_frequent_first(void **state)
{
	struct journal_summary *summary;

	(void)state;
	book_outcome(&book, "a", -EIO);
	for (char name[2] = "b"; *name < 'f'; ++*name)
		book_outcome(&book, name, -EACCES);
	book_outcome(&book, "g", -ENOENT);
	book_outcome(&book, "h", -ENOENT);
	summary = summary_of();
	assert_int_equal(summary->groups_count, 3);
	assert_string_equal(summary->groups[0].error, "EACCES");
	assert_int_equal(summary->groups[0].count, 4);
	assert_string_equal(summary->groups[1].error, "ENOENT");
	assert_string_equal(summary->groups[2].error, "EIO");
	journal_summary_free(summary);
}

static void more_kinds_of_errors_than_there_are_groups_are_put_together(void **state)
{
	struct iobatch_file *file = book_file("a");
	struct journal_summary *summary;
	uint64_t all = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char name[20];
		struct iobatch_outcome outcome = {.object = file,
		                                  .error = IOBATCH_OWN_ERROR,
		                                  .error_name = name,
		                                  .opcode = -1};

		snprintf(name, sizeof(name), "E%u", i);
		file->offset = i;
		book_add(&book, &outcome);
	}
	summary = summary_of();
	assert_int_equal(summary->groups_count, 256);
	assert_null(summary->groups[0].error);
	assert_int_equal(summary->groups[0].count, 45);
	for (unsigned i = 0; i < summary->groups_count; i++)
		all += summary->groups[i].count;
	assert_int_equal(all, 300);
	journal_summary_free(summary);
	free(file);
}

static int add_name(void *context, const struct record *record)
{
	strcat(context, record->name);
	strcat(context, " ");
	return !strcmp(record->name, "stop") ? 7 : 0;
}

static void the_lists_have_what_is_failed_or_open_by_now(void **state)
{
	struct iobatch_op unlink = iobatch_op_unlinkat(AT_FDCWD, "e", 0);
	char names[100] = "", *error = NULL;

	(void)state;
	book_outcome(&book, "b", -EIO);
	book_outcome(&book, "a", -EIO);
	book_outcome(&book, "c", 0);
	book_outcome(&book, "b", -ENOENT);
	book_outcome(&book, "d", -EIO);
	book_outcome(&book, "d", 0);
	book_intent(&book, "e", &unlink);
	book_intent(&book, "e", &unlink);
	book_intent(&book, "f", &unlink);
	book_outcome(&book, "f", 0);
	assert_int_equal(journal_failed(book.path, add_name, names, &error), 0);
	assert_string_equal(names, "a b ");
	*names = '\0';
	assert_int_equal(journal_open_items(book.path, add_name, names, &error), 0);
	assert_string_equal(names, "e ");
	*names = '\0';
	book_outcome(&book, "stop", -EIO);
	book_outcome(&book, "z", -EIO);
	assert_int_equal(journal_failed(book.path, add_name, names, &error), 7);
	assert_string_equal(names, "a b stop ");
	assert_null(error);
}

static void a_run_that_goes_on_can_be_looked_at(void **state)
{
	struct journal_summary *summary;
	uint64_t lines, offset, torn;
	char *error = NULL;

	(void)state;
	book_outcome(&book, "a", 0);
	/* Half a line, as while it is written. */
	assert_int_equal(
		pwrite(journal_callbacks(book.journal)->fd, "done\t1", 6, (off_t)book.offset), 6);
	summary = summary_of();
	assert_int_equal(summary->items[RECORD_DONE], 1);
	assert_int_equal(summary->torn, 6);
	journal_summary_free(summary);
	assert_int_equal(journal_check(book.path, &lines, &offset, &torn, &error), 0);
	assert_int_equal(lines, 5);
	assert_int_equal(offset, book.offset);
	assert_int_equal(torn, 6);
}

static void a_journal_that_cannot_be_read_is_an_error_with_its_name(void **state)
{
	struct journal_summary *summary = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(journal_summary_new("/not/there", &summary, &error), -ENOENT);
	assert_string_equal(error, "/not/there: No such file or directory");
	free(error);
	error = NULL;
	assert_int_equal(journal_summary_new("/dev/null", &summary, &error), -EINVAL);
	free(error);
	assert_int_equal(journal_failed(book.directory, add_name, NULL, &error), -EINVAL);
	free(error);
	assert_null(summary);
}

static void percentiles_are_true_to_a_sixteenth(void **state)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	(void)state;
	assert_non_null(histogram);
	assert_int_equal(histogram_percentile(histogram, 50), 0);
	for (uint64_t value = 1; value <= 100000; value++)
		histogram_add(histogram, value);
	assert_in_range(histogram_percentile(histogram, 50), 50000, 50000 + 50000 / 16);
	assert_in_range(histogram_percentile(histogram, 99), 99000, 100000);
	assert_int_equal(histogram_percentile(histogram, 100), 100000);
	histogram_add(histogram, UINT64_MAX);
	histogram_add(histogram, 0);
	assert_int_equal(histogram_percentile(histogram, 100), UINT64_MAX);
	free(histogram);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(items_are_counted_once_by_their_latest_outcome),
	TEST(errors_are_grouped_the_most_frequent_first),
	TEST(more_kinds_of_errors_than_there_are_groups_are_put_together),
	TEST(the_lists_have_what_is_failed_or_open_by_now),
	TEST(a_run_that_goes_on_can_be_looked_at),
	TEST(a_journal_that_cannot_be_read_is_an_error_with_its_name),
	cmocka_unit_test(percentiles_are_true_to_a_sixteenth),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

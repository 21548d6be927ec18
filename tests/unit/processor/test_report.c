/* SPDX-License-Identifier: MIT */
/*
 * Manifests: the order of lines, gaps, and that the final name holds the whole or is not touched.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processor/report.h"

static void add(struct report *report, uint64_t index, int expected)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "line %llu\n", (unsigned long long)index);

	assert_int_equal(report_add(report, index, line, (size_t)length), expected);
}

static void assert_content(const char *name, const char *expected)
{
	char content[4096];
	FILE *file = fopen(name, "r");
	size_t length;

	assert_non_null(file);
	length = fread(content, 1, sizeof(content) - 1, file);
	content[length] = '\0';
	fclose(file);
	assert_string_equal(content, expected);
}

static void lines_come_in_item_order_whatever_the_order_of_adding(void **state)
{
	struct report *report;

	(void)state;
	assert_int_equal(report_new("ordered", &report), 0);
	add(report, 3, 0);
	add(report, 1, 0);
	add(report, 0, 0);
	add(report, 4, 0);
	add(report, 2, 0);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	assert_content("ordered", "line 0\nline 1\nline 2\nline 3\nline 4\n");
}

static void items_without_a_line_leave_no_trace(void **state)
{
	struct report *report;

	(void)state;
	assert_int_equal(report_new("gaps", &report), 0);
	assert_int_equal(report_add(report, 0, NULL, 0), 0);
	assert_int_equal(report_add(report, 2, NULL, 0), 0);
	add(report, 3, 0);
	add(report, 1, 0);
	/* 4 never settles: what waits behind it is written at the end. */
	add(report, 6, 0);
	add(report, 5, 0);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	assert_content("gaps", "line 1\nline 3\nline 5\nline 6\n");
}

static void many_lines_can_wait_for_one(void **state)
{
	const uint64_t count = 50000;
	struct report *report;
	char line[64];
	FILE *file;

	(void)state;
	assert_int_equal(report_new("many", &report), 0);
	for (uint64_t i = count - 1; i > 0; i--)
		add(report, i, 0);
	add(report, 0, 0);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	file = fopen("many", "r");
	assert_non_null(file);
	for (uint64_t i = 0; i < count; i++) {
		assert_non_null(fgets(line, sizeof(line), file));
		assert_int_equal(strtoull(line + 5, NULL, 10), i);
	}
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
}

static void the_name_keeps_its_old_content_until_the_end(void **state)
{
	struct report *report;

	(void)state;
	file_make("old", 10);
	assert_int_equal(report_new("old", &report), 0);
	add(report, 0, 0);
	assert_file("old", 10);
	assert_int_equal(hidden_count("."), 1);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	assert_content("old", "line 0\n");
	assert_int_equal(hidden_count("."), 0);
}

static void nothing_is_left_of_a_manifest_that_is_not_finished(void **state)
{
	struct report *report;

	(void)state;
	assert_int_equal(report_new("never", &report), 0);
	add(report, 1, 0);
	report_free(report);
	assert_int_equal(access("never", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
	report_free(NULL);
}

static void an_abandoned_report_gets_no_name(void **state)
{
	struct report *report;

	(void)state;
	assert_int_equal(report_new("half", &report), 0);
	add(report, 0, 0);
	report_abandon(report);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	assert_int_equal(access("half", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
	/* There may be none at all. */
	report_abandon(NULL);
	assert_int_equal(report_finish(NULL), 0);
}

static void a_symbolic_link_stays_and_its_file_is_replaced(void **state)
{
	struct report *report;
	struct stat status;

	(void)state;
	file_make("real", 3);
	assert_int_equal(symlink("real", "alias"), 0);
	assert_int_equal(report_new("alias", &report), 0);
	add(report, 0, 0);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	assert_int_equal(lstat("alias", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_content("real", "line 0\n");
}

static void a_full_device_fails_the_end_and_everything_after_the_first_error(void **state)
{
	struct report *report;
	int result = 0;

	(void)state;
	assert_int_equal(report_new("/dev/full", &report), 0);
	for (uint64_t i = 0; i < 100000 && result == 0; i++)
		result = report_add(report, i, "0123456789\n", 11);
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(report_add(report, 200000, NULL, 0), -ENOSPC);
	assert_int_equal(report_finish(report), -ENOSPC);
	report_free(report);

	/* What fits the buffer fails at the end only. */
	assert_int_equal(report_new("/dev/full", &report), 0);
	add(report, 0, 0);
	assert_int_equal(report_finish(report), -ENOSPC);
	report_free(report);
}

static void what_cannot_be_written_is_refused_at_the_beginning(void **state)
{
	struct report *report = NULL;

	(void)state;
	assert_int_equal(report_new("no/such/directory", &report), -ENOENT);
	assert_int_equal(report_new("", &report), -ENOENT);
	assert_int_equal(report_new(".", &report), -EISDIR);
	assert_null(report);
}

static void *add_every_other(void *context)
{
	/* Odd ones from the thread, even ones from the test. */
	for (uint64_t i = 1; i < 20000; i += 2)
		add(context, i, 0);
	return NULL;
}

static void two_threads_may_add(void **state)
{
	struct report *report;
	pthread_t thread;
	char line[64];
	FILE *file;

	(void)state;
	assert_int_equal(report_new("threads", &report), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_every_other, report), 0);
	for (uint64_t i = 0; i < 20000; i += 2)
		add(report, i, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(report_finish(report), 0);
	report_free(report);
	file = fopen("threads", "r");
	assert_non_null(file);
	for (uint64_t i = 0; i < 20000; i++) {
		assert_non_null(fgets(line, sizeof(line), file));
		assert_int_equal(strtoull(line + 5, NULL, 10), i);
	}
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_item_order_whatever_the_order_of_adding),
		cmocka_unit_test(items_without_a_line_leave_no_trace),
		cmocka_unit_test(many_lines_can_wait_for_one),
		cmocka_unit_test(the_name_keeps_its_old_content_until_the_end),
		cmocka_unit_test(nothing_is_left_of_a_manifest_that_is_not_finished),
		cmocka_unit_test(an_abandoned_report_gets_no_name),
		cmocka_unit_test(a_symbolic_link_stays_and_its_file_is_replaced),
		cmocka_unit_test(a_full_device_fails_the_end_and_everything_after_the_first_error),
		cmocka_unit_test(what_cannot_be_written_is_refused_at_the_beginning),
		cmocka_unit_test(two_threads_may_add),
	};

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}

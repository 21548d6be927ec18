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

#include "processor/manifest.h"

static void add(struct manifest *manifest, uint64_t index, int expected)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "line %llu\n", (unsigned long long)index);

	assert_int_equal(manifest_add(manifest, index, line, (size_t)length), expected);
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
	struct manifest *manifest;

	(void)state;
	assert_int_equal(manifest_new("ordered", &manifest), 0);
	add(manifest, 3, 0);
	add(manifest, 1, 0);
	add(manifest, 0, 0);
	add(manifest, 4, 0);
	add(manifest, 2, 0);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
	assert_content("ordered", "line 0\nline 1\nline 2\nline 3\nline 4\n");
}

static void items_without_a_line_leave_no_trace(void **state)
{
	struct manifest *manifest;

	(void)state;
	assert_int_equal(manifest_new("gaps", &manifest), 0);
	assert_int_equal(manifest_add(manifest, 0, NULL, 0), 0);
	assert_int_equal(manifest_add(manifest, 2, NULL, 0), 0);
	add(manifest, 3, 0);
	add(manifest, 1, 0);
	/* 4 never settles: what waits behind it is written at the end. */
	add(manifest, 6, 0);
	add(manifest, 5, 0);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
	assert_content("gaps", "line 1\nline 3\nline 5\nline 6\n");
}

static void many_lines_can_wait_for_one(void **state)
{
	const uint64_t count = 50000;
	struct manifest *manifest;
	char line[64];
	FILE *file;

	(void)state;
	assert_int_equal(manifest_new("many", &manifest), 0);
	for (uint64_t i = count - 1; i > 0; i--)
		add(manifest, i, 0);
	add(manifest, 0, 0);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
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
	struct manifest *manifest;

	(void)state;
	file_make("old", 10);
	assert_int_equal(manifest_new("old", &manifest), 0);
	add(manifest, 0, 0);
	assert_file("old", 10);
	assert_int_equal(hidden_count("."), 1);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
	assert_content("old", "line 0\n");
	assert_int_equal(hidden_count("."), 0);
}

static void nothing_is_left_of_a_manifest_that_is_not_finished(void **state)
{
	struct manifest *manifest;

	(void)state;
	assert_int_equal(manifest_new("never", &manifest), 0);
	add(manifest, 1, 0);
	manifest_free(manifest);
	assert_int_equal(access("never", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
	manifest_free(NULL);
}

static void a_symbolic_link_stays_and_its_file_is_replaced(void **state)
{
	struct manifest *manifest;
	struct stat status;

	(void)state;
	file_make("real", 3);
	assert_int_equal(symlink("real", "alias"), 0);
	assert_int_equal(manifest_new("alias", &manifest), 0);
	add(manifest, 0, 0);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
	assert_int_equal(lstat("alias", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_content("real", "line 0\n");
}

static void a_full_device_fails_the_end_and_everything_after_the_first_error(void **state)
{
	struct manifest *manifest;
	int result = 0;

	(void)state;
	assert_int_equal(manifest_new("/dev/full", &manifest), 0);
	for (uint64_t i = 0; i < 100000 && result == 0; i++)
		result = manifest_add(manifest, i, "0123456789\n", 11);
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(manifest_add(manifest, 200000, NULL, 0), -ENOSPC);
	assert_int_equal(manifest_finish(manifest), -ENOSPC);
	manifest_free(manifest);

	/* What fits the buffer fails at the end only. */
	assert_int_equal(manifest_new("/dev/full", &manifest), 0);
	add(manifest, 0, 0);
	assert_int_equal(manifest_finish(manifest), -ENOSPC);
	manifest_free(manifest);
}

static void what_cannot_be_written_is_refused_at_the_beginning(void **state)
{
	struct manifest *manifest = NULL;

	(void)state;
	assert_int_equal(manifest_new("no/such/directory", &manifest), -ENOENT);
	assert_int_equal(manifest_new("", &manifest), -ENOENT);
	assert_int_equal(manifest_new(".", &manifest), -EISDIR);
	assert_null(manifest);
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
	struct manifest *manifest;
	pthread_t thread;
	char line[64];
	FILE *file;

	(void)state;
	assert_int_equal(manifest_new("threads", &manifest), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_every_other, manifest), 0);
	for (uint64_t i = 0; i < 20000; i += 2)
		add(manifest, i, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(manifest_finish(manifest), 0);
	manifest_free(manifest);
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
		cmocka_unit_test(a_symbolic_link_stays_and_its_file_is_replaced),
		cmocka_unit_test(a_full_device_fails_the_end_and_everything_after_the_first_error),
		cmocka_unit_test(what_cannot_be_written_is_refused_at_the_beginning),
		cmocka_unit_test(two_threads_may_add),
	};

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}

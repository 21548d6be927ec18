/* SPDX-License-Identifier: MIT */
/* The result file: what stands in it, and that it is whole or not there. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/result.h"
#include "journal/resume.h"

static char directory[] = "/tmp/iobatch-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
	(void)state;
	unlink("result.json");
	return chdir("/") || rmdir(directory);
}

static struct iobatch_file named(const char *path)
{
	struct iobatch_file file = {.fd = -1};

	file.path_length = (uint32_t)strlen(path);
	memcpy(file.path, path, strlen(path) + 1);
	return file;
}

static json_t *write_and_load(const struct result_report *report)
{
	json_error_t error;
	json_t *root;

	assert_int_equal(result_write("result.json", report), 0);
	root = json_load_file("result.json", 0, &error);
	if (!root)
		fail_msg("%s", error.text);
	return root;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	assert_non_null(text);
	return text;
}

static json_int_t count_at(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void counts_and_failures_are_written(void **state)
{
	struct iobatch_file file = named("/gone"), odd = named("/a\nb\xff");
	struct iobatch_outcome failed[] = {
		{.index = 2,
	         .object = &file,
	         .error = -ENOENT,
	         .opcode = IOBATCH_OP_OPENAT,
	         .attempts = 3,
	         .error_name = "ENOENT",
	         .message = "No such file or directory"},
		{.index = 3,
	         .object = &odd,
	         .error = IOBATCH_OWN_ERROR,
	         .opcode = -1,
	         .attempts = 1,
	         .error_name = "ESHRUNK",
	         .message = "It became smaller"},
	};
	struct iobatch_result result = {.total_processed = 5,
	                                .successful = 3,
	                                .failed = 2,
	                                .total_batches = 3,
	                                .processing_time_ms = 12.5,
	                                .bytes = 1ull << 40,
	                                .retries = 2,
	                                .rings = 1,
	                                .failed_items = failed,
	                                .failed_items_count = 2};
	struct result_report report = {.job = "j", .result = &result, .source_errors = 4};
	json_t *root = write_and_load(&report), *list = json_object_get(root, "failed");

	(void)state;
	assert_string_equal(text_at(root, "job"), "j");
	assert_int_equal(count_at(root, "successful"), 3);
	assert_int_equal(count_at(root, "failed_count"), 2);
	assert_int_equal(count_at(root, "total_processed"), 5);
	assert_int_equal(count_at(root, "total_batches"), 3);
	assert_true(json_real_value(json_object_get(root, "processing_time_ms")) == 12.5);
	assert_true(count_at(root, "bytes") == 1ll << 40);
	assert_int_equal(count_at(root, "retries"), 2);
	assert_int_equal(count_at(root, "source_errors"), 4);
	assert_true(json_is_null(json_object_get(root, "run_error")));
	assert_null(json_object_get(root, "successful_items"));
	assert_null(json_object_get(root, "lists_incomplete"));
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(json_array_get(list, 0), "item"), "/gone");
	assert_null(json_object_get(json_array_get(list, 0), "item_base64"));
	assert_string_equal(text_at(json_array_get(list, 0), "error"), "ENOENT");
	assert_string_equal(text_at(json_array_get(list, 0), "message"),
	                    "No such file or directory");
	assert_string_equal(text_at(json_array_get(list, 0), "op"), "openat");
	assert_int_equal(count_at(json_array_get(list, 0), "attempts"), 3);
	assert_string_equal(text_at(json_array_get(list, 1), "item"), "/a\\x0ab\\xff");
	assert_string_equal(text_at(json_array_get(list, 1), "item_base64"), "L2EKYv8=");
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "op")));
	json_decref(root);
}

static void failures_are_grouped_and_the_end_is_said(void **state)
{
	struct iobatch_file file = named("/gone");
	struct iobatch_outcome failed = {.index = 7, .object = &file, .error = -ENOENT};
	struct iobatch_error_group groups[] = {
		{.error = -ENOENT,
	         .opcode = IOBATCH_OP_OPENAT,
	         .error_name = "ENOENT",
	         .message = "No such file or directory",
	         .count = 2,
	         .first = {7, 9}},
		{.error = 0, .opcode = -1, .count = 5, .first = {1, 2, 3}},
	};
	struct iobatch_result result = {.failed = 7,
	                                .failed_items = &failed,
	                                .failed_items_count = 1,
	                                .end = IOBATCH_END_HALTED,
	                                .errors = groups,
	                                .errors_count = 2};
	struct resume_counts counts = {
		.done = 10, .others = 11, .changed = 12, .failed = 13, .resolved = 14};
	struct result_report report = {.job = "j", .result = &result, .resumed = &counts};
	json_t *root = write_and_load(&report), *list = json_object_get(root, "errors");
	json_t *group = json_array_get(list, 0), *first = json_object_get(group, "first");

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(group, "error"), "ENOENT");
	assert_string_equal(text_at(group, "op"), "openat");
	assert_int_equal(count_at(group, "count"), 2);
	assert_int_equal(json_array_size(first), 2);
	assert_string_equal(text_at(json_array_get(first, 0), "item"), "/gone");
	assert_int_equal(count_at(json_array_get(first, 1), "index"), 9);
	assert_null(json_object_get(json_array_get(first, 1), "item"));
	group = json_array_get(list, 1);
	assert_true(json_is_null(json_object_get(group, "error")));
	assert_int_equal(json_array_size(json_object_get(group, "first")), 3);
	assert_string_equal(text_at(root, "end"), "halted");
	assert_int_equal(count_at(json_object_get(root, "resumed"), "done"), 10);
	assert_int_equal(count_at(json_object_get(root, "resumed"), "found_done"), 14);
	json_decref(root);
}

static void what_is_stuck_and_how_late_it_was_is_written(void **state)
{
	struct iobatch_file late = named("/late"), hung = named("/hung"), gone = named("/gone");
	struct iobatch_outcome failed[] = {
		{.object = &late,
	         .error = -ETIME,
	         .opcode = IOBATCH_OP_STATX,
	         .attempts = 1,
	         .error_name = "ETIME",
	         .message = "Timer expired",
	         .stuck = true},
		{.object = &hung,
	         .error = -ETIME,
	         .opcode = IOBATCH_OP_STATX,
	         .attempts = 1,
	         .error_name = "ETIME",
	         .message = "Timer expired",
	         .stuck = true,
	         .still_running = true},
		{.object = &gone,
	         .error = -ENOENT,
	         .opcode = IOBATCH_OP_STATX,
	         .attempts = 1,
	         .error_name = "ENOENT",
	         .message = "No such file or directory"},
	};
	struct iobatch_result result = {.total_processed = 3,
	                                .failed = 3,
	                                .executor = IOBATCH_EXECUTOR_SYSCALL,
	                                .stuck = 2,
	                                .still_running = 1,
	                                .lateness = {.count = 4,
	                                             .p50_ns = 1500000,
	                                             .p90_ns = 2000000,
	                                             .p99_ns = 3000000,
	                                             .max_ns = 1000000000},
	                                .failed_items = failed,
	                                .failed_items_count = 3};
	struct result_report report = {.job = "j", .result = &result};
	json_t *root = write_and_load(&report), *list = json_object_get(root, "failed");
	json_t *lateness = json_object_get(root, "lateness");

	(void)state;
	assert_string_equal(text_at(root, "executor"), "syscall");
	assert_int_equal(count_at(root, "stuck"), 2);
	assert_int_equal(count_at(root, "still_running"), 1);
	assert_int_equal(count_at(lateness, "count"), 4);
	assert_true(json_real_value(json_object_get(lateness, "p50_ms")) == 1.5);
	assert_true(json_real_value(json_object_get(lateness, "p90_ms")) == 2);
	assert_true(json_real_value(json_object_get(lateness, "p99_ms")) == 3);
	assert_true(json_real_value(json_object_get(lateness, "max_ms")) == 1000);
	assert_true(json_is_true(json_object_get(json_array_get(list, 0), "stuck")));
	assert_null(json_object_get(json_array_get(list, 0), "still_running"));
	assert_true(json_is_true(json_object_get(json_array_get(list, 1), "stuck")));
	assert_true(json_is_true(json_object_get(json_array_get(list, 1), "still_running")));
	assert_null(json_object_get(json_array_get(list, 2), "stuck"));
	assert_null(json_object_get(json_array_get(list, 2), "still_running"));
	json_decref(root);
}

static void successful_items_are_listed_when_asked_for(void **state)
{
	struct iobatch_file block = named("/data");
	struct iobatch_outcome done[] = {
		{.object = &block, .opcode = -1, .attempts = 1, .bytes = 4096}};
	struct iobatch_result result = {.total_processed = 1,
	                                .successful = 1,
	                                .successful_items = done,
	                                .successful_items_count = 1};
	struct result_report report = {.job = "j", .result = &result, .list_successful = true};
	json_t *root, *list;

	(void)state;
	block.offset = 8192;
	block.length = 4096;
	root = write_and_load(&report);
	list = json_object_get(root, "successful_items");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_at(json_array_get(list, 0), "item"), "/data [8192, +4096]");
	assert_int_equal(count_at(json_array_get(list, 0), "bytes"), 4096);
	assert_int_equal(json_array_size(json_object_get(root, "failed")), 0);
	json_decref(root);
}

static void names_of_bytes_do_not_break_the_document(void **state)
{
	struct iobatch_result result = {.lists_incomplete = true};
	struct result_report report = {
		.job = "\xff\"\\", .result = &result, .run_error = "bad \xfe name"};
	json_t *root = write_and_load(&report);

	(void)state;
	assert_string_equal(text_at(root, "job"), "\\xff\"\\");
	assert_string_equal(text_at(root, "job_base64"), "/yJc");
	assert_string_equal(text_at(root, "run_error"), "bad \\xfe name");
	assert_true(json_is_true(json_object_get(root, "lists_incomplete")));
	json_decref(root);
}

static void a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(void **state)
{
	struct iobatch_result result = {.failed = 0};
	struct result_report report = {.job = "j", .result = &result};
	struct dirent *entry;
	DIR *here;

	(void)state;
	assert_int_equal(result_write("/dev/full", &report), -ENOSPC);
	assert_int_equal(result_write("nowhere/result.json", &report), -ENOENT);
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(result_check("folder"), -EISDIR);
	assert_int_equal(result_check("nowhere/result.json"), -ENOENT);
	assert_int_equal(result_check("result.json"), 0);
	assert_int_equal(result_check("/dev/full"), 0);
	assert_int_equal(rmdir("folder"), 0);
	unlink("result.json");
	here = opendir(".");
	assert_non_null(here);
	while ((entry = readdir(here)))
		assert_int_equal(entry->d_name[0], '.');
	closedir(here);
}

static void a_result_file_has_the_permissions_of_a_new_file(void **state)
{
	struct iobatch_result result = {.failed = 0};
	struct result_report report = {.job = "j", .result = &result};
	mode_t mask = umask(027);
	struct stat stat_;

	(void)state;
	assert_int_equal(result_write("result.json", &report), 0);
	umask(mask);
	assert_int_equal(stat("result.json", &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0640);
}

static void what_was_skipped_is_written_with_its_reason(void **state)
{
	struct iobatch_file a = named("/a"), b = named("/b");
	struct iobatch_outcome successful[] = {
		{.object = &a,
	         .attempts = 1,
	         .opcode = -1,
	         .skipped = true,
	         .error_name = "EEXISTING",
	         .message = "there is something already"},
		{.index = 1, .object = &b, .attempts = 1, .opcode = -1},
	};
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct result_report report = {.job = "j", .result = &result, .list_successful = true};
	const json_t *list;
	json_t *root;

	(void)state;
	result.successful = result.total_processed = 2;
	result.skipped = 1;
	result.successful_items = successful;
	result.successful_items_count = 2;
	root = write_and_load(&report);
	assert_int_equal(count_at(root, "skipped"), 1);
	list = json_object_get(root, "successful_items");
	assert_string_equal(text_at(json_array_get(list, 0), "skipped"), "EEXISTING");
	assert_string_equal(text_at(json_array_get(list, 0), "message"),
	                    "there is something already");
	assert_null(json_object_get(json_array_get(list, 1), "skipped"));
	assert_null(json_object_get(json_array_get(list, 1), "message"));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_failures_are_written),
		cmocka_unit_test(what_was_skipped_is_written_with_its_reason),
		cmocka_unit_test(failures_are_grouped_and_the_end_is_said),
		cmocka_unit_test(what_is_stuck_and_how_late_it_was_is_written),
		cmocka_unit_test(successful_items_are_listed_when_asked_for),
		cmocka_unit_test(names_of_bytes_do_not_break_the_document),
		cmocka_unit_test(a_file_that_cannot_be_written_is_an_error_and_leaves_nothing),
		cmocka_unit_test(a_result_file_has_the_permissions_of_a_new_file),
	};

	return cmocka_run_group_tests_name("cli/result", tests, enter, leave);
}

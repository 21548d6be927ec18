/* SPDX-License-Identifier: MIT */
/*
 * The stat processor: every attribute that stat(2) knows is in the report, of the name itself, in
 * item order; and the table's lines.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static struct iobatch_processor *stat_new(uint32_t format, const char *report)
{
	struct iobatch_stat_options options = IOBATCH_STAT_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.format = format;
	options.report = report;
	assert_int_equal(iobatch_stat_new(&options, &processor), 0);
	return processor;
}

/* The report of a run over the names, to be freed. */
static char *report_of(void **state, uint32_t format, const char *const *names, unsigned failed)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = stat_new(format, "report");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	char *text = calloc(1, 1 << 20);
	FILE *file;

	files_run(processor, &options, DT_UNKNOWN, names, &result);
	assert_int_equal(result.failed, failed);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	file = fopen("report", "r");
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
	fclose(file);
	return text;
}

static int64_t number(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static const char *text(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	assert_true(json_is_string(value));
	return json_string_value(value);
}

static void assert_time(const json_t *line, const char *key, const struct timespec *time)
{
	char expected[128];
	struct tm tm;

	assert_non_null(gmtime_r(&time->tv_sec, &tm));
	snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
	         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	         time->tv_nsec);
	assert_string_equal(text(line, key), expected);
}

static void assert_says(const json_t *line, const char *name, const char *type)
{
	struct stat status;
	char expected[64];

	assert_int_equal(lstat(name, &status), 0);
	assert_string_equal(text(line, "item"), name);
	assert_string_equal(text(line, "type"), type);
	assert_int_equal(number(line, "size"), status.st_size);
	assert_int_equal(number(line, "blocks"), status.st_blocks);
	assert_int_equal(number(line, "uid"), status.st_uid);
	assert_int_equal(number(line, "gid"), status.st_gid);
	assert_int_equal(number(line, "nlink"), status.st_nlink);
	assert_int_equal(number(line, "ino"), status.st_ino);
	assert_int_equal(strtoul(text(line, "mode"), NULL, 8), status.st_mode & 07777);
	snprintf(expected, sizeof(expected), "%u:%u", major(status.st_dev), minor(status.st_dev));
	assert_string_equal(text(line, "device"), expected);
	assert_time(line, "atime", &status.st_atim);
	assert_time(line, "mtime", &status.st_mtim);
	assert_time(line, "ctime", &status.st_ctim);
	assert_non_null(json_object_get(line, "btime"));
	if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
		snprintf(expected, sizeof(expected), "%u:%u", major(status.st_rdev),
		         minor(status.st_rdev));
		assert_string_equal(text(line, "rdev"), expected);
	} else {
		assert_null(json_object_get(line, "rdev"));
	}
}

static void every_attribute_is_in_its_line(void **state)
{
	static const char *const names[] = {"file", "directory", "link", "fifo", "/dev/null", NULL};
	static const char *const types[] = {"file", "directory", "symlink", "fifo", "character"};
	const struct timespec times[] = {{-1, 999999999}, {1234567890, 1}};
	char *report, *at;

	file_make("file", 3 * BLOCK + 1);
	assert_int_equal(link("file", "other"), 0);
	assert_int_equal(chmod("file", 04751), 0);
	assert_int_equal(utimensat(AT_FDCWD, "file", times, 0), 0);
	assert_int_equal(mkdir("directory", 01777), 0);
	assert_int_equal(symlink("file", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	report = at = report_of(state, IOBATCH_STAT_JSON, names, 0);
	for (unsigned i = 0; names[i]; i++) {
		char *end = strchr(at, '\n');
		json_t *line;

		assert_non_null(end);
		line = json_loadb(at, (size_t)(end - at), 0, NULL);
		assert_non_null(line);
		assert_says(line, names[i], types[i]);
		json_decref(line);
		at = end + 1;
	}
	assert_string_equal(at, "");
	free(report);
}

static void what_is_not_there_fails_and_has_no_line(void **state)
{
	static const char *const names[] = {"a", "missing", "b", NULL};
	char *report;

	file_make("a", 1);
	file_make("b", 1);
	report = report_of(state, IOBATCH_STAT_TABLE, names, 1);
	assert_non_null(strstr(report, " a\n"));
	assert_non_null(strstr(report, " b\n"));
	assert_null(strstr(report, "missing"));
	free(report);
}

static void the_table_is_as_ls_has_it(void **state)
{
	static const char *const names[] = {"file", "tmp", "run", "new\nline", "/dev/null", NULL};
	const struct timespec times[] = {{0, 0}, {1234567890, 5}};
	char *report, expected[1024];
	unsigned uid = geteuid(), gid = getegid();
	struct stat null;

	file_make("file", 12345);
	file_make("run", 0);
	file_make("new\nline", 7);
	assert_int_equal(mkdir("tmp", 0700), 0);
	assert_int_equal(chmod("tmp", 01776), 0);
	assert_int_equal(chmod("run", 06715), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(utimensat(AT_FDCWD, names[i], times, 0), 0);
	report = report_of(state, IOBATCH_STAT_TABLE, names, 0);
	assert_int_equal(stat("tmp", &null), 0);
	snprintf(expected, sizeof(expected),
	         "-rw-r--r--   1 %5u %5u        12345 2009-02-13T23:31:30Z file\n"
	         "drwxrwxrwT %3u %5u %5u %12ld 2009-02-13T23:31:30Z tmp\n"
	         "-rws--sr-x   1 %5u %5u            0 2009-02-13T23:31:30Z run\n"
	         "-rw-r--r--   1 %5u %5u            7 2009-02-13T23:31:30Z new\\x0aline\n",
	         uid, gid, (unsigned)null.st_nlink, uid, gid, (long)null.st_size, uid, gid, uid,
	         gid);
	report[strlen(expected)] = '\0';
	assert_string_equal(report, expected);
	assert_non_null(strstr(report + strlen(expected) + 1, "        1, 3 "));
	free(report);
}

static void a_held_directory_is_where_the_name_is_looked_up(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_TABLE, "report");
	struct iobatch_file *object;
	int dirfd;

	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("nowhere", "d/link"), 0);
	dirfd = open("d", O_PATH | O_DIRECTORY);
	object = held_object(dirfd, "shown/", "link", DT_LNK);
	assert_string_equal(held_run(processor, &options, object), "");
	close(dirfd);
	free(object);
	iobatch_processor_free(processor);
}

static void a_name_may_be_as_long_as_names_get(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, "report");
	char *shown = malloc(IOBATCH_PATH_MAX);
	struct iobatch_file *object;
	int dirfd = open(".", O_PATH | O_DIRECTORY);
	json_t *line;

	file_make("name", 1);
	/* Bytes that take the most room. */
	memset(shown, '\xff', IOBATCH_PATH_MAX);
	shown[IOBATCH_PATH_MAX - 6] = '/';
	shown[IOBATCH_PATH_MAX - 5] = '\0';
	object = held_object(dirfd, shown, "name", DT_REG);
	assert_int_equal(object->path_length, IOBATCH_PATH_MAX - 1);
	assert_string_equal(held_run(processor, &options, object), "");
	iobatch_processor_free(processor);
	line = json_load_file("report", 0, NULL);
	assert_non_null(line);
	assert_int_equal(strlen(text(line, "item")), 4 * (IOBATCH_PATH_MAX - 6) + 5);
	json_decref(line);
	close(dirfd);
	free(object);
	free(shown);
}

static void odd_times(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct statx *statx = op->buffer;

	(void)context;
	(void)answer;
	statx->stx_atime.tv_sec = INT64_MAX;
	statx->stx_mtime.tv_sec = INT64_C(300000000000);
	statx->stx_mtime.tv_nsec = 7;
	statx->stx_ctime.tv_sec = INT64_C(253402300799);
}

static void times_that_no_calendar_has_are_seconds(void **state)
{
	struct iobatch_simulation simulation = {.script = odd_times};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, "report");
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_UNKNOWN);
	json_t *line;

	(void)state;
	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	assert_string_equal(held_run(processor, &options, object), "");
	line = json_load_file("report", 0, NULL);
	assert_non_null(line);
	assert_string_equal(text(line, "atime"), "@9223372036854775807.000000000");
	assert_string_equal(text(line, "mtime"), "@300000000000.000000007");
	assert_string_equal(text(line, "ctime"), "9999-12-31T23:59:59.000000000Z");
	assert_true(json_is_null(json_object_get(line, "btime")));
	json_decref(line);
	free(object);
	iobatch_processor_free(processor);
}

static int64_t given_second;

static void second_of(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct statx *statx = op->buffer;

	(void)context;
	(void)answer;
	statx->stx_mtime.tv_sec = given_second;
}

static void every_date_is_that_of_the_c_library(void **state)
{
	static const int64_t edges[] = {
		-62167219200, -62162035201, -62162035200, -1,         0,           951782399,
		951782400,    951868799,    4107542399,   4107542400, 253402300799};
	struct iobatch_simulation simulation = {.script = second_of};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_UNKNOWN);

	(void)state;
	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	/* The edges, and days all over the centuries. */
	for (unsigned i = 0; i < 500; i++) {
		struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, "report");
		struct timespec expected = {0};
		json_t *line;

		given_second = i < sizeof(edges) / sizeof(edges[0])
		                       ? edges[i]
		                       : -62167219200 + (int64_t)i * 631138519 + i * 86399;
		expected.tv_sec = given_second;
		assert_string_equal(held_run(processor, &options, object), "");
		iobatch_processor_free(processor);
		line = json_load_file("report", 0, NULL);
		assert_non_null(line);
		assert_time(line, "mtime", &expected);
		json_decref(line);
	}
	free(object);
}

static void the_report_has_no_line_about_itself(void **state)
{
	static const char *const names[] = {"report", "file", NULL};
	char *report;

	file_make("report", 1);
	file_make("file", 1);
	report = report_of(state, IOBATCH_STAT_TABLE, names, 0);
	assert_null(strstr(report, "report"));
	assert_non_null(strstr(report, " file\n"));
	free(report);
}

static void each_op_that_fails_fails_the_item(void **state)
{
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, NULL);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "name", DT_UNKNOWN);

	(void)state;
	assert_int_equal(held_sweep(processor, object, NULL), 1);
	free(object);
	iobatch_processor_free(processor);
}

static void a_report_that_cannot_be_written_fails_the_run(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, "/dev/full");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_REG);
	struct iobatch_items items = iobatch_items_array(object, 1, sizeof(*object));

	file_make("file", 1);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), -ENOSPC);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	free(object);
}

static ssize_t one_and_an_error(void *context, void *object)
{
	unsigned *given = context;

	if ((*given)++)
		return -EIO;
	memset(object, 0, sizeof(struct iobatch_file));
	((struct iobatch_file *)object)->fd = -1;
	strcpy(((struct iobatch_file *)object)->path, "file");
	((struct iobatch_file *)object)->path_length = 4;
	return sizeof(struct iobatch_file);
}

static void a_run_that_fails_leaves_no_report(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = stat_new(IOBATCH_STAT_JSON, "report");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	unsigned given = 0;
	struct iobatch_items items =
		iobatch_items_stream(one_and_an_error, &given, sizeof(struct iobatch_file));

	file_make("file", 1);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), -EIO);
	assert_int_equal(result.successful, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(access("report", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
}

static void options_out_of_range_are_refused(void **state)
{
	struct iobatch_stat_options options = IOBATCH_STAT_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_stat_new(NULL, &processor), -EINVAL);
	assert_int_equal(iobatch_stat_new(&options, NULL), -EINVAL);
	options.format = 2;
	assert_int_equal(iobatch_stat_new(&options, &processor), -EINVAL);
	options.format = 0;
	options.report = "no/such/directory";
	assert_int_equal(iobatch_stat_new(&options, &processor), -ENOENT);
	assert_null(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(every_attribute_is_in_its_line),
		FILES_ON_REAL(what_is_not_there_fails_and_has_no_line),
		FILES_ON_REAL(the_table_is_as_ls_has_it),
		FILES_ON_REAL(a_held_directory_is_where_the_name_is_looked_up),
		FILES_ON_REAL(a_name_may_be_as_long_as_names_get),
		FILES_TEST(times_that_no_calendar_has_are_seconds),
		FILES_TEST(every_date_is_that_of_the_c_library),
		FILES_ON_REAL(the_report_has_no_line_about_itself),
		FILES_ON_REAL(a_report_that_cannot_be_written_fails_the_run),
		FILES_ON_REAL(a_run_that_fails_leaves_no_report),
		cmocka_unit_test(each_op_that_fails_fails_the_item),
		FILES_TEST(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The set processor: every attribute arrives, in an order in which none undoes another, on each
 * type of file; links are followed only where open(2) would follow them.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534u

static struct iobatch_set_options set_options(uint32_t what)
{
	struct iobatch_set_options options = IOBATCH_SET_OPTIONS_INIT;

	options.what = what;
	return options;
}

static struct iobatch_processor *set_new(const struct iobatch_set_options *options)
{
	struct iobatch_processor *processor;

	assert_int_equal(iobatch_set_new(options, &processor), 0);
	return processor;
}

/* Sets what the options say of one name: "" or the error. */
static const char *set_at(void **state, const struct iobatch_set_options *options, int dirfd,
                          const char *name, unsigned char type)
{
	struct iobatch_options run = files_options(state);
	struct iobatch_processor *processor = set_new(options);
	struct iobatch_file *object = held_object(dirfd, "", name, type);
	const char *result = held_run(processor, &run, object);

	free(object);
	iobatch_processor_free(processor);
	return result;
}

static const char *set(void **state, const struct iobatch_set_options *options, const char *name)
{
	return set_at(state, options, AT_FDCWD, name, DT_UNKNOWN);
}

static struct stat status_of(const char *name)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	return status;
}

static uint32_t mode_of(const char *name)
{
	return status_of(name).st_mode & 07777;
}

static int here(void)
{
	int dirfd = open(".", O_PATH | O_DIRECTORY);

	assert_true(dirfd >= 0);
	return dirfd;
}

static void skip_unless_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* ------------------------------------------------------ one at a time -- */

static void a_file_is_created_where_there_is_none(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_CREATE);
	int dirfd = here();

	assert_string_equal(set(state, &options, "new"), "");
	assert_int_equal(status_of("new").st_size, 0);
	assert_int_equal(mode_of("new"), 0644);
	assert_string_equal(set_at(state, &options, dirfd, "held", DT_UNKNOWN), "");
	assert_int_equal(mode_of("held"), 0644);
	/* What is there stays as it is. */
	file_make("old", 10);
	assert_int_equal(mkdir("directory", 0700), 0);
	assert_string_equal(set(state, &options, "old"), "");
	assert_file("old", 10);
	assert_string_equal(set(state, &options, "directory"), "");
	assert_string_equal(set(state, &options, "directory/"), "");
	assert_string_equal(set(state, &options, "missing/new"), "ENOENT");
	close(dirfd);
}

static void nothing_is_created_through_a_symbolic_link(void **state)
{
	struct iobatch_set_options options =
		set_options(IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH | IOBATCH_SET_TIMES);
	struct stat status;

	options.length = 5;
	assert_int_equal(symlink("target", "link"), 0);
	assert_string_equal(set(state, &options, "link"), "ENOENT");
	assert_int_equal(lstat("target", &status), -1);
}

static void the_length_is_set(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_LENGTH);
	int dirfd = here();

	options.length = 100;
	file_make("long", 2 * BLOCK);
	file_make("short", 0);
	assert_string_equal(set(state, &options, "long"), "");
	assert_file("long", 100);
	assert_string_equal(set_at(state, &options, dirfd, "short", DT_REG), "");
	assert_int_equal(status_of("short").st_size, 100);
	assert_string_equal(set(state, &options, "missing"), "ENOENT");
	options.what |= IOBATCH_SET_CREATE;
	assert_string_equal(set(state, &options, "missing"), "");
	assert_int_equal(status_of("missing").st_size, 100);
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_string_equal(set(state, &options, "directory"), "EISDIR");
	close(dirfd);
}

static void the_mode_is_set(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_MODE);
	int dirfd = here();

	file_make("file", 1);
	assert_int_equal(mkdir("directory", 0700), 0);
	assert_int_equal(chmod("directory", 02700), 0);
	options.mode = "751";
	assert_string_equal(set(state, &options, "file"), "");
	assert_int_equal(mode_of("file"), 0751);
	/* The bits of a directory that are not mentioned stay. */
	assert_string_equal(set_at(state, &options, dirfd, "directory", DT_DIR), "");
	assert_int_equal(mode_of("directory"), 02751);
	options.mode = "u=rw,go=rX";
	assert_string_equal(set_at(state, &options, dirfd, "file", DT_REG), "");
	assert_int_equal(mode_of("file"), 0655);
	options.mode = "u-x,a-x+X";
	assert_int_equal(chmod("file", 0755), 0);
	assert_string_equal(set_at(state, &options, dirfd, "file", DT_UNKNOWN), "");
	assert_int_equal(mode_of("file"), 0644);
	assert_string_equal(set(state, &options, "directory"), "");
	assert_int_equal(mode_of("directory"), 02751);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	options.mode = "+r";
	assert_string_equal(set(state, &options, "fifo"), "");
	assert_int_equal(mode_of("fifo"), 0644);
	close(dirfd);
}

static void the_times_are_set_to_the_nanosecond(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_TIMES);
	struct stat status;
	time_t now = time(NULL);

	file_make("file", 1);
	options.atime_ns = 1234567890123456789;
	options.mtime_ns = -1;
	assert_string_equal(set(state, &options, "file"), "");
	status = status_of("file");
	assert_int_equal(status.st_atim.tv_sec, 1234567890);
	assert_int_equal(status.st_atim.tv_nsec, 123456789);
	assert_int_equal(status.st_mtim.tv_sec, -1);
	assert_int_equal(status.st_mtim.tv_nsec, 999999999);
	/* Left as it is, and now. */
	options.atime_ns = INT64_MIN;
	options.mtime_ns = INT64_MAX;
	assert_string_equal(set(state, &options, "file"), "");
	status = status_of("file");
	assert_int_equal(status.st_atim.tv_sec, 1234567890);
	assert_true(status.st_mtim.tv_sec >= now);
	options.atime_ns = -2000000000;
	assert_string_equal(set(state, &options, "file"), "");
	status = status_of("file");
	assert_int_equal(status.st_atim.tv_sec, -2);
	assert_int_equal(status.st_atim.tv_nsec, 0);
}

static void the_owner_is_set(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_OWNER);

	skip_unless_root();
	file_make("file", 1);
	options.user = NOBODY;
	assert_string_equal(set(state, &options, "file"), "");
	assert_int_equal(status_of("file").st_uid, NOBODY);
	assert_int_equal(status_of("file").st_gid, 0);
	options.user = UINT32_MAX;
	options.group = 7;
	assert_string_equal(set(state, &options, "file"), "");
	assert_int_equal(status_of("file").st_uid, NOBODY);
	assert_int_equal(status_of("file").st_gid, 7);
}

static void files_are_synced(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_SYNC);

	file_make("file", 1);
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_string_equal(set(state, &options, "file"), "");
	assert_string_equal(set(state, &options, "directory"), "");
	assert_string_equal(set(state, &options, "missing"), "ENOENT");
	options.what |= IOBATCH_SET_CREATE;
	assert_string_equal(set(state, &options, "missing"), "");
}

/* ------------------------------------------------------- all together -- */

static void nothing_that_is_set_undoes_another(void **state)
{
	struct iobatch_set_options options =
		set_options(IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER |
	                    IOBATCH_SET_MODE | IOBATCH_SET_TIMES | IOBATCH_SET_SYNC);
	static const char *const names[] = {"new", "old"};
	struct stat status;

	skip_unless_root();
	file_make("old", 10);
	assert_int_equal(chmod("old", 0600), 0);
	options.length = 3;
	options.user = NOBODY;
	options.mode = "6755";
	options.mtime_ns = 5;
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(set(state, &options, names[i]), "");
		status = status_of(names[i]);
		assert_int_equal(status.st_size, 3);
		assert_int_equal(status.st_uid, NOBODY);
		assert_int_equal(status.st_mode & 07777, 06755);
		assert_int_equal(status.st_mtim.tv_sec, 0);
		assert_int_equal(status.st_mtim.tv_nsec, 5);
	}
}

static void a_mode_is_worked_out_from_what_the_owner_leaves(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_OWNER | IOBATCH_SET_MODE);

	skip_unless_root();
	file_make("file", 1);
	assert_int_equal(chmod("file", 04755), 0);
	options.user = NOBODY;
	options.mode = "g+w";
	/* As chown and chmod one after the other: the first clears the bit. */
	assert_string_equal(set(state, &options, "file"), "");
	assert_int_equal(mode_of("file"), 0775);
}

/* -------------------------------------------------------- other types -- */

static void a_symbolic_link_takes_owner_and_times_itself(void **state)
{
	struct iobatch_set_options options =
		set_options(IOBATCH_SET_OWNER | IOBATCH_SET_TIMES | IOBATCH_SET_MODE);
	int dirfd = here();

	skip_unless_root();
	file_make("file", 1);
	assert_int_equal(symlink("file", "link"), 0);
	options.user = NOBODY;
	options.mtime_ns = 7000000000;
	options.mode = "0";
	for (unsigned i = 0; i < 2; i++) {
		unsigned char type = i ? DT_LNK : DT_UNKNOWN;

		assert_int_equal(lchown("link", 0, 0), 0);
		assert_string_equal(set_at(state, &options, dirfd, "link", type), "");
		assert_int_equal(status_of("link").st_uid, NOBODY);
		assert_int_equal(status_of("link").st_mtim.tv_sec, 7);
		assert_int_equal(status_of("file").st_uid, 0);
		assert_int_not_equal(status_of("file").st_mtim.tv_sec, 7);
		assert_int_equal(mode_of("file"), 0644);
	}
	close(dirfd);
}

static void a_symbolic_link_is_skipped_when_there_is_nothing_for_it(void **state)
{
	struct iobatch_set_options options =
		set_options(IOBATCH_SET_MODE | IOBATCH_SET_LENGTH | IOBATCH_SET_SYNC);
	int dirfd = here();

	file_make("file", 10);
	assert_int_equal(symlink("file", "link"), 0);
	options.mode = "0";
	assert_string_equal(set_at(state, &options, dirfd, "link", DT_LNK), "ESYMLINK");
	assert_string_equal(set_at(state, &options, dirfd, "link", DT_UNKNOWN), "ESYMLINK");
	assert_file("file", 10);
	assert_int_equal(mode_of("file"), 0644);
	/* Somebody has put a link where the walk has seen a file. */
	assert_string_equal(set_at(state, &options, dirfd, "link", DT_REG), "ELOOP");
	options.what = IOBATCH_SET_MODE;
	assert_string_equal(set_at(state, &options, dirfd, "link", DT_REG), "EOPNOTSUPP");
	assert_file("file", 10);
	assert_int_equal(mode_of("file"), 0644);
	close(dirfd);
}

static void a_path_is_followed_as_by_open(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_MODE | IOBATCH_SET_LENGTH |
	                                                 IOBATCH_SET_TIMES | IOBATCH_SET_SYNC);

	file_make("file", 10);
	assert_int_equal(symlink("file", "link"), 0);
	options.mode = "600";
	options.length = 4;
	options.mtime_ns = 7000000000;
	if (geteuid() == 0) {
		options.what |= IOBATCH_SET_OWNER;
		options.user = NOBODY;
	}
	assert_string_equal(set(state, &options, "link"), "");
	assert_int_equal(mode_of("file"), 0600);
	assert_file("file", 4);
	assert_int_equal(status_of("file").st_mtim.tv_sec, 7);
	assert_int_equal(status_of("file").st_uid, geteuid() ? geteuid() : NOBODY);
	assert_int_equal(status_of("link").st_uid, geteuid());
	assert_int_not_equal(status_of("link").st_mtim.tv_sec, 7);
}

static void what_has_no_content_is_not_opened(void **state)
{
	struct iobatch_set_options options = set_options(IOBATCH_SET_LENGTH | IOBATCH_SET_SYNC);

	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_string_equal(set(state, &options, "fifo"), "ESPECIAL");
	assert_string_equal(set(state, &options, "/dev/null"), "ESPECIAL");
	/* What can be done is done. */
	options.what |= IOBATCH_SET_MODE;
	options.mode = "640";
	assert_string_equal(set(state, &options, "fifo"), "");
	assert_int_equal(mode_of("fifo"), 0640);
}

/* ------------------------------------------------------- the simulator -- */

static void each_op_that_fails_fails_the_item(void **state)
{
	static const struct {
		uint32_t what;
		const char *mode;
		unsigned char type;
		unsigned ops;
	} cases[] = {
		{IOBATCH_SET_CREATE, NULL, DT_UNKNOWN, 1},
		{IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER | IOBATCH_SET_MODE |
	                 IOBATCH_SET_TIMES | IOBATCH_SET_SYNC,
	         "u+x", DT_UNKNOWN, 7},
		{IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER | IOBATCH_SET_MODE | IOBATCH_SET_TIMES |
	                 IOBATCH_SET_SYNC,
	         "u+x", DT_UNKNOWN, 8},
		{IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER | IOBATCH_SET_MODE | IOBATCH_SET_TIMES |
	                 IOBATCH_SET_SYNC,
	         "644", DT_REG, 6},
		{IOBATCH_SET_MODE, "644", DT_REG, 1},
		{IOBATCH_SET_MODE, "644", DT_DIR, 2},
		{IOBATCH_SET_MODE, "a+X", DT_UNKNOWN, 2},
		{IOBATCH_SET_OWNER | IOBATCH_SET_TIMES, NULL, DT_UNKNOWN, 2},
		{IOBATCH_SET_SYNC, NULL, DT_REG, 2},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iobatch_set_options options = set_options(cases[i].what);
		struct iobatch_file *object = held_object(AT_FDCWD, "", "name", cases[i].type);
		struct iobatch_processor *processor;

		options.user = 1;
		options.mode = cases[i].mode;
		processor = set_new(&options);
		assert_int_equal(held_sweep(processor, object, NULL), cases[i].ops);
		iobatch_processor_free(processor);
		free(object);
	}
}

static unsigned syncs, opens;

static void first_sync_fails(void *context, const struct iobatch_op *op,
                             struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_FSYNC && syncs++ == 0)
		answer->result = -EIO;
}

static void a_sync_that_failed_is_not_tried_again(void **state)
{
	struct iobatch_simulation simulation = {.script = first_sync_fails};
	struct iobatch_set_options options = set_options(IOBATCH_SET_SYNC);
	struct iobatch_options run = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = set_new(&options);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "name", DT_REG);

	(void)state;
	syncs = 0;
	run.executor = IOBATCH_EXECUTOR_SIMULATED;
	run.simulation = &simulation;
	run.retries = 3;
	assert_string_equal(held_run(processor, &run, object), "EIO");
	assert_int_equal(syncs, 1);
	free(object);
	iobatch_processor_free(processor);
}

static void a_sync_that_failed_is_no_other_item_s(void **state)
{
	struct iobatch_simulation simulation = {.script = first_sync_fails};
	struct iobatch_set_options options = set_options(IOBATCH_SET_SYNC);
	struct iobatch_options run = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = set_new(&options);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"a", "b", NULL};

	(void)state;
	syncs = 0;
	run.executor = IOBATCH_EXECUTOR_SIMULATED;
	run.simulation = &simulation;
	run.retries = 1;
	/* The second has the place of the first. */
	run.batch_size = 1;
	run.max_concurrent = 1;
	files_run(processor, &run, DT_REG, names, &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.failed, 1);
	assert_int_equal(syncs, 2);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void first_open_is_denied(void *context, const struct iobatch_op *op,
                                 struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_OPENAT && opens++ == 0)
		answer->result = -EACCES;
}

static void a_file_that_may_not_be_read_is_synced_all_the_same(void **state)
{
	struct iobatch_simulation simulation = {.script = first_open_is_denied};
	struct iobatch_set_options options = set_options(IOBATCH_SET_SYNC);
	struct iobatch_options run = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = set_new(&options);
	static const struct {
		unsigned char type;
		const char *error;
		unsigned opens;
	} cases[] = {{DT_REG, "", 2}, {DT_DIR, "EACCES", 1}};

	(void)state;
	run.executor = IOBATCH_EXECUTOR_SIMULATED;
	run.simulation = &simulation;
	for (unsigned i = 0; i < 2; i++) {
		struct iobatch_file *object = held_object(AT_FDCWD, "", "name", cases[i].type);

		opens = 0;
		assert_string_equal(held_run(processor, &run, object), cases[i].error);
		assert_int_equal(opens, cases[i].opens);
		free(object);
	}
	iobatch_processor_free(processor);
}

static void check_refused(const struct iobatch_set_options *options)
{
	struct iobatch_processor *processor = NULL;

	assert_int_equal(iobatch_set_new(options, &processor), -EINVAL);
	assert_null(processor);
}

static void options_that_mean_nothing_are_refused(void **state)
{
	struct iobatch_set_options options = set_options(0);

	(void)state;
	check_refused(NULL);
	assert_int_equal(iobatch_set_new(&options, NULL), -EINVAL);
	check_refused(&options);
	options.what = 64;
	check_refused(&options);
	options.what = IOBATCH_SET_MODE;
	check_refused(&options);
	options.mode = "rwx";
	check_refused(&options);
	options.what = IOBATCH_SET_OWNER;
	check_refused(&options);
	options.what = IOBATCH_SET_LENGTH;
	options.length = UINT64_MAX;
	check_refused(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(a_file_is_created_where_there_is_none),
		FILES_ON_REAL(nothing_is_created_through_a_symbolic_link),
		FILES_ON_REAL(the_length_is_set),
		FILES_ON_REAL(the_mode_is_set),
		FILES_ON_REAL(the_times_are_set_to_the_nanosecond),
		FILES_ON_REAL(the_owner_is_set),
		FILES_ON_REAL(files_are_synced),
		FILES_ON_REAL(nothing_that_is_set_undoes_another),
		FILES_ON_REAL(a_mode_is_worked_out_from_what_the_owner_leaves),
		FILES_ON_REAL(a_symbolic_link_takes_owner_and_times_itself),
		FILES_ON_REAL(a_symbolic_link_is_skipped_when_there_is_nothing_for_it),
		FILES_ON_REAL(a_path_is_followed_as_by_open),
		FILES_ON_REAL(what_has_no_content_is_not_opened),
		cmocka_unit_test(each_op_that_fails_fails_the_item),
		cmocka_unit_test(a_sync_that_failed_is_not_tried_again),
		cmocka_unit_test(a_sync_that_failed_is_no_other_item_s),
		cmocka_unit_test(a_file_that_may_not_be_read_is_synced_all_the_same),
		cmocka_unit_test(options_that_mean_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Chains that a user writes, over files whose directory the source holds open: paths that stay in
 * the directory start from it. And the ops that only some processors use, on real files.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))
#define DEVICE 77u

static struct iobatch_processor *steps_new(const struct iobatch_op *ops, unsigned count)
{
	struct iobatch_processor *processor = NULL;
	char *error = NULL;
	int result = iobatch_steps_new(ops, count, &processor, NULL, &error);

	if (result < 0)
		print_error("%s\n", error ? error : strerror(-result));
	assert_int_equal(result, 0);
	return processor;
}

static bool is_there(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

static void paths_in_its_directory_start_from_there(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_op ops[] = {
		iobatch_op_statx(AT_FDCWD, "{path}", AT_SYMLINK_NOFOLLOW, STATX_TYPE, NULL),
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{dir}/{stem}.part", O_WRONLY | O_CREAT | O_EXCL,
	                          0600),
		iobatch_op_read(0, NULL, 100, 0),
		iobatch_op_write(1, NULL, 0, 0),
		iobatch_op_close(1),
		iobatch_op_close(0),
		iobatch_op_symlinkat("{path}", AT_FDCWD, "{path}.link"),
		iobatch_op_linkat(AT_FDCWD, "{path}", AT_FDCWD, "{path}.hard", 0),
		iobatch_op_renameat(AT_FDCWD, "{dir}/{stem}.part", AT_FDCWD, "{path}.copy", 0),
		iobatch_op_unlinkat(AT_FDCWD, "{path}", 0),
	};
	struct iobatch_processor *processor;
	struct iobatch_file *object;
	char target[64];
	int dirfd;

	/* As job files have them: also where it means nothing. */
	for (unsigned i = 0; i < COUNT(ops); i++)
		ops[i].dirfd = ops[i].dirfd2 = AT_FDCWD;
	processor = steps_new(ops, COUNT(ops));
	/* The directory is no longer where its path says, and a link is there instead. */
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkdir("victim", 0755), 0);
	file_make("d/file.txt", 10);
	file_make("victim/file.txt", 99);
	dirfd = open("d", O_PATH | O_DIRECTORY);
	assert_int_equal(rename("d", "moved"), 0);
	assert_int_equal(symlink("victim", "d"), 0);
	object = held_object(dirfd, "d/", "file.txt", DT_REG);
	assert_string_equal(held_run(processor, &options, object), "");
	assert_false(is_there("moved/file.txt"));
	assert_file("moved/file.txt.copy", 10);
	assert_file("moved/file.txt.hard", 10);
	assert_false(is_there("moved/file.part"));
	/* What a link holds is a text. */
	assert_int_equal(readlink("moved/file.txt.link", target, sizeof(target)), 10);
	assert_memory_equal(target, "d/file.txt", 10);
	assert_file("victim/file.txt", 99);
	assert_int_equal(unlink("victim/file.txt"), 0);
	assert_int_equal(rmdir("victim"), 0);
	close(dirfd);
	free(object);
	iobatch_processor_free(processor);
}

/* What the ops of the next chain start from. */
static void check_starts(const struct iobatch_op *given, struct iobatch_file *object, int dirfd,
                         int dirfd2, uint64_t device)
{
	struct iobatch_processor *processor = steps_new(given, 1);
	struct iobatch_op op;
	struct iobatch_chain done = {0}, chain = {.ops = &op, .capacity = 1};
	struct iobatch_item item = {.object = object, .object_size = sizeof(*object)};

	item.state = calloc(1, processor->state_size);
	item.scratch = malloc(processor->scratch_size);
	assert_int_equal(processor->next(processor->context, &item, &done, &chain), IOBATCH_MORE);
	assert_int_equal(op.dirfd, dirfd);
	assert_int_equal(op.dirfd2, dirfd2);
	assert_int_equal(op.device, device);
	free(item.state);
	free(item.scratch);
	iobatch_processor_free(processor);
}

static void the_device_is_told_where_the_directory_is(void **state)
{
	struct iobatch_file *object = held_object(9, "d/", "name", DT_REG);
	struct iobatch_op op = iobatch_op_unlinkat(AT_FDCWD, "{path}", 0);

	(void)state;
	object->device = DEVICE;
	check_starts(&op, object, 9, 0, DEVICE);
	op = iobatch_op_unlinkat(AT_FDCWD, "/elsewhere/{name}", 0);
	check_starts(&op, object, AT_FDCWD, 0, 0);
	op = iobatch_op_renameat(AT_FDCWD, "{path}", AT_FDCWD, "/elsewhere/{name}", 0);
	check_starts(&op, object, 9, AT_FDCWD, DEVICE);
	op = iobatch_op_symlinkat("{path}", AT_FDCWD, "{dir}/link");
	check_starts(&op, object, 0, 9, DEVICE);
	/* A directory of the caller's own is where it starts. */
	op = iobatch_op_unlinkat(3, "{path}", 0);
	check_starts(&op, object, 3, 0, 0);
	object->directory = NULL;
	op = iobatch_op_unlinkat(AT_FDCWD, "{path}", 0);
	check_starts(&op, object, AT_FDCWD, 0, 0);
	free(object);
}

static void an_object_that_is_no_file_fails(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op op = iobatch_op_unlinkat(AT_FDCWD, "{path}", 0);
	struct iobatch_processor *processor = steps_new(&op, 1);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_REG);

	file_make("file", 1);
	object->name = 5;
	assert_string_equal(held_run(processor, &options, object), "EINVAL");
	assert_true(is_there("file"));
	free(object);
	iobatch_processor_free(processor);
}

static void ops_on_names_that_others_seldom_need_work(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_op follow = iobatch_op_fchownat(AT_FDCWD, "{name}.link", getuid(), 7);
	const struct iobatch_op ops[] = {
		iobatch_op_mknodat(AT_FDCWD, "{name}.fifo", S_IFIFO, 0640, 0),
		iobatch_op_mknodat(AT_FDCWD, "{name}.socket", S_IFSOCK, 0600, 0),
		iobatch_op_symlinkat("{name}.fifo", AT_FDCWD, "{name}.link"),
		iobatch_op_fchownat(AT_FDCWD, "{name}.link", getuid(), UINT32_MAX),
		follow,
	};
	struct iobatch_processor *processor;
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_REG);
	struct stat status;

	/* Only root may give a file to any group. */
	follow.length = AT_SYMLINK_FOLLOW;
	processor = steps_new(ops, COUNT(ops) - (geteuid() != 0));
	assert_string_equal(held_run(processor, &options, object), "");
	assert_int_equal(lstat("file.fifo", &status), 0);
	assert_int_equal(status.st_mode, S_IFIFO | 0640);
	assert_int_equal(lstat("file.socket", &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0600);
	assert_int_equal(lstat("file.link", &status), 0);
	if (geteuid() == 0)
		assert_int_equal(status.st_gid, 7);
	iobatch_processor_free(processor);
	if (geteuid() == 0) {
		processor = steps_new(&follow, 1);
		assert_string_equal(held_run(processor, &options, object), "");
		assert_int_equal(lstat("file.fifo", &status), 0);
		assert_int_equal(status.st_gid, 7);
		iobatch_processor_free(processor);
	}
	free(object);
}

static void ops_on_open_files_that_others_seldom_need_work(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{path}.copy", O_RDWR | O_CREAT | O_EXCL, 0666),
		iobatch_op_fstatx(0, STATX_BASIC_STATS, NULL),
		iobatch_op_find_data(0, 0, NULL),
		iobatch_op_cached(0, 0, 0, NULL),
		iobatch_op_copy_xattrs(0, 1, IOBATCH_XATTR_USER),
		iobatch_op_close(1),
		iobatch_op_close(0),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	int dirfd = open(".", O_PATH | O_DIRECTORY);
	struct iobatch_file *object = held_object(dirfd, "", "file", DT_REG);
	bool attributes;
	char value[8];

	file_make("file", 3 * BLOCK);
	attributes = setxattr("file", "user.iobatch", "value", 5, 0) == 0;
	assert_string_equal(held_run(processor, &options, object), "");
	if (attributes) {
		assert_int_equal(getxattr("file.copy", "user.iobatch", value, sizeof(value)), 5);
		assert_memory_equal(value, "value", 5);
	}
	close(dirfd);
	free(object);
	iobatch_processor_free(processor);
}

static void there_is_no_data_behind_the_end(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_find_data(0, BLOCK, NULL),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_REG);

	file_make("file", BLOCK);
	assert_string_equal(held_run(processor, &options, object), "ENXIO");
	free(object);
	iobatch_processor_free(processor);
}

static void each_op_that_fails_fails_the_item(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{dir}/{stem}.copy", O_WRONLY, 0),
		iobatch_op_read(0, NULL, 100, 0),
		iobatch_op_write(1, NULL, 0, 0),
		iobatch_op_fstatx(0, STATX_BASIC_STATS, NULL),
		iobatch_op_find_data(0, 0, NULL),
		iobatch_op_cached(0, 0, 0, NULL),
		iobatch_op_copy_xattrs(0, 1, IOBATCH_XATTR_USER),
		iobatch_op_close(0),
		iobatch_op_fchownat(AT_FDCWD, "{path}", 1, 1),
		iobatch_op_mknodat(AT_FDCWD, "{path}.fifo", S_IFIFO, 0600, 0),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_file *object = held_object(5, "d/", "name", DT_REG);

	(void)state;
	/* All but the close. */
	assert_int_equal(held_sweep(processor, object, NULL), COUNT(ops) - 1);
	free(object);
	iobatch_processor_free(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(paths_in_its_directory_start_from_there),
		cmocka_unit_test(the_device_is_told_where_the_directory_is),
		FILES_ON_REAL(an_object_that_is_no_file_fails),
		FILES_ON_REAL(ops_on_names_that_others_seldom_need_work),
		FILES_ON_REAL(ops_on_open_files_that_others_seldom_need_work),
		FILES_ON_REAL(there_is_no_data_behind_the_end),
		cmocka_unit_test(each_op_that_fails_fails_the_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The remove processor: each type of file goes by the call that is for it, links are not followed,
 * and what cannot or must not be removed is told apart.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct iobatch_processor *remove_new(uint32_t keep_full)
{
	struct iobatch_remove_options options = IOBATCH_REMOVE_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.keep_full = keep_full;
	assert_int_equal(iobatch_remove_new(&options, &processor), 0);
	return processor;
}

/* Removes one name; `dirfd` AT_FDCWD: as a path. */
static const char *removed(void **state, int dirfd, const char *name, unsigned char type)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = remove_new(0);
	struct iobatch_file *object = held_object(dirfd, "", name, type);
	const char *result = held_run(processor, &options, object);

	free(object);
	iobatch_processor_free(processor);
	return result;
}

static bool is_there(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

static void make_each(void)
{
	file_make("file", 1);
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
}

static void each_type_goes(void **state)
{
	static const struct {
		const char *name;
		unsigned char type;
	} each[] = {{"file", DT_REG}, {"directory", DT_DIR}, {"link", DT_LNK}, {"fifo", DT_FIFO}};
	int dirfd = open(".", O_PATH | O_DIRECTORY);

	assert_true(dirfd >= 0);
	for (unsigned i = 0; i < 4 * 4; i++) {
		bool known = i / 4 % 2, held = i / 8;

		if (i % 4 == 0) {
			assert_int_equal(mkdir("target", 0755), 0);
			make_each();
		}
		assert_string_equal(removed(state, held ? dirfd : AT_FDCWD, each[i % 4].name,
		                            known ? each[i % 4].type : DT_UNKNOWN),
		                    "");
		assert_false(is_there(each[i % 4].name));
		/* The link was not followed. */
		assert_true(is_there("target"));
		if (i % 4 == 3)
			assert_int_equal(rmdir("target"), 0);
	}
	close(dirfd);
}

static void a_held_directory_is_where_the_name_is_removed(void **state)
{
	int dirfd;

	assert_int_equal(mkdir("old", 0755), 0);
	assert_int_equal(mkdir("victim", 0755), 0);
	file_make("old/file", 1);
	file_make("victim/file", 1);
	dirfd = open("old", O_PATH | O_DIRECTORY);
	/* Somebody puts a link in the directory's place. */
	assert_int_equal(rename("old", "moved"), 0);
	assert_int_equal(symlink("victim", "old"), 0);
	{
		struct iobatch_options options = files_options(state);
		struct iobatch_processor *processor = remove_new(0);
		struct iobatch_file *object = held_object(dirfd, "old/", "file", DT_REG);

		assert_string_equal(held_run(processor, &options, object), "");
		free(object);
		iobatch_processor_free(processor);
	}
	assert_true(is_there("victim/file"));
	assert_false(is_there("moved/file"));
	close(dirfd);
}

static void what_is_another_type_than_was_said_stays(void **state)
{
	make_each();
	assert_string_equal(removed(state, AT_FDCWD, "file", DT_DIR), "ENOTDIR");
	assert_string_equal(removed(state, AT_FDCWD, "directory", DT_REG), "EISDIR");
	assert_string_equal(removed(state, AT_FDCWD, "link", DT_DIR), "ENOTDIR");
	assert_string_equal(removed(state, AT_FDCWD, "file/", DT_UNKNOWN), "ENOTDIR");
	assert_string_equal(removed(state, AT_FDCWD, "link/", DT_UNKNOWN), "ENOTDIR");
	assert_true(is_there("file") && is_there("directory") && is_there("link"));
}

static void names_that_are_no_names_are_refused(void **state)
{
	static const char *const names[] = {".",   "..",   "",    "/",     "//", "./",
	                                    "a/.", "a/..", "../", "a/../", "/.."};

	assert_int_equal(mkdir("a", 0755), 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(removed(state, AT_FDCWD, names[i], DT_DIR), "EREFUSED");
		assert_string_equal(removed(state, AT_FDCWD, names[i], DT_UNKNOWN), "EREFUSED");
	}
	assert_true(is_there("a"));
	/* These are names. */
	assert_int_equal(mkdir("...", 0755), 0);
	assert_string_equal(removed(state, AT_FDCWD, "...//", DT_DIR), "");
	file_make("a/..b", 1);
	assert_string_equal(removed(state, AT_FDCWD, "a/..b", DT_UNKNOWN), "");
}

static void what_is_gone_is_skipped(void **state)
{
	assert_string_equal(removed(state, AT_FDCWD, "missing", DT_REG), "EGONE");
	assert_string_equal(removed(state, AT_FDCWD, "missing", DT_DIR), "EGONE");
	assert_string_equal(removed(state, AT_FDCWD, "no/such", DT_UNKNOWN), "EGONE");
}

static void a_range_is_refused(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = remove_new(0);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "file", DT_REG);

	file_make("file", 1);
	object->length = 1;
	assert_string_equal(held_run(processor, &options, object), "EREFUSED");
	object->length = 0;
	object->offset = 1;
	assert_string_equal(held_run(processor, &options, object), "EREFUSED");
	object->offset = 0;
	object->fd = 0;
	assert_string_equal(held_run(processor, &options, object), "EREFUSED");
	assert_true(is_there("file"));
	free(object);
	iobatch_processor_free(processor);
}

static void a_full_directory_fails_or_is_kept(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *fails = remove_new(0), *keeps = remove_new(1);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "d", DT_DIR);

	assert_int_equal(mkdir("d", 0755), 0);
	file_make("d/file", 1);
	for (unsigned i = 0; i < 2; i++) {
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_items items = iobatch_items_array(object, 1, sizeof(*object));

		object->type = i ? DT_UNKNOWN : DT_DIR;
		assert_string_equal(held_run(fails, &options, object), "ENOTEMPTY");
		assert_int_equal(iobatch_run(&items, fails, &options, &result), 0);
		assert_int_equal(result.failed, 1);
		iobatch_result_deinit(&result);
		assert_int_equal(iobatch_run(&items, keeps, &options, &result), 0);
		assert_int_equal(result.failed, 0);
		assert_int_equal(result.skipped, 1);
		iobatch_result_deinit(&result);
	}
	assert_int_equal(unlink("d/file"), 0);
	assert_string_equal(held_run(keeps, &options, object), "");
	assert_false(is_there("d"));
	free(object);
	iobatch_processor_free(fails);
	iobatch_processor_free(keeps);
}

static void what_cannot_be_removed_fails_and_the_rest_goes(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = remove_new(0);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"a", "kept", "b", NULL};
	int flags = FS_IMMUTABLE_FL, none = 0, fd;

	file_make("a", 1);
	file_make("b", 1);
	file_make("kept", 1);
	fd = open("kept", O_RDONLY);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) {
		close(fd);
		skip();
	}
	files_run(processor, &options, DT_UNKNOWN, names, &result);
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &none), 0);
	close(fd);
	assert_int_equal(result.successful, 2);
	assert_int_equal(result.failed, 1);
	assert_string_equal(result.failed_items[0].error_name, "EPERM");
	assert_true(is_there("kept"));
	assert_false(is_there("a") || is_there("b"));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void a_mount_point_is_refused_in_words(void **state)
{
	files_options(state);
	assert_int_equal(mkdir("mnt", 0755), 0);
	file_make("file", 1);
	if (mount("none", "mnt", "tmpfs", 0, "size=64k") < 0)
		skip();
	if (mount("/dev/null", "file", NULL, MS_BIND, NULL) < 0) {
		umount("mnt");
		skip();
	}
	{
		const char *directory = removed(state, AT_FDCWD, "mnt", DT_DIR);
		const char *unknown = removed(state, AT_FDCWD, "mnt", DT_UNKNOWN);
		const char *file = removed(state, AT_FDCWD, "file", DT_UNKNOWN);

		assert_int_equal(umount("mnt"), 0);
		assert_int_equal(umount("file"), 0);
		assert_string_equal(directory, "EREFUSED");
		assert_string_equal(unknown, "EREFUSED");
		assert_string_equal(file, "EREFUSED");
	}
}

static void a_file_system_that_is_read_only_says_so(void **state)
{
	const char *result;

	files_options(state);
	assert_int_equal(mkdir("mnt", 0755), 0);
	if (mount("none", "mnt", "tmpfs", 0, "size=64k") < 0)
		skip();
	file_make("mnt/file", 1);
	assert_int_equal(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	result = removed(state, AT_FDCWD, "mnt/file", DT_REG);
	assert_int_equal(umount("mnt"), 0);
	assert_string_equal(result, "EROFS");
}

static void a_tree_goes_bottom_up(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = remove_new(0);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"t/a/b/file", "t/a/b", "t/a", "t", NULL};

	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(mkdir("t/a", 0755), 0);
	assert_int_equal(mkdir("t/a/b", 0755), 0);
	file_make("t/a/b/file", 1);
	/* One after the other, as a walk gives them when what is below has settled. */
	options.batch_size = 1;
	options.max_concurrent = 1;
	files_run(processor, &options, DT_UNKNOWN, names, &result);
	assert_int_equal(result.successful, 4);
	assert_false(is_there("t"));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* ------------------------------------------------------- the simulator -- */

/* What the ops answer, and what they were. */
static struct {
	int answers[4];
	uint32_t flags[4];
	unsigned opcodes[4];
	unsigned count;
} played;

static void play(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	assert_true(played.count < 4);
	answer->result = played.answers[played.count];
	if (op->opcode == IOBATCH_OP_STATX) {
		struct statx *statx = op->buffer;

		statx->stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
		statx->stx_attributes = STATX_ATTR_COMPRESSED;
	}
	played.opcodes[played.count] = op->opcode;
	played.flags[played.count++] = op->op_flags;
}

static const char *played_run(unsigned char type, int first, int second)
{
	struct iobatch_simulation simulation = {.script = play};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = remove_new(0);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "name", type);
	const char *result;

	memset(&played, 0, sizeof(played));
	played.answers[0] = first;
	played.answers[1] = second;
	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	result = held_run(processor, &options, object);
	free(object);
	iobatch_processor_free(processor);
	return result;
}

static void an_unknown_type_is_found_by_trying(void **state)
{
	(void)state;
	assert_string_equal(played_run(DT_UNKNOWN, -EISDIR, 0), "");
	assert_int_equal(played.count, 2);
	assert_int_equal(played.flags[0], 0);
	assert_int_equal(played.flags[1], AT_REMOVEDIR);
	/* The other word for a directory; and a file that may not be removed. */
	assert_string_equal(played_run(DT_UNKNOWN, -EPERM, 0), "");
	assert_int_equal(played.count, 2);
	assert_string_equal(played_run(DT_UNKNOWN, -EPERM, -ENOTDIR), "EPERM");
	assert_string_equal(played_run(DT_UNKNOWN, -EPERM, -ENOTEMPTY), "ENOTEMPTY");
	assert_string_equal(played_run(DT_REG, -EPERM, 0), "EPERM");
	assert_int_equal(played.count, 1);
	assert_string_equal(played_run(DT_REG, -EISDIR, 0), "EISDIR");
	assert_int_equal(played.count, 1);
	assert_string_equal(played_run(DT_UNKNOWN, -EIO, 0), "EIO");
	assert_int_equal(played.count, 1);
}

static void what_is_busy_and_no_mount_point_says_so(void **state)
{
	(void)state;
	assert_string_equal(played_run(DT_DIR, -EBUSY, 0), "EBUSY");
	assert_int_equal(played.opcodes[1], IOBATCH_OP_STATX);
	assert_string_equal(played_run(DT_DIR, -EBUSY, -EACCES), "EBUSY");
	assert_int_equal(played.count, 2);
}

static void each_op_that_fails_fails_the_item(void **state)
{
	static const unsigned char types[] = {DT_REG, DT_DIR, DT_UNKNOWN};
	struct iobatch_processor *processor = remove_new(0);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct iobatch_file *object = held_object(AT_FDCWD, "", "name", types[i]);

		assert_int_equal(held_sweep(processor, object, NULL), 1);
		free(object);
	}
	iobatch_processor_free(processor);
}

static void options_out_of_range_are_refused(void **state)
{
	struct iobatch_remove_options options = IOBATCH_REMOVE_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_remove_new(NULL, &processor), -EINVAL);
	assert_int_equal(iobatch_remove_new(&options, NULL), -EINVAL);
	options.keep_full = 2;
	assert_int_equal(iobatch_remove_new(&options, &processor), -EINVAL);
	options.keep_full = 0;
	options.size = 4;
	assert_int_equal(iobatch_remove_new(&options, &processor), -EINVAL);
	assert_null(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(each_type_goes),
		FILES_ON_REAL(a_held_directory_is_where_the_name_is_removed),
		FILES_ON_REAL(what_is_another_type_than_was_said_stays),
		FILES_ON_REAL(names_that_are_no_names_are_refused),
		FILES_ON_REAL(what_is_gone_is_skipped),
		FILES_ON_REAL(a_range_is_refused),
		FILES_ON_REAL(a_full_directory_fails_or_is_kept),
		FILES_ON_REAL(what_cannot_be_removed_fails_and_the_rest_goes),
		FILES_ON_REAL(a_mount_point_is_refused_in_words),
		FILES_ON_REAL(a_file_system_that_is_read_only_says_so),
		FILES_ON_REAL(a_tree_goes_bottom_up),
		cmocka_unit_test(an_unknown_type_is_found_by_trying),
		cmocka_unit_test(what_is_busy_and_no_mount_point_says_so),
		cmocka_unit_test(each_op_that_fails_fails_the_item),
		cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

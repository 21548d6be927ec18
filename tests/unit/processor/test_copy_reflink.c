/* SPDX-License-Identifier: MIT */
/*
 * Copies that share their data with the source, on a file system that can, mounted for the purpose
 * from an image in memory; and what is done where none can.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *format, const char *argument)
{
	char command[512];
	int status;

	snprintf(command, sizeof(command), format, argument, argument);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool mount_one(const char *memory, const char *make)
{
	char image[128];
	int fd;

	snprintf(image, sizeof(image), "%s/image", memory);
	fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 400 << 20), 0);
	close(fd);
	return run(make, image) == 0 &&
	       run("mount -o loop %s/image mnt >/dev/null 2>&1", memory) == 0;
}

/* The image goes at once, and lives on as long as it is mounted. */
static void mount_file_system(void)
{
	char memory[64];
	bool mounted;

	if (geteuid() != 0) {
		print_message("only root can mount\n");
		skip();
	}
	make_in_memory(memory, sizeof(memory));
	assert_int_equal(mkdir("mnt", 0755), 0);
	mounted = mount_one(memory, "mkfs.xfs -q -m reflink=1 %s >/dev/null 2>&1") ||
	          mount_one(memory, "mkfs.btrfs -q %s >/dev/null 2>&1");
	remove_tree(memory);
	if (!mounted) {
		print_message("neither XFS nor btrfs can be made and mounted here\n");
		skip();
	}
}

static int unmount_and_teardown(void **state)
{
	if (run("mountpoint -q mnt && umount mnt", NULL) > 1)
		return -1;
	return files_teardown(state);
}

static bool is_shared(const char *name)
{
	struct fiemap *map = calloc(1, sizeof(*map) + sizeof(struct fiemap_extent));
	int fd = open(name, O_RDONLY);
	bool shared;

	assert_non_null(map);
	map->fm_length = UINT64_MAX;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = 1;
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_FIEMAP, map), 0);
	close(fd);
	shared = map->fm_mapped_extents > 0 &&
	         map->fm_extents[0].fe_flags & FIEMAP_EXTENT_SHARED;
	free(map);
	return shared;
}

static void data_is_shared_where_that_can_be(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("mnt/out");

	mount_file_system();
	assert_int_equal(chdir("mnt"), 0);
	file_make("large", 700 * BLOCK + 5);
	file_make("small", 5);
	assert_int_equal(chdir(".."), 0);
	copying_one(&copy, false, &options, DT_REG, "mnt/large", NULL);
	assert_file("mnt/out/mnt/large", 700 * BLOCK + 5);
	assert_true(is_shared("mnt/out/mnt/large"));
	copying_one(&copy, false, &options, DT_REG, "mnt/small", NULL);
	assert_file("mnt/out/mnt/small", 5);
	/* What is shared is read back as well. */
	copy.verify = 1;
	copying_one(&copy, false, &options, DT_REG, "mnt/large", NULL);
	assert_true(is_shared("mnt/out/mnt/large"));
	copy.verify = 0;
	copy.reflink = IOBATCH_REFLINK_ALWAYS;
	copying_one(&copy, false, &options, DT_REG, "mnt/large", NULL);
	assert_true(is_shared("mnt/out/mnt/large"));
	copy.reflink = IOBATCH_REFLINK_NEVER;
	copying_one(&copy, false, &options, DT_REG, "mnt/large", NULL);
	assert_file("mnt/out/mnt/large", 700 * BLOCK + 5);
	assert_false(is_shared("mnt/out/mnt/large"));
	/* From elsewhere nothing can be shared. */
	file_make("here", 5 * BLOCK);
	copy.reflink = IOBATCH_REFLINK_AUTO;
	copying_one(&copy, false, &options, DT_REG, "here", NULL);
	copy.reflink = IOBATCH_REFLINK_ALWAYS;
	copying_one(&copy, false, &options, DT_REG, "here", "EXDEV");
	assert_file("mnt/out/here", 5 * BLOCK);
	assert_int_equal(hidden_count("mnt/out"), 0);
}

static void where_nothing_can_be_shared_always_is_an_error(void **state)
{
	struct iobatch_options options = files_options(state);
	char memory[64], name[192];
	struct iobatch_copy_options copy;

	make_in_memory(memory, sizeof(memory));
	copy = copying_options(memory);
	snprintf(name, sizeof(name), "%s/from", memory);
	file_make(name, 5 * BLOCK);
	copy.reflink = IOBATCH_REFLINK_ALWAYS;
	copying_one(&copy, false, &options, DT_REG, name, "EOPNOTSUPP");
	copy.reflink = IOBATCH_REFLINK_AUTO;
	copying_one(&copy, false, &options, DT_REG, name, NULL);
	snprintf(name, sizeof(name), "%s%s/from", memory, memory);
	assert_file(name, 5 * BLOCK);
	remove_tree(memory);
}

/* By the kernel, on a file system without a device, until it moves nothing more. */
struct ranges {
	unsigned asked;
	uint64_t read_from;
	int after; /* what it answers from the second time on */
};

static void copy_some_ranges(void *context, const struct iobatch_op *op,
                             struct iobatch_answer *answer)
{
	struct ranges *ranges = context;

	if (op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_blocks = UINT64_C(1) << 20;
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	if (op->opcode == IOBATCH_OP_COPY_FILE_RANGE && ranges->asked++ > 0)
		answer->result = ranges->after;
	if (op->opcode == IOBATCH_OP_READ && op->offset < ranges->read_from)
		ranges->read_from = op->offset;
}

static void what_the_kernel_does_not_copy_is_read_and_written(void **state)
{
	static const int answers[] = {0, -EXDEV, -EOPNOTSUPP, -EINVAL, -ENOSYS, -EIO};
	uint64_t piece = UINT64_C(8) << 20;

	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct ranges ranges = {.read_from = UINT64_MAX, .after = answers[i]};
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.file_size = 2 * piece + 77,
		                                        .script = copy_some_ranges,
		                                        .context = &ranges};
		struct iobatch_copy_options copy = copying_options("world");
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;

		options.simulation = &simulation;
		copy.block_size = 1u << 20;
		assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
		files_run(processor, &options, DT_REG, (const char *const[]){"a", NULL}, &result);
		assert_int_equal(result.successful, 1);
		assert_int_equal(result.bytes, 2 * piece + 77);
		assert_int_equal(ranges.read_from, piece);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

#define MOUNTED(test, name, executor)                                         \
	{                                                                     \
#test " (" name ")", test, files_setup, unmount_and_teardown, \
			(void *)(uintptr_t)(executor)                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(data_is_shared_where_that_can_be, "ring", IOBATCH_EXECUTOR_RING),
		MOUNTED(data_is_shared_where_that_can_be, "syscall", IOBATCH_EXECUTOR_SYSCALL),
		FILES_ON_REAL(where_nothing_can_be_shared_always_is_an_error),
		FILES_ON_SIMULATED(what_the_kernel_does_not_copy_is_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

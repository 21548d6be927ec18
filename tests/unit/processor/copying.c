/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the tests of copy and move: see copying.h.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct iobatch_copy_options copying_options(const char *destination)
{
	struct iobatch_copy_options options = IOBATCH_COPY_OPTIONS_INIT;

	options.destination = destination;
	options.block_size = BLOCK;
	options.depth = 3;
	return options;
}

static struct iobatch_processor *make(const struct iobatch_copy_options *copy, bool moves)
{
	struct iobatch_processor *processor;

	if (moves)
		assert_int_equal(iobatch_move_new(copy, &processor), 0);
	else
		assert_int_equal(iobatch_copy_new(copy, &processor), 0);
	return processor;
}

void copying_run(const struct iobatch_copy_options *copy, const struct copying_tree *tree,
                 const struct iobatch_options *options, struct iobatch_result *result)
{
	struct iobatch_processor *processor = make(copy, tree->moves);
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_result own = IOBATCH_RESULT_INIT;
	struct iobatch_result *used = result ? result : &own;
	struct iobatch_source *source;
	struct iobatch_items items;

	walk.root = tree->root;
	walk.types = tree->types ? tree->types
	                         : IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY |
	                                   IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER;
	walk.directories = tree->directories;
	walk.root_name = tree->root_name;
	walk.no_follow = 1;
	assert_int_equal(iobatch_source_walk(&walk, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, options, used), 0);
	assert_int_equal(used->executor, options->executor);
	for (uint64_t i = 0; i < used->failed_items_count && !tree->may_fail; i++)
		print_message("%s: %s\n",
		              ((struct iobatch_file *)used->failed_items[i].object)->path,
		              used->failed_items[i].error_name);
	if (!tree->may_fail)
		assert_int_equal(used->failed, 0);
	iobatch_source_free(source);
	iobatch_processor_free(processor);
	iobatch_result_deinit(&own);
}

void copying_one(const struct iobatch_copy_options *copy, bool moves,
                 const struct iobatch_options *options, unsigned char type, const char *name,
                 const char *error_name)
{
	struct iobatch_processor *processor = make(copy, moves);

	files_run_one(processor, options, type, name, error_name);
	iobatch_processor_free(processor);
}

void copying_skipped(const struct iobatch_copy_options *copy, bool moves,
                     const struct iobatch_options *options, unsigned char type, const char *name,
                     const char *reason)
{
	struct iobatch_processor *processor = make(copy, moves);
	struct iobatch_options used = *options;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	used.collect = IOBATCH_COLLECT_SUCCESSFUL | IOBATCH_COLLECT_FAILED;
	files_run(processor, &used, type, (const char *const[]){name, NULL}, &result);
	if (result.failed)
		print_message("%s: %s\n", name, result.failed_items[0].error_name);
	assert_int_equal(result.skipped, 1);
	assert_string_equal(result.successful_items[0].error_name, reason);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

void set_times(const char *name, time_t seconds, long nanoseconds)
{
	const struct timespec times[2] = {{seconds + 1, nanoseconds}, {seconds, nanoseconds}};

	assert_int_equal(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

void assert_like(const char *copy, const char *source)
{
	struct stat a, b;

	assert_int_equal(lstat(copy, &a), 0);
	assert_int_equal(lstat(source, &b), 0);
	assert_int_equal(a.st_mode, b.st_mode);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
	assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	assert_true(a.st_ino != b.st_ino || a.st_dev != b.st_dev);
}

void assert_linked(const char *one, const char *other)
{
	struct stat a, b;

	assert_int_equal(lstat(one, &a), 0);
	assert_int_equal(lstat(other, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_dev, b.st_dev);
}

void assert_missing(const char *name)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), -1);
	assert_int_equal(errno, ENOENT);
}

void make_in_memory(char *ret_path, size_t size)
{
	snprintf(ret_path, size, "/dev/shm/iobatch-processor-XXXXXX");
	if (!mkdtemp(ret_path))
		skip();
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void remove_tree(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH), 0);
}

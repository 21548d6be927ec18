/* SPDX-License-Identifier: MIT */
/* Ranges: which blocks of a file come, in which order, and which files have none. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Collects the range of a file of `size` bytes that is made for it. */
static void collect_range(const struct tree *tree, size_t size,
                          struct iobatch_range_options options, struct collected *ret_collected)
{
	char *path = tree_path(tree, "file");
	struct iobatch_source *source;

	tree_file(tree, "file", size);
	options.path = path;
	assert_int_equal(iobatch_source_range(&options, &source), 0);
	assert_int_not_equal(iobatch_source_items(source).count, IOBATCH_UNKNOWN);
	collect(source, ret_collected);
	assert_int_equal(ret_collected->end, 0);
	for (size_t i = 0; i < ret_collected->count; i++) {
		assert_string_equal(ret_collected->files[i]->path, path);
		assert_string_equal(path + ret_collected->files[i]->relative, "file");
		assert_int_equal(ret_collected->files[i]->type, DT_REG);
	}
	iobatch_source_free(source);
	assert_int_equal(unlinkat(tree->fd, "file", 0), 0);
	free(path);
}

static struct iobatch_range_options sequential(uint64_t block_size, uint64_t count)
{
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;

	options.block_size = block_size;
	options.count = count;
	return options;
}

static struct iobatch_range_options in_random_order(uint64_t block_size, uint64_t count,
                                                    uint64_t seed)
{
	struct iobatch_range_options options = sequential(block_size, count);

	options.order = IOBATCH_ORDER_RANDOM;
	options.seed = seed;
	return options;
}

static void sequential_blocks_cover_the_file_without_a_gap(void **state)
{
	struct collected all;
	uint64_t at = 0;

	collect_range(*state, 10 * 4096 + 100, sequential(4096, 0), &all);
	assert_int_equal(all.count, 11);
	for (size_t i = 0; i < all.count; i++) {
		assert_int_equal(all.files[i]->offset, at);
		assert_int_equal(all.files[i]->length, i < 10 ? 4096 : 100);
		at += all.files[i]->length;
	}
	assert_int_equal(at, 10 * 4096 + 100);
	collected_deinit(&all);

	/* Without a rest there is no empty block at the end. */
	collect_range(*state, 2 * 4096, sequential(4096, 0), &all);
	assert_int_equal(all.count, 2);
	assert_int_equal(all.files[1]->length, 4096);
	collected_deinit(&all);
}

static void blocks_are_64_kib_by_default(void **state)
{
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;
	struct collected all;

	collect_range(*state, 128 << 10, options, &all);
	assert_int_equal(all.count, 2);
	assert_int_equal(all.files[1]->offset, 64 << 10);
	collected_deinit(&all);
}

static void count_limits_the_blocks_and_the_file_does_too(void **state)
{
	struct collected all;

	collect_range(*state, 10000, sequential(1000, 3), &all);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.files[2]->offset, 2000);
	collected_deinit(&all);
	collect_range(*state, 9500, sequential(1000, 99), &all);
	assert_int_equal(all.count, 10);
	assert_int_equal(all.files[9]->length, 500);
	collected_deinit(&all);
}

static void a_block_larger_than_the_file_is_the_file(void **state)
{
	struct collected all;

	collect_range(*state, 10, sequential(UINT64_MAX, 0), &all);
	assert_int_equal(all.count, 1);
	assert_int_equal(all.files[0]->offset, 0);
	assert_int_equal(all.files[0]->length, 10);
	collected_deinit(&all);
}

static void an_empty_file_has_no_items(void **state)
{
	struct collected all;

	collect_range(*state, 0, sequential(4096, 0), &all);
	assert_int_equal(all.count, 0);
	collected_deinit(&all);
	collect_range(*state, 0, in_random_order(4096, 7, 1), &all);
	assert_int_equal(all.count, 0);
	collected_deinit(&all);
}

static void random_blocks_are_whole_and_inside_the_file(void **state)
{
	struct collected all;

	collect_range(*state, 7 * 4096 + 4095, in_random_order(4096, 1000, 3), &all);
	assert_int_equal(all.count, 1000);
	for (size_t i = 0; i < all.count; i++) {
		assert_int_equal(all.files[i]->offset % 4096, 0);
		assert_true(all.files[i]->offset < 7 * 4096);
		assert_int_equal(all.files[i]->length, 4096);
	}
	collected_deinit(&all);
}

static void random_blocks_are_as_many_as_the_file_has_by_default(void **state)
{
	struct collected all;

	collect_range(*state, 7 * 4096 + 1, in_random_order(4096, 0, 3), &all);
	assert_int_equal(all.count, 7);
	collected_deinit(&all);
}

static void random_blocks_come_equally_often(void **state)
{
	unsigned times[10] = {0};
	struct collected all;

	collect_range(*state, 10 * 512, in_random_order(512, 20000, 0), &all);
	for (size_t i = 0; i < all.count; i++)
		times[all.files[i]->offset / 512]++;
	/* 2000 times each; 250 is more than five standard deviations. */
	for (size_t i = 0; i < 10; i++)
		assert_in_range(times[i], 1750, 2250);
	collected_deinit(&all);
}

static void the_seed_decides_the_order(void **state)
{
	struct collected first;
	struct collected again;
	struct collected other;
	size_t different = 0;

	collect_range(*state, 1000 * 512, in_random_order(512, 200, 42), &first);
	collect_range(*state, 1000 * 512, in_random_order(512, 200, 42), &again);
	collect_range(*state, 1000 * 512, in_random_order(512, 200, 43), &other);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(first.files[i]->offset, again.files[i]->offset);
		different += first.files[i]->offset != other.files[i]->offset;
	}
	assert_true(different > 150);
	collected_deinit(&first);
	collected_deinit(&again);
	collected_deinit(&other);
}

static void a_random_range_needs_one_whole_block(void **state)
{
	struct tree *tree = *state;
	struct iobatch_range_options options = in_random_order(4096, 1, 0);
	char *path = tree_path(tree, "small");
	struct iobatch_source *source = NULL;

	tree_file(tree, "small", 4095);
	options.path = path;
	assert_int_equal(iobatch_source_range(&options, &source), -EINVAL);
	assert_null(source);
	free(path);
}

static void items_share_one_descriptor_that_reads_the_file(void **state)
{
	struct tree *tree = *state;
	struct iobatch_range_options options = sequential(4, 0);
	char *path = tree_path(tree, "file");
	struct iobatch_source *source;
	struct collected all;
	char text[5] = {0};
	int fd;

	fd = openat(tree->fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abcdefgh", 8), 8);
	close(fd);
	options.path = path;
	assert_int_equal(iobatch_source_range(&options, &source), 0);
	collect(source, &all);
	assert_int_equal(all.count, 2);
	fd = all.files[0]->fd;
	assert_int_equal(all.files[1]->fd, fd);
	assert_int_equal(pread(fd, text, 4, (off_t)all.files[1]->offset), 4);
	assert_string_equal(text, "efgh");
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	iobatch_source_free(source);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	collected_deinit(&all);
	free(path);
}

static void a_direct_range_reads_an_uneven_tail_without_o_direct(void **state)
{
	struct tree *tree = *state;
	struct iobatch_range_options options = sequential(4096, 0);
	char *path = tree_path(tree, "file");
	struct iobatch_source *source;
	struct collected all;
	void *buffer = NULL;
	int rc;

	tree_file(tree, "file", 2 * 4096 + 700);
	options.path = path;
	options.direct = 1;
	rc = iobatch_source_range(&options, &source);
	if (rc == -EINVAL) {
		print_message("this file system has no direct I/O\n");
		free(path);
		skip();
	}
	assert_int_equal(rc, 0);
	collect(source, &all);
	assert_int_equal(all.count, 3);
	assert_true(fcntl(all.files[0]->fd, F_GETFL) & O_DIRECT);
	assert_int_equal(all.files[1]->fd, all.files[0]->fd);
	assert_false(fcntl(all.files[2]->fd, F_GETFL) & O_DIRECT);
	assert_int_equal(posix_memalign(&buffer, 4096, 4096), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pread(all.files[i]->fd, buffer, all.files[i]->length,
		                       (off_t)all.files[i]->offset),
		                 all.files[i]->length);
	free(buffer);
	iobatch_source_free(source);
	assert_int_equal(fcntl(all.files[0]->fd, F_GETFD), -1);
	assert_int_equal(fcntl(all.files[2]->fd, F_GETFD), -1);
	collected_deinit(&all);

	/* An even one needs no second descriptor. */
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(iobatch_source_range(&options, &source), 0);
	collect(source, &all);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.files[2]->fd, all.files[0]->fd);
	collected_deinit(&all);
	iobatch_source_free(source);
	free(path);
}

static void what_has_no_blocks_is_refused(void **state)
{
	struct tree *tree = *state;
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;
	char *pipe_path = tree_path(tree, "pipe");
	char *missing = tree_path(tree, "missing");
	char long_path[IOBATCH_PATH_MAX + 1];
	struct iobatch_source *source = NULL;

	/* Nobody writes to the pipe: to open it must not wait. */
	assert_int_equal(mkfifoat(tree->fd, "pipe", 0600), 0);
	options.path = pipe_path;
	assert_int_equal(iobatch_source_range(&options, &source), -EINVAL);
	options.path = "/dev/null";
	assert_int_equal(iobatch_source_range(&options, &source), -EINVAL);
	options.path = tree->root;
	assert_int_equal(iobatch_source_range(&options, &source), -EISDIR);
	options.path = missing;
	assert_int_equal(iobatch_source_range(&options, &source), -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	options.path = long_path;
	assert_int_equal(iobatch_source_range(&options, &source), -ENAMETOOLONG);
	assert_null(source);
	free(pipe_path);
	free(missing);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(sequential_blocks_cover_the_file_without_a_gap),
		IN_TREE(blocks_are_64_kib_by_default),
		IN_TREE(count_limits_the_blocks_and_the_file_does_too),
		IN_TREE(a_block_larger_than_the_file_is_the_file),
		IN_TREE(an_empty_file_has_no_items),
		IN_TREE(random_blocks_are_whole_and_inside_the_file),
		IN_TREE(random_blocks_are_as_many_as_the_file_has_by_default),
		IN_TREE(random_blocks_come_equally_often),
		IN_TREE(the_seed_decides_the_order),
		IN_TREE(a_random_range_needs_one_whole_block),
		IN_TREE(items_share_one_descriptor_that_reads_the_file),
		IN_TREE(a_direct_range_reads_an_uneven_tail_without_o_direct),
		IN_TREE(what_has_no_blocks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * A directory of a million files: all of them come, once each, and what the walk holds does not
 * grow with their number.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 1000000u

/* Two portions may be in memory for a moment: the one that is read and what it was sorted with. */
#define HELD_MAX ((size_t)12 << 20)

static size_t held(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void make_files(const struct tree *tree)
{
	char name[32];

	assert_int_equal(mknodat(tree->fd, "f", S_IFREG | 0644, 0), 0);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/%07u", i);
		assert_int_equal(mknodat(tree->fd, name, S_IFREG | 0644, 0), 0);
	}
}

static void check(const char *root, uint32_t order, unsigned char *seen)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *file = malloc(sizeof(*file));
	struct iobatch_source *source;
	struct iobatch_items items;
	size_t before = held();
	size_t most = 0;
	unsigned count = 0;

	options.root = root;
	options.order = order;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	memset(seen, 0, FILES);
	while (items.next(items.context, file) > 0) {
		unsigned number = (unsigned)strtoul(file->path + file->name, NULL, 10);

		assert_true(number < FILES && !seen[number]);
		seen[number] = 1;
		items.release(items.context, file);
		if (++count % 1000 == 0 && held() - before > most)
			most = held() - before;
	}
	assert_int_equal(count, FILES);
	assert_true(most < HELD_MAX);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	free(file);
}

static void a_million_files_need_the_memory_of_a_portion(void **state)
{
	struct tree *tree = *state;
	unsigned char *seen = malloc(FILES);
	char *root = tree_path(tree, "d");

	tree_directory(tree, "d");
	make_files(tree);
	check(root, IOBATCH_WALK_BY_NAME, seen);
	check(root, IOBATCH_WALK_AS_FOUND, seen);
	check(root, IOBATCH_WALK_BY_INODE, seen);
	free(seen);
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_million_files_need_the_memory_of_a_portion,
	                                        tree_setup, tree_teardown),
	};

	/* In memory, where there is room: a million files take more than half a gigabyte. */
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

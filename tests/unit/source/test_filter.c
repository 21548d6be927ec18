/* SPDX-License-Identifier: MIT */
/* Sources whose items somebody else picks: in which thread, and what becomes of the others. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_t taker;
static _Atomic unsigned asked;
static _Atomic unsigned asked_by_taker;

static void note(void)
{
	asked++;
	if (pthread_equal(pthread_self(), taker))
		asked_by_taker++;
}

static int filter_setup(void **state)
{
	taker = pthread_self();
	asked = asked_by_taker = 0;
	return tree_setup(state);
}

/* Keeps what has no "no" in its name. */
static bool keep_most(void *context, struct iobatch_file *file)
{
	note();
	assert_string_equal(context, "context");
	return !strstr(file->path + file->relative, "no");
}

static bool keep_none(void *context, struct iobatch_file *file)
{
	(void)context;
	(void)file;
	note();
	return false;
}

static bool keep_odd(void *context, struct iobatch_file *file)
{
	(void)context;
	note();
	return file->offset / 4096 % 2;
}

static struct iobatch_source *open_walk(const struct tree *tree, bool last)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;

	options.root = tree->root;
	if (last) {
		options.types |= IOBATCH_TYPE_DIRECTORY;
		options.directories = IOBATCH_DIRECTORIES_LAST;
	}
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	return source;
}

static void a_walk_gives_what_is_kept_and_asks_in_its_own_thread(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source = open_walk(tree, false);
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "a", 0);
	tree_file(tree, "b no", 0);
	tree_file(tree, "d/c", 0);
	tree_file(tree, "d/no", 0);
	assert_int_equal(iobatch_source_filter(source, keep_most, (char *)"context"), 0);
	collect(source, &all);
	assert_relative_list(&all, "a", "d/c");
	assert_int_equal(asked, 4);
	assert_int_equal(asked_by_taker, 0);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void directories_are_given_last_whatever_of_their_contents_is_left_out(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source = open_walk(tree, true);
	struct collected all;

	tree_directory(tree, "d");
	tree_directory(tree, "d/e");
	tree_directory(tree, "no");
	tree_file(tree, "d/e/no", 0);
	tree_file(tree, "no/f", 0);
	assert_int_equal(iobatch_source_filter(source, keep_most, (char *)"context"), 0);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 3);
	/* "no" and "no/f" are left out by name. */
	assert_string_equal(all.files[0]->path + strlen(tree->root), "/d/e");
	assert_string_equal(all.files[1]->path + strlen(tree->root), "/d");
	assert_string_equal(all.files[2]->path, tree->root);
	for (size_t i = 0; i < all.count; i++)
		assert_int_equal(all.files[i]->flags, IOBATCH_FILE_LAST);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void of_a_tree_nothing_may_be_kept(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source = open_walk(tree, true);
	struct collected all;

	tree_chain(tree, "d", 100);
	tree_file(tree, "f", 0);
	assert_int_equal(iobatch_source_filter(source, keep_none, NULL), 0);
	collect(source, &all);
	assert_int_equal(all.count, 0);
	assert_int_equal(all.end, 0);
	assert_int_equal(asked, 102);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void a_source_without_a_thread_gets_one_and_says_no_number(void **state)
{
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;
	struct tree *tree = *state;
	char *path = tree_path(tree, "f");
	struct iobatch_source *source;
	struct collected all;

	tree_file(tree, "f", 10 * 4096);
	options.path = path;
	options.block_size = 4096;
	assert_int_equal(iobatch_source_range(&options, &source), 0);
	assert_int_equal(iobatch_source_items(source).count, 10);
	assert_int_equal(iobatch_source_filter(source, keep_odd, NULL), 0);
	assert_int_equal(iobatch_source_items(source).count, IOBATCH_UNKNOWN);
	collect(source, &all);
	assert_int_equal(all.count, 5);
	for (size_t i = 0; i < all.count; i++)
		assert_int_equal(all.files[i]->offset, (2 * i + 1) * 4096);
	assert_int_equal(asked, 10);
	assert_int_equal(asked_by_taker, 0);
	collected_deinit(&all);
	iobatch_source_free(source);
	free(path);
}

static void wake(void *waker)
{
	(void)waker;
}

static void a_source_that_is_not_run_to_its_end_can_be_freed(void **state)
{
	struct iobatch_series_options options = IOBATCH_SERIES_OPTIONS_INIT;
	struct iobatch_file *file = calloc(1, sizeof(*file));
	struct iobatch_source *source;
	struct iobatch_items items;

	(void)state;
	options.path = "{index}";
	options.count = UINT64_C(1) << 40;
	assert_int_equal(iobatch_source_series(&options, &source), 0);
	assert_int_equal(iobatch_source_filter(source, keep_odd, NULL), 0);
	items = iobatch_source_items(source);
	/* All of them have the offset 0 and are left out: the thread looks for one on and on. */
	items.listen(items.context, wake, NULL);
	assert_int_equal(items.next(items.context, file), -EAGAIN);
	while (asked < 1000)
		sched_yield();
	items.listen(items.context, NULL, NULL);
	iobatch_source_free(source);
	free(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, filter_setup, tree_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_walk_gives_what_is_kept_and_asks_in_its_own_thread),
		TEST(directories_are_given_last_whatever_of_their_contents_is_left_out),
		TEST(of_a_tree_nothing_may_be_kept),
		TEST(a_source_without_a_thread_gets_one_and_says_no_number),
		TEST(a_source_that_is_not_run_to_its_end_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

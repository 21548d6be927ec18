/* SPDX-License-Identifier: MIT */
/* Globs: what matches, in which order, and what is left out. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a glob of the pattern below the tree's root, and collects it. */
static struct iobatch_source *glob_tree(const struct tree *tree, const char *pattern,
                                        struct collected *ret_collected)
{
	char *path = tree_path(tree, pattern);
	struct iobatch_source *source;

	assert_int_equal(iobatch_source_glob(path, &source), 0);
	free(path);
	assert_int_not_equal(iobatch_source_items(source).count, IOBATCH_UNKNOWN);
	collect(source, ret_collected);
	assert_int_equal(ret_collected->end, 0);
	return source;
}

static void matches_come_in_byte_order_and_are_counted(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	tree_file(tree, "b.txt", 0);
	tree_file(tree, "a.txt", 0);
	tree_file(tree, "B.txt", 0);
	tree_file(tree, "new\nline.txt", 0);
	tree_file(tree, "-x.txt", 0);
	tree_file(tree, "\xe9.txt", 0);
	tree_file(tree, "other", 0);
	tree_directory(tree, "c.txt");
	source = glob_tree(tree, "*.txt", &all);
	/* Relative is the last component. */
	assert_relative_list(&all, "-x.txt", "B.txt", "a.txt", "b.txt", "c.txt", "new\nline.txt",
	                     "\xe9.txt");
	assert_int_equal(all.files[0]->type, DT_UNKNOWN);
	assert_int_equal(all.files[0]->fd, -1);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void patterns_span_directories(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "b");
	tree_file(tree, "a/z", 0);
	tree_file(tree, "b/y", 0);
	tree_file(tree, "plain", 0);
	source = glob_tree(tree, "*/*", &all);
	assert_relative_list(&all, "z", "y");
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void no_match_is_no_items_and_no_error(void **state)
{
	struct iobatch_source *source;
	struct collected all;

	source = glob_tree(*state, "*.none", &all);
	assert_int_equal(iobatch_source_items(source).count, 0);
	assert_int_equal(all.count, 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
	source = glob_tree(*state, "no-directory/*", &all);
	assert_int_equal(all.count, 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void unreadable_directories_are_left_out(void **state)
{
	struct tree *tree = *state;
	char *closed = tree_path(tree, "closed");
	struct iobatch_source *source;
	struct collected all;
	const char *path = NULL;
	int error = 0;

	tree_directory(tree, "closed");
	tree_directory(tree, "open");
	tree_file(tree, "closed/f", 0);
	tree_file(tree, "open/f", 0);
	assert_int_equal(chmod(closed, 0), 0);
	/* Root may read everything, so as root this goes on as nobody. */
	if (!geteuid())
		assert_int_equal(seteuid(65534), 0);
	source = glob_tree(tree, "*/*", &all);
	if (geteuid() != getuid())
		assert_int_equal(seteuid(getuid()), 0);
	assert_relative_list(&all, "f");
	assert_int_equal(iobatch_source_errors(source, &error, &path), 1);
	assert_int_equal(error, -EACCES);
	assert_string_equal(path, closed);
	assert_int_equal(chmod(closed, 0755), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
	free(closed);
}

static void a_missing_pattern_is_refused(void **state)
{
	struct iobatch_source *source = NULL;

	(void)state;
	assert_int_equal(iobatch_source_glob(NULL, &source), -EINVAL);
	assert_null(source);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(matches_come_in_byte_order_and_are_counted),
		IN_TREE(patterns_span_directories),
		IN_TREE(no_match_is_no_items_and_no_error),
		IN_TREE(unreadable_directories_are_left_out),
		cmocka_unit_test(a_missing_pattern_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What a walk hands out: order, names, types, filters and roots. What it does when the tree is in
 * its way is in test_walk_faults.c.
 */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL (IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)

/* Collects the whole tree, with `types`. */
static void walk_tree(const struct tree *tree, uint32_t types, struct collected *ret_collected)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;

	options.root = tree->root;
	options.types = types;
	collect_walk(&options, ret_collected);
}

static void directories_come_before_their_contents_in_byte_order(void **state)
{
	struct tree *tree = *state;
	struct collected all;

	tree_directory(tree, "b");
	tree_file(tree, "b/2", 0);
	tree_file(tree, "b/10", 0);
	tree_directory(tree, "b/1");
	tree_file(tree, "b/1/x", 0);
	tree_file(tree, "a", 0);
	tree_file(tree, "B", 0);
	tree_file(tree, "\xff", 0);
	tree_file(tree, "c", 0);
	walk_tree(tree, ALL, &all);
	assert_relative_list(&all, "", "B", "a", "b", "b/1", "b/1/x", "b/10", "b/2", "c", "\xff");
	assert_string_equal(all.files[0]->path, tree->root);
	collected_deinit(&all);
}

static void a_name_below_the_slash_does_not_come_between(void **state)
{
	struct tree *tree = *state;
	struct collected all;

	/* '.' sorts before '/': the bytes of whole paths would put "a.b" before "a/x". */
	tree_directory(tree, "a");
	tree_file(tree, "a/x", 0);
	tree_file(tree, "a.b", 0);
	walk_tree(tree, IOBATCH_TYPE_FILE, &all);
	assert_relative_list(&all, "a/x", "a.b");
	collected_deinit(&all);
}

static void names_are_bytes(void **state)
{
	struct tree *tree = *state;
	char longest[256];
	struct collected all;

	memset(longest, 'n', 255);
	longest[255] = '\0';
	tree_file(tree, "new\nline", 0);
	tree_file(tree, "-rf", 0);
	tree_file(tree, " ", 0);
	tree_file(tree, "\x80\xc3", 0);
	tree_file(tree, "*?[", 0);
	tree_file(tree, "...", 0);
	tree_directory(tree, longest);
	tree_file(tree, ".hidden", 0);
	walk_tree(tree, ALL, &all);
	assert_relative_list(&all, "", " ", "*?[", "-rf", "...", ".hidden", "new\nline", longest,
	                     "\x80\xc3");
	collected_deinit(&all);
}

static void items_are_whole_files_not_open(void **state)
{
	struct tree *tree = *state;
	struct collected all;

	tree_file(tree, "f", 5);
	tree_directory(tree, "g");
	walk_tree(tree, ALL, &all);
	for (size_t i = 0; i < all.count; i++) {
		assert_int_equal(all.files[i]->offset, 0);
		assert_int_equal(all.files[i]->length, 0);
		assert_int_equal(all.files[i]->fd, -1);
		assert_int_equal(all.files[i]->flags, 0);
	}
	assert_int_equal(all.count, 3);
	assert_int_equal(all.files[0]->type, DT_DIR);
	assert_int_equal(all.files[1]->type, DT_REG);
	assert_int_equal(all.files[2]->type, DT_DIR);
	collected_deinit(&all);
}

static void an_empty_directory_has_no_files(void **state)
{
	struct collected all;

	walk_tree(*state, IOBATCH_TYPE_FILE, &all);
	assert_int_equal(all.count, 0);
	collected_deinit(&all);
}

static void each_type_comes_only_when_asked_for(void **state)
{
	struct tree *tree = *state;
	struct collected all;

	tree_directory(tree, "directory");
	tree_file(tree, "file", 0);
	tree_symlink(tree, "nowhere", "link");
	assert_int_equal(mkfifoat(tree->fd, "pipe", 0600), 0);

	walk_tree(tree, IOBATCH_TYPE_FILE, &all);
	assert_relative_list(&all, "file");
	collected_deinit(&all);
	walk_tree(tree, IOBATCH_TYPE_DIRECTORY, &all);
	assert_relative_list(&all, "", "directory");
	collected_deinit(&all);
	walk_tree(tree, IOBATCH_TYPE_SYMLINK, &all);
	assert_relative_list(&all, "link");
	assert_int_equal(all.files[0]->type, DT_LNK);
	collected_deinit(&all);
	walk_tree(tree, IOBATCH_TYPE_OTHER, &all);
	assert_relative_list(&all, "pipe");
	assert_int_equal(all.files[0]->type, DT_FIFO);
	collected_deinit(&all);
}

static void symbolic_links_are_not_followed(void **state)
{
	struct tree *tree = *state;
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_symlink(tree, "..", "d/loop");
	tree_symlink(tree, "d", "also");
	tree_symlink(tree, "d/f", "file");
	tree_symlink(tree, "self", "self");
	walk_tree(tree, ALL, &all);
	assert_relative_list(&all, "", "also", "d", "d/f", "d/loop", "file", "self");
	collected_deinit(&all);
}

static void excluded_names_are_left_out_with_all_in_them(void **state)
{
	struct tree *tree = *state;
	const char *const exclude[] = {".git", "*.o", NULL};
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct collected all;

	tree_directory(tree, ".git");
	tree_file(tree, ".git/config", 0);
	tree_directory(tree, "src");
	tree_directory(tree, "src/.git");
	tree_file(tree, "src/.git/x", 0);
	tree_file(tree, "src/a.c", 0);
	tree_file(tree, "src/a.o", 0);
	options.root = tree->root;
	options.types = ALL;
	options.exclude = exclude;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "src", "src/a.c");
	collected_deinit(&all);
}

static void include_picks_files_and_enters_every_directory(void **state)
{
	struct tree *tree = *state;
	const char *const include[] = {"*.c", "[MN]*", NULL};
	const char *const exclude[] = {"N*", NULL};
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/a.c", 0);
	tree_file(tree, "d/a.h", 0);
	tree_file(tree, "Makefile", 0);
	tree_file(tree, "Notes", 0);
	tree_symlink(tree, "d", "link.c");
	tree_symlink(tree, "d", "link.h");
	options.root = tree->root;
	options.types = ALL;
	options.include = include;
	options.exclude = exclude;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "Makefile", "d", "d/a.c", "link.c");
	collected_deinit(&all);
}

static void patterns_need_not_outlive_the_opening(void **state)
{
	struct tree *tree = *state;
	char pattern[] = "*.c";
	const char *include[] = {pattern, NULL};
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;
	struct collected all;

	tree_file(tree, "a.c", 0);
	tree_file(tree, "a.h", 0);
	options.root = tree->root;
	options.include = include;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	memcpy(pattern, "*.h", sizeof(pattern));
	include[0] = NULL;
	collect(source, &all);
	assert_relative_list(&all, "a.c");
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void an_empty_list_of_patterns_is_none(void **state)
{
	struct tree *tree = *state;
	const char *const none[] = {NULL};
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct collected all;

	tree_file(tree, "f", 0);
	options.root = tree->root;
	options.include = none;
	options.exclude = none;
	collect_walk(&options, &all);
	assert_relative_list(&all, "f");
	collected_deinit(&all);
}

static void sizes_bound_regular_files_only(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/9", 9);
	tree_file(tree, "d/10", 10);
	tree_file(tree, "d/20", 20);
	tree_file(tree, "d/21", 21);
	tree_symlink(tree, "d/9", "link");
	options.root = tree->root;
	options.types = ALL;
	options.min_size = 10;
	options.max_size = 20;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "d", "d/10", "d/20", "link");
	collected_deinit(&all);

	options.types = IOBATCH_TYPE_FILE;
	options.min_size = 0;
	options.max_size = 9;
	collect_walk(&options, &all);
	assert_relative_list(&all, "d/9");
	collected_deinit(&all);
}

static void a_root_that_is_a_file_is_the_one_item(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	char *root = tree_path(tree, "file.c");
	struct collected all;

	tree_file(tree, "file.c", 3);
	options.root = root;
	collect_walk(&options, &all);
	assert_relative_list(&all, "file.c");
	assert_string_equal(all.files[0]->path, root);
	assert_int_equal(all.files[0]->type, DT_REG);
	collected_deinit(&all);
	free(root);
}

static void a_root_that_is_a_file_passes_the_filters(void **state)
{
	struct tree *tree = *state;
	const char *const c_files[] = {"*.c", NULL};
	struct iobatch_walk_options refusing[4] = {
		IOBATCH_WALK_OPTIONS_INIT,
		IOBATCH_WALK_OPTIONS_INIT,
		IOBATCH_WALK_OPTIONS_INIT,
		IOBATCH_WALK_OPTIONS_INIT,
	};
	char *root = tree_path(tree, "file.h");

	tree_file(tree, "file.h", 3);
	refusing[0].types = IOBATCH_TYPE_DIRECTORY;
	refusing[1].include = c_files;
	refusing[2].min_size = 4;
	refusing[3].max_size = 2;
	for (size_t i = 0; i < 4; i++) {
		struct collected all;

		refusing[i].root = root;
		collect_walk(&refusing[i], &all);
		assert_int_equal(all.count, 0);
		collected_deinit(&all);
	}
	free(root);
}

static void a_root_that_is_a_link_is_followed(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	char *to_directory = tree_path(tree, "to-directory");
	char *to_file = tree_path(tree, "to-file");
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_symlink(tree, "d", "to-directory");
	tree_symlink(tree, "d/f", "to-file");

	options.root = to_directory;
	collect_walk(&options, &all);
	assert_relative_list(&all, "f");
	collected_deinit(&all);
	options.root = to_file;
	collect_walk(&options, &all);
	assert_relative_list(&all, "to-file");
	/* It is reached by its path, which leads to a link. */
	assert_int_equal(all.files[0]->type, DT_UNKNOWN);
	assert_null(all.files[0]->directory);
	assert_int_equal(all.files[0]->dirfd, AT_FDCWD);
	assert_int_equal(all.files[0]->name, 0);
	collected_deinit(&all);
	free(to_directory);
	free(to_file);
}

static void slashes_at_the_end_of_the_root_are_dropped(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	char *root = tree_path(tree, "d///");
	char *expected = tree_path(tree, "d/f");
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	options.root = root;
	options.types = ALL;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "f");
	assert_string_equal(all.files[1]->path, expected);
	collected_deinit(&all);
	free(root);
	free(expected);
}

static void a_relative_root_stays_relative(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct collected all;

	assert_true(before >= 0);
	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	assert_int_equal(fchdir(tree->fd), 0);
	options.root = "d";
	collect_walk(&options, &all);
	assert_relative_list(&all, "f");
	assert_string_equal(all.files[0]->path, "d/f");
	collected_deinit(&all);
	options.root = ".";
	collect_walk(&options, &all);
	assert_relative_list(&all, "d/f");
	assert_string_equal(all.files[0]->path, "./d/f");
	collected_deinit(&all);
	assert_int_equal(fchdir(before), 0);
	close(before);
}

static void the_root_of_the_file_system_has_one_slash(void **state)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;

	(void)state;
	options.root = "//";
	options.types = IOBATCH_TYPE_DIRECTORY;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	assert_true(items.next(items.context, &file) > 0);
	assert_string_equal(file.path, "/");
	assert_int_equal(file.relative, 1);
	give_back(source, &file);
	assert_true(items.next(items.context, &file) > 0);
	assert_int_equal(file.path[0], '/');
	assert_int_not_equal(file.path[1], '/');
	assert_int_equal(file.relative, 1);
	give_back(source, &file);
	/* A source can be freed in the middle. */
	iobatch_source_free(source);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(directories_come_before_their_contents_in_byte_order),
		IN_TREE(a_name_below_the_slash_does_not_come_between),
		IN_TREE(names_are_bytes),
		IN_TREE(items_are_whole_files_not_open),
		IN_TREE(an_empty_directory_has_no_files),
		IN_TREE(each_type_comes_only_when_asked_for),
		IN_TREE(symbolic_links_are_not_followed),
		IN_TREE(excluded_names_are_left_out_with_all_in_them),
		IN_TREE(include_picks_files_and_enters_every_directory),
		IN_TREE(patterns_need_not_outlive_the_opening),
		IN_TREE(an_empty_list_of_patterns_is_none),
		IN_TREE(sizes_bound_regular_files_only),
		IN_TREE(a_root_that_is_a_file_is_the_one_item),
		IN_TREE(a_root_that_is_a_file_passes_the_filters),
		IN_TREE(a_root_that_is_a_link_is_followed),
		IN_TREE(slashes_at_the_end_of_the_root_are_dropped),
		IN_TREE(a_relative_root_stays_relative),
		cmocka_unit_test(the_root_of_the_file_system_has_one_slash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

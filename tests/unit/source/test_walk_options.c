/* SPDX-License-Identifier: MIT */
/*
 * What the options of a walk pick, in which order, and how roots are named. Filters of names, types
 * and sizes are in test_walk.c.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "source/walk_pattern.h"

#define ALL (IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)

static struct iobatch_walk_options all_of(const struct tree *tree)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;

	options.root = tree->root;
	options.types = ALL;
	return options;
}

static bool matches(const char *pattern, const char *path)
{
	const char *const list[] = {pattern, NULL};
	struct walk_pattern *patterns;
	bool matched;

	assert_int_equal(walk_patterns_new(list, &patterns), 0);
	matched = walk_patterns_match(patterns, path);
	walk_patterns_free(patterns);
	return matched;
}

static void path_patterns_match_component_by_component(void **state)
{
	(void)state;
	assert_true(matches("a/b", "a/b"));
	assert_true(matches("/a//b/", "a/b"));
	assert_true(matches("a/*", "a/b"));
	assert_true(matches("?/[a-c]", "a/b"));
	assert_true(matches("*", "a"));
	assert_false(matches("*", "a/b"));
	assert_false(matches("a/b", "a"));
	assert_false(matches("a/b", "a/b/c"));
	assert_false(matches("a?b", "a/b"));
	assert_false(matches("b", "a/b"));
	assert_false(matches("", "a"));
	assert_false(matches("/", "a"));
	/* A dot at the beginning is a byte like any other. */
	assert_true(matches("*/*", ".a/.b"));
	assert_true(matches("a\\*", "a*"));
}

static void two_stars_are_any_number_of_components(void **state)
{
	(void)state;
	assert_true(matches("**", "a"));
	assert_true(matches("**", "a/b/c"));
	assert_true(matches("**/c", "c"));
	assert_true(matches("**/c", "a/b/c"));
	assert_false(matches("**/c", "a/b/xc"));
	assert_false(matches("**/c", "c/a"));
	assert_true(matches("a/**/c", "a/c"));
	assert_true(matches("a/**/c", "a/b/b/c"));
	assert_false(matches("a/**/c", "b/c"));
	assert_true(matches("a/**", "a/b"));
	assert_true(matches("a/**", "a/b/c"));
	assert_false(matches("a/**", "a"));
	assert_true(matches("**/a/**", "a/b"));
	assert_true(matches("**/a/**/b/*", "x/a/a/b/b/b/c"));
	assert_false(matches("**/a/**/b/*", "x/a/a/b"));
	/* Within a component they are as one. */
	assert_true(matches("a**", "abc"));
	assert_false(matches("a**", "a/bc"));
}

static void path_filters_pick_below_the_root(void **state)
{
	struct tree *tree = *state;
	const char *const include[] = {"a/*.c", "**/deep/**", NULL};
	const char *const exclude[] = {"a/b", "**/core", NULL};
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_directory(tree, "a/deep");
	tree_directory(tree, "a/deep/er");
	tree_file(tree, "a/x.c", 0);
	tree_file(tree, "a/x.h", 0);
	tree_file(tree, "a/b/x.c", 0);
	tree_file(tree, "a/deep/er/any", 0);
	tree_file(tree, "a/deep/er/core", 0);
	tree_file(tree, "x.c", 0);
	options.include_paths = include;
	options.exclude_paths = exclude;
	options.types = IOBATCH_TYPE_FILE;
	collect_walk(&options, &all);
	assert_relative_list(&all, "a/deep/er/any", "a/x.c");
	collected_deinit(&all);

	/* The name of the root is not part of them, wherever the relative part begins. */
	options.root_name = IOBATCH_ROOT_NAME_KEEP;
	collect_walk(&options, &all);
	assert_int_equal(all.count, 2);
	collected_deinit(&all);
	options.types = IOBATCH_TYPE_DIRECTORY;
	options.root_name = IOBATCH_ROOT_NAME_AUTO;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "a", "a/deep", "a/deep/er");
	collected_deinit(&all);
}

static void set_age(const struct tree *tree, const char *name, int64_t age_s)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	assert_int_equal(utimensat(tree->fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void ages_bound_what_is_no_directory(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/future", 0);
	tree_file(tree, "d/hour", 0);
	tree_file(tree, "d/new", 0);
	tree_file(tree, "d/year", 0);
	tree_symlink(tree, "nowhere", "d/link");
	set_age(tree, "d/future", -7200);
	set_age(tree, "d/hour", 3600);
	set_age(tree, "d/link", 3600);
	set_age(tree, "d/year", 366 * 86400);

	options.min_age_ms = 1800 * 1000;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "d", "d/hour", "d/link", "d/year");
	collected_deinit(&all);
	options.max_age_ms = 86400 * 1000;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "d", "d/hour", "d/link");
	collected_deinit(&all);
	options.min_age_ms = 0;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "d", "d/future", "d/hour", "d/link", "d/new");
	collected_deinit(&all);
	options.max_age_ms = UINT64_MAX - 1;
	collect_walk(&options, &all);
	assert_int_equal(all.count, 7);
	collected_deinit(&all);
	options.min_age_ms = UINT64_MAX - 1;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "d");
	collected_deinit(&all);
}

static void depths_bound_items_and_what_is_entered(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_file(tree, "a/b/3", 0);
	tree_file(tree, "a/2", 0);
	tree_file(tree, "1", 0);
	options.max_depth = 0;
	collect_walk(&options, &all);
	assert_relative_list(&all, "");
	collected_deinit(&all);
	options.max_depth = 1;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "1", "a");
	collected_deinit(&all);
	options.min_depth = 1;
	options.max_depth = 2;
	collect_walk(&options, &all);
	assert_relative_list(&all, "1", "a", "a/2", "a/b");
	collected_deinit(&all);
	options.min_depth = 3;
	options.max_depth = UINT32_MAX;
	collect_walk(&options, &all);
	assert_relative_list(&all, "a/b/3");
	collected_deinit(&all);
}

static void the_largest_file_comes_first_by_size(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;

	tree_directory(tree, "big");
	tree_file(tree, "big/x", 0);
	tree_file(tree, "a", 10);
	tree_file(tree, "b", 3000);
	tree_file(tree, "c", 10);
	tree_symlink(tree, "nowhere", "l");
	tree_file(tree, "z", 200);
	options.order = IOBATCH_WALK_BY_SIZE;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "b", "z", "a", "c", "l", "big", "big/x");
	collected_deinit(&all);
	options.min_size = 11;
	options.types = IOBATCH_TYPE_FILE;
	collect_walk(&options, &all);
	assert_relative_list(&all, "b", "z");
	collected_deinit(&all);
}

static void inodes_come_in_their_order(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;
	uint64_t last = 0;
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%u", i * 7919 % 200);
		tree_file(tree, name, 0);
	}
	options.order = IOBATCH_WALK_BY_INODE;
	options.types = IOBATCH_TYPE_FILE;
	collect_walk(&options, &all);
	assert_int_equal(all.count, 200);
	for (size_t i = 0; i < all.count; i++) {
		struct stat status;

		assert_int_equal(stat(all.files[i]->path, &status), 0);
		assert_true(status.st_ino > last);
		last = status.st_ino;
	}
	collected_deinit(&all);
}

static void as_found_is_as_the_file_system_has_them(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	struct collected all;
	DIR *directory;
	size_t at = 0;
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%u", i);
		tree_file(tree, name, 0);
	}
	options.order = IOBATCH_WALK_AS_FOUND;
	options.types = IOBATCH_TYPE_FILE;
	collect_walk(&options, &all);
	directory = opendir(tree->root);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			assert_string_equal(all.files[at++]->path + all.files[0]->relative,
			                    entry->d_name);
	assert_int_equal(at, all.count);
	closedir(directory);
	collected_deinit(&all);
}

/* A tmpfs, and a directory of the tree itself at another place. */
static bool mount_two(const char *other, const char *from, const char *bound)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", other, "tmpfs", 0, NULL) && !mount(from, bound, NULL, MS_BIND, NULL);
}

static void what_is_mounted_is_passed_over_when_asked(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	char *other = tree_path(tree, "m");
	char *from = tree_path(tree, "n");
	char *bound = tree_path(tree, "o");
	char *file = tree_path(tree, "m/f");
	struct collected all;
	int inside;

	tree_directory(tree, "m");
	tree_directory(tree, "n");
	tree_file(tree, "n/f", 0);
	tree_directory(tree, "o");
	if (!mount_two(other, from, bound)) {
		free(other);
		free(from);
		free(bound);
		free(file);
		skip();
	}
	/* By its path: the descriptor of the tree is of the mounts before. */
	inside = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(inside >= 0);
	close(inside);
	for (unsigned last = 0; last <= 1; last++) {
		options.directories = last;
		options.one_file_system = 1;
		collect_walk(&options, &all);
		assert_int_equal(all.count, 3);
		/* The root, "n" and "n/f", from either end. */
		assert_string_equal(strrchr(all.files[1]->path, '/'), "/n");
		collected_deinit(&all);
		options.one_file_system = 0;
		collect_walk(&options, &all);
		assert_int_equal(all.count, 7);
		collected_deinit(&all);
	}
	assert_int_equal(umount(other), 0);
	assert_int_equal(umount(bound), 0);
	free(other);
	free(from);
	free(bound);
	free(file);
}

static void root_names(const struct tree *tree, const char *name, uint32_t root_name,
                       const char *of_root, const char *of_file)
{
	struct iobatch_walk_options options = all_of(tree);
	char *root = tree_path(tree, name);
	struct collected all;

	options.root = root;
	options.root_name = root_name;
	collect_walk(&options, &all);
	assert_relatives(&all, (const char *const[]){of_root, of_file, NULL});
	collected_deinit(&all);
	free(root);
}

static void the_name_of_a_root_is_kept_or_dropped(void **state)
{
	struct tree *tree = *state;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_symlink(tree, "d", "link");
	root_names(tree, "d", IOBATCH_ROOT_NAME_AUTO, "", "f");
	root_names(tree, "d", IOBATCH_ROOT_NAME_KEEP, "d", "d/f");
	root_names(tree, "d", IOBATCH_ROOT_NAME_DROP, "", "f");
	root_names(tree, "d/f", IOBATCH_ROOT_NAME_AUTO, "f", NULL);
	root_names(tree, "d/f", IOBATCH_ROOT_NAME_KEEP, "f", NULL);
	root_names(tree, "d/f", IOBATCH_ROOT_NAME_DROP, "", NULL);
	root_names(tree, "link", IOBATCH_ROOT_NAME_KEEP, "link", "link/f");
	/* What has no name, or is named as what is in it. */
	root_names(tree, "d/", IOBATCH_ROOT_NAME_KEEP, "", "f");
	root_names(tree, "d/.", IOBATCH_ROOT_NAME_KEEP, "", "f");
	root_names(tree, "d/../d/", IOBATCH_ROOT_NAME_KEEP, "", "f");
}

static void a_link_that_is_not_followed_is_an_item(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	char *link = tree_path(tree, "link");
	char *below = tree_path(tree, "link/");
	struct iobatch_source *source = NULL;
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_symlink(tree, "d", "link");
	options.root = link;
	options.no_follow = 1;
	collect_walk(&options, &all);
	assert_relative_list(&all, "link");
	assert_int_equal(all.files[0]->type, DT_LNK);
	collected_deinit(&all);
	/* With a slash it is a directory for some, and too much is at stake to guess. */
	options.root = below;
	assert_int_equal(iobatch_source_walk(&options, &source), -ENOTDIR);
	assert_null(source);
	assert_int_equal(unlinkat(tree->fd, "d/f", 0), 0);
	assert_int_equal(unlinkat(tree->fd, "d", AT_REMOVEDIR), 0);
	options.root = link;
	collect_walk(&options, &all);
	assert_relative_list(&all, "link");
	collected_deinit(&all);
	free(link);
	free(below);
}

static void roots_come_one_after_the_other(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	char *a = tree_path(tree, "a");
	char *b = tree_path(tree, "b");
	char *f = tree_path(tree, "f");
	const char *const roots[] = {b, f, a, b, NULL};
	static const uint32_t expected[] = {0, 0, 1, 2, 2, 3, 3};
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "b");
	tree_file(tree, "a/1", 0);
	tree_file(tree, "b/2", 0);
	tree_file(tree, "f", 0);
	options.root = NULL;
	options.roots = roots;
	collect_walk(&options, &all);
	assert_relative_list(&all, "", "2", "f", "", "1", "", "2");
	for (size_t i = 0; i < all.count; i++)
		assert_int_equal(all.files[i]->root, expected[i]);
	collected_deinit(&all);
	free(a);
	free(b);
	free(f);
}

static void a_root_that_is_missing_is_said_before_the_first_item(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	char *missing = tree_path(tree, "missing");
	const char *const roots[] = {tree->root, missing, NULL};
	struct iobatch_source *source = NULL;

	options.root = NULL;
	options.roots = roots;
	assert_int_equal(iobatch_source_walk(&options, &source), -ENOENT);
	assert_null(source);
	free(missing);
}

static void a_root_that_vanishes_later_is_left_out(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	char *d = tree_path(tree, "d");
	const char *const roots[] = {tree->root, d, NULL};
	struct iobatch_source *source;
	struct collected all;

	tree_directory(tree, "d");
	options.root = NULL;
	options.roots = roots;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	assert_int_equal(unlinkat(tree->fd, "d", AT_REMOVEDIR), 0);
	collect(source, &all);
	assert_relative_list(&all, "");
	assert_int_equal(all.end, 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 1);
	collected_deinit(&all);
	iobatch_source_free(source);
	free(d);
}

/* More than one portion; the names of each portion are in order. */
static void a_large_directory_comes_in_portions(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = all_of(tree);
	enum {
		FILES = 70000
	};
	static unsigned char seen[FILES];
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file *file = malloc(sizeof(*file));
	unsigned descents = 0;
	unsigned last = 0;
	unsigned count = 0;

	tree_directory(tree, "d");
	tree_many(tree, "d", FILES);
	tree_directory(tree, "d/sub");
	tree_chain(tree, "d/sub/x", 1);
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	memset(seen, 0, sizeof(seen));
	while (items.next(items.context, file) > 0) {
		const char *of_file = file->path + file->relative;

		if (file->type == DT_REG && of_file[0] == 'd') {
			unsigned number = (unsigned)strtoul(of_file + 2, NULL, 10);

			assert_in_range(number, 0, FILES - 1);
			assert_int_equal(seen[number]++, 0);
			descents += number < last;
			last = number;
		}
		items.release(items.context, file);
		count++;
	}
	assert_int_equal(count, 1 + 1 + FILES + 2);
	assert_int_equal(descents, 1);
	iobatch_source_free(source);
	free(file);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_patterns_match_component_by_component),
		cmocka_unit_test(two_stars_are_any_number_of_components),
		IN_TREE(path_filters_pick_below_the_root),
		IN_TREE(ages_bound_what_is_no_directory),
		IN_TREE(depths_bound_items_and_what_is_entered),
		IN_TREE(the_largest_file_comes_first_by_size),
		IN_TREE(inodes_come_in_their_order),
		IN_TREE(as_found_is_as_the_file_system_has_them),
		IN_TREE(the_name_of_a_root_is_kept_or_dropped),
		IN_TREE(a_link_that_is_not_followed_is_an_item),
		IN_TREE(roots_come_one_after_the_other),
		IN_TREE(a_root_that_is_missing_is_said_before_the_first_item),
		IN_TREE(a_root_that_vanishes_later_is_left_out),
		IN_TREE(a_large_directory_comes_in_portions),
		/* The last one: it leaves the mounts of the machine. */
		IN_TREE(what_is_mounted_is_passed_over_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

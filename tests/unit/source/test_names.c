/* SPDX-License-Identifier: MIT */
/*
 * Lists of names below a root, and lists with columns: which names are taken, what is refused
 * before anything is done, and where the items start from.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list in a file, read from its beginning. */
static int list_file(const struct tree *tree, const char *bytes)
{
	int fd = openat(tree->fd, "list", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int list_pipe(const char *bytes)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, strlen(bytes)), strlen(bytes));
	close(ends[1]);
	return ends[0];
}

static struct iobatch_source *open_list(int fd, const char *root, uint32_t column)
{
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;
	struct iobatch_source *source;

	options.fd = fd;
	options.root = root;
	options.column = column;
	assert_int_equal(iobatch_source_list(&options, &source), 0);
	return source;
}

static void names_are_below_the_root(void **state)
{
	struct tree *tree = *state;
	char *bytes;
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file *file = malloc(sizeof(*file));
	static const char *const expected[][2] = {{"a/f", "f"}, {"a/g", "g"},   {"f", "f"},
	                                          {"a", "a"},   {"a/f", "f"},   {"", "."},
	                                          {"", "."},    {"a/b/f", "f"}, {"...", "..."}};
	size_t count = 0;
	int fd;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_file(tree, "a/f", 0);
	tree_file(tree, "a/b/f", 0);
	tree_file(tree, "a/g", 0);
	tree_file(tree, "f", 0);
	tree_file(tree, "...", 0);
	assert_true(asprintf(&bytes, "a/f\n./a//g\n%s/f\na/\n%s//a/./f\n.\n%s\na/b/f\n...\n",
	                     tree->root, tree->root, tree->root) > 0);
	fd = list_file(tree, bytes);
	source = open_list(fd, tree->root, 0);
	items = iobatch_source_items(source);
	while (items.next(items.context, file) > 0) {
		struct stat by_place;
		struct stat by_path;

		assert_true(count < 9);
		assert_string_equal(file->path + file->relative, expected[count][0]);
		assert_string_equal(file->path + file->name, expected[count][1]);
		assert_memory_equal(file->path, tree->root, strlen(tree->root));
		assert_int_equal(fstatat(file->dirfd, file->path + file->name, &by_place,
		                         AT_SYMLINK_NOFOLLOW),
		                 0);
		assert_int_equal(lstat(file->path, &by_path), 0);
		assert_int_equal(by_place.st_ino, by_path.st_ino);
		items.release(items.context, file);
		count++;
	}
	assert_int_equal(count, 9);
	assert_int_equal(items.next(items.context, file), 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	close(fd);
	free(bytes);
	free(file);
}

/* That the intake ends with -EXDEV behind `before` items, because of `name`. */
static void assert_refused(int fd, const char *root, size_t before, const char *name)
{
	struct iobatch_source *source = open_list(fd, root, 0);
	const char *path = NULL;
	struct collected all;
	int error = 0;

	collect(source, &all);
	assert_int_equal(all.end, -EXDEV);
	assert_int_equal(all.count, before);
	assert_int_equal(iobatch_source_errors(source, &error, &path), 1);
	assert_int_equal(error, -EXDEV);
	assert_string_equal(path, name);
	collected_deinit(&all);
	iobatch_source_free(source);
	close(fd);
}

static void a_name_outside_the_root_is_refused_before_the_first_item(void **state)
{
	struct tree *tree = *state;
	char *beside;
	char *bytes;

	tree_file(tree, "f", 0);
	assert_true(asprintf(&beside, "%sx/f", tree->root) > 0);
	assert_true(asprintf(&bytes, "f\n%s\n", beside) > 0);
	assert_refused(list_file(tree, "f\n../f\nf\n"), tree->root, 0, "../f");
	assert_refused(list_file(tree, "f\na/../f"), tree->root, 0, "a/../f");
	assert_refused(list_file(tree, "f\na/.."), tree->root, 0, "a/..");
	assert_refused(list_file(tree, "f\n/etc/passwd\n"), tree->root, 0, "/etc/passwd");
	assert_refused(list_file(tree, bytes), tree->root, 0, beside);
	/* What comes through a pipe cannot be looked at twice. */
	assert_refused(list_pipe("f\n../f\nf\n"), tree->root, 1, "../f");
	free(beside);
	free(bytes);
}

static void the_check_begins_where_the_descriptor_is(void **state)
{
	struct tree *tree = *state;
	int fd = list_file(tree, "../x\nlist\n");
	struct iobatch_source *source;
	struct collected all;

	assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
	source = open_list(fd, tree->root, 0);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_relative_list(&all, "list");
	collected_deinit(&all);
	iobatch_source_free(source);
	close(fd);
}

static void no_link_on_the_way_is_followed(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	const char *path = NULL;
	struct collected all;
	char *expected = tree_path(tree, "link/f");
	int error = 0;
	int fd;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_symlink(tree, "d", "link");
	tree_symlink(tree, "d/f", "leaf");
	fd = list_file(tree, "d/f\nlink/f\nf/x\nleaf\nd/f\n");
	tree_file(tree, "f", 0);
	source = open_list(fd, tree->root, 0);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	/* The last component may be one: that is for those who act on it to say. */
	assert_relative_list(&all, "d/f", "leaf", "d/f");
	assert_int_equal(iobatch_source_errors(source, &error, &path), 2);
	assert_int_equal(error, -ELOOP);
	assert_string_equal(path, expected);
	collected_deinit(&all);
	iobatch_source_free(source);
	close(fd);
	free(expected);
}

/* Each from a list of its own: the source looks ahead, and must not meet what is made meanwhile. */
static void what_is_in_no_directory_is_found_by_no_op(void **state)
{
	static const char *const lists[] = {"missing/f\nlist\n", "missing/er/f\nlist\n"};
	struct tree *tree = *state;
	struct iobatch_file *file = malloc(sizeof(*file));
	struct stat status;

	for (unsigned i = 0; i < 2; i++) {
		int fd = list_file(tree, lists[i]);
		struct iobatch_source *source = open_list(fd, tree->root, 0);
		struct iobatch_items items = iobatch_source_items(source);

		assert_true(items.next(items.context, file) > 0);
		assert_string_equal(file->path + file->relative, i ? "missing/er/f" : "missing/f");
		/* Not even when it comes to be there meanwhile. */
		tree_symlink(tree, ".", "missing");
		assert_int_equal(
			fstatat(file->dirfd, file->path + file->name, &status, AT_SYMLINK_NOFOLLOW),
			-1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(
			openat(file->dirfd, file->path + file->name, O_CREAT | O_WRONLY, 0600), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(unlinkat(tree->fd, "missing", 0), 0);
		items.release(items.context, file);
		assert_true(items.next(items.context, file) > 0);
		items.release(items.context, file);
		assert_int_equal(items.next(items.context, file), 0);
		assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
		iobatch_source_free(source);
		close(fd);
	}
	free(file);
}

static void names_of_deep_trees_are_reached(void **state)
{
	struct tree *tree = *state;
	struct iobatch_file *file = malloc(sizeof(*file));
	char *name = malloc(IOBATCH_PATH_MAX);
	struct iobatch_source *source;
	struct iobatch_items items;
	unsigned count = 0;
	int fd = list_file(tree, "");

	/* From the deepest of 2,000 back and forth, so that levels are closed and opened again. */
	tree_chain(tree, "dir", 2000);
	for (unsigned i = 0; i < 40; i++) {
		unsigned depth = i % 2 ? 2000 - i : i / 2 + 1;
		size_t used = 0;

		for (unsigned level = 0; level < depth; level++, used += 4)
			memcpy(name + used, "dir/", 4);
		name[used - 1] = '\n';
		assert_int_equal(write(fd, name, used), used);
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	source = open_list(fd, tree->root, 0);
	items = iobatch_source_items(source);
	while (items.next(items.context, file) > 0) {
		struct stat status;

		assert_int_equal(
			fstatat(file->dirfd, file->path + file->name, &status, AT_SYMLINK_NOFOLLOW),
			0);
		items.release(items.context, file);
		count++;
	}
	assert_int_equal(count, 40);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	close(fd);
	free(name);
	free(file);
}

static void a_root_that_is_no_directory_is_an_error_at_once(void **state)
{
	struct tree *tree = *state;
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;
	struct iobatch_source *source = NULL;
	char *root = tree_path(tree, "list");

	options.fd = list_file(tree, "x\n");
	options.root = root;
	assert_int_equal(iobatch_source_list(&options, &source), -ENOTDIR);
	options.root = "";
	assert_int_equal(iobatch_source_list(&options, &source), -ENOENT);
	assert_null(source);
	close(options.fd);
	free(root);
}

static void a_column_is_the_name(void **state)
{
	int fd = list_pipe("1\ta\tx\n2\tb\n3\n\n4\t\tz\n5\tc d\t\n");
	struct iobatch_source *source = open_list(fd, NULL, 2);
	const char *path = NULL;
	struct collected all;
	int error = 0;

	(void)state;
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 3);
	assert_string_equal(all.files[0]->path, "a");
	assert_string_equal(all.files[1]->path, "b");
	assert_string_equal(all.files[2]->path, "c d");
	/* A line without the column is said, one with an empty name is skipped. */
	assert_int_equal(iobatch_source_errors(source, &error, &path), 1);
	assert_int_equal(error, -EBADMSG);
	assert_string_equal(path, "line 3");
	collected_deinit(&all);
	iobatch_source_free(source);
	close(fd);
}

static void columns_and_roots_go_together(void **state)
{
	struct tree *tree = *state;
	int fd = list_file(tree, "short\nd\tlist\nd\tlist\n");
	struct iobatch_source *source = open_list(fd, tree->root, 2);
	const char *path = NULL;
	struct collected all;

	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_relative_list(&all, "list", "list");
	assert_int_equal(iobatch_source_errors(source, NULL, &path), 1);
	assert_string_equal(path, "line 1");
	collected_deinit(&all);
	iobatch_source_free(source);
	close(fd);
}

static void a_silent_pipe_does_not_delay_the_end(void **state)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file *file = malloc(sizeof(*file));
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "a\n", 2), 2);
	source = open_list(ends[0], NULL, 0);
	items = iobatch_source_items(source);
	assert_true(items.next(items.context, file) > 0);
	/* Nothing more comes and the pipe stays open: what is freed has to be freed all the same.
	 */
	iobatch_source_free(source);
	close(ends[0]);
	close(ends[1]);
	free(file);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(names_are_below_the_root),
		IN_TREE(a_name_outside_the_root_is_refused_before_the_first_item),
		IN_TREE(the_check_begins_where_the_descriptor_is),
		IN_TREE(no_link_on_the_way_is_followed),
		IN_TREE(what_is_in_no_directory_is_found_by_no_op),
		IN_TREE(names_of_deep_trees_are_reached),
		IN_TREE(a_root_that_is_no_directory_is_an_error_at_once),
		cmocka_unit_test(a_column_is_the_name),
		IN_TREE(columns_and_roots_go_together),
		cmocka_unit_test(a_silent_pipe_does_not_delay_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

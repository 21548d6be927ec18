/* SPDX-License-Identifier: MIT */
/*
 * What the sources do when memory runs out, at each allocation in turn, and how much they hold at
 * most. The linker's --wrap hands every allocation of the sources to this file first; what the C
 * library allocates within itself passes by.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker's names for the functions that are stood in for. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *pointer, size_t count, size_t size);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *pointer, size_t count, size_t size);
void __wrap_free(void *pointer);

static int list_new(int fd, char separator, struct iobatch_source **ret_source)
{
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;

	options.fd = fd;
	options.separator = separator;
	return iobatch_source_list(&options, ret_source);
}

/* The sources that read ahead do so in a thread of their own. */
static _Atomic bool watching;
static _Atomic long fail_at; /* allocations until one fails, -1 = none does */
static _Atomic size_t held;
static _Atomic size_t held_max;
static _Atomic size_t blocks;

static bool fails(void)
{
	long left = fail_at;

	while (watching && left >= 0)
		if (atomic_compare_exchange_weak(&fail_at, &left, left - 1))
			return left == 0;
	return false;
}

static void *taken(void *pointer)
{
	if (watching && pointer) {
		size_t now;

		blocks++;
		held += malloc_usable_size(pointer);
		now = held;
		if (now > held_max)
			held_max = now;
	}
	return pointer;
}

static void given_back(void *pointer)
{
	if (watching && pointer) {
		blocks--;
		held -= malloc_usable_size(pointer);
	}
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : taken(__real_calloc(count, size));
}

void *__wrap_reallocarray(void *pointer, size_t count, size_t size)
{
	void *moved;

	if (fails())
		return NULL;
	given_back(pointer);
	moved = __real_reallocarray(pointer, count, size);
	return taken(moved ? moved : pointer) && moved ? moved : NULL;
}

void __wrap_free(void *pointer)
{
	given_back(pointer);
	__real_free(pointer);
}

static void watch(long fail_at_allocation)
{
	watching = true;
	fail_at = fail_at_allocation;
	held = 0;
	held_max = 0;
	blocks = 0;
}

/* Opens the source with `open` and reads it to its end, counting. Returns how it ended. */
static int run(int (*open_source)(const struct tree *tree, struct iobatch_source **ret_source),
               const struct tree *tree, uint64_t *ret_count)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	ssize_t size;
	int rc;

	*ret_count = 0;
	rc = open_source(tree, &source);
	if (rc)
		return rc;
	items = iobatch_source_items(source);
	while ((size = items.next(items.context, &file)) > 0) {
		give_back(source, &file);
		++*ret_count;
	}
	iobatch_source_free(source);
	return (int)size;
}

static const char *const patterns[] = {"*", NULL};
static const char *const path_patterns[] = {"**", "x", NULL};

static int open_walk(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	static const char *const exclude[] = {"excluded", NULL};

	options.root = tree->root;
	options.types |= IOBATCH_TYPE_DIRECTORY;
	options.include = patterns;
	options.exclude = exclude;
	options.include_paths = path_patterns;
	options.exclude_paths = exclude;
	return iobatch_source_walk(&options, ret_source);
}

static int open_walk_last(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	const char *const roots[] = {tree->root, tree->root, NULL};

	options.roots = roots;
	options.types |= IOBATCH_TYPE_DIRECTORY;
	options.directories = IOBATCH_DIRECTORIES_LAST;
	options.order = IOBATCH_WALK_BY_SIZE;
	return iobatch_source_walk(&options, ret_source);
}

static int open_series(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_series_options options = IOBATCH_SERIES_OPTIONS_INIT;

	(void)tree;
	options.path = "a{index}";
	options.count = 10;
	return iobatch_source_series(&options, ret_source);
}

static int open_glob(const struct tree *tree, struct iobatch_source **ret_source)
{
	char pattern[IOBATCH_PATH_MAX];

	snprintf(pattern, sizeof(pattern), "%s/*", tree->root);
	return iobatch_source_glob(pattern, ret_source);
}

static int open_range(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_range_options options = IOBATCH_RANGE_OPTIONS_INIT;
	char path[IOBATCH_PATH_MAX];

	snprintf(path, sizeof(path), "%s/file", tree->root);
	options.path = path;
	return iobatch_source_range(&options, ret_source);
}

static int open_list_with_root(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;

	assert_int_equal(lseek(0, 0, SEEK_SET), 0);
	options.fd = 0;
	options.root = tree->root;
	return iobatch_source_list(&options, ret_source);
}

static int open_list(const struct tree *tree, struct iobatch_source **ret_source)
{
	(void)tree;
	return list_new(0, '\n', ret_source);
}

/* Each allocation fails once: -ENOMEM every time, nothing is lost, and then all goes well. */
static void fail_each_allocation(int (*open_source)(const struct tree *tree,
                                                    struct iobatch_source **ret_source),
                                 const struct tree *tree, long expected_at_least)
{
	long allocation = 0;
	uint64_t all;
	uint64_t count;
	int rc;

	assert_int_equal(run(open_source, tree, &all), 0);
	for (;; allocation++) {
		watch(allocation);
		rc = run(open_source, tree, &count);
		watching = false;
		assert_int_equal(blocks, 0);
		assert_int_equal(held, 0);
		if (fail_at >= 0)
			break;
		assert_int_equal(rc, -ENOMEM);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(count, all);
	assert_true(allocation >= expected_at_least);
}

static void a_walk_without_memory_ends_with_enomem(void **state)
{
	struct tree *tree = *state;
	char name[256];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int after;

	/* Enough names for the listing to grow, enough levels, and a path that is left out. */
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%0200u", i);
		tree_file(tree, name, 0);
	}
	memset(name, 'n', 255);
	name[255] = '\0';
	tree_chain(tree, "d", 40);
	tree_chain(tree, name, 140);
	fail_each_allocation(open_walk, tree, 10);
	fail_each_allocation(open_walk_last, tree, 10);
	/* The lowest free descriptor is the same as before, so none was left open. */
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, fd + 1);
	close(after);
	close(fd);
}

static void a_series_without_memory_ends_with_enomem(void **state)
{
	fail_each_allocation(open_series, *state, 1);
}

static void a_list_below_a_root_without_memory_ends_with_enomem(void **state)
{
	struct tree *tree = *state;
	int before = dup(0);
	int list;

	tree_chain(tree, "d", 40);
	tree_file(tree, "list", 0);
	list = openat(tree->fd, "list", O_RDWR | O_CLOEXEC);
	assert_true(list >= 0);
	for (unsigned depth = 1; depth <= 40; depth++) {
		for (unsigned i = 1; i < depth; i++)
			assert_int_equal(write(list, "d/", 2), 2);
		assert_int_equal(write(list, "f\n", 2), 2);
	}
	/* With a link on the way: a place that is left out. */
	tree_symlink(tree, "d", "link");
	assert_int_equal(write(list, "link/f\n", 7), 7);
	assert_int_equal(dup2(list, 0), 0);
	fail_each_allocation(open_list_with_root, tree, 10);
	if (before >= 0) {
		assert_int_equal(dup2(before, 0), 0);
		close(before);
	}
	close(list);
}

static int open_manifest(const struct tree *tree, struct iobatch_source **ret_source)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;

	options.fd = 0;
	options.root = tree->root;
	assert_int_equal(lseek(0, 0, SEEK_SET), 0);
	return iobatch_source_manifest(&options, ret_source);
}

static void a_manifest_without_memory_ends_with_enomem(void **state)
{
	static const char lines[] = "XXH32 (a) = 00000001\nno line\nXXH32 (d/a) = 00000001\n";
	struct tree *tree = *state;
	int before = dup(0);
	int manifest;

	tree_file(tree, "manifest", 0);
	manifest = openat(tree->fd, "manifest", O_RDWR | O_CLOEXEC);
	assert_true(manifest >= 0);
	assert_int_equal(write(manifest, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	tree_directory(tree, "d");
	assert_int_equal(dup2(manifest, 0), 0);
	fail_each_allocation(open_manifest, tree, 6);
	if (before >= 0) {
		assert_int_equal(dup2(before, 0), 0);
		close(before);
	}
	close(manifest);
}

static void a_glob_without_memory_ends_with_enomem(void **state)
{
	tree_file(*state, "file", 0);
	fail_each_allocation(open_glob, *state, 1);
}

static void a_range_without_memory_ends_with_enomem(void **state)
{
	tree_file(*state, "file", 1 << 20);
	fail_each_allocation(open_range, *state, 1);
}

static void a_list_without_memory_ends_with_enomem(void **state)
{
	int before = dup(0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(null >= 0);
	assert_int_equal(dup2(null, 0), 0);
	fail_each_allocation(open_list, *state, 1);
	if (before >= 0) {
		assert_int_equal(dup2(before, 0), 0);
		close(before);
	}
	close(null);
}

static void a_walk_holds_the_directories_on_its_path_only(void **state)
{
	struct tree *tree = *state;
	char name[64];
	uint64_t count;

	/* 100 directories of 200 names each: a list of them all would take more than 800 KiB. */
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%02u", i);
		tree_directory(tree, name);
		for (unsigned j = 0; j < 200; j++) {
			snprintf(name, sizeof(name), "%02u/%030u", i, j);
			tree_file(tree, name, 0);
		}
	}
	watch(-1);
	assert_int_equal(run(open_walk, tree, &count), 0);
	watching = false;
	assert_int_equal(count, 1 + 100 + 100 * 200);
	assert_int_equal(blocks, 0);
	/*
	 * The ring of 256 KiB, the buffer of 64 KiB, the longest path, the listing, and the
	 * directories of what is in the ring.
	 */
	assert_in_range(held_max, 352 << 10, 448 << 10);
}

static void a_large_directory_gives_its_memory_back(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	char name[256];

	tree_directory(tree, "a");
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "a/%0100u", i);
		tree_file(tree, name, 0);
	}
	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		tree_directory(tree, name);
	}
	watch(-1);
	assert_int_equal(open_walk(tree, &source), 0);
	items = iobatch_source_items(source);
	do {
		assert_true(items.next(items.context, &file) > 0);
		give_back(source, &file);
	} while (strcmp(file.path + file.relative, "b9"));
	watching = false;
	assert_true(held_max > 1 << 20);
	assert_true(held < held_max * 2 / 3);
	assert_true(held < 1100 << 10);
	iobatch_source_free(source);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(a_walk_without_memory_ends_with_enomem),
		IN_TREE(a_glob_without_memory_ends_with_enomem),
		IN_TREE(a_range_without_memory_ends_with_enomem),
		IN_TREE(a_list_without_memory_ends_with_enomem),
		IN_TREE(a_manifest_without_memory_ends_with_enomem),
		IN_TREE(a_list_below_a_root_without_memory_ends_with_enomem),
		IN_TREE(a_series_without_memory_ends_with_enomem),
		IN_TREE(a_walk_holds_the_directories_on_its_path_only),
		IN_TREE(a_large_directory_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Walks of trees that are in the way: unreadable, vanishing, changing, deeper than descriptors or
 * paths allow. The walk goes on, and says what it has left out.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

/* Descriptors of a walk with few items out: the root and what it is in, 16 levels and one more. */
#define WALK_DESCRIPTORS_MAX 19

/* The linker's names for the function that is stood in for. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

/* The walk then goes on only as it is asked to: what happens meanwhile is known. */
static bool without_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
	if (without_threads)
		return EAGAIN;
	return __real_pthread_create(thread, attributes, start, argument);
}

static int setup_in_place(void **state)
{
	without_threads = true;
	return tree_setup(state);
}

static int teardown_in_place(void **state)
{
	without_threads = false;
	return tree_teardown(state);
}

/* Root may read everything, so as root these tests go on as somebody else. */
static void drop_privileges(void)
{
	if (!geteuid())
		assert_int_equal(seteuid(NOBODY), 0);
}

static void regain_privileges(void)
{
	if (geteuid() != getuid())
		assert_int_equal(seteuid(getuid()), 0);
}

static size_t descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static struct iobatch_source *open_walk(const struct tree *tree, uint32_t types)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;

	options.root = tree->root;
	options.types = types;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	return source;
}

static void assert_next(struct iobatch_source *source, const char *relative)
{
	struct iobatch_items items = iobatch_source_items(source);
	struct iobatch_file file;
	ssize_t size = items.next(items.context, &file);

	if (!relative) {
		assert_int_equal(size, 0);
		return;
	}
	assert_true(size > 0);
	assert_string_equal(file.path + file.relative, relative);
	give_back(source, &file);
}

/* That `errors` places were left out, the first one being `name` in the tree. */
static void assert_left_out(const struct tree *tree, const struct iobatch_source *source,
                            uint64_t errors, int error, const char *name)
{
	char *expected = tree_path(tree, name);
	const char *path = NULL;
	int first = 0;

	assert_int_equal(iobatch_source_errors(source, &first, &path), errors);
	assert_int_equal(first, error);
	assert_string_equal(path, expected);
	free(expected);
}

static void unreadable_directories_are_counted_and_the_walk_goes_on(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	tree_file(tree, "a", 0);
	tree_directory(tree, "closed");
	tree_file(tree, "closed/f", 0);
	tree_directory(tree, "closed-too");
	tree_file(tree, "z", 0);
	assert_int_equal(fchmodat(tree->fd, "closed", 0, 0), 0);
	assert_int_equal(fchmodat(tree->fd, "closed-too", 0, 0), 0);

	drop_privileges();
	source = open_walk(tree, IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY);
	collect(source, &all);
	regain_privileges();
	assert_int_equal(all.end, 0);
	/* The directory is there, so it is an item all the same. */
	assert_relative_list(&all, "", "a", "closed", "closed-too", "z");
	assert_left_out(tree, source, 2, -EACCES, "closed");
	collected_deinit(&all);
	iobatch_source_free(source);
	assert_int_equal(fchmodat(tree->fd, "closed", 0755, 0), 0);
	assert_int_equal(fchmodat(tree->fd, "closed-too", 0755, 0), 0);
}

static void files_whose_size_cannot_be_had_are_counted(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;
	struct collected all;

	tree_directory(tree, "d");
	tree_file(tree, "d/1", 1);
	tree_file(tree, "d/2", 1);
	tree_file(tree, "e", 1);
	/* To be read but not searched: the names are known, and nothing else. */
	assert_int_equal(fchmodat(tree->fd, "d", 0444, 0), 0);

	options.root = tree->root;
	options.min_size = 1;
	drop_privileges();
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	collect(source, &all);
	regain_privileges();
	assert_int_equal(all.end, 0);
	assert_relative_list(&all, "e");
	assert_left_out(tree, source, 2, -EACCES, "d/1");
	collected_deinit(&all);
	iobatch_source_free(source);
	assert_int_equal(fchmodat(tree->fd, "d", 0755, 0), 0);
}

static void nothing_left_out_leaves_the_out_parameters_alone(void **state)
{
	struct iobatch_source *source = open_walk(*state, IOBATCH_TYPE_FILE);
	const char *path = "untouched";
	int error = 77;

	assert_next(source, NULL);
	assert_int_equal(iobatch_source_errors(source, &error, &path), 0);
	assert_int_equal(error, 77);
	assert_string_equal(path, "untouched");
	iobatch_source_free(source);
}

static void a_root_that_cannot_be_opened_is_an_error_at_once(void **state)
{
	struct tree *tree = *state;
	char *root = tree_path(tree, "x");
	char *below = tree_path(tree, "f/");
	char long_path[IOBATCH_PATH_MAX + 2];
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source = NULL;

	options.root = root;
	assert_int_equal(iobatch_source_walk(&options, &source), -ENOENT);
	tree_symlink(tree, "x", "x");
	assert_int_equal(iobatch_source_walk(&options, &source), -ELOOP);
	options.root = below;
	tree_file(tree, "f", 0);
	assert_int_equal(iobatch_source_walk(&options, &source), -ENOTDIR);
	options.root = "";
	assert_int_equal(iobatch_source_walk(&options, &source), -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	options.root = long_path;
	assert_int_equal(iobatch_source_walk(&options, &source), -ENAMETOOLONG);

	options.root = tree->root;
	assert_int_equal(fchmod(tree->fd, 0), 0);
	drop_privileges();
	assert_int_equal(iobatch_source_walk(&options, &source), -EACCES);
	regain_privileges();
	assert_int_equal(fchmod(tree->fd, 0755), 0);
	assert_null(source);
	free(root);
	free(below);
}

static void what_vanishes_meanwhile_is_no_error(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;

	tree_file(tree, "a", 1);
	tree_file(tree, "file", 1);
	tree_directory(tree, "gone");
	tree_file(tree, "gone/f", 1);
	tree_file(tree, "z", 1);
	options.root = tree->root;
	options.types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY;
	options.min_size = 1;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	assert_next(source, "");
	assert_next(source, "a");
	assert_int_equal(unlinkat(tree->fd, "file", 0), 0);
	assert_int_equal(unlinkat(tree->fd, "gone/f", 0), 0);
	assert_int_equal(unlinkat(tree->fd, "gone", AT_REMOVEDIR), 0);
	assert_next(source, "z");
	assert_next(source, NULL);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
}

static void a_root_removed_before_the_first_item_is_empty(void **state)
{
	struct tree *tree = *state;
	char *root = tree_path(tree, "d");
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;

	tree_directory(tree, "d");
	options.root = root;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	assert_int_equal(unlinkat(tree->fd, "d", AT_REMOVEDIR), 0);
	assert_next(source, NULL);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	free(root);
}

static void a_directory_replaced_by_a_link_is_not_entered(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;

	tree_file(tree, "a", 0);
	tree_directory(tree, "d");
	tree_file(tree, "z", 0);
	source = open_walk(tree, IOBATCH_TYPE_FILE);
	assert_next(source, "a");
	assert_int_equal(unlinkat(tree->fd, "d", AT_REMOVEDIR), 0);
	tree_symlink(tree, "/usr", "d");
	assert_next(source, "z");
	assert_next(source, NULL);
	iobatch_source_free(source);
}

/* A chain of `depth` directories "d", in each of them besides a directory "e" with a file in it. */
static void make_ladder(const struct tree *tree, unsigned depth)
{
	int fd = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < depth; i++) {
		int below;
		int file;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		assert_int_equal(mkdirat(fd, "e", 0755), 0);
		file = openat(fd, "e/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_true(file >= 0);
		close(file);
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
}

static void assert_ladder(const struct collected *all, unsigned depth)
{
	assert_int_equal(all->count, depth);
	for (unsigned i = 0; i < depth; i++) {
		const struct iobatch_file *file = all->files[i];
		const char *at = file->path + file->relative;

		/* The deepest file comes first. */
		for (unsigned level = depth - 1; level > i; level--, at += 2)
			assert_memory_equal(at, "d/", 2);
		assert_string_equal(at, "e/f");
	}
}

static void directories_on_the_way_back_are_entered_from_deep_trees(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	make_ladder(tree, 300);
	source = open_walk(tree, IOBATCH_TYPE_FILE);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_ladder(&all, 300);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void deep_trees_need_few_descriptors(void **state)
{
	struct tree *tree = *state;
	size_t before = descriptors_open();
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	unsigned count = 0;

	/* With paths of more than twice what a system call takes. */
	tree_chain(tree, "dir", 2000);
	source = open_walk(tree, IOBATCH_TYPE_DIRECTORY);
	items = iobatch_source_items(source);
	while (items.next(items.context, &file) > 0) {
		give_back(source, &file);
		if (++count % 100 == 0)
			assert_true(descriptors_open() <= before + WALK_DESCRIPTORS_MAX);
	}
	assert_int_equal(count, 2001);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	assert_int_equal(descriptors_open(), before);
}

static void running_out_of_descriptors_leaves_nothing_out(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct rlimit before;
	struct rlimit few;
	struct collected all;
	int probe;

	make_ladder(tree, 40);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	source = open_walk(tree, IOBATCH_TYPE_FILE);
	/* Room for three more than are open: the parent, the child, and one to spare. Those are
	 * what the walk has, and gets back from the items. */
	probe = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);
	assert_true(probe >= 0);
	close(probe);
	few = before;
	few.rlim_cur = (rlim_t)probe + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	collect(source, &all);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_ladder(&all, 40);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	collected_deinit(&all);
	iobatch_source_free(source);
}

/*
 * A directory that is left in the middle of its listing, and closed because what is below needs all
 * descriptors, goes on where it was.
 */
static void a_listing_goes_on_when_its_directory_was_closed(void **state)
{
	enum {
		FILES = 67000,
		CHAINS = 20,
		DEPTH = 30
	};
	struct tree *tree = *state;
	static unsigned char seen[FILES];
	struct iobatch_source *source;
	struct iobatch_items items;
	static struct iobatch_file file;
	struct rlimit before;
	struct rlimit few;
	unsigned directories = 0;
	unsigned files = 0;
	char name[32];

	tree_directory(tree, "big");
	tree_many(tree, "big", FILES);
	for (unsigned i = 0; i < CHAINS; i++) {
		struct tree chain = *tree;

		snprintf(name, sizeof(name), "big/%ux", i);
		tree_directory(tree, name);
		chain.fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(chain.fd >= 0);
		tree_chain(&chain, "c", DEPTH);
		close(chain.fd);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	source = open_walk(tree, IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY);
	items = iobatch_source_items(source);
	memset(seen, 0, sizeof(seen));
	while (items.next(items.context, &file) > 0) {
		if (file.type == DT_DIR) {
			directories++;
		} else {
			unsigned number = (unsigned)strtoul(file.path + file.name, NULL, 10);

			assert_true(number < FILES && !seen[number]);
			seen[number] = 1;
			files++;
		}
		give_back(source, &file);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(files, FILES);
	assert_int_equal(directories, 2 + CHAINS * (1 + DEPTH));
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
}

static void a_walk_freed_in_the_middle_leaves_no_descriptor(void **state)
{
	struct tree *tree = *state;
	size_t before = descriptors_open();
	struct iobatch_source *source;

	make_ladder(tree, 40);
	source = open_walk(tree, IOBATCH_TYPE_DIRECTORY);
	assert_next(source, "");
	assert_next(source, "d");
	assert_next(source, "d/d");
	assert_true(descriptors_open() > before);
	iobatch_source_free(source);
	assert_int_equal(descriptors_open(), before);
}

static void paths_that_do_not_fit_are_counted(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;
	const char *path;
	char name[256];
	int error;

	memset(name, 'n', 255);
	name[255] = '\0';
	tree_chain(tree, name, 140);
	tree_file(tree, "z", 0);
	source = open_walk(tree, IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	/* As many levels as fit, and what comes after the chain. */
	assert_int_equal(all.count, 2 + (IOBATCH_PATH_MAX - 1 - strlen(tree->root)) / 256);
	assert_string_equal(all.files[all.count - 1]->path + strlen(tree->root), "/z");
	assert_int_equal(iobatch_source_errors(source, &error, &path), 1);
	assert_int_equal(error, -ENAMETOOLONG);
	assert_true(strlen(path) >= IOBATCH_PATH_MAX);
	assert_int_equal(strlen(path), all.files[all.count - 2]->path_length + 256);
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void the_longest_path_that_fits_is_an_item(void **state)
{
	struct tree *tree = *state;
	size_t left = IOBATCH_PATH_MAX - 1 - strlen(tree->root);
	struct iobatch_file *item = malloc(sizeof(*item));
	struct iobatch_source *source;
	struct iobatch_items items;
	char name[256];
	int fd = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);
	int file;

	/* Directories of 101 bytes until a name of 2 to 102 bytes, with its slash, fills the path.
	 */
	memset(name, 'n', 100);
	name[100] = '\0';
	for (; left > 102; left -= 101) {
		int below;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	memset(name, 'm', left);
	for (size_t length = left - 1; length <= left; length++) {
		name[length] = '\0';
		file = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_true(file >= 0);
		close(file);
		name[length] = 'm';
	}
	close(fd);

	source = open_walk(tree, IOBATCH_TYPE_FILE);
	items = iobatch_source_items(source);
	assert_true(items.next(items.context, item) > 0);
	assert_int_equal(item->path_length, IOBATCH_PATH_MAX - 1);
	assert_int_equal(strlen(item->path + item->name), left - 1);
	assert_int_equal(faccessat(item->dirfd, item->path + item->name, F_OK, 0), 0);
	give_back(source, item);
	assert_int_equal(items.next(items.context, item), 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 1);
	iobatch_source_free(source);
	free(item);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup_in_place, teardown_in_place)
#define IN_BOTH(test)                                                            \
	IN_TREE(test),                                                           \
	{                                                                        \
#test "_in_place", test, setup_in_place, teardown_in_place, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOTH(unreadable_directories_are_counted_and_the_walk_goes_on),
		IN_TREE(files_whose_size_cannot_be_had_are_counted),
		IN_TREE(nothing_left_out_leaves_the_out_parameters_alone),
		IN_TREE(a_root_that_cannot_be_opened_is_an_error_at_once),
		IN_PLACE(what_vanishes_meanwhile_is_no_error),
		IN_BOTH(a_root_removed_before_the_first_item_is_empty),
		IN_PLACE(a_directory_replaced_by_a_link_is_not_entered),
		IN_BOTH(directories_on_the_way_back_are_entered_from_deep_trees),
		IN_PLACE(deep_trees_need_few_descriptors),
		IN_BOTH(running_out_of_descriptors_leaves_nothing_out),
		IN_BOTH(a_listing_goes_on_when_its_directory_was_closed),
		IN_BOTH(a_walk_freed_in_the_middle_leaves_no_descriptor),
		IN_BOTH(paths_that_do_not_fit_are_counted),
		IN_BOTH(the_longest_path_that_fits_is_an_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

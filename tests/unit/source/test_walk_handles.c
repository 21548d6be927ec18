/* SPDX-License-Identifier: MIT */
/*
 * The place of an item: that ops which start from it act on the file that the walk has found, or on
 * nothing, whatever becomes of the path meanwhile; and how long directories stay open.
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

#define ALL (IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)

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

/* That an item's place leads to what its path leads to. */
static void assert_place(const struct iobatch_file *file, int flags)
{
	struct stat directory;
	struct stat by_place;
	struct stat by_path;

	if (file->directory) {
		assert_int_equal(fstat(file->dirfd, &directory), 0);
		assert_int_equal(directory.st_dev, file->device);
	} else {
		/* A root that is a link. */
		assert_int_equal(file->dirfd, AT_FDCWD);
		assert_string_equal(file->path + file->name, file->path);
		assert_non_null(strstr(file->path, "/to-"));
	}
	assert_int_equal(fstatat(file->dirfd, file->path + file->name, &by_place,
	                         file->directory ? AT_SYMLINK_NOFOLLOW : 0),
	                 0);
	assert_int_equal(fstatat(AT_FDCWD, file->path, &by_path, flags), 0);
	assert_int_equal(by_place.st_ino, by_path.st_ino);
	assert_int_equal(by_place.st_dev, by_path.st_dev);
}

static void check_places(const char *root, uint32_t directories, int flags_of_root, size_t count)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *file = malloc(sizeof(*file));
	struct iobatch_source *source;
	struct iobatch_items items;

	options.root = root;
	options.types = ALL;
	options.directories = directories;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	for (ssize_t size; (size = items.next(items.context, file)) > 0; count--) {
		bool is_root = file->path_length <= strlen(root);

		assert_int_equal(size, iobatch_file_size(file));
		assert_place(file, is_root ? flags_of_root : AT_SYMLINK_NOFOLLOW);
		if (!is_root)
			assert_null(strchr(file->path + file->name, '/'));
		items.release(items.context, file);
	}
	assert_int_equal(count, 0);
	iobatch_source_free(source);
	free(file);
}

static void every_item_is_reached_from_its_directory(void **state)
{
	struct tree *tree = *state;
	static const char *const directories[] = {"d", "d/", "d/.", "d/e/..", "to-directory"};
	static const char *const files[] = {"f", "to-file", "d/../to-file"};
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t open_before;

	tree_directory(tree, "d");
	tree_directory(tree, "d/e");
	tree_file(tree, "d/e/f", 1);
	tree_symlink(tree, "f", "d/e/l");
	tree_file(tree, "f", 2);
	tree_symlink(tree, "d", "to-directory");
	tree_symlink(tree, "d/e/f", "to-file");
	open_before = descriptors_open();
	for (uint32_t last = 0; last <= 1; last++) {
		for (size_t i = 0; i < 5; i++) {
			char *path = tree_path(tree, directories[i]);

			check_places(path, last, 0, 4);
			free(path);
		}
		for (size_t i = 0; i < 3; i++) {
			char *path = tree_path(tree, files[i]);

			check_places(path, last, 0, 1);
			free(path);
		}
		assert_int_equal(fchdir(tree->fd), 0);
		check_places("d", last, 0, 4);
		check_places("f", last, 0, 1);
		check_places(".", last, 0, 8);
		assert_int_equal(chdir("d"), 0);
		check_places("..", last, 0, 8);
		assert_int_equal(fchdir(before), 0);
	}
	assert_int_equal(descriptors_open(), open_before);
	close(before);
}

static void a_directory_stays_what_it_was_when_its_path_is_replaced(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *file = malloc(sizeof(*file));
	struct iobatch_source *source;
	struct iobatch_items items;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_directory(tree, "outside");
	tree_file(tree, "outside/f", 0);
	options.root = tree->root;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	assert_true(items.next(items.context, file) > 0);
	assert_string_equal(file->path + file->relative, "d/f");
	assert_int_equal(renameat(tree->fd, "d", tree->fd, "moved"), 0);
	tree_symlink(tree, "outside", "d");
	assert_int_equal(unlinkat(file->dirfd, file->path + file->name, 0), 0);
	assert_int_equal(faccessat(tree->fd, "outside/f", F_OK, 0), 0);
	assert_int_equal(faccessat(tree->fd, "moved/f", F_OK, 0), -1);
	items.release(items.context, file);
	iobatch_source_free(source);
	free(file);
}

static void a_directory_is_open_until_its_last_item_is_given_back(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *files[3];
	struct iobatch_source *source;
	struct iobatch_items items;
	size_t before;

	for (unsigned i = 0; i < 3; i++)
		files[i] = malloc(sizeof(*files[i]));
	tree_directory(tree, "d");
	tree_file(tree, "d/1", 0);
	tree_file(tree, "d/2", 0);
	options.root = tree->root;
	before = descriptors_open();
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	assert_true(items.next(items.context, files[0]) > 0);
	assert_true(items.next(items.context, files[1]) > 0);
	assert_int_equal(items.next(items.context, files[2]), 0);
	assert_ptr_equal(files[0]->directory, files[1]->directory);
	assert_int_equal(descriptors_open(), before + 1);
	items.release(items.context, files[0]);
	assert_int_equal(faccessat(files[1]->dirfd, "2", F_OK, 0), 0);
	items.release(items.context, files[1]);
	assert_int_equal(descriptors_open(), before);
	iobatch_source_free(source);
	for (unsigned i = 0; i < 3; i++)
		free(files[i]);
}

/* Somebody who takes what he can get and gives it back when there is no more. */
struct taker {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned woken;
};

static void wake(void *waker)
{
	struct taker *taker = waker;

	pthread_mutex_lock(&taker->lock);
	taker->woken++;
	pthread_cond_signal(&taker->cond);
	pthread_mutex_unlock(&taker->lock);
}

#define HELD_MAX 100

static void a_walk_waits_for_descriptors_and_leaves_nothing_out(void **state)
{
	struct tree *tree = *state;
	struct taker taker = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *held = malloc(HELD_MAX * sizeof(*held));
	struct iobatch_source *source;
	struct iobatch_items items;
	struct rlimit before;
	struct rlimit few;
	unsigned held_count = 0;
	unsigned total = 0;
	size_t most = 0;
	size_t base;
	ssize_t size;
	char name[32];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%03u", i);
		tree_directory(tree, name);
		snprintf(name, sizeof(name), "%03u/f", i);
		tree_file(tree, name, 0);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	base = descriptors_open();
	options.root = tree->root;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	items = iobatch_source_items(source);
	items.listen(items.context, wake, &taker);
	while ((size = items.next(items.context, &held[held_count])) != 0) {
		if (size > 0) {
			size_t now = descriptors_open() - base;

			if (now > most)
				most = now;
			held_count++;
			total++;
			assert_true(held_count < HELD_MAX);
			continue;
		}
		assert_int_equal(size, -EAGAIN);
		if (held_count) {
			while (held_count)
				items.release(items.context, &held[--held_count]);
			continue;
		}
		pthread_mutex_lock(&taker.lock);
		while (!taker.woken)
			pthread_cond_wait(&taker.cond, &taker.lock);
		taker.woken = 0;
		pthread_mutex_unlock(&taker.lock);
	}
	while (held_count)
		items.release(items.context, &held[--held_count]);
	assert_int_equal(total, 300);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	/* Half of the descriptors, and the one or two that a place is reached from. */
	assert_in_range(most, 10, 34);
	items.listen(items.context, NULL, NULL);
	iobatch_source_free(source);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(descriptors_open(), base);
	free(held);
}

static void descriptors_that_never_come_are_an_error_of_the_place(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_source *source;
	struct collected all;
	struct rlimit before;
	struct rlimit none;
	int first_error = 0;

	tree_directory(tree, "d");
	tree_file(tree, "d/f", 0);
	tree_file(tree, "f", 0);
	options.root = tree->root;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	collect(source, &all);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_relative_list(&all, "f");
	assert_int_equal(iobatch_source_errors(source, &first_error, NULL), 1);
	assert_int_equal(first_error, -EMFILE);
	collected_deinit(&all);
	iobatch_source_free(source);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(every_item_is_reached_from_its_directory),
		IN_TREE(a_directory_stays_what_it_was_when_its_path_is_replaced),
		IN_TREE(a_directory_is_open_until_its_last_item_is_given_back),
		IN_TREE(a_walk_waits_for_descriptors_and_leaves_nothing_out),
		IN_TREE(descriptors_that_never_come_are_an_error_of_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

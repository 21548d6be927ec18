/* SPDX-License-Identifier: MIT */
/*
 * Walks that give directories behind their contents: when each of them comes, and which of them are
 * said to be complete.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker's names for the function that is stood in for. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

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

#define ALL (IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)
#define NOBODY 65534

static struct iobatch_walk_options last_options(const struct tree *tree)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;

	options.root = tree->root;
	options.types = ALL;
	options.directories = IOBATCH_DIRECTORIES_LAST;
	return options;
}

static struct iobatch_source *open_last(const struct tree *tree)
{
	struct iobatch_walk_options options = last_options(tree);
	struct iobatch_source *source;

	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	return source;
}

/* Each directory is flagged and has its contents before it. */
static void assert_bottom_up(const struct collected *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct iobatch_file *file = all->files[i];

		assert_int_equal(file->flags, file->type == DT_DIR ? IOBATCH_FILE_LAST : 0);
		for (size_t j = i + 1; file->type == DT_DIR && j < all->count; j++)
			assert_false(!strncmp(all->files[j]->path, file->path, file->path_length) &&
			             all->files[j]->path[file->path_length] == '/');
	}
}

static void directories_come_behind_their_contents(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_file(tree, "a/b/f", 0);
	tree_directory(tree, "a/empty");
	tree_file(tree, "a/z", 0);
	tree_file(tree, "z", 0);
	source = open_last(tree);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 7);
	assert_bottom_up(&all);
	assert_string_equal(all.files[6]->path, tree->root);
	collected_deinit(&all);
	iobatch_source_free(source);
}

/* What is taken before anything is given back, in any order; then `next` must have nothing. */
struct listener {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned woken;
};

static void wake(void *waker)
{
	struct listener *listener = waker;

	pthread_mutex_lock(&listener->lock);
	listener->woken++;
	pthread_cond_signal(&listener->cond);
	pthread_mutex_unlock(&listener->lock);
}

/* The next item or the end, waiting for the source to say that there is one. */
static ssize_t next_or_wait(struct iobatch_source *source, struct listener *listener,
                            struct iobatch_file *file)
{
	struct iobatch_items items = iobatch_source_items(source);
	ssize_t size;

	for (;;) {
		unsigned before;

		pthread_mutex_lock(&listener->lock);
		before = listener->woken;
		pthread_mutex_unlock(&listener->lock);
		size = items.next(items.context, file);
		if (size != -EAGAIN)
			return size;
		pthread_mutex_lock(&listener->lock);
		while (listener->woken == before)
			pthread_cond_wait(&listener->cond, &listener->lock);
		pthread_mutex_unlock(&listener->lock);
	}
}

static void a_directory_waits_for_what_is_out(void **state)
{
	struct tree *tree = *state;
	struct listener listener = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file *file = malloc(sizeof(*file));
	struct iobatch_file *inner = malloc(sizeof(*inner));

	tree_directory(tree, "a");
	tree_file(tree, "a/f", 0);
	source = open_last(tree);
	items = iobatch_source_items(source);
	items.listen(items.context, wake, &listener);
	assert_true(next_or_wait(source, &listener, inner) > 0);
	assert_string_equal(inner->path + inner->relative, "a/f");
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(items.next(items.context, file), -EAGAIN);
	items.release(items.context, inner);
	assert_true(next_or_wait(source, &listener, file) > 0);
	assert_string_equal(file->path + file->relative, "a");
	assert_int_equal(items.next(items.context, inner), -EAGAIN);
	items.release(items.context, file);
	assert_true(next_or_wait(source, &listener, file) > 0);
	assert_string_equal(file->path, tree->root);
	items.release(items.context, file);
	assert_int_equal(next_or_wait(source, &listener, file), 0);
	items.listen(items.context, NULL, NULL);
	iobatch_source_free(source);
	free(file);
	free(inner);
}

static void a_part_that_cannot_be_read_keeps_all_above_incomplete(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_directory(tree, "a/b/closed");
	tree_directory(tree, "a/good");
	tree_directory(tree, "other");
	assert_int_equal(fchmodat(tree->fd, "a/b/closed", 0, 0), 0);
	if (!geteuid())
		assert_int_equal(seteuid(NOBODY), 0);
	source = open_last(tree);
	collect(source, &all);
	if (geteuid() != getuid())
		assert_int_equal(seteuid(getuid()), 0);
	assert_int_equal(all.count, 6);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 1);
	for (size_t i = 0; i < all.count; i++) {
		const char *name = all.files[i]->path + all.files[i]->relative;
		bool good = !strcmp(name, "other") || !strcmp(name, "a/good");

		assert_int_equal(all.files[i]->flags, good ? IOBATCH_FILE_LAST : 0);
	}
	assert_string_equal(all.files[5]->path, tree->root);
	collected_deinit(&all);
	iobatch_source_free(source);
	assert_int_equal(fchmodat(tree->fd, "a/b/closed", 0755, 0), 0);
}

/* Removes what it is given, as it is given: nothing may be in the way. */
static void remove_all(struct iobatch_source *source, uint64_t *ret_count)
{
	struct iobatch_items items = iobatch_source_items(source);
	struct iobatch_file *file = malloc(sizeof(*file));
	uint64_t count = 0;

	while (items.next(items.context, file) > 0) {
		const char *name = file->path + file->name;

		assert_null(strchr(name, '/'));
		assert_int_equal(
			unlinkat(file->dirfd, name, file->type == DT_DIR ? AT_REMOVEDIR : 0), 0);
		items.release(items.context, file);
		count++;
	}
	assert_int_equal(items.next(items.context, file), 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
	free(file);
	*ret_count = count;
}

static void a_deep_tree_is_removed_bottom_up(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	char *root = tree_path(tree, "name");
	struct iobatch_source *source;
	uint64_t count;

	/* 2,000 levels, and paths of three times what a system call takes. */
	tree_chain(tree, "name", 2000);
	options = last_options(tree);
	options.root = root;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	remove_all(source, &count);
	assert_int_equal(count, 2000);
	assert_int_equal(faccessat(tree->fd, "name", F_OK, 0), -1);
	free(root);
}

static void directories_that_are_no_items_are_passed_over(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options options = last_options(tree);
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/b");
	tree_file(tree, "a/b/f", 0);
	tree_file(tree, "g", 0);
	options.types = IOBATCH_TYPE_FILE;
	collect_walk(&options, &all);
	assert_relative_list(&all, "g", "a/b/f");
	collected_deinit(&all);

	options.types = ALL;
	options.min_depth = 2;
	collect_walk(&options, &all);
	assert_relative_list(&all, "a/b/f", "a/b");
	collected_deinit(&all);

	options.min_depth = 0;
	options.max_depth = 1;
	collect_walk(&options, &all);
	assert_relative_list(&all, "g", "a", "");
	assert_bottom_up(&all);
	collected_deinit(&all);
}

static void several_roots_each_end_with_themselves(void **state)
{
	struct tree *tree = *state;
	char *a = tree_path(tree, "a");
	char *b = tree_path(tree, "b/");
	char *f = tree_path(tree, "f");
	const char *const roots[] = {a, f, b, NULL};
	struct iobatch_walk_options options = last_options(tree);
	struct collected all;

	tree_directory(tree, "a");
	tree_directory(tree, "a/d");
	tree_directory(tree, "b");
	tree_file(tree, "f", 0);
	tree_file(tree, "b/f", 0);
	options.root = NULL;
	options.roots = roots;
	options.root_name = IOBATCH_ROOT_NAME_KEEP;
	collect_walk(&options, &all);
	assert_int_equal(all.count, 5);
	for (size_t i = 0; i < all.count; i++) {
		static const char *const of_root[3][2] = {{"a/d", "a"}, {"f", "f"}, {"f", ""}};
		const char *relative = all.files[i]->path + all.files[i]->relative;
		uint32_t root = all.files[i]->root;

		assert_in_range(root, 0, 2);
		assert_true(!strcmp(relative, of_root[root][0]) ||
		            !strcmp(relative, of_root[root][1]));
	}
	collected_deinit(&all);
	free(a);
	free(b);
	free(f);
}

static void a_walk_freed_in_the_middle_loses_nothing(void **state)
{
	struct tree *tree = *state;
	struct iobatch_file *file = malloc(sizeof(*file));
	int before = dup(tree->fd);
	int after;

	close(before);
	tree_chain(tree, "d", 40);
	tree_file(tree, "d/f", 0);
	for (unsigned taken = 0; taken <= 43; taken++) {
		struct iobatch_source *source = open_last(tree);
		struct iobatch_items items = iobatch_source_items(source);

		for (unsigned i = 0; i < taken; i++)
			if (items.next(items.context, file) > 0)
				items.release(items.context, file);
		iobatch_source_free(source);
	}
	after = dup(tree->fd);
	assert_int_equal(after, before);
	close(after);
	free(file);
}

/* A random tree: `count` entries, each in one of the directories before it. */
static unsigned make_random_tree(const struct tree *tree, unsigned count, unsigned seed)
{
	char(*directories)[256] = calloc(count + 1, sizeof(*directories));
	unsigned directory_count = 1;
	unsigned made = 1;

	strcpy(directories[0], "r");
	tree_directory(tree, "r");
	for (unsigned i = 0; i < count; i++) {
		unsigned in = (unsigned)rand_r(&seed) % directory_count;
		char name[300];

		/* Often the newest, for depth. */
		if (rand_r(&seed) % 2)
			in = directory_count - 1;
		snprintf(name, sizeof(name), "%s/%u", directories[in], i);
		if (strlen(name) >= 256)
			continue;
		made++;
		if (rand_r(&seed) % 2) {
			strcpy(directories[directory_count++], name);
			tree_directory(tree, name);
		} else {
			tree_file(tree, name, 0);
		}
	}
	free(directories);
	return made;
}

#define HANDS 4

/* Several who take and remove, as the rings of a run do: only taking is one at a time. */
struct crew {
	struct iobatch_items items;
	pthread_mutex_t lock;
	unsigned removed;
	bool failed;
};

static void *remove_some(void *argument)
{
	struct crew *crew = argument;
	struct iobatch_file *file = malloc(sizeof(*file));
	ssize_t size;

	for (;;) {
		pthread_mutex_lock(&crew->lock);
		size = crew->items.next(crew->items.context, file);
		if (size > 0)
			crew->removed++;
		pthread_mutex_unlock(&crew->lock);
		if (size == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (size <= 0)
			break;
		if (unlinkat(file->dirfd, file->path + file->name,
		             file->type == DT_DIR ? AT_REMOVEDIR : 0) ||
		    (file->type == DT_DIR) != (file->flags == IOBATCH_FILE_LAST)) {
			pthread_mutex_lock(&crew->lock);
			crew->failed = true;
			pthread_mutex_unlock(&crew->lock);
		}
		crew->items.release(crew->items.context, file);
	}
	free(file);
	return NULL;
}

static void wake_nobody(void *waker)
{
	(void)waker;
}

static void random_trees_are_removed_by_many_at_once(void **state)
{
	struct tree *tree = *state;
	char *root = tree_path(tree, "r");

	for (unsigned seed = 1; seed <= 12; seed++) {
		struct iobatch_walk_options options = last_options(tree);
		struct crew crew = {.lock = PTHREAD_MUTEX_INITIALIZER};
		unsigned made = make_random_tree(tree, 500, seed);
		struct iobatch_source *source;
		pthread_t hands[HANDS];

		options.root = root;
		options.order = seed % 4;
		assert_int_equal(iobatch_source_walk(&options, &source), 0);
		crew.items = iobatch_source_items(source);
		crew.items.listen(crew.items.context, wake_nobody, NULL);
		for (unsigned i = 0; i < HANDS; i++) {
			assert_int_equal(__real_pthread_create(&hands[i], NULL, remove_some, &crew),
			                 0);
		}
		for (unsigned i = 0; i < HANDS; i++)
			assert_int_equal(pthread_join(hands[i], NULL), 0);
		crew.items.listen(crew.items.context, NULL, NULL);
		assert_int_equal(crew.removed, made);
		assert_false(crew.failed);
		assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
		iobatch_source_free(source);
		assert_int_equal(faccessat(tree->fd, "r", F_OK, 0), -1);
	}
	free(root);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)
#define IN_BOTH(test)                                                             \
	IN_TREE(test),                                                            \
	{                                                                         \
#test "_in_place", test, setup_in_place, teardown_in_place, NULL, \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOTH(directories_come_behind_their_contents),
		IN_BOTH(a_directory_waits_for_what_is_out),
		IN_BOTH(a_part_that_cannot_be_read_keeps_all_above_incomplete),
		IN_BOTH(a_deep_tree_is_removed_bottom_up),
		IN_BOTH(directories_that_are_no_items_are_passed_over),
		IN_BOTH(several_roots_each_end_with_themselves),
		IN_BOTH(random_trees_are_removed_by_many_at_once),
		IN_BOTH(a_walk_freed_in_the_middle_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

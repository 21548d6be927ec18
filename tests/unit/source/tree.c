/* SPDX-License-Identifier: MIT */
/*
 * Temporary trees and collected items for the tests of the sources. Trees are built relative to the
 * descriptor of their root, so that they may be deeper than a path can say.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void tree_init(struct tree *tree)
{
	const char *parent = getenv("TMPDIR");

	assert_true(asprintf(&tree->root, "%s/iobatch-source-XXXXXX",
	                     parent && *parent ? parent : "/tmp") > 0);
	assert_non_null(mkdtemp(tree->root));
	assert_int_equal(chmod(tree->root, 0755), 0);
	tree->fd = open(tree->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(tree->fd >= 0);
}

void tree_deinit(struct tree *tree)
{
	int status;
	pid_t pid;

	close(tree->fd);
	pid = fork();
	if (!pid) {
		execlp("rm", "rm", "-rf", "--", tree->root, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(tree->root);
}

int tree_setup(void **state)
{
	struct tree *tree = malloc(sizeof(*tree));

	assert_non_null(tree);
	tree_init(tree);
	*state = tree;
	return 0;
}

int tree_teardown(void **state)
{
	tree_deinit(*state);
	free(*state);
	return 0;
}

void tree_directory(const struct tree *tree, const char *name)
{
	assert_int_equal(mkdirat(tree->fd, name, 0755), 0);
}

void tree_file(const struct tree *tree, const char *name, size_t size)
{
	int fd = openat(tree->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(close(fd), 0);
}

void tree_symlink(const struct tree *tree, const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, tree->fd, name), 0);
}

char *tree_path(const struct tree *tree, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", tree->root, name) > 0);
	return path;
}

void tree_chain(const struct tree *tree, const char *name, unsigned depth)
{
	int fd = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < depth; i++) {
		int below;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
}

void tree_many(const struct tree *tree, const char *name, unsigned count)
{
	int fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char first[16] = "";
	char next[16];

	assert_true(fd >= 0);
	/* Links of one file are made faster than files are, up to a number of them. */
	for (unsigned i = 0; i < count; i++) {
		snprintf(next, sizeof(next), "%05u", i);
		if (!*first || linkat(fd, first, fd, next, 0)) {
			assert_true(!*first || errno == EMLINK);
			assert_int_equal(mknodat(fd, next, S_IFREG | 0644, 0), 0);
			strcpy(first, next);
		}
	}
	close(fd);
}

void give_back(struct iobatch_source *source, struct iobatch_file *file)
{
	struct iobatch_items items = iobatch_source_items(source);

	if (items.release)
		items.release(items.context, file);
}

void collect(struct iobatch_source *source, struct collected *ret_collected)
{
	struct iobatch_items items = iobatch_source_items(source);
	struct collected all = {0};
	struct iobatch_file *slot = malloc(items.stride);
	size_t capacity = 0;
	ssize_t size;

	assert_non_null(slot);
	assert_null(items.base);
	assert_int_equal(items.stride, sizeof(struct iobatch_file));
	while ((size = items.next(items.context, slot)) > 0) {
		struct iobatch_file *copy = malloc((size_t)size);

		assert_non_null(copy);
		assert_int_equal(size, iobatch_file_size(slot));
		assert_true(slot->path_length < IOBATCH_PATH_MAX);
		assert_int_equal(strlen(slot->path), slot->path_length);
		assert_true(slot->relative <= slot->path_length);
		memcpy(copy, slot, (size_t)size);
		if (all.count == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			all.files = reallocarray(all.files, capacity, sizeof(*all.files));
			assert_non_null(all.files);
		}
		all.files[all.count++] = copy;
		give_back(source, slot);
	}
	all.end = size;
	if (items.count != IOBATCH_UNKNOWN)
		assert_int_equal(all.count, items.count);
	/* A source that has ended stays ended. */
	assert_int_equal(items.next(items.context, slot), size);
	free(slot);
	*ret_collected = all;
}

void collected_deinit(struct collected *collected)
{
	for (size_t i = 0; i < collected->count; i++)
		free(collected->files[i]);
	free(collected->files);
}

void collect_walk(const struct iobatch_walk_options *options, struct collected *ret_collected)
{
	struct iobatch_source *source;

	assert_int_equal(iobatch_source_walk(options, &source), 0);
	collect(source, ret_collected);
	assert_int_equal(ret_collected->end, 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 0);
	iobatch_source_free(source);
}

void assert_relatives(const struct collected *collected, const char *const *expected)
{
	size_t count = 0;

	while (expected[count])
		count++;
	for (size_t i = 0; i < count && i < collected->count; i++)
		assert_string_equal(collected->files[i]->path + collected->files[i]->relative,
		                    expected[i]);
	assert_int_equal(collected->count, count);
}

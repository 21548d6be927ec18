/* SPDX-License-Identifier: MIT */
/*
 * Keeps the chain of directories from the root to that of the last name. Like the levels of a walk,
 * only the innermost of them are open, besides the root; the others are opened again when a name
 * needs them.
 */
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ahead.h"

/* Directories of the chain, the innermost ones, that are open besides the root. */
#define OPEN_LEVELS_MAX 16

struct level {
	struct iobatch_directory *directory;
	bool is_open; /* the level has a use of it */
};

struct names {
	struct iobatch_source *source;
	struct directory_pool pool;
	struct level *levels; /* the root first */
	size_t depth;
	size_t capacity;
	size_t root_length;
	char root[]; /* without slashes at the end, unless it is nothing else */
};

static int names_push(struct names *names, struct iobatch_directory *directory)
{
	if (names->depth == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 16;
		struct level *levels = reallocarray(names->levels, capacity, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		names->levels = levels;
		names->capacity = capacity;
	}
	directory_ref(directory);
	names->levels[names->depth++] = (struct level){directory, true};
	return 0;
}

static void level_close(struct level *level)
{
	if (level->is_open)
		directory_unuse(level->directory);
	level->is_open = false;
}

static void names_pop(struct names *names)
{
	struct level *level = &names->levels[--names->depth];

	level_close(level);
	directory_unref(level->directory);
}

/* Leaves the root and the innermost directory open, and `count` of those that it is in. */
static void close_outer(struct names *names, size_t count)
{
	for (size_t i = 1; i + 1 + count < names->depth; i++)
		level_close(&names->levels[i]);
}

static int names_open_root(struct names *names)
{
	struct iobatch_directory *directory;
	int fd = open(names->root, DIRECTORY_FLAGS & ~O_NOFOLLOW);
	int rc;

	/* To reach what is in it, it need not be readable. */
	if (fd < 0 && errno == EACCES)
		fd = open(names->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = directory_new(&names->pool, NULL, fd, names->root, names->root_length, &directory);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = names_push(names, directory);
	if (rc)
		directory_unuse(directory);
	return rc;
}

int names_new(struct iobatch_source *source, const char *root, struct names **ret_names)
{
	size_t length = strlen(root);
	struct names *names;
	int rc;

	if (!length)
		return -ENOENT;
	while (length > 1 && root[length - 1] == '/')
		length--;
	if (length >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	names = calloc(1, sizeof(*names) + length + 1);
	if (!names)
		return -ENOMEM;
	names->source = source;
	memcpy(names->root, root, length);
	names->root_length = length;
	directory_pool_init(&names->pool);
	rc = names_open_root(names);
	if (rc)
		names_free(names);
	else
		*ret_names = names;
	return rc;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	while (names->depth)
		names_pop(names);
	free(names->levels);
	free(names);
}

/* Goes on to the next component: where it begins and how long it is; false at the end. */
static bool next_component(const char **at, const char *end, size_t *ret_length)
{
	const char *slash;

	while (*at < end && **at == '/')
		++*at;
	if (*at >= end)
		return false;
	slash = memchr(*at, '/', (size_t)(end - *at));
	*ret_length = (size_t)((slash ? slash : end) - *at);
	return true;
}

/* The part of a name that is below the root; NULL when it is not. */
static const char *below_root(const struct names *names, const char *name, size_t length)
{
	size_t root = names->root_length;

	if (name[0] != '/')
		return name;
	if (root == 1 && names->root[0] == '/')
		return name + 1;
	if (length < root || memcmp(name, names->root, root) ||
	    (length > root && name[root] != '/'))
		return NULL;
	return name + root;
}

int names_check(const struct names *names, const char *name, size_t length)
{
	const char *at = below_root(names, name, length);
	const char *end = name + length;
	size_t size;

	if (!at)
		return -EXDEV;
	/* With its slash, and the "/." that the root itself gets. */
	if (names->root_length + 2 + (size_t)(end - at) >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	for (; next_component(&at, end, &size); at += size)
		if (size == 2 && at[0] == '.' && at[1] == '.')
			return -EXDEV;
	return 0;
}

/* Of the current directory nothing is written in front of its names. */
static size_t written_length(const struct names *names)
{
	return names->root_length == 1 && names->root[0] == '.' ? 0 : names->root_length;
}

/*
 * Writes the path that people see: the root and what is below it, without components that lead
 * nowhere. The root itself is "." in it.
 */
static void fill_path(const struct names *names, const char *name, size_t length,
                      struct iobatch_file *file)
{
	const char *at = below_root(names, name, length);
	const char *end = name + length;
	char path[IOBATCH_PATH_MAX];
	size_t written = written_length(names);
	size_t used = written;
	bool any = false;
	size_t last = 0;
	size_t size;

	memcpy(path, names->root, used);
	for (; next_component(&at, end, &size); at += size) {
		if (size == 1 && at[0] == '.')
			continue;
		if (used && path[used - 1] != '/')
			path[used++] = '/';
		last = used;
		any = true;
		memcpy(path + used, at, size);
		used += size;
	}
	if (!any) {
		if (used && path[used - 1] != '/')
			path[used++] = '/';
		last = used;
		path[used++] = '.';
		source_fill(file, path, used);
		file->relative = (uint32_t)used;
	} else {
		source_fill(file, path, used);
		file->relative = (uint32_t)(written + (written && path[written - 1] != '/'));
	}
	file->name = (uint32_t)last;
}

static bool may_wait(struct names *names)
{
	return names->source->out > 0 && !ahead_is_starving(names->source->ahead);
}

/* Opens what is called `name` in the innermost directory, which is open. */
static int open_below(struct names *names, const char *name, size_t length)
{
	struct iobatch_directory *parent = names->levels[names->depth - 1].directory;
	struct iobatch_directory *directory;
	char text[IOBATCH_PATH_MAX];
	int rc;
	int fd;

	memcpy(text, name, length);
	text[length] = '\0';
	if (names->pool.open >= names->pool.limit) {
		close_outer(names, 0);
		if (names->pool.open >= names->pool.limit && may_wait(names))
			return -EAGAIN;
	}
	fd = openat(parent->fd, text, DIRECTORY_FLAGS);
	/* What may not be read may be gone through. */
	if (fd < 0 && errno == EACCES)
		fd = openat(parent->fd, text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		struct stat status;

		rc = -errno;
		if (rc == -ENOTDIR && !fstatat(parent->fd, text, &status, AT_SYMLINK_NOFOLLOW) &&
		    S_ISLNK(status.st_mode))
			rc = -ELOOP;
		return rc;
	}
	rc = directory_new(&names->pool, parent, fd, text, length, &directory);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = names_push(names, directory);
	if (rc)
		directory_unuse(directory);
	else
		close_outer(names, OPEN_LEVELS_MAX);
	return rc;
}

static int open_innermost(struct names *names)
{
	struct level *level = &names->levels[names->depth - 1];
	int rc;

	if (level->is_open)
		return 0;
	rc = directory_reopen(level->directory, NULL);
	level->is_open = !rc;
	return rc;
}

/* Goes to the directory that is `length` bytes of a path below the root, from the last one. */
static int go_to(struct names *names, const char *path, size_t length)
{
	const char *at = path;
	const char *end = path + length;
	size_t depth = 1;
	size_t size;
	int rc;

	/* As far as it is the same way. */
	for (; depth < names->depth && next_component(&at, end, &size); depth++, at += size) {
		const struct iobatch_directory *directory = names->levels[depth].directory;

		if (directory->name_length != size || memcmp(directory->name, at, size))
			break;
	}
	while (names->depth > depth)
		names_pop(names);
	rc = open_innermost(names);
	/* It may have been replaced: what is there now is meant. */
	while (rc && rc != -EMFILE && rc != -ENFILE && names->depth > 1) {
		at = path;
		while (names->depth > 1)
			names_pop(names);
		rc = open_innermost(names);
	}
	for (; !rc && next_component(&at, end, &size); at += size)
		rc = open_below(names, at, size);
	return rc;
}

int names_fill(struct names *names, const char *name, size_t length, struct iobatch_file *file)
{
	size_t below = written_length(names);
	int rc;

	fill_path(names, name, length, file);
	source_flush(names->source);
	rc = go_to(names, file->path + below, file->name - below);
	if (rc == -EMFILE || rc == -ENFILE) {
		close_outer(names, 0);
		rc = go_to(names, file->path + below, file->name - below);
		if ((rc == -EMFILE || rc == -ENFILE) && may_wait(names))
			rc = -EAGAIN;
	}
	if (rc == -EAGAIN || rc == -ENOMEM)
		return rc;
	if (rc == -ENOENT) {
		/* No name at all is what the kernel never finds, whatever may come to be there. */
		source_place(names->source, file, names->levels[0].directory, file->path_length);
		return 1;
	}
	if (rc)
		return source_leave_out(names->source, rc, file->path, NULL);
	source_place(names->source, file, names->levels[names->depth - 1].directory, file->name);
	return 1;
}

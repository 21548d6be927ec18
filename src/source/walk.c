/* SPDX-License-Identifier: MIT */
/*
 * The walk of a directory tree: depth first, a directory before what is in it, entries in the byte
 * order of their names. Each directory is opened below its parent's descriptor and never through a
 * symbolic link, and is listed whole when it is entered. What vanishes while the walk goes on is
 * passed over; what is there and cannot be reached is left out and counted.
 *
 * Invariant: `path` is the path of the innermost directory, and the listing holds the entries of
 * the directories in `levels`, outermost first. Besides the root only the innermost few levels
 * have an open descriptor, so that the depth of a tree is not limited by RLIMIT_NOFILE; the others
 * are opened again when the walk comes back to them.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "op/abi.h"
#include "source.h"
#include "walk_filter.h"
#include "walk_listing.h"

/* Levels, the innermost ones, that may have a descriptor open besides the root. */
#define OPEN_LEVELS_MAX 16

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct walk_level {
	int fd;             /* -1: closed for now */
	size_t path_length; /* of the directory's path */
	size_t next;        /* entry of the listing to go on with */
	struct walk_mark mark;
};

struct walk {
	struct iobatch_source source;
	struct walk_filter filter;
	struct walk_listing listing;
	struct walk_level *levels;
	size_t depth; /* levels in use; 0 at the end, or when the root is no directory */
	size_t capacity;
	bool started;
	uint8_t root_type;
	uint16_t relative;  /* where the part below the root begins in the path of an entry */
	size_t path_length; /* of `path`, which is NUL-terminated */
	char path[IOBATCH_PATH_MAX];
};

static struct walk_level *walk_innermost(struct walk *walk)
{
	return &walk->levels[walk->depth - 1];
}

static void level_close(struct walk_level *level)
{
	if (level->fd >= 0)
		close(level->fd);
	level->fd = -1;
}

/* Adds a level for the directory at `path`, which `fd` is; -ENOMEM leaves `fd` the caller's. */
static int walk_push(struct walk *walk, int fd)
{
	if (walk->depth == walk->capacity) {
		size_t capacity = walk->capacity ? 2 * walk->capacity : 32;
		struct walk_level *levels = reallocarray(walk->levels, capacity, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		walk->levels = levels;
		walk->capacity = capacity;
	}
	walk->levels[walk->depth++] = (struct walk_level){
		.fd = fd,
		.path_length = walk->path_length,
		.next = walk->listing.count,
		.mark = walk_listing_mark(&walk->listing),
	};
	if (walk->depth > OPEN_LEVELS_MAX + 1)
		level_close(&walk->levels[walk->depth - 1 - OPEN_LEVELS_MAX]);
	return 0;
}

static void walk_leave(struct walk *walk)
{
	struct walk_level *level = walk_innermost(walk);

	level_close(level);
	walk_listing_release(&walk->listing, level->mark);
	if (!--walk->depth)
		return;
	walk->path_length = walk_innermost(walk)->path_length;
	walk->path[walk->path_length] = '\0';
}

/*
 * The descriptor of the innermost directory, opened again below the root when it was closed.
 * openat2() is as old as the ring's own open op; glibc 2.36 has no function for it.
 */
static int walk_directory(struct walk *walk)
{
	struct walk_level *level = walk_innermost(walk);

	if (level->fd < 0) {
		struct open_how how = {
			.flags = DIRECTORY_FLAGS,
			.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
		};
		long fd = syscall(SYS_openat2, walk->levels[0].fd, walk->path + walk->relative,
		                  &how, sizeof(how));

		if (fd < 0)
			return -errno;
		level->fd = (int)fd;
	}
	return level->fd;
}

/* Opens the directory `name` of the innermost one. Returns the descriptor or a negative errno. */
static int walk_open(struct walk *walk, const char *name)
{
	int parent = walk_directory(walk);
	int fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, DIRECTORY_FLAGS);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		/* Others need descriptors too: make do with the fewest and try once more. */
		for (size_t i = 1; i + 1 < walk->depth; i++)
			level_close(&walk->levels[i]);
		fd = openat(parent, name, DIRECTORY_FLAGS);
	}
	return fd < 0 ? -errno : fd;
}

/* Whether an entry could not be had because by now it is not there, or is something else. */
static bool is_vanished(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* Lists the innermost directory. Only what ends the walk is an error. */
static int walk_list(struct walk *walk)
{
	int rc = walk_listing_read(&walk->listing, walk_innermost(walk)->fd, &walk->filter);

	if (!rc || rc == -ENOMEM)
		return rc;
	return source_leave_out(&walk->source, rc, walk->path, NULL);
}

/*
 * Enters the directory that `file` is. Returns 1; or 0 when it has vanished; or a negative errno
 * that ends the walk. One that cannot be opened is left out, but is still an item itself.
 */
static int walk_enter(struct walk *walk, const struct iobatch_file *file)
{
	const char *name = file->path + source_name_start(file->path, file->path_length);
	int fd = walk_open(walk, name);
	int rc;

	if (is_vanished(fd))
		return 0;
	if (fd < 0) {
		rc = source_leave_out(&walk->source, fd, file->path, NULL);
		return rc ? rc : 1;
	}
	walk->path_length = file->path_length;
	memcpy(walk->path, file->path, walk->path_length + 1);
	rc = walk_push(walk, fd);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = walk_list(walk);
	return rc ? rc : 1;
}

/* Looks up what the listing could not tell: the type, the size. */
static int walk_look(struct walk *walk, const char *name, struct stat *ret_status)
{
	int directory = walk_directory(walk);

	if (directory < 0)
		return directory;
	if (fstatat(directory, name, ret_status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -errno;
	return 0;
}

/* Fills `file` with the entry `name` of the innermost directory. */
static void walk_fill(const struct walk *walk, const char *name, size_t length, uint8_t type,
                      struct iobatch_file *file)
{
	size_t at = walk->path_length;

	file->offset = 0;
	file->length = 0;
	file->fd = -1;
	file->type = type;
	file->reserved = 0;
	file->relative = walk->relative;
	memcpy(file->path, walk->path, at);
	if (walk->path[at - 1] != '/')
		file->path[at++] = '/';
	memcpy(file->path + at, name, length + 1);
	file->path_length = (uint32_t)(at + length);
}

/* Deals with one entry. Returns 1 when `file` is an item, 0 when not, or a negative errno. */
static int walk_visit(struct walk *walk, const struct walk_entry *entry, struct iobatch_file *file)
{
	const char *name = walk_listing_name(&walk->listing, entry);
	size_t length = entry->length;
	uint8_t type = entry->type;
	int rc;

	if (type == DT_UNKNOWN || (type == DT_REG && walk_filter_asks_size(&walk->filter))) {
		struct stat status;

		rc = walk_look(walk, name, &status);
		if (is_vanished(rc))
			return 0;
		if (rc)
			return source_leave_out(&walk->source, rc, walk->path, name);
		type = IFTODT(status.st_mode);
		if (!walk_filter_wants(&walk->filter, name, type))
			return 0;
		if (type == DT_REG &&
		    !walk_filter_wants_size(&walk->filter, (uint64_t)status.st_size))
			return 0;
	}
	if (walk->path_length + 1 + length >= IOBATCH_PATH_MAX)
		return source_leave_out(&walk->source, -ENAMETOOLONG, walk->path, name);

	walk_fill(walk, name, length, type, file);
	if (type != DT_DIR)
		return 1;
	rc = walk_enter(walk, file);
	if (rc > 0)
		rc = walk_filter_wants_directories(&walk->filter);
	return rc;
}

/* The root itself. Returns like walk_visit(). */
static int walk_start(struct walk *walk, struct iobatch_file *file)
{
	bool wanted = true;
	int rc = 0;

	if (walk->root_type == DT_DIR) {
		rc = walk_list(walk);
		wanted = walk_filter_wants_directories(&walk->filter);
	}
	if (rc || !wanted)
		return rc;
	source_fill(file, walk->path, walk->path_length);
	file->type = walk->root_type;
	if (walk->root_type == DT_DIR)
		file->relative = (uint16_t)walk->path_length;
	return 1;
}

static int walk_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct walk *walk = (struct walk *)source;
	int rc;

	if (!walk->started) {
		walk->started = true;
		rc = walk_start(walk, file);
		if (rc)
			return rc;
	}
	while (walk->depth) {
		struct walk_level *level = walk_innermost(walk);
		struct walk_entry entry;

		if (level->next == walk->listing.count) {
			walk_leave(walk);
			continue;
		}
		entry = walk->listing.entries[level->next++];
		rc = walk_visit(walk, &entry, file);
		if (rc)
			return rc;
	}
	return 0;
}

static void walk_free(struct iobatch_source *source)
{
	struct walk *walk = (struct walk *)source;

	for (size_t i = 0; i < walk->depth; i++)
		level_close(&walk->levels[i]);
	free(walk->levels);
	walk_listing_deinit(&walk->listing);
	walk_filter_deinit(&walk->filter);
	free(walk);
}

static const struct source_kind walk_kind = {walk_next, walk_free};

/* Takes the root's path, without the slashes at its end unless it is nothing else. */
static int walk_set_root(struct walk *walk, const char *root)
{
	size_t length = strlen(root);

	while (length > 1 && root[length - 1] == '/')
		length--;
	if (length >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(walk->path, root, length);
	walk->path[length] = '\0';
	walk->path_length = length;
	return 0;
}

/* A root that is no directory: the one item, when the filter wants it. */
static int walk_open_leaf(struct walk *walk, const char *root)
{
	const char *name = walk->path + source_name_start(walk->path, walk->path_length);
	struct stat status;

	if (stat(root, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -ENOTDIR;
	walk->root_type = IFTODT(status.st_mode);
	walk->started = !walk_filter_wants(&walk->filter, name, walk->root_type) ||
	                (walk->root_type == DT_REG &&
	                 !walk_filter_wants_size(&walk->filter, (uint64_t)status.st_size));
	return 0;
}

/* The root may be a symbolic link, unlike all that is below it. */
static int walk_open_root(struct walk *walk, const char *root)
{
	int fd = open(root, DIRECTORY_FLAGS & ~O_NOFOLLOW);
	int rc;

	if (fd < 0)
		return errno == ENOTDIR ? walk_open_leaf(walk, root) : -errno;
	rc = walk_push(walk, fd);
	if (rc) {
		close(fd);
		return rc;
	}
	walk->root_type = DT_DIR;
	walk->relative = (uint16_t)(walk->path_length + (walk->path[walk->path_length - 1] != '/'));
	return 0;
}

int iobatch_source_walk(const struct iobatch_walk_options *given,
                        struct iobatch_source **ret_source)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct walk *walk;
	int rc;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options.root)
		return -EINVAL;

	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	source_init(&walk->source, &walk_kind, IOBATCH_UNKNOWN);
	rc = walk_filter_init(&walk->filter, &options);
	if (!rc)
		rc = walk_listing_init(&walk->listing);
	if (!rc)
		rc = walk_set_root(walk, options.root);
	if (!rc)
		rc = walk_open_root(walk, options.root);
	if (rc)
		iobatch_source_free(&walk->source);
	else
		*ret_source = &walk->source;
	return rc;
}

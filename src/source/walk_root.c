/* SPDX-License-Identifier: MIT */
/*
 * The roots of a walk. A root is reached like all that is below it, from the directory that it is
 * in and by its name, so that ops on it are as safe. One that has no name is reached from itself.
 * One that is a link which is to be followed is reached by its path: there is no name for what it
 * leads to. What is in it is in a directory that the walk has opened, like everything else.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "walk.h"

static int root_set(struct walk_root *root, char *path)
{
	size_t length = strlen(path);
	const char *name;

	root->has_slash = length > 1 && path[length - 1] == '/';
	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	path[length] = '\0';
	root->path = path;
	root->length = (uint32_t)length;
	root->name = (uint32_t)source_name_start(path, length);
	name = path + root->name;
	root->is_nameless = !strcmp(path, "/") || !strcmp(name, ".") || !strcmp(name, "..");
	return 0;
}

int walk_roots_init(struct walk *walk, const struct iobatch_walk_options *options)
{
	const char *const one[] = {options->root, NULL};
	const char *const *roots = options->roots ? options->roots : one;
	size_t count = 0;
	size_t bytes = 0;
	char *at;

	if (!roots[0] || (options->root && options->roots))
		return -EINVAL;
	for (; roots[count]; count++)
		bytes += strlen(roots[count]) + 1;
	if (count > UINT32_MAX)
		return -EINVAL;
	walk->roots = malloc(count * sizeof(*walk->roots) + bytes);
	if (!walk->roots)
		return -ENOMEM;
	at = (char *)(walk->roots + count);
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(roots[i]) + 1;
		int rc;

		walk->roots[i] = (struct walk_root){0};
		rc = root_set(&walk->roots[i], memcpy(at, roots[i], size));
		if (rc)
			return rc;
		at += size;
	}
	walk->root_count = (uint32_t)count;
	return 0;
}

void walk_found_drop(struct walk_found *found)
{
	if (found->directory)
		directory_unuse(found->directory);
	if (found->parent)
		directory_unuse(found->parent);
	found->directory = NULL;
	found->parent = NULL;
}

/* Opens a directory and makes its node. Symbolic links are followed unless the flags say so. */
static int open_node(struct walk *walk, int dirfd, const char *path, int flags,
                     struct iobatch_directory *parent, const struct walk_root *root,
                     struct iobatch_directory **ret_directory)
{
	int fd = openat(dirfd, path, flags);
	int rc;

	if (fd < 0)
		return -errno;
	rc = directory_new(&walk->pool, parent, fd, root->path, root->length, ret_directory);
	if (rc) {
		close(fd);
		return rc;
	}
	(*ret_directory)->path_length = root->length;
	return 0;
}

/* The directory in which the first `length` bytes of `path` lead, "." when there are none. */
static int open_parent(struct walk *walk, const char *path, size_t length,
                       const struct walk_root *root, struct iobatch_directory **ret_directory)
{
	char parent[PATH_MAX];
	int rc;

	if (length >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, length ? path : ".", length ? length : 1);
	parent[length ? length : 1] = '\0';
	rc = open_node(walk, AT_FDCWD, parent, DIRECTORY_FLAGS & ~O_NOFOLLOW, NULL, root,
	               ret_directory);
	/* To reach what is in it, it need not be readable. */
	if (rc == -EACCES)
		rc = open_node(walk, AT_FDCWD, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, NULL, root,
		               ret_directory);
	return rc;
}

static int look(int dirfd, const char *name, int flags, struct statx *ret_status)
{
	if (statx(dirfd, name, flags | AT_NO_AUTOMOUNT,
	          STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_INO, ret_status))
		return -errno;
	return 0;
}

/* A link that is to be followed: what it leads to, which has no name here. */
static int find_followed(struct walk *walk, struct walk_root *root, struct walk_found *found)
{
	int rc = open_node(walk, found->parent->fd, root->path + root->name,
	                   DIRECTORY_FLAGS & ~O_NOFOLLOW, NULL, root, &found->directory);

	if (rc == -ENOTDIR && !root->has_slash)
		rc = look(found->parent->fd, root->path + root->name, 0, &found->status);
	directory_unuse(found->parent);
	found->parent = NULL;
	if (rc)
		return rc;
	if (!found->directory)
		found->type = IFTODT(found->status.stx_mode);
	root->is_followed = true;
	return !found->directory && found->type == DT_DIR ? -ENOTDIR : 0;
}

static int find_in_parent(struct walk *walk, struct walk_root *root, struct walk_found *found)
{
	const char *name = root->path + root->name;
	int rc = open_node(walk, found->parent->fd, name, DIRECTORY_FLAGS, found->parent, root,
	                   &found->directory);

	if (rc != -ENOTDIR && rc != -ELOOP)
		return rc;
	rc = look(found->parent->fd, name, AT_SYMLINK_NOFOLLOW, &found->status);
	if (rc)
		return rc;
	found->type = IFTODT(found->status.stx_mode);
	if (found->type == DT_LNK && !walk->no_follow)
		return find_followed(walk, root, found);
	return root->has_slash || found->type == DT_DIR ? -ENOTDIR : 0;
}

int walk_root_find(struct walk *walk, struct walk_root *root, struct walk_found *ret_found)
{
	struct walk_found found = {.type = DT_DIR};
	int rc;

	source_flush(&walk->source);
	root->is_followed = false;
	if (root->is_nameless) {
		rc = open_node(walk, AT_FDCWD, root->path, DIRECTORY_FLAGS & ~O_NOFOLLOW, NULL,
		               root, &found.directory);
	} else {
		rc = open_parent(walk, root->path, root->name, root, &found.parent);
		if (!rc)
			rc = find_in_parent(walk, root, &found);
	}
	if (found.directory)
		found.type = DT_DIR;
	if (rc)
		walk_found_drop(&found);
	else
		*ret_found = found;
	return rc;
}

uint32_t walk_root_relative(const struct walk *walk, const struct walk_root *root, bool directory,
                            bool below)
{
	bool is_named = !root->is_nameless && !root->has_slash;
	bool is_kept = walk->root_name == IOBATCH_ROOT_NAME_KEEP
	                       ? is_named
	                       : walk->root_name == IOBATCH_ROOT_NAME_AUTO && !directory;

	if (is_kept)
		return root->name;
	return root->length + (below && root->path[root->length - 1] != '/');
}

void walk_root_fill(const struct walk *walk, uint32_t index, uint8_t type,
                    struct iobatch_file *file)
{
	const struct walk_root *root = &walk->roots[index];

	source_fill(file, root->path, root->length);
	/* Who takes it must not think that it is what is there itself: there is a link. */
	file->type = root->is_followed && type != DT_DIR ? DT_UNKNOWN : type;
	file->root = index;
	file->relative = walk_root_relative(walk, root, type == DT_DIR, false);
}

size_t walk_root_name(const struct walk_root *root)
{
	/* Of "..", "a/." and "/" the last byte leads from the directory to itself. */
	return root->is_nameless ? root->length - 1 : root->name;
}

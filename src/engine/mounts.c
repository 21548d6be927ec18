/* SPDX-License-Identifier: MIT */
/*
 * The table of mounts as a tree of path components: see mounts.h. Most paths leave the tree at
 * their first component, so that looking one up is a few comparisons.
 */
#include "engine/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NODE_NONE 0u /* the root is nobody's child */
#define FS_UNKNOWN UINT_MAX

struct node {
	const char *name; /* in the text */
	size_t length;
	unsigned parent;
	unsigned child;   /* the first */
	unsigned sibling; /* the next */
	unsigned fs;
};

struct mounts {
	char *text; /* of the table */
	struct node *nodes;
	unsigned nodes_count;
	unsigned nodes_max;
	const char **devices; /* by file system: "major:minor", in the text */
	unsigned devices_count;
	unsigned devices_max;
};

/* Makes room for one more entry in an array. */
static int reserve(void **array, unsigned count, unsigned *max, size_t size)
{
	unsigned wanted = *max ? 2 * *max : 32;
	void *grown;

	if (count < *max)
		return 0;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*max = wanted;
	return 0;
}

static unsigned find_child(const struct mounts *mounts, unsigned node, const char *name,
                           size_t length)
{
	unsigned child = mounts->nodes[node].child;

	while (child != NODE_NONE && (mounts->nodes[child].length != length ||
	                              memcmp(mounts->nodes[child].name, name, length) != 0))
		child = mounts->nodes[child].sibling;
	return child;
}

/* Finds or makes a child. Returns its number, or -ENOMEM. */
static int add_child(struct mounts *mounts, unsigned parent, const char *name, size_t length)
{
	unsigned number = mounts->nodes_count > 0 ? find_child(mounts, parent, name, length) : 0;
	struct node *node;

	if (number != NODE_NONE)
		return (int)number;
	if (reserve((void **)&mounts->nodes, mounts->nodes_count, &mounts->nodes_max,
	            sizeof(*node)) < 0)
		return -ENOMEM;
	number = mounts->nodes_count;
	node = &mounts->nodes[number];
	*node = (struct node){name, length, parent, NODE_NONE, NODE_NONE, FS_UNKNOWN};
	if (number > 0) {
		node->sibling = mounts->nodes[parent].child;
		mounts->nodes[parent].child = number;
	}
	mounts->nodes_count++;
	return (int)number;
}

/* The number of a file system, from its device. Returns it, or -ENOMEM. */
static int add_device(struct mounts *mounts, const char *device)
{
	for (unsigned i = 0; i < mounts->devices_count; i++) {
		if (strcmp(mounts->devices[i], device) == 0)
			return (int)i;
	}
	if (reserve((void **)&mounts->devices, mounts->devices_count, &mounts->devices_max,
	            sizeof(*mounts->devices)) < 0)
		return -ENOMEM;
	mounts->devices[mounts->devices_count] = device;
	return (int)mounts->devices_count++;
}

/* Spaces and the like stand in mountinfo as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (char *from = text; *from; to++) {
		unsigned value;

		if (*from == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
			*to = (char)value;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static size_t component(const char **path)
{
	*path += strspn(*path, "/");
	return strcspn(*path, "/");
}

static int add_mount(struct mounts *mounts, const char *device, char *point)
{
	const char *at = point;
	int fs = add_device(mounts, device), node = 0;
	size_t length;

	unescape(point);
	for (; fs >= 0 && node >= 0 && (length = component(&at)) > 0; at += length)
		node = add_child(mounts, (unsigned)node, at, length);
	if (fs < 0 || node < 0)
		return -ENOMEM;
	/* What is mounted over something hides it: the last one counts. */
	mounts->nodes[node].fs = (unsigned)fs;
	return 0;
}

/* Its number, its parent's, the device, the root within it, the mount point, and more. */
static int add_line(struct mounts *mounts, char *line)
{
	char *fields[5], *rest = line;

	for (unsigned i = 0; i < 5; i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i])
			return 0;
	}
	return fields[4][0] == '/' ? add_mount(mounts, fields[2], fields[4]) : 0;
}

/* The whole file, which says nothing of its size. NULL when it cannot be had. */
static char *read_text(const char *path)
{
	size_t size = 4096, used = 0;
	char *text = malloc(size);
	ssize_t got = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (text && fd >= 0 && (got = read(fd, text + used, size - used - 1)) > 0) {
		char *grown;

		used += (size_t)got;
		if (used + 1 < size)
			continue;
		grown = reallocarray(text, 2, size);
		if (!grown) {
			got = -1;
			break;
		}
		text = grown;
		size *= 2;
	}
	if (fd >= 0)
		close(fd);
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[used] = '\0';
	return text;
}

int mounts_from_text(char *text, struct mounts **ret_mounts)
{
	struct mounts *mounts = calloc(1, sizeof(*mounts));
	char *line, *rest = text;
	int result;

	if (!mounts) {
		free(text);
		return -ENOMEM;
	}
	mounts->text = text;
	result = add_child(mounts, 0, "", 0);
	while (result == 0 && (line = strsep(&rest, "\n")))
		result = add_line(mounts, line);
	if (result == 0 && mounts->nodes[0].fs == FS_UNKNOWN)
		result = add_mount(mounts, "the root's", (char[]){"/"});
	if (result < 0) {
		mounts_free(mounts);
		return result;
	}
	/* A place without a mount of its own is its parent's; parents come first. */
	for (unsigned i = 1; i < mounts->nodes_count; i++) {
		if (mounts->nodes[i].fs == FS_UNKNOWN)
			mounts->nodes[i].fs = mounts->nodes[mounts->nodes[i].parent].fs;
	}
	*ret_mounts = mounts;
	return 0;
}

int mounts_new(struct mounts **ret_mounts)
{
	return mounts_from_text(read_text("/proc/self/mountinfo"), ret_mounts);
}

void mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return;
	free(mounts->nodes);
	free(mounts->devices);
	free(mounts->text);
	free(mounts);
}

unsigned mounts_count(const struct mounts *mounts)
{
	return mounts->devices_count;
}

/* Goes along `path` from `at`. */
static struct mounts_base follow(const struct mounts *mounts, struct mounts_base at,
                                 const char *path)
{
	size_t length;

	for (; (length = component(&path)) > 0; path += length) {
		unsigned child;

		if (length == 1 && path[0] == '.')
			continue;
		if (length == 2 && path[0] == '.' && path[1] == '.') {
			if (at.below > 0)
				at.below--;
			else
				at.node = mounts->nodes[at.node].parent;
			continue;
		}
		child = at.below > 0 ? NODE_NONE : find_child(mounts, at.node, path, length);
		if (child != NODE_NONE)
			at.node = child;
		else
			at.below++;
		/* Below the last mount point only a way back up matters. */
		if (at.below > 0 && !strstr(path, ".."))
			break;
	}
	return at;
}

struct mounts_base mounts_base_of(const struct mounts *mounts, int dirfd)
{
	struct mounts_base root = {0, 0};
	char link[32], path[PATH_MAX];
	ssize_t length;

	if (dirfd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/self/cwd");
	else
		snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return root;
	path[length] = '\0';
	return follow(mounts, root, path);
}

unsigned mounts_find(const struct mounts *mounts, struct mounts_base base, const char *path)
{
	struct mounts_base root = {0, 0};

	return mounts->nodes[follow(mounts, path[0] == '/' ? root : base, path).node].fs;
}

unsigned mounts_find_device(const struct mounts *mounts, uint64_t device)
{
	char name[32];

	snprintf(name, sizeof(name), "%u:%u", major(device), minor(device));
	for (unsigned i = 0; i < mounts->devices_count; i++) {
		if (strcmp(mounts->devices[i], name) == 0)
			return i;
	}
	return MOUNTS_NONE;
}

/* SPDX-License-Identifier: MIT */
/* The names of copies: see naming.h. */
#include "cli/naming.h"

#include "job/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static bool is_directory(const char *path)
{
	struct stat stat_;

	return !stat(path, &stat_) && S_ISDIR(stat_.st_mode);
}

/* Itself, unless a slash says that what a link leads to is meant. */
static bool is_directory_itself(const char *path)
{
	struct stat stat_;

	return !lstat(path, &stat_) && S_ISDIR(stat_.st_mode);
}

/* Two sources of one name would become one: whichever is copied last would win. */
static int check_names(char *const *sources, size_t count, const char *destination,
                       char **ret_error)
{
	for (size_t i = 0; i < count; i++) {
		size_t length, other_length;
		const char *name = roots_name(sources[i], &length);

		for (size_t j = 0; length && j < i; j++) {
			const char *other = roots_name(sources[j], &other_length);

			if (length != other_length || memcmp(name, other, length))
				continue;
			if (asprintf(ret_error,
			             "%s and %s would both become %s/%s; copy them one after the "
			             "other, or to different places",
			             sources[j], sources[i], destination, name) < 0)
				return -ENOMEM;
			return -EINVAL;
		}
	}
	return 0;
}

int naming_decide(char *const *sources, size_t count, const char *destination,
                  const char **ret_root_name, char **ret_error)
{
	size_t named = 0, length = strlen(destination);
	struct stat stat_;
	bool there = !lstat(destination, &stat_), into;

	for (size_t i = 0; i < count; i++) {
		size_t name_length;

		(void)roots_name(sources[i], &name_length);
		named += name_length != 0;
	}
	into = is_directory(destination) || (length && destination[length - 1] == '/') || count > 1;
	if (there && !is_directory(destination) && (into || is_directory_itself(sources[0]))) {
		if (asprintf(ret_error, "%s is there and is no directory; name another destination",
		             destination) < 0)
			return -ENOMEM;
		return -EINVAL;
	}
	*ret_root_name = into && named ? "keep" : "drop";
	return into ? check_names(sources, count, destination, ret_error) : 0;
}

char *naming_directory(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	return length ? strndup(path, length) : strdup(".");
}

static bool is_on_one_mount(const char *source, const char *directory)
{
	static const unsigned mask = STATX_INO | STATX_MNT_ID;
	struct statx a, b;

	if (statx(AT_FDCWD, source, AT_SYMLINK_NOFOLLOW, mask, &a) ||
	    statx(AT_FDCWD, directory, 0, mask, &b))
		return false;
	if (a.stx_dev_major != b.stx_dev_major || a.stx_dev_minor != b.stx_dev_minor)
		return false;
	/* Kernels before 5.8 do not tell mounts of one file system apart. */
	return !(a.stx_mask & b.stx_mask & STATX_MNT_ID) || a.stx_mnt_id == b.stx_mnt_id;
}

/* An overlay mostly has no rename for directories that are below its upper layer. */
static bool renames_directories(const char *directory)
{
	struct statfs status;

	return !statfs(directory, &status) && status.f_type != OVERLAYFS_SUPER_MAGIC;
}

static bool can_rename(const char *source, const char *destination, bool into)
{
	char *place = NULL, *directory = NULL;
	struct stat stat_;
	size_t length;
	const char *name = roots_name(source, &length);
	bool can = false;

	if (into && !length)
		return false;
	if (asprintf(&place, "%s%s%s", destination, into ? "/" : "", into ? name : "") < 0)
		return false;
	directory = is_directory(destination) ? strdup(destination) : naming_directory(destination);
	if (directory)
		can = lstat(place, &stat_) && errno == ENOENT &&
		      is_on_one_mount(source, directory) && renames_directories(directory);
	free(directory);
	free(place);
	return can;
}

bool naming_can_rename(char *const *sources, size_t count, const char *destination)
{
	size_t length = strlen(destination);
	bool into = is_directory(destination) || (length && destination[length - 1] == '/') ||
	            count > 1;

	for (size_t i = 0; i < count; i++)
		if (!can_rename(sources[i], destination, into))
			return false;
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Which file system a path lies on, without touching it: by the table of mounts as it was when the
 * run began, and the path's letters. A symbolic link that leads elsewhere is not seen, nor is what
 * is mounted later: good enough to share something out, and for nothing else.
 */
#ifndef ENGINE_MOUNTS_H
#define ENGINE_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct mounts;

#define MOUNTS_NONE UINT32_MAX

/* Where a relative path starts: a place in the table, and how far below it. */
struct mounts_base {
	unsigned node;
	unsigned below;
};

/* -ENOMEM. Without a readable table there is one file system. */
int mounts_new(struct mounts **ret_mounts);
/* The same from the text of such a table, which it frees; NULL = there is none. */
int mounts_from_text(char *text, struct mounts **ret_mounts);
void mounts_free(struct mounts *mounts);
/* File systems are numbered from 0. */
unsigned mounts_count(const struct mounts *mounts);
/* The base of a directory, or of the current one with AT_FDCWD. */
struct mounts_base mounts_base_of(const struct mounts *mounts, int dirfd);
/* The file system that `path` lies on; `base` matters when it is relative. */
unsigned mounts_find(const struct mounts *mounts, struct mounts_base base, const char *path);
/*
 * The file system with this st_dev; MOUNTS_NONE when none has it, as the subvolumes of btrfs, which
 * the table knows by another.
 */
unsigned mounts_find_device(const struct mounts *mounts, uint64_t device);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the tests of copy and move share besides files.h: runs over a whole tree or over one file,
 * and comparisons of what came out with what went in.
 */
#ifndef TEST_PROCESSOR_COPYING_H
#define TEST_PROCESSOR_COPYING_H

#include <dirent.h>
#include <sys/stat.h>

#include "files.h"

/* Options with small blocks and no more than is asked for. */
struct iobatch_copy_options copying_options(const char *destination);

/* What becomes of a run over a tree. */
struct copying_tree {
	const char *root;
	uint32_t types;       /* 0 = all */
	uint32_t directories; /* enum iobatch_walk_directories */
	uint32_t root_name;   /* enum iobatch_root_name */
	bool moves;
	bool may_fail; /* items may fail: the caller looks */
};

/*
 * Walks the tree and copies or moves it. `result` may be NULL when nothing but success is of
 * interest.
 */
void copying_run(const struct iobatch_copy_options *copy, const struct copying_tree *tree,
                 const struct iobatch_options *options, struct iobatch_result *result);

/* Copies or moves one file of this type; it fails with this error, is skipped for it, or succeeds.
 */
void copying_one(const struct iobatch_copy_options *copy, bool moves,
                 const struct iobatch_options *options, unsigned char type, const char *name,
                 const char *error_name);
void copying_skipped(const struct iobatch_copy_options *copy, bool moves,
                     const struct iobatch_options *options, unsigned char type, const char *name,
                     const char *reason);

/* Sets the modification time; the access time is a second later. */
void set_times(const char *name, time_t seconds, long nanoseconds);
/* The same kind, mode, owner and modification time, and not the same file. */
void assert_like(const char *copy, const char *source);
/* Both names are of one file. */
void assert_linked(const char *one, const char *other);
void assert_missing(const char *name);

/* A directory of its own on a file system in memory, to be removed with remove_tree(). */
void make_in_memory(char *ret_path, size_t size);
void remove_tree(const char *path);

#endif

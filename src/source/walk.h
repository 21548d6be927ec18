/* SPDX-License-Identifier: MIT */
/*
 * The inside of a walk, for its parts: walk.c goes through a tree, walk_levels.c keeps the way to
 * where it is, walk_root.c finds the roots, walk_last.c gives directories behind their contents.
 */
#ifndef SOURCE_WALK_H
#define SOURCE_WALK_H

#include <pthread.h>
#include <sys/stat.h>

#include "directory.h"
#include "source.h"
#include "walk_filter.h"
#include "walk_listing.h"

/* A root as it was named. */
struct walk_root {
	const char *path; /* without slashes at the end, unless it is nothing else */
	uint32_t length;
	uint32_t name;    /* where its last component begins */
	bool has_slash;   /* there was one at the end */
	bool is_nameless; /* its last component is no name: "/", ".", ".." */
	bool is_followed; /* a symbolic link, and what is walked is what it leads to */
};

/* What is there. */
struct walk_found {
	uint8_t type;                        /* DT_* */
	struct iobatch_directory *directory; /* the root itself, of DT_DIR */
	struct iobatch_directory *parent;    /* where it is, if it is reached from there */
	struct statx status;                 /* of what is no directory */
};

struct walk_level {
	struct iobatch_directory *directory;
	bool is_open;       /* the level has a use of it */
	bool more;          /* not all of it was read */
	off_t position;     /* where the rest begins */
	size_t path_length; /* of the directory's path */
	size_t next;        /* entry of the listing to go on with */
	struct walk_mark mark;
};

struct walk {
	struct iobatch_source source;
	struct directory_pool pool;
	struct walk_filter filter;
	struct walk_listing listing;
	bool one_file_system;
	bool no_follow;
	bool last; /* directories come behind their contents */
	uint32_t root_name;

	struct walk_root *roots;
	uint32_t root_count;
	uint32_t root;           /* the one that is walked, or the next one */
	struct walk_found found; /* of that one, once it was looked for */
	bool is_found;
	uint64_t device; /* of the root */

	struct walk_level *levels;
	size_t depth; /* levels in use */
	size_t capacity;
	size_t below;       /* where the part below the root begins in the path of an entry */
	uint32_t relative;  /* where the relative part begins */
	size_t path_length; /* of `path`, which is NUL-terminated */

	/* Of walk_last.c. */
	pthread_mutex_t lock;            /* of the two lists */
	struct iobatch_directory *ready; /* to be given, oldest first */
	struct iobatch_directory **ready_end;
	struct iobatch_directory *closed; /* to be given, when what they are in is open again */
	_Atomic uint64_t ready_count;
	_Atomic uint64_t closed_count;
	_Atomic uint64_t tracked; /* directories that were entered and are not given */
	bool closing;

	char path[IOBATCH_PATH_MAX];
};

/* ---- walk_root.c ---- */

/* Copies the roots. -EINVAL when there is none, -ENAMETOOLONG, -ENOMEM. */
int walk_roots_init(struct walk *walk, const struct iobatch_walk_options *options);

/* Looks for a root. The directories in *ret_found have a use each, and a reference with it. */
int walk_root_find(struct walk *walk, struct walk_root *root, struct walk_found *ret_found);
void walk_found_drop(struct walk_found *found);

/* Where the relative part begins, in the path of a root itself and of what is below it. */
uint32_t walk_root_relative(const struct walk *walk, const struct walk_root *root, bool directory,
                            bool below);

/* Fills `file` with a root. One that is followed stays so; all others get a place as well. */
void walk_root_fill(const struct walk *walk, uint32_t index, uint8_t type,
                    struct iobatch_file *file);
/* Where in its path the name begins that it is reached by. */
size_t walk_root_name(const struct walk_root *root);

/* ---- walk_levels.c ---- */

static inline struct walk_level *walk_innermost(struct walk *walk)
{
	return &walk->levels[walk->depth - 1];
}

/*
 * Enters `directory`, of which the caller's use becomes the level's; `listed`: it is to be listed.
 * -ENOMEM leaves the use the caller's.
 */
int walk_push(struct walk *walk, struct iobatch_directory *directory, bool listed);
void walk_leave(struct walk *walk);

/*
 * Has the innermost level be open. Returns 0; or -EAGAIN to wait for descriptors; or another
 * negative errno, when there is no way back to it.
 */
int walk_level_open(struct walk *walk);

/*
 * Opens the directory `name` of the innermost one, which is open. -EAGAIN: too many descriptors are
 * in use; others need some too.
 */
int walk_open(struct walk *walk, const char *name, size_t length,
              struct iobatch_directory **ret_directory);

/* Whether an error is a lack of descriptors. */
bool walk_is_short(int error);
/* Whether something can still be given back, so that it makes sense to wait for descriptors. */
bool walk_may_wait(struct walk *walk);

/* ---- walk_last.c ---- */

int walk_last_init(struct walk *walk);
void walk_last_deinit(struct walk *walk);

/* The walk enters a directory, which is an item itself if it is wanted. */
void walk_last_enter(struct walk *walk, struct iobatch_directory *directory, bool wanted);
/* It leaves the directory; `is_open`: it has a use of it, which goes on to this part. */
void walk_last_leave(struct walk *walk, struct iobatch_directory *directory, bool is_open);
/* Something in `directory` was given, and has come back. */
void walk_last_given(struct iobatch_directory *directory);
void walk_last_back(struct walk *walk, struct iobatch_directory *directory);
/* Takes a directory that is ready. */
bool walk_last_take(struct walk *walk, struct iobatch_file *file);
/* Opens again what ready directories are in. 0 or -ENOMEM. */
int walk_last_serve(struct walk *walk);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Directories that a source holds open. Items start from the descriptor of the directory that they
 * are in, so it stays open until all of them were given back; those who need it hold a use of it,
 * from any thread. The node itself lives as long as anyone refers to it, its descriptor only while
 * somebody uses it: it can be opened again, below its parent or from a child, and then is the same
 * directory or an error. This part knows neither walks nor lists.
 */
#ifndef SOURCE_DIRECTORY_H
#define SOURCE_DIRECTORY_H

#include <fcntl.h>
#include <iobatch.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The descriptors that a source has open, and how many it should have at most. */
struct directory_pool {
	_Atomic uint32_t open;
	uint32_t limit;
};

struct iobatch_directory {
	struct directory_pool *pool;
	struct iobatch_directory *parent; /* NULL: opened by a path of its own */
	_Atomic uint32_t refs;            /* of those who use it, all together one of them */
	_Atomic uint32_t uses;            /* 0: closed */
	int fd;                           /* while there are uses */
	uint64_t device;
	uint64_t inode;

	/*
	 * Of a walk that gives directories behind their contents (walk_last.h): what is not done
	 * yet, in it, below it, and the walk's own being in it.
	 */
	struct iobatch_directory *next; /* in a list of those that are ready */
	_Atomic uint64_t pending;
	_Atomic bool incomplete; /* a part of it, or of what is below, was left out */
	bool tracked;            /* `pending` is kept */
	bool wanted;             /* is an item itself */
	bool own_use;            /* has a use of itself, for those who hold it as ready */
	uint32_t root;           /* which of the walk's */

	uint32_t path_length; /* of its path, as people see it */
	uint32_t name_length;
	char name[]; /* in its parent; of a root: the whole path */
};

/* A part of the descriptors that the process may have. */
void directory_pool_init(struct directory_pool *pool);

/*
 * Makes the node of an open directory, which has one use, the caller's. `parent`, unless NULL, is
 * referred to. On failure `fd` stays the caller's.
 */
int directory_new(struct directory_pool *pool, struct iobatch_directory *parent, int fd,
                  const char *name, size_t name_length, struct iobatch_directory **ret_directory);

void directory_ref(struct iobatch_directory *directory);
/* NULL is none. */
void directory_unref(struct iobatch_directory *directory);

/* One more use of a directory that the caller knows to be open. */
void directory_use(struct iobatch_directory *directory);
/* The same of one that may be closed: false when it is. The caller has a reference. */
bool directory_use_if_open(struct iobatch_directory *directory);
/* The last one closes it. */
void directory_unuse(struct iobatch_directory *directory);

/*
 * A use of a directory that may be closed: it is opened again if so, from the open child `child`
 * unless that is NULL, else from the nearest directory above that is open. To be called by one
 * thread only. 0, or a negative errno: -ESTALE when another directory is in its place.
 */
int directory_reopen(struct iobatch_directory *directory, const struct iobatch_directory *child);

#endif

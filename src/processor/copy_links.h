/* SPDX-License-Identifier: MIT */
/*
 * The hard links among the items of a copy: of each file that has several names, the first that
 * comes is copied and the others become links to its copy. This part knows inodes and paths;
 * neither items nor ops.
 */
#ifndef PROCESSOR_COPY_LINKS_H
#define PROCESSOR_COPY_LINKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct copy_link;

struct copy_links {
	pthread_mutex_t lock;
	struct copy_link **buckets;
	uint64_t count;
	unsigned buckets_count;
};

/* What there is to be done about a name of a file that has several. */
enum copy_link_state {
	COPY_LINK_NONE, /* it is a file like any other */
	COPY_LINK_MINE, /* copy it, then call copy_links_done() or copy_links_failed() */
	COPY_LINK_BUSY, /* another item copies it: ask again later */
	COPY_LINK_DONE, /* make a link to copy_link_path(), then call copy_links_used() */
};

int copy_links_init(struct copy_links *links);
void copy_links_deinit(struct copy_links *links);

/*
 * Asks about a file by its attributes. `always`: also when it has no other name (any more). For
 * MINE and DONE, *ret_link is to be given back by the functions below.
 */
enum copy_link_state copy_links_ask(struct copy_links *links, const struct statx *statx,
                                    bool always, struct copy_link **ret_link);

/* The copy stands at this path below the destination. */
void copy_links_done(struct copy_links *links, struct copy_link *link, const char *path,
                     uint32_t length);
/* There is no copy: the next name is copied instead. */
void copy_links_failed(struct copy_links *links, struct copy_link *link);
/* A link to the copy was made; or it was not, for reasons that have nothing to do with the copy; or
 * it could not be made: the next name is copied instead. */
void copy_links_used(struct copy_links *links, struct copy_link *link);
void copy_links_unused(struct copy_links *links, struct copy_link *link);
void copy_links_lost(struct copy_links *links, struct copy_link *link);

/* Of a link that is DONE, for as long as it was not given back. NUL-terminated. */
const char *copy_link_path(const struct copy_link *link, uint32_t *ret_length);

#endif

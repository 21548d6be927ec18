/* SPDX-License-Identifier: MIT */
/*
 * The names of the directories on the path that a walk is at. A walk leaves directories in the
 * reverse of the order in which it has entered them, so two arrays that grow and shrink at their
 * end hold everything: the bytes of the names, and the entries. What is on the current path is in
 * memory and nothing else. This part knows neither paths nor items.
 */
#ifndef SOURCE_WALK_LISTING_H
#define SOURCE_WALK_LISTING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "walk_filter.h"

/* Entries of one directory that are in memory at once, and put in order. */
#define WALK_PORTION 65536

struct walk_entry {
	size_t name;  /* where in `names` it is, NUL-terminated */
	uint64_t key; /* what it is sorted by: its number, its inode, or its size once `looked` */
	uint32_t length; /* of the name */
	uint8_t type;    /* DT_* */
	bool looked;     /* what the filter asks of its status was asked */
};

struct walk_listing {
	char *names;
	size_t names_used;
	size_t names_capacity;
	struct walk_entry *entries;
	size_t count;
	size_t capacity;
	void *buffer;   /* what the kernel writes directory entries to */
	uint32_t order; /* enum iobatch_walk_order */
	bool directories_behind;
};

/* A state to go back to: what was in the listing before a directory was read. */
struct walk_mark {
	size_t names_used;
	size_t count;
};

int walk_listing_init(struct walk_listing *listing, uint32_t order, bool directories_behind);
void walk_listing_deinit(struct walk_listing *listing);

static inline struct walk_mark walk_listing_mark(const struct walk_listing *listing)
{
	return (struct walk_mark){listing->names_used, listing->count};
}

/*
 * Appends entries of the directory `fd` that the filter wants, from where it is at: all that are
 * left, or a portion of them, and then *ret_more. *ret_position is where the rest begins. On a
 * negative errno other than -ENOMEM the entries that could be read are there, and there are no
 * more. Pointers to names and entries are invalid after the call.
 */
int walk_listing_read(struct walk_listing *listing, int fd, const struct walk_filter *filter,
                      bool *ret_more, off_t *ret_position);

/* Puts what was appended since `mark` was taken in order. */
void walk_listing_sort(struct walk_listing *listing, struct walk_mark mark);

/* Drops what was appended since `mark` was taken. */
void walk_listing_release(struct walk_listing *listing, struct walk_mark mark);

static inline const char *walk_listing_name(const struct walk_listing *listing,
                                            const struct walk_entry *entry)
{
	return listing->names + entry->name;
}

#endif

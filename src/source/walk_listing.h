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

#include "walk_filter.h"

struct walk_entry {
	size_t name;     /* where in `names` it is, NUL-terminated */
	uint32_t length; /* of the name */
	uint8_t type;    /* DT_* */
};

struct walk_listing {
	char *names;
	size_t names_used;
	size_t names_capacity;
	struct walk_entry *entries;
	size_t count;
	size_t capacity;
	void *buffer; /* what the kernel writes directory entries to */
};

/* A state to go back to: what was in the listing before a directory was read. */
struct walk_mark {
	size_t names_used;
	size_t count;
};

int walk_listing_init(struct walk_listing *listing);
void walk_listing_deinit(struct walk_listing *listing);

static inline struct walk_mark walk_listing_mark(const struct walk_listing *listing)
{
	return (struct walk_mark){listing->names_used, listing->count};
}

/*
 * Appends the entries of the directory `fd` that the filter wants, in the byte order of their
 * names. On a negative errno other than -ENOMEM the entries that could be read are there. Pointers
 * to names and entries are invalid after the call.
 */
int walk_listing_read(struct walk_listing *listing, int fd, const struct walk_filter *filter);

/* Drops what was appended since `mark` was taken. */
void walk_listing_release(struct walk_listing *listing, struct walk_mark mark);

static inline const char *walk_listing_name(const struct walk_listing *listing,
                                            const struct walk_entry *entry)
{
	return listing->names + entry->name;
}

#endif

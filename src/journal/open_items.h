/* SPDX-License-Identifier: MIT */
/*
 * Items of which a journal says that something was about to be done to them, and not yet what came
 * of it: while it is read as many as were in flight, and after the last record those that were in
 * flight when a run was cut off. They are kept in full. Which records there are is resume.c's.
 */
#ifndef JOURNAL_OPEN_ITEMS_H
#define JOURNAL_OPEN_ITEMS_H

#include "journal/set.h"

struct open_items;

struct open_item {
	struct open_item *next; /* in its bucket */
	struct set_key key;
	bool has_target; /* it is about to be renamed in its directory, and becomes: */
	struct set_key target;
	struct record record; /* of the intent, with strings of its own */
	bool seen;            /* its source has given it, and it is done again */
	bool resolved;        /* it has turned out to be done */
	char strings[];
};

int open_items_new(struct open_items **ret_items);
/* NULL is none. */
void open_items_free(struct open_items *items);

/* An intent: it takes the place of one before of the same item. 0 or -ENOMEM. */
int open_items_put(struct open_items *items, struct set_key key, const struct record *record);
/* Takes an item out, which is the caller's to be freed. NULL when it is not there. */
struct open_item *open_items_take(struct open_items *items, struct set_key key);
struct open_item *open_items_find(const struct open_items *items, struct set_key key);

uint64_t open_items_count(const struct open_items *items);
/* The first, and the one after `item`, in no order that means anything; NULL at the end. */
struct open_item *open_items_next(const struct open_items *items, const struct open_item *item);

#endif

/* SPDX-License-Identifier: MIT */
/* Items that were left open: see open_items.h. */
#include "journal/open_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u

struct open_items {
	uint64_t count;
	struct open_item *buckets[BUCKETS];
};

int open_items_new(struct open_items **ret_items)
{
	struct open_items *items = calloc(1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	*ret_items = items;
	return 0;
}

void open_items_free(struct open_items *items)
{
	if (!items)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		while (items->buckets[i]) {
			struct open_item *item = items->buckets[i];

			items->buckets[i] = item->next;
			free(item);
		}
	free(items);
}

static const char *keep(char **to, const char *from, size_t length)
{
	char *kept = *to;

	if (!from)
		return NULL;
	memcpy(kept, from, length);
	kept[length] = '\0';
	*to += length + 1;
	return kept;
}

/* The key of the file that an item becomes by being renamed in its directory. */
static bool target_of(const struct record *record, struct set_key *ret_key)
{
	char name[JOURNAL_NAME_MAX + JOURNAL_TARGET_MAX];
	const char *slash;
	size_t length;

	if (!record->own || record->place != RECORD_BESIDE)
		return false;
	slash = memrchr(record->name, '/', record->name_length);
	length = slash ? (size_t)(slash - record->name) + 1 : 0;
	memcpy(name, record->name, length);
	memcpy(name + length, record->target, record->target_length);
	*ret_key = set_key_of_name(name, length + record->target_length);
	return true;
}

static struct open_item *item_new(struct set_key key, const struct record *record)
{
	size_t op_length = strlen(record->op);
	struct open_item *item =
		malloc(sizeof(*item) + op_length + record->name_length + record->target_length + 3);
	char *to;

	if (!item)
		return NULL;
	*item = (struct open_item){.key = key, .record = *record};
	item->has_target = target_of(record, &item->target);
	to = item->strings;
	item->record.op = keep(&to, record->op, op_length);
	item->record.name = keep(&to, record->name, record->name_length);
	item->record.target = keep(&to, record->target, record->target_length);
	return item;
}

static struct open_item **place_of(struct open_items *items, struct set_key key)
{
	struct open_item **at = &items->buckets[key.low % BUCKETS];

	while (*at && ((*at)->key.low != key.low || (*at)->key.high != key.high))
		at = &(*at)->next;
	return at;
}

int open_items_put(struct open_items *items, struct set_key key, const struct record *record)
{
	struct open_item **at = place_of(items, key);
	struct open_item *before = *at, *item;
	struct record merged = *record;

	/* A rename may be made of several ops, of which only the first says to what. */
	if (before && record->own && !record->target && before->record.own &&
	    before->record.place == RECORD_BESIDE) {
		merged.place = RECORD_BESIDE;
		merged.target = before->record.target;
		merged.target_length = before->record.target_length;
	}
	item = item_new(key, &merged);
	if (!item)
		return -ENOMEM;
	item->next = before ? before->next : NULL;
	*at = item;
	items->count += !before;
	free(before);
	return 0;
}

struct open_item *open_items_take(struct open_items *items, struct set_key key)
{
	struct open_item **at = place_of(items, key);
	struct open_item *item = *at;

	if (item) {
		*at = item->next;
		items->count--;
	}
	return item;
}

struct open_item *open_items_find(const struct open_items *items, struct set_key key)
{
	return *place_of((struct open_items *)items, key);
}

uint64_t open_items_count(const struct open_items *items)
{
	return items->count;
}

struct open_item *open_items_next(const struct open_items *items, const struct open_item *item)
{
	unsigned bucket = 0;

	if (item && item->next)
		return item->next;
	if (item)
		bucket = item->key.low % BUCKETS + 1;
	while (bucket < BUCKETS && !items->buckets[bucket])
		bucket++;
	return bucket < BUCKETS ? items->buckets[bucket] : NULL;
}

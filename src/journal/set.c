/* SPDX-License-Identifier: MIT */
/*
 * The set: see set.h. It is cut into parts by the first byte of the key, and each part is a table
 * with open addressing that grows by a quarter when it is four fifths full: while one grows only
 * that small part of the memory is there twice, and on average a tenth more than is needed is
 * empty.
 */
#include "journal/set.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#define PARTS 256u
#define PART_MIN 16u

struct entry {
	struct set_key key;
	uint64_t value; /* 0 = empty */
};

struct part {
	struct entry *entries;
	uint32_t capacity;
	uint32_t count;
};

struct set {
	struct part parts[PARTS];
};

static struct set_key key_of(const char *name, size_t length, uint64_t seed)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(name, length, seed);

	return (struct set_key){hash.low64, hash.high64};
}

struct set_key set_key_of(const struct record *record)
{
	uint64_t range[3] = {record->offset, record->length, record->extra};
	uint64_t seed = 0;

	if (range[0] | range[1] | range[2])
		seed = XXH3_64bits(range, sizeof(range));
	return key_of(record->name, record->name_length, seed);
}

struct set_key set_key_of_name(const char *name, size_t length)
{
	return key_of(name, length, 0);
}

int set_new(struct set **ret_set)
{
	struct set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	*ret_set = set;
	return 0;
}

void set_free(struct set *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < PARTS; i++)
		free(set->parts[i].entries);
	free(set);
}

/* The place of a key: where it is, or where it would be put. The part has a free place. */
static struct entry *part_find(const struct part *part, struct set_key key)
{
	/* All 64 bits, not those that chose the part only. */
	uint32_t at = (uint32_t)((unsigned __int128)key.low * part->capacity >> 64);

	for (;;) {
		struct entry *entry = &part->entries[at];

		if (!entry->value || (entry->key.low == key.low && entry->key.high == key.high))
			return entry;
		if (++at == part->capacity)
			at = 0;
	}
}

static int part_grow(struct part *part)
{
	struct part larger = {.count = part->count};

	larger.capacity = part->capacity + part->capacity / 4;
	if (larger.capacity < PART_MIN)
		larger.capacity = PART_MIN;
	if (larger.capacity < part->capacity)
		return -ENOMEM;
	larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
	if (!larger.entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < part->capacity; i++)
		if (part->entries[i].value)
			*part_find(&larger, part->entries[i].key) = part->entries[i];
	free(part->entries);
	*part = larger;
	return 0;
}

int set_put(struct set *set, struct set_key key, uint64_t value, uint64_t *ret_before)
{
	struct part *part = &set->parts[key.high >> 56];
	struct entry *entry = part->capacity ? part_find(part, key) : NULL;

	if (!entry || !entry->value) {
		if (part->count >= part->capacity - part->capacity / 5) {
			int err = part_grow(part);

			if (err)
				return err;
			entry = part_find(part, key);
		}
		part->count++;
	}
	*ret_before = entry->value;
	entry->key = key;
	entry->value = value;
	return 0;
}

uint64_t set_get(const struct set *set, struct set_key key)
{
	const struct part *part = &set->parts[key.high >> 56];

	return part->capacity ? part_find(part, key)->value : 0;
}

uint64_t set_count(const struct set *set)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < PARTS; i++)
		count += set->parts[i].count;
	return count;
}

uint64_t set_size(const struct set *set)
{
	uint64_t size = sizeof(*set);

	for (unsigned i = 0; i < PARTS; i++)
		size += set->parts[i].capacity * sizeof(struct entry);
	return size;
}

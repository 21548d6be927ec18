/* SPDX-License-Identifier: MIT */
/*
 * The latest state of each item, in 24 bytes an item and some room: ten million items take less
 * than 400 MB. Items are told apart by 128 bits of XXH3 over their identity; that two share them is
 * less likely than a failure of the memory that they are in. What a value means is its user's: here
 * it is any number but 0.
 */
#ifndef JOURNAL_SET_H
#define JOURNAL_SET_H

#include "journal/record.h"

struct set;

struct set_key {
	uint64_t low;
	uint64_t high;
};

/* Of an item by the members of its record that are its identity. */
struct set_key set_key_of(const struct record *record);
/* Of another file in the directory of the item, which is there in full. */
struct set_key set_key_of_name(const char *name, size_t length);

int set_new(struct set **ret_set);
/* NULL is none. */
void set_free(struct set *set);

/* Gives an item a value; *ret_before is the one that it had, 0 = none. 0 or -ENOMEM. */
int set_put(struct set *set, struct set_key key, uint64_t value, uint64_t *ret_before);
/* 0 = none. */
uint64_t set_get(const struct set *set, struct set_key key);

uint64_t set_count(const struct set *set);
/* Bytes that it takes. */
uint64_t set_size(const struct set *set);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a mapping of a job may hold: a table of keys. One row says how a key is called, what kind of
 * value it has, in which range, and which member of a struct the value fills. The schema that
 * libcyaml loads by (schema.c) and the conversion of what was loaded (values.c) both come from it,
 * so that a new key is one row.
 */
#ifndef JOB_KEYS_H
#define JOB_KEYS_H

#include <iobatch.h>

enum key_kind {
	KEY_TEXT,      /* const char *: any bytes, at least one */
	KEY_TEXTS,     /* const char *const *: a list of them, ended by NULL */
	KEY_WORD,      /* one of the words */
	KEY_WORDS,     /* a list of words, combined */
	KEY_BIT,       /* one of the words, added to the bits that are there */
	KEY_CHARACTER, /* char: one byte, or \t */
	KEY_COUNT,
	KEY_MS,      /* a count of milliseconds */
	KEY_SIZE,    /* bytes, with a unit */
	KEY_PAGES,   /* bytes, with a unit, a multiple of 4096 */
	KEY_OR_AUTO, /* a count or "auto", which is 0 */
	KEY_FACTOR,  /* a number such as 1.5, as so many percent */
	KEY_AGE,     /* a duration such as 7d: milliseconds */
	KEY_TIME,    /* a time of day and year, or "now" or "keep": int64_t, see number.h */
	KEY_USER,    /* a user's name or number */
	KEY_GROUP,   /* a group's name or number */
	KEY_ERRORS,  /* a list of words; fills nothing by itself */
	KEY_MAPPING, /* `keys`; fills nothing by itself */
	KEY_STEPS,   /* a list of steps; fills nothing by itself */
};

struct key {
	const char *name; /* NULL ends the table */
	enum key_kind kind;
	bool required;
	size_t offset; /* of the member in the struct that is filled */
	size_t size;   /* of the member */
	uint64_t min;  /* of numbers */
	uint64_t max;  /* of numbers; fits the member */
	const struct iobatch_word *words;
	const struct key *keys; /* of a mapping */
};

/* The most keys that a mapping has. */
#define KEYS_MAX 32u

#define KEY_MEMBER(type, member) \
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

/* A key that is called as the member, or otherwise; a text that must be there; numbers; words. */
#define KEY_AS(name_, kind_, type, member)                             \
	{                                                              \
		.name = name_, .kind = kind_, KEY_MEMBER(type, member) \
	}
#define KEY(kind_, type, member) KEY_AS(#member, kind_, type, member)
#define KEY_REQUIRED(type, member)                                                            \
	{                                                                                     \
		.name = #member, .kind = KEY_TEXT, .required = true, KEY_MEMBER(type, member) \
	}
#define KEY_NUMBER_AS(name_, kind_, type, member, min_, max_)                          \
	{                                                                              \
		.name = name_, .kind = kind_, KEY_MEMBER(type, member), .min = (min_), \
		.max = (max_)                                                          \
	}
#define KEY_NUMBER(kind_, type, member, min_, max_) \
	KEY_NUMBER_AS(#member, kind_, type, member, min_, max_)
#define KEY_WORD_AS(name_, kind_, type, member, words_)                                   \
	{                                                                                 \
		.name = name_, .kind = kind_, KEY_MEMBER(type, member), .words = (words_) \
	}
#define KEY_FROM(kind_, type, member, words_) KEY_WORD_AS(#member, kind_, type, member, words_)
#define KEY_BOOLEAN(type, member) KEY_WORD_AS(#member, KEY_WORD, type, member, keys_booleans)

/* Words that more than one table has: false, true, no and yes; and the other way round. */
extern const struct iobatch_word keys_booleans[];
extern const struct iobatch_word keys_not[];

#endif

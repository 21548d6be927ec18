/* SPDX-License-Identifier: MIT */
/* Values of a mapping to members of a struct: see values.h. */
#include "job/values.h"

#include "job/number.h"
#include "job/owner.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/tree.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static bool is_size(enum key_kind kind)
{
	return kind == KEY_SIZE || kind == KEY_PAGES;
}

/* Sizes that are a whole number of a unit are said with it: "16MiB". */
static void format_bound(enum key_kind kind, uint64_t bound, char *buffer, size_t length)
{
	static const char units[][4] = {"", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;

	if (kind == KEY_FACTOR) {
		snprintf(buffer, length, "%g", (double)bound / 100);
		return;
	}
	while (is_size(kind) && bound && bound % 1024 == 0 &&
	       unit + 1 < sizeof(units) / sizeof(units[0])) {
		bound /= 1024;
		unit++;
	}
	snprintf(buffer, length, "%" PRIu64 "%s", bound, units[unit]);
}

static int refuse_number(struct report *report, const char *path, const struct key *key,
                         const char *text)
{
	const char *what = "";
	char min[32], max[32];

	format_bound(key->kind, key->min, min, sizeof(min));
	format_bound(key->kind, key->max, max, sizeof(max));
	if (key->kind == KEY_SIZE)
		what = "a size such as 64KiB, from ";
	else if (key->kind == KEY_PAGES)
		what = "a multiple of 4096 bytes such as 64KiB, from ";
	else if (key->kind == KEY_MS)
		what = "a number of milliseconds, ";
	else if (key->kind == KEY_OR_AUTO)
		what = "auto or ";
	else if (key->kind == KEY_FACTOR)
		what = "a number with at most two places, ";
	if (key->max >= INT64_MAX)
		return report_error(report, path, "must be %s%s or more, not %s",
		                    is_size(key->kind) ? "a size such as 64KiB or 10kB, "
		                                       : "a count of ",
		                    min, text);
	return report_error(report, path, "must be %s%s to %s, not %s", what, min, max, text);
}

/* All other texts that are not what they should be; the remedy is an example. */
static int refuse(struct report *report, const char *path, const struct key *key, int err,
                  const char *text)
{
	switch (key->kind) {
	case KEY_AGE:
		return report_error(
			report, path,
			"must be a time with its unit such as 7d (s, m, h, d, w), not %s", text);
	case KEY_TIME:
		return report_error(report, path,
		                    "must be now, keep, @SECONDS or a time such as "
		                    "2026-01-31T12:00:00Z, not %s",
		                    text);
	case KEY_USER:
	case KEY_GROUP:
		if (err == -ENOENT)
			return report_error(
				report, path,
				"there is no %s %s on this machine; a number is taken as "
				"it is",
				key->kind == KEY_USER ? "user" : "group", text);
		return report_error(report, path,
		                    "must be a name or a number below 4294967295, not %s", text);
	case KEY_CHARACTER:
		return report_error(report, path, "must be one byte, or \\t for a tab, not %s",
		                    text);
	default:
		return refuse_number(report, path, key, text);
	}
}

static int parse_number(const struct key *key, const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	int err;

	if (key->kind == KEY_OR_AUTO && !strcmp(text, "auto")) {
		*ret_value = 0;
		return 0;
	}
	if (key->kind == KEY_FACTOR)
		err = number_parse_factor(text, &value);
	else
		err = is_size(key->kind) ? number_parse_size(text, &value)
		                         : number_parse_count(text, &value);
	if (!err && (value < key->min || value > key->max))
		err = -ERANGE;
	if (!err && key->kind == KEY_PAGES && value % PAGE)
		err = -EINVAL;
	if (!err)
		*ret_value = value;
	return err;
}

static int parse(const struct key *key, const char *text, uint64_t *ret_value)
{
	int64_t time_ns = 0;
	int err;

	switch (key->kind) {
	case KEY_AGE:
		return number_parse_age(text, ret_value);
	case KEY_TIME:
		err = number_parse_time(text, &time_ns);
		*ret_value = (uint64_t)time_ns;
		return err;
	case KEY_USER:
		return owner_find_user(text, ret_value);
	case KEY_GROUP:
		return owner_find_group(text, ret_value);
	case KEY_CHARACTER:
		if (strcmp(text, "\\t") && strlen(text) != 1)
			return -EINVAL;
		*ret_value = (uint64_t)(unsigned char)(text[1] ? '\t' : text[0]);
		return 0;
	default:
		return parse_number(key, text, ret_value);
	}
}

/* Members are little numbers of the machine's own byte order. */
static void store(const struct key *key, void *target, uint64_t value)
{
	char *member = (char *)target + key->offset;

	if (key->size == sizeof(uint64_t)) {
		memcpy(member, &value, sizeof(value));
	} else if (key->size == sizeof(uint32_t)) {
		uint32_t narrow = (uint32_t)value;

		assert(value <= UINT32_MAX);
		if (key->kind == KEY_BIT) {
			uint32_t bits;

			memcpy(&bits, member, sizeof(bits));
			narrow |= bits;
		}
		memcpy(member, &narrow, sizeof(narrow));
	} else {
		assert(key->size == 1 && value <= UINT8_MAX);
		*member = (char)value;
	}
}

const char *values_text(const struct report *report, const char *path)
{
	const struct tree_node *node = tree_find(report->root, path, NULL);

	assert(node && node->kind == TREE_SCALAR);
	return node->value;
}

static void store_pointer(const struct key *key, void *target, const void *pointer)
{
	assert(key->size == sizeof(pointer));
	memcpy((char *)target + key->offset, &pointer, sizeof(pointer));
}

/* The entries of the list at `path`, ended by NULL. A list without entries is none. */
static int convert_texts(struct report *report, const char *path, const struct key *key,
                         void *target, struct lists *lists)
{
	const struct tree_node *node = tree_find(report->root, path, NULL);
	const char ***grown, **list;

	if (!node->count)
		return 0;
	grown = reallocarray(lists->lists, lists->count + 1u, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	lists->lists = grown;
	list = calloc(node->count + 1u, sizeof(*list));
	if (!list)
		return -ENOMEM;
	lists->lists[lists->count++] = list;
	for (unsigned i = 0; i < node->count; i++)
		list[i] = node->children[i]->value;
	store_pointer(key, target, list);
	return 0;
}

static int convert_one(struct report *report, const char *path, const struct key *key,
                       const struct raw_value *raw, void *target, struct lists *lists)
{
	uint64_t value = 0;
	const char *text;
	int err;

	switch (key->kind) {
	case KEY_ERRORS:
	case KEY_MAPPING:
	case KEY_STEPS:
		return 0;
	case KEY_WORD:
	case KEY_WORDS:
	case KEY_BIT:
		store(key, target, *raw->bits);
		return 0;
	case KEY_TEXT:
		store_pointer(key, target, values_text(report, path));
		return 0;
	case KEY_TEXTS:
		return convert_texts(report, path, key, target, lists);
	default:
		break;
	}
	text = values_text(report, path);
	err = parse(key, text, &value);
	if (err == -ENOMEM)
		return err;
	if (err)
		return refuse(report, path, key, err, text);
	store(key, target, value);
	return 0;
}

int values_convert(struct report *report, const char *path, const struct key *keys,
                   const struct raw_mapping *raw, void *target, struct lists *lists)
{
	for (unsigned i = 0; keys[i].name; i++) {
		char *whole;
		int err;

		if (!raw->values[i].any)
			continue;
		if (asprintf(&whole, "%s.%s", path, keys[i].name) < 0)
			return -ENOMEM;
		err = convert_one(report, whole, &keys[i], &raw->values[i], target, lists);
		free(whole);
		if (err)
			return err;
	}
	return 0;
}

void lists_free(struct lists *lists)
{
	for (unsigned i = 0; i < lists->count; i++)
		free(lists->lists[i]);
	free(lists->lists);
}

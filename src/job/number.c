/* SPDX-License-Identifier: MIT */
/*
 * Strict numbers: see number.h. strtoull() is not used, because it takes signs and spaces and
 * wraps negative numbers.
 */
#include "job/number.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"", 1},
	{"B", 1},
	{"K", 1ull << 10},
	{"KiB", 1ull << 10},
	{"M", 1ull << 20},
	{"MiB", 1ull << 20},
	{"G", 1ull << 30},
	{"GiB", 1ull << 30},
	{"T", 1ull << 40},
	{"TiB", 1ull << 40},
	{"kB", 1000ull},
	{"MB", 1000ull * 1000},
	{"GB", 1000ull * 1000 * 1000},
	{"TB", 1000ull * 1000 * 1000 * 1000},
	{NULL, 0},
};

static const struct unit duration_units[] = {
	{"ns", 1}, {"us", 1000}, {"ms", 1000 * 1000}, {"s", 1000 * 1000 * 1000}, {NULL, 0},
};

static const struct unit age_units[] = {
	{"s", 1000},
	{"m", 60 * 1000},
	{"h", 3600 * 1000},
	{"d", 24 * 3600 * 1000},
	{"w", 7 * 24 * 3600 * 1000},
	{NULL, 0},
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* Reads the digits of `base` at the beginning of `text`, of which there must be one at least. */
static int parse_digits(const char *text, unsigned base, uint64_t *ret_value, const char **ret_rest)
{
	const char *at = text;
	uint64_t value = 0;

	for (; *at >= '0' && *at < (char)('0' + base); at++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	}
	if (at == text)
		return -EINVAL;
	*ret_value = value;
	*ret_rest = at;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *ret_value)
{
	const char *rest;
	uint64_t value;
	int err = parse_digits(text, 10, &value, &rest);

	if (err)
		return err;
	for (; units->name; units++) {
		if (strcmp(rest, units->name))
			continue;
		if (__builtin_mul_overflow(value, units->factor, &value))
			return -ERANGE;
		*ret_value = value;
		return 0;
	}
	return -EINVAL;
}

int number_parse_count(const char *text, uint64_t *ret_count)
{
	return parse_with_unit(text, no_units, ret_count);
}

int number_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, ret_bytes);
}

int number_parse_duration(const char *text, uint64_t *ret_duration_ns)
{
	if (!strcmp(text, "0")) {
		*ret_duration_ns = 0;
		return 0;
	}
	return parse_with_unit(text, duration_units, ret_duration_ns);
}

int number_parse_age(const char *text, uint64_t *ret_age_ms)
{
	if (!strcmp(text, "0")) {
		*ret_age_ms = 0;
		return 0;
	}
	return parse_with_unit(text, age_units, ret_age_ms);
}

int number_parse_mode(const char *text, uint64_t *ret_mode)
{
	const char *rest;
	uint64_t mode;
	int err = parse_digits(text, 8, &mode, &rest);

	if (err)
		return err;
	if (*rest)
		return -EINVAL;
	if (mode > 07777)
		return -ERANGE;
	*ret_mode = mode;
	return 0;
}

int number_parse_factor(const char *text, uint64_t *ret_percent)
{
	uint64_t whole = 0, places = 0;
	const char *rest;
	int err = parse_digits(text, 10, &whole, &rest);

	if (!err && *rest == '.') {
		const char *first = rest + 1;

		err = parse_digits(first, 10, &places, &rest);
		if (!err && rest - first > 2)
			return -EINVAL;
		if (!err && rest - first == 1)
			places *= 10;
	}
	if (err)
		return err;
	if (*rest)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, (uint64_t)100, &whole) ||
	    __builtin_add_overflow(whole, places, &whole))
		return -ERANGE;
	*ret_percent = whole;
	return 0;
}

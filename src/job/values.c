/* SPDX-License-Identifier: MIT */
/* Texts to numbers by rules: see values.h. */
#include "job/values.h"

#include "job/number.h"
#include "job/report.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static bool is_size(enum value_kind kind)
{
	return kind == VALUE_SIZE || kind == VALUE_PAGES;
}

static int parse(const struct value_rule *rule, const char *text, uint64_t *ret_value)
{
	if (rule->kind == VALUE_OR_AUTO && !strcmp(text, "auto")) {
		*ret_value = 0;
		return 0;
	}
	if (is_size(rule->kind))
		return number_parse_size(text, ret_value);
	return number_parse_count(text, ret_value);
}

/* Sizes that are a whole number of a unit are said with it: "16MiB". */
static void format_bound(enum value_kind kind, uint64_t bound, char *buffer, size_t length)
{
	static const char units[][4] = {"", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;

	while (is_size(kind) && bound && bound % 1024 == 0 &&
	       unit + 1 < sizeof(units) / sizeof(units[0])) {
		bound /= 1024;
		unit++;
	}
	snprintf(buffer, length, "%" PRIu64 "%s", bound, units[unit]);
}

static int refuse(struct report *report, const char *path, const struct value_rule *rule,
                  const char *text)
{
	const char *what = "";
	char min[32], max[32];

	format_bound(rule->kind, rule->min, min, sizeof(min));
	format_bound(rule->kind, rule->max, max, sizeof(max));
	if (rule->kind == VALUE_SIZE)
		what = "a size such as 64KiB, from ";
	else if (rule->kind == VALUE_PAGES)
		what = "a multiple of 4096 bytes such as 64KiB, from ";
	else if (rule->kind == VALUE_MS)
		what = "a number of milliseconds, ";
	else if (rule->kind == VALUE_OR_AUTO)
		what = "auto or ";
	if (rule->max == UINT64_MAX)
		return report_error(report, path, "must be %s%s or more, not %s",
		                    is_size(rule->kind) ? "a size such as 64KiB or 10kB, "
		                                        : "a count of ",
		                    min, text);
	return report_error(report, path, "must be %s%s to %s, not %s", what, min, max, text);
}

static int convert_one(struct report *report, const char *path, const struct value_rule *rule,
                       const char *text, void *target)
{
	uint64_t value;
	int err = parse(rule, text, &value);

	if (err)
		return refuse(report, path, rule, text);
	if (rule->kind != VALUE_OR_AUTO || strcmp(text, "auto")) {
		if (value < rule->min || value > rule->max)
			return refuse(report, path, rule, text);
	}
	if (rule->kind == VALUE_PAGES && value % PAGE)
		return refuse(report, path, rule, text);
	if (rule->size == sizeof(uint64_t)) {
		memcpy(target, &value, sizeof(value));
	} else {
		uint32_t narrow = (uint32_t)value;

		assert(rule->size == sizeof(narrow) && value <= UINT32_MAX);
		memcpy(target, &narrow, sizeof(narrow));
	}
	return 0;
}

int values_convert(struct report *report, const char *path, const struct value_rule *rules,
                   const void *texts, void *target)
{
	for (const struct value_rule *rule = rules; rule->key; rule++) {
		char *text, *whole;
		int err;

		memcpy(&text, (const char *)texts + rule->text, sizeof(text));
		if (!text)
			continue;
		if (asprintf(&whole, "%s.%s", path, rule->key) < 0)
			return -ENOMEM;
		err = convert_one(report, whole, rule, text, (char *)target + rule->target);
		free(whole);
		if (err)
			return err;
	}
	return 0;
}

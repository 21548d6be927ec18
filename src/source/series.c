/* SPDX-License-Identifier: MIT */
/*
 * Names that are made of a number, for files that are to be made. The template is taken apart when
 * the source is opened: what stands between the numbers, and how wide they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/abi.h"
#include "source.h"

/* Of a number. */
#define WIDTH_MAX 255

struct piece {
	const char *text; /* what stands before the number */
	size_t length;
	bool is_number; /* there is a number behind it */
	int width;
};

struct series {
	struct iobatch_source source;
	uint64_t next;
	size_t count;
	struct piece pieces[];
};

/* Takes the braces at `at` apart: returns what is behind them, or NULL when they are none. */
static const char *parse_number(const char *at, int *ret_width)
{
	static const char name[] = "{index";
	int width = 0;

	if (strncmp(at, name, strlen(name)))
		return NULL;
	at += strlen(name);
	if (*at == ':') {
		at++;
		if (*at < '0' || *at > '9')
			return NULL;
		for (; *at >= '0' && *at <= '9'; at++)
			if ((width = 10 * width + *at - '0') > WIDTH_MAX)
				return NULL;
	}
	if (*at != '}')
		return NULL;
	*ret_width = width;
	return at + 1;
}

/*
 * Cuts a template into pieces; "{{" and "}}" are braces. The text of the pieces is put into `text`.
 * -EINVAL when there are other braces.
 */
static int parse(struct series *series, const char *at, char *text)
{
	struct piece *piece = &series->pieces[0];

	piece->text = text;
	for (;;) {
		if (!*at) {
			series->count = (size_t)(piece - series->pieces) + 1;
			return 0;
		}
		if ((at[0] == '{' || at[0] == '}') && at[1] == at[0]) {
			*text++ = *at;
			at += 2;
			piece->length++;
		} else if (*at == '{') {
			at = parse_number(at, &piece->width);
			if (!at)
				return -EINVAL;
			piece->is_number = true;
			piece++;
			piece->text = text;
		} else if (*at == '}') {
			return -EINVAL;
		} else {
			*text++ = *at++;
			piece->length++;
		}
	}
}

/* The longest path of the series, with the number `last` in it. */
static size_t longest(const struct series *series, uint64_t last)
{
	int digits = snprintf(NULL, 0, "%" PRIu64, last);
	size_t length = 0;

	for (size_t i = 0; i < series->count; i++) {
		const struct piece *piece = &series->pieces[i];

		length += piece->length;
		if (piece->is_number)
			length += (size_t)(piece->width > digits ? piece->width : digits);
	}
	return length;
}

static bool has_number(const struct series *series)
{
	return series->count > 1;
}

static int series_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct series *series = (struct series *)source;
	char path[IOBATCH_PATH_MAX];
	size_t used = 0;

	if (series->next == source->count)
		return 0;
	for (size_t i = 0; i < series->count; i++) {
		const struct piece *piece = &series->pieces[i];

		memcpy(path + used, piece->text, piece->length);
		used += piece->length;
		if (piece->is_number)
			used += (size_t)snprintf(path + used, sizeof(path) - used, "%0*" PRIu64,
			                         piece->width, series->next);
	}
	series->next++;
	source_fill(file, path, used);
	return 1;
}

static void series_free(struct iobatch_source *source)
{
	free(source);
}

static const struct source_kind series_kind = {.next = series_next, .free = series_free};

int iobatch_source_series(const struct iobatch_series_options *given,
                          struct iobatch_source **ret_source)
{
	struct iobatch_series_options options = IOBATCH_SERIES_OPTIONS_INIT;
	struct series *series;
	size_t pieces = 1;
	size_t length;
	int rc;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options.path || !*options.path || options.count == IOBATCH_UNKNOWN)
		return -EINVAL;
	length = strlen(options.path);
	if (length >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	for (const char *at = options.path; *at; at++)
		pieces += *at == '{';
	series = calloc(1, sizeof(*series) + pieces * sizeof(struct piece) + length + 1);
	if (!series)
		return -ENOMEM;
	source_init(&series->source, &series_kind, options.count);
	rc = parse(series, options.path, (char *)&series->pieces[pieces]);
	/* Without a number in it all names would be the same. */
	if (!rc && options.count > 1 && !has_number(series))
		rc = -EINVAL;
	if (!rc && options.count && longest(series, options.count - 1) >= IOBATCH_PATH_MAX)
		rc = -ENAMETOOLONG;
	if (rc)
		iobatch_source_free(&series->source);
	else
		*ret_source = &series->source;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Path patterns, cut into their components when they are taken. */
#include "walk_pattern.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* No component is longer than NAME_MAX where a file system says so; all are cut here. */
#define COMPONENT_MAX 4096

struct walk_pattern {
	struct walk_pattern *next;
	unsigned count;
	char *parts[]; /* NULL: any number of components */
};

static unsigned count_parts(const char *text)
{
	unsigned count = 0;

	for (const char *at = text; *at;) {
		size_t length = strcspn(at, "/");

		count += length > 0;
		at += length + (at[length] == '/');
	}
	return count;
}

static struct walk_pattern *pattern_new(const char *text)
{
	unsigned count = count_parts(text);
	struct walk_pattern *pattern =
		malloc(sizeof(*pattern) + count * sizeof(char *) + strlen(text) + 1);
	char *copy;

	if (!pattern)
		return NULL;
	*pattern = (struct walk_pattern){.count = 0};
	copy = (char *)(pattern->parts + count);
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, "/");

		if (length) {
			memcpy(copy, at, length);
			copy[length] = '\0';
			pattern->parts[pattern->count++] = strcmp(copy, "**") ? copy : NULL;
			copy += length + 1;
		}
		at += length + (at[length] == '/');
	}
	return pattern;
}

int walk_patterns_new(const char *const *patterns, struct walk_pattern **ret_patterns)
{
	struct walk_pattern *first = NULL;

	for (; patterns && *patterns; patterns++) {
		struct walk_pattern *pattern = pattern_new(*patterns);

		if (!pattern) {
			walk_patterns_free(first);
			return -ENOMEM;
		}
		pattern->next = first;
		first = pattern;
	}
	*ret_patterns = first;
	return 0;
}

void walk_patterns_free(struct walk_pattern *patterns)
{
	while (patterns) {
		struct walk_pattern *next = patterns->next;

		free(patterns);
		patterns = next;
	}
}

static const char *next_component(const char *at)
{
	at += strcspn(at, "/");
	return *at ? at + 1 : at;
}

static bool component_matches(const char *part, const char *at)
{
	char name[COMPONENT_MAX];
	size_t length = strcspn(at, "/");

	if (length >= sizeof(name))
		return false;
	memcpy(name, at, length);
	name[length] = '\0';
	return !fnmatch(part, name, 0);
}

/* When all is tried behind a **, only the last one of them need be given more. */
static bool pattern_matches(const struct walk_pattern *pattern, const char *path)
{
	const char *at = path;
	unsigned part = 0;
	const char *many_at = NULL; /* where what is behind the last ** was tried last */
	unsigned many_part = 0;

	while (*at) {
		if (part < pattern->count && !pattern->parts[part]) {
			many_part = ++part;
			many_at = at;
		} else if (part < pattern->count && component_matches(pattern->parts[part], at)) {
			part++;
			at = next_component(at);
		} else if (many_at) {
			many_at = next_component(many_at);
			at = many_at;
			part = many_part;
		} else {
			return false;
		}
	}
	return part == pattern->count && part > 0;
}

bool walk_patterns_match(const struct walk_pattern *patterns, const char *path)
{
	for (; patterns; patterns = patterns->next)
		if (pattern_matches(patterns, path))
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT */
/* Bytes as characters and back: see bytes.h. */
#include "job/bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The character at `at`, and how many bytes it has; 0 when there is none. */
static size_t decode(const unsigned char *at, uint32_t *ret_character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = *at < 0x80       ? 1
	                : *at >> 5 == 6  ? 2
	                : *at >> 4 == 14 ? 3
	                : *at >> 3 == 30 ? 4
	                                 : 0;
	uint32_t character;

	if (!length)
		return 0;
	character = length == 1 ? *at : *at & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		/* The NUL at the end is no such byte either. */
		if (at[i] >> 6 != 2)
			return 0;
		character = character << 6 | (at[i] & 0x3f);
	}
	if (character < least[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret_character = character;
	return length;
}

bool bytes_are_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		uint32_t character;
		size_t length = decode(at, &character);

		if (!length)
			return false;
		at += length;
	}
	return true;
}

char *bytes_to_characters(const char *text)
{
	char *characters = malloc(2 * strlen(text) + 1), *to = characters;

	if (!characters)
		return NULL;
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= 0x80)
			*to++ = (char)(0xc0 | byte >> 6);
		*to++ = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
	}
	*to = '\0';
	return characters;
}

int bytes_from_characters(const char *text, char **ret_bytes)
{
	const unsigned char *at = (const unsigned char *)text;
	char *bytes = malloc(strlen(text) + 1), *to = bytes;

	if (!bytes)
		return -ENOMEM;
	while (*at) {
		uint32_t character = UINT32_MAX;
		size_t length = decode(at, &character);

		if (!length || character > 0xff) {
			free(bytes);
			return -EINVAL;
		}
		*to++ = (char)character;
		at += length;
	}
	*to = '\0';
	*ret_bytes = bytes;
	return 0;
}

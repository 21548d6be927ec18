/* SPDX-License-Identifier: MIT */
/* Bytes as text: see escape.h. */
#include "cli/escape.h"

#include "text/character.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool escape_is_text(const char *bytes, size_t length)
{
	for (size_t at = 0, size; at < length; at += size) {
		size = character_length((const unsigned char *)bytes + at, length - at);
		if (!size)
			return false;
	}
	return true;
}

char *escape_text(const char *bytes, size_t length)
{
	char *text = length < SIZE_MAX / 4 ? malloc(length * 4 + 1) : NULL;
	char *to = text;

	if (!text)
		return NULL;
	for (size_t at = 0; at < length;) {
		size_t size = character_length((const unsigned char *)bytes + at, length - at);

		if (size) {
			memcpy(to, bytes + at, size);
			to += size;
			at += size;
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)bytes[at]);
			at++;
		}
	}
	*to = '\0';
	return text;
}

char *escape_base64(const char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)bytes;
	char *text = length < SIZE_MAX / 2 ? malloc((length + 2) / 3 * 4 + 1) : NULL;
	char *to = text;

	if (!text)
		return NULL;
	for (size_t at = 0; at < length; at += 3) {
		uint32_t group = (uint32_t)from[at] << 16;

		if (at + 1 < length)
			group |= (uint32_t)from[at + 1] << 8;
		if (at + 2 < length)
			group |= from[at + 2];
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = at + 1 < length ? digits[group >> 6 & 63] : '=';
		*to++ = at + 2 < length ? digits[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

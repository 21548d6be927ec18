/* SPDX-License-Identifier: MIT */
/* Bytes as text: see escape.h. */
#include "cli/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The length of the character at `bytes`, or 0 when it must be escaped: it is no valid UTF-8
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF), or a control character.
 */
static size_t text_character(const unsigned char *bytes, size_t length)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t character;
	size_t size;

	if (bytes[0] < 0x80)
		return bytes[0] >= 0x20 && bytes[0] != 0x7f;
	if ((bytes[0] & 0xe0) == 0xc0)
		size = 2;
	else if ((bytes[0] & 0xf0) == 0xe0)
		size = 3;
	else if ((bytes[0] & 0xf8) == 0xf0)
		size = 4;
	else
		return 0;
	if (size > length)
		return 0;
	character = bytes[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3fu);
	}
	if (character < smallest[size] || character > 0x10ffff)
		return 0;
	if (character >= 0xd800 && character <= 0xdfff)
		return 0;
	/* C1 controls, and the separators that some terminals take for a new line. */
	if (character < 0xa0 || character == 0x2028 || character == 0x2029)
		return 0;
	return size;
}

bool escape_is_text(const char *bytes, size_t length)
{
	for (size_t at = 0, size; at < length; at += size) {
		size = text_character((const unsigned char *)bytes + at, length - at);
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
		size_t size = text_character((const unsigned char *)bytes + at, length - at);

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

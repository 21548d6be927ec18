/* SPDX-License-Identifier: MIT */
/*
 * Owns how bytes are shown that are no text: see text.h. It keeps no state, and writes where the
 * caller has said that there is room.
 */
#include "processor/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text/character.h"

/* The longest value that text_add() formats. */
#define VALUE_MAX 128

bool text_is_plain(const char *bytes, size_t length)
{
	for (size_t at = 0, size; at < length; at += size) {
		size = character_length((const unsigned char *)bytes + at, length - at);
		if (!size)
			return false;
	}
	return true;
}

static char *put_hex(char *to, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = 'x';
	*to++ = digits[byte >> 4];
	*to++ = digits[byte & 15];
	return to;
}

char *text_put_escaped(char *to, const char *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t size = character_length((const unsigned char *)bytes + at, length - at);

		if (!size) {
			to = put_hex(to, (unsigned char)bytes[at++]);
			continue;
		}
		memcpy(to, bytes + at, size);
		to += size;
		at += size;
	}
	return to;
}

/* RFC 4648, with padding. */
static char *put_base64(char *to, const char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)bytes;

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
	return to;
}

/* ------------------------------------------------------------- objects -- */

static char *put(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

static void put_key(struct text_object *object, const char *key, const char *suffix)
{
	object->at = put(object->at, object->at == object->start + 1 ? "\"" : ", \"");
	object->at = put(put(object->at, key), suffix);
	object->at = put(object->at, "\": ");
}

/* The inside of a string of JSON: what is escaped already may have backslashes, which are escaped
 * again. */
static char *put_string(char *to, const char *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t size = character_length((const unsigned char *)bytes + at, length - at);

		if (!size) {
			*to++ = '\\';
			to = put_hex(to, (unsigned char)bytes[at++]);
			continue;
		}
		if (bytes[at] == '"' || bytes[at] == '\\')
			*to++ = '\\';
		memcpy(to, bytes + at, size);
		to += size;
		at += size;
	}
	return to;
}

void text_object_begin(struct text_object *object, char *memory)
{
	object->start = object->at = memory;
	*object->at++ = '{';
}

size_t text_object_end(struct text_object *object)
{
	object->at = put(object->at, "}\n");
	return (size_t)(object->at - object->start);
}

void text_add_bytes(struct text_object *object, const char *key, const char *bytes, size_t length)
{
	put_key(object, key, "");
	*object->at++ = '"';
	object->at = put_string(object->at, bytes, length);
	*object->at++ = '"';
	if (text_is_plain(bytes, length))
		return;
	put_key(object, key, "_base64");
	*object->at++ = '"';
	object->at = put_base64(object->at, bytes, length);
	*object->at++ = '"';
}

void text_add(struct text_object *object, const char *key, const char *format, ...)
{
	char value[VALUE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	put_key(object, key, "");
	object->at = put(object->at, value);
}

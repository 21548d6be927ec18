/* SPDX-License-Identifier: MIT */
/*
 * Names are bytes; JSON and terminals want text. This part says which bytes are text, and writes
 * the others in a way that is.
 */
#ifndef PROCESSOR_TEXT_H
#define PROCESSOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Are all bytes valid UTF-8 without control characters? */
bool text_is_plain(const char *bytes, size_t length);

/*
 * Writes the bytes with each that is no text as \xNN, without a NUL: at most TEXT_ESCAPED_MAX
 * bytes. Returns the place behind it.
 */
char *text_put_escaped(char *to, const char *bytes, size_t length);
#define TEXT_ESCAPED_MAX(length) (4 * (length))

/* ------------------------------------------------------------- objects -- */

/* An object of JSON on one line, in memory of the caller's. */
struct text_object {
	char *at;
	char *start;
};

/* What an object takes besides its members: braces, newline. */
#define TEXT_OBJECT_MAX 3u

void text_object_begin(struct text_object *object, char *memory);
/* Ends the line; returns its length. */
size_t text_object_end(struct text_object *object);

/*
 * Adds a member whose value is these bytes. Those that are no text are escaped as above, and
 * another member KEY_base64 has them all as they are. Takes at most TEXT_BYTES_MAX bytes.
 */
void text_add_bytes(struct text_object *object, const char *key, const char *bytes, size_t length);
#define TEXT_BYTES_MAX(key_length, length) \
	(2 * (key_length) + 32 + TEXT_ESCAPED_MAX(length) + (length) + (length) + (length) / 3 + 4)

/* Adds a member whose value stands in JSON already. */
__attribute__((format(printf, 3, 4))) void text_add(struct text_object *object, const char *key,
                                                    const char *format, ...);

#endif

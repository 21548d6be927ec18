/* SPDX-License-Identifier: MIT */
/*
 * Names are bytes, and YAML is text. A text that is not UTF-8 stands in a document with the tag
 * `!bytes`, each of its bytes as the character of that number: `!bytes "caf\xe9"`. This part turns
 * one into the other, and knows nothing of documents.
 */
#ifndef JOB_BYTES_H
#define JOB_BYTES_H

#include <stdbool.h>
#include <stddef.h>

/* Is it UTF-8 of characters that exist, which YAML holds as it is? */
bool bytes_are_utf8(const char *text);

/* UTF-8 in which each byte of `text` is a character, to be freed; NULL without memory. */
char *bytes_to_characters(const char *text);

/*
 * The bytes that such a text stands for, to be freed. -EINVAL: a character above U+00FF, or none
 * at all, is in it.
 */
int bytes_from_characters(const char *text, char **ret_bytes);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Names are bytes; terminals and JSON want text. This part says which bytes are text, and shows
 * those that are not as \xNN. It keeps no state.
 */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all bytes are valid UTF-8 without control characters, and so shown as they are. */
bool escape_is_text(const char *bytes, size_t length);

/*
 * A copy with each byte of a control character or of invalid UTF-8 as \xNN; to be freed. NULL
 * without memory.
 */
char *escape_text(const char *bytes, size_t length);

/* Base64 of RFC 4648 with padding; to be freed. NULL without memory. */
char *escape_base64(const char *bytes, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a line of a manifest says. This part knows bytes: the forms of sha256sum, b2sum, xxhsum and
 * this library; neither where lines come from nor what becomes of them.
 */
#ifndef SOURCE_MANIFEST_LINE_H
#define SOURCE_MANIFEST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iobatch.h>

#define MANIFEST_DIGEST_MAX 64u

struct manifest_line {
	unsigned algorithm; /* enum iobatch_hash_algorithm */
	size_t digest_size;
	uint8_t digest[MANIFEST_DIGEST_MAX];
	const char *name; /* in the line, unescaped there; not NUL-terminated */
	size_t name_length;
};

/* Is there nothing in the line to be read? Without its newline. */
bool manifest_line_is_empty(const char *line, size_t length);

/*
 * Reads a line, without its newline, and may change it: names are unescaped in place. `algorithm`
 * is that of lines that do not say, IOBATCH_HASH_COUNT = by the length of the digest. `crlf`: the
 * lines of this manifest end with a carriage return, also where a name could. Returns false when it
 * is no line of a manifest.
 */
bool manifest_line_parse(char *line, size_t length, unsigned algorithm, bool crlf,
                         struct manifest_line *ret_line);

#endif

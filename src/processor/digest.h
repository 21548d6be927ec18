/* SPDX-License-Identifier: MIT */
/*
 * Digests: a table of algorithms behind one interface, and how their values stand in a manifest.
 * This part knows bytes; neither files nor items.
 */
#ifndef PROCESSOR_DIGEST_H
#define PROCESSOR_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iobatch.h>

/* Bytes of the longest digest. */
#define DIGEST_SIZE_MAX 64u

/* The two manners of writing a manifest line. */
enum digest_format {
	DIGEST_HEX_NAME, /* "hex  name" */
	DIGEST_TAGGED,   /* "TAG (name) = hex" */
};

struct digest;

struct digest_algorithm {
	const char *name;
	size_t size; /* bytes of a value */
	enum digest_format format;
	const char *tag; /* what tagged lines begin with */
	/*
	 * What the tool that checks the manifest does with a name: coreutils read "\\" at the start
	 * of a line as "backslash, newline and return are escaped"; an xxhsum of before 0.8.2 takes
	 * every byte of a name as it stands.
	 */
	bool escapes_backslash;

	/* All at once; NULL where that saves nothing. */
	void (*once)(const void *data, size_t length, uint8_t *ret_value);
	/* Piece by piece. init and deinit make and free; start begins a new value. */
	int (*init)(struct digest *digest);
	void (*deinit)(struct digest *digest);
	int (*start)(struct digest *digest);
	int (*update)(struct digest *digest, const void *data, size_t length);
	int (*finish)(struct digest *digest, uint8_t *ret_value);
};

/* The row of an algorithm, NULL when there is none. */
const struct digest_algorithm *digest_algorithm(unsigned algorithm);

/* The number of a row: enum iobatch_hash_algorithm. */
unsigned digest_number(const struct digest_algorithm *algorithm);

/* A computation, to be used for one value after the other. */
int digest_new(const struct digest_algorithm *algorithm, struct digest **ret_digest);
void digest_free(struct digest *digest);
int digest_start(struct digest *digest);
int digest_update(struct digest *digest, const void *data, size_t length);
int digest_finish(struct digest *digest, uint8_t *ret_value);

/* Bytes that a manifest line takes at most besides twice the bytes of the name. */
#define DIGEST_LINE_OVERHEAD (2u * DIGEST_SIZE_MAX + 32u)

/* Writes the manifest line of a file, newline included and no NUL; returns its length. */
size_t digest_line(const struct digest_algorithm *algorithm, const uint8_t *value, const char *name,
                   char *ret_line);

/* Bytes of the longest note. */
#define DIGEST_NOTE_MAX (2u * DIGEST_SIZE_MAX + 16u)

/* Writes what names the digest and its algorithm, without a NUL; returns its length. */
size_t digest_note(const struct digest_algorithm *algorithm, const uint8_t *value, char *ret_note);

/* Whether this is a digest of that algorithm; then it is read. */
bool digest_read_note(const struct digest_algorithm *algorithm, const char *note, size_t length,
                      uint8_t *ret_value);

#endif

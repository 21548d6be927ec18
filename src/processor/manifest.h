/* SPDX-License-Identifier: MIT */
/*
 * A manifest: a text file with a line for each item, in item order. It appears under its name when
 * it is complete, or not at all. This part knows lines and indices; neither digests nor ops.
 */
#ifndef PROCESSOR_MANIFEST_H
#define PROCESSOR_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct manifest;

/*
 * Opens the manifest `path`; "-" is standard output. What is there and is no regular file (a FIFO,
 * /dev/full) is written to directly; else the lines go to a temporary file beside `path`.
 */
int manifest_new(const char *path, struct manifest **ret_manifest);

/*
 * Is `path` the manifest itself, or what it is until it is complete? Such a file changes behind the
 * back of its own digest, so it gets no line. From any thread.
 */
bool manifest_is(const struct manifest *manifest, const char *path);

/* Removes the temporary file unless manifest_finish() has renamed it. */
void manifest_free(struct manifest *manifest);

/*
 * Takes the line of item `index`, newline included; length 0: the item has none. Each index is to
 * be given once, in any order, from any thread. Returns the first error of writing, then and ever
 * after.
 */
int manifest_add(struct manifest *manifest, uint64_t index, const char *line, size_t length);

/* Writes out what is kept and gives the file its name. */
int manifest_finish(struct manifest *manifest);

#endif

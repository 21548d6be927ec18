/* SPDX-License-Identifier: MIT */
/*
 * Puts lines that come in any order into the order of their items, in bounded memory. This part
 * knows text, indices and descriptors; neither names of files nor what the lines say.
 */
#ifndef PROCESSOR_LINES_H
#define PROCESSOR_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines;

/*
 * Lines that go to `fd`, which stays the caller's. `open_spill` is called once at most: it returns
 * the descriptor of an empty file that can be read and written, which is closed in the end, or a
 * negative errno.
 */
int lines_new(int fd, int (*open_spill)(void *context), void *context, struct lines **ret_lines);
void lines_free(struct lines *lines);

/*
 * Takes the text of item `index`; length 0: it has none. Each index is to be given once. Returns 0
 * or a negative errno, after which nothing may be added.
 */
int lines_add(struct lines *lines, uint64_t index, const char *text, size_t length);

/* Writes out what is complete so far. */
int lines_flush(struct lines *lines);

/* Writes out all there is: items that were never given leave no gap. */
int lines_finish(struct lines *lines);

#endif

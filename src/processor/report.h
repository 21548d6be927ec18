/* SPDX-License-Identifier: MIT */
/*
 * A report: a text file with lines for each item, in item order. It appears under its name when it
 * is complete, or not at all. This part knows lines, names and indices; neither what the lines say
 * nor ops.
 */
#ifndef PROCESSOR_REPORT_H
#define PROCESSOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iobatch.h>

struct report;

/*
 * Opens the report `path`; "-" is standard output. What is there and is no regular file (a FIFO,
 * /dev/full) is written to directly; else the lines go to a temporary file beside `path`.
 */
int report_new(const char *path, struct report **ret_report);

/*
 * Is the object the report itself, or what it is until it is complete? Such a file changes while it
 * is read, so that nothing true can be said of it. From any thread, while the source holds the
 * object's directory open.
 */
bool report_is(const struct report *report, const struct iobatch_file *object);

/* Removes the temporary file unless report_finish() has renamed it. */
void report_free(struct report *report);

/*
 * Takes the text of item `index`: whole lines, newline included; length 0: the item has none. Each
 * index is to be given once, in any order, from any thread. Returns the first error of writing,
 * then and ever after.
 */
int report_add(struct report *report, uint64_t index, const char *text, size_t length);

/* There will be no whole: report_finish() gives no name. `report` may be NULL. */
void report_abandon(struct report *report);

/* Writes out what is kept and gives the file its name. NULL: does nothing. */
int report_finish(struct report *report);

/* ---------------------------------------------------------------- lines -- */

/* Must a line with this name in it begin with a backslash, and the name be escaped? */
bool report_escapes(const char *name);

/*
 * Writes the name, escaped or as it is, without a NUL; at most twice its length. Returns the place
 * behind it.
 */
char *report_put_name(char *at, const char *name, bool escape);

/* Bytes that a line takes at most besides twice the bytes of its name and the two texts. */
#define REPORT_LINE_OVERHEAD 2u

/* Writes the line "BEFORE NAME AFTER", without spaces between, newline included and no NUL; returns
 * its length. */
size_t report_line(const char *before, const char *name, const char *after, char *ret_line);

/* Bytes of the longest line whose two texts have not more than 256 bytes. */
#define REPORT_LINE_MAX (2u * IOBATCH_PATH_MAX + 256u + REPORT_LINE_OVERHEAD)

#endif

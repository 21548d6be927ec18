/* SPDX-License-Identifier: MIT */
/*
 * Lines of a journal as bytes: fields, escaped names, numbers, and the check at the end of each
 * line, into which the check of the line before has gone. So a line that was changed, moved, left
 * out or written twice is noticed by the line itself. Which lines there are is not known here.
 *
 * Nothing allocates. Writers write where the caller has room for JOURNAL_LINE_MAX bytes.
 */
#ifndef JOURNAL_TEXT_H
#define JOURNAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The longest line, with its newline: a name of 32 KiB and a target of 4 KiB (or the note of an
 * outcome, which is shorter) with each byte escaped, and the numbers.
 */
#define JOURNAL_LINE_MAX 155648u

/* A name is shorter than this, and a target than the other. */
#define JOURNAL_NAME_MAX 32768u
#define JOURNAL_TARGET_MAX 4096u

#define JOURNAL_FIELDS_MAX 16u

/* The check before the first line. */
#define JOURNAL_CHECK_SEED UINT64_C(0x696f62617463686a)

/* The writers return where they have stopped. */
char *text_word(char *to, const char *word);
char *text_number(char *to, uint64_t number);
/* Seconds with nine places. */
char *text_time(char *to, uint64_t ns);
/* Sixteen hexadecimal digits. */
char *text_hex(char *to, uint64_t number);
/* At most four bytes for each. A name that is "-" is escaped, since that says that there is none.
 */
char *text_name(char *to, const char *name, size_t length);

/*
 * Ends a line, of which all up to `to` is written, with a tab, its check and a newline; `check` is
 * that of the line before, and becomes that of this one. Returns the length of the line.
 */
size_t text_end(char *line, char *to, uint64_t *check);

/* A field, which is not ended by a NUL. */
struct text_field {
	char *bytes;
	size_t length;
};

/* Whether a line of `length` bytes, without its newline, has the check that it must have. */
bool text_check(const char *line, size_t length, uint64_t *check);

/*
 * The fields of a line without its check and the tab before that. Returns their number, or 0 when
 * they are more than JOURNAL_FIELDS_MAX.
 */
unsigned text_split(char *line, size_t length, struct text_field *fields);

/* The readers. False: it is not what the writers write. */
bool text_read_number(const struct text_field *field, uint64_t *ret_number);
bool text_read_time(const struct text_field *field, uint64_t *ret_ns);
bool text_read_hex(const struct text_field *field, uint64_t *ret_number);
/* Undoes text_name() in place, with a NUL behind it, which the field must have room for. */
bool text_read_name(struct text_field *field);
bool text_is(const struct text_field *field, const char *word);

#endif

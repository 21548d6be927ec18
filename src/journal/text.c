/* SPDX-License-Identifier: MIT */
/*
 * Writing and reading the text of lines: see text.h. The writers run for each item of a run, so
 * they are made by hand: the record of a short name takes about 70 ns.
 */
#include "journal/text.h"

#include "text/character.h"

#include <string.h>
#include <xxhash.h>

#define NS_PER_S UINT64_C(1000000000)

/* A tab and sixteen digits. */
#define CHECK_LENGTH 17u

char *text_word(char *to, const char *word)
{
	size_t length = strlen(word);

	memcpy(to, word, length);
	return to + length;
}

char *text_number(char *to, uint64_t number)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	memcpy(to, digits + at, sizeof(digits) - at);
	return to + (sizeof(digits) - at);
}

char *text_time(char *to, uint64_t ns)
{
	uint64_t part = ns % NS_PER_S;

	to = text_number(to, ns / NS_PER_S);
	*to++ = '.';
	for (unsigned i = 9; i-- > 0; part /= 10)
		to[i] = (char)('0' + part % 10);
	return to + 9;
}

static const char hex_digits[] = "0123456789abcdef";

char *text_hex(char *to, uint64_t number)
{
	for (unsigned i = 16; i-- > 0; number >>= 4)
		to[i] = hex_digits[number & 15];
	return to + 16;
}

static char *escape_byte(char *to, unsigned char byte)
{
	*to++ = '\\';
	switch (byte) {
	case '\\':
		*to++ = '\\';
		break;
	case '\t':
		*to++ = 't';
		break;
	case '\n':
		*to++ = 'n';
		break;
	default:
		*to++ = 'x';
		*to++ = hex_digits[byte >> 4];
		*to++ = hex_digits[byte & 15];
	}
	return to;
}

/* How many bytes there are that stand for themselves, whatever is behind them. */
static size_t plain_length(const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length && (unsigned char)(bytes[at] - 0x20) < 0x5f && bytes[at] != '\\')
		at++;
	return at;
}

char *text_name(char *to, const char *name, size_t length)
{
	if (length == 1 && *name == '-')
		return escape_byte(to, '-');
	for (size_t at = 0; at < length;) {
		const unsigned char *from = (const unsigned char *)name + at;
		size_t size = plain_length(name + at, length - at);

		if (!size && *from != '\\')
			size = character_length(from, length - at);
		if (!size) {
			to = escape_byte(to, *from);
			at++;
			continue;
		}
		memcpy(to, from, size);
		to += size;
		at += size;
	}
	return to;
}

static uint64_t check_of(const char *line, size_t length, uint64_t before)
{
	return XXH3_64bits_withSeed(line, length, before);
}

size_t text_end(char *line, char *to, uint64_t *check)
{
	*check = check_of(line, (size_t)(to - line), *check);
	*to++ = '\t';
	to = text_hex(to, *check);
	*to++ = '\n';
	return (size_t)(to - line);
}

bool text_check(const char *line, size_t length, uint64_t *check)
{
	struct text_field field;
	uint64_t written, wanted;

	if (length < CHECK_LENGTH || line[length - CHECK_LENGTH] != '\t')
		return false;
	field.bytes = (char *)line + length - CHECK_LENGTH + 1;
	field.length = CHECK_LENGTH - 1;
	wanted = check_of(line, length - CHECK_LENGTH, *check);
	if (!text_read_hex(&field, &written) || written != wanted)
		return false;
	*check = wanted;
	return true;
}

unsigned text_split(char *line, size_t length, struct text_field *fields)
{
	char *end = line + length - CHECK_LENGTH;
	unsigned count = 0;

	for (;;) {
		char *tab = memchr(line, '\t', (size_t)(end - line));

		if (count == JOURNAL_FIELDS_MAX)
			return 0;
		fields[count].bytes = line;
		fields[count].length = (size_t)((tab ? tab : end) - line);
		count++;
		if (!tab)
			return count;
		line = tab + 1;
	}
}

static bool read_digits(const char *bytes, size_t length, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!length || length > 20)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned)(bytes[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return false;
	}
	*ret_number = number;
	return true;
}

bool text_read_number(const struct text_field *field, uint64_t *ret_number)
{
	return read_digits(field->bytes, field->length, ret_number);
}

bool text_read_time(const struct text_field *field, uint64_t *ret_ns)
{
	uint64_t seconds, part;

	if (field->length < 11 || field->bytes[field->length - 10] != '.')
		return false;
	if (!read_digits(field->bytes, field->length - 10, &seconds) ||
	    !read_digits(field->bytes + field->length - 9, 9, &part))
		return false;
	if (__builtin_mul_overflow(seconds, NS_PER_S, &seconds) ||
	    __builtin_add_overflow(seconds, part, &seconds))
		return false;
	*ret_ns = seconds;
	return true;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool text_read_hex(const struct text_field *field, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (field->length != 16)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int value = hex_value(field->bytes[i]);

		if (value < 0)
			return false;
		number = number << 4 | (unsigned)value;
	}
	*ret_number = number;
	return true;
}

/* The byte that an escape at `from` stands for, and the escape's length; 0 when it is none. */
static size_t unescape(const char *from, size_t length, char *ret_byte)
{
	int high, low;

	if (length < 2)
		return 0;
	switch (from[1]) {
	case '\\':
		*ret_byte = '\\';
		return 2;
	case 't':
		*ret_byte = '\t';
		return 2;
	case 'n':
		*ret_byte = '\n';
		return 2;
	case 'x':
		if (length < 4)
			return 0;
		high = hex_value(from[2]);
		low = hex_value(from[3]);
		if (high < 0 || low < 0 || (!high && !low))
			return 0;
		*ret_byte = (char)(high << 4 | low);
		return 4;
	}
	return 0;
}

bool text_read_name(struct text_field *field)
{
	char *to = field->bytes;

	for (size_t at = 0; at < field->length;) {
		const char *from = field->bytes + at;
		size_t size;

		if (*from == '\\') {
			size = unescape(from, field->length - at, to);
			if (!size)
				return false;
			to++;
			at += size;
			continue;
		}
		size = plain_length(from, field->length - at);
		if (!size)
			size = character_length((const unsigned char *)from, field->length - at);
		if (!size)
			return false;
		if (to != from)
			memmove(to, from, size);
		to += size;
		at += size;
	}
	field->length = (size_t)(to - field->bytes);
	*to = '\0';
	return true;
}

bool text_is(const struct text_field *field, const char *word)
{
	return field->length == strlen(word) && !memcmp(field->bytes, word, field->length);
}

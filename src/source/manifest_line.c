/* SPDX-License-Identifier: MIT */
/*
 * Owns the grammar of manifest lines.
 *
 *     HASH  NAME           plain; "HASH *NAME" is the same, for files that were read as binary
 *     TAG (NAME) = HASH    with --tag; OpenSSL leaves out the first and the second space
 *     XXH3_HASH  NAME      of xxhsum since 0.8.2, which would otherwise look like XXH64
 *
 * A backslash in front of any of them says that the name is escaped. The tag is followed by _LE
 * when the bytes of the digest stand in reverse order. Where a name ends is never guessed from its
 * bytes: a tagged line is read from its end, a plain one goes to its end.
 */
#include "manifest_line.h"

#include <string.h>

struct algorithm {
	const char *tag;
	size_t size;
	bool reversible; /* the tool can write the bytes in reverse order */
	/* Names in plain lines have no carriage return that is not escaped, so that one at the end
	 * of the line belongs to the end of the line. */
	bool escapes_return;
};

static const struct algorithm algorithms[IOBATCH_HASH_COUNT] = {
	[IOBATCH_HASH_XXH3_64] = {"XXH3", 8, true, false},
	[IOBATCH_HASH_XXH3_128] = {"XXH128", 16, true, false},
	[IOBATCH_HASH_SHA256] = {"SHA256", 32, false, true},
	[IOBATCH_HASH_CRC32C] = {"CRC32C", 4, false, true},
	[IOBATCH_HASH_BLAKE2B] = {"BLAKE2b", 64, false, true},
	[IOBATCH_HASH_XXH64] = {"XXH64", 8, true, false},
	[IOBATCH_HASH_XXH32] = {"XXH32", 4, true, false},
};

/* A part of a line that is yet to be read. */
struct text {
	char *at;
	char *end;
};

static size_t text_length(const struct text *text)
{
	return (size_t)(text->end - text->at);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void skip_blanks(struct text *text)
{
	while (text->at < text->end && is_blank(*text->at))
		text->at++;
}

static void skip_blanks_at_end(struct text *text)
{
	while (text->at < text->end && is_blank(text->end[-1]))
		text->end--;
}

static bool skip_byte_at_end(struct text *text, char byte)
{
	if (text->at == text->end || text->end[-1] != byte)
		return false;
	text->end--;
	return true;
}

static bool skip_word(struct text *text, const char *word)
{
	size_t length = strlen(word);

	if (text_length(text) < length || memcmp(text->at, word, length) != 0)
		return false;
	text->at += length;
	return true;
}

/* A tag, and not only the beginning of a longer one. */
static bool skip_tag(struct text *text, const char *tag)
{
	struct text rest = *text;

	if (!skip_word(&rest, tag) || rest.at == rest.end || !strchr("_ \t(", *rest.at))
		return false;
	*text = rest;
	return true;
}

static int hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

static size_t hex_length(const struct text *text)
{
	size_t length = 0;

	while (length < text_length(text) && hex_value(text->at[length]) >= 0)
		length++;
	return length;
}

/* Reads the digest from all of `hex`. */
static bool read_digest(const struct text *hex, bool reversed, struct manifest_line *line)
{
	size_t size = algorithms[line->algorithm].size;

	if (text_length(hex) != 2 * size || hex_length(hex) != 2 * size)
		return false;
	line->digest_size = size;
	for (size_t i = 0; i < size; i++)
		line->digest[reversed ? size - 1 - i : i] =
			(uint8_t)(hex_value(hex->at[2 * i]) << 4 | hex_value(hex->at[2 * i + 1]));
	return true;
}

static bool read_name(const struct text *name, bool escaped, struct manifest_line *line)
{
	char *to = name->at;

	if (name->at == name->end || memchr(name->at, '\0', text_length(name)))
		return false;
	line->name = name->at;
	for (const char *from = name->at; from < name->end; from++) {
		char byte = *from;

		if (escaped && byte == '\\') {
			if (++from == name->end)
				return false;
			if (*from == 'n')
				byte = '\n';
			else if (*from == 'r')
				byte = '\r';
			else if (*from != '\\')
				return false;
		}
		*to++ = byte;
	}
	line->name_length = (size_t)(to - name->at);
	return true;
}

/* The rest of "TAG (NAME) = HASH" from the parenthesis on. */
static bool parse_tagged(struct text text, bool reversed, bool escaped, struct manifest_line *line)
{
	size_t digits = 2 * algorithms[line->algorithm].size;
	struct text hex;

	if (!skip_word(&text, "("))
		return false;
	skip_byte_at_end(&text, '\r');
	skip_blanks_at_end(&text);
	if (text_length(&text) < digits)
		return false;
	hex = (struct text){text.end - digits, text.end};
	text.end -= digits;
	skip_blanks_at_end(&text);
	if (!skip_byte_at_end(&text, '='))
		return false;
	skip_blanks_at_end(&text);
	if (!skip_byte_at_end(&text, ')'))
		return false;
	return read_digest(&hex, reversed, line) && read_name(&text, escaped, line);
}

/* "HASH  NAME", whose algorithm is known. */
static bool parse_plain(struct text text, bool reversed, bool escaped, bool crlf,
                        struct manifest_line *line)
{
	struct text hex = {text.at, text.at + hex_length(&text)};

	text.at = hex.end;
	if (!read_digest(&hex, reversed, line) || text.at == text.end || !is_blank(*text.at))
		return false;
	text.at++;
	if (text.at < text.end && (*text.at == ' ' || *text.at == '*'))
		text.at++;
	if (crlf || algorithms[line->algorithm].escapes_return)
		skip_byte_at_end(&text, '\r');
	return read_name(&text, escaped, line);
}

/* The algorithm that a plain line has by the length of its digest. */
static unsigned algorithm_of_length(size_t digits)
{
	switch (digits) {
	case 8:
		return IOBATCH_HASH_XXH32;
	case 16:
		return IOBATCH_HASH_XXH64;
	case 32:
		return IOBATCH_HASH_XXH3_128;
	case 64:
		return IOBATCH_HASH_SHA256;
	case 128:
		return IOBATCH_HASH_BLAKE2B;
	default:
		return IOBATCH_HASH_COUNT;
	}
}

bool manifest_line_is_empty(const char *line, size_t length)
{
	struct text text = {(char *)line, (char *)line + length};

	skip_byte_at_end(&text, '\r');
	skip_blanks(&text);
	return text.at == text.end || *line == '#';
}

bool manifest_line_parse(char *bytes, size_t length, unsigned algorithm, bool crlf,
                         struct manifest_line *ret_line)
{
	struct text text = {bytes, bytes + length};
	struct manifest_line line = {0};
	bool escaped;

	skip_blanks(&text);
	escaped = skip_word(&text, "\\");
	for (line.algorithm = 0; line.algorithm < IOBATCH_HASH_COUNT; line.algorithm++) {
		const struct algorithm *row = &algorithms[line.algorithm];
		struct text rest = text;
		bool reversed, parsed;

		if (!skip_tag(&rest, row->tag))
			continue;
		reversed = row->reversible && skip_word(&rest, "_LE");
		if (line.algorithm == IOBATCH_HASH_XXH3_64 && skip_word(&rest, "_")) {
			parsed = parse_plain(rest, reversed, escaped, crlf, &line);
		} else {
			skip_blanks(&rest);
			parsed = parse_tagged(rest, reversed, escaped, &line);
		}
		if (parsed)
			*ret_line = line;
		return parsed;
	}
	line.algorithm = algorithm;
	if (algorithm == IOBATCH_HASH_COUNT)
		line.algorithm = algorithm_of_length(hex_length(&text));
	if (line.algorithm == IOBATCH_HASH_COUNT || !parse_plain(text, false, escaped, crlf, &line))
		return false;
	*ret_line = line;
	return true;
}

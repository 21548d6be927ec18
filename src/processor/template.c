/* SPDX-License-Identifier: MIT */
/*
 * Texts with placeholders. A template is a list of pieces, each a literal or a placeholder; what
 * can be said about a text without an item (a fault in it, the room that it needs) is said when it
 * is taken apart, so that filling it in is copying bytes. Texts and paths are bytes: no encoding is
 * assumed. It knows files, but not what the texts are for.
 */
#include "processor/template.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits of UINT64_MAX. */
#define INDEX_DIGITS_MAX 20u
/* How much of a placeholder that does not exist is shown. */
#define SHOWN_MAX 32

enum piece_kind {
	PIECE_LITERAL,
	PIECE_PATH,
	PIECE_NAME,
	PIECE_STEM,
	PIECE_DIR,
	PIECE_INDEX,
};

static const char *const placeholders[] = {
	[PIECE_PATH] = "path", [PIECE_NAME] = "name",   [PIECE_STEM] = "stem",
	[PIECE_DIR] = "dir",   [PIECE_INDEX] = "index",
};

struct piece {
	enum piece_kind kind;
	size_t offset; /* of a literal, in the template's text */
	size_t length;
};

struct template
{
	size_t space;
	unsigned count;
	struct piece *pieces;
	char *text; /* the literals, each terminated by a NUL */
};

struct bytes {
	const char *start;
	size_t length;
};

/* ------------------------------------------------------- taking apart -- */

static int fail(char **ret_error, const char *message)
{
	char *copy = strdup(message);

	if (!copy)
		return -ENOMEM;
	*ret_error = copy;
	return -EINVAL;
}

static int fail_unknown(char **ret_error, const char *name, size_t length)
{
	char shown[SHOWN_MAX + 1], message[256];
	size_t i;

	/* The message may end up on a terminal. */
	for (i = 0; i < length && i < SHOWN_MAX; i++)
		shown[i] = isprint((unsigned char)name[i]) ? name[i] : '?';
	shown[i] = '\0';
	snprintf(message, sizeof(message),
	         "unknown placeholder \"{%s}\": there are {path}, {name}, {stem}, {dir} and "
	         "{index}; "
	         "\"{{\" and \"}}\" stand for braces",
	         shown);
	return fail(ret_error, message);
}

static int kind_of(const char *name, size_t length, enum piece_kind *ret_kind)
{
	for (unsigned kind = PIECE_PATH; kind <= PIECE_INDEX; kind++) {
		if (strlen(placeholders[kind]) == length &&
		    memcmp(placeholders[kind], name, length) == 0) {
			*ret_kind = kind;
			return 0;
		}
	}
	return -EINVAL;
}

/* Ends the literal that is being collected, if there is one. */
static void end_literal(struct template *template, size_t from, size_t *to)
{
	if (*to == from)
		return;
	template->pieces[template->count++] =
		(struct piece){.kind = PIECE_LITERAL, .offset = from, .length = *to - from};
	template->text[(*to)++] = '\0';
}

static int take_apart(struct template *template, const char *text, char **ret_error)
{
	/* The bytes of the literals: where the current one begins, and where it has got to. */
	size_t from = 0, to = 0;
	const char *at = text;

	while (*at) {
		const char *end;
		enum piece_kind kind;

		if (*at != '{' && *at != '}') {
			template->text[to++] = *at++;
			continue;
		}
		if (at[1] == *at) {
			template->text[to++] = *at;
			at += 2;
			continue;
		}
		if (*at == '}')
			return fail(ret_error,
			            "\"}\" without \"{\" before it: \"}}\" stands for a brace");
		end = at + 1 + strcspn(at + 1, "{}");
		if (*end != '}')
			return fail(ret_error, "\"{\" without \"}\": \"{{\" stands for a brace");
		if (kind_of(at + 1, (size_t)(end - at - 1), &kind) < 0)
			return fail_unknown(ret_error, at + 1, (size_t)(end - at - 1));
		end_literal(template, from, &to);
		from = to;
		template->pieces[template->count++] = (struct piece){.kind = kind};
		at = end + 1;
	}
	end_literal(template, from, &to);
	return 0;
}

/* The room that the text needs; that of a text which exists as it is, is none. */
static int measure(struct template *template, char **ret_error)
{
	size_t literals = 0, space = 1;

	for (unsigned i = 0; i < template->count; i++) {
		switch (template->pieces[i].kind) {
		case PIECE_LITERAL:
			literals += template->pieces[i].length;
			space += template->pieces[i].length;
			break;
		case PIECE_INDEX:
			space += INDEX_DIGITS_MAX;
			break;
		default:
			space += IOBATCH_PATH_MAX;
			break;
		}
	}
	if (literals >= IOBATCH_PATH_MAX)
		return fail(ret_error, "the text is longer than a path can be");
	if (template->count == 0)
		space = 0;
	if (template->count == 1 &&
	    (template->pieces[0].kind == PIECE_LITERAL || template->pieces[0].kind == PIECE_PATH))
		space = 0;
	template->space = space < IOBATCH_PATH_MAX ? space : IOBATCH_PATH_MAX;
	return 0;
}

int template_new(const char *text, struct template **ret_template, char **ret_error)
{
	size_t length = strlen(text);
	struct template *template = calloc(1, sizeof(*template));
	int result = -ENOMEM;

	if (!template)
		return -ENOMEM;
	/*
	 * A piece stands for at least one byte of the text; a literal needs room for itself and a
	 * NUL, and between two of them stands a placeholder, which is longer than that.
	 */
	template->text = malloc(length + 1);
	template->pieces = calloc(length + 1, sizeof(*template->pieces));
	if (!template->text || !template->pieces)
		goto failed;
	result = take_apart(template, text, ret_error);
	if (result < 0)
		goto failed;
	result = measure(template, ret_error);
	if (result < 0)
		goto failed;
	*ret_template = template;
	return 0;
failed:
	template_free(template);
	return result;
}

void template_free(struct template *template)
{
	if (!template)
		return;
	free(template->pieces);
	free(template->text);
	free(template);
}

/* --------------------------------------------------------- filling in -- */

size_t template_space(const struct template *template)
{
	return template->space;
}

/* The length of the path without slashes at its end; the root keeps its one. */
static size_t trim(const char *path, size_t length)
{
	while (length > 1 && path[length - 1] == '/')
		length--;
	return length;
}

/* The last component, as basename(1) has it. */
static struct bytes name_of(const struct iobatch_file *file)
{
	size_t end = trim(file->path, file->path_length), start = end;

	while (start > 0 && file->path[start - 1] != '/')
		start--;
	if (start == end && end > 0)
		start--; /* the root is its own name */
	return (struct bytes){file->path + start, end - start};
}

/* What is before the last component, as dirname(1) has it. */
static struct bytes dir_of(const struct iobatch_file *file)
{
	struct bytes name = name_of(file);
	size_t length = (size_t)(name.start - file->path);

	if (length == 0)
		return file->path[0] == '/' ? (struct bytes){"/", 1} : (struct bytes){".", 1};
	return (struct bytes){file->path, trim(file->path, length)};
}

/* The name without its last suffix. Dots that a name begins with begin no suffix. */
static struct bytes stem_of(const struct iobatch_file *file)
{
	struct bytes name = name_of(file);
	size_t first = 0;

	while (first < name.length && name.start[first] == '.')
		first++;
	for (size_t i = name.length; i > first; i--) {
		if (name.start[i - 1] == '.') {
			name.length = i - 1;
			break;
		}
	}
	return name;
}

ssize_t template_expand(const struct template *template, const struct iobatch_file *file,
                        uint64_t index, char *space, const char **ret_text)
{
	size_t used = 0;

	if (template->space == 0) {
		if (template->count == 0)
			*ret_text = "";
		else if (template->pieces[0].kind == PIECE_LITERAL)
			*ret_text = template->text;
		else
			*ret_text = file->path;
		return 0;
	}
	for (unsigned i = 0; i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];
		char digits[INDEX_DIGITS_MAX + 1];
		struct bytes bytes = {NULL, 0};

		switch (piece->kind) {
		case PIECE_LITERAL:
			bytes = (struct bytes){template->text + piece->offset, piece->length};
			break;
		case PIECE_PATH:
			bytes = (struct bytes){file->path, file->path_length};
			break;
		case PIECE_NAME:
			bytes = name_of(file);
			break;
		case PIECE_STEM:
			bytes = stem_of(file);
			break;
		case PIECE_DIR:
			bytes = dir_of(file);
			break;
		case PIECE_INDEX:
			bytes.start = digits;
			bytes.length = (size_t)snprintf(digits, sizeof(digits), "%llu",
			                                (unsigned long long)index);
			break;
		}
		/* The NUL needs room as well. */
		if (bytes.length >= IOBATCH_PATH_MAX - used)
			return -ENAMETOOLONG;
		memcpy(space + used, bytes.start, bytes.length);
		used += bytes.length;
	}
	assert(used < template->space);
	space[used++] = '\0';
	*ret_text = space;
	return (ssize_t)used;
}

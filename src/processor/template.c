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
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/file.h"

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
	PIECE_GROUP,
};

static const char *const placeholders[] = {
	[PIECE_PATH] = "path", [PIECE_NAME] = "name",   [PIECE_STEM] = "stem",
	[PIECE_DIR] = "dir",   [PIECE_INDEX] = "index",
};

struct piece {
	enum piece_kind kind;
	size_t offset; /* of a literal, in the template's text; which group, from 0 */
	size_t length;
};

/* Paths that stay in the directory of the file, by how they begin. */
enum template_place {
	PLACE_ANYWHERE,
	PLACE_PATH, /* "{path}", and no slash behind it */
	PLACE_DIR,  /* "{dir}/", the same, and something behind it */
};

struct template
{
	size_t space;
	enum template_place place;
	unsigned groups;
	unsigned count;
	struct piece *pieces;
	char *text; /* the literals, each terminated by a NUL */
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

static int piece_of(const struct template *template, const char *name, size_t length,
                    struct piece *ret_piece)
{
	if (length == 1 && *name >= '1' && (unsigned)(*name - '1') < template->groups) {
		*ret_piece = (struct piece){.kind = PIECE_GROUP, .offset = (size_t)(*name - '1')};
		return 0;
	}
	for (unsigned kind = PIECE_PATH; kind <= PIECE_INDEX; kind++) {
		if (strlen(placeholders[kind]) == length &&
		    memcmp(placeholders[kind], name, length) == 0) {
			*ret_piece = (struct piece){.kind = kind};
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
		struct piece piece;

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
		if (piece_of(template, at + 1, (size_t)(end - at - 1), &piece) < 0)
			return fail_unknown(ret_error, at + 1, (size_t)(end - at - 1));
		end_literal(template, from, &to);
		from = to;
		template->pieces[template->count++] = piece;
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
			space += PATH_MAX;
			break;
		}
	}
	if (literals >= PATH_MAX)
		return fail(ret_error, "the text is longer than a path can be");
	if (template->count == 0)
		space = 0;
	if (template->count == 1 &&
	    (template->pieces[0].kind == PIECE_LITERAL || template->pieces[0].kind == PIECE_PATH))
		space = 0;
	template->space = space < PATH_MAX ? space : PATH_MAX;
	return 0;
}

/* Is there no slash in the pieces from `first` on, whose first `skipped` bytes do not count? */
static bool is_component(const struct template *template, unsigned first, size_t skipped)
{
	for (unsigned i = first; i < template->count; i++, skipped = 0) {
		const struct piece *piece = &template->pieces[i];

		if (piece->kind == PIECE_PATH || piece->kind == PIECE_DIR)
			return false;
		if (piece->kind == PIECE_LITERAL &&
		    strchr(template->text + piece->offset + skipped, '/'))
			return false;
	}
	return true;
}

static enum template_place place_of(const struct template *template)
{
	const struct piece *pieces = template->pieces;

	if (template->count > 0 && pieces[0].kind == PIECE_PATH)
		return is_component(template, 1, 0) ? PLACE_PATH : PLACE_ANYWHERE;
	if (template->count > 1 && pieces[0].kind == PIECE_DIR && pieces[1].kind == PIECE_LITERAL &&
	    template->text[pieces[1].offset] == '/' &&
	    (pieces[1].length > 1 || template->count > 2))
		return is_component(template, 1, 1) ? PLACE_DIR : PLACE_ANYWHERE;
	return PLACE_ANYWHERE;
}

int template_new(const char *text, unsigned groups, struct template **ret_template,
                 char **ret_error)
{
	size_t length = strlen(text);
	struct template *template = calloc(1, sizeof(*template));
	int result = -ENOMEM;

	if (!template)
		return -ENOMEM;
	template->groups = groups;
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
	template->place = place_of(template);
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
static struct template_bytes name_of(const struct iobatch_file *file)
{
	size_t end = trim(file->path, file->path_length), start = end;

	while (start > 0 && file->path[start - 1] != '/')
		start--;
	if (start == end && end > 0)
		start--; /* the root is its own name */
	return (struct template_bytes){file->path + start, end - start};
}

/* What is before the last component, as dirname(1) has it. */
static struct template_bytes dir_of(const struct iobatch_file *file)
{
	struct template_bytes name = name_of(file);
	size_t length = (size_t)(name.start - file->path);

	if (length == 0)
		return file->path[0] == '/' ? (struct template_bytes){"/", 1}
		                            : (struct template_bytes){".", 1};
	return (struct template_bytes){file->path, trim(file->path, length)};
}

/* The name without its last suffix. Dots that a name begins with begin no suffix. */
static struct template_bytes stem_of(const struct iobatch_file *file)
{
	struct template_bytes name = name_of(file);
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

static struct template_bytes bytes_of(const struct template *template, const struct piece *piece,
                                      const struct iobatch_file *file, uint64_t index,
                                      const struct template_bytes *groups,
                                      char digits[INDEX_DIGITS_MAX + 1])
{
	switch (piece->kind) {
	case PIECE_LITERAL:
		return (struct template_bytes){template->text + piece->offset, piece->length};
	case PIECE_PATH:
		return (struct template_bytes){file->path, file->path_length};
	case PIECE_NAME:
		return name_of(file);
	case PIECE_STEM:
		return stem_of(file);
	case PIECE_DIR:
		return dir_of(file);
	case PIECE_GROUP:
		return groups[piece->offset];
	default:
		return (struct template_bytes){digits,
		                               (size_t)snprintf(digits, INDEX_DIGITS_MAX + 1,
		                                                "%llu", (unsigned long long)index)};
	}
}

/* Puts bytes behind the `used` ones, if the NUL will have room as well. */
static bool put(char *space, size_t *used, struct template_bytes bytes)
{
	if (bytes.length >= PATH_MAX - *used)
		return false;
	memcpy(space + *used, bytes.start, bytes.length);
	*used += bytes.length;
	return true;
}

/* Expands the pieces from `first` on, without the first `skipped` bytes, behind what is there. */
static ssize_t expand_from(const struct template *template, unsigned first, size_t skipped,
                           const struct iobatch_file *file, uint64_t index,
                           const struct template_bytes *groups, char *space, size_t used)
{
	for (unsigned i = first; i < template->count; i++, skipped = 0) {
		char digits[INDEX_DIGITS_MAX + 1];
		struct template_bytes bytes =
			bytes_of(template, &template->pieces[i], file, index, groups, digits);

		bytes.start += skipped;
		bytes.length -= skipped;
		if (!put(space, &used, bytes))
			return -ENAMETOOLONG;
	}
	assert(used < template->space);
	space[used++] = '\0';
	return (ssize_t)used;
}

ssize_t template_expand(const struct template *template, const struct iobatch_file *file,
                        uint64_t index, const struct template_bytes *groups, char *space,
                        const char **ret_text)
{
	ssize_t used;

	if (template->space == 0) {
		if (template->count == 0)
			*ret_text = "";
		else if (template->pieces[0].kind == PIECE_LITERAL)
			*ret_text = template->text;
		else
			*ret_text = file->path;
		return 0;
	}
	used = expand_from(template, 0, 0, file, index, groups, space, 0);
	if (used >= 0)
		*ret_text = space;
	return used;
}

ssize_t template_expand_path(const struct template *template, const struct iobatch_file *file,
                             uint64_t index, char *space, const char **ret_path, int *ret_dirfd)
{
	const struct template_bytes name = {file_name(file), file->path_length - file->name};
	size_t copied = 0;
	ssize_t used;

	if (!file->directory || template->place == PLACE_ANYWHERE) {
		used = template_expand(template, file, index, NULL, space, ret_path);
		if (used >= 0)
			*ret_dirfd = AT_FDCWD;
		return used;
	}
	if (template->space == 0) {
		*ret_path = name.start;
		*ret_dirfd = file_dirfd(file);
		return 0;
	}
	if (template->place == PLACE_PATH && !put(space, &copied, name))
		return -ENAMETOOLONG;
	used = expand_from(template, 1, template->place == PLACE_DIR ? 1 : 0, file, index, NULL,
	                   space, copied);
	if (used >= 0) {
		*ret_path = space;
		*ret_dirfd = file_dirfd(file);
	}
	return used;
}

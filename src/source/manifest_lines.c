/* SPDX-License-Identifier: MIT */
/*
 * Items from the lines of a manifest, read from a descriptor that stays the caller's. Each brings
 * the digest that its file should have. The buffer holds the longest line there can be; a longer
 * one is no line of a manifest, and is passed over like any other that is none. What the lines look
 * like is manifest_line.c's business, and what may be named below a root names.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "manifest_line.h"
#include "names.h"
#include "op/abi.h"
#include "source.h"

/* A name in which every byte is escaped, a tag, a digest. */
#define LINE_MAX_BYTES (2u * IOBATCH_PATH_MAX + 2u * MANIFEST_DIGEST_MAX + 64u)
#define BUFFER_SIZE ((size_t)256 << 10)

struct manifest {
	struct iobatch_source source;
	struct input input;
	struct names *names; /* NULL: names are as they are */
	unsigned algorithm;
	bool is_checked; /* all that can be checked beforehand was */
	off_t check_at;  /* while that goes on: what is read next */
	bool looked;     /* has `crlf` been decided? */
	bool crlf;
	bool at_end;     /* a read has returned 0 */
	uint64_t number; /* of the line last taken, from 1 */
	uint64_t proper; /* lines that are some of a manifest */
	bool again;      /* the last line is to be tried once more */
	struct manifest_line line;
	size_t from; /* buffer[from..to) is read and not yet taken */
	size_t to;
	char buffer[BUFFER_SIZE];
};

/* Reads more behind what is in the buffer, which has room. At the end of the file sets at_end. */
static int manifest_read(struct manifest *manifest)
{
	ssize_t size;

	if (manifest->from) {
		manifest->to -= manifest->from;
		memmove(manifest->buffer, manifest->buffer + manifest->from, manifest->to);
		manifest->from = 0;
	}
	if (manifest->is_checked) {
		source_flush(&manifest->source);
		size = input_read(&manifest->input, manifest->buffer + manifest->to,
		                  BUFFER_SIZE - manifest->to);
	} else {
		size = pread(manifest->input.fd, manifest->buffer + manifest->to,
		             BUFFER_SIZE - manifest->to, manifest->check_at);
		if (size < 0)
			size = -errno;
		else
			manifest->check_at += size;
	}
	if (size < 0)
		return (int)size;
	manifest->at_end = size == 0;
	manifest->to += (size_t)size;
	return 0;
}

/*
 * Do all lines end with a carriage return, as far as they are read? Only then does one at the end
 * of a line belong to it where it may also be the last byte of a name.
 */
static bool lines_end_with_return(const struct manifest *manifest)
{
	const char *at = manifest->buffer + manifest->from;
	const char *end = manifest->buffer + manifest->to;
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	if (!newline)
		return false;
	for (; newline; newline = memchr(at, '\n', (size_t)(end - at))) {
		if (newline == at || newline[-1] != '\r')
			return false;
		at = newline + 1;
	}
	return true;
}

/*
 * Takes the next line, without its newline, which may be missing at the end. Returns 1; or 0 at the
 * end; or a negative errno. A line that is too long comes in pieces: *ret_whole is false for them.
 */
static int take_line(struct manifest *manifest, char **ret_line, size_t *ret_length,
                     bool *ret_whole)
{
	size_t searched = 0; /* bytes after `from` that hold no newline */
	bool begun = false;  /* a piece of the line has been thrown away */

	for (;;) {
		char *line = manifest->buffer + manifest->from;
		size_t size = manifest->to - manifest->from;
		char *newline = memchr(line + searched, '\n', size - searched);
		size_t length = newline ? (size_t)(newline - line) : size;
		int result;

		if (newline || (manifest->at_end && (size || begun))) {
			manifest->from += length + (newline ? 1 : 0);
			manifest->number++;
			*ret_line = line;
			*ret_length = length;
			*ret_whole = !begun && length <= LINE_MAX_BYTES;
			return 1;
		}
		if (manifest->at_end)
			return 0;
		searched = size;
		if (size > LINE_MAX_BYTES) {
			manifest->from = manifest->to;
			searched = 0;
			begun = true;
		}
		result = manifest_read(manifest);
		if (result < 0)
			return result;
		if (!manifest->looked && memchr(manifest->buffer + manifest->from, '\n',
		                                manifest->to - manifest->from)) {
			manifest->looked = true;
			manifest->crlf = lines_end_with_return(manifest);
		}
	}
}

/* Counts the last line as one that is none. When all is checked beforehand, it will come again. */
static int leave_out(struct manifest *manifest, int error)
{
	char place[32];

	if (!manifest->is_checked)
		return 0;
	snprintf(place, sizeof(place), "line %llu", (unsigned long long)manifest->number);
	return source_leave_out(&manifest->source, error, place, NULL);
}

/* A name that is not below the root: said by name, and the end of the intake. */
static int refuse(struct manifest *manifest, const struct manifest_line *line)
{
	char name[IOBATCH_PATH_MAX];
	int result;

	memcpy(name, line->name, line->name_length);
	name[line->name_length] = '\0';
	result = source_leave_out(&manifest->source, -EXDEV, name, NULL);
	return result ? result : -EXDEV;
}

/* Can the file of this name be an item? 0 or a negative errno. */
static int check_name(const struct manifest *manifest, const struct manifest_line *line)
{
	if (line->name_length >= IOBATCH_PATH_MAX)
		return -ENAMETOOLONG;
	return manifest->names ? names_check(manifest->names, line->name, line->name_length) : 0;
}

/* Takes the next line that is one into manifest->line. 1, or 0 at the end, or a negative errno. */
static int take_proper_line(struct manifest *manifest)
{
	for (;;) {
		char *bytes;
		size_t length;
		bool whole;
		int result = take_line(manifest, &bytes, &length, &whole);

		if (result == 0 && manifest->proper == 0)
			return -EBADMSG;
		if (result <= 0)
			return result;
		if (whole && manifest_line_is_empty(bytes, length))
			continue;
		if (!whole || !manifest_line_parse(bytes, length, manifest->algorithm,
		                                   manifest->crlf, &manifest->line)) {
			result = leave_out(manifest, -EBADMSG);
		} else {
			manifest->proper++;
			result = check_name(manifest, &manifest->line);
			if (result == 0)
				return 1;
			if (result == -EXDEV)
				return refuse(manifest, &manifest->line);
			result = leave_out(manifest, result);
		}
		if (result < 0)
			return result;
	}
}

/*
 * Looks at all names before the first is an item, when the manifest can be read twice: as for a
 * list.
 */
static int manifest_check(struct manifest *manifest)
{
	struct stat status;
	int result = 1;

	if (manifest->names && fstat(manifest->input.fd, &status) == 0 && S_ISREG(status.st_mode)) {
		manifest->check_at = lseek(manifest->input.fd, 0, SEEK_CUR);
		while (result > 0 && manifest->check_at >= 0)
			result = take_proper_line(manifest);
	}
	manifest->is_checked = true;
	manifest->at_end = false;
	manifest->number = 0;
	manifest->proper = 0;
	manifest->from = 0;
	manifest->to = 0;
	return result < 0 ? result : 0;
}

/* What stands behind the path. */
static void fill_extra(const struct manifest_line *line, struct iobatch_file *file)
{
	uint8_t *extra = (uint8_t *)file->path + file->path_length + 1;

	extra[0] = (uint8_t)line->algorithm;
	memcpy(extra + 1, line->digest, line->digest_size);
	file->extra_length = (uint16_t)(1 + line->digest_size);
}

static int manifest_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct manifest *manifest = (struct manifest *)source;
	const struct manifest_line *line = &manifest->line;
	int result = manifest->is_checked ? 0 : manifest_check(manifest);

	while (result == 0) {
		result = manifest->again ? 1 : take_proper_line(manifest);
		if (result <= 0)
			return result;
		manifest->again = false;
		if (manifest->names)
			result = names_fill(manifest->names, line->name, line->name_length, file);
		else
			source_fill(file, line->name, line->name_length);
		manifest->again = result == -EAGAIN;
	}
	if (result > 0)
		fill_extra(line, file);
	return result;
}

static void manifest_interrupt(struct iobatch_source *source)
{
	input_interrupt(&((struct manifest *)source)->input);
}

static void manifest_free(struct iobatch_source *source)
{
	struct manifest *manifest = (struct manifest *)source;

	names_free(manifest->names);
	if (manifest->input.stop_fd >= 0)
		input_deinit(&manifest->input);
	free(manifest);
}

static const struct source_kind manifest_kind = {
	.next = manifest_next,
	.free = manifest_free,
	.interrupt = manifest_interrupt,
};

int iobatch_source_manifest(const struct iobatch_manifest_options *given,
                            struct iobatch_source **ret_source)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct manifest *manifest;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (options.algorithm > IOBATCH_HASH_COUNT)
		return -EINVAL;
	manifest = malloc(sizeof(*manifest));
	if (!manifest)
		return -ENOMEM;
	memset(manifest, 0, offsetof(struct manifest, buffer));
	source_init(&manifest->source, &manifest_kind, IOBATCH_UNKNOWN);
	manifest->algorithm = options.algorithm;
	manifest->input.stop_fd = -1;
	result = input_init(&manifest->input, options.fd);
	if (result == 0)
		result = source_run_ahead(&manifest->source);
	if (result == 0 && options.root)
		result = names_new(&manifest->source, options.root, &manifest->names);
	if (result < 0)
		iobatch_source_free(&manifest->source);
	else
		*ret_source = &manifest->source;
	return result;
}

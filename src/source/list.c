/* SPDX-License-Identifier: MIT */
/*
 * Items from a list of names, read from a descriptor that stays the caller's. The buffer holds a
 * few of the longest names; what a read leaves unfinished moves to its front before the next one.
 * Names are bytes: nothing in them has a meaning but the separator, the delimiter of columns and
 * NUL, which no path can hold. What may be named is names.c's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "names.h"
#include "op/abi.h"
#include "source.h"

#define BUFFER_SIZE ((size_t)128 << 10)

struct list {
	struct iobatch_source source;
	struct input input;
	struct names *names; /* NULL: names are as they are */
	char separator;
	char delimiter;
	uint32_t column;   /* 0: the line is the name */
	bool is_checked;   /* all that can be checked beforehand was */
	off_t check_at;    /* while that goes on: what is read next */
	bool at_end;       /* a read has returned 0 */
	uint64_t number;   /* of the line last taken, from 1 */
	const char *again; /* a name that is to be tried once more; NULL = none */
	size_t again_length;
	size_t from; /* buffer[from..to) is read and not yet handed out */
	size_t to;
	char buffer[BUFFER_SIZE];
};

/* Reads more behind what is in the buffer, which has room. At the end of the file sets at_end. */
static int list_read(struct list *list)
{
	ssize_t size;

	if (list->from) {
		list->to -= list->from;
		memmove(list->buffer, list->buffer + list->from, list->to);
		list->from = 0;
	}
	if (list->is_checked) {
		source_flush(&list->source);
		size = input_read(&list->input, list->buffer + list->to, BUFFER_SIZE - list->to);
	} else {
		size = pread(list->input.fd, list->buffer + list->to, BUFFER_SIZE - list->to,
		             list->check_at);
		if (size < 0)
			size = -errno;
		else
			list->check_at += size;
	}
	if (size < 0)
		return (int)size;
	list->at_end = size == 0;
	list->to += (size_t)size;
	return 0;
}

/* The next line, which stays where it is until more is read. 1, 0 at the end, a negative errno. */
static int take_line(struct list *list, const char **ret_line, size_t *ret_length)
{
	size_t searched = 0; /* bytes after `from` that hold no separator */

	for (;;) {
		const char *line = list->buffer + list->from;
		size_t size = list->to - list->from;
		const char *separator = memchr(line + searched, list->separator, size - searched);
		size_t length = separator ? (size_t)(separator - line) : size;
		int rc;

		/* The last line may lack its separator. */
		if (separator || (list->at_end && size)) {
			list->from += length + (separator ? 1 : 0);
			list->number++;
			*ret_line = line;
			*ret_length = length;
			return 1;
		}
		if (list->at_end)
			return 0;
		if (size == BUFFER_SIZE || (!list->column && size >= IOBATCH_PATH_MAX))
			return -ENAMETOOLONG;
		rc = list_read(list);
		if (rc)
			return rc;
		searched = length;
	}
}

/* Cuts the column out of a line; false when there is none. */
static bool take_column(const struct list *list, const char **line, size_t *length)
{
	const char *end = *line + *length;

	for (uint32_t column = 1;; column++) {
		const char *delimiter = memchr(*line, list->delimiter, (size_t)(end - *line));

		if (column == list->column) {
			*length = (size_t)((delimiter ? delimiter : end) - *line);
			return true;
		}
		if (!delimiter)
			return false;
		*line = delimiter + 1;
	}
}

/* A name that is not below the root, or is none: said by name, and the end of the intake. */
static int refuse(struct list *list, int error, const char *name, size_t length)
{
	char text[IOBATCH_PATH_MAX];
	int rc;

	if (error != -EXDEV)
		return error;
	memcpy(text, name, length);
	text[length] = '\0';
	rc = source_leave_out(&list->source, error, text, NULL);
	return rc ? rc : error;
}

/* A line without the column: counted, and the list goes on. */
static int leave_line_out(struct list *list)
{
	char place[32];

	/* When it is checked beforehand, it will come again. */
	if (!list->is_checked)
		return 0;
	snprintf(place, sizeof(place), "line %llu", (unsigned long long)list->number);
	return source_leave_out(&list->source, -EBADMSG, place, NULL);
}

/* The next name that is one. Returns 1, or 0 at the end, or a negative errno. */
static int take_name(struct list *list, const char **ret_name, size_t *ret_length)
{
	for (;;) {
		int rc = take_line(list, ret_name, ret_length);

		if (rc <= 0)
			return rc;
		if (!*ret_length)
			continue;
		if (list->column && !take_column(list, ret_name, ret_length)) {
			rc = leave_line_out(list);
			if (rc)
				return rc;
			continue;
		}
		if (!*ret_length)
			continue;
		if (*ret_length >= IOBATCH_PATH_MAX)
			return -ENAMETOOLONG;
		if (memchr(*ret_name, '\0', *ret_length))
			return -EINVAL;
		rc = list->names ? names_check(list->names, *ret_name, *ret_length) : 0;
		return rc ? refuse(list, rc, *ret_name, *ret_length) : 1;
	}
}

/*
 * Looks at all names before the first is an item, when the list can be read twice: what a run does
 * with the good ones might not be undone when a bad one comes.
 */
static int list_check(struct list *list)
{
	struct stat status;
	const char *name;
	size_t length;
	int rc = 1;

	if (list->names && !fstat(list->input.fd, &status) && S_ISREG(status.st_mode)) {
		list->check_at = lseek(list->input.fd, 0, SEEK_CUR);
		while (rc > 0 && list->check_at >= 0)
			rc = take_name(list, &name, &length);
	}
	list->is_checked = true;
	list->at_end = false;
	list->number = 0;
	list->from = 0;
	list->to = 0;
	return rc < 0 ? rc : 0;
}

static int list_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct list *list = (struct list *)source;
	int rc = list->is_checked ? 0 : list_check(list);

	if (rc)
		return rc;
	for (;;) {
		const char *name = list->again;
		size_t length = list->again_length;

		rc = name ? 1 : take_name(list, &name, &length);
		if (rc <= 0)
			return rc;
		list->again = NULL;
		if (!list->names) {
			source_fill(file, name, length);
			return 1;
		}
		rc = names_fill(list->names, name, length, file);
		if (rc == -EAGAIN) {
			list->again = name;
			list->again_length = length;
		}
		if (rc)
			return rc;
	}
}

static void list_interrupt(struct iobatch_source *source)
{
	input_interrupt(&((struct list *)source)->input);
}

static void list_free(struct iobatch_source *source)
{
	struct list *list = (struct list *)source;

	names_free(list->names);
	if (list->input.stop_fd >= 0)
		input_deinit(&list->input);
	free(list);
}

static const struct source_kind list_kind = {
	.next = list_next,
	.free = list_free,
	.interrupt = list_interrupt,
};

int iobatch_source_list(const struct iobatch_list_options *given,
                        struct iobatch_source **ret_source)
{
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;
	struct list *list;
	int rc;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (options.column && options.delimiter == options.separator)
		return -EINVAL;
	list = malloc(sizeof(*list));
	if (!list)
		return -ENOMEM;
	memset(list, 0, offsetof(struct list, buffer));
	source_init(&list->source, &list_kind, IOBATCH_UNKNOWN);
	list->separator = options.separator;
	list->delimiter = options.delimiter;
	list->column = options.column;
	list->input.stop_fd = -1;
	rc = input_init(&list->input, options.fd);
	if (!rc)
		rc = source_run_ahead(&list->source);
	if (!rc && options.root)
		rc = names_new(&list->source, options.root, &list->names);
	if (rc)
		iobatch_source_free(&list->source);
	else
		*ret_source = &list->source;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * Items from a list of names, read from a descriptor that stays the caller's. The buffer holds a
 * few dozen of the longest names; what a read leaves unfinished moves to its front before the next
 * one. Names are bytes: nothing in them has a meaning but the separator and NUL, which no path can
 * hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

#define BUFFER_SIZE ((size_t)128 << 10)

struct list {
	struct iobatch_source source;
	int fd;
	char separator;
	bool at_end; /* read() has returned 0 */
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
	for (;;) {
		size = read(list->fd, list->buffer + list->to, BUFFER_SIZE - list->to);
		if (size >= 0)
			break;
		if (errno == EAGAIN) {
			/* Someone has made the descriptor non-blocking: wait all the same. */
			struct pollfd poll_fd = {.fd = list->fd, .events = POLLIN};

			if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
				return -errno;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	list->at_end = size == 0;
	list->to += (size_t)size;
	return 0;
}

static int list_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct list *list = (struct list *)source;
	size_t searched = 0; /* bytes after `from` that hold no separator */

	for (;;) {
		const char *name = list->buffer + list->from;
		size_t size = list->to - list->from;
		const char *separator = memchr(name + searched, list->separator, size - searched);
		size_t length = separator ? (size_t)(separator - name) : size;

		if (length >= IOBATCH_PATH_MAX)
			return -ENAMETOOLONG;
		if (!separator && !list->at_end) {
			int rc = list_read(list);

			if (rc)
				return rc;
			searched = length;
			continue;
		}
		/* The last name may lack its separator. */
		list->from += length + (separator ? 1 : 0);
		searched = 0;
		if (length) {
			if (memchr(name, '\0', length))
				return -EINVAL;
			source_fill(file, name, length);
			return 1;
		}
		if (!separator)
			return 0;
	}
}

static void list_free(struct iobatch_source *source)
{
	free(source);
}

static const struct source_kind list_kind = {list_next, list_free};

int iobatch_source_list(int fd, char separator, struct iobatch_source **ret_source)
{
	struct list *list;

	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	list = malloc(sizeof(*list));
	if (!list)
		return -ENOMEM;
	source_init(&list->source, &list_kind, IOBATCH_UNKNOWN);
	list->fd = fd;
	list->separator = separator;
	list->at_end = false;
	list->from = 0;
	list->to = 0;
	*ret_source = &list->source;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Copies extended attributes: see xattr.h. Names and values may change while they are read, so both
 * are read into buffers that grow until they fit.
 */
#include "op/xattr.h"

#include <errno.h>
#include <iobatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

struct text {
	char *bytes;
	size_t size;   /* of the memory */
	size_t length; /* of what is in it */
};

static int text_grow(struct text *text, ssize_t wanted)
{
	char *grown;

	if (wanted < 0)
		return -errno;
	if ((size_t)wanted <= text->size)
		return 0;
	grown = realloc(text->bytes, (size_t)wanted);
	if (!grown)
		return -ENOMEM;
	text->bytes = grown;
	text->size = (size_t)wanted;
	return 0;
}

/* The names that a file has; `name` given: the value of that one. */
static int text_read(struct text *text, int fd, const char *name)
{
	for (;;) {
		ssize_t got;
		int result = text_grow(text, name ? fgetxattr(fd, name, NULL, 0)
		                                  : flistxattr(fd, NULL, 0));

		if (result < 0)
			return result;
		got = name ? fgetxattr(fd, name, text->bytes, text->size)
		           : flistxattr(fd, text->bytes, text->size);
		if (got >= 0) {
			text->length = (size_t)got;
			return 0;
		}
		/* It has grown meanwhile. */
		if (errno != ERANGE)
			return -errno;
	}
}

static uint32_t class_of(const char *name)
{
	if (!strncmp(name, "user.", 5))
		return IOBATCH_XATTR_USER;
	if (!strncmp(name, "system.posix_acl_", 17))
		return IOBATCH_XATTR_ACL;
	if (!strncmp(name, "security.", 9))
		return IOBATCH_XATTR_SECURITY;
	if (!strncmp(name, "trusted.", 8))
		return IOBATCH_XATTR_TRUSTED;
	return 0;
}

static bool has(const struct text *names, const char *name)
{
	for (size_t at = 0; at < names->length; at += strlen(names->bytes + at) + 1)
		if (!strcmp(names->bytes + at, name))
			return true;
	return false;
}

/* A file system that knows no attributes has none: that is no error of a list. */
static int list(struct text *names, int fd)
{
	int result = text_read(names, fd, NULL);

	if (result == -EOPNOTSUPP) {
		names->length = 0;
		return 0;
	}
	return result;
}

static int give(const struct text *names, int from, int to, uint32_t classes, struct text *value)
{
	for (size_t at = 0; at < names->length; at += strlen(names->bytes + at) + 1) {
		const char *name = names->bytes + at;
		int result;

		if (!(class_of(name) & classes))
			continue;
		result = text_read(value, from, name);
		/* It was removed meanwhile. */
		if (result == -ENODATA)
			continue;
		if (result == 0 && fsetxattr(to, name, value->bytes, value->length, 0) < 0)
			result = -errno;
		if (result < 0)
			return result;
	}
	return 0;
}

static int take(const struct text *old, const struct text *names, int to, uint32_t classes)
{
	for (size_t at = 0; at < old->length; at += strlen(old->bytes + at) + 1) {
		const char *name = old->bytes + at;

		if (class_of(name) & classes && !has(names, name) && fremovexattr(to, name) < 0 &&
		    errno != ENODATA)
			return -errno;
	}
	return 0;
}

int xattr_copy(int from, int to, uint32_t classes)
{
	struct text names = {NULL}, old = {NULL}, value = {NULL};
	int result = list(&names, from);

	if (result == 0)
		result = list(&old, to);
	if (result == 0)
		result = take(&old, &names, to, classes);
	if (result == 0)
		result = give(&names, from, to, classes, &value);
	free(names.bytes);
	free(old.bytes);
	free(value.bytes);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * Texts with placeholders, such as "{dir}/{stem}.bak": taken apart once, filled in for each item.
 */
#ifndef PROCESSOR_TEMPLATE_H
#define PROCESSOR_TEMPLATE_H

#include <iobatch.h>

struct template;

/* A part of a name: the groups of a pattern. */
struct template_bytes {
	const char *start;
	size_t length;
};

/* {1} to {9}, where they mean something. */
#define TEMPLATE_GROUPS_MAX 9u

/*
 * Takes `text` apart. -EINVAL: it cannot mean anything; *ret_error is then a message that the
 * caller frees. -ENOMEM. The text is copied. `groups` is how many of {1} to {9} there are.
 */
int template_new(const char *text, unsigned groups, struct template **ret_template,
                 char **ret_error);
void template_free(struct template *template);

/* Bytes of space that template_expand() may need for any item: 0 when it needs none. */
size_t template_space(const struct template *template);

/*
 * Fills in the placeholders for a file. *ret_text is NUL-terminated and lives as long as the
 * template, the file and `space`, which has template_space() bytes. Returns how many of them are
 * used, or -ENAMETOOLONG when the text does not fit PATH_MAX. `groups` are those that the template
 * was made with.
 */
ssize_t template_expand(const struct template *template, const struct iobatch_file *file,
                        uint64_t index, const struct template_bytes *groups, char *space,
                        const char **ret_text);

/*
 * The same for a path. Where the source holds the file's directory open, and the path is that of
 * the file, with or without something behind it ("{path}.bak"), or of another name in its directory
 * ("{dir}/{stem}.tmp"), the text is one component, and *ret_dirfd the directory that it starts
 * from; otherwise that is AT_FDCWD.
 */
ssize_t template_expand_path(const struct template *template, const struct iobatch_file *file,
                             uint64_t index, char *space, const char **ret_path, int *ret_dirfd);

#endif

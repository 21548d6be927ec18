/* SPDX-License-Identifier: MIT */
/*
 * Texts with placeholders, such as "{dir}/{stem}.bak": taken apart once, filled in for each item.
 */
#ifndef PROCESSOR_TEMPLATE_H
#define PROCESSOR_TEMPLATE_H

#include <iobatch.h>

struct template;

/*
 * Takes `text` apart. -EINVAL: it cannot mean anything; *ret_error is then a message that the
 * caller frees. -ENOMEM. The text is copied.
 */
int template_new(const char *text, struct template **ret_template, char **ret_error);
void template_free(struct template *template);

/* Bytes of space that template_expand() may need for any item: 0 when it needs none. */
size_t template_space(const struct template *template);

/*
 * Fills in the placeholders for a file. *ret_text is NUL-terminated and lives as long as the
 * template, the file and `space`, which has template_space() bytes. Returns how many of them are
 * used, or -ENAMETOOLONG when the text does not fit IOBATCH_PATH_MAX.
 */
ssize_t template_expand(const struct template *template, const struct iobatch_file *file,
                        uint64_t index, char *space, const char **ret_text);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Names that come from outside, and are of files below a root: whether a name is one, and the
 * directory that its file is in, which is reached from the root one component at a time and through
 * no symbolic link. The directories on the way to the last name are kept: lists are mostly sorted.
 */
#ifndef SOURCE_NAMES_H
#define SOURCE_NAMES_H

#include "directory.h"
#include "source.h"

struct names;

/* Opens the root, for items of `source`. */
int names_new(struct iobatch_source *source, const char *root, struct names **ret_names);
/* NULL is none. To be called when the source has stopped. */
void names_free(struct names *names);

/*
 * Whether a name is below the root: 0, or -EXDEV when it is absolute and does not begin with the
 * root, or has a component ".."; -ENAMETOOLONG when it does not fit a struct iobatch_file.
 */
int names_check(const struct names *names, const char *name, size_t length);

/*
 * Fills `file` with the file of a name that was checked. Returns 1; or 0 when its directory cannot
 * be reached, which is counted; or -EAGAIN, to wait for descriptors; or a negative errno that ends
 * the intake. When its directory is not there, it is an item that no op can find (-ENOENT).
 */
int names_fill(struct names *names, const char *name, size_t length, struct iobatch_file *file);

#endif

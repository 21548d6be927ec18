/* SPDX-License-Identifier: MIT */
/* Extended attributes from file to file, for the op copy_xattrs. */
#ifndef OP_XATTR_H
#define OP_XATTR_H

#include <stdint.h>

/*
 * Gives `to` those attributes of `from` that are of the `classes` (IOBATCH_XATTR_*), and takes from
 * it those of the same classes that `from` has not. A file system without attributes has none.
 * Returns 0 or a negative errno.
 */
int xattr_copy(int from, int to, uint32_t classes);

#endif

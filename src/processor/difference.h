/* SPDX-License-Identifier: MIT */
/*
 * What makes two files different, and how it is called. This part knows attributes; neither names
 * nor ops.
 */
#ifndef PROCESSOR_DIFFERENCE_H
#define PROCESSOR_DIFFERENCE_H

#include <stdint.h>

#include <iobatch.h>

/* What was found to differ: IOBATCH_COMPARE_*, and besides: */
#define FOUND_TARGET 64u  /* of symbolic links */
#define FOUND_NUMBER 128u /* of devices */
#define FOUND_ONLY 256u   /* there is no counterpart */

/* What differs of the attributes that are asked for, IOBATCH_COMPARE_*. */
uint32_t difference_of(uint32_t what, const struct statx *own, const struct statx *other);

#define DIFFERENCE_NAME_MAX 256u

/* Writes ": size, mtime" or the like; `byte` is where contents differ first. */
void difference_name(uint32_t found, uint64_t byte, char *ret_text);

#endif

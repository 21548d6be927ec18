/* SPDX-License-Identifier: MIT */
/*
 * Modes as chmod(1) takes them: taken apart once, applied to the mode that each file has.
 */
#ifndef PROCESSOR_MODE_H
#define PROCESSOR_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct mode_change;

/*
 * Takes `text` apart: octal digits, or clauses such as "u+rwX,go-w". -EINVAL: it means nothing.
 * -ENOMEM. A clause that does not say whose bits it is about leaves out those of the process's
 * file mode creation mask, which is asked for here, if there is such a clause.
 */
int mode_new(const char *text, struct mode_change **ret_change);
/* The same with a given mask. */
int mode_new_masked(const char *text, uint32_t umask, struct mode_change **ret_change);
void mode_free(struct mode_change *change);

/* The permission bits (07777) that a file with `mode` gets. */
uint32_t mode_apply(const struct mode_change *change, uint32_t mode, bool directory);

/* Are these bits the same whatever the file has? */
bool mode_is_fixed(const struct mode_change *change, bool directory);

#endif

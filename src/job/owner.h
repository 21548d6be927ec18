/* SPDX-License-Identifier: MIT */
/* Users and groups by name or number. Asks the machine's own databases, and keeps nothing. */
#ifndef JOB_OWNER_H
#define JOB_OWNER_H

#include <stdint.h>

/*
 * The number of a user or a group; a text of digits is the number, as with chown(1) when nobody has
 * that name. -ENOENT: there is none of that name. -ERANGE: no such number can be. -ENOMEM.
 */
int owner_find_user(const char *name, uint64_t *ret_number);
int owner_find_group(const char *name, uint64_t *ret_number);

#endif

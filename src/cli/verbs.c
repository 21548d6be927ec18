/* SPDX-License-Identifier: MIT */
/* The list of verbs: see verbs.h. */
#include "cli/verbs.h"

const struct verb *const verbs[] = {
	&verb_copy,   &verb_move,  &verb_hash,     &verb_verify, &verb_compare, &verb_remove,
	&verb_rename, &verb_stat,  &verb_read,     &verb_write,  &verb_sync,    &verb_touch,
	&verb_chmod,  &verb_chown, &verb_truncate, NULL,
};

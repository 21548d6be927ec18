/* SPDX-License-Identifier: MIT */
/* The verbs, one by one: for the list of them. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/verb.h"

extern const struct verb verb_copy;
extern const struct verb verb_move;
extern const struct verb verb_hash;
extern const struct verb verb_verify;
extern const struct verb verb_compare;
extern const struct verb verb_remove;
extern const struct verb verb_rename;
extern const struct verb verb_stat;
extern const struct verb verb_read;
extern const struct verb verb_write;
extern const struct verb verb_sync;
extern const struct verb verb_touch;
extern const struct verb verb_chmod;
extern const struct verb verb_chown;
extern const struct verb verb_truncate;

/* All of them, in the order in which they are listed; NULL ends them. */
extern const struct verb *const verbs[];

#endif

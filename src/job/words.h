/* SPDX-License-Identifier: MIT */
/* The words of a job that several tables have. The first of each is the default. */
#ifndef JOB_WORDS_H
#define JOB_WORDS_H

#include <iobatch.h>

extern const struct iobatch_word words_algorithms[];
/* The same and "auto": by the length of the digest. */
extern const struct iobatch_word words_manifest_algorithms[];
extern const struct iobatch_word words_existing[];
extern const struct iobatch_word words_fsync[];

#endif

/* SPDX-License-Identifier: MIT */
/* Which word somebody may have meant who wrote another. */
#ifndef JOB_NEAREST_H
#define JOB_NEAREST_H

/* The most edits that a word may be away from what is meant. */
#define NEAREST_EDITS_MAX 2u

/* The number of edits that make one word of the other, for words of a key's length. */
unsigned nearest_distance(const char *a, const char *b);

#endif

/* SPDX-License-Identifier: MIT */
/* Failed items by kind: the op and the error. Takes the same memory however many fail. */
#ifndef ENGINE_ERRORS_H
#define ENGINE_ERRORS_H

#include <stdbool.h>

#include <iobatch.h>

#define ERRORS_KINDS_MAX 64u

struct errors {
	struct iobatch_error_group groups[ERRORS_KINDS_MAX];
	unsigned count;
	bool has_others; /* the last group is of all other kinds */
};

void errors_add(struct errors *errors, const struct iobatch_outcome *outcome);
/* A copy, the most frequent first. 0, or -ENOMEM. */
int errors_give(const struct errors *errors, struct iobatch_error_group **ret_groups,
                uint64_t *ret_count);

#endif

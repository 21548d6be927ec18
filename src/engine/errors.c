/* SPDX-License-Identifier: MIT */
/*
 * See errors.h. Each kind has the place in which it came first, until there are more kinds than
 * places: then the last one is for all that have none.
 *
 * Invariant: the counts of all groups together are the items that have failed. Nothing is locked
 * here: that is the caller's business.
 */
#include "engine/errors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MAX (sizeof(((struct iobatch_error_group *)NULL)->first) / sizeof(uint64_t))

static bool is_of(const struct iobatch_error_group *group, const struct iobatch_outcome *outcome)
{
	if (group->error != outcome->error || group->opcode != outcome->opcode)
		return false;
	return outcome->error != IOBATCH_OWN_ERROR || group->error_name == outcome->error_name ||
	       strcmp(group->error_name, outcome->error_name) == 0;
}

static struct iobatch_error_group *find(struct errors *errors,
                                        const struct iobatch_outcome *outcome)
{
	unsigned kinds = errors->count - errors->has_others;
	struct iobatch_error_group *group;

	for (unsigned i = 0; i < kinds; i++) {
		if (is_of(&errors->groups[i], outcome))
			return &errors->groups[i];
	}
	if (errors->count < ERRORS_KINDS_MAX) {
		group = &errors->groups[errors->count++];
		group->error = outcome->error;
		group->opcode = outcome->opcode;
		group->error_name = outcome->error_name;
		group->message = outcome->message;
		return group;
	}
	group = &errors->groups[ERRORS_KINDS_MAX - 1];
	if (!errors->has_others) {
		errors->has_others = true;
		group->error = 0;
		group->opcode = -1;
		group->error_name = "EOTHERS";
		group->message = "errors of other kinds";
	}
	return group;
}

void errors_add(struct errors *errors, const struct iobatch_outcome *outcome)
{
	struct iobatch_error_group *group = find(errors, outcome);
	uint64_t known = group->count < FIRST_MAX ? group->count : FIRST_MAX;
	uint64_t place = known < FIRST_MAX ? known : FIRST_MAX - 1;

	group->count++;
	/* The lowest, in order: rings settle items in any. */
	if (known == FIRST_MAX && outcome->index > group->first[place])
		return;
	while (place > 0 && group->first[place - 1] > outcome->index) {
		group->first[place] = group->first[place - 1];
		place--;
	}
	group->first[place] = outcome->index;
}

static int by_count(const void *a, const void *b)
{
	const struct iobatch_error_group *left = a, *right = b;

	/* What is of other kinds comes last. */
	if ((left->error == 0) != (right->error == 0))
		return left->error == 0 ? 1 : -1;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return left->first[0] < right->first[0] ? -1 : 1;
}

int errors_give(const struct errors *errors, struct iobatch_error_group **ret_groups,
                uint64_t *ret_count)
{
	struct iobatch_error_group *groups;

	if (errors->count == 0)
		return 0;
	groups = calloc(errors->count, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	memcpy(groups, errors->groups, errors->count * sizeof(*groups));
	qsort(groups, errors->count, sizeof(*groups), by_count);
	*ret_groups = groups;
	*ret_count = errors->count;
	return 0;
}

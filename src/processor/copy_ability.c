/* SPDX-License-Identifier: MIT */
/*
 * Owns the short table of pairs of file systems: see copy_ability.h. A tree seldom has more than a
 * few, so that it is looked through from end to end.
 */
#include "processor/copy_ability.h"

void copy_abilities_init(struct copy_abilities *abilities)
{
	abilities->count = 0;
	pthread_mutex_init(&abilities->lock, NULL);
}

void copy_abilities_deinit(struct copy_abilities *abilities)
{
	pthread_mutex_destroy(&abilities->lock);
}

static struct copy_pair *find(struct copy_abilities *abilities, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < abilities->count; i++) {
		if (abilities->pairs[i].from == from && abilities->pairs[i].to == to)
			return &abilities->pairs[i];
	}
	return NULL;
}

bool copy_can(struct copy_abilities *abilities, uint64_t from, uint64_t to, unsigned ability)
{
	const struct copy_pair *pair;
	bool can;

	pthread_mutex_lock(&abilities->lock);
	pair = find(abilities, from, to);
	can = !pair || !(pair->cannot & ability);
	pthread_mutex_unlock(&abilities->lock);
	return can;
}

void copy_cannot(struct copy_abilities *abilities, uint64_t from, uint64_t to, unsigned ability)
{
	struct copy_pair *pair;

	pthread_mutex_lock(&abilities->lock);
	pair = find(abilities, from, to);
	if (!pair && abilities->count < COPY_PAIRS_MAX) {
		pair = &abilities->pairs[abilities->count++];
		*pair = (struct copy_pair){.from = from, .to = to};
	}
	if (pair)
		pair->cannot |= ability;
	pthread_mutex_unlock(&abilities->lock);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the computations of digests that are in use or free. Invariant: one belongs to one item at a
 * time, and goes back when the digest is there or the attempt has failed. It knows no files.
 */
#include "processor/hasher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hasher {
	struct hasher *next; /* in the list of free ones */
	unsigned algorithm;
	struct digest *digest;
};

int hasher_pool_init(struct hasher_pool *pool)
{
	*pool = (struct hasher_pool){0};
	return -pthread_mutex_init(&pool->lock, NULL);
}

void hasher_pool_deinit(struct hasher_pool *pool)
{
	for (unsigned i = 0; i < IOBATCH_HASH_COUNT; i++) {
		while (pool->free[i]) {
			struct hasher *hasher = pool->free[i];

			pool->free[i] = hasher->next;
			digest_free(hasher->digest);
			free(hasher);
		}
	}
	pthread_mutex_destroy(&pool->lock);
}

static int hasher_get(struct hasher_pool *pool, const struct digest_algorithm *algorithm,
                      struct hasher **ret_hasher)
{
	unsigned number = digest_number(algorithm);
	struct hasher *hasher;
	int result;

	pthread_mutex_lock(&pool->lock);
	hasher = pool->free[number];
	if (hasher)
		pool->free[number] = hasher->next;
	pthread_mutex_unlock(&pool->lock);
	if (!hasher) {
		hasher = calloc(1, sizeof(*hasher));
		if (!hasher)
			return -ENOMEM;
		hasher->algorithm = number;
		result = digest_new(algorithm, &hasher->digest);
		if (result < 0) {
			free(hasher);
			return result;
		}
	}
	*ret_hasher = hasher;
	return 0;
}

void hashing_forget(struct hasher_pool *pool, struct hashing *hashing)
{
	struct hasher *hasher = hashing->hasher;

	if (!hasher)
		return;
	hashing->hasher = NULL;
	pthread_mutex_lock(&pool->lock);
	hasher->next = pool->free[hasher->algorithm];
	pool->free[hasher->algorithm] = hasher;
	pthread_mutex_unlock(&pool->lock);
}

static int hashing_begin(struct hasher_pool *pool, struct hashing *hashing,
                         const struct digest_algorithm *algorithm)
{
	int result = hasher_get(pool, algorithm, &hashing->hasher);

	return result < 0 ? result : digest_start(hashing->hasher->digest);
}

int hashing_add(struct hasher_pool *pool, struct hashing *hashing,
                const struct digest_algorithm *algorithm, const void *data, size_t length,
                bool whole)
{
	int result;

	if (!hashing->hasher) {
		if (whole && algorithm->once) {
			algorithm->once(data, length, hashing->value);
			hashing->done = true;
			return 0;
		}
		result = hashing_begin(pool, hashing, algorithm);
		if (result < 0)
			return result;
	}
	return digest_update(hashing->hasher->digest, data, length);
}

int hashing_end(struct hasher_pool *pool, struct hashing *hashing,
                const struct digest_algorithm *algorithm)
{
	int result = 0;

	if (hashing->done)
		return 0;
	/* Not a byte has come. */
	if (!hashing->hasher)
		result = hashing_add(pool, hashing, algorithm, "", 0, true);
	if (result == 0 && hashing->hasher)
		result = digest_finish(hashing->hasher->digest, hashing->value);
	if (result < 0)
		return result;
	hashing_forget(pool, hashing);
	hashing->done = true;
	return 0;
}

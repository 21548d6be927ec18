/* SPDX-License-Identifier: MIT */
/*
 * Digests of items: what the processors share that compute one for each item. A pool has as many
 * computations as there are large files in flight; a file of one block is hashed at once where the
 * algorithm can. This part knows digests and items; neither files nor what the digest is for.
 */
#ifndef PROCESSOR_HASHER_H
#define PROCESSOR_HASHER_H

#include <pthread.h>

#include "processor/digest.h"

struct hasher;

/* The computations that are free, by their algorithm. */
struct hasher_pool {
	pthread_mutex_t lock;
	struct hasher *free[IOBATCH_HASH_COUNT];
};

/* The digest of an item. Lives in item->state; zeroed before the first byte. */
struct hashing {
	struct hasher *hasher; /* NULL before the first byte and after the last */
	bool done;             /* `value` is there already */
	uint8_t value[DIGEST_SIZE_MAX];
};

int hasher_pool_init(struct hasher_pool *pool);
void hasher_pool_deinit(struct hasher_pool *pool);

/*
 * Adds the next bytes; `whole`: they are all there are. Returns 0 or the attempt's error. The
 * algorithm is a row of the table and the same for each call.
 */
int hashing_add(struct hasher_pool *pool, struct hashing *hashing,
                const struct digest_algorithm *algorithm, const void *data, size_t length,
                bool whole);

/* After the last byte: hashing->value is the digest. */
int hashing_end(struct hasher_pool *pool, struct hashing *hashing,
                const struct digest_algorithm *algorithm);

/* What was begun and will not be ended goes back to the pool. */
void hashing_forget(struct hasher_pool *pool, struct hashing *hashing);

#endif

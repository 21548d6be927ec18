/* SPDX-License-Identifier: MIT */
/*
 * The processor that computes a digest of each item and writes a manifest. It owns the digests that
 * are being computed, in a pool that grows to as many as there are large files in flight; the
 * reading is the reader's. A file of one block is hashed at once where the algorithm can.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/digest.h"
#include "processor/manifest.h"
#include "processor/reader.h"

static const struct iobatch_error no_whole_file = {
	.name = "EUNSUPPORTED",
	.message = "a manifest names whole files, not a range of one",
};

/* A digest of the pool. */
struct hasher {
	struct hasher *next; /* in the list of free ones */
	struct digest *digest;
};

struct hash_state {
	struct reader reader;  /* first: the reader's functions get it from item->state */
	struct hasher *hasher; /* NULL before the first byte and after the last */
	uint8_t value[DIGEST_SIZE_MAX];
};

struct hash_processor {
	struct iobatch_processor processor;
	struct reader_plan plan;
	const struct digest_algorithm *algorithm;
	struct manifest *manifest; /* NULL = none */
	pthread_mutex_t lock;      /* of the list */
	struct hasher *free;
};

/* ---------------------------------------------------------------- pool -- */

static int hasher_get(struct hash_processor *hash, struct hasher **ret_hasher)
{
	struct hasher *hasher;
	int result;

	pthread_mutex_lock(&hash->lock);
	hasher = hash->free;
	if (hasher)
		hash->free = hasher->next;
	pthread_mutex_unlock(&hash->lock);
	if (!hasher) {
		hasher = calloc(1, sizeof(*hasher));
		if (!hasher)
			return -ENOMEM;
		result = digest_new(hash->algorithm, &hasher->digest);
		if (result < 0) {
			free(hasher);
			return result;
		}
	}
	*ret_hasher = hasher;
	return 0;
}

static void hasher_put(struct hash_processor *hash, struct hash_state *state)
{
	struct hasher *hasher = state->hasher;

	if (!hasher)
		return;
	state->hasher = NULL;
	pthread_mutex_lock(&hash->lock);
	hasher->next = hash->free;
	hash->free = hasher;
	pthread_mutex_unlock(&hash->lock);
}

/* ------------------------------------------------------------- hashing -- */

static int hash_begin(struct hash_processor *hash, struct hash_state *state)
{
	int result = hasher_get(hash, &state->hasher);

	return result < 0 ? result : digest_start(state->hasher->digest);
}

static int hash_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length)
{
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;
	int result;

	if (!state->hasher) {
		if (hash->algorithm->once && reader_finished(&state->reader)) {
			hash->algorithm->once(op->buffer, length, state->value);
			return 0;
		}
		result = hash_begin(hash, state);
		if (result < 0)
			return result;
	}
	return digest_update(state->hasher->digest, op->buffer, length);
}

static int hash_end(struct hash_processor *hash, struct iobatch_item *item)
{
	struct hash_state *state = item->state;
	int result = 0;

	if (!state->hasher && hash->algorithm->once) {
		if (item->bytes == 0)
			hash->algorithm->once("", 0, state->value);
		return 0;
	}
	if (!state->hasher)
		result = hash_begin(hash, state);
	if (result == 0)
		result = digest_finish(state->hasher->digest, state->value);
	if (result < 0)
		return result;
	hasher_put(hash, state);
	return 0;
}

static int hash_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;
	const struct iobatch_file *object = reader_object(item);
	int result;

	if (hash->manifest && object && (object->offset > 0 || object->length > 0))
		return iobatch_item_fail(item, &no_whole_file);
	result = reader_next(&hash->plan, &state->reader, item, done, chain, item->scratch);
	return result == IOBATCH_DONE ? hash_end(hash, item) : result;
}

static int hash_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;

	return reader_complete(&hash->plan, &state->reader, item, chain, op);
}

/* There is nothing to undo, but a failed attempt's digest is free again. */
static int hash_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	(void)chain;
	hasher_put(context, item->state);
	return IOBATCH_DONE;
}

static int hash_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct hash_processor *hash = context;
	const struct hash_state *state = item->state;
	const struct iobatch_file *object = item->object;
	char line[2 * IOBATCH_PATH_MAX + DIGEST_LINE_OVERHEAD];

	if (!hash->manifest)
		return 0;
	if (outcome->error || manifest_is(hash->manifest, object->path))
		return manifest_add(hash->manifest, item->index, NULL, 0);
	return manifest_add(hash->manifest, item->index, line,
	                    digest_line(hash->algorithm, state->value, object->path, line));
}

static int hash_finish(void *context)
{
	struct hash_processor *hash = context;

	return hash->manifest ? manifest_finish(hash->manifest) : 0;
}

static void hash_free(struct iobatch_processor *processor)
{
	struct hash_processor *hash = processor->context;

	while (hash->free) {
		struct hasher *hasher = hash->free;

		hash->free = hasher->next;
		digest_free(hasher->digest);
		free(hasher);
	}
	manifest_free(hash->manifest);
	pthread_mutex_destroy(&hash->lock);
	free(hash);
}

const char *iobatch_hash_name(unsigned algorithm)
{
	const struct digest_algorithm *row = digest_algorithm(algorithm);

	return row ? row->name : NULL;
}

int iobatch_hash_new(const struct iobatch_hash_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_hash_options options = IOBATCH_HASH_OPTIONS_INIT;
	const struct digest_algorithm *algorithm;
	struct hash_processor *hash;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	algorithm = digest_algorithm(options.algorithm);
	if (!algorithm || reader_check(options.block_size, options.depth) < 0)
		return -EINVAL;
	hash = calloc(1, sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	result = -pthread_mutex_init(&hash->lock, NULL);
	if (result < 0) {
		free(hash);
		return result;
	}
	hash->algorithm = algorithm;
	hash->plan = (struct reader_plan){
		.block_size = options.block_size,
		.depth = options.depth,
		.ordered = true,
		.take = hash_take,
		.context = hash,
	};
	hash->processor = (struct iobatch_processor){
		.size = sizeof(hash->processor),
		.name = "hash",
		.context = hash,
		.state_size = sizeof(struct hash_state),
		.scratch_size = sizeof(struct statx),
		.chain_ops_max = options.depth > 2 ? options.depth : 2,
		.files_max = 1,
		.buffer_size = options.block_size,
		.buffers_min = 1,
		.buffers_max = options.depth,
		.next = hash_next,
		.complete = hash_complete,
		.cleanup = hash_cleanup,
		.settled = hash_settled,
		.finish = hash_finish,
		.free = hash_free,
	};
	if (options.manifest)
		result = manifest_new(options.manifest, &hash->manifest);
	if (result < 0) {
		hash_free(&hash->processor);
		return result;
	}
	*ret_processor = &hash->processor;
	return 0;
}

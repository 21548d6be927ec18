/* SPDX-License-Identifier: MIT */
/*
 * The processors that compute a digest of each item: hash writes a manifest, verify compares with
 * the digest that the item has brought and writes a report. They differ only in what is done with
 * the digest when an item has settled. The reading is the reader's, the computing the hasher's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/digest.h"
#include "processor/hasher.h"
#include "processor/reader.h"
#include "processor/report.h"

static const struct iobatch_error no_whole_file = {
	.name = "EUNSUPPORTED",
	.message = "a manifest names whole files, not a range of one",
};

static const struct iobatch_error no_digest = {
	.name = "ENODIGEST",
	.message = "the item has not brought the digest that it should have",
};

static const struct iobatch_error mismatch = {
	.name = "EMISMATCH",
	.message = "the content has another digest than it should have",
};

struct hash_state {
	struct reader reader; /* first: the reader's functions get it from item->state */
	struct hashing hashing;
};

struct hash_processor {
	struct iobatch_processor processor;
	struct reader_plan plan;
	const struct digest_algorithm *algorithm; /* NULL = each item has brought its own */
	struct report *report;                    /* NULL = none */
	bool quiet;                               /* no lines for what is as it should be */
	struct hasher_pool pool;
};

/* What an item needs one after the other. */
union hash_scratch {
	struct statx statx;         /* while it is read */
	char note[DIGEST_NOTE_MAX]; /* of its digest, until its outcome has been told */
};

/* ------------------------------------------------------------- hashing -- */

/* What an item that was made from a line of a manifest has brought. */
static const uint8_t *expected_digest(const struct iobatch_file *object,
                                      const struct digest_algorithm **ret_algorithm)
{
	const uint8_t *extra = (const uint8_t *)object->path + object->path_length + 1;
	const struct digest_algorithm *algorithm;

	if (object->extra_length == 0)
		return NULL;
	algorithm = digest_algorithm(extra[0]);
	if (!algorithm || object->extra_length != 1 + algorithm->size)
		return NULL;
	*ret_algorithm = algorithm;
	return extra + 1;
}

/* The algorithm of an item whose object has been checked. */
static const struct digest_algorithm *algorithm_of(const struct hash_processor *hash,
                                                   const struct iobatch_item *item)
{
	const struct digest_algorithm *algorithm = hash->algorithm;

	if (!algorithm)
		expected_digest(item->object, &algorithm);
	return algorithm;
}

static int hash_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length)
{
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;

	return hashing_add(&hash->pool, &state->hashing, algorithm_of(hash, item), op->buffer,
	                   length, reader_finished(&state->reader));
}

/* Whether the digest is known from an earlier run; then it is there. */
static bool is_known(const struct hash_processor *hash, const struct iobatch_item *item)
{
	const struct iobatch_file *object = file_object(item);
	struct hash_state *state = item->state;

	if (!object || object->known_length == 0)
		return false;
	state->hashing.done = digest_read_note(algorithm_of(hash, item), file_note(object),
	                                       object->known_length, state->hashing.value);
	return state->hashing.done;
}

static int hash_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;
	union hash_scratch *scratch = item->scratch;
	const struct iobatch_file *object = file_object(item);
	int result;

	if (hash->report && object && (object->offset > 0 || object->length > 0))
		return iobatch_item_fail(item, &no_whole_file);
	if (object && !algorithm_of(hash, item))
		return iobatch_item_fail(item, &no_digest);
	if (state->reader.phase == READER_START && is_known(hash, item))
		return IOBATCH_DONE;
	result = reader_next(&hash->plan, &state->reader, item, done, chain, &scratch->statx);
	if (result != IOBATCH_DONE)
		return result;
	return hashing_end(&hash->pool, &state->hashing, algorithm_of(hash, item));
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
	struct hash_processor *hash = context;
	struct hash_state *state = item->state;

	(void)chain;
	hashing_forget(&hash->pool, &state->hashing);
	return IOBATCH_DONE;
}

/* ------------------------------------------------- what a digest is for -- */

/* For the journal: so that the file need not be read again. */
static void note_digest(const struct hash_processor *hash, struct iobatch_item *item)
{
	const struct hash_state *state = item->state;
	union hash_scratch *scratch = item->scratch;

	iobatch_item_note(
		item, scratch->note,
		digest_note(algorithm_of(hash, item), state->hashing.value, scratch->note));
}

static int hash_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct hash_processor *hash = context;
	const struct hash_state *state = item->state;
	const struct iobatch_file *object = item->object;
	char line[2 * IOBATCH_PATH_MAX + DIGEST_LINE_OVERHEAD];

	if (outcome->error || outcome->skipped || (hash->report && report_is(hash->report, object)))
		return hash->report ? report_add(hash->report, item->index, NULL, 0) : 0;
	note_digest(hash, item);
	if (!hash->report)
		return 0;
	return report_add(hash->report, item->index, line,
	                  digest_line(hash->algorithm, state->hashing.value, object->path, line));
}

/* Is the digest the one that was expected? A mismatch is what settling fails with: it is not tried
 * again. */
static int verify_judge(struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	const struct hash_state *state = item->state;
	const struct digest_algorithm *algorithm = NULL;
	const uint8_t *expected;

	if (outcome->error)
		return outcome->error;
	expected = expected_digest(item->object, &algorithm);
	/* An attempt without a digest to look for has failed. */
	if (!expected)
		return -EINVAL;
	if (memcmp(expected, state->hashing.value, algorithm->size) == 0)
		return 0;
	return iobatch_item_fail(item, &mismatch);
}

static int verify_settled(void *context, struct iobatch_item *item,
                          const struct iobatch_outcome *outcome)
{
	struct hash_processor *hash = context;
	const struct iobatch_file *object = file_object(item);
	int verdict = verify_judge(item, outcome);
	char line[REPORT_LINE_MAX], reason[128];
	size_t length = 0;
	int result;

	if (verdict == 0)
		note_digest(hash, item);
	if (!hash->report)
		return verdict;
	if (verdict == 0)
		strcpy(reason, ": OK");
	else if (!outcome->error)
		strcpy(reason, ": FAILED");
	else if (outcome->error == -ENOENT || outcome->error == -ENOTDIR)
		strcpy(reason, ": MISSING");
	else
		snprintf(reason, sizeof(reason), ": ERROR %s", outcome->error_name);
	if (object && (verdict || !hash->quiet))
		length = report_line("", object->path, reason, line);
	result = report_add(hash->report, item->index, line, length);
	return verdict ? verdict : result;
}

static void hash_abandon(void *context, int error)
{
	struct hash_processor *hash = context;

	(void)error;
	report_abandon(hash->report);
}

static int hash_finish(void *context)
{
	struct hash_processor *hash = context;

	return report_finish(hash->report);
}

static void hash_free(struct iobatch_processor *processor)
{
	struct hash_processor *hash = processor->context;

	report_free(hash->report);
	hasher_pool_deinit(&hash->pool);
	free(hash);
}

const char *iobatch_hash_name(unsigned algorithm)
{
	const struct digest_algorithm *row = digest_algorithm(algorithm);

	return row ? row->name : NULL;
}

/* What both have in common; the options are checked. */
static int make(uint32_t block_size, uint32_t depth, const char *report,
                struct hash_processor **ret_hash)
{
	struct hash_processor *hash = calloc(1, sizeof(*hash));
	int result;

	if (!hash)
		return -ENOMEM;
	result = hasher_pool_init(&hash->pool);
	if (result < 0) {
		free(hash);
		return result;
	}
	hash->plan = (struct reader_plan){
		.block_size = block_size,
		.depth = depth,
		.ordered = true,
		.take = hash_take,
		.context = hash,
	};
	hash->processor = (struct iobatch_processor){
		.size = sizeof(hash->processor),
		.context = hash,
		.state_size = sizeof(struct hash_state),
		.scratch_size = sizeof(union hash_scratch),
		.chain_ops_max = depth > 2 ? depth : 2,
		.files_max = 1,
		.buffer_size = block_size,
		.buffers_min = 1,
		.buffers_max = depth,
		.next = hash_next,
		.complete = hash_complete,
		.cleanup = hash_cleanup,
		.abandon = hash_abandon,
		.finish = hash_finish,
		.free = hash_free,
	};
	if (report)
		result = report_new(report, &hash->report);
	if (result < 0) {
		hash_free(&hash->processor);
		return result;
	}
	*ret_hash = hash;
	return 0;
}

int iobatch_hash_new(const struct iobatch_hash_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_hash_options options = IOBATCH_HASH_OPTIONS_INIT;
	struct hash_processor *hash;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!digest_algorithm(options.algorithm) ||
	    reader_check(options.block_size, options.depth) < 0)
		return -EINVAL;
	result = make(options.block_size, options.depth, options.manifest, &hash);
	if (result < 0)
		return result;
	hash->algorithm = digest_algorithm(options.algorithm);
	hash->processor.name = "hash";
	hash->processor.settled = hash_settled;
	*ret_processor = &hash->processor;
	return 0;
}

int iobatch_verify_new(const struct iobatch_verify_options *given,
                       struct iobatch_processor **ret_processor)
{
	struct iobatch_verify_options options = IOBATCH_VERIFY_OPTIONS_INIT;
	struct hash_processor *verify;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (options.quiet > 1 || reader_check(options.block_size, options.depth) < 0)
		return -EINVAL;
	result = make(options.block_size, options.depth, options.report, &verify);
	if (result < 0)
		return result;
	verify->quiet = options.quiet;
	verify->processor.name = "verify";
	verify->processor.settled = verify_settled;
	*ret_processor = &verify->processor;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The processor that makes files of known content. It owns the way of an item: what is in its place
 * is looked at, the bytes are written under a temporary name with several blocks in flight, and the
 * file gets its name when it is whole (fill_name.c). Only a block device is written in place.
 * Blocks are made, and added to the digest, in the order of the file; they are written in any
 * order. What is written is the pattern's business, the digest the hasher's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/digest.h"
#include "processor/file.h"
#include "processor/fill.h"
#include "processor/pattern.h"
#include "processor/reader.h"
#include "processor/temporary.h"

/* The longest chain without lanes: open, write, sync. */
#define CHAIN_OPS_MIN 3u

static const struct iobatch_error no_whole_file = {
	.name = "EUNSUPPORTED",
	.message = "files are made by their names; this is a range of one or already open",
};

static const struct iobatch_error refused = {
	.name = "EREFUSED",
	.message = "what is there is neither a regular file nor a block device",
};

/* -------------------------------------------------------------- blocks -- */

/* Makes the next block in the lane's buffer, and `op` its write. */
static int write_block(struct fill_processor *fill, struct iobatch_item *item, unsigned lane,
                       struct iobatch_op *ret_op)
{
	const struct iobatch_fill_options *options = &fill->options;
	struct fill_state *state = item->state;
	uint64_t rest = options->length - state->next;
	size_t length = rest < options->block_size ? (size_t)rest : options->block_size;
	void *buffer = item->buffers[lane];
	int result = 0;

	pattern_write(state->key, state->next, buffer, length);
	if (fill->manifest)
		result = hashing_add(&fill->pool, &state->hashing, fill->algorithm, buffer, length,
		                     length == options->length);
	if (result < 0)
		return result;
	*ret_op = iobatch_op_write(FILL_FILE, buffer, length, state->next);
	state->next += length;
	return 0;
}

static int start_lanes(struct fill_processor *fill, struct iobatch_item *item,
                       struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;
	uint64_t blocks = (fill->options.length - state->next - 1) / fill->options.block_size + 1;
	unsigned depth = fill->options.depth;
	unsigned lanes = iobatch_item_reserve(item, blocks < depth ? (unsigned)blocks : depth);
	struct iobatch_op op;
	int result;

	chain->unordered = true;
	while (chain->count < lanes && state->next < fill->options.length) {
		result = write_block(fill, item, chain->count, &op);
		if (result < 0)
			return result;
		iobatch_chain_add(chain, op);
	}
	state->phase = FILL_LANES;
	return IOBATCH_MORE;
}

static int fill_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	struct fill_processor *fill = context;
	const struct fill_state *state = item->state;
	int result;

	item->bytes += op->length;
	if (state->next == fill->options.length)
		return 0;
	result = write_block(fill, item, (unsigned)(op - chain->ops), op);
	if (result == 0)
		iobatch_op_again(chain, op);
	return result;
}

/* ---------------------------------------------------- the way of an item -- */

static int start(struct fill_processor *fill, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);
	struct fill_state *state = item->state;
	struct fill_scratch *scratch = item->scratch;

	if (!object)
		return -EINVAL;
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &no_whole_file);
	state->key = pattern_key(fill->options.seed, file_number(item));
	iobatch_chain_add(chain,
	                  file_at(object, iobatch_op_statx(AT_FDCWD, NULL, AT_SYMLINK_NOFOLLOW,
	                                                   STATX_TYPE, &scratch->statx)))
		->flags = IOBATCH_MAY_FAIL;
	state->phase = FILL_LOOK;
	return IOBATCH_MORE;
}

/* Whether an earlier run has made the file, with the digest that its note says. */
static bool is_known(const struct fill_processor *fill, const struct iobatch_item *item)
{
	const struct iobatch_file *object = file_object(item);
	struct fill_state *state = item->state;

	if (!fill->manifest || !object || object->known_length == 0)
		return false;
	return digest_read_note(fill->algorithm, file_note(object), object->known_length,
	                        state->hashing.value);
}

static int make_temporary(struct fill_processor *fill, struct iobatch_item *item,
                          struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct fill_state *state = item->state;
	struct fill_scratch *scratch = item->scratch;
	uint32_t flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	struct temporary temporary = {.seed = fill->seed, .mark = fill->options.mark};
	struct iobatch_op op;
	int result;

	result = temporary_name(file_name(object), strlen(file_name(object)), item->index,
	                        temporary, scratch->temporary, sizeof(scratch->temporary));
	if (result < 0)
		return result;
	if (fill->options.direct)
		flags |= O_DIRECT;
	op = iobatch_op_openat(FILL_FILE, AT_FDCWD, NULL, flags, 0666);
	iobatch_chain_add(chain, fill_temporary_at(item, op));
	result = write_block(fill, item, 0, &op);
	if (result < 0)
		return result;
	iobatch_chain_add(chain, op);
	state->temporary = true;
	state->phase = FILL_FIRST;
	return IOBATCH_MORE;
}

/* O_EXCL without O_CREAT: not a device that is mounted or otherwise in use. */
static int open_device(const struct fill_processor *fill, struct iobatch_item *item,
                       struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;
	struct fill_scratch *scratch = item->scratch;
	uint32_t flags = O_WRONLY | O_EXCL | O_NOCTTY | O_NONBLOCK;

	if (fill->options.direct)
		flags |= O_DIRECT;
	iobatch_chain_add(chain, file_at(item->object,
	                                 iobatch_op_openat(FILL_FILE, AT_FDCWD, NULL, flags, 0)));
	iobatch_chain_add(chain, iobatch_op_fstatx(FILL_FILE, STATX_TYPE, &scratch->statx));
	state->phase = FILL_DEVICE;
	return IOBATCH_MORE;
}

/* Something has the name: may it be replaced? */
static int judge_existing(struct fill_processor *fill, struct iobatch_item *item,
                          struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct fill_state *state = item->state;
	struct fill_scratch *scratch = item->scratch;

	if (fill->options.existing == IOBATCH_EXISTING_FAIL)
		return -EEXIST;
	if (fill->options.existing == IOBATCH_EXISTING_SKIP)
		return iobatch_item_skip(item, &fill_exists);
	switch (scratch->statx.stx_mode & S_IFMT) {
	case S_IFREG:
		return make_temporary(fill, item, chain);
	case S_IFDIR:
		return -EISDIR;
	case S_IFBLK:
		return open_device(fill, item, chain);
	case S_IFLNK:
		/* Devices are known by links to them. Any other link is replaced itself. */
		if (object->directory)
			return make_temporary(fill, item, chain);
		iobatch_chain_add(chain,
		                  file_at(object, iobatch_op_statx(AT_FDCWD, NULL, 0, STATX_TYPE,
		                                                   &scratch->statx)))
			->flags = IOBATCH_MAY_FAIL;
		state->phase = FILL_FOLLOW;
		return IOBATCH_MORE;
	default:
		return iobatch_item_fail(item, &refused);
	}
}

/* All is written. */
static int sync_file(struct fill_processor *fill, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;

	state->phase = FILL_SYNC;
	switch (fill->options.fsync) {
	case IOBATCH_FSYNC_DATA:
		iobatch_chain_add(chain, iobatch_op_fdatasync(FILL_FILE));
		return IOBATCH_MORE;
	case IOBATCH_FSYNC_FULL:
		iobatch_chain_add(chain, iobatch_op_fsync(FILL_FILE));
		return IOBATCH_MORE;
	default:
		return IOBATCH_DONE;
	}
}

static int fill_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct fill_processor *fill = context;
	struct fill_state *state = item->state;
	const struct fill_scratch *scratch = item->scratch;
	int64_t answer = done->count > 0 ? done->ops[0].result : 0;
	bool is_device = S_ISBLK(scratch->statx.stx_mode);
	int result;

	switch ((enum fill_phase)state->phase) {
	case FILL_START:
		return is_known(fill, item) ? IOBATCH_DONE : start(fill, item, chain);
	case FILL_LOOK:
		if (answer == -ENOENT)
			return make_temporary(fill, item, chain);
		return answer < 0 ? (int)answer : judge_existing(fill, item, chain);
	case FILL_FOLLOW:
		if (answer == 0 && is_device)
			return open_device(fill, item, chain);
		return make_temporary(fill, item, chain);
	case FILL_DEVICE:
		if (!is_device)
			return iobatch_item_fail(item, &refused);
		return start_lanes(fill, item, chain);
	case FILL_FIRST:
		item->bytes += done->ops[1].length;
		if (state->next < fill->options.length)
			return start_lanes(fill, item, chain);
		break;
	case FILL_LANES:
	case FILL_SYNC:
		break;
	case FILL_RENAME:
	case FILL_LINK:
		return fill_judge_named(fill, item, answer, chain);
	case FILL_UNLINK:
		return fill_unlinked(fill, item, chain);
	case FILL_NAMED:
		return IOBATCH_DONE;
	}
	if (state->phase != FILL_SYNC) {
		if (fill->manifest) {
			result = hashing_end(&fill->pool, &state->hashing, fill->algorithm);
			if (result < 0)
				return result;
		}
		if (sync_file(fill, item, chain) == IOBATCH_MORE)
			return IOBATCH_MORE;
	}
	return state->temporary ? fill_give_name(fill, item, chain) : IOBATCH_DONE;
}

static int fill_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct fill_processor *fill = context;
	struct fill_state *state = item->state;

	hashing_forget(&fill->pool, &state->hashing);
	if (!state->temporary)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, fill_temporary_at(item, iobatch_op_unlinkat(AT_FDCWD, NULL, 0)));
	return IOBATCH_MORE;
}

/* --------------------------------------------------- beginning and end -- */

static int fill_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct fill_processor *fill = context;
	const struct fill_state *state = item->state;
	const struct iobatch_file *object = item->object;
	struct fill_scratch *scratch = item->scratch;
	char line[2 * IOBATCH_PATH_MAX + DIGEST_LINE_OVERHEAD];
	size_t length = 0;

	if (!outcome->error && !outcome->skipped) {
		length = digest_line(fill->algorithm, state->hashing.value, object->path, line);
		iobatch_item_note(
			item, scratch->note,
			digest_note(fill->algorithm, state->hashing.value, scratch->note));
	}
	return report_add(fill->manifest, item->index, line, length);
}

static void fill_abandon(void *context, int error)
{
	struct fill_processor *fill = context;

	(void)error;
	report_abandon(fill->manifest);
}

static int fill_finish(void *context)
{
	struct fill_processor *fill = context;

	return report_finish(fill->manifest);
}

static void fill_free(struct iobatch_processor *processor)
{
	struct fill_processor *fill = processor->context;

	report_free(fill->manifest);
	hasher_pool_deinit(&fill->pool);
	free(fill);
}

static int check(const struct iobatch_fill_options *options)
{
	if (options->length == 0 || options->length > INT64_MAX ||
	    !digest_algorithm(options->algorithm) || options->existing > IOBATCH_EXISTING_FAIL ||
	    options->fsync > IOBATCH_FSYNC_FULL || options->direct > 1)
		return -EINVAL;
	/* What any device takes as a whole number of sectors. */
	if (options->direct && options->length % 4096)
		return -EINVAL;
	return reader_check(options->block_size, options->depth);
}

int iobatch_fill_new(const struct iobatch_fill_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_fill_options options = IOBATCH_FILL_OPTIONS_INIT;
	struct fill_processor *fill;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	result = check(&options);
	if (result < 0)
		return result;
	fill = calloc(1, sizeof(*fill));
	if (!fill)
		return -ENOMEM;
	result = hasher_pool_init(&fill->pool);
	if (result < 0) {
		free(fill);
		return result;
	}
	fill->options = options;
	fill->options.manifest = NULL;
	fill->algorithm = digest_algorithm(options.algorithm);
	fill->processor = (struct iobatch_processor){
		.size = sizeof(fill->processor),
		.name = "fill",
		.context = fill,
		.state_size = sizeof(struct fill_state),
		.scratch_size = sizeof(struct fill_scratch),
		.chain_ops_max = options.depth > CHAIN_OPS_MIN ? options.depth : CHAIN_OPS_MIN,
		.files_max = 2,
		.process_files = 1,
		.buffer_size = options.block_size,
		.buffers_min = 1,
		.buffers_max = options.depth,
		.next = fill_next,
		.complete = fill_complete,
		.cleanup = fill_cleanup,
		.settled = options.manifest ? fill_settled : NULL,
		.abandon = fill_abandon,
		.finish = fill_finish,
		.free = fill_free,
	};
	result = temporary_seed(&fill->seed);
	if (result == 0 && options.manifest)
		result = report_new(options.manifest, &fill->manifest);
	if (result < 0) {
		fill_free(&fill->processor);
		return result;
	}
	*ret_processor = &fill->processor;
	return 0;
}

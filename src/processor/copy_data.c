/* SPDX-License-Identifier: MIT */
/*
 * Owns how the data of a regular file gets into the temporary file: shared with the source where
 * the file system can do that, copied by the kernel where that may save a way over a network, else
 * read and written by blocks with several in flight. On disks and in memory copy_file_range() was
 * not found to be quicker than reads and writes, so that it is used on file systems without a
 * device of their own only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "processor/copy.h"

/* From this size on; and so much of it at once, so that deadlines are kept. */
#define RANGE_MIN (UINT64_C(1) << 20)
#define RANGE_PIECE (UINT64_C(8) << 20)

static int copy_ranges(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain);
static int read_and_write(struct copy_processor *copy, struct iobatch_item *item,
                          struct iobatch_chain *chain);

/* ------------------------------------------------------- what may be done -- */

static uint64_t source_device(const struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;

	return copy_device(&scratch->source);
}

static bool can(struct copy_processor *copy, const struct iobatch_item *item, unsigned ability)
{
	const struct copy_scratch *scratch = item->scratch;

	return copy_can(&copy->abilities, source_device(item), scratch->place->device, ability);
}

static void cannot(struct copy_processor *copy, const struct iobatch_item *item, unsigned ability)
{
	const struct copy_scratch *scratch = item->scratch;

	copy_cannot(&copy->abilities, source_device(item), scratch->place->device, ability);
}

/* An errno that says that this will never work here. */
static bool is_inability(int64_t error)
{
	return error == -EXDEV || error == -EOPNOTSUPP || error == -ENOTTY || error == -ENOSYS;
}

static bool may_clone(struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;

	if (copy->options.reflink == IOBATCH_REFLINK_NEVER || scratch->source.stx_size == 0)
		return false;
	return copy->options.reflink == IOBATCH_REFLINK_ALWAYS || can(copy, item, COPY_CAN_CLONE);
}

static bool may_copy_ranges(struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	return copy->options.reflink == IOBATCH_REFLINK_AUTO && !state->sparse && !state->direct &&
	       scratch->source.stx_size >= RANGE_MIN && scratch->source.stx_dev_major == 0 &&
	       can(copy, item, COPY_CAN_RANGE);
}

bool copy_data_is_plain(struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct copy_state *state = item->state;

	return !state->sparse && !copy->options.preallocate && !may_clone(copy, item) &&
	       !may_copy_ranges(copy, item);
}

/* ------------------------------------------------------------- sharing -- */

static int cloned(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	int64_t result = done->ops[0].result;

	if (result == 0) {
		item->bytes = scratch->source.stx_size;
		return copy_data_done(copy, item, chain);
	}
	if (is_inability(result))
		cannot(copy, item, COPY_CAN_CLONE);
	state->cloned = false;
	return copy_ranges(copy, item, chain);
}

int copy_data(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	struct iobatch_op op = iobatch_op_ficlone(COPY_SOURCE, COPY_TARGET);

	if (!may_clone(copy, item))
		return copy_ranges(copy, item, chain);
	if (copy->options.reflink != IOBATCH_REFLINK_ALWAYS)
		op.flags |= IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, op);
	state->cloned = true;
	return copy_then(item, cloned);
}

/* ---------------------------------------------------------- by the kernel -- */

static int range_copied(struct copy_processor *copy, struct iobatch_item *item,
                        const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	int64_t result = done->ops[0].result;

	if (is_inability(result))
		cannot(copy, item, COPY_CAN_RANGE);
	if (result > 0) {
		state->written += (uint64_t)result;
		item->bytes += (uint64_t)result;
	}
	/* Reads and writes go on where it did not: they say what is wrong, or find the end. */
	if (result < (int64_t)done->ops[0].length || state->written >= scratch->source.stx_size)
		return read_and_write(copy, item, chain);
	return copy_ranges(copy, item, chain);
}

static int copy_ranges(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	uint64_t rest = scratch->source.stx_size - state->written;

	if (!may_copy_ranges(copy, item))
		return read_and_write(copy, item, chain);
	state->cloned = true;
	copy_add_may_fail(chain, iobatch_op_copy_file_range(
					 COPY_SOURCE, state->written, COPY_TARGET, state->written,
					 rest < RANGE_PIECE ? rest : RANGE_PIECE));
	return copy_then(item, range_copied);
}

/* ------------------------------------------------------ reads and writes -- */

int copy_data_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length)
{
	const struct copy_processor *copy = context;
	struct copy_state *state = item->state;
	char *data = op->buffer;
	size_t rest = length % COPY_SUM_PAGE;

	if (state->summed)
		copy_sum_add(state->summed, copy->seed, data, length, op->offset);
	/* Not every file system tells where the holes are. */
	if (state->sparse && copy_is_zero(data, length))
		return 0;
	if (state->direct && rest > 0) {
		/* Whole pages only; the length is put right at the end. */
		memset(data + length, 0, COPY_SUM_PAGE - rest);
		length += COPY_SUM_PAGE - rest;
		state->truncates = true;
	}
	*op = iobatch_op_write(COPY_TARGET, data, length, op->offset);
	return 0;
}

static int start_pass(struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	/* What the kernel has copied is read once more to be summed. */
	bool sums = copy->options.verify && !state->cloned;

	state->truncates = state->sparse;
	return copy_pass(copy, item, chain, COPY_SOURCE, &copy->copy_plan, state->written,
	                 scratch->source.stx_size, state->sparse, sums ? &state->sum : NULL,
	                 copy_data_done);
}

static int allocated(struct copy_processor *copy, struct iobatch_item *item,
                     const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	int64_t result = done->ops[0].result;

	/* Some file systems cannot: the copy is then made without. */
	if (result < 0 && result != -EOPNOTSUPP && result != -ENOSYS && result != -EINVAL)
		return copy_insist(item, chain, &done->ops[0], allocated);
	return start_pass(copy, item, chain);
}

static int read_and_write(struct copy_processor *copy, struct iobatch_item *item,
                          struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	uint64_t size = scratch->source.stx_size;

	/* Holes are not allocated. */
	if (!copy->options.preallocate || state->sparse || size == 0 || state->written > 0)
		return start_pass(copy, item, chain);
	copy_add_may_fail(chain, iobatch_op_fallocate(COPY_TARGET, FALLOC_FL_KEEP_SIZE, 0, size));
	return copy_then(item, allocated);
}

/* --------------------------------------------------------- without O_DIRECT -- */

static int removed(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	(void)done;
	state->temporary = false;
	state->sum = (struct copy_sum){0};
	state->truncates = false;
	state->written = 0;
	item->bytes = 0;
	return copy_open(copy, item, chain);
}

int copy_data_again(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	(void)copy;
	if (!state->direct)
		return -EINVAL;
	state->direct = false;
	state->no_direct = true;
	copy_add_may_fail(chain, iobatch_op_close(COPY_SOURCE));
	copy_add_may_fail(chain, iobatch_op_close(COPY_TARGET));
	copy_add_may_fail(chain,
	                  copy_in(scratch->place,
	                          iobatch_op_unlinkat(scratch->place->fd, scratch->temporary, 0)));
	return copy_then(item, removed);
}

/* ---------------------------------------------------------------- the end -- */

static int written(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	if (copy->options.verify)
		return copy_verify(copy, item, chain);
	return copy_file_attributes(copy, item, chain);
}

int copy_data_done(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	uint64_t length = state->sparse ? scratch->source.stx_size : item->bytes;

	if (!state->truncates)
		return written(copy, item, NULL, chain);
	iobatch_chain_add(chain, iobatch_op_ftruncate(COPY_TARGET, length));
	return copy_then(item, written);
}

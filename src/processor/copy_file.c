/* SPDX-License-Identifier: MIT */
/*
 * Owns the beginning of a regular file's copy: the source is opened and known by its descriptor,
 * and the temporary file is made, which nobody else may read. Invariant: nothing is read from what
 * is no regular file.
 */
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

/* ----------------------------------------------------------- the source -- */

struct iobatch_op copy_open_op(const struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	const struct copy_state *state = item->state;
	uint32_t flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	struct iobatch_op op;

	if (copy_at_flags(item))
		flags |= O_NOFOLLOW;
	if (copy->options.direct && !state->no_direct)
		flags |= O_DIRECT;
	op = file_at(object, iobatch_op_openat(COPY_SOURCE, AT_FDCWD, NULL, flags, 0));
	op.flags |= IOBATCH_MAY_FAIL;
	return op;
}

static int open_done(struct copy_processor *copy, struct iobatch_item *item,
                     const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	return copy_opened(copy, item, &done->ops[0], chain);
}

int copy_open(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	iobatch_chain_add(chain, copy_open_op(copy, item));
	return copy_then(item, open_done);
}

static int stated(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	if (!S_ISREG(scratch->source.stx_mode))
		return iobatch_item_fail(item, &copy_changed);
	state->opened = true;
	state->drop_source = done->count > 1 && done->ops[1].result == 0 && scratch->pair[0] == 0;
	state->sparse = scratch->source.stx_size > COPY_SUM_PAGE &&
	                scratch->source.stx_blocks * 512 < scratch->source.stx_size;
	return copy_decide(copy, item, chain);
}

int copy_opened(struct copy_processor *copy, struct iobatch_item *item,
                const struct iobatch_op *open, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	if (open->result == -EINVAL && open->op_flags & O_DIRECT) {
		state->no_direct = true;
		return copy_open(copy, item, chain);
	}
	if (open->result < 0)
		return copy_insist(item, chain, open, open_done);
	state->direct = open->op_flags & O_DIRECT;
	iobatch_chain_add(chain,
	                  iobatch_op_fstatx(COPY_SOURCE, STATX_BASIC_STATS, &scratch->source));
	if (copy->options.keep_cache)
		copy_add_may_fail(chain, iobatch_op_cached(COPY_SOURCE, 0, 0, scratch->pair));
	return copy_then(item, stated);
}

/* --------------------------------------------------- the temporary file -- */

static int first_written(struct copy_processor *copy, struct iobatch_item *item,
                         const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	if (done->ops[0].result == -EINVAL)
		return copy_data_again(copy, item, chain);
	if (done->ops[0].result < 0)
		return copy_insist(item, chain, &done->ops[0], first_written);
	return copy_pass_on(copy, item, chain, copy_data_done);
}

/* The first block was read beside. */
static int take_first(struct copy_processor *copy, struct iobatch_item *item,
                      const struct iobatch_op *read, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	struct iobatch_op op = *read;
	int result;

	if (op.result < 0)
		return op.result == -EINVAL ? copy_data_again(copy, item, chain) : (int)op.result;
	result = reader_take(&copy->copy_plan, &state->reader, item, &op);
	if (result < 0)
		return result;
	/* That was all: one chain to the end of the file. */
	if (reader_finished(&state->reader) && !state->direct) {
		if (op.opcode == IOBATCH_OP_WRITE)
			iobatch_chain_add(chain, op);
		state->summed = NULL;
		return copy_data_done(copy, item, chain);
	}
	if (op.opcode != IOBATCH_OP_WRITE)
		return copy_pass_on(copy, item, chain, copy_data_done);
	if (state->direct) {
		copy_add_may_fail(chain, op);
		return copy_then(item, first_written);
	}
	iobatch_chain_add(chain, op);
	return copy_pass_on(copy, item, chain, copy_data_done);
}

static int created(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_state *state = item->state;

	if (done->ops[0].result == -EINVAL && state->direct)
		return copy_data_again(copy, item, chain);
	if (done->ops[0].result < 0)
		return copy_insist(item, chain, &done->ops[0], created);
	if (done->count > 1)
		return take_first(copy, item, &done->ops[1], chain);
	return copy_data(copy, item, chain);
}

static uint32_t create_flags(const struct copy_processor *copy, const struct copy_state *state)
{
	uint32_t flags = O_CREAT | O_EXCL | O_NOFOLLOW;

	flags |= copy->options.verify ? O_RDWR : O_WRONLY;
	return state->direct ? flags | O_DIRECT : flags;
}

int copy_file(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;
	struct iobatch_op op;

	op = copy_in(place, iobatch_op_openat(COPY_TARGET, place->fd, scratch->temporary,
	                                      create_flags(copy, state), 0600));
	chain->unordered = true;
	copy_add_may_fail(chain, op);
	state->temporary = true;
	if (copy_data_is_plain(copy, item)) {
		reader_start(&state->reader, item->object, COPY_SOURCE);
		reader_expect(&state->reader, scratch->source.stx_size);
		state->plan = NULL;
		state->summed = copy->options.verify ? &state->sum : NULL;
		state->pass_sparse = false;
		op = reader_op(&copy->copy_plan, &state->reader, item, 0);
		if (state->direct)
			op.flags |= IOBATCH_MAY_FAIL;
		iobatch_chain_add(chain, op);
	}
	return copy_then(item, created);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the comparison of contents: of the source with what is in its place already, and of what was
 * written with what was read. Both are sums over passes, so that files of any size and with any
 * holes are compared with several blocks in flight. What was written is read past the cache, as far
 * as the kernel lets go of it.
 */
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

int copy_sum_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length)
{
	const struct copy_processor *copy = context;
	struct copy_state *state = item->state;

	copy_sum_add(state->summed, copy->seed, op->buffer, length, op->offset);
	return 0;
}

/* ------------------------------------------------- what is in the place -- */

static int other_closed(struct copy_processor *copy, struct iobatch_item *item,
                        const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	bool same = copy_sum_equal(&state->sum, &state->other_sum);

	(void)done;
	item->bytes = 0;
	state->sum = state->other_sum = (struct copy_sum){0};
	return same ? copy_skip_up_to_date(copy, item) : copy_link_or_begin(copy, item, chain);
}

static int other_summed(struct copy_processor *copy, struct iobatch_item *item,
                        struct iobatch_chain *chain)
{
	(void)copy;
	iobatch_chain_add(chain, iobatch_op_close(COPY_OTHER));
	return copy_then(item, other_closed);
}

static int source_summed(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct statx *target = &scratch->target;

	return copy_pass(copy, item, chain, COPY_OTHER, &copy->sum_plan, 0, target->stx_size,
	                 target->stx_size > 0 && target->stx_blocks * 512 < target->stx_size,
	                 &state->other_sum, other_summed);
}

static int other_opened(struct copy_processor *copy, struct iobatch_item *item,
                        const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	/* What cannot be read is replaced. */
	if (done->ops[0].result < 0)
		return copy_link_or_begin(copy, item, chain);
	return copy_pass(copy, item, chain, COPY_SOURCE, &copy->sum_plan, 0,
	                 scratch->source.stx_size, state->sparse, &state->sum, source_summed);
}

int copy_compare(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;

	(void)copy;
	copy_add_may_fail(
		chain, copy_in(place, iobatch_op_openat(
					      COPY_OTHER, place->fd, scratch->name,
					      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)));
	return copy_then(item, other_opened);
}

/* ------------------------------------------------------ what was written -- */

static int target_summed(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	item->bytes = state->bytes;
	if (!copy_sum_equal(&state->sum, &state->other_sum))
		return iobatch_item_fail(item, &copy_verify_failed);
	return copy_file_attributes(copy, item, chain);
}

static int read_back(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	const struct copy_scratch *scratch = item->scratch;
	uint64_t size = state->sparse || state->cloned ? scratch->source.stx_size : state->bytes;

	return copy_pass(copy, item, chain, COPY_TARGET, &copy->sum_plan, 0, size, state->sparse,
	                 &state->other_sum, target_summed);
}

static int synced(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	(void)done;
	state->synced = true;
	state->bytes = item->bytes;
	if (!state->cloned)
		return read_back(copy, item, chain);
	return copy_pass(copy, item, chain, COPY_SOURCE, &copy->sum_plan, 0,
	                 scratch->source.stx_size, state->sparse, &state->sum, read_back);
}

int copy_verify(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	(void)copy;
	/* Only what is clean can be dropped from the cache. */
	iobatch_chain_add(chain, iobatch_op_fdatasync(COPY_TARGET));
	copy_add_may_fail(chain, iobatch_op_fadvise(COPY_TARGET, 0, 0, POSIX_FADV_DONTNEED));
	return copy_then(item, synced);
}

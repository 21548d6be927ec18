/* SPDX-License-Identifier: MIT */
/*
 * Owns the way over the data of one open file: as a whole, or range by range where it has holes,
 * with several blocks in flight in either case. What is done with a block is the plan's business.
 * Ranges are widened to whole pages, so that no page is seen in two parts.
 */
#include <errno.h>

#include "processor/copy.h"

static int find_range(struct iobatch_item *item, struct iobatch_chain *chain);

static uint64_t page_down(uint64_t offset)
{
	return offset / COPY_SUM_PAGE * COPY_SUM_PAGE;
}

static uint64_t page_up(uint64_t offset)
{
	return page_down(offset + COPY_SUM_PAGE - 1);
}

static int end_pass(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->plan = NULL;
	state->summed = NULL;
	return state->pass_then(copy, item, chain);
}

static int lanes_done(struct copy_processor *copy, struct iobatch_item *item,
                      const struct iobatch_chain *done, struct iobatch_chain *chain);

static int go_on(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->step = lanes_done;
	if (!reader_finished(&state->reader))
		return reader_lanes(state->plan, &state->reader, item, chain);
	/* The write of the first block may still have to run. */
	chain->unordered = chain->count > 0;
	if (chain->count > 0)
		return IOBATCH_MORE;
	if (state->pass_sparse && state->pass_at < state->pass_size)
		return find_range(item, chain);
	return end_pass(copy, item, chain);
}

static int lanes_done(struct copy_processor *copy, struct iobatch_item *item,
                      const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return go_on(copy, item, chain);
}

static int found(struct copy_processor *copy, struct iobatch_item *item,
                 const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct reader *reader = &state->reader;
	uint64_t begin = page_down(scratch->pair[0]), end = page_up(scratch->pair[1]);

	if (done->ops[0].result == -ENXIO)
		return end_pass(copy, item, chain);
	if (done->ops[0].result < 0)
		return copy_insist(item, chain, &done->ops[0], found);
	if (begin < state->pass_at)
		begin = state->pass_at;
	state->pass_at = end;
	*reader = (struct reader){
		.file = reader->file,
		.next = begin,
		.limit = end,
		.size = end < state->pass_size ? end : state->pass_size,
		.bounded = true,
	};
	return go_on(copy, item, chain);
}

static int find_range(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	copy_add_may_fail(chain,
	                  iobatch_op_find_data(state->reader.file, state->pass_at, scratch->pair));
	return copy_then(item, found);
}

int copy_pass(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain,
              int file, const struct reader_plan *plan, uint64_t from, uint64_t size, bool sparse,
              struct copy_sum *sum, copy_go then)
{
	struct copy_state *state = item->state;

	state->plan = plan;
	state->pass_then = then;
	state->pass_at = from;
	state->pass_size = size;
	state->pass_sparse = sparse;
	state->summed = sum;
	state->reader = (struct reader){
		.file = file,
		.next = from,
		.limit = UINT64_MAX,
		.size = size,
	};
	return sparse ? find_range(item, chain) : go_on(copy, item, chain);
}

int copy_pass_on(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain, copy_go then)
{
	struct copy_state *state = item->state;

	state->plan = &copy->copy_plan;
	state->pass_then = then;
	return go_on(copy, item, chain);
}

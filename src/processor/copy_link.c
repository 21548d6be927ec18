/* SPDX-License-Identifier: MIT */
/*
 * Owns what is done about a further name of a file: it waits until the first name is copied, and
 * then becomes a link to that copy, under the temporary name like everything else. Where no link
 * can be made it is copied.
 */
#include <errno.h>
#include <string.h>

#include "processor/copy.h"

/* How often is looked whether the first name is done: after 1 ms, and at last every 50. */
#define WAIT_MIN_NS UINT64_C(1000000)
#define WAIT_MAX_NS UINT64_C(50000000)
#define WAIT_SHIFT_MAX 6u

static int waited(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return copy_link_or_begin(copy, item, chain);
}

static int wait_for_first(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	uint64_t wait_ns = WAIT_MIN_NS << state->waits;

	if (state->waits < WAIT_SHIFT_MAX)
		state->waits++;
	/* The first name needs descriptors, too: what waits for it must not hold the last one. */
	if (state->opened)
		copy_add_may_fail(chain, iobatch_op_close(COPY_SOURCE));
	state->opened = false;
	iobatch_chain_add(chain, iobatch_op_timeout(wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS));
	return copy_then(item, waited);
}

/* There is no linking to that copy: this name is the first of another. */
static int give_up(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	copy_links_lost(&copy->links, scratch->link);
	scratch->link = NULL;
	state->temporary = false;
	return copy_link_or_begin(copy, item, chain);
}

static int linked(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	places_release(&copy->places, scratch->first);
	scratch->first = NULL;
	if (done->ops[0].result < 0)
		return give_up(copy, item, chain);
	state->linked = true;
	return copy_commit(copy, item, chain);
}

static int make_link(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place, *first = scratch->first;
	uint32_t length;
	const char *path = copy_link_path(scratch->link, &length);
	const char *slash = strrchr(path, '/');

	(void)copy;
	state->temporary = true;
	copy_add_may_fail(chain,
	                  copy_in(place, iobatch_op_linkat(first->fd, slash ? slash + 1 : path,
	                                                   place->fd, scratch->temporary, 0)));
	return copy_then(item, linked);
}

static int to_first(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	uint32_t length;
	const char *path = copy_link_path(scratch->link, &length);

	/* The same item for the second time, or the destination itself: nothing to link to. */
	if (length == 0 ||
	    (length == state->path_length && memcmp(path, copy_path(item), length) == 0))
		return give_up(copy, item, chain);
	return copy_place(copy, item, chain, path, path_parent(path, length), false,
	                  &scratch->first, make_link);
}

int copy_link_or_begin(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;

	if (copy->moving && move_can_rename(copy, item))
		return move_rename(copy, item, chain);
	if (!copy_preserves(copy, IOBATCH_PRESERVE_LINKS) ||
	    (scratch->link && scratch->link_is_mine))
		return copy_begin(copy, item, chain);
	switch (copy_links_ask(&copy->links, &scratch->source, copy->moving, &scratch->link)) {
	case COPY_LINK_BUSY:
		return wait_for_first(item, chain);
	case COPY_LINK_DONE:
		scratch->link_is_mine = false;
		return to_first(copy, item, chain);
	case COPY_LINK_MINE:
		scratch->link_is_mine = true;
		break;
	case COPY_LINK_NONE:
		break;
	}
	return copy_begin(copy, item, chain);
}

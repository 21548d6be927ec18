/* SPDX-License-Identifier: MIT */
/*
 * Owns the step from the temporary name to the final one. Invariant: a final name is touched by
 * this rename only, which is asked for when everything before it is known to be good, and, where
 * that was asked for, durable. A sync that failed is not repeated: the attempt has failed, and the
 * next one begins with the data.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "processor/copy.h"

static int rename_it(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain);

/* ------------------------------------------------------------ afterwards -- */

static int finished(struct copy_processor *copy, struct iobatch_item *item,
                    const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return copy->moving ? move_end(copy, item, chain) : copy_succeed(copy, item);
}

static int has_its_name(struct copy_processor *copy, struct iobatch_item *item,
                        struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;

	state->temporary = false;
	/* A rename from one name of a file to another of it does nothing, and both stay. */
	if (state->linked && (!place->fresh || item->attempt > 1))
		copy_add_may_fail(chain, copy_in(place, iobatch_op_unlinkat(
								place->fd, scratch->temporary, 0)));
	if (copy_syncs(copy, item, place))
		copy_add_sync(scratch, chain);
	return chain->count > 0 ? copy_then(item, finished) : finished(copy, item, NULL, chain);
}

/* ---------------------------------------------------- something is in the way -- */

static int given_up(struct copy_processor *copy, struct iobatch_item *item,
                    const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	(void)copy;
	(void)done;
	(void)chain;
	state->temporary = false;
	return iobatch_item_skip(item, &copy_existing);
}

static int give_up(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;

	if (copy->options.existing == IOBATCH_EXISTING_FAIL)
		return -EEXIST;
	iobatch_chain_add(chain,
	                  copy_in(place, iobatch_op_unlinkat(place->fd, scratch->temporary, 0)));
	return copy_then(item, given_up);
}

static int extra_removed(struct copy_processor *copy, struct iobatch_item *item,
                         const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return has_its_name(copy, item, chain);
}

static int link_made(struct copy_processor *copy, struct iobatch_item *item,
                     const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;

	if (done->ops[0].result == -EEXIST)
		return give_up(copy, item, chain);
	if (done->ops[0].result < 0)
		return copy_insist(item, chain, &done->ops[0], link_made);
	iobatch_chain_add(chain,
	                  copy_in(place, iobatch_op_unlinkat(place->fd, scratch->temporary, 0)));
	return copy_then(item, extra_removed);
}

/* Not every file system can rename without replacing: a link replaces nothing either. */
static int link_instead(struct copy_processor *copy, struct iobatch_item *item,
                        struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;

	(void)copy;
	copy_add_may_fail(chain, copy_in(place, iobatch_op_linkat(place->fd, scratch->temporary,
	                                                          place->fd, scratch->name, 0)));
	return copy_then(item, link_made);
}

/* ------------------------------------------------------------- the rename -- */

static int renamed(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct iobatch_op *op = &done->ops[done->count - 1];

	if (op->result == 0)
		return has_its_name(copy, item, chain);
	if (op->op_flags & RENAME_NOREPLACE && op->result == -EEXIST)
		return give_up(copy, item, chain);
	if (op->op_flags & RENAME_NOREPLACE && op->result == -EINVAL)
		return link_instead(copy, item, chain);
	return copy_insist(item, chain, op, renamed);
}

static int rename_it(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;
	bool replace = copy->options.existing == IOBATCH_EXISTING_REPLACE;
	struct iobatch_op op = copy_in(place, iobatch_op_renameat(place->fd, scratch->temporary,
	                                                          place->fd, scratch->name, 0));

	if (!replace) {
		op.op_flags = RENAME_NOREPLACE;
		op.flags |= IOBATCH_MAY_FAIL;
	}
	iobatch_chain_add(chain, op);
	return copy_then(item, renamed);
}

int copy_commit(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	return rename_it(copy, item, chain);
}

/* ------------------------------------------------------ the end of a file -- */

static int closed(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;

	(void)done;
	if (copy_was_changed(&scratch->source, &scratch->again))
		return iobatch_item_fail(item, &copy_changed);
	return copy_commit(copy, item, chain);
}

int copy_close(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	bool keeps_cache = copy->options.keep_cache;

	if (copy->options.fsync == IOBATCH_FSYNC_FULL)
		iobatch_chain_add(chain, iobatch_op_fsync(COPY_TARGET));
	else if ((copy->options.fsync == IOBATCH_FSYNC_DATA || keeps_cache) && !state->synced)
		iobatch_chain_add(chain, iobatch_op_fdatasync(COPY_TARGET));
	if (keeps_cache)
		copy_add_may_fail(chain,
		                  iobatch_op_fadvise(COPY_TARGET, 0, 0, POSIX_FADV_DONTNEED));
	if (state->drop_source)
		copy_add_may_fail(chain,
		                  iobatch_op_fadvise(COPY_SOURCE, 0, 0, POSIX_FADV_DONTNEED));
	iobatch_chain_add(chain, iobatch_op_close(COPY_SOURCE));
	/* An error of an earlier write may come with the close: so it is waited for. */
	iobatch_chain_add(chain, iobatch_op_close(COPY_TARGET));
	/* Is the source still what was copied, and under its name? */
	iobatch_chain_add(chain,
	                  file_at(object, iobatch_op_statx(AT_FDCWD, NULL, copy_at_flags(item),
	                                                   STATX_BASIC_STATS, &scratch->again)));
	return copy_then(item, closed);
}

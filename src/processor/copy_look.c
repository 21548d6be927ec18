/* SPDX-License-Identifier: MIT */
/*
 * Owns the look at an item before anything is done: what it is, what is in its place, and what
 * follows from the two. Invariant: what is in the way, or makes the copy needless, is known before
 * anything is created, but for what comes into the way meanwhile, which the rename sees.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

/* ------------------------------------------------------------- deciding -- */

static bool is_newer(const struct statx *a, const struct statx *b)
{
	if (a->stx_mtime.tv_sec != b->stx_mtime.tv_sec)
		return a->stx_mtime.tv_sec > b->stx_mtime.tv_sec;
	return a->stx_mtime.tv_nsec > b->stx_mtime.tv_nsec;
}

static bool is_up_to_date(const struct copy_scratch *scratch)
{
	const struct statx *source = &scratch->source, *target = &scratch->target;

	if (is_newer(target, source))
		return true;
	return !is_newer(source, target) && source->stx_size == target->stx_size &&
	       (source->stx_mode & S_IFMT) == (target->stx_mode & S_IFMT);
}

int copy_skip_up_to_date(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	enum copy_link_state link;

	/* What is there serves as the copy that further names are linked to. */
	if (copy_preserves(copy, IOBATCH_PRESERVE_LINKS)) {
		link = copy_links_ask(&copy->links, &scratch->source, false, &scratch->link);
		if (link == COPY_LINK_MINE)
			copy_links_done(&copy->links, scratch->link, copy_path(item),
			                state->path_length);
		else if (link == COPY_LINK_DONE)
			copy_links_used(&copy->links, scratch->link);
		scratch->link = NULL;
	}
	return iobatch_item_skip(item, &copy_up_to_date);
}

/* Something is in the place. */
static int decide_existing(struct copy_processor *copy, struct iobatch_item *item,
                           struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct statx *source = &scratch->source, *target = &scratch->target;

	if (copy_same_inode(source, target))
		return iobatch_item_fail(item, &copy_same_file);
	if (copy->options.existing == IOBATCH_EXISTING_SKIP)
		return iobatch_item_skip(item, &copy_existing);
	if (S_ISDIR(target->stx_mode))
		return -EISDIR;
	if (copy->options.existing == IOBATCH_EXISTING_FAIL)
		return -EEXIST;
	if (copy->options.update && is_up_to_date(scratch))
		return copy_skip_up_to_date(copy, item);
	if (copy->options.checksum && S_ISREG(source->stx_mode) && S_ISREG(target->stx_mode) &&
	    source->stx_size == target->stx_size)
		return copy_compare(copy, item, chain);
	return copy_link_or_begin(copy, item, chain);
}

int copy_decide(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	const struct statx *source = &scratch->source;

	scratch->times[0] = (struct timespec){source->stx_atime.tv_sec, source->stx_atime.tv_nsec};
	scratch->times[1] = (struct timespec){source->stx_mtime.tv_sec, source->stx_mtime.tv_nsec};
	if (S_ISDIR(source->stx_mode)) {
		places_release(&copy->places, scratch->place);
		scratch->place = NULL;
		return copy_directory(copy, item, chain);
	}
	return state->there ? decide_existing(copy, item, chain)
	                    : copy_link_or_begin(copy, item, chain);
}

int copy_begin(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	switch (scratch->source.stx_mode & S_IFMT) {
	case S_IFREG:
		/* It was closed while it waited; or a move can no longer hope for a rename. */
		return state->opened ? copy_file(copy, item, chain) : copy_open(copy, item, chain);
	case S_IFLNK:
		return copy_node(copy, item, chain);
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		if (copy->options.special)
			return copy_node(copy, item, chain);
		return iobatch_item_skip(item, &reader_special);
	default:
		return iobatch_item_skip(item, &reader_special);
	}
}

/* -------------------------------------------------------------- looking -- */

/* A move opens only what it reads. */
static bool must_open(struct copy_processor *copy, const struct iobatch_item *item)
{
	return !copy->moving || copy->options.checksum || !move_can_rename(copy, item);
}

static int looked(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	if (done->count > 1) {
		int64_t result = done->ops[1].result;

		if (result < 0 && result != -ENOENT)
			return (int)result;
		state->there = result == 0;
	}
	if (done->ops[0].opcode == IOBATCH_OP_OPENAT)
		return copy_opened(copy, item, &done->ops[0], chain);
	if (S_ISREG(scratch->source.stx_mode) && must_open(copy, item))
		return copy_open(copy, item, chain);
	return copy_decide(copy, item, chain);
}

int copy_look(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;

	chain->unordered = true;
	if (object->type == DT_REG && must_open(copy, item))
		iobatch_chain_add(chain, copy_open_op(copy, item));
	else
		iobatch_chain_add(
			chain,
			file_at(object, iobatch_op_statx(AT_FDCWD, NULL, copy_at_flags(item),
		                                         STATX_BASIC_STATS, &scratch->source)));
	/* In a directory that was made in this run there is nothing that could be in the way. */
	if (!place->fresh)
		copy_add_may_fail(chain, copy_in(place, iobatch_op_statx(place->fd, scratch->name,
		                                                         AT_SYMLINK_NOFOLLOW,
		                                                         STATX_BASIC_STATS,
		                                                         &scratch->target)));
	return copy_then(item, looked);
}

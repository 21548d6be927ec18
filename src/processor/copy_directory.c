/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of directories. One that comes when all that is in it has settled gets its attributes
 * at once. Any other gets owner and extended attributes at once, and mode and times at the end of
 * the run, because things are still put into it.
 */
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

static bool is_last(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;

	return object->flags & IOBATCH_FILE_LAST;
}

/* ------------------------------------------------------------ at the end -- */

/*
 * The destination itself is done when the tree that it is the copy of is. Another tree may yet
 * bring something into it: then its times are set once more, at the end.
 */
static int keep_root(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;
	bool times = copy_preserves(copy, IOBATCH_PRESERVE_TIMES);

	atomic_store(&copy->root_done, true);
	return directories_keep(&copy->directories, "", 0, copy_mode(copy, item),
	                        times ? scratch->times : NULL);
}

static int end(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct copy_state *state = item->state;

	if (!state->is_root || copy->moving)
		directories_forget(&copy->directories, copy_path(item), state->path_length);
	else if (keep_root(copy, item) < 0)
		return -ENOMEM;
	return copy->moving ? move_end(copy, item, chain) : copy_succeed(copy, item);
}

static int synced(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return end(copy, item, chain);
}

static int attributes_set(struct copy_processor *copy, struct iobatch_item *item,
                          struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;

	if (!copy_syncs(copy, item, scratch->place))
		return end(copy, item, chain);
	copy_add_sync(scratch, chain);
	return copy_then(item, synced);
}

static int attributes_begun(struct copy_processor *copy, struct iobatch_item *item,
                            struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	bool times = copy_preserves(copy, IOBATCH_PRESERVE_TIMES);

	(void)chain;
	if (directories_keep(&copy->directories, copy_path(item), state->path_length,
	                     copy_mode(copy, item), times ? scratch->times : NULL) < 0)
		return -ENOMEM;
	return copy_succeed(copy, item);
}

/* ------------------------------------------------------------ the way there -- */

static int target_seen(struct copy_processor *copy, struct iobatch_item *item,
                       const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	(void)done;
	if (copy_same_inode(&scratch->source, &scratch->target) && !scratch->place->fresh)
		return iobatch_item_fail(item, &copy_same_file);
	/* A directory that was there keeps the mode that it has, if not told otherwise. */
	if (!copy_preserves(copy, IOBATCH_PRESERVE_MODE) && !scratch->place->fresh)
		scratch->source.stx_mode = scratch->target.stx_mode;
	if (copy->moving)
		directories_noted(&copy->directories, copy_path(item), state->path_length,
		                  scratch->times);
	if (is_last(item))
		return copy_directory_attributes(copy, item, chain, true, attributes_set);
	return copy_directory_attributes(copy, item, chain, false, attributes_begun);
}

static int placed(struct copy_processor *copy, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;

	(void)copy;
	iobatch_chain_add(chain, iobatch_op_fstatx(IOBATCH_FD(scratch->place->fd),
	                                           STATX_BASIC_STATS, &scratch->target));
	return copy_then(item, target_seen);
}

static int source_seen(struct copy_processor *copy, struct iobatch_item *item,
                       const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	const struct statx *source = &scratch->source;

	(void)done;
	if (!S_ISDIR(source->stx_mode))
		return iobatch_item_fail(item, &copy_changed);
	scratch->times[0] = (struct timespec){source->stx_atime.tv_sec, source->stx_atime.tv_nsec};
	scratch->times[1] = (struct timespec){source->stx_mtime.tv_sec, source->stx_mtime.tv_nsec};
	return copy_place(copy, item, chain, copy_path(item), state->path_length, true,
	                  &scratch->place, placed);
}

int copy_directory(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	uint32_t flags = O_RDONLY | O_DIRECTORY;

	if (copy->moving && !is_last(item))
		return move_directory(copy, item, chain);
	if (!copy_preserves(copy, IOBATCH_PRESERVE_XATTRS | IOBATCH_PRESERVE_ACLS)) {
		iobatch_chain_add(
			chain,
			file_at(object, iobatch_op_statx(AT_FDCWD, NULL, copy_at_flags(item),
		                                         STATX_BASIC_STATS, &scratch->source)));
		return copy_then(item, source_seen);
	}
	if (copy_at_flags(item))
		flags |= O_NOFOLLOW;
	iobatch_chain_add(
		chain, file_at(object, iobatch_op_openat(COPY_SOURCE, AT_FDCWD, NULL, flags, 0)));
	iobatch_chain_add(chain,
	                  iobatch_op_fstatx(COPY_SOURCE, STATX_BASIC_STATS, &scratch->source));
	return copy_then(item, source_seen);
}

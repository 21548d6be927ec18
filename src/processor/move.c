/* SPDX-License-Identifier: MIT */
/*
 * The processor that moves: by a rename where source and destination are on one file system, else
 * by a copy that is made durable, after which the source is removed. Invariant: a source is removed
 * only when its copy, and the directory that has the copy's name, are durable, and when it is still
 * what was copied.
 *
 * As names leave a directory its times change, and its own item comes last. So before the first
 * name leaves, its times are noted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "processor/copy.h"

static uint32_t rename_flags(const struct copy_processor *copy)
{
	return copy->options.existing == IOBATCH_EXISTING_REPLACE ? 0 : RENAME_NOREPLACE;
}

/* -------------------------------------------------------------- renaming -- */

bool move_can_rename(struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	if (state->no_rename)
		return false;
	if (object->device == 0)
		return true;
	return object->device == scratch->place->device &&
	       copy_can(&copy->abilities, object->device, scratch->place->device, COPY_CAN_RENAME);
}

static int durable(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	(void)chain;
	return copy_succeed(copy, item);
}

static int make_durable(struct copy_processor *copy, struct iobatch_item *item,
                        struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;

	if (!copy->syncs_renames)
		return copy_succeed(copy, item);
	copy_add_sync(item->scratch, chain);
	if (object->directory)
		iobatch_chain_add(chain, iobatch_op_fsync(IOBATCH_FD(object->dirfd)));
	return copy_then(item, durable);
}

static int looked_for_existing(struct copy_processor *copy, struct iobatch_item *item,
                               const struct iobatch_chain *done, struct iobatch_chain *chain);

static int renamed(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;
	const struct iobatch_op *op = &done->ops[0];

	if (op->result == 0)
		return make_durable(copy, item, chain);
	if (op->result == -EXDEV && !state->whole) {
		state->no_rename = true;
		if (object->device != 0)
			copy_cannot(&copy->abilities, object->device, place->device,
			            COPY_CAN_RENAME);
		return state->opened ? copy_link_or_begin(copy, item, chain)
		                     : copy_look(copy, item, chain);
	}
	if (op->result == -EEXIST && copy->options.existing == IOBATCH_EXISTING_SKIP)
		return iobatch_item_skip(item, &copy_existing);
	if (op->result != -EINVAL || !(op->op_flags & RENAME_NOREPLACE))
		return copy_insist(item, chain, op, renamed);
	/* Not every file system can rename without replacing. */
	copy_add_may_fail(chain, copy_in(place, iobatch_op_statx(place->fd, scratch->name,
	                                                         AT_SYMLINK_NOFOLLOW, STATX_TYPE,
	                                                         &scratch->target)));
	return copy_then(item, looked_for_existing);
}

static int rename_with(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain, uint32_t flags)
{
	const struct iobatch_file *object = item->object;
	const struct copy_scratch *scratch = item->scratch;
	const struct place *place = scratch->place;
	struct iobatch_op op = file_at(
		object, iobatch_op_renameat(AT_FDCWD, NULL, place->fd, scratch->name, flags));

	(void)copy;
	op.device = place->device;
	copy_add_may_fail(chain, op);
	return copy_then(item, renamed);
}

int move_rename(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	return rename_with(copy, item, chain, rename_flags(copy));
}

static int looked_for_existing(struct copy_processor *copy, struct iobatch_item *item,
                               const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	if (done->ops[0].result == -ENOENT)
		return rename_with(copy, item, chain, 0);
	if (done->ops[0].result < 0)
		return (int)done->ops[0].result;
	if (copy->options.existing == IOBATCH_EXISTING_SKIP)
		return iobatch_item_skip(item, &copy_existing);
	return -EEXIST;
}

/* -------------------------------------------------------------- beginning -- */

/*
 * The rename itself finds out all that there is to be known, but for what depends on times and
 * contents, and on whether the two are one file: then it would do nothing and say that all is well.
 */
static int begin(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	bool blind = scratch->place->fresh || rename_flags(copy);

	if (blind && !copy->options.update && !copy->options.checksum &&
	    move_can_rename(copy, item))
		return move_rename(copy, item, chain);
	return copy_look(copy, item, chain);
}

static int times_seen(struct copy_processor *copy, struct iobatch_item *item,
                      const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	const struct statx *seen = &scratch->again;

	(void)done;
	scratch->times[0] = (struct timespec){seen->stx_atime.tv_sec, seen->stx_atime.tv_nsec};
	scratch->times[1] = (struct timespec){seen->stx_mtime.tv_sec, seen->stx_mtime.tv_nsec};
	if (directories_note(&copy->directories, copy_path(item), state->parent_length,
	                     scratch->times) < 0)
		return -ENOMEM;
	return state->noted_then(copy, item, chain);
}

/* Notes the times of the directory that the source is in, before anything leaves it. */
static int note_times(struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain, copy_go then)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	if (state->is_root || !object->directory || !copy_preserves(copy, IOBATCH_PRESERVE_TIMES) ||
	    directories_noted(&copy->directories, copy_path(item), state->parent_length, NULL))
		return then(copy, item, chain);
	state->noted_then = then;
	iobatch_chain_add(chain, iobatch_op_fstatx(IOBATCH_FD(object->dirfd), STATX_BASIC_STATS,
	                                           &scratch->again));
	return copy_then(item, times_seen);
}

int move_begin(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	return note_times(copy, item, chain, begin);
}

/* A directory that comes before its contents is moved as a whole, or not at all. */
static int rename_directory(struct copy_processor *copy, struct iobatch_item *item,
                            struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->whole = true;
	return move_rename(copy, item, chain);
}

int move_directory(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	return copy_place_parent(copy, item, chain, rename_directory);
}

/* -------------------------------------------------------------------- end -- */

static int removed(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	(void)chain;
	return copy_succeed(copy, item);
}

static int remove_source(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	const struct copy_scratch *scratch = item->scratch;
	uint32_t flags = S_ISDIR(scratch->source.stx_mode) ? AT_REMOVEDIR : 0;

	(void)copy;
	iobatch_chain_add(chain, file_at(object, iobatch_op_unlinkat(AT_FDCWD, NULL, flags)));
	return copy_then(item, removed);
}

static int looked_again(struct copy_processor *copy, struct iobatch_item *item,
                        const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;

	(void)done;
	if (copy_was_changed(&scratch->source, &scratch->again))
		return iobatch_item_fail(item, &copy_changed);
	return remove_source(copy, item, chain);
}

int move_end(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;

	/* A directory changes as its contents leave it: that it is empty is what counts. */
	if (S_ISDIR(scratch->source.stx_mode))
		return note_times(copy, item, chain, remove_source);
	iobatch_chain_add(chain,
	                  file_at(object, iobatch_op_statx(AT_FDCWD, NULL, AT_SYMLINK_NOFOLLOW,
	                                                   STATX_BASIC_STATS, &scratch->again)));
	return copy_then(item, looked_again);
}

int iobatch_move_new(const struct iobatch_copy_options *options,
                     struct iobatch_processor **ret_processor)
{
	return copy_new(options, true, ret_processor);
}

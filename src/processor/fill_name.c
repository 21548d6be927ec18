/* SPDX-License-Identifier: MIT */
/*
 * Owns how a file that is whole gets its name: by a rename that replaces nothing unless that was
 * asked for; where the file system cannot do that, by a hard link, which never does. Each step is
 * asked for when the result of the one before is known.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "processor/file.h"
#include "processor/fill.h"

const struct iobatch_error fill_exists = {
	.name = "EEXISTING",
	.message = "there is something of this name already",
};

/* The op with the temporary file as its path. */
struct iobatch_op fill_temporary_at(const struct iobatch_item *item, struct iobatch_op op)
{
	const struct fill_scratch *scratch = item->scratch;

	op = file_at(item->object, op);
	op.path = scratch->temporary;
	return op;
}

int fill_give_name(const struct fill_processor *fill, struct iobatch_item *item,
                   struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;
	bool replaces = fill->options.existing == IOBATCH_EXISTING_REPLACE;
	struct iobatch_op op;

	op = iobatch_op_renameat(AT_FDCWD, NULL, AT_FDCWD, NULL, replaces ? 0 : RENAME_NOREPLACE);
	op.flags = IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, file_at2(item->object, fill_temporary_at(item, op)));
	state->phase = FILL_RENAME;
	return IOBATCH_MORE;
}

static int link_name(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;
	struct iobatch_op op = iobatch_op_linkat(AT_FDCWD, NULL, AT_FDCWD, NULL, 0);

	op.flags = IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, file_at2(item->object, fill_temporary_at(item, op)));
	state->phase = FILL_LINK;
	return IOBATCH_MORE;
}

static int unlink_temporary(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;

	iobatch_chain_add(chain, fill_temporary_at(item, iobatch_op_unlinkat(AT_FDCWD, NULL, 0)));
	state->phase = FILL_UNLINK;
	return IOBATCH_MORE;
}

/* The file has its name; so that it keeps it, its directory is made durable. */
static int sync_name(const struct fill_processor *fill, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct fill_state *state = item->state;
	struct fill_scratch *scratch = item->scratch;
	const char *last = file_last_component(object);
	size_t length = (size_t)(last - file_name(object));
	struct iobatch_op op;

	state->temporary = false;
	state->phase = FILL_NAMED;
	if (fill->options.fsync != IOBATCH_FSYNC_FULL)
		return IOBATCH_DONE;
	/* It fits: the temporary name is longer. */
	memcpy(scratch->parent, file_name(object), length);
	strcpy(scratch->parent + length, ".");
	op = file_at(object,
	             iobatch_op_openat(FILL_DIRECTORY, AT_FDCWD, NULL, O_RDONLY | O_DIRECTORY, 0));
	op.path = scratch->parent;
	iobatch_chain_add(chain, op);
	iobatch_chain_add(chain, iobatch_op_fsync(FILL_DIRECTORY));
	/* XFS says that a directory is durable even when it was lost, but not this. */
	iobatch_chain_add(chain, iobatch_op_fstatx(FILL_DIRECTORY, STATX_TYPE, &scratch->statx));
	return IOBATCH_MORE;
}

int fill_judge_named(const struct fill_processor *fill, struct iobatch_item *item, int64_t result,
                     struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;

	if (result == 0 && state->phase == FILL_RENAME)
		return sync_name(fill, item, chain);
	if (result == 0)
		return unlink_temporary(item, chain);
	/* This file system cannot rename without replacing. */
	if (result == -EINVAL && state->phase == FILL_RENAME &&
	    fill->options.existing != IOBATCH_EXISTING_REPLACE)
		return link_name(item, chain);
	if (result == -EEXIST && fill->options.existing == IOBATCH_EXISTING_SKIP) {
		state->unwanted = true;
		return unlink_temporary(item, chain);
	}
	return (int)result;
}

int fill_unlinked(const struct fill_processor *fill, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	struct fill_state *state = item->state;

	state->temporary = false;
	if (state->unwanted)
		return iobatch_item_skip(item, &fill_exists);
	return sync_name(fill, item, chain);
}

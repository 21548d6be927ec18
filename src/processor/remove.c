/* SPDX-License-Identifier: MIT */
/*
 * The processor that removes each item. It owns which call removes what: a directory goes by
 * rmdir, which the kernel refuses while anything is in it, everything else by unlink, which never
 * follows a symbolic link. So nothing here depends on a tree having been seen as a whole: a
 * directory of which a part was missed is not empty, and stays. Invariant: a call that could
 * remove something is made on the name that the source gave and on nothing else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/file.h"
#include "processor/leaf.h"

enum remove_phase {
	REMOVE_START,
	REMOVE_UNLINK,
	REMOVE_DIRECTORY,
	REMOVE_LOOK,
};

struct remove_state {
	uint8_t phase; /* the op that was asked for last, enum remove_phase */
	int error;     /* of the call before */
};

struct remove_processor {
	struct iobatch_processor processor;
	bool keep_full;
};

static const struct iobatch_error refused_name = {
	.name = "EREFUSED",
	.message = "\".\", \"..\" and the root are not removed",
};
static const struct iobatch_error refused_part = {
	.name = "EREFUSED",
	.message = "a part of a file cannot be removed",
};
static const struct iobatch_error refused_mount = {
	.name = "EREFUSED",
	.message = "something is mounted here: unmount it first",
};
static const struct iobatch_error gone = {
	.name = "EGONE",
	.message = "it is not there any more",
};
static const struct iobatch_error full = {
	.name = "ENOTEMPTY",
	.message = "the directory is kept, because it is not empty",
};

static int call(struct iobatch_item *item, struct iobatch_chain *chain, enum remove_phase phase)
{
	uint32_t flags = phase == REMOVE_DIRECTORY ? AT_REMOVEDIR : 0;
	struct remove_state *state = item->state;
	struct iobatch_op *op;

	op = iobatch_chain_add(chain, file_at(item->object, iobatch_op_unlinkat(0, NULL, flags)));
	op->flags |= IOBATCH_MAY_FAIL;
	state->phase = phase;
	return IOBATCH_MORE;
}

static int start(struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);

	if (!object)
		return -EINVAL;
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &refused_part);
	if (leaf_is_special(leaf_of(file_name(object))))
		return iobatch_item_fail(item, &refused_name);
	return call(item, chain, object->type == DT_DIR ? REMOVE_DIRECTORY : REMOVE_UNLINK);
}

/* What is in use may be a mount point, which is worth saying, or busy for another reason. */
static int look(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct remove_state *state = item->state;
	struct iobatch_op *op;

	op = iobatch_chain_add(chain,
	                       file_at(item->object, iobatch_op_statx(0, NULL, AT_SYMLINK_NOFOLLOW,
	                                                              STATX_TYPE, item->scratch)));
	op->flags |= IOBATCH_MAY_FAIL;
	state->phase = REMOVE_LOOK;
	return IOBATCH_MORE;
}

static int unlinked(struct iobatch_item *item, int error, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct remove_state *state = item->state;

	/* POSIX wants EPERM for a directory, and some file systems listen. */
	if (object->type == DT_UNKNOWN && (error == -EISDIR || error == -EPERM)) {
		state->error = error;
		return call(item, chain, REMOVE_DIRECTORY);
	}
	return error;
}

static int directory_stays(const struct remove_processor *remove, struct iobatch_item *item,
                           int error)
{
	const struct remove_state *state = item->state;

	/* It was no directory: what unlink has said is the reason. */
	if (error == -ENOTDIR && state->error)
		return state->error;
	if (remove->keep_full && (error == -ENOTEMPTY || error == -EEXIST))
		return iobatch_item_skip(item, &full);
	return error;
}

static int looked(struct iobatch_item *item, int error)
{
	const struct statx *statx = item->scratch;

	if (error == 0 && statx->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
	    statx->stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return iobatch_item_fail(item, &refused_mount);
	return -EBUSY;
}

static int remove_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                       struct iobatch_chain *chain)
{
	const struct remove_processor *remove = context;
	const struct remove_state *state = item->state;
	int error;

	if (state->phase == REMOVE_START)
		return start(item, chain);
	error = (int)done->ops[0].result;
	if (state->phase == REMOVE_LOOK)
		return looked(item, error);
	if (error == 0)
		return IOBATCH_DONE;
	if (error == -ENOENT)
		return iobatch_item_skip(item, &gone);
	if (error == -EBUSY)
		return look(item, chain);
	if (state->phase == REMOVE_UNLINK)
		return unlinked(item, error, chain);
	return directory_stays(remove, item, error);
}

static void remove_free(struct iobatch_processor *processor)
{
	free(processor->context);
}

int iobatch_remove_new(const struct iobatch_remove_options *given,
                       struct iobatch_processor **ret_processor)
{
	struct iobatch_remove_options options = IOBATCH_REMOVE_OPTIONS_INIT;
	struct remove_processor *remove;

	if (!given || !ret_processor || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (options.keep_full > 1)
		return -EINVAL;
	remove = calloc(1, sizeof(*remove));
	if (!remove)
		return -ENOMEM;
	remove->keep_full = options.keep_full;
	remove->processor = (struct iobatch_processor){
		.size = sizeof(remove->processor),
		.name = "remove",
		.context = remove,
		.state_size = sizeof(struct remove_state),
		.scratch_size = sizeof(struct statx),
		.chain_ops_max = 1,
		.next = remove_next,
		.free = remove_free,
	};
	*ret_processor = &remove->processor;
	return 0;
}

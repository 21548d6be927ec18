/* SPDX-License-Identifier: MIT */
/*
 * The processor that copies each item to its place below the destination. It owns the way of a
 * copy:
 *
 *     look at the source -> create -> data -> mode and times -> rename
 *
 * where "create" makes a temporary file, a temporary symbolic link or the directory, and missing
 * parents when it has to. Invariant: a final name is touched by the rename only, which is asked for
 * when everything before it is known to be good. Data goes through the reader: each lane reads a
 * block, writes it, and reads the next. It knows nothing of the engine or of where items come from.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/copy.h"
#include "processor/directories.h"
#include "processor/reader.h"
#include "processor/temporary.h"

#define MODE_BITS 07777u
#define STATX_SOURCE (STATX_BASIC_STATS)

/* Ops of the longest chain without lanes: the one that finishes a file. */
#define CHAIN_MIN 5u

static const struct iobatch_error unsupported = {
	.name = "EUNSUPPORTED",
	.message = "only whole regular files, directories and symbolic links can be copied",
};
static const struct iobatch_error same_file = {
	.name = "ESAMEFILE",
	.message = "the source and its place below the destination are the same file",
};
static const struct iobatch_error changed = {
	.name = "ECHANGED",
	.message = "the source was changed while it was copied",
};
static const struct iobatch_error outside = {
	.name = "EOUTSIDE",
	.message = "the name of the item leads out of the destination",
};

/* ----------------------------------------------------- looking at things -- */

static int look(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = reader_object(item);
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct iobatch_op *op;
	uint32_t flags;
	int result;

	if (!object)
		return -EINVAL;
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &unsupported);
	if (copy_leads_out(object->path + object->relative))
		return iobatch_item_fail(item, &outside);
	result = copy_make_path(copy, object, scratch);
	if (result < 0)
		return result;
	flags = copy_is_root(copy, scratch) ? 0 : AT_SYMLINK_NOFOLLOW;
	chain->unordered = true;
	iobatch_chain_add(chain, iobatch_op_statx(AT_FDCWD, object->path, flags, STATX_SOURCE,
	                                          &scratch->source));
	scratch->target = (struct statx){0};
	if (!copy->fresh) {
		op = iobatch_chain_add(chain, iobatch_op_statx(AT_FDCWD, scratch->path, flags,
		                                               STATX_INO, &scratch->target));
		op->flags |= IOBATCH_MAY_FAIL;
	}
	if (object->type == DT_REG)
		iobatch_chain_add(chain, reader_open(object, COPY_SOURCE, O_NOFOLLOW));
	state->phase = COPY_LOOK;
	return IOBATCH_MORE;
}

static bool same_inode(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static bool was_changed(const struct statx *before, const struct statx *after)
{
	return !same_inode(before, after) || before->stx_size != after->stx_size ||
	       before->stx_mtime.tv_sec != after->stx_mtime.tv_sec ||
	       before->stx_mtime.tv_nsec != after->stx_mtime.tv_nsec;
}

/* ----------------------------------------------------------------- data -- */

static bool is_zero(const char *data, size_t length)
{
	return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

/* The block that a lane has read is what it writes. */
static int copy_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length)
{
	const struct copy_state *state = item->state;

	(void)context;
	/* Holes stay holes; the last block is written, so that the file gets its length. */
	if (state->sparse && op->offset + length < state->reader.size &&
	    is_zero(op->buffer, length))
		return 0;
	*op = iobatch_op_write(COPY_TARGET, op->buffer, length, op->offset);
	return 0;
}

static int finish_file(struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	/* An error of an earlier write may come with the close: so it is waited for. */
	chain->unordered = true;
	iobatch_chain_add(chain, iobatch_op_close(COPY_TARGET));
	iobatch_chain_add(chain, iobatch_op_close(COPY_SOURCE));
	iobatch_chain_add(chain, iobatch_op_statx(AT_FDCWD, object->path, AT_SYMLINK_NOFOLLOW,
	                                          STATX_SOURCE, &scratch->again));
	iobatch_chain_add(chain, iobatch_op_fchmodat(AT_FDCWD, scratch->temporary,
	                                             scratch->source.stx_mode & MODE_BITS));
	iobatch_chain_add(chain, iobatch_op_utimensat(AT_FDCWD, scratch->temporary, scratch->times,
	                                              AT_SYMLINK_NOFOLLOW));
	state->phase = COPY_FINISH;
	return IOBATCH_MORE;
}

static int go_on_with_data(const struct copy_processor *copy, struct iobatch_item *item,
                           struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->phase = COPY_DATA;
	if (!reader_finished(&state->reader))
		return reader_lanes(&copy->plan, &state->reader, item, chain);
	chain->unordered = true;
	return chain->count > 0 ? IOBATCH_MORE : finish_file(item, chain);
}

static int rename_new(struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	iobatch_chain_add(chain, iobatch_op_renameat(AT_FDCWD, scratch->temporary, AT_FDCWD,
	                                             scratch->path, 0));
	state->phase = COPY_RENAME;
	return IOBATCH_MORE;
}

/* ---------------------------------------------------------- step by step -- */

static int directory_made(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;

	return directories_add(&copy->directories, scratch->path,
	                       copy_is_root(copy, scratch) ? 0 : O_NOFOLLOW,
	                       scratch->source.stx_mode & MODE_BITS, scratch->times);
}

static int looked(struct copy_processor *copy, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct statx *source = &scratch->source;

	if (scratch->target.stx_mask & STATX_INO && same_inode(source, &scratch->target))
		return iobatch_item_fail(item, &same_file);
	scratch->times[0] = (struct timespec){source->stx_atime.tv_sec, source->stx_atime.tv_nsec};
	scratch->times[1] = (struct timespec){source->stx_mtime.tv_sec, source->stx_mtime.tv_nsec};
	switch (source->stx_mode & S_IFMT) {
	case S_IFREG:
		state->sparse = source->stx_blocks * 512 < source->stx_size;
		if (object->type == DT_REG)
			return copy_create_first(copy, item, chain);
		iobatch_chain_add(chain, reader_open(object, COPY_SOURCE, O_NOFOLLOW));
		state->phase = COPY_OPEN;
		return IOBATCH_MORE;
	case S_IFDIR:
		return copy_create_first(copy, item, chain);
	case S_IFLNK:
		iobatch_chain_add(chain,
		                  iobatch_op_readlinkat(AT_FDCWD, object->path, scratch->link,
		                                        sizeof(scratch->link)));
		state->phase = COPY_READ_LINK;
		return IOBATCH_MORE;
	default:
		return iobatch_item_fail(item, &unsupported);
	}
}

static int link_read(struct copy_processor *copy, struct iobatch_item *item, int64_t length,
                     struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;

	if (length >= (int64_t)sizeof(scratch->link))
		return -ENAMETOOLONG;
	scratch->link[length] = '\0';
	return copy_create_first(copy, item, chain);
}

static int create_failed(struct copy_processor *copy, struct iobatch_item *item, int64_t error,
                         struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	if (error == -ENOENT && !state->parents_made)
		return copy_parent_first(copy, item, chain);
	if (error != -EEXIST || !S_ISDIR(scratch->source.stx_mode))
		return copy_create_last(copy, item, chain);
	iobatch_chain_add(chain,
	                  iobatch_op_statx(AT_FDCWD, scratch->path,
	                                   copy_is_root(copy, scratch) ? 0 : AT_SYMLINK_NOFOLLOW,
	                                   STATX_TYPE, &scratch->target));
	state->phase = COPY_EXISTING;
	return IOBATCH_MORE;
}

static int created(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct iobatch_op op;
	int result;

	if (done->ops[0].result < 0)
		return create_failed(copy, item, done->ops[0].result, chain);
	if (S_ISDIR(scratch->source.stx_mode))
		return directory_made(copy, item);
	if (S_ISLNK(scratch->source.stx_mode)) {
		iobatch_chain_add(chain, iobatch_op_utimensat(AT_FDCWD, scratch->temporary,
		                                              scratch->times, AT_SYMLINK_NOFOLLOW));
		state->phase = COPY_FINISH;
		return IOBATCH_MORE;
	}
	op = done->ops[1];
	result = reader_take(&copy->plan, &state->reader, item, &op);
	if (result < 0)
		return result;
	if (op.opcode == IOBATCH_OP_WRITE)
		iobatch_chain_add(chain, op);
	return go_on_with_data(copy, item, chain);
}

static int copy_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct copy_processor *copy = context;
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	switch (state->phase) {
	case COPY_START:
		return look(copy, item, chain);
	case COPY_LOOK:
		return looked(copy, item, chain);
	case COPY_OPEN:
		return copy_create_first(copy, item, chain);
	case COPY_READ_LINK:
		return link_read(copy, item, done->ops[0].result, chain);
	case COPY_CREATE:
		return created(copy, item, done, chain);
	case COPY_PARENT:
		return copy_parent_next(copy, item, done->ops[0].result, chain);
	case COPY_EXISTING:
		return S_ISDIR(scratch->target.stx_mode) ? directory_made(copy, item) : -EEXIST;
	case COPY_DATA:
		return go_on_with_data(copy, item, chain);
	case COPY_FINISH:
		if (S_ISREG(scratch->source.stx_mode) &&
		    was_changed(&scratch->source, &scratch->again))
			return iobatch_item_fail(item, &changed);
		return rename_new(item, chain);
	default:
		return IOBATCH_DONE;
	}
}

static int copy_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	struct copy_processor *copy = context;
	struct copy_state *state = item->state;

	if (state->phase != COPY_DATA)
		return 0;
	return reader_complete(&copy->plan, &state->reader, item, chain, op);
}

static int copy_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	(void)context;
	if (!state->temporary)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_unlinkat(AT_FDCWD, scratch->temporary, 0));
	return IOBATCH_MORE;
}

static int copy_finish(void *context)
{
	struct copy_processor *copy = context;

	return directories_finish(&copy->directories);
}

/* ---------------------------------------------------- beginning and end -- */

static void copy_free(struct iobatch_processor *processor)
{
	struct copy_processor *copy = processor->context;

	directories_deinit(&copy->directories);
	free(copy);
}

/* Is the destination there, or a directory that it can be made in? */
static int check_destination(char *destination, bool *ret_fresh)
{
	char *slash = strrchr(destination, '/');
	struct stat stat_buffer;
	int result;

	if (stat(destination, &stat_buffer) == 0) {
		*ret_fresh = false;
		return S_ISDIR(stat_buffer.st_mode) ? 0 : -ENOTDIR;
	}
	if (errno != ENOENT)
		return -errno;
	if (!slash) {
		result = stat(".", &stat_buffer);
	} else if (slash == destination) {
		result = stat("/", &stat_buffer);
	} else {
		*slash = '\0';
		result = stat(destination, &stat_buffer);
		*slash = '/';
	}
	if (result < 0)
		return -errno;
	*ret_fresh = true;
	return S_ISDIR(stat_buffer.st_mode) ? 0 : -ENOTDIR;
}

static int copy_init(struct copy_processor *copy, const struct iobatch_copy_options *options)
{
	uint32_t depth = options->depth;
	int result;

	copy->plan = (struct reader_plan){
		.block_size = options->block_size,
		.depth = depth,
		.take = copy_take,
		.context = copy,
	};
	copy->processor = (struct iobatch_processor){
		.size = sizeof(copy->processor),
		.name = "copy",
		.context = copy,
		.state_size = sizeof(struct copy_state),
		.scratch_size = sizeof(struct copy_scratch),
		.chain_ops_max = depth > CHAIN_MIN ? depth : CHAIN_MIN,
		.files_max = 2,
		.buffer_size = options->block_size,
		.buffers_min = 1,
		.buffers_max = depth,
		.next = copy_next,
		.complete = copy_complete,
		.cleanup = copy_cleanup,
		.finish = copy_finish,
		.free = copy_free,
	};
	result = check_destination(copy->destination, &copy->fresh);
	if (result < 0)
		return result;
	result = temporary_seed(&copy->seed);
	if (result < 0)
		return result;
	return directories_init(&copy->directories);
}

int iobatch_copy_new(const struct iobatch_copy_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_copy_options options = IOBATCH_COPY_OPTIONS_INIT;
	struct copy_processor *copy;
	size_t length;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options.destination || !*options.destination ||
	    reader_check(options.block_size, options.depth) < 0)
		return -EINVAL;
	length = strlen(options.destination);
	while (length > 1 && options.destination[length - 1] == '/')
		length--;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	copy = calloc(1, sizeof(*copy) + length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy->destination, options.destination, length);
	copy->destination_length = length;
	result = copy_init(copy, &options);
	if (result < 0) {
		free(copy);
		return result;
	}
	*ret_processor = &copy->processor;
	return 0;
}

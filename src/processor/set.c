/* SPDX-License-Identifier: MIT */
/*
 * The processor that sets attributes of each item. It owns the order in which that is done:
 *
 *     create -> look -> open -> length, owner -> look again -> mode, times, sync
 *
 * of which an item goes through what it needs. The owner comes before the mode, because changing it
 * clears set-user-ID bits; a mode that depends on the one before is worked out when nothing else
 * will change that any more; and what is made durable are all of these. Invariant: a file is opened
 * only when its type is known, so that no device and no FIFO notices anything.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/file.h"
#include "processor/mode.h"

#define NS_PER_S INT64_C(1000000000)

#define SET_ALL                                                                           \
	(IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER | IOBATCH_SET_MODE | \
	 IOBATCH_SET_TIMES | IOBATCH_SET_SYNC)
/* What needs the file open, and what needs its type known. */
#define SET_OPENS (IOBATCH_SET_LENGTH | IOBATCH_SET_SYNC)
#define SET_LOOKS (SET_OPENS | IOBATCH_SET_MODE)

/* The longest chain: length, owner, mode, times, sync. */
#define CHAIN_MAX 5u

enum set_phase {
	SET_START,
	SET_CREATED,
	SET_LOOKED,
	SET_OPENED,
	SET_CHANGED,
	SET_DONE,
};

struct set_state {
	uint8_t phase; /* the chain that was asked for last, enum set_phase */
	uint8_t todo;  /* IOBATCH_SET_* */
	bool open;
	bool directory;
	bool mode_is_known; /* scratch has the mode that will be changed */
	bool may_not_read;
};

struct set_scratch {
	struct statx statx;
	/*
	 * Of the item's fsync, in an attempt before: the kernel tells an error once, so that the
	 * next fsync would succeed without the data.
	 */
	int sync_error;
};

struct set_processor {
	struct iobatch_processor processor;
	uint32_t what;
	uint32_t user;
	uint32_t group;
	uint64_t length;
	struct timespec times[2];
	struct mode_change *mode;
};

static const struct iobatch_error whole_files = {
	.name = "EUNSUPPORTED",
	.message = "attributes are those of whole files only",
};
static const struct iobatch_error symbolic_link = {
	.name = "ESYMLINK",
	.message = "a symbolic link has no mode and no content",
};
static const struct iobatch_error special = {
	.name = "ESPECIAL",
	.message = "a FIFO, a socket or a device has no length and nothing to sync",
};

/* ---------------------------------------------------------- step by step -- */

static int create(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct set_state *state = item->state;
	struct iobatch_op *op;

	/* O_EXCL follows no symbolic link, and opens nothing that was there. */
	op = iobatch_chain_add(
		chain, file_at(item->object,
	                       iobatch_op_openat(0, 0, NULL, O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY,
	                                         0666)));
	op->flags |= IOBATCH_MAY_FAIL;
	state->phase = SET_CREATED;
	return IOBATCH_MORE;
}

static struct iobatch_op look_op(const struct iobatch_item *item)
{
	struct set_scratch *scratch = item->scratch;

	return file_at(item->object, iobatch_op_statx(0, NULL, file_at_flags(item->object),
	                                              STATX_TYPE | STATX_MODE, &scratch->statx));
}

static int finish(const struct set_processor *set, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	const struct set_scratch *scratch = item->scratch;
	uint32_t flags = file_at_flags(object), mode;
	struct set_state *state = item->state;
	struct iobatch_op *op;

	if (state->todo & IOBATCH_SET_MODE) {
		/* What the file has matters only when it was looked at. */
		mode = state->mode_is_known ? scratch->statx.stx_mode : 0;
		mode = mode_apply(set->mode, mode, state->directory);
		iobatch_chain_add(chain,
		                  file_at(object, iobatch_op_fchmodat(0, NULL, mode, flags)));
	}
	if (state->todo & IOBATCH_SET_TIMES)
		iobatch_chain_add(
			chain, file_at(object, iobatch_op_utimensat(0, NULL, set->times, flags)));
	if (state->todo & IOBATCH_SET_SYNC) {
		op = iobatch_chain_add(chain, iobatch_op_fsync(0));
		op->flags |= IOBATCH_MAY_FAIL;
	}
	state->phase = SET_DONE;
	return chain->count > 0 ? IOBATCH_MORE : IOBATCH_DONE;
}

static int change(const struct set_processor *set, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct set_state *state = item->state;
	struct iobatch_op op;

	if (state->todo & IOBATCH_SET_LENGTH)
		iobatch_chain_add(chain, iobatch_op_ftruncate(0, set->length));
	if (state->todo & IOBATCH_SET_OWNER) {
		op = iobatch_op_fchownat(0, NULL, set->user, set->group);
		op.length = file_at_flags(object) ? 0 : AT_SYMLINK_FOLLOW;
		iobatch_chain_add(chain, file_at(object, op));
	}
	/* These clear bits of the mode. */
	if (chain->count > 0)
		state->mode_is_known = false;
	if (!(state->todo & IOBATCH_SET_MODE) || state->mode_is_known ||
	    mode_is_fixed(set->mode, state->directory))
		return finish(set, item, chain);
	iobatch_chain_add(chain, look_op(item));
	state->phase = SET_CHANGED;
	return IOBATCH_MORE;
}

static int open_file(struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	uint32_t flags = O_NONBLOCK | O_NOCTTY | file_open_flags(object);
	struct set_state *state = item->state;
	struct iobatch_op *op;

	flags |= state->todo & IOBATCH_SET_LENGTH || state->may_not_read ? O_WRONLY : O_RDONLY;
	op = iobatch_chain_add(chain, file_at(object, iobatch_op_openat(0, 0, NULL, flags, 0)));
	/* To sync a file it may be opened either way. */
	if (!(state->todo & IOBATCH_SET_LENGTH) && !state->may_not_read && !state->directory)
		op->flags |= IOBATCH_MAY_FAIL;
	state->phase = SET_OPENED;
	return IOBATCH_MORE;
}

static int opened(const struct set_processor *set, struct iobatch_item *item, int64_t result,
                  struct iobatch_chain *chain)
{
	struct set_state *state = item->state;

	if (result == -EACCES) {
		state->may_not_read = true;
		return open_file(item, chain);
	}
	return result < 0 ? (int)result : change(set, item, chain);
}

/* Now that the type is known: what can be done? */
static int choose(const struct set_processor *set, struct iobatch_item *item, mode_t type,
                  struct iobatch_chain *chain)
{
	const struct iobatch_error *reason = NULL;
	struct set_state *state = item->state;
	unsigned possible = SET_ALL;

	state->directory = S_ISDIR(type);
	if (S_ISLNK(type)) {
		possible = IOBATCH_SET_OWNER | IOBATCH_SET_TIMES;
		reason = &symbolic_link;
	} else if (!S_ISREG(type) && !S_ISDIR(type)) {
		possible &= S_ISBLK(type) ? ~IOBATCH_SET_LENGTH : ~SET_OPENS;
		reason = &special;
	}
	state->todo &= (uint8_t)possible;
	if (!state->todo)
		return iobatch_item_skip(item, reason);
	if (state->todo & SET_OPENS && !state->open)
		return open_file(item, chain);
	return change(set, item, chain);
}

static int look(const struct set_processor *set, struct iobatch_item *item,
                struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct set_state *state = item->state;

	state->todo &= (uint8_t)~IOBATCH_SET_CREATE;
	if (!state->todo)
		return IOBATCH_DONE;
	if (!(state->todo & SET_LOOKS))
		return change(set, item, chain);
	if (state->open)
		return choose(set, item, S_IFREG, chain);
	if (object->type != DT_UNKNOWN)
		return choose(set, item, DTTOIF(object->type), chain);
	iobatch_chain_add(chain, look_op(item));
	state->phase = SET_LOOKED;
	return IOBATCH_MORE;
}

static int created(const struct set_processor *set, struct iobatch_item *item, int64_t result,
                   struct iobatch_chain *chain)
{
	struct set_state *state = item->state;

	/* A name with a slash behind it is that of a directory, or of nothing. */
	if (result < 0 && result != -EEXIST && result != -EISDIR)
		return (int)result;
	state->open = result >= 0;
	return look(set, item, chain);
}

static int start(const struct set_processor *set, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);
	struct set_scratch *scratch = item->scratch;
	struct set_state *state = item->state;

	if (!object)
		return -EINVAL;
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &whole_files);
	if (item->attempt == 1)
		scratch->sync_error = 0;
	if (scratch->sync_error)
		return scratch->sync_error;
	state->todo = (uint8_t)set->what;
	return state->todo & IOBATCH_SET_CREATE ? create(item, chain) : look(set, item, chain);
}

/* The last chain has ended, whose sync may have failed. */
static int synced(struct iobatch_item *item, const struct iobatch_chain *done)
{
	struct set_scratch *scratch = item->scratch;
	const struct iobatch_op *last = &done->ops[done->count - 1];

	if (last->opcode != IOBATCH_OP_FSYNC || last->result >= 0)
		return IOBATCH_DONE;
	scratch->sync_error = (int)last->result;
	return scratch->sync_error;
}

static int set_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                    struct iobatch_chain *chain)
{
	const struct set_processor *set = context;
	const struct set_scratch *scratch = item->scratch;
	struct set_state *state = item->state;

	switch (state->phase) {
	case SET_START:
		return start(set, item, chain);
	case SET_CREATED:
		return created(set, item, done->ops[0].result, chain);
	case SET_LOOKED:
		state->mode_is_known = true;
		return choose(set, item, scratch->statx.stx_mode & S_IFMT, chain);
	case SET_OPENED:
		return opened(set, item, done->ops[0].result, chain);
	case SET_CHANGED:
		state->mode_is_known = true;
		return finish(set, item, chain);
	default:
		return synced(item, done);
	}
}

/* ---------------------------------------------------- beginning and end -- */

static struct timespec time_of(int64_t ns)
{
	struct timespec time;

	if (ns == INT64_MAX)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (ns == INT64_MIN)
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	/* Before 1970 the nanoseconds count forward all the same. */
	time.tv_sec = ns / NS_PER_S - (ns % NS_PER_S < 0);
	time.tv_nsec = ns - time.tv_sec * NS_PER_S;
	return time;
}

static bool are_sound(const struct iobatch_set_options *options)
{
	if (options->what == 0 || options->what & ~SET_ALL)
		return false;
	if (options->what & IOBATCH_SET_MODE && !options->mode)
		return false;
	if (options->what & IOBATCH_SET_LENGTH && options->length > INT64_MAX)
		return false;
	return !(options->what & IOBATCH_SET_OWNER) || options->user != UINT32_MAX ||
	       options->group != UINT32_MAX;
}

static void set_free(struct iobatch_processor *processor)
{
	struct set_processor *set = processor->context;

	mode_free(set->mode);
	free(set);
}

int iobatch_set_new(const struct iobatch_set_options *given,
                    struct iobatch_processor **ret_processor)
{
	struct iobatch_set_options options = IOBATCH_SET_OPTIONS_INIT;
	struct set_processor *set;
	int result;

	if (!given || !ret_processor || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!are_sound(&options))
		return -EINVAL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	if (options.what & IOBATCH_SET_MODE) {
		result = mode_new(options.mode, &set->mode);
		if (result < 0) {
			free(set);
			return result;
		}
	}
	set->what = options.what;
	set->user = options.user;
	set->group = options.group;
	set->length = options.length;
	set->times[0] = time_of(options.atime_ns);
	set->times[1] = time_of(options.mtime_ns);
	set->processor = (struct iobatch_processor){
		.size = sizeof(set->processor),
		.name = "set",
		.context = set,
		.state_size = sizeof(struct set_state),
		.scratch_size = sizeof(struct set_scratch),
		.chain_ops_max = CHAIN_MAX,
		.files_max = 1,
		/* The ring's ftruncate is younger than the ring. */
		.process_files = options.what & IOBATCH_SET_LENGTH ? 1 : 0,
		.next = set_next,
		.free = set_free,
	};
	*ret_processor = &set->processor;
	return 0;
}

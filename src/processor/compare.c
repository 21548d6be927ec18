/* SPDX-License-Identifier: MIT */
/*
 * The processor that compares two trees: an item of the first with its counterpart in the other, in
 * type, attributes and content; an item of the other is only looked for in the first. It owns the
 * two roots, which are open for the whole run, and the report.
 *
 * The counterpart is looked up below its root without following any symbolic link, and held by a
 * descriptor: what is said of it is said of one and the same file. A difference is found out in
 * `next` and becomes the item's error in `settled`, so that it is not tried again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/difference.h"
#include "processor/file.h"
#include "processor/lockstep.h"
#include "processor/reader.h"
#include "processor/report.h"

#define COMPARE_ALL 63u

/* The files of an item. */
#define COMPARE_FILE 0        /* itself, to be read */
#define COMPARE_COUNTERPART 1 /* O_PATH */
#define COMPARE_OTHER 2       /* the counterpart, to be read */

#define CHAIN_OPS_MIN 2u

static const struct iobatch_error different = {
	.name = "EDIFFERENT",
	.message = "the two trees have something different here",
};

static const struct iobatch_error only_first = {
	.name = "EONLYFIRST",
	.message = "it is in the first tree only",
};

static const struct iobatch_error only_other = {
	.name = "EONLYOTHER",
	.message = "it is in the other tree only",
};

static const struct iobatch_error no_tree = {
	.name = "EUNSUPPORTED",
	.message = "only files of a walk with two roots can be compared",
};

/* What the chain before was for. */
enum compare_phase {
	COMPARE_START,
	COMPARE_LOOK,       /* attributes of the item, and its counterpart opened */
	COMPARE_LOOK_FOR,   /* of the other tree: the counterpart opened, and that is all */
	COMPARE_ATTRIBUTES, /* of the counterpart */
	COMPARE_TARGETS,    /* of symbolic links */
	COMPARE_OPEN,
	COMPARE_CONTENT,
};

struct compare_state {
	struct lockstep lockstep;
	uint32_t found; /* IOBATCH_COMPARE_* and FOUND_* */
	uint8_t phase;  /* enum compare_phase */
	bool held;      /* `descriptor` is to be closed */
	int descriptor;
};

struct compare_scratch {
	struct statx own;
	struct statx other;
	char target[PATH_MAX];
	char target2[PATH_MAX];
};

struct compare_root {
	char *path;
	int fd; /* O_PATH */
	uint64_t device;
};

struct compare_processor {
	struct iobatch_processor processor;
	uint32_t what;
	uint32_t block_size;
	uint32_t depth;
	struct compare_root roots[2];
	struct report *report; /* NULL = none */
};

/* ---------------------------------------------------------- counterparts -- */

static const char *relative_path(const struct iobatch_file *object)
{
	return object->path + object->relative;
}

/* The root that the item is not of. */
static const struct compare_root *opposite(const struct compare_processor *compare,
                                           const struct iobatch_file *object)
{
	return &compare->roots[object->root == 0];
}

static struct iobatch_op open_counterpart(const struct compare_root *root,
                                          const struct iobatch_file *object, int file,
                                          uint32_t flags)
{
	struct iobatch_op op =
		iobatch_op_openat2(file, root->fd, relative_path(object), flags | O_NOFOLLOW, 0,
	                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	op.device = root->device;
	return op;
}

/* Does the error of a look-up say that there is nothing? */
static bool is_missing(int64_t result)
{
	/* ELOOP: there is a symbolic link where the way leads through a directory here. */
	return result == -ENOENT || result == -ENOTDIR || result == -ELOOP;
}

/* Lets go of the counterpart's descriptor, if it was taken from the item. */
static void let_go(struct compare_state *state)
{
	if (state->held)
		close(state->descriptor);
	state->held = false;
}

/* ---------------------------------------------------- the way of an item -- */

static bool is_same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static int start(const struct compare_processor *compare, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);
	const struct compare_root *root;
	struct compare_state *state = item->state;
	struct compare_scratch *scratch = item->scratch;
	struct iobatch_op look, op;

	if (!object)
		return -EINVAL;
	if (object->root > 1 || object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &no_tree);
	root = opposite(compare, object);
	look = open_counterpart(root, object, COMPARE_COUNTERPART, O_PATH);
	look.flags = IOBATCH_MAY_FAIL;
	/* The roots themselves are both there, and open. */
	if (*relative_path(object) == '\0')
		look = iobatch_op_statx(root->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS,
		                        &scratch->other);
	if (object->root == 1) {
		iobatch_chain_add(chain, look);
		state->phase = COMPARE_LOOK_FOR;
		return IOBATCH_MORE;
	}
	op = iobatch_op_statx(AT_FDCWD, NULL, file_at_flags(object), STATX_BASIC_STATS,
	                      &scratch->own);
	iobatch_chain_add(chain, file_at(object, op));
	iobatch_chain_add(chain, look);
	chain->unordered = true;
	state->phase = COMPARE_LOOK;
	return IOBATCH_MORE;
}

/* The item and its counterpart, or that there is none, are known as far as one look goes. */
static int look_on(struct iobatch_item *item, int64_t result, struct iobatch_chain *chain)
{
	struct compare_state *state = item->state;
	struct compare_scratch *scratch = item->scratch;

	if (is_missing(result)) {
		state->found = FOUND_ONLY;
		return IOBATCH_DONE;
	}
	if (result < 0 || state->phase == COMPARE_LOOK_FOR)
		return (int)result;
	iobatch_chain_add(
		chain, iobatch_op_fstatx(COMPARE_COUNTERPART, STATX_BASIC_STATS, &scratch->other));
	state->phase = COMPARE_ATTRIBUTES;
	return IOBATCH_MORE;
}

static int read_targets(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct compare_state *state = item->state;
	struct compare_scratch *scratch = item->scratch;
	int descriptor = iobatch_item_take_fd(item, COMPARE_COUNTERPART);

	if (descriptor < 0)
		return descriptor;
	state->descriptor = descriptor;
	state->held = true;
	iobatch_chain_add(
		chain, file_at(item->object, iobatch_op_readlinkat(AT_FDCWD, NULL, scratch->target,
	                                                           sizeof(scratch->target))));
	iobatch_chain_add(chain, iobatch_op_readlinkat(descriptor, "", scratch->target2,
	                                               sizeof(scratch->target2)));
	chain->unordered = true;
	state->phase = COMPARE_TARGETS;
	return IOBATCH_MORE;
}

static int open_both(const struct compare_processor *compare, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	const struct compare_root *root = opposite(compare, object);
	struct compare_state *state = item->state;
	uint32_t flags = O_RDONLY | O_NOCTTY | O_NONBLOCK;

	iobatch_chain_add(chain, reader_open(object, COMPARE_FILE, 0));
	if (*relative_path(object) == '\0')
		iobatch_chain_add(chain,
		                  iobatch_op_openat(COMPARE_OTHER, AT_FDCWD, root->path, flags, 0));
	else
		iobatch_chain_add(chain, open_counterpart(root, object, COMPARE_OTHER, flags));
	chain->unordered = true;
	state->phase = COMPARE_OPEN;
	return IOBATCH_MORE;
}

/* Attributes of both are known. */
static int judge(const struct compare_processor *compare, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	struct compare_state *state = item->state;
	const struct compare_scratch *scratch = item->scratch;
	const struct statx *own = &scratch->own, *other = &scratch->other;

	state->found = difference_of(compare->what, own, other);
	if (state->found & IOBATCH_COMPARE_TYPE || is_same_file(own, other))
		return IOBATCH_DONE;
	if (S_ISLNK(own->stx_mode) && compare->what & IOBATCH_COMPARE_SIZE)
		return read_targets(item, chain);
	if (state->found || !S_ISREG(own->stx_mode) || !(compare->what & IOBATCH_COMPARE_CONTENT) ||
	    (own->stx_size == 0 && other->stx_size == 0))
		return IOBATCH_DONE;
	return open_both(compare, item, chain);
}

static int compare_content(const struct compare_processor *compare, struct iobatch_item *item,
                           struct iobatch_chain *chain)
{
	struct compare_state *state = item->state;
	const struct compare_scratch *scratch = item->scratch;
	uint64_t size = scratch->own.stx_size, size2 = scratch->other.stx_size;
	uint64_t limit = size < size2 ? size : size2;

	/* Of files of different sizes one has a byte where the other ends. */
	lockstep_start(&state->lockstep, COMPARE_FILE, COMPARE_OTHER, compare->block_size,
	               size == size2 ? limit : limit + 1);
	lockstep_lanes(&state->lockstep, item, compare->depth, chain);
	state->phase = COMPARE_CONTENT;
	return IOBATCH_MORE;
}

static int compare_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	const struct compare_processor *compare = context;
	struct compare_state *state = item->state;
	const struct compare_scratch *scratch = item->scratch;
	const struct iobatch_op *last = done->count > 0 ? &done->ops[done->count - 1] : NULL;

	switch ((enum compare_phase)state->phase) {
	case COMPARE_START:
		return start(compare, item, chain);
	case COMPARE_LOOK:
		if (last->opcode == IOBATCH_OP_STATX)
			return judge(compare, item, chain);
		return look_on(item, last->result, chain);
	case COMPARE_LOOK_FOR:
		return look_on(item, last->result, chain);
	case COMPARE_ATTRIBUTES:
		return judge(compare, item, chain);
	case COMPARE_TARGETS:
		let_go(state);
		if (done->ops[0].result != done->ops[1].result ||
		    memcmp(scratch->target, scratch->target2, (size_t)done->ops[0].result) != 0)
			state->found |= FOUND_TARGET;
		return IOBATCH_DONE;
	case COMPARE_OPEN:
		return compare_content(compare, item, chain);
	case COMPARE_CONTENT:
		if (state->lockstep.difference != LOCKSTEP_SAME)
			state->found |= IOBATCH_COMPARE_CONTENT;
		return IOBATCH_DONE;
	}
	return -EINVAL;
}

static int compare_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                            struct iobatch_op *op)
{
	struct compare_state *state = item->state;

	(void)context;
	if (state->phase == COMPARE_CONTENT)
		lockstep_complete(&state->lockstep, item, chain, op);
	return 0;
}

static int compare_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	(void)context;
	(void)chain;
	let_go(item->state);
	return IOBATCH_DONE;
}

/* --------------------------------------------------------------- verdict -- */

/* Writes "only in ROOT: PATH". */
static size_t only_line(const char *root, const char *path, char *ret_line)
{
	bool escape = report_escapes(root) || report_escapes(path);
	char *at = ret_line;

	if (escape)
		*at++ = '\\';
	at = stpcpy(at, "only in ");
	at = report_put_name(at, root, escape);
	at = stpcpy(at, ": ");
	at = report_put_name(at, path, escape);
	*at++ = '\n';
	return (size_t)(at - ret_line);
}

static int compare_settled(void *context, struct iobatch_item *item,
                           const struct iobatch_outcome *outcome)
{
	const struct compare_processor *compare = context;
	const struct compare_state *state = item->state;
	const struct iobatch_file *object = item->object;
	char line[REPORT_LINE_MAX + 2 * PATH_MAX], what[DIFFERENCE_NAME_MAX];
	bool only = state->found & FOUND_ONLY;
	const char *path;
	size_t length = 0;
	int result = 0;

	/* The report itself may be in one of the trees, but it is none of their files. */
	if (outcome->error || !state->found ||
	    (compare->report && report_is(compare->report, object)))
		return compare->report ? report_add(compare->report, item->index, NULL, 0) : 0;
	if (compare->report) {
		path = *relative_path(object) ? relative_path(object) : ".";
		if (only) {
			length = only_line(compare->roots[object->root].path, path, line);
		} else {
			difference_name(state->found, state->lockstep.difference, what);
			length = report_line("differs: ", path, what, line);
		}
		result = report_add(compare->report, item->index, line, length);
	}
	if (result < 0)
		return result;
	if (!only)
		return iobatch_item_fail(item, &different);
	return iobatch_item_fail(item, object->root == 0 ? &only_first : &only_other);
}

/* --------------------------------------------------- beginning and end -- */

static void compare_abandon(void *context, int error)
{
	struct compare_processor *compare = context;

	(void)error;
	report_abandon(compare->report);
}

static int compare_finish(void *context)
{
	struct compare_processor *compare = context;

	return report_finish(compare->report);
}

static void compare_free(struct iobatch_processor *processor)
{
	struct compare_processor *compare = processor->context;

	for (unsigned i = 0; i < 2; i++) {
		if (compare->roots[i].fd >= 0)
			close(compare->roots[i].fd);
		free(compare->roots[i].path);
	}
	report_free(compare->report);
	free(compare);
}

static int open_root(const char *path, struct compare_root *root)
{
	struct stat status;

	root->path = strdup(path);
	if (!root->path)
		return -ENOMEM;
	root->fd = open(path, O_PATH | O_CLOEXEC);
	if (root->fd < 0 || fstat(root->fd, &status) < 0)
		return -errno;
	root->device = status.st_dev;
	return 0;
}

int iobatch_compare_new(const struct iobatch_compare_options *given,
                        struct iobatch_processor **ret_processor)
{
	struct iobatch_compare_options options = IOBATCH_COMPARE_OPTIONS_INIT;
	struct compare_processor *compare;
	bool content;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options.first || !options.other || options.what & ~COMPARE_ALL ||
	    reader_check(options.block_size, options.depth) < 0)
		return -EINVAL;
	compare = calloc(1, sizeof(*compare));
	if (!compare)
		return -ENOMEM;
	compare->roots[0].fd = compare->roots[1].fd = -1;
	compare->what = options.what | IOBATCH_COMPARE_TYPE;
	compare->block_size = options.block_size;
	compare->depth = options.depth < LOCKSTEP_DEPTH_MAX ? options.depth : LOCKSTEP_DEPTH_MAX;
	content = options.what & IOBATCH_COMPARE_CONTENT;
	compare->processor = (struct iobatch_processor){
		.size = sizeof(compare->processor),
		.name = "compare",
		.context = compare,
		.state_size = sizeof(struct compare_state),
		.scratch_size = sizeof(struct compare_scratch),
		.chain_ops_max = content ? 2 * compare->depth : CHAIN_OPS_MIN,
		.files_max = 3,
		.process_files = 1,
		.buffer_size = content ? options.block_size : 0,
		.buffers_min = content ? 2 : 0,
		.buffers_max = content ? 2 * compare->depth : 0,
		.next = compare_next,
		.complete = compare_complete,
		.cleanup = compare_cleanup,
		.settled = compare_settled,
		.abandon = compare_abandon,
		.finish = compare_finish,
		.free = compare_free,
	};
	result = open_root(options.first, &compare->roots[0]);
	if (result == 0)
		result = open_root(options.other, &compare->roots[1]);
	if (result == 0 && options.report)
		result = report_new(options.report, &compare->report);
	if (result < 0) {
		compare_free(&compare->processor);
		return result;
	}
	*ret_processor = &compare->processor;
	return 0;
}

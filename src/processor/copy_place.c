/* SPDX-License-Identifier: MIT */
/*
 * Owns where an item is copied to: its path below the destination, its temporary name, and how it
 * is created there, with the parents that are missing. Invariant: no op of these names anything
 * outside the destination, and nothing that exists is replaced. It does not know what comes before
 * or after.
 */
#include "processor/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "processor/temporary.h"

/* ---------------------------------------------------------------- paths -- */

bool copy_leads_out(const char *relative)
{
	for (const char *at = relative; *at;) {
		size_t length = strcspn(at, "/");

		if (length == 2 && memcmp(at, "..", 2) == 0)
			return true;
		at += length;
		at += strspn(at, "/");
	}
	return false;
}

int copy_make_path(const struct copy_processor *copy, const struct iobatch_file *object,
                   struct copy_scratch *scratch)
{
	const char *relative = object->path + object->relative;
	size_t root = copy->destination_length, length;

	relative += strspn(relative, "/");
	length = strlen(relative);
	if (root + 1 + length >= sizeof(scratch->path))
		return -ENAMETOOLONG;
	memcpy(scratch->path, copy->destination, root + 1);
	if (length > 0) {
		if (scratch->path[root - 1] != '/')
			scratch->path[root++] = '/';
		memcpy(scratch->path + root, relative, length + 1);
	}
	return 0;
}

/* Is the item what is copied to the destination itself? Then it may be reached by a symbolic link.
 */
bool copy_is_root(const struct copy_processor *copy, const struct copy_scratch *scratch)
{
	return !scratch->path[copy->destination_length];
}

/* ------------------------------------------------------------- creating -- */

static struct iobatch_op create_op(struct copy_scratch *scratch)
{
	uint32_t mode = scratch->source.stx_mode;

	if (S_ISDIR(mode))
		return iobatch_op_mkdirat(AT_FDCWD, scratch->path, (mode & 0777) | 0700);
	if (S_ISLNK(mode))
		return iobatch_op_symlinkat(scratch->link, AT_FDCWD, scratch->temporary);
	return iobatch_op_openat(COPY_TARGET, AT_FDCWD, scratch->temporary,
	                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

static int create(const struct copy_processor *copy, struct iobatch_item *item,
                  struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct iobatch_op *op;

	chain->unordered = true;
	op = iobatch_chain_add(chain, create_op(scratch));
	if (state->may_fail)
		op->flags |= IOBATCH_MAY_FAIL;
	if (S_ISREG(scratch->source.stx_mode)) {
		state->reader = (struct reader){0};
		reader_start(&state->reader, item->object, COPY_SOURCE);
		reader_expect(&state->reader, scratch->source.stx_size);
		iobatch_chain_add(chain, reader_op(&copy->plan, &state->reader, item, 0));
	}
	state->temporary = !S_ISDIR(scratch->source.stx_mode);
	state->phase = COPY_CREATE;
	return IOBATCH_MORE;
}

int copy_create_first(const struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	int result;

	/* Each attempt has a name of its own. */
	result = temporary_name(scratch->path, strlen(scratch->path), item->index,
	                        copy->seed + item->attempt, scratch->temporary,
	                        sizeof(scratch->temporary));
	if (result < 0)
		return result;
	state->may_fail = true;
	return create(copy, item, chain);
}

int copy_create_last(const struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->may_fail = false;
	return create(copy, item, chain);
}

/*
 * The parents are there now. A directory may be, too, by now: an item below it that was faster has
 * made it as its parent. So its failure is looked into once more.
 */
static int create_below_parents(const struct copy_processor *copy, struct iobatch_item *item,
                                struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	state->parents_made = true;
	state->may_fail = S_ISDIR(scratch->source.stx_mode);
	return create(copy, item, chain);
}

/* -------------------------------------------------------------- parents -- */

static int make_parent(struct iobatch_item *item, struct iobatch_chain *chain, uint16_t flags)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct iobatch_op *op;

	state->cut = scratch->path[state->parent];
	scratch->path[state->parent] = '\0';
	op = iobatch_chain_add(chain, iobatch_op_mkdirat(AT_FDCWD, scratch->path, 0777));
	op->flags |= flags;
	state->phase = COPY_PARENT;
	return IOBATCH_MORE;
}

/* Goes from the directory whose parent is missing up by one; false at the destination. */
static bool go_up(const struct copy_processor *copy, struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const char *slash = memrchr(scratch->path, '/', state->parent);
	size_t length = slash ? (size_t)(slash - scratch->path) : 0;

	if (state->parent <= copy->destination_length)
		return false;
	if (length < copy->destination_length)
		length = copy->destination_length;
	state->parent = (uint16_t)length;
	return true;
}

/* Goes down by one towards the item's place; false when its directory is there. */
static bool go_down(struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const char *begin = scratch->path + state->parent;
	const char *slash;

	begin += strspn(begin, "/");
	slash = strchr(begin, '/');
	/* What follows is the last component when nothing but slashes is behind it. */
	if (!slash || !slash[strspn(slash, "/")])
		return false;
	state->parent = (uint16_t)(slash - scratch->path);
	return true;
}

/* The deepest directory first, since it is most often the only one that is missing. */
int copy_parent_first(const struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	state->descending = false;
	state->parent = (uint16_t)strlen(scratch->path);
	while (state->parent > 0 && scratch->path[state->parent - 1] == '/')
		state->parent--;
	if (!go_up(copy, item))
		return copy_create_last(copy, item, chain);
	return make_parent(item, chain, IOBATCH_MAY_FAIL);
}

int copy_parent_next(const struct copy_processor *copy, struct iobatch_item *item, int64_t result,
                     struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	scratch->path[state->parent] = state->cut;
	if (result >= 0 || result == -EEXIST) {
		state->descending = true;
		if (!go_down(item))
			return create_below_parents(copy, item, chain);
		return make_parent(item, chain, IOBATCH_MAY_FAIL);
	}
	if (result == -ENOENT && !state->descending && go_up(copy, item))
		return make_parent(item, chain, IOBATCH_MAY_FAIL);
	/* Once more, to fail the attempt with the name of this op and its error. */
	return make_parent(item, chain, 0);
}

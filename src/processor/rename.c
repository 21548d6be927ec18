/* SPDX-License-Identifier: MIT */
/*
 * The processor that renames each item within its directory. It owns what the new name is, and that
 * nothing loses its name to it: the kernel is asked to rename only where nothing is. A file system
 * that cannot promise that says EINVAL; there the new name is taken first, which fails when there
 * is one: by a hard link, or, for a directory, by an empty one, which the old one then replaces.
 * Invariant: a name is removed only when what it stood for is known to have the other name as well.
 *
 *     rename | (look) -> link -> unlink | (look) -> mkdir -> rename
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef RENAME_NOREPLACE
#include <linux/fs.h>
#endif

#include <iobatch.h>

#include "op/abi.h"
#include "processor/file.h"
#include "processor/leaf.h"
#include "processor/template.h"

enum rename_phase {
	RENAME_START,
	RENAME_RENAME,
	RENAME_LOOK,
	RENAME_LINK,
	RENAME_UNLINK,
	RENAME_MAKE,
	RENAME_REPLACE,
	RENAME_UNDO,
};

struct rename_state {
	uint8_t phase; /* the op that was asked for last, enum rename_phase */
	int error;     /* why it is being undone */
};

struct rename_scratch {
	struct statx statx;
	char path[PATH_MAX]; /* the new name, with what stands before it */
	char text[];         /* of the template */
};

struct rename_processor {
	struct iobatch_processor processor;
	struct template *to;
	uint32_t existing;
	bool matches; /* there is a pattern */
	regex_t pattern;
};

static const struct iobatch_error refused = {
	.name = "EREFUSED",
	.message = "the new name is none: it is empty, \".\" or \"..\", or has a slash in it",
};
static const struct iobatch_error refused_name = {
	.name = "EREFUSED",
	.message = "\".\", \"..\" and the root are not renamed",
};
static const struct iobatch_error refused_part = {
	.name = "EREFUSED",
	.message = "a part of a file cannot be renamed",
};
static const struct iobatch_error unsupported = {
	.name = "EUNSUPPORTED",
	.message = "this file system cannot rename without the danger of replacing something",
};
static const struct iobatch_error no_match = {
	.name = "ENOMATCH",
	.message = "the name does not match",
};
static const struct iobatch_error same_name = {
	.name = "ESAMENAME",
	.message = "the name stays as it is",
};
static const struct iobatch_error exists = {
	.name = "EEXISTING",
	.message = "something has the new name already",
};

/* ---------------------------------------------------------- the new name -- */

/* Finds the groups of the pattern in the name. Returns false when it does not match. */
static bool match(const struct rename_processor *rename, struct leaf leaf,
                  struct template_bytes groups[TEMPLATE_GROUPS_MAX])
{
	regmatch_t found[TEMPLATE_GROUPS_MAX + 1];

	if (!rename->matches)
		return true;
	found[0] = (regmatch_t){.rm_so = 0, .rm_eo = (regoff_t)leaf.length};
	if (regexec(&rename->pattern, leaf.start, TEMPLATE_GROUPS_MAX + 1, found, REG_STARTEND))
		return false;
	for (unsigned i = 0; i < TEMPLATE_GROUPS_MAX; i++) {
		const regmatch_t *group = &found[i + 1];

		groups[i] = (struct template_bytes){leaf.start, 0};
		/* One of an alternative that was not taken has nothing. */
		if (group->rm_so >= 0)
			groups[i] = (struct template_bytes){leaf.start + group->rm_so,
			                                    (size_t)(group->rm_eo - group->rm_so)};
	}
	return true;
}

/* Puts the new path together: what stands before the last component, and the new name. */
static int put_path(const struct iobatch_file *object, struct leaf leaf, const char *name,
                    struct rename_scratch *scratch)
{
	size_t before = (size_t)(leaf.start - file_name(object)), length = strlen(name);

	if (length >= PATH_MAX - before)
		return -ENAMETOOLONG;
	memcpy(scratch->path, file_name(object), before);
	memcpy(scratch->path + before, name, length + 1);
	return 0;
}

/* Works out the new path. IOBATCH_MORE: it is in scratch. */
static int make_path(const struct rename_processor *rename, struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	struct leaf leaf = leaf_of(file_name(object)), new;
	struct template_bytes groups[TEMPLATE_GROUPS_MAX];
	struct rename_scratch *scratch = item->scratch;
	const char *name;
	ssize_t used;
	int result;

	if (leaf_is_special(leaf))
		return iobatch_item_fail(item, &refused_name);
	/* Before the kernel says so: the new path may be short enough. */
	if (leaf.start - file_name(object) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!match(rename, leaf, groups))
		return iobatch_item_skip(item, &no_match);
	used = template_expand(rename->to, object, file_number(item), groups, scratch->text, &name);
	if (used < 0)
		return (int)used;
	new = (struct leaf){name, strlen(name)};
	if (leaf_is_special(new) || strchr(name, '/'))
		return iobatch_item_fail(item, &refused);
	if (new.length == leaf.length && memcmp(name, leaf.start, leaf.length) == 0)
		return iobatch_item_skip(item, &same_name);
	result = put_path(object, leaf, name, scratch);
	return result < 0 ? result : IOBATCH_MORE;
}

/* ---------------------------------------------------------- step by step -- */

/* Asks for an op on the old name, the new one, or both, whose failure is looked at here. */
static int ask(struct iobatch_item *item, struct iobatch_chain *chain, struct iobatch_op op,
               enum rename_phase phase)
{
	struct rename_state *state = item->state;

	op.flags |= IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, op);
	state->phase = (uint8_t)phase;
	return IOBATCH_MORE;
}

static struct iobatch_op rename_op(const struct iobatch_item *item, uint32_t flags)
{
	const struct rename_scratch *scratch = item->scratch;
	int dirfd = file_dirfd(item->object);

	return file_at(item->object, iobatch_op_renameat(0, NULL, dirfd, scratch->path, flags));
}

/* An op on the new name. */
static struct iobatch_op new_at(const struct iobatch_item *item, struct iobatch_op op)
{
	const struct rename_scratch *scratch = item->scratch;

	op = file_at(item->object, op);
	op.path = scratch->path;
	return op;
}

static int start(const struct rename_processor *rename, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	uint32_t flags = rename->existing == IOBATCH_EXISTING_REPLACE ? 0 : RENAME_NOREPLACE;
	const struct iobatch_file *object = file_object(item);
	int result;

	if (!object)
		return -EINVAL;
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &refused_part);
	result = make_path(rename, item);
	if (result != IOBATCH_MORE)
		return result;
	return ask(item, chain, rename_op(item, flags), RENAME_RENAME);
}

static int take_name(struct iobatch_item *item, bool directory, struct iobatch_chain *chain)
{
	const struct rename_scratch *scratch = item->scratch;
	int dirfd = file_dirfd(item->object);

	if (directory)
		return ask(item, chain, new_at(item, iobatch_op_mkdirat(0, NULL, 0700)),
		           RENAME_MAKE);
	return ask(item, chain,
	           file_at(item->object, iobatch_op_linkat(0, NULL, dirfd, scratch->path, 0)),
	           RENAME_LINK);
}

/* The file system does not know how to rename without replacing. */
static int go_around(struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct rename_scratch *scratch = item->scratch;

	if (object->type != DT_UNKNOWN)
		return take_name(item, object->type == DT_DIR, chain);
	return ask(item, chain,
	           file_at(object, iobatch_op_statx(0, NULL, AT_SYMLINK_NOFOLLOW, STATX_TYPE,
	                                            &scratch->statx)),
	           RENAME_LOOK);
}

/* Gives the new name back; the item then fails for what went wrong before. */
static int undo(struct iobatch_item *item, int error, uint32_t flags, struct iobatch_chain *chain)
{
	struct rename_state *state = item->state;

	state->error = error;
	return ask(item, chain, new_at(item, iobatch_op_unlinkat(0, NULL, flags)), RENAME_UNDO);
}

static int failed(const struct rename_processor *rename, struct iobatch_item *item, int error,
                  struct iobatch_chain *chain)
{
	const struct rename_state *state = item->state;

	switch (state->phase) {
	case RENAME_RENAME:
		if (error == -EINVAL && rename->existing != IOBATCH_EXISTING_REPLACE)
			return go_around(item, chain);
		break;
	case RENAME_LINK:
		if (error == -EPERM || error == -EOPNOTSUPP)
			return iobatch_item_fail(item, &unsupported);
		break;
	case RENAME_UNLINK:
		return undo(item, error, 0, chain);
	case RENAME_REPLACE:
		return undo(item, error, AT_REMOVEDIR, chain);
	}
	if (error == -EEXIST && rename->existing == IOBATCH_EXISTING_SKIP)
		return iobatch_item_skip(item, &exists);
	return error;
}

static int rename_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                       struct iobatch_chain *chain)
{
	const struct rename_processor *rename = context;
	const struct rename_scratch *scratch = item->scratch;
	const struct rename_state *state = item->state;

	if (state->phase == RENAME_START)
		return start(rename, item, chain);
	/* Whether it could be undone is no news of the item's. */
	if (state->phase == RENAME_UNDO)
		return state->error;
	if (done->ops[0].result < 0)
		return failed(rename, item, (int)done->ops[0].result, chain);
	switch (state->phase) {
	case RENAME_LOOK:
		return take_name(item, S_ISDIR(scratch->statx.stx_mode), chain);
	case RENAME_LINK:
		return ask(item, chain, file_at(item->object, iobatch_op_unlinkat(0, NULL, 0)),
		           RENAME_UNLINK);
	case RENAME_MAKE:
		return ask(item, chain, rename_op(item, 0), RENAME_REPLACE);
	default:
		return IOBATCH_DONE;
	}
}

/* ---------------------------------------------------- beginning and end -- */

static void rename_free(struct iobatch_processor *processor)
{
	struct rename_processor *rename = processor->context;

	if (rename->matches)
		regfree(&rename->pattern);
	template_free(rename->to);
	free(rename);
}

static int take_options(struct rename_processor *rename,
                        const struct iobatch_rename_options *options)
{
	size_t groups = 0;
	char *error;
	int result;

	rename->existing = options->existing;
	if (options->match) {
		result = regcomp(&rename->pattern, options->match, REG_EXTENDED);
		if (result != 0)
			return result == REG_ESPACE ? -ENOMEM : -EINVAL;
		rename->matches = true;
		groups = rename->pattern.re_nsub;
	}
	if (groups > TEMPLATE_GROUPS_MAX)
		groups = TEMPLATE_GROUPS_MAX;
	result = template_new(options->to, (unsigned)groups, &rename->to, &error);
	/* There is nobody to be told. */
	if (result == -EINVAL)
		free(error);
	return result;
}

int iobatch_rename_new(const struct iobatch_rename_options *given,
                       struct iobatch_processor **ret_processor)
{
	struct iobatch_rename_options options = IOBATCH_RENAME_OPTIONS_INIT;
	struct rename_processor *rename;
	int result;

	if (!given || !ret_processor || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options.to || options.existing > IOBATCH_EXISTING_FAIL)
		return -EINVAL;
	rename = calloc(1, sizeof(*rename));
	if (!rename)
		return -ENOMEM;
	rename->processor = (struct iobatch_processor){
		.size = sizeof(rename->processor),
		.name = "rename",
		.context = rename,
		.state_size = sizeof(struct rename_state),
		.chain_ops_max = 1,
		.next = rename_next,
		.free = rename_free,
	};
	result = take_options(rename, &options);
	if (result < 0) {
		rename_free(&rename->processor);
		return result;
	}
	rename->processor.scratch_size = sizeof(struct rename_scratch) + template_space(rename->to);
	*ret_processor = &rename->processor;
	return 0;
}

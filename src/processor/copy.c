/* SPDX-License-Identifier: MIT */
/*
 * The processor that copies each item to its place below the destination. This file owns the
 * beginning and the end of an item: what it takes and gives back, and what a failed attempt leaves
 * to be removed; copy.h tells of the way between. It knows nothing of the engine or of where items
 * come from.
 */
#include "processor/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <iobatch.h>

const struct iobatch_error copy_unsupported = {
	.name = "EUNSUPPORTED",
	.message = "only whole files can be copied",
};
const struct iobatch_error copy_same_file = {
	.name = "ESAMEFILE",
	.message = "the source and its place below the destination are the same file",
};
const struct iobatch_error copy_changed = {
	.name = "ECHANGED",
	.message = "the source was changed while it was copied",
};
const struct iobatch_error copy_outside = {
	.name = "EOUTSIDE",
	.message = "the name of the item leads out of the destination",
};
const struct iobatch_error copy_verify_failed = {
	.name = "EVERIFY",
	.message = "what was written reads back differently",
};
const struct iobatch_error copy_existing = {
	.name = "EEXISTING",
	.message = "something is in its place",
};
const struct iobatch_error copy_up_to_date = {
	.name = "EUPTODATE",
	.message = "what is in its place is as good",
};

/* -------------------------------------------------- what an item holds -- */

/* The attempt did not come to its end: other names of its file need not wait for it. */
static void let_go_of_link(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;

	if (scratch->link && scratch->link_is_mine)
		copy_links_failed(&copy->links, scratch->link);
	else if (scratch->link)
		copy_links_unused(&copy->links, scratch->link);
	scratch->link = NULL;
}

/* Nor for a directory that it has not come to open. */
static void let_go_of_claim(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;

	places_unclaim(&copy->places, scratch->claim);
	scratch->claim = NULL;
}

static void let_go_of_places(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;

	places_release(&copy->places, scratch->place);
	places_release(&copy->places, scratch->first);
	scratch->place = scratch->first = NULL;
}

int copy_succeed(struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	if (scratch->link && scratch->link_is_mine)
		copy_links_done(&copy->links, scratch->link, copy_path(item), state->path_length);
	else if (scratch->link)
		copy_links_used(&copy->links, scratch->link);
	scratch->link = NULL;
	let_go_of_places(copy, item);
	return IOBATCH_DONE;
}

/* -------------------------------------------------------------- callbacks -- */

static int start(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);
	struct copy_scratch *scratch = item->scratch;
	int result;

	if (item->attempt == 1) {
		scratch->place = scratch->first = NULL;
		scratch->claim = NULL;
		scratch->link = NULL;
	}
	if (!object)
		return -EINVAL;
	if (object->root > 0)
		atomic_store_explicit(&copy->several, true, memory_order_relaxed);
	if (object->fd >= 0 || object->offset > 0 || object->length > 0)
		return iobatch_item_fail(item, &copy_unsupported);
	result = copy_names(copy, item);
	if (result < 0)
		return result;
	if (object->type == DT_DIR)
		return copy_directory(copy, item, chain);
	return copy_place_parent(copy, item, chain, copy->moving ? move_begin : copy_look);
}

static int copy_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct copy_processor *copy = context;
	const struct copy_state *state = item->state;

	return state->step ? state->step(copy, item, done, chain) : start(copy, item, chain);
}

static int copy_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	struct copy_state *state = item->state;

	(void)context;
	return state->plan ? reader_complete(state->plan, &state->reader, item, chain, op) : 0;
}

static int copy_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_processor *copy = context;
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;

	let_go_of_link(copy, item);
	let_go_of_claim(copy, item);
	if (!state->temporary)
		return IOBATCH_DONE;
	iobatch_chain_add(chain,
	                  copy_in(scratch->place,
	                          iobatch_op_unlinkat(scratch->place->fd, scratch->temporary, 0)));
	return IOBATCH_MORE;
}

/* Others may wait for the descriptors, and the item itself for those of directories not in use. */
static void copy_wait(void *context, struct iobatch_item *item)
{
	struct copy_processor *copy = context;

	let_go_of_places(copy, item);
	places_trim(&copy->places);
}

static int copy_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct copy_processor *copy = context;

	if (outcome->attempts == 0)
		return 0;
	let_go_of_link(copy, item);
	let_go_of_claim(copy, item);
	/* Of one that is stuck the directories are still needed, by its ops and its clean-up. */
	if (!outcome->stuck)
		let_go_of_places(copy, item);
	return 0;
}

/* ------------------------------------------------------- the end of the run -- */

/* The destination: what was opened at the start, or what was made since. */
static int open_root(const struct copy_processor *copy, int flags)
{
	if (copy->root)
		return openat(copy->root->fd, ".", flags);
	return openat(copy->places.base->fd, copy->base_name, flags | O_NOFOLLOW);
}

/* Opens a directory below the destination, component by component. */
static int open_directory(void *context, const char *path)
{
	const struct copy_processor *copy = context;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = open_root(copy, flags);

	while (fd >= 0 && *path) {
		char component[COPY_NAME_SIZE];
		size_t length = strcspn(path, "/");
		int below = -1;

		if (length < sizeof(component)) {
			memcpy(component, path, length);
			component[length] = '\0';
			below = openat(fd, component, flags | O_NOFOLLOW);
		} else {
			errno = ENAMETOOLONG;
		}
		close(fd);
		fd = below;
		path = path_begin(path + length);
	}
	return fd < 0 ? -errno : fd;
}

static int copy_finish(void *context)
{
	struct copy_processor *copy = context;

	if (copy->root_done && !copy->several)
		directories_forget(&copy->directories, "", 0);
	return directories_finish(&copy->directories, open_directory, copy);
}

static void copy_free(struct iobatch_processor *processor)
{
	struct copy_processor *copy = processor->context;

	places_deinit(&copy->places);
	directories_deinit(&copy->directories);
	copy_links_deinit(&copy->links);
	copy_abilities_deinit(&copy->abilities);
	free(copy);
}

const struct iobatch_processor copy_callbacks = {
	.size = sizeof(struct iobatch_processor),
	.state_size = sizeof(struct copy_state),
	.scratch_size = sizeof(struct copy_scratch),
	.files_max = COPY_FILES,
	.process_files = 1,
	.buffers_min = 1,
	.next = copy_next,
	.complete = copy_complete,
	.cleanup = copy_cleanup,
	.wait = copy_wait,
	.settled = copy_settled,
	.finish = copy_finish,
	.free = copy_free,
};

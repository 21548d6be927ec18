/* SPDX-License-Identifier: MIT */
/*
 * Owns how the directories below the destination are opened: one component at a time, below the
 * descriptor of the one above, following no symbolic link, and made when they are missing.
 * Invariant: what an item puts anywhere starts from such a descriptor. The destination itself is
 * the user's own path, and may be a link to a directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "processor/copy.h"

/* How often is looked whether another item has opened what it opens: see wait_for_other(). */
#define WAIT_MIN_NS UINT64_C(200000)
#define WAIT_SHIFT_MAX 6u

static int climb(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain);
static int opened(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain);

static uint32_t open_flags(const struct copy_state *state)
{
	uint32_t flags = O_RDONLY | O_DIRECTORY;

	return state->reached_length == 0 ? flags : flags | O_NOFOLLOW;
}

/* Opens the next component below what is held. */
static int open_next(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *above = *state->place_slot;
	struct iobatch_op op;

	op = copy_in(above, iobatch_op_openat(COPY_OTHER, above->fd, scratch->component,
	                                      open_flags(state), 0));
	if (!state->insist)
		op.flags |= IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, op);
	return copy_then(item, opened);
}

/* ---------------------------------------------------------------- making -- */

static int made(struct copy_processor *copy, struct iobatch_item *item,
                const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	int64_t result = done->ops[0].result;

	if (result < 0 && result != -EEXIST)
		return copy_insist(item, chain, &done->ops[0], made);
	if (result == 0 &&
	    directories_made(&copy->directories, state->wanted, state->reached_length) < 0)
		return -ENOMEM;
	state->made = result == 0;
	state->may_make = false;
	return open_next(item, chain);
}

static int make(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	const struct place *above = *state->place_slot;

	/* It is opened up when all is in it, or at the end of the run. */
	copy_add_may_fail(chain,
	                  copy_in(above, iobatch_op_mkdirat(above->fd, scratch->component, 0700)));
	if (copy_syncs(copy, item, above))
		iobatch_chain_add(chain, iobatch_op_fsync(IOBATCH_FD(above->fd)));
	return copy_then(item, made);
}

/* --------------------------------------------------------------- opening -- */

/* The component is open: it is what is held from now on. */
static int step_down(struct copy_processor *copy, struct iobatch_item *item, uint64_t device,
                     struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct place *above = *state->place_slot;
	int fd = iobatch_item_take_fd(item, COPY_OTHER);

	if (fd < 0)
		return fd;
	*state->place_slot =
		places_open(&copy->places, scratch->claim, fd, device, state->made || above->fresh);
	scratch->claim = NULL;
	places_release(&copy->places, above);
	return climb(copy, item, chain);
}

static int device_known(struct copy_processor *copy, struct iobatch_item *item,
                        const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;

	(void)done;
	return step_down(copy, item, copy_device(&scratch->again), chain);
}

static int opened(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	int64_t result = done->ops[0].result;

	if (result == -ENOENT && state->may_make)
		return make(copy, item, chain);
	/* Without a descriptor it is not looked whether it is there: it may yet have to be made. */
	if ((result == -EMFILE || result == -ENFILE) && state->may_make)
		return (int)result;
	if (result < 0) {
		state->insist = true;
		return open_next(item, chain);
	}
	/* What was made a moment ago is on the file system of the directory above. */
	if (state->made)
		return step_down(copy, item, (*state->place_slot)->device, chain);
	iobatch_chain_add(chain, iobatch_op_fstatx(COPY_OTHER, STATX_BASIC_STATS, &scratch->again));
	return copy_then(item, device_known);
}

/* -------------------------------------------------------------- the way down -- */

/* Finds the component below what is held. */
static int next_component(const struct copy_processor *copy, struct iobatch_item *item)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *above = *state->place_slot;
	const char *component = copy->base_name;
	size_t length;

	if (above->length == PLACE_BASE) {
		length = strlen(component);
		state->reached_length = 0;
	} else {
		component = path_begin(state->wanted + above->length);
		length = strcspn(component, "/");
		state->reached_length = (uint32_t)(component + length - state->wanted);
	}
	if (length >= sizeof(scratch->component))
		return -ENAMETOOLONG;
	memcpy(scratch->component, component, length);
	scratch->component[length] = '\0';
	return 0;
}

static int waited(struct copy_processor *copy, struct iobatch_item *item,
                  const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return climb(copy, item, chain);
}

/* Another item opens the directory, or makes it: that takes one or two ops. */
static int wait_for_other(struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	iobatch_chain_add(chain, iobatch_op_timeout(WAIT_MIN_NS << state->place_waits));
	if (state->place_waits < WAIT_SHIFT_MAX)
		state->place_waits++;
	return copy_then(item, waited);
}

static int begin_component(struct copy_processor *copy, struct iobatch_item *item,
                           struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	state->insist = false;
	state->made = false;
	state->may_make = state->makes;
	state->place_waits = 0;
	/* In a directory that was made in this run, what nobody has opened is not there. */
	if (state->makes &&
	    ((*state->place_slot)->fresh || (state->reached_length == 0 && copy->fresh)))
		return make(copy, item, chain);
	return open_next(item, chain);
}

static int climb(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	struct place *place;
	int result;

	while ((*state->place_slot)->length != (int32_t)state->wanted_length) {
		result = next_component(copy, item);
		if (result < 0)
			return result;
		switch (places_claim(&copy->places, state->wanted, state->reached_length, &place)) {
		case PLACE_FOUND:
			places_release(&copy->places, *state->place_slot);
			*state->place_slot = place;
			break;
		case PLACE_BUSY:
			return wait_for_other(item, chain);
		case PLACE_CLAIMED:
			scratch->claim = place;
			return begin_component(copy, item, chain);
		case PLACE_NO_MEMORY:
			return -ENOMEM;
		}
	}
	return state->place_then(copy, item, chain);
}

int copy_place(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain,
               const char *path, uint32_t length, bool make_it, struct place **slot, copy_go then)
{
	struct copy_state *state = item->state;

	state->place_slot = slot;
	state->place_then = then;
	state->wanted = path;
	state->wanted_length = length;
	state->makes = make_it;
	state->place_waits = 0;
	*slot = places_nearest(&copy->places, path, length);
	return *slot ? climb(copy, item, chain) : -ENOTDIR;
}

int copy_place_parent(struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain, copy_go then)
{
	const struct copy_state *state = item->state;
	struct copy_scratch *scratch = item->scratch;

	if (!state->is_root)
		return copy_place(copy, item, chain, copy_path(item), state->parent_length, true,
		                  &scratch->place, then);
	if (!copy->places.base)
		return -EISDIR;
	scratch->place = places_base(&copy->places);
	return then(copy, item, chain);
}

/* SPDX-License-Identifier: MIT */
/*
 * See lanes.h. An op that is in a lane keeps the lane's number, from 1, where ops that move bytes
 * keep how many they have moved: no op does both.
 */
#include "engine/lanes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int lanes_init(struct lanes *lanes, const struct mounts *mounts, unsigned max)
{
	if (!mounts)
		return 0;
	lanes->mounts = mounts;
	lanes->count = mounts_count(mounts);
	lanes->max = max;
	lanes->all = calloc(lanes->count, sizeof(*lanes->all));
	return lanes->all ? 0 : -ENOMEM;
}

void lanes_deinit(struct lanes *lanes)
{
	free(lanes->all);
}

static struct mounts_base base_of(struct lanes *lanes, int dirfd)
{
	struct lanes_base *place;

	for (unsigned i = 0; i < lanes->bases_count && i < LANES_BASES; i++) {
		if (lanes->bases[i].dirfd == dirfd)
			return lanes->bases[i].base;
	}
	place = &lanes->bases[lanes->bases_count++ % LANES_BASES];
	place->dirfd = dirfd;
	place->base = mounts_base_of(lanes->mounts, dirfd);
	return place->base;
}

static unsigned lane_number(struct lanes *lanes, const struct iobatch_op *op)
{
	/* The path of a symbolic link's target says nothing about where the link is made. */
	bool second = op->opcode == IOBATCH_OP_SYMLINKAT;
	const char *path = second ? op->path2 : op->path;
	int dirfd = second ? op->dirfd2 : op->dirfd;
	struct mounts_base base = {0, 0};

	if (!path)
		path = "/"; /* the op will say what is wrong with it */
	if (path[0] != '/')
		base = base_of(lanes, dirfd);
	return mounts_find(lanes->mounts, base, path);
}

struct lane *lanes_enter(struct lanes *lanes, const struct slot *slot, struct iobatch_op *ops,
                         unsigned count)
{
	if (!lanes->mounts)
		return NULL;
	for (unsigned i = 0; i < count; i++) {
		struct lane *lane;

		if (!op_is(&ops[i], OP_ON_PATH))
			continue;
		ops[i].reserved[0] = 1 + lane_number(lanes, &ops[i]);
		lane = &lanes->all[ops[i].reserved[0] - 1];
		/* A sequence may go over the bound by its own length: it enters whole. */
		if (lane->in_flight >= lanes->max ||
		    (lane->waiting.first && lane->waiting.first != slot)) {
			ops[i].reserved[0] = 0;
			while (i-- > 0)
				lanes_leave(lanes, &ops[i]);
			return lane;
		}
		lane->in_flight++;
		if (!lane->used) {
			lane->used = true;
			lane->next = lanes->used;
			lanes->used = lane;
			lanes->used_count++;
		}
	}
	return NULL;
}

void lanes_leave(struct lanes *lanes, struct iobatch_op *op)
{
	struct lane *lane;

	if (!lanes->mounts || !op_is(op, OP_ON_PATH) || op->reserved[0] == 0)
		return;
	lane = &lanes->all[op->reserved[0] - 1];
	op->reserved[0] = 0;
	assert(lane->in_flight > 0);
	lane->in_flight--;
}

/* SPDX-License-Identifier: MIT */
/*
 * See lanes.h. An op that is in a lane keeps the lane's number, from 1, where ops that move bytes
 * keep how many they have moved: no op does both.
 */
#include "engine/lanes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int lanes_init(struct lanes *lanes, const struct mounts *mounts, unsigned max)
{
	if (!mounts)
		return 0;
	lanes->mounts = mounts;
	lanes->count = mounts_count(mounts) + LANES_SPARE;
	lanes->max = max;
	lanes->all = calloc(lanes->count, sizeof(*lanes->all));
	return lanes->all ? 0 : -ENOMEM;
}

void lanes_deinit(struct lanes *lanes)
{
	free(lanes->all);
}

/*
 * Descriptors come and go, and one number stands for many directories in a run: only the current
 * directory is remembered. To look for the path of another takes 5 us, which op.device spares.
 */
static struct mounts_base base_of(struct lanes *lanes, int dirfd)
{
	if (dirfd != AT_FDCWD)
		return mounts_base_of(lanes->mounts, dirfd);
	if (!lanes->current_is_known)
		lanes->current = mounts_base_of(lanes->mounts, dirfd);
	lanes->current_is_known = true;
	return lanes->current;
}

static unsigned look_device_up(struct lanes *lanes, uint64_t device)
{
	unsigned lane = mounts_find_device(lanes->mounts, device), i = 0;

	if (lane != MOUNTS_NONE)
		return lane;
	while (i < lanes->spare_count && lanes->spare[i] != device)
		i++;
	if (i == LANES_SPARE)
		i--;
	else if (i == lanes->spare_count)
		lanes->spare[lanes->spare_count++] = device;
	return lanes->count - LANES_SPARE + i;
}

static unsigned lane_of_device(struct lanes *lanes, uint64_t device)
{
	/* Devices that are used together differ in the low bits of the minor or the major number.
	 */
	struct lanes_device *known = &lanes->known[(device ^ device >> 8) % LANES_KNOWN];

	if (known->device != device) {
		known->lane = look_device_up(lanes, device);
		known->device = device;
	}
	return known->lane;
}

/*
 * The device of a directory, as far as it is known already: a file system that hangs is not asked.
 * 0 when there is none. A tenth of what its path costs.
 */
static uint64_t device_of(int dirfd)
{
	struct statx statx_buffer;

	if (statx(dirfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &statx_buffer) < 0)
		return 0;
	return makedev(statx_buffer.stx_dev_major, statx_buffer.stx_dev_minor);
}

static unsigned lane_number(struct lanes *lanes, const struct iobatch_op *op)
{
	/* The path of a symbolic link's target says nothing about where the link is made. */
	bool second = op->opcode == IOBATCH_OP_SYMLINKAT;
	const char *path = second ? op->path2 : op->path;
	int dirfd = second ? op->dirfd2 : op->dirfd;
	struct mounts_base base = {0, 0};
	uint64_t device = op->device;

	if (!path)
		path = "/"; /* the op will say what is wrong with it */
	/* A name in a directory, whose letters say nothing. */
	if (!device && dirfd != AT_FDCWD && !strchr(path, '/'))
		device = device_of(dirfd);
	if (device)
		return lane_of_device(lanes, device);
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

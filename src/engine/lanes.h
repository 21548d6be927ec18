/* SPDX-License-Identifier: MIT */
/*
 * Lanes: ops on paths in flight, counted by file system and bounded for each, so that what hangs on
 * one cannot take the kernel's workers from the others. A slot for whose next ops a lane has no
 * room waits in that lane's queue.
 */
#ifndef ENGINE_LANES_H
#define ENGINE_LANES_H

#include "engine/mounts.h"
#include "engine/slot.h"
#include "op/op.h"

#define LANES_BASES 8u

struct lane {
	unsigned in_flight;
	bool used;
	struct lane *next; /* of those that are used */
	struct slot_queue waiting;
};

struct lanes {
	const struct mounts *mounts; /* NULL: there are no lanes, and everything has room */
	struct lane *all;            /* by file system */
	unsigned count;
	struct lane *used; /* those that something has been in */
	unsigned used_count;
	unsigned max; /* ops in flight in one lane */
	/* Where relative paths start, as far as it has been asked. */
	struct lanes_base {
		int dirfd;
		struct mounts_base base;
	} bases[LANES_BASES];
	unsigned bases_count;
};

/* -ENOMEM. Without `mounts` there are no lanes. */
int lanes_init(struct lanes *lanes, const struct mounts *mounts, unsigned max);
void lanes_deinit(struct lanes *lanes);
/*
 * Lets ops of a slot in, all of them or none: NULL, or the lane that has no room or before which
 * others wait. Whoever is let in must leave again, op by op.
 */
struct lane *lanes_enter(struct lanes *lanes, const struct slot *slot, struct iobatch_op *ops,
                         unsigned count);
/* An op is over, or counts no longer. */
void lanes_leave(struct lanes *lanes, struct iobatch_op *op);

#endif

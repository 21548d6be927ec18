/* SPDX-License-Identifier: MIT */
/*
 * Lanes: ops on paths in flight, counted by file system and bounded for each, so that what hangs on
 * one cannot take the kernel's workers from the others. A slot for whose next ops a lane has no
 * room waits in that lane's queue.
 *
 * The file system of an op is the one with the op's `device` or, when it has none, the one that its
 * path lies on: a name in a directory on that of the directory.
 */
#ifndef ENGINE_LANES_H
#define ENGINE_LANES_H

#include "engine/mounts.h"
#include "engine/slot.h"
#include "op/op.h"

/* Lanes for devices that are not in the table of mounts. Beyond these they share the last one. */
#define LANES_SPARE 8u
/* Devices whose lanes are remembered. A power of two. */
#define LANES_KNOWN 16u

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
	/* Where paths start that are relative to the current directory, once it has been asked. */
	struct mounts_base current;
	bool current_is_known;
	/* Lanes of devices, at the place that the device's number says. */
	struct lanes_device {
		uint64_t device;
		unsigned lane;
	} known[LANES_KNOWN];
	/* Devices that have one of the spare lanes, which stand behind those of the table. */
	uint64_t spare[LANES_SPARE];
	unsigned spare_count;
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

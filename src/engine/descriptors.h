/* SPDX-License-Identifier: MIT */
/*
 * Attempts that found no descriptor free (EMFILE, ENFILE), in one ring: they cost nothing and start
 * over when there may be one, and until then nothing new starts beyond what has worked.
 */
#ifndef ENGINE_DESCRIPTORS_H
#define ENGINE_DESCRIPTORS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/slot.h"

struct reaper;

struct throttle {
	struct slot_queue waiting; /* attempts that are to start over, and new ones behind them */
	unsigned width;            /* attempts at once; UINT32_MAX = any number */
	unsigned ended;            /* well, since the width has changed */
	bool rests;                /* until an attempt ends, or until... */
	uint64_t due_ns;           /* ...the next try at the latest */
	uint64_t pause_ns;         /* between the tries */
	bool alone;                /* the last tries failed while nothing else was in flight... */
	unsigned alone_tries;      /* ...so many... */
	uint64_t alone_ns;         /* ...since then */
	bool hopeless;             /* and one has been given up */
	bool probes;               /* holds run->probe */
};

static inline bool descriptors_are_short(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

void descriptors_init(struct throttle *throttle);
/* Must an attempt wait, that is to start now? It then stands in the queue. */
bool descriptors_must_wait(struct reaper *reaper, struct slot *slot);
/* The next of those that wait, when it may start now; NULL = none may. */
struct slot *descriptors_next(struct reaper *reaper);
/* When the reaper must look again for their sake; UINT64_MAX = not before something ends. */
uint64_t descriptors_due(const struct reaper *reaper);
/* The slot's attempt has failed for want of a descriptor. false: there is no hope that it ever has
 * one; else it waits to start over. */
bool descriptors_wait(struct reaper *reaper, struct slot *slot);
/* An attempt has ended otherwise. */
void descriptors_ended(struct reaper *reaper, const struct slot *slot);
/* Nothing is known of the attempt that looked for one. */
void descriptors_leave_probe(struct reaper *reaper);

#endif

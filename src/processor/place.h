/* SPDX-License-Identifier: MIT */
/*
 * Directories below the destination of a copy, held open. What is put into one of them starts from
 * its descriptor and has one component, so that nothing is reached through a symbolic link or
 * through what somebody has put in the way meanwhile. This part knows paths and descriptors; it
 * looks nothing up and makes nothing: who misses a directory opens it, from the nearest one above.
 *
 * A path is one below the destination and need not end with a NUL. Leading and trailing slashes and
 * components of a dot have been taken off it: path_begin() and path_trim().
 */
#ifndef PROCESSOR_PLACE_H
#define PROCESSOR_PLACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The directory that the destination itself is in. */
#define PLACE_BASE (-1)

#define PLACE_OWNER_UNKNOWN UINT64_MAX

struct place {
	struct place *same_bucket;
	struct place *older, *newer; /* while it is idle */
	uint64_t hash;
	uint64_t device; /* st_dev */
	unsigned users;
	int fd; /* -1 until it is open */
	bool listed;
	bool broken; /* it could not be opened, and nobody is about to */
	bool fresh;  /* made in this run: nothing was in it before */
	bool pinned;
	/* Whom a new file in it belongs to: the user in the upper half, the group in the lower. */
	_Atomic uint64_t owner;
	int32_t length; /* of the path; 0 = the destination, or PLACE_BASE */
	char path[];
};

struct places {
	pthread_mutex_t lock;
	struct place **buckets;
	unsigned buckets_count;
	struct place *oldest, *newest; /* of those that nobody uses */
	unsigned idle;
	unsigned idle_max;
	struct place *base;
};

/*
 * `base_fd` is the directory that the destination is in, or -1 when it has no name there. The
 * table closes it.
 */
int places_init(struct places *places, int base_fd, uint64_t base_device);
void places_deinit(struct places *places);

/*
 * The directory of this path or, when it is not held open, the nearest one above it that is. To be
 * given back. NULL when not even the destination is.
 */
struct place *places_nearest(struct places *places, const char *path, uint32_t length);

/* The directory that the destination is in, if it has one. To be given back. */
struct place *places_base(struct places *places);

/* What has come of asking to open a directory. */
enum place_claim {
	PLACE_FOUND,   /* it is held: *ret_place, to be given back */
	PLACE_BUSY,    /* another item opens it: ask again later */
	PLACE_CLAIMED, /* to be opened: *ret_place, for places_open() or places_unclaim() */
	PLACE_NO_MEMORY,
};

/*
 * Asks to open a directory that was not held a moment ago. Only one item at a time does, so that
 * those that want to go into the same new directory do not all try to make it; but when that has
 * failed once, each finds out for itself why, and none waits for another.
 */
enum place_claim places_claim(struct places *places, const char *path, uint32_t length,
                              struct place **ret_place);
/*
 * The directory that was claimed is open; its descriptor belongs to the table from now on. Returns
 * what is held of it, to be given back.
 */
struct place *places_open(struct places *places, struct place *place, int fd, uint64_t device,
                          bool fresh);
/* It could not be opened. NULL is none. */
void places_unclaim(struct places *places, struct place *place);

/* Holds a directory for as long as the table. NULL = there is no memory; the descriptor is closed.
 */
struct place *places_pin(struct places *places, const char *path, uint32_t length, int fd,
                         uint64_t device);

/* Gives a directory back; NULL is none. */
void places_release(struct places *places, struct place *place);

/* Closes those that nobody uses: descriptors have run out. Returns false when there were none. */
bool places_trim(struct places *places);

/* The path without what is of no meaning in front of it. */
const char *path_begin(const char *path);
/* The length without what is of no meaning at the end. */
uint32_t path_trim(const char *path, uint32_t length);
/* The length of the path of the directory that this is in; 0 = the destination. */
uint32_t path_parent(const char *path, uint32_t length);

#endif

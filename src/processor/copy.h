/* SPDX-License-Identifier: MIT */
/*
 * The inside of the copy and move processors: what their parts share. Only copy*.c and move.c
 * include this.
 *
 *     copy_new.c        options and destination
 *     copy.c            beginning and end of an item and of the run
 *     copy_names.c      where an item goes: its path below the destination, its temporary name
 *     copy_place.c      the directory that it goes to, opened and made component by component
 *     copy_look.c       what the source is, what is in its place, whether there is anything to do
 *     copy_file.c       a regular file: source open -> temporary file -> data -> attributes
 *     copy_data.c       how its data gets there: shared, by the kernel, by reads and writes
 *     copy_pass.c       goes over the data of one file, holes left out
 *     copy_check.c      compares contents: before a copy and after it
 *     copy_node.c       symbolic links, FIFOs, devices
 *     copy_attributes.c owner, mode, attributes and times, in an order that keeps them
 *     copy_directory.c  directories
 *     copy_link.c       further names of a file that has been copied
 *     copy_commit.c     close, rename, durability
 *     move.c            rename where that works, else a copy and then the end of the source
 *
 * A part asks for a chain and says which function goes on when the chain is done: the step. A
 * part that takes several chains for something that others need (a place, a pass) is told
 * beforehand what comes after it: the continuation.
 */
#ifndef PROCESSOR_COPY_H
#define PROCESSOR_COPY_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <iobatch.h>

#include "processor/copy_ability.h"
#include "processor/copy_links.h"
#include "processor/copy_sum.h"
#include "processor/directories.h"
#include "processor/file.h"
#include "processor/place.h"
#include "processor/reader.h"

/* The files of an item. */
#define COPY_SOURCE 0
#define COPY_TARGET 1
#define COPY_OTHER 2 /* a directory that is being opened; what is in the place already */
#define COPY_FILES 3

#define COPY_MODE_BITS 07777u

/* A name behind a name: some file systems have longer ones than NAME_MAX. */
#define COPY_NAME_SIZE (NAME_MAX + 1)

struct copy_processor;

/* Goes on after a chain; what it returns is what `next` returns. */
typedef int (*copy_step)(struct copy_processor *copy, struct iobatch_item *item,
                         const struct iobatch_chain *done, struct iobatch_chain *chain);
/* Goes on without one. */
typedef int (*copy_go)(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain);

/* Zeroed when an attempt begins. */
struct copy_state {
	copy_step step; /* NULL at the start */

	/* copy_place.c */
	copy_go place_then;
	struct place **place_slot;
	const char *wanted;
	uint32_t wanted_length;
	uint32_t reached_length; /* of the path of the directory that is being opened */
	bool makes;              /* what is missing is made */
	bool may_make;           /* ... and has not been yet */
	bool made;
	uint8_t place_waits;
	bool insist; /* what has failed is run again, to fail the attempt */

	/* copy_pass.c */
	copy_go pass_then;
	const struct reader_plan *plan; /* of the lanes that are running; NULL = none */
	struct reader reader;
	struct copy_sum *summed; /* what is read is added to this */
	uint64_t pass_at;        /* ranges before this are done */
	uint64_t pass_size;
	bool pass_sparse;
	bool pass_zeroes; /* there may be zeroes among the data */

	/* The names: offsets in the path of the object, see copy_names.c. */
	uint32_t path; /* where the path below the destination begins */
	uint32_t path_length;
	uint32_t parent_length;
	bool is_root; /* the item is what is copied to the destination itself */

	bool opened;       /* the source is open, and known */
	bool sparse;       /* the source has holes */
	bool cloned;       /* its data, or some of it, was not read */
	bool no_direct;    /* O_DIRECT did not work */
	bool direct;       /* it is used */
	bool truncates;    /* the length is set when all is written */
	bool temporary;    /* the temporary name may exist */
	bool drop_source;  /* the source was not in the page cache */
	bool there;        /* something is in the place */
	bool linked;       /* it is a further name of a copy */
	bool no_rename;    /* of a move: it is copied */
	bool whole;        /* of a move: a directory with all in it */
	bool later;        /* mode and times are set later */
	bool owner_failed; /* the owner could not be set */
	bool owner_done;   /* ... and it is not tried again */
	bool group_only;
	bool plain_xattrs; /* the others could not be set */
	bool synced;
	uint8_t waits; /* for the first name of a file with several */
	int32_t file;  /* whose attributes are set */
	copy_go attributes_then;
	copy_go noted_then;
	uint64_t bytes;   /* of the item before it was verified */
	uint64_t written; /* bytes from the start that are copied */
	struct copy_sum sum, other_sum;
};

/*
 * Not zeroed. The first members are taken back by copy_let_go(), which comes when the clean-up of
 * the attempt is over: until then its ops need them.
 */
struct copy_scratch {
	struct place *place; /* the directory that the item goes to; a directory's own */
	struct place *first; /* the directory that the first of several links is in */
	struct place *claim; /* a directory that is being opened; not to be waited for */
	struct copy_link *link;
	bool link_is_mine;

	struct statx source, again, target;
	struct timespec times[2];
	uint64_t pair[2]; /* a range of data, or pages that are cached */
	char name[COPY_NAME_SIZE];
	char temporary[COPY_NAME_SIZE];
	char component[COPY_NAME_SIZE];
	char text[PATH_MAX]; /* content of a symbolic link */
};

struct copy_processor {
	struct iobatch_processor processor;
	struct iobatch_copy_options options;
	bool moving;
	bool syncs_renames;           /* of a move */
	struct reader_plan copy_plan; /* what is read is written */
	struct reader_plan sum_plan;  /* what is read is summed */
	struct places places;
	const struct place *root; /* the destination, if it was there from the start */
	struct directories directories;
	struct copy_links links;
	struct copy_abilities abilities;
	uint64_t seed;
	uint32_t umask;
	uint32_t user;         /* effective */
	bool fresh;            /* the destination was not there at the start */
	atomic_bool several;   /* there are items of more than one tree */
	atomic_bool root_done; /* the destination itself has all that it is to have */
	const char *base_name; /* of the destination in its directory; NULL = it has none */
	char destination[];
};

extern const struct iobatch_error copy_changed;
extern const struct iobatch_error copy_same_file;
extern const struct iobatch_error copy_unsupported;
extern const struct iobatch_error copy_outside;
extern const struct iobatch_error copy_existing;
extern const struct iobatch_error copy_up_to_date;
extern const struct iobatch_error copy_verify_failed;

/* -------------------------------------------------------------- helpers -- */

/* What `next` returns with a chain that was filled. */
static inline int copy_then(struct iobatch_item *item, copy_step step)
{
	struct copy_state *state = item->state;

	state->step = step;
	return IOBATCH_MORE;
}

/* The op runs again, and its failure is then the attempt's, with its name. */
static inline int copy_insist(struct iobatch_item *item, struct iobatch_chain *chain,
                              const struct iobatch_op *op, copy_step step)
{
	struct iobatch_op again = *op;

	again.flags &= (uint16_t)~IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, again);
	return copy_then(item, step);
}

static inline void copy_add_may_fail(struct iobatch_chain *chain, struct iobatch_op op)
{
	op.flags |= IOBATCH_MAY_FAIL;
	iobatch_chain_add(chain, op);
}

/* An op on a name in a directory of the destination. */
static inline struct iobatch_op copy_in(const struct place *place, struct iobatch_op op)
{
	op.device = place->device;
	return op;
}

static inline bool copy_preserves(const struct copy_processor *copy, uint32_t what)
{
	return copy->options.preserve & what;
}

/*
 * No symbolic link is followed, but for the one that leads to what is copied to the destination
 * itself, and to a directory that the user has named.
 */
static inline uint32_t copy_at_flags(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	const struct copy_state *state = item->state;

	if (object->type == DT_DIR && (state->is_root || !object->directory))
		return 0;
	if (object->type == DT_UNKNOWN && state->is_root && !object->directory)
		return 0;
	return AT_SYMLINK_NOFOLLOW;
}

static inline bool copy_same_inode(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static inline bool copy_was_changed(const struct statx *before, const struct statx *after)
{
	return !copy_same_inode(before, after) || before->stx_size != after->stx_size ||
	       before->stx_mtime.tv_sec != after->stx_mtime.tv_sec ||
	       before->stx_mtime.tv_nsec != after->stx_mtime.tv_nsec;
}

/* Are names in this directory made durable? A move syncs for what is copied, and is asked to for
 * what is renamed. */
static inline bool copy_syncs(const struct copy_processor *copy, const struct iobatch_item *item,
                              const struct place *place)
{
	const struct iobatch_file *object = item->object;
	const struct copy_state *state = item->state;

	if (copy->options.fsync != IOBATCH_FSYNC_FULL)
		return false;
	return !copy->moving || copy->syncs_renames || state->no_rename ||
	       object->device != place->device;
}

/*
 * Makes the names in a directory durable. XFS says so even when it has lost them, once it was shut
 * down; who looks at the directory afterwards hears of that.
 */
static inline void copy_add_sync(struct copy_scratch *scratch, struct iobatch_chain *chain)
{
	const struct place *place = scratch->place;

	iobatch_chain_add(chain, iobatch_op_fsync(IOBATCH_FD(place->fd)));
	iobatch_chain_add(chain, copy_in(place, iobatch_op_statx(place->fd, "", AT_EMPTY_PATH,
	                                                         STATX_TYPE, &scratch->target)));
}

static inline uint64_t copy_device(const struct statx *statx)
{
	return makedev(statx->stx_dev_major, statx->stx_dev_minor);
}

/* ---------------------------------------------------------- copy_new.c -- */

int copy_new(const struct iobatch_copy_options *given, bool moving,
             struct iobatch_processor **ret_processor);

/* -------------------------------------------------------------- copy.c -- */

/* A processor without what depends on options. */
extern const struct iobatch_processor copy_callbacks;

/* The end of an item that has succeeded: gives back what it holds. Returns IOBATCH_DONE. */
int copy_succeed(struct copy_processor *copy, struct iobatch_item *item);

/* -------------------------------------------------------- copy_names.c -- */

/* Finds out where the item goes. An error is the attempt's. */
int copy_names(const struct copy_processor *copy, struct iobatch_item *item);
/* The path below the destination, not NUL-terminated; its length is state->path_length. */
const char *copy_path(const struct iobatch_item *item);

/* -------------------------------------------------------- copy_place.c -- */

/*
 * Gets hold of the directory of this path, made when it is missing and `make`; *slot is it when
 * `then` goes on. The path lasts until then.
 */
int copy_place(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain,
               const char *path, uint32_t length, bool make, struct place **slot, copy_go then);
/* The directory that the item goes into, by its names. */
int copy_place_parent(struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain, copy_go then);

/* --------------------------------------------------------- copy_look.c -- */

/* Looks at the source and what is in its place, and goes on with what it is. */
int copy_look(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);
/* The source is known: is there anything in the way, or nothing to do? */
int copy_decide(struct copy_processor *copy, struct iobatch_item *item,
                struct iobatch_chain *chain);
/* What is there is as good: skips the item. */
int copy_skip_up_to_date(struct copy_processor *copy, struct iobatch_item *item);
/* It is to be copied: by what it is. */
int copy_begin(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);

/* --------------------------------------------------------- copy_file.c -- */

/* Opens the source and asks what it is. */
int copy_open(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);
/* The op that opens the source. */
struct iobatch_op copy_open_op(const struct copy_processor *copy, const struct iobatch_item *item);
/* The source may be open, by that op: asks what it is. */
int copy_opened(struct copy_processor *copy, struct iobatch_item *item,
                const struct iobatch_op *open, struct iobatch_chain *chain);
/* Makes the temporary file and goes on with it to the end. */
int copy_file(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);

/* --------------------------------------------------------- copy_data.c -- */

int copy_data(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);
/* Can the data be read by blocks at once, without anything to be tried before? */
bool copy_data_is_plain(struct copy_processor *copy, const struct iobatch_item *item);
/* The sink of the pass that copies. */
int copy_data_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length);
/* O_DIRECT does not work after all: begins anew without it. */
int copy_data_again(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain);
/* All data is written, or will be by the op that the chain holds: goes on. */
int copy_data_done(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain);

/* --------------------------------------------------------- copy_pass.c -- */

/*
 * Goes over the data of an open file of `size` bytes from `from` on, with several blocks in flight.
 * `sparse`: holes are left out. `sum`, when not NULL, is of what was read.
 */
int copy_pass(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain,
              int file, const struct reader_plan *plan, uint64_t from, uint64_t size, bool sparse,
              struct copy_sum *sum, copy_go then);
/* The same after the first block has been read and dealt with: see reader_lanes(). */
int copy_pass_on(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain, copy_go then);

/* -------------------------------------------------------- copy_check.c -- */

/* Compares the source with what is in the place, and goes on. */
int copy_compare(struct copy_processor *copy, struct iobatch_item *item,
                 struct iobatch_chain *chain);
/* Reads back what was written, and goes on with the attributes. */
int copy_verify(struct copy_processor *copy, struct iobatch_item *item,
                struct iobatch_chain *chain);
/* The sink of a pass that sums. */
int copy_sum_take(void *context, struct iobatch_item *item, struct iobatch_op *op, size_t length);

/* --------------------------------------------------------- copy_node.c -- */

int copy_node(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);

/* --------------------------------------------------- copy_attributes.c -- */

/*
 * Attributes of the temporary file, and then its end: copy_close(). The chain may hold ops already,
 * in order.
 */
int copy_file_attributes(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain);
/* Of a directory, which has what stands in scratch->target. `at_once`: mode and times, too. */
int copy_directory_attributes(struct copy_processor *copy, struct iobatch_item *item,
                              struct iobatch_chain *chain, bool at_once, copy_go then);
/* Of the temporary name of what is neither. */
int copy_node_attributes(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain, copy_go then);
/* What the mode of the copy is to be. */
uint32_t copy_mode(const struct copy_processor *copy, const struct iobatch_item *item);

/* ---------------------------------------------------- copy_directory.c -- */

int copy_directory(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain);

/* --------------------------------------------------------- copy_link.c -- */

/* Is the source a further name of something? Goes on accordingly. */
int copy_link_or_begin(struct copy_processor *copy, struct iobatch_item *item,
                       struct iobatch_chain *chain);

/* ------------------------------------------------------- copy_commit.c -- */

/*
 * Adds to the chain what is still to be done about a file, in order: to make it durable if that is
 * wanted, to close it, to look whether the source is still what was copied. Goes on with the
 * rename.
 */
int copy_close(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);
/* What has the temporary name is whole: gives it its own. */
int copy_commit(struct copy_processor *copy, struct iobatch_item *item,
                struct iobatch_chain *chain);

/* -------------------------------------------------------------- move.c -- */

/* The beginning of an item that is moved: its place is held. */
int move_begin(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);
/* A directory that comes before its contents is moved as a whole. */
int move_directory(struct copy_processor *copy, struct iobatch_item *item,
                   struct iobatch_chain *chain);
/* May a rename do? When it turns out not to, the item is copied. */
bool move_can_rename(struct copy_processor *copy, const struct iobatch_item *item);
int move_rename(struct copy_processor *copy, struct iobatch_item *item,
                struct iobatch_chain *chain);
/* The copy is durable: removes the source. */
int move_end(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain);

#endif

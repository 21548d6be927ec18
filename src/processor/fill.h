/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the fill processor share: the state of an item, and how its file, which is
 * whole, gets its name.
 */
#ifndef PROCESSOR_FILL_H
#define PROCESSOR_FILL_H

#include <limits.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "processor/digest.h"
#include "processor/hasher.h"
#include "processor/report.h"

/* The files of an item. */
#define FILL_FILE 0
#define FILL_DIRECTORY 1

/* What the chain before was for. */
enum fill_phase {
	FILL_START,
	FILL_LOOK,   /* at what has the name */
	FILL_FOLLOW, /* at what the symbolic link of this name leads to */
	FILL_DEVICE, /* opened */
	FILL_FIRST,  /* the temporary file made and its first block written */
	FILL_LANES,
	FILL_SYNC,
	FILL_RENAME,
	FILL_LINK,   /* the name given by a hard link, where rename cannot refuse to replace */
	FILL_UNLINK, /* of the temporary name, whose file has its own now, or is not wanted */
	FILL_NAMED,  /* the directory made durable */
};

struct fill_state {
	uint64_t key;
	uint64_t next; /* the first byte of the next block */
	struct hashing hashing;
	uint8_t phase;  /* enum fill_phase */
	bool temporary; /* there may be a temporary file */
	bool unwanted;  /* something has taken the name meanwhile, and stays */
};

struct fill_scratch {
	struct statx statx;
	char temporary[PATH_MAX]; /* from the object's directory, as its name is */
	char parent[PATH_MAX];
	char note[DIGEST_NOTE_MAX]; /* of its digest, until its outcome has been told */
};

struct fill_processor {
	struct iobatch_processor processor;
	struct iobatch_fill_options options;
	const struct digest_algorithm *algorithm;
	struct report *manifest; /* NULL = none */
	struct hasher_pool pool;
	uint64_t seed; /* of temporary names */
};

extern const struct iobatch_error fill_exists;

/* The op with the temporary file as its path. */
struct iobatch_op fill_temporary_at(const struct iobatch_item *item, struct iobatch_op op);

/* Gives the file its name, in a chain of its own. */
int fill_give_name(const struct fill_processor *fill, struct iobatch_item *item,
                   struct iobatch_chain *chain);

/* What became of the one op that was to give the file its name. */
int fill_judge_named(const struct fill_processor *fill, struct iobatch_item *item, int64_t result,
                     struct iobatch_chain *chain);

/* The temporary name is gone. */
int fill_unlinked(const struct fill_processor *fill, struct iobatch_item *item,
                  struct iobatch_chain *chain);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The inside of the copy processor: its data, and where a copy is put. copy.c owns the way of a
 * copy, copy_place.c the names and how what is new is created. Only these two include this.
 */
#ifndef PROCESSOR_COPY_H
#define PROCESSOR_COPY_H

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include <iobatch.h>

#include "processor/directories.h"
#include "processor/reader.h"

/* The files of an item. */
#define COPY_SOURCE 0
#define COPY_TARGET 1

/* The chain that was asked for last. */
enum copy_phase {
	COPY_START,
	COPY_LOOK,      /* statx of the source and of its place, the source is opened */
	COPY_OPEN,      /* the source is opened that was not known to be a regular file */
	COPY_READ_LINK, /* the content of a symbolic link */
	COPY_CREATE,    /* what is new is created; of a file the first block is read */
	COPY_PARENT,    /* a missing parent directory is made */
	COPY_EXISTING,  /* is it a directory, what is there already? */
	COPY_DATA,      /* lanes */
	COPY_FINISH,    /* mode, times, another look at the source */
	COPY_RENAME,
};

struct copy_state {
	struct reader reader;
	uint8_t phase;
	bool may_fail; /* the op that creates may fail: there is something to be done about it */
	bool parents_made; /* ENOENT is no longer for want of a parent */
	bool descending;   /* parents: from the first that was there, or could be made, downwards */
	bool temporary;    /* the temporary name may exist */
	bool sparse;       /* the source has holes */
	uint16_t parent;   /* length of the part of the path whose directory is being made */
	char cut;          /* what stood in the path where that part ends */
};

struct copy_scratch {
	struct statx source, again, target;
	struct timespec times[2];
	char path[PATH_MAX];      /* the item's place; cut short while a parent is made */
	char temporary[PATH_MAX]; /* where a file or a symbolic link is until it is whole */
	char link[PATH_MAX];      /* content of a symbolic link */
};

struct copy_processor {
	struct iobatch_processor processor;
	struct reader_plan plan;
	struct directories directories;
	uint64_t seed;
	bool fresh; /* the destination was not there: nothing below it can be a source */
	size_t destination_length;
	char destination[];
};

/* Does this name, taken below a directory, lead out of it? */
bool copy_leads_out(const char *relative);

/* Writes the item's place to scratch->path. */
int copy_make_path(const struct copy_processor *copy, const struct iobatch_file *object,
                   struct copy_scratch *scratch);

/* Is the item what is copied to the destination itself? Then it may be reached by a symbolic link.
 */
bool copy_is_root(const struct copy_processor *copy, const struct copy_scratch *scratch);

/*
 * Fill the chain with the op that creates what is new, and for a file the first read. At first its
 * failure is for the processor to look into, later it is the attempt's failure.
 */
int copy_create_first(const struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain);
int copy_create_last(const struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain);

/*
 * Fill the chain with the op that makes a missing parent, or, when all of them are there, with the
 * op that creates what is new. `result` is that of the op before.
 */
int copy_parent_first(const struct copy_processor *copy, struct iobatch_item *item,
                      struct iobatch_chain *chain);
int copy_parent_next(const struct copy_processor *copy, struct iobatch_item *item, int64_t result,
                     struct iobatch_chain *chain);

#endif

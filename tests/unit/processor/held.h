/* SPDX-License-Identifier: MIT */
/*
 * Objects as a walk gives them, with a directory that is held open and a name of one component; and
 * runs in which each op fails in turn.
 */
#ifndef TEST_PROCESSOR_HELD_H
#define TEST_PROCESSOR_HELD_H

#include "files.h"

/* A zeroed object for `name` below `dirfd`; AT_FDCWD: no directory is held. */
struct iobatch_file *held_object(int dirfd, const char *shown, const char *name,
                                 unsigned char type);

/*
 * Runs the processor over one item and says how it ended: "" for success, otherwise the error's or
 * the skip's name. `options` as of files_options().
 */
const char *held_run(const struct iobatch_processor *processor,
                     const struct iobatch_options *options, struct iobatch_file *object);

/*
 * Runs the object on the simulator once for each op that it takes, which fails with EIO then, and
 * demands that the item fails for it. `script` as in struct iobatch_simulation, or NULL. Returns
 * the number of ops.
 */
unsigned held_sweep(const struct iobatch_processor *processor, struct iobatch_file *object,
                    void (*script)(void *context, const struct iobatch_op *op,
                                   struct iobatch_answer *answer));

#endif

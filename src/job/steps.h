/* SPDX-License-Identifier: MIT */
/*
 * The steps of a job as ops: each loaded step becomes the op that the op table describes, by the
 * types of its arguments. Names of files become numbers here. What the ops mean is not known here.
 */
#ifndef JOB_STEPS_H
#define JOB_STEPS_H

#include <iobatch.h>

struct raw_step;
struct report;

/*
 * Makes the ops of `count` steps. Their paths point into the report's tree; the array is the
 * caller's to free. -EINVAL: the report says which step is wrong. The ops have been accepted by
 * iobatch_steps_new().
 */
int steps_convert(struct report *report, const struct raw_step *steps, unsigned count,
                  struct iobatch_op **ret_ops);

#endif

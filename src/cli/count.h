/* SPDX-License-Identifier: MIT */
/*
 * Counts the items of a walk or a list beforehand, in a thread of its own, so that the progress bar
 * can tell how much is left: the source itself does not know. It only reads directories or names,
 * which is little next to what is done with the items, and which the run then finds in the cache.
 * The count is for the eye only; the run never waits for it or believes it.
 */
#ifndef CLI_COUNT_H
#define CLI_COUNT_H

#include <iobatch.h>
#include <pthread.h>
#include <stdatomic.h>

struct count {
	struct iobatch_source *source; /* NULL = not running */
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t total; /* UINT64_MAX until it is known */
};

/*
 * Starts to count `source`, which is then the count's; NULL = nothing to be counted. Without a
 * thread for it the total just stays unknown.
 */
void count_start(struct count *count, struct iobatch_source *source);

/*
 * Ends the thread, finished or not. A count that was all zeroes and never started is fine. False:
 * the thread does not answer, as in a directory that hangs; it is left, with all that it works on,
 * and the process must end.
 */
bool count_stop(struct count *count);

/*
 * What the progress is when the counted total is taken for the final one: `now` itself while there
 * is none, or when the run has already seen more. `left_out` of what is counted are no items of the
 * run.
 */
struct iobatch_progress count_apply(struct count *count, const struct iobatch_progress *now,
                                    uint64_t left_out);

#endif

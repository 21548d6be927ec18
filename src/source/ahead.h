/* SPDX-License-Identifier: MIT */
/*
 * A source that runs in a thread of its own, ahead of those who take its items by as much as a
 * buffer of fixed size holds. The source itself stays what any other is, something that is asked
 * for one object after the other; here it is asked by the thread, and never by two at a time. When
 * no thread can be had it is asked in place.
 *
 * Who takes from an empty buffer is told -EAGAIN if it listens, and waits otherwise. This part
 * knows nothing of what the objects are.
 */
#ifndef SOURCE_AHEAD_H
#define SOURCE_AHEAD_H

#include "source.h"

struct ahead;

int ahead_new(struct iobatch_source *source, struct ahead **ret_ahead);

/* As items.next. The first call starts the thread. */
int ahead_next(struct ahead *ahead, struct iobatch_file *file);
/* As items.listen. */
void ahead_listen(struct ahead *ahead, void (*wake)(void *waker), void *waker);
/* An object was given back. From any thread. */
void ahead_released(struct ahead *ahead);
/* There is something that the source's `urgent` gives. From any thread. */
void ahead_urgent(struct ahead *ahead);
/* The source, which has said -EAGAIN, is to be asked again. From any thread. */
void ahead_again(struct ahead *ahead);

/*
 * To be called by the source before it does what may take long: what it has given until then is
 * passed on.
 */
void ahead_flush(struct ahead *ahead);

/*
 * Whether who takes the items waits for one, without being able to give any back meanwhile: the
 * source must not wait for that.
 */
bool ahead_is_starving(struct ahead *ahead);

/* Whether the source is to stop. */
bool ahead_is_stopping(struct ahead *ahead);

/*
 * Stops the thread and gives what is left in the buffer back (source_take_back()). False: it does
 * not answer, and nothing that it works on may be freed.
 */
bool ahead_stop(struct ahead *ahead);
/* NULL is none. */
void ahead_free(struct ahead *ahead);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The ring's doorbell: an eventfd that the ring polls, so that a wait for completions ends although
 * none has come. Two kinds of visitors ring it: the pool, when system calls have completed, and
 * whoever wakes the ring from another thread. What is in the eventfd says nothing.
 *
 * Invariant: when the bell has been rung since it was last answered, the poll has completed, is
 * armed and about to, or completes at once when it is armed.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "executor/ring.h"

int ring_bell_open(struct ring_bell *bell)
{
	if (bell->fd < 0)
		bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return bell->fd < 0 ? -errno : 0;
}

void ring_bell_prepare_poll(struct ring_bell *bell, struct io_uring_sqe *sqe)
{
	assert(!bell->armed);
	io_uring_prep_poll_add(sqe, bell->fd, POLLIN);
	sqe->user_data = ring_id(RING_ID_BELL);
	bell->armed = true;
}

void ring_bell_answer(struct ring_bell *bell)
{
	uint64_t count;

	bell->armed = false;
	/* It only must not be ready for ever. */
	if (read(bell->fd, &count, sizeof(count)) < 0)
		return;
}

void ring_bell_ring(struct ring_bell *bell)
{
	const uint64_t one = 1;

	/* Whoever was here before has rung it, or is about to. */
	if (!bell->wakes || atomic_exchange(&bell->woken, true))
		return;
	/* Full it is rung as well. */
	if (write(bell->fd, &one, sizeof(one)) < 0)
		return;
}

void ring_bell_close(struct ring_bell *bell)
{
	if (bell->fd >= 0)
		close(bell->fd);
}

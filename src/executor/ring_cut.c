/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a sequence when the kernel takes a part of it only (KERNEL: a short submission).
 * What it took runs as a sequence of its own; the rest would at the next submission run as another,
 * although what it builds upon may have failed. So it must not: its places in the queue become
 * nops of nobody, and its ids complete with -ECANCELED, as if the link before them had broken.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "executor/ring.h"

/* Takes an SQE back that the kernel has not seen: a nop stands in its place. */
static void take_back(struct ring *ring, struct io_uring_sqe *sqe)
{
	if (!ring_id_is_own(sqe->user_data)) {
		struct executor_completion *called = &ring->called[ring->called_count++];

		called->id = sqe->user_data;
		called->result = -ECANCELED;
		assert(ring->expected > 0);
		ring->expected--;
	}
	/* It posts a completion as what it was would have: what is owed stays the same. */
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	sqe->fd = -1;
	sqe->user_data = ring_id(RING_ID_NOP);
	if (ring->notes)
		ring->notes[sqe - ring->uring.sq.sqes] = NULL;
}

void ring_mend_cut(struct ring *ring)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	unsigned at = *sq->khead;
	bool linked = sq->sqes[(at - 1) & sq->ring_mask].flags & IOSQE_IO_LINK;

	/* Sequences are queued whole, so that the rest ends with the first SQE without a link. */
	for (; linked; at++) {
		struct io_uring_sqe *sqe = &sq->sqes[at & sq->ring_mask];

		assert(at != sq->sqe_tail);
		linked = sqe->flags & IOSQE_IO_LINK;
		take_back(ring, sqe);
	}
}

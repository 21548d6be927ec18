/* SPDX-License-Identifier: MIT */
/*
 * The inside of the ring executor, shared by its set-up (ring_setup.c) and its hot path (ring.c).
 * With probe.c these are the only files that include liburing.
 */
#ifndef EXECUTOR_RING_H
#define EXECUTOR_RING_H

#include <liburing.h>

#include "executor/executor.h"

struct ring {
	struct executor base;
	struct io_uring uring;
	/* Timespecs, one for each place in the submission queue: the kernel reads them at submit.
	 */
	struct __kernel_timespec *times;
	unsigned expected;     /* completions of ops and timers that the kernel owes us */
	unsigned expected_max; /* as many as the completion queue holds with all that they may bring
	                        */
	bool skip_success;     /* linked timeouts post no CQE */
	bool by_call[IOBATCH_OP_COUNT];
	/* Registered buffers: iovecs of `chunk` bytes from `buffers` on. */
	char *buffers;
	size_t buffers_size;
	size_t chunk;
	/* Completions of ops that were made as system calls, until the next wait. */
	struct executor_completion *called;
	unsigned called_count;
	unsigned called_max;
};

extern const struct executor_ops ring_ops;

/*
 * Makes `uring` with the best set-up that this kernel has, for ops of which each has a deadline or
 * none. 0 or a negative errno.
 */
int ring_init_queue(struct io_uring *uring, unsigned entries, unsigned cq_entries, bool deadlines);

#endif

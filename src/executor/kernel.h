/* SPDX-License-Identifier: MIT */
/*
 * The kernel as the ring executor sees it: a handful of calls behind the two queues in memory.
 * There are two: the real one (ring_kernel.c, over liburing) and the simulated one
 * (simulated_kernel.c). The queues themselves are struct io_uring in both, so that the ring's own
 * code fills and reads them without knowing which kernel is behind.
 */
#ifndef EXECUTOR_KERNEL_H
#define EXECUTOR_KERNEL_H

#include <liburing.h>
#include <sys/uio.h>

#include "executor/executor.h"

struct kernel {
	const struct kernel_ops *ops;
	struct io_uring *uring; /* whose queues these are, from set_up() on */
};

struct kernel_ops {
	/* Makes the queues, or refuses `params`, as io_uring_queue_init_params() does. */
	int (*set_up)(struct kernel *kernel, struct io_uring *uring, unsigned entries,
	              struct io_uring_params *params);
	/* Learns which of the opcodes below `count` there are. 0 or a negative errno. */
	int (*probe)(struct kernel *kernel, bool *ret_has, unsigned count);
	/*
	 * Takes up to `to_submit` of the queued SQEs and, with `wait`, waits until there is a
	 * completion or the clock is at `until_ns` (UINT64_MAX = for ever; a time that has passed =
	 * only completes what can be). Does not wait when it took less than it was given. Returns
	 * how many SQEs it took or, when it took none, a negative errno.
	 */
	int (*enter)(struct kernel *kernel, unsigned to_submit, bool wait, uint64_t until_ns);
	int (*register_files)(struct kernel *kernel, unsigned count);
	int (*register_buffers)(struct kernel *kernel, const struct iovec *iovecs, unsigned count);
	/*
	 * How many workers of either class (bounded, unbounded) may be at work; 0 leaves a number
	 * as it is. `workers` is filled with what it was before.
	 */
	int (*limit_workers)(struct kernel *kernel, unsigned workers[2]);
	/*
	 * Makes the system call of an op that the ring has no opcode for, and posts its completion
	 * like that of an SQE. NULL where system calls are the caller's own business.
	 */
	int (*call)(struct kernel *kernel, const struct executor_request *request);
	/* See executor_ops.disown. NULL where nobody keeps books. */
	void (*disown)(struct kernel *kernel, int fd);
	uint64_t (*now_ns)(struct kernel *kernel);
	/* Ends it, whatever is in flight, and frees it. After set_up() has failed, too. */
	void (*exit)(struct kernel *kernel);
};

#endif

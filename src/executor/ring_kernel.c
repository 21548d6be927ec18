/* SPDX-License-Identifier: MIT */
/*
 * The real kernel: the calls of kernel.h made with liburing, and nothing else. liburing's own ways
 * to submit and wait are not used, since they hide how much was submitted when something failed.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "executor/ring.h"

#define NS_PER_S 1000000000u

static int real_set_up(struct kernel *kernel, struct io_uring *uring, unsigned entries,
                       struct io_uring_params *params)
{
	int result = io_uring_queue_init_params(entries, uring, params);

	if (result < 0)
		return result;
	kernel->uring = uring;
	return 0;
}

static int real_probe(struct kernel *kernel, bool *ret_has, unsigned count)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(kernel->uring);

	if (!probe)
		return -ENOSYS;
	for (unsigned i = 0; i < count; i++)
		ret_has[i] = io_uring_opcode_supported(probe, (int)i);
	io_uring_free_probe(probe);
	return 0;
}

static uint64_t real_now_ns(struct kernel *kernel)
{
	struct timespec now;

	(void)kernel;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int real_enter(struct kernel *kernel, unsigned to_submit, bool wait, uint64_t until_ns)
{
	struct io_uring_getevents_arg arg = {0};
	struct __kernel_timespec time;
	int fd = kernel->uring->enter_ring_fd;
	uint64_t now_ns, left_ns;

	if (!wait)
		return io_uring_enter((unsigned)fd, to_submit, 0, 0, NULL);
	if (until_ns == UINT64_MAX)
		return io_uring_enter((unsigned)fd, to_submit, 1, IORING_ENTER_GETEVENTS, NULL);
	now_ns = real_now_ns(kernel);
	if (until_ns <= now_ns)
		return io_uring_enter((unsigned)fd, to_submit, 0, IORING_ENTER_GETEVENTS, NULL);
	left_ns = until_ns - now_ns;
	time.tv_sec = (long long)(left_ns / NS_PER_S);
	time.tv_nsec = (long long)(left_ns % NS_PER_S);
	arg.ts = (__u64)(uintptr_t)&time;
	return io_uring_enter2((unsigned)fd, to_submit, 1,
	                       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (sigset_t *)&arg,
	                       sizeof(arg));
}

static int real_register_files(struct kernel *kernel, unsigned count)
{
	return io_uring_register_files_sparse(kernel->uring, count);
}

static int real_register_buffers(struct kernel *kernel, const struct iovec *iovecs, unsigned count)
{
	return io_uring_register_buffers(kernel->uring, iovecs, count);
}

static int real_limit_workers(struct kernel *kernel, unsigned workers[2])
{
	return io_uring_register_iowq_max_workers(kernel->uring, workers);
}

static void real_exit(struct kernel *kernel)
{
	if (kernel->uring)
		io_uring_queue_exit(kernel->uring);
	free(kernel);
}

struct kernel *ring_kernel_new(void)
{
	static const struct kernel_ops ops = {
		.set_up = real_set_up,
		.probe = real_probe,
		.enter = real_enter,
		.register_files = real_register_files,
		.register_buffers = real_register_buffers,
		.limit_workers = real_limit_workers,
		.now_ns = real_now_ns,
		.exit = real_exit,
	};
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (kernel)
		kernel->ops = &ops;
	return kernel;
}

/* SPDX-License-Identifier: MIT */
/*
 * Making the ring: the best set-up that the kernel accepts, found by asking and never by its
 * version, the op probe, the file table and the registered buffers. What is optional falls back.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "executor/ring.h"
#include "op/op.h"

/* The kernel's limits for one ring. */
#define SQ_ENTRIES_MAX 32768u
#define CQ_ENTRIES_MAX 65536u
#define BUFFER_IOVECS_MAX 1024u
#define IOVEC_SIZE_MAX ((size_t)1 << 30)

/* Cancellations that fit into the completion queue whatever else there is. */
#define CANCELS_MAX 256u
/* Times that the kernel may refuse the first submission. */
#define PROBE_TRIES_MAX 1000u

static int set_up_queue(struct kernel *kernel, struct io_uring *uring, unsigned entries,
                        unsigned cq_entries, bool guarded)
{
	/*
	 * From the best to what every kernel has. DEFER_TASKRUN lets completions of block I/O come
	 * in bunches, but makes arming and disarming a linked timeout dearer (measured:
	 * docs/ARCHITECTURE.md), so that a ring whose ops are all guarded goes without.
	 */
	static const unsigned setups[] = {
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int result = -EINVAL;

	for (unsigned i = guarded; i < sizeof(setups) / sizeof(setups[0]) && result == -EINVAL;
	     i++) {
		struct io_uring_params params = {
			.flags = setups[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = cq_entries,
		};

		result = kernel->ops->set_up(kernel, uring, entries, &params);
	}
	return result;
}

int ring_init_queue(struct io_uring *uring, unsigned entries, unsigned cq_entries, bool guarded)
{
	struct kernel *kernel = ring_kernel_new();
	int result;

	if (!kernel)
		return -ENOMEM;
	result = set_up_queue(kernel, uring, entries, cq_entries, guarded);
	/* The caller has the queue from here on; there is no more to a real kernel. */
	free(kernel);
	return result;
}

unsigned ring_power_of_two(uint64_t wanted, unsigned min, unsigned max)
{
	unsigned size = min;

	while (size < wanted && size < max)
		size *= 2;
	return size;
}

/* What no ring can do without: their files may be places in its own table. */
static bool is_essential(const struct op_row *row)
{
	return !row->call || (row->facts & (OP_OPENS_FILE | OP_CLOSES_FILE | OP_MOVES_BYTES) &&
	                      row->ring_opcode != OP_NO_RING);
}

/* Learns which ops the kernel has. Those that it lacks become system calls. */
static int probe_ops(struct ring *ring)
{
	bool has[256];
	int result = ring->kernel->ops->probe(ring->kernel, has, 256);

	if (result < 0)
		return result;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct op_row *row = &op_table[i];

		if (row->ring_opcode != OP_NO_RING && has[row->ring_opcode])
			ring->base.linkable[i] = true;
		else if (is_essential(row))
			return -ENOSYS;
		else
			ring->by_call[i] = true;
	}
	return 0;
}

/*
 * May ops be linked behind a timeout? The flag for that has no feature bit: a timeout of no time is
 * tried.
 */
static int probe_timers(struct ring *ring)
{
	struct kernel *kernel = ring->kernel;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;

	assert(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_TIMEOUT;
	sqe->fd = -1;
	sqe->addr = (__u64)(uintptr_t)&ring->times[0];
	sqe->len = 1;
	sqe->timeout_flags = IORING_TIMEOUT_ETIME_SUCCESS;
	io_uring_smp_store_release(ring->uring.sq.ktail, ring->uring.sq.sqe_tail);
	for (unsigned tries = 0; seen == 0; tries++) {
		int result = kernel->ops->enter(kernel, io_uring_sq_ready(&ring->uring), true,
		                                UINT64_MAX);

		if (result < 0 && (tries == PROBE_TRIES_MAX ||
		                   (result != -EINTR && result != -EAGAIN && result != -EBUSY)))
			return result;
		io_uring_for_each_cqe(&ring->uring, head, cqe)
		{
			ring->base.timers_link = cqe->res == -ETIME;
			seen++;
		}
	}
	io_uring_cq_advance(&ring->uring, seen);
	return 0;
}

static void note(const struct executor_config *config, const char *what, int error)
{
	char message[160];

	if (!config->log)
		return;
	snprintf(message, sizeof(message), "ring %u: %s: %s; going on without", config->number,
	         what, strerror(-error));
	config->log(config->log_context, IOBATCH_LOG_INFO, message);
}

/* Direct descriptors, when RLIMIT_NOFILE has room for the table. */
static void register_files(struct ring *ring, const struct executor_config *config)
{
	int result;

	if (config->files == 0)
		return;
	result = ring->kernel->ops->register_files(ring->kernel, config->files);
	if (result < 0)
		note(config, "no table of direct descriptors (see ulimit -n)", result);
	ring->base.direct_files = result >= 0;
}

/* Registered buffers, when RLIMIT_MEMLOCK has room for them. */
static int register_buffers(struct ring *ring, const struct executor_config *config)
{
	size_t chunk, count;
	struct iovec *iovecs;
	int result;

	if (config->buffers_size == 0)
		return 0;
	if (config->buffer_size > IOVEC_SIZE_MAX) {
		note(config, "buffers too large to register", -E2BIG);
		return 0;
	}
	chunk = IOVEC_SIZE_MAX - IOVEC_SIZE_MAX % config->buffer_size;
	count = (config->buffers_size + chunk - 1) / chunk;
	if (count > BUFFER_IOVECS_MAX) {
		note(config, "too much memory to register", -E2BIG);
		return 0;
	}
	iovecs = calloc(count, sizeof(*iovecs));
	if (!iovecs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t rest = config->buffers_size - i * chunk;

		iovecs[i].iov_base = (char *)config->buffers + i * chunk;
		iovecs[i].iov_len = rest < chunk ? rest : chunk;
	}
	result = ring->kernel->ops->register_buffers(ring->kernel, iovecs, (unsigned)count);
	free(iovecs);
	if (result < 0) {
		note(config, "buffers not registered (see ulimit -l)", result);
		return 0;
	}
	ring->buffers = config->buffers;
	ring->buffers_size = config->buffers_size;
	ring->chunk = chunk;
	return 0;
}

void ring_limit_workers(struct ring *ring)
{
	unsigned workers[2] = {ring->workers[0], ring->workers[1]};

	/* The kernel's own limits are as good as any when it does not let itself be told. */
	(void)ring->kernel->ops->limit_workers(ring->kernel, workers);
}

/*
 * Ops that hang hold a worker each, and by default the kernel has few of one class and no end of
 * the other (KERNEL: bounded workers): both are as many as the caller lets block at once.
 */
static void limit_workers(struct ring *ring, const struct executor_config *config)
{
	unsigned workers[2] = {0, 0};

	if (config->blocking_max > 0) {
		ring->workers[0] = ring->workers[1] = config->blocking_max;
		ring_limit_workers(ring);
	} else if (ring->kernel->ops->limit_workers(ring->kernel, workers) == 0) {
		memcpy(ring->workers, workers, sizeof(workers));
	}
}

/* The sizes of both queues, for as many as the caller wants in flight. */
static void size_queues(const struct ring *ring, const struct executor_config *config,
                        unsigned *ret_entries, unsigned *ret_cq_entries)
{
	unsigned each = ring->guards == IOBATCH_GUARDS_LINKED ? 2 : 1;
	unsigned chain = ring->guards == IOBATCH_GUARDS_LIST ? 1 : 2;
	unsigned entries, cancels;

	entries = ring_power_of_two((uint64_t)config->batch_ops * each, 8, SQ_ENTRIES_MAX);
	entries =
		ring_power_of_two((uint64_t)config->chain_ops_max * chain, entries, SQ_ENTRIES_MAX);
	cancels = config->in_flight_max < CANCELS_MAX ? config->in_flight_max : CANCELS_MAX;
	*ret_entries = entries;
	*ret_cq_entries = ring_power_of_two((uint64_t)config->in_flight_max * each + cancels,
	                                    2 * entries, CQ_ENTRIES_MAX);
}

static int allocate(struct ring *ring, const struct executor_config *config)
{
	unsigned entries = ring->uring.sq.ring_entries, cq_entries = ring->uring.cq.ring_entries;

	ring->called_max =
		config->in_flight_max < CQ_ENTRIES_MAX ? config->in_flight_max : CQ_ENTRIES_MAX;
	/* Besides calls, all that is in flight may be cut off. */
	ring->called = calloc((size_t)ring->called_max + cq_entries, sizeof(*ring->called));
	ring->times = calloc(entries, sizeof(*ring->times));
	/* Only a kernel that makes the calls itself cares for ops. */
	if (ring->kernel->ops->call) {
		ring->notes = calloc(entries, sizeof(*ring->notes));
		if (!ring->notes)
			return -ENOMEM;
	}
	return ring->times && ring->called ? 0 : -ENOMEM;
}

static int set_up(struct ring *ring, const struct executor_config *config)
{
	unsigned entries, cq_entries, cancels;
	int result;

	size_queues(ring, config, &entries, &cq_entries);
	result = set_up_queue(ring->kernel, &ring->uring, entries, cq_entries,
	                      ring->guards == IOBATCH_GUARDS_LINKED);
	if (result < 0)
		return result;
	/* Every kernel with the ops that are asked for has it: 5.11. */
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG))
		return -ENOSYS;
	cq_entries = ring->uring.cq.ring_entries;
	cancels = config->in_flight_max < CANCELS_MAX ? config->in_flight_max : CANCELS_MAX;
	/* A sequence must fit, however small the queue. */
	if (cancels > cq_entries / 2)
		cancels = cq_entries / 2;
	ring->owed_max = cq_entries - cancels;
	result = allocate(ring, config);
	if (result == 0)
		result = probe_ops(ring);
	if (result == 0)
		result = probe_timers(ring);
	if (result < 0)
		return result;
	if (ring->bell.wakes)
		result = ring_bell_open(&ring->bell);
	if (result < 0)
		return result;
	limit_workers(ring, config);
	register_files(ring, config);
	return register_buffers(ring, config);
}

int ring_new_on(struct kernel *kernel, const char *kind, const struct executor_config *config,
                struct executor **ret_executor)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int result;

	assert(config->chain_ops_max * 2 <= SQ_ENTRIES_MAX);
	if (!kernel || !ring) {
		if (kernel)
			kernel->ops->exit(kernel);
		free(ring);
		return -ENOMEM;
	}
	ring->base.ops = &ring_ops;
	ring->base.kind = kind;
	ring->kernel = kernel;
	ring_calls_init(&ring->calls, config);
	ring->bell.fd = -1;
	ring->bell.wakes = config->wakes;
	ring->guards = config->deadlines ? config->guards : IOBATCH_GUARDS_LIST;
	result = set_up(ring, config);
	if (result < 0) {
		ring_ops.free(&ring->base);
		return result;
	}
	*ret_executor = &ring->base;
	return 0;
}

int ring_new(const struct executor_config *config, struct executor **ret_executor)
{
	return ring_new_on(ring_kernel_new(), "ring", config, ret_executor);
}

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

int ring_init_queue(struct io_uring *uring, unsigned entries, unsigned cq_entries, bool deadlines)
{
	/*
	 * From the best to what every kernel has. DEFER_TASKRUN lets completions of block I/O come
	 * in bunches, but makes arming and disarming a linked timeout dearer (measured:
	 * docs/ARCHITECTURE.md), so that a ring whose ops are all guarded goes without.
	 */
	static const unsigned setups[] = {
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int result = -EINVAL;

	for (unsigned i = deadlines; i < sizeof(setups) / sizeof(setups[0]) && result == -EINVAL;
	     i++) {
		struct io_uring_params params = {
			.flags = setups[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = cq_entries,
		};

		result = io_uring_queue_init_params(entries, uring, &params);
	}
	return result;
}

static unsigned power_of_two(uint64_t wanted, unsigned min, unsigned max)
{
	unsigned size = min;

	while (size < wanted && size < max)
		size *= 2;
	return size;
}

/* Learns which ops the kernel has. Those on paths that it lacks become system calls. */
static int probe_ops(struct ring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);

	if (!probe)
		return -ENOSYS;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct op_row *row = &op_table[i];

		if (row->ring_opcode != OP_NO_RING &&
		    io_uring_opcode_supported(probe, row->ring_opcode))
			ring->base.linkable[i] = true;
		else if (row->call && !(row->facts & (OP_USES_FILE | OP_OPENS_FILE)))
			ring->by_call[i] = true;
		else {
			io_uring_free_probe(probe);
			return -ENOSYS;
		}
	}
	io_uring_free_probe(probe);
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
	result = io_uring_register_files_sparse(&ring->uring, config->files);
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
	result = io_uring_register_buffers(&ring->uring, iovecs, (unsigned)count);
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

int ring_new(const struct executor_config *config, struct executor **ret_executor)
{
	unsigned guard = config->deadlines ? 2 : 1;
	unsigned entries, cq_entries;
	struct ring *ring;
	int result;

	assert(config->chain_ops_max * 2 <= SQ_ENTRIES_MAX);
	entries = power_of_two((uint64_t)config->batch_ops * guard, 8, SQ_ENTRIES_MAX);
	entries = power_of_two((uint64_t)config->chain_ops_max * guard, entries, SQ_ENTRIES_MAX);
	cq_entries =
		power_of_two((uint64_t)config->in_flight_max * guard, 2 * entries, CQ_ENTRIES_MAX);
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	ring->base.ops = &ring_ops;
	result = ring_init_queue(&ring->uring, entries, cq_entries, config->deadlines);
	if (result < 0) {
		free(ring);
		return result;
	}
	ring->expected_max = ring->uring.cq.ring_entries / guard;
	result = -ENOMEM;
	ring->times = calloc(ring->uring.sq.ring_entries, sizeof(*ring->times));
	ring->called_max =
		config->in_flight_max < CQ_ENTRIES_MAX ? config->in_flight_max : CQ_ENTRIES_MAX;
	ring->called = calloc(ring->called_max, sizeof(*ring->called));
	if (!ring->times || !ring->called)
		goto fail;
	result = probe_ops(ring);
	if (result < 0)
		goto fail;
	/* CQE_SKIP is one release younger than ETIME_SUCCESS, which has no feature bit of its own.
	 */
	ring->skip_success = ring->uring.features & IORING_FEAT_CQE_SKIP;
	ring->base.timers_link = ring->skip_success;
	register_files(ring, config);
	result = register_buffers(ring, config);
	if (result < 0)
		goto fail;
	*ret_executor = &ring->base;
	return 0;
fail:
	ring_ops.free(&ring->base);
	return result;
}

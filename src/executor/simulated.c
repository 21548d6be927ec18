/* SPDX-License-Identifier: MIT */
/*
 * The simulated executor: ops answer from a seed and a script, on a virtual clock that jumps to the
 * next completion. It follows the kernel's rules for linked sequences and deadlines, so that what
 * holds here holds on the ring: a short read or the failure of an op that breaks links cancels the
 * rest, an op that is late is cancelled at its deadline, a timer ends with -ETIME.
 *
 * Everything is decided when an op is submitted; what is pending is a heap of completions by time.
 * The same seed and the same submissions give the same run.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/executor.h"
#include "op/op.h"

struct event {
	uint64_t time_ns;
	uint64_t order; /* of submission: equal times complete in it */
	struct executor_completion completion;
};

struct simulated {
	struct executor base;
	struct iobatch_simulation script;
	uint64_t now_ns;
	uint64_t random;
	uint64_t order;
	struct event *events; /* a binary heap */
	unsigned events_count;
	unsigned events_max;
};

static inline struct simulated *simulated_of(struct executor *executor)
{
	return (struct simulated *)executor;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct simulated *simulated)
{
	uint64_t z = simulated->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool happens(struct simulated *simulated, uint32_t permille)
{
	return permille > 0 && next_random(simulated) % 1000 < permille;
}

static bool event_before(const struct event *a, const struct event *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	return a->order < b->order;
}

static void push_event(struct simulated *simulated, uint64_t time_ns, uint64_t id, int32_t result)
{
	struct event event = {
		.time_ns = time_ns,
		.order = simulated->order++,
		.completion = {.id = id, .result = result},
	};
	unsigned at = simulated->events_count++;

	assert(at < simulated->events_max);
	while (at > 0 && event_before(&event, &simulated->events[(at - 1) / 2])) {
		simulated->events[at] = simulated->events[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	simulated->events[at] = event;
}

static struct event pop_event(struct simulated *simulated)
{
	struct event *events = simulated->events;
	struct event first = events[0];
	struct event last = events[--simulated->events_count];
	unsigned count = simulated->events_count, at = 0;

	while (2 * at + 1 < count) {
		unsigned child = 2 * at + 1;

		if (child + 1 < count && event_before(&events[child + 1], &events[child]))
			child++;
		if (!event_before(&events[child], &last))
			break;
		events[at] = events[child];
		at = child;
	}
	events[at] = last;
	return first;
}

static int32_t answer_read(struct simulated *simulated, const struct iobatch_op *op)
{
	uint64_t offset = op_rest_offset(op), left = 0;

	if (offset < simulated->script.file_size)
		left = simulated->script.file_size - offset;
	return (int32_t)(op_rest_length(op) < left ? op_rest_length(op) : left);
}

static void fill_statx(const struct simulated *simulated, struct statx *statx)
{
	memset(statx, 0, sizeof(*statx));
	statx->stx_mask = STATX_BASIC_STATS;
	statx->stx_mode = S_IFREG | 0644;
	statx->stx_nlink = 1;
	statx->stx_size = simulated->script.file_size;
}

/* What the op answers without the script's last word. */
static struct iobatch_answer answer_op(struct simulated *simulated, const struct iobatch_op *op)
{
	static const int errors[] = {EIO, ENOSPC, EACCES, ENOENT, EINTR, EAGAIN, ENOMEM, EBUSY};
	const struct iobatch_simulation *script = &simulated->script;
	uint64_t span = script->latency_max_ns - script->latency_min_ns;
	struct iobatch_answer answer = {.latency_ns = script->latency_min_ns};

	if (span > 0)
		answer.latency_ns += next_random(simulated) % (span + 1);
	if (op_is(op, OP_IS_TIMER)) {
		answer.latency_ns = op->length;
		answer.result = -ETIME;
	} else if (happens(simulated, script->error_permille)) {
		unsigned pick = next_random(simulated) % (sizeof(errors) / sizeof(errors[0]));

		answer.result = -errors[pick];
	} else if (op->opcode == IOBATCH_OP_READ) {
		answer.result = answer_read(simulated, op);
	} else if (op->opcode == IOBATCH_OP_WRITE) {
		answer.result = (int32_t)op_rest_length(op);
	}
	if (op_is(op, OP_MOVES_BYTES) && answer.result > 1 &&
	    happens(simulated, script->short_permille))
		answer.result = (int32_t)(1 + next_random(simulated) % (uint64_t)answer.result);
	return answer;
}

/* What an op that has succeeded leaves in memory. */
static void carry_out(const struct simulated *simulated, const struct iobatch_op *op,
                      int32_t result)
{
	if (op->opcode == IOBATCH_OP_READ && result > 0)
		memset(op_rest_buffer(op), 0, (size_t)result);
	if (op->opcode == IOBATCH_OP_STATX && result >= 0 && op->buffer)
		fill_statx(simulated, op->buffer);
}

static bool breaks_link(const struct iobatch_op *op, int32_t result)
{
	if (op_is(op, OP_IS_TIMER) && result == -ETIME)
		return false;
	if (result < 0)
		return op_is(op, OP_BREAKS_LINK);
	return op_is(op, OP_MOVES_BYTES) && (uint32_t)result < op_rest_length(op);
}

static int simulated_submit(struct executor *executor, const struct executor_request *requests,
                            unsigned count, uint64_t deadline_ns)
{
	struct simulated *simulated = simulated_of(executor);
	uint64_t time_ns = simulated->now_ns;
	bool broken = false;

	if (simulated->events_count + count > simulated->events_max)
		return -EAGAIN;
	for (unsigned i = 0; i < count; i++) {
		const struct iobatch_op *op = requests[i].op;
		struct iobatch_answer answer;
		uint64_t left_ns;

		if (broken) {
			push_event(simulated, time_ns, requests[i].id, -ECANCELED);
			continue;
		}
		answer = answer_op(simulated, op);
		/* Buffers are filled before the script, which may put something else into them. */
		carry_out(simulated, op, answer.result);
		if (simulated->script.script)
			simulated->script.script(simulated->script.context, op, &answer);
		left_ns = deadline_ns > time_ns ? deadline_ns - time_ns : 0;
		if (deadline_ns && answer.latency_ns > left_ns) {
			answer.result = -ECANCELED;
			answer.latency_ns = left_ns;
		}
		if (__builtin_add_overflow(time_ns, answer.latency_ns, &time_ns))
			time_ns = UINT64_MAX;
		push_event(simulated, time_ns, requests[i].id, answer.result);
		broken = answer.result == -ECANCELED || breaks_link(op, answer.result);
	}
	return 0;
}

static int simulated_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct simulated *simulated = simulated_of(executor);

	if (simulated->events_count == simulated->events_max)
		return -EAGAIN;
	push_event(simulated, expires_ns > simulated->now_ns ? expires_ns : simulated->now_ns, id,
	           -ETIME);
	return 0;
}

/* One completion at a time, so that nothing is seen before its time. */
static int simulated_wait(struct executor *executor, struct executor_completion *ret, unsigned max)
{
	struct simulated *simulated = simulated_of(executor);
	struct event event;

	assert(simulated->events_count > 0 && max > 0);
	event = pop_event(simulated);
	assert(event.time_ns >= simulated->now_ns);
	simulated->now_ns = event.time_ns;
	*ret = event.completion;
	return 1;
}

static uint64_t simulated_now_ns(struct executor *executor)
{
	return simulated_of(executor)->now_ns;
}

static void simulated_free(struct executor *executor)
{
	struct simulated *simulated = simulated_of(executor);

	if (!simulated)
		return;
	assert(simulated->events_count == 0);
	free(simulated->events);
	free(simulated);
}

static const struct executor_ops simulated_ops = {
	.name = "simulated",
	.submit = simulated_submit,
	.timer = simulated_timer,
	.wait = simulated_wait,
	.now_ns = simulated_now_ns,
	.free = simulated_free,
};

int simulated_new(const struct executor_config *config, struct executor **ret_executor)
{
	struct simulated *simulated = calloc(1, sizeof(*simulated));

	if (!simulated)
		return -ENOMEM;
	simulated->base.ops = &simulated_ops;
	simulated->base.direct_files = true;
	simulated->base.timers_link = true;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		simulated->base.linkable[i] = op_table[i].ring_opcode != OP_NO_RING;
	if (config->simulation)
		simulated->script = *config->simulation;
	simulated->random = simulated->script.seed + config->number;
	simulated->events_max = config->in_flight_max;
	simulated->events = calloc(simulated->events_max, sizeof(*simulated->events));
	if (!simulated->events) {
		free(simulated);
		return -ENOMEM;
	}
	*ret_executor = &simulated->base;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What simulated ops answer: from the seed, with the script's last word. Nothing outside is
 * touched. An op's answer is decided when it starts; whether it gets to give it is not known here.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/simulated.h"

#define NS_PER_MS UINT64_C(1000000)
/* How late what is late may be: from 1 ms to 4 s, by powers of two. */
#define LATE_SHIFT_MAX 12u
#define ERRNO_MAX 133u

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t simulated_random(struct simulated *kernel)
{
	uint64_t z = kernel->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

bool simulated_happens(struct simulated *kernel, uint32_t permille)
{
	return permille > 0 && simulated_random(kernel) % 1000 < permille;
}

/* Any errno that there is, but for the one that says that an op never ran. */
static int32_t draw_error(struct simulated *kernel)
{
	int error;

	do {
		error = (int)(1 + simulated_random(kernel) % ERRNO_MAX);
	} while (error == ECANCELED || !strerrorname_np(error));
	return -error;
}

/* Bytes of the file that lie behind `offset`, at most `length`. */
static int32_t bytes_there(const struct simulated *kernel, uint64_t offset, uint32_t length)
{
	uint64_t left = 0;

	if (offset < kernel->script.file_size)
		left = kernel->script.file_size - offset;
	return (int32_t)(length < left ? length : left);
}

static int32_t answer_well(const struct simulated *kernel, const struct simulated_request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	switch (request->copy.opcode) {
	case IOBATCH_OP_READ:
		return bytes_there(kernel, sqe->off, sqe->len);
	case IOBATCH_OP_WRITE:
		return (int32_t)sqe->len;
	case IOBATCH_OP_COPY_FILE_RANGE:
		return bytes_there(kernel, op_rest_offset(&request->copy),
		                   op_rest_length(&request->copy));
	case IOBATCH_OP_FIND_DATA:
		return request->copy.offset < kernel->script.file_size ? 0 : -ENXIO;
	case IOBATCH_OP_TIMEOUT:
		return -ETIME;
	default:
		return 0;
	}
}

static void fill_statx(const struct simulated *kernel, struct statx *statx)
{
	memset(statx, 0, sizeof(*statx));
	statx->stx_mask = STATX_BASIC_STATS;
	statx->stx_mode = S_IFREG | 0644;
	statx->stx_nlink = 1;
	statx->stx_size = kernel->script.file_size;
}

/* What an op that succeeds leaves in memory. */
static void carry_out(const struct simulated *kernel, const struct simulated_request *request)
{
	void *memory = (void *)(uintptr_t)request->sqe.addr;
	uint64_t *pair = request->copy.buffer;

	if (request->answer.result < 0)
		return;
	switch (request->copy.opcode) {
	case IOBATCH_OP_READ:
		memset(memory, 0, (size_t)request->answer.result);
		break;
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_FSTATX:
		if (request->copy.buffer)
			fill_statx(kernel, request->copy.buffer);
		break;
	case IOBATCH_OP_FIND_DATA:
		pair[0] = request->copy.offset;
		pair[1] = kernel->script.file_size;
		break;
	case IOBATCH_OP_CACHED:
		pair[0] = pair[1] = 0;
		break;
	}
}

/* Ops that do not listen, and answer late or never. */
static void turn_deaf(struct simulated *kernel, struct iobatch_answer *answer)
{
	const struct iobatch_simulation *script = &kernel->script;

	if (simulated_happens(kernel, script->lost_permille)) {
		answer->cancel = IOBATCH_CANCEL_IGNORED;
		answer->latency_ns = UINT64_MAX;
	} else if (simulated_happens(kernel, script->late_permille)) {
		uint64_t most = NS_PER_MS << simulated_random(kernel) % (LATE_SHIFT_MAX + 1);

		answer->cancel = IOBATCH_CANCEL_IGNORED;
		answer->latency_ns += 1 + simulated_random(kernel) % most;
	}
}

void simulated_answer(struct simulated *kernel, struct simulated_request *request)
{
	const struct iobatch_simulation *script = &kernel->script;
	const struct iobatch_op *op = &request->copy;
	struct iobatch_answer *answer = &request->answer;
	uint64_t span = script->latency_max_ns - script->latency_min_ns;

	*answer = (struct iobatch_answer){.latency_ns = script->latency_min_ns};
	if (span > 0)
		answer->latency_ns += simulated_random(kernel) % (span + 1);
	answer->result = answer_well(kernel, request);
	if (op_is(op, OP_IS_TIMER))
		answer->latency_ns = op->length;
	else if (simulated_happens(kernel, script->error_permille))
		answer->result = draw_error(kernel);
	if (op_is(op, OP_MOVES_BYTES) && answer->result > 1 &&
	    simulated_happens(kernel, script->short_permille))
		answer->result = (int32_t)(1 + simulated_random(kernel) % (uint64_t)answer->result);
	if (!op_is(op, OP_IS_TIMER))
		turn_deaf(kernel, answer);
	/* Buffers are filled before the script, which may put something else into them. */
	carry_out(kernel, request);
	if (script->script)
		script->script(script->context, request->op, answer);
}

/* SPDX-License-Identifier: MIT */
/* See stage.h. */
#include "stage.h"

struct stage stage;

void stage_init(void)
{
	memset(&stage, 0, sizeof(stage));
	stage.config = (struct executor_config){
		.chain_ops_max = 8,
		.batch_ops = OPS_MAX,
		.in_flight_max = OPS_MAX,
		.deadlines = true,
		.files = 8,
		.simulation = &stage.simulation,
	};
	stage.simulation.file_size = 1000;
}

void stage_start(void)
{
	assert_int_equal(simulated_new(&stage.config, &stage.executor), 0);
	stage.start_ns = stage.executor->ops->now_ns(stage.executor);
}

void stage_free(void)
{
	stage.executor->ops->free(stage.executor);
}

uint64_t stage_now_ns(void)
{
	return stage.executor->ops->now_ns(stage.executor) - stage.start_ns;
}

int stage_try_submit(unsigned first, unsigned count, bool direct, uint64_t deadline_ns)
{
	struct executor_request requests[OPS_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct iobatch_op *op = &stage.ops[first + i];

		requests[i] = (struct executor_request){
			.op = op,
			.id = first + i,
			.fd = direct ? op->file : 0,
			.direct = direct && op_is(op, OP_USES_FILE | OP_OPENS_FILE),
		};
	}
	if (deadline_ns)
		deadline_ns += stage.start_ns;
	return stage.executor->ops->submit(stage.executor, requests, count, deadline_ns);
}

void stage_submit(unsigned first, unsigned count, bool direct, uint64_t deadline_ns)
{
	assert_int_equal(stage_try_submit(first, count, direct, deadline_ns), 0);
}

int stage_wait_many(struct executor_completion *ret, unsigned max, uint64_t until_ns)
{
	if (until_ns != UINT64_MAX)
		until_ns += stage.start_ns;
	return stage.executor->ops->wait(stage.executor, ret, max, until_ns);
}

int stage_wait(struct executor_completion *ret, uint64_t until_ns)
{
	return stage_wait_many(ret, 1, until_ns);
}

void stage_expect(uint64_t id, int32_t result, uint64_t time_ns)
{
	struct executor_completion completion;

	assert_int_equal(stage_wait(&completion, UINT64_MAX), 1);
	assert_int_equal(completion.id, id);
	assert_int_equal(completion.result, result);
	assert_int_equal(stage_now_ns(), time_ns);
}

void stage_cancel(uint64_t id)
{
	assert_int_equal(stage.executor->ops->cancel(stage.executor, id), 0);
}

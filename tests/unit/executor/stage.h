/* SPDX-License-Identifier: MIT */
/*
 * A stage for the simulated executor: its script, its ops and their memory, and the few things that
 * tests do with it. There is one at a time.
 */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "executor/ring.h"
#include "op/op.h"

#define NS_PER_MS UINT64_C(1000000)
#define OPS_MAX 64

struct stage {
	struct iobatch_simulation simulation;
	struct executor_config config;
	struct executor *executor;
	uint64_t start_ns; /* on the executor's clock; all times of a stage count from here */
	struct iobatch_op ops[OPS_MAX];
	char buffers[OPS_MAX][64];
};

extern struct stage stage;

/* An empty stage: every answer is the simulator's own. What is to be different is set after. */
void stage_init(void);
void stage_start(void);
void stage_free(void);
uint64_t stage_now_ns(void);
/* Ops of the stage from `first` on, in a sequence; their ids are their numbers. */
int stage_try_submit(unsigned first, unsigned count, bool direct, uint64_t deadline_ns);
void stage_submit(unsigned first, unsigned count, bool direct, uint64_t deadline_ns);
int stage_wait_many(struct executor_completion *ret, unsigned max, uint64_t until_ns);
int stage_wait(struct executor_completion *ret, uint64_t until_ns);
/* Waits for the one completion that is to come next, at that time. */
void stage_expect(uint64_t id, int32_t result, uint64_t time_ns);
void stage_cancel(uint64_t id);

#endif

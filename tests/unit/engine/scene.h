/* SPDX-License-Identifier: MIT */
/*
 * A scene: one item whose chain is written down, on the simulator, whose script plays the kernel
 * and writes down what it was asked.
 */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include "trial.h"

#define OPS_MAX 8

struct scene {
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_simulation simulation;
	struct iobatch_result result;

	struct iobatch_op ops[OPS_MAX]; /* the one chain of an attempt */
	unsigned count;
	bool unordered;

	/* Answers in the order of asking; beyond them what the simulator says. */
	struct iobatch_answer answers[64];
	unsigned answers_count;
	unsigned asked;
	uint16_t opcodes[64];
	uint64_t lengths[64];
	uint64_t offsets[64];
	int64_t results[OPS_MAX]; /* as `next` sees them */
	unsigned cleanups;
	unsigned completions;
	char buffer[65536];
};

/* A scene without ops: every answer is the simulator's own. */
void scene_init(struct scene *scene);
/* Adds an op to the chain. */
void scene_op(struct scene *scene, struct iobatch_op op);
/* Adds an answer, at no time. */
void scene_answer(struct scene *scene, int32_t result);
void scene_run(struct scene *scene);
void scene_assert_failed(const struct scene *scene, int error, int opcode, unsigned attempts);
void scene_deinit(struct scene *scene);

#endif

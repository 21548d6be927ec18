/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "scene.h"

#include <string.h>

static int scene_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                      struct iobatch_chain *chain)
{
	struct scene *scene = context;

	(void)item;
	for (unsigned i = 0; i < done->count; i++)
		scene->results[i] = done->ops[i].result;
	if (done->count > 0)
		return IOBATCH_DONE;
	for (unsigned i = 0; i < scene->count; i++)
		iobatch_chain_add(chain, scene->ops[i]);
	chain->unordered = scene->unordered;
	return IOBATCH_MORE;
}

static void scene_script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct scene *scene = context;

	assert_true(scene->asked < 64);
	scene->opcodes[scene->asked] = op->opcode;
	scene->lengths[scene->asked] = op->length;
	scene->offsets[scene->asked] = op->offset;
	if (scene->asked < scene->answers_count)
		*answer = scene->answers[scene->asked];
	scene->asked++;
}

void scene_init(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	scene->processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	scene->processor.context = scene;
	scene->processor.next = scene_next;
	scene->processor.chain_ops_max = OPS_MAX;
	scene->processor.files_max = 2;
	scene->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	scene->options.executor = IOBATCH_EXECUTOR_SIMULATED;
	scene->options.simulation = &scene->simulation;
	scene->simulation.script = scene_script;
	scene->simulation.context = scene;
	scene->simulation.file_size = 1 << 20;
	scene->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
}

void scene_op(struct scene *scene, struct iobatch_op op)
{
	scene->ops[scene->count++] = op;
}

void scene_answer(struct scene *scene, int32_t result)
{
	scene->answers[scene->answers_count++].result = result;
}

void scene_run(struct scene *scene)
{
	char object = 0;
	struct iobatch_items items = iobatch_items_array(&object, 1, 1);

	assert_int_equal(iobatch_run(&items, &scene->processor, &scene->options, &scene->result),
	                 0);
	assert_int_equal(scene->result.total_processed, 1);
}

void scene_assert_failed(const struct scene *scene, int error, int opcode, unsigned attempts)
{
	assert_int_equal(scene->result.failed, 1);
	assert_int_equal(scene->result.failed_items[0].error, error);
	assert_int_equal(scene->result.failed_items[0].opcode, opcode);
	assert_int_equal(scene->result.failed_items[0].attempts, attempts);
}

void scene_deinit(struct scene *scene)
{
	iobatch_result_deinit(&scene->result);
}

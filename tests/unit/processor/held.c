/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the tests of processors that work on names: see held.h.
 */
#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct iobatch_file *held_object(int dirfd, const char *shown, const char *name, unsigned char type)
{
	struct iobatch_file *object = calloc(1, sizeof(*object));
	size_t prefix = strlen(shown);

	assert_non_null(object);
	assert_true(prefix + strlen(name) < IOBATCH_PATH_MAX);
	strcat(strcpy(object->path, shown), name);
	object->path_length = (uint32_t)strlen(object->path);
	object->fd = -1;
	object->dirfd = dirfd;
	object->type = type;
	if (dirfd != AT_FDCWD) {
		/* Only whether there is one is looked at. */
		object->directory = (struct iobatch_directory *)object;
		object->name = (uint32_t)prefix;
	}
	return object;
}

const char *held_run(const struct iobatch_processor *processor, const struct iobatch_options *given,
                     struct iobatch_file *object)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_options options = *given;
	struct iobatch_items items = iobatch_items_array(object, 1, sizeof(*object));
	const struct iobatch_outcome *outcome;
	const char *name;

	options.collect = IOBATCH_COLLECT_FAILED | IOBATCH_COLLECT_SUCCESSFUL;
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.executor, options.executor);
	assert_int_equal(result.total_processed, 1);
	outcome = result.failed ? result.failed_items : result.successful_items;
	assert_int_equal(outcome->skipped, !result.failed && outcome->error_name);
	assert_int_equal(result.skipped, outcome->skipped);
	name = outcome->error_name ? outcome->error_name : "";
	iobatch_result_deinit(&result);
	return name;
}

struct sweep {
	unsigned count;
	unsigned failing;
	void (*script)(void *context, const struct iobatch_op *op, struct iobatch_answer *answer);
};

static void fail_one(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct sweep *sweep = context;

	if (sweep->script)
		sweep->script(NULL, op, answer);
	if (op->opcode != IOBATCH_OP_CLOSE && sweep->count++ == sweep->failing)
		answer->result = -EIO;
}

unsigned held_sweep(const struct iobatch_processor *processor, struct iobatch_file *object,
                    void (*script)(void *context, const struct iobatch_op *op,
                                   struct iobatch_answer *answer))
{
	struct iobatch_simulation simulation = {.file_size = BLOCK, .script = fail_one};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	unsigned ops;

	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	for (unsigned failing = 0;; failing++) {
		struct sweep sweep = {.failing = failing, .script = script};
		const char *name;

		simulation.context = &sweep;
		name = held_run(processor, &options, object);
		ops = sweep.count;
		if (failing >= ops) {
			assert_string_equal(name, "");
			return ops;
		}
		assert_string_equal(name, "EIO");
	}
}

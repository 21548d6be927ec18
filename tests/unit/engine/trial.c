/* SPDX-License-Identifier: MIT */
/*
 * See trial.h. An attempt that is to fail opens a path that does not exist; one that is to succeed
 * runs a nop. On the simulator a script answers the open with ENOENT.
 */
#include "trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MISSING "/nonexistent/item"

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct trial *trial = context;
	const struct trial_item *object = item->object;
	unsigned batch = (unsigned)(item->index / trial->options.batch_size);

	if (done->count > 0)
		return IOBATCH_DONE;
	trial->attempts++;
	if (item->attempt == 1 && atomic_fetch_add(&trial->batch_unsettled[batch], 1) == 0) {
		unsigned active = atomic_fetch_add(&trial->batches_active, 1) + 1;
		unsigned peak = trial->batches_active_peak;

		while (active > peak &&
		       !atomic_compare_exchange_weak(&trial->batches_active_peak, &peak, active))
			;
	}
	if (item->attempt <= object->failures)
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, MISSING, O_RDONLY, 0));
	else
		iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static void answer(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_OPENAT && strcmp(op->path, MISSING) == 0)
		answer->result = -ENOENT;
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct trial *trial = context;
	unsigned batch = (unsigned)(outcome->index / trial->options.batch_size);

	assert_true(outcome->index < trial->count);
	trial->outcomes[outcome->index]++;
	if (atomic_fetch_sub(&trial->batch_unsettled[batch], 1) == 1)
		trial->batches_active--;
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct trial *trial = context;
	const struct iobatch_progress *last = &trial->last_progress;
	uint64_t total = progress->processed + progress->pending;

	assert_int_equal(progress->processed, progress->successful + progress->failed);
	if (progress->total_is_final)
		assert_int_equal(total, trial->count);
	assert_true(total <= trial->count);
	assert_true(progress->processed >= last->processed);
	assert_true(progress->successful >= last->successful);
	assert_true(progress->failed >= last->failed);
	assert_true(progress->current_batch >= last->current_batch);
	assert_true(progress->current_batch <= progress->total_batches);
	trial->last_progress = *progress;
	trial->progress_calls++;
}

static ssize_t pull(void *context, void *object)
{
	struct trial *trial = context;

	if (trial->streamed_count == trial->count)
		return 0;
	memcpy(object, &trial->items[trial->streamed_count++], sizeof(struct trial_item));
	return sizeof(struct trial_item);
}

struct trial *trial_new(unsigned executor, unsigned count)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	assert_non_null(trial);
	assert_true(count <= TRIAL_ITEMS_MAX);
	trial->options = (struct iobatch_options)IOBATCH_OPTIONS_INIT;
	trial->options.executor = executor;
	trial->expected_executor = executor;
	trial->options.collect = IOBATCH_COLLECT_FAILED | IOBATCH_COLLECT_SUCCESSFUL;
	trial->options.context = trial;
	trial->options.on_progress = on_progress;
	trial->options.on_settled = on_settled;
	trial->options.simulation = &trial->simulation;
	trial->simulation.script = answer;
	trial->processor = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	trial->processor.context = trial;
	trial->processor.next = next;
	trial->processor.files_max = 1;
	trial->result = (struct iobatch_result)IOBATCH_RESULT_INIT;
	trial->count = count;
	for (unsigned i = 0; i < count; i++)
		trial->items[i].value = (int)i + 1;
	return trial;
}

void trial_run(struct trial *trial)
{
	const struct iobatch_result *result = &trial->result;
	unsigned batch_size = trial->options.batch_size;
	unsigned descriptors = trial_open_descriptors();
	struct iobatch_items items;

	items = trial->streamed ? iobatch_items_stream(pull, trial, sizeof(struct trial_item))
	                        : iobatch_items_array(trial->items, trial->count,
	                                              sizeof(struct trial_item));
	trial->error = iobatch_run(&items, &trial->processor, &trial->options, &trial->result);
	assert_int_equal(trial_open_descriptors(), descriptors);
	if (trial->error)
		return;
	assert_int_equal(result->executor, trial->expected_executor);
	assert_int_equal(result->total_processed, trial->count);
	assert_int_equal(result->successful + result->failed, result->total_processed);
	assert_int_equal(result->total_batches, (trial->count + batch_size - 1) / batch_size);
	assert_int_equal(result->failed_items_count, result->failed);
	assert_int_equal(result->successful_items_count, result->successful);
	for (unsigned i = 0; i < trial->count; i++)
		assert_int_equal(trial->outcomes[i], 1);
	assert_true(trial->batches_active_peak <= trial->options.max_concurrent);
	assert_true(result->peak_batches <= trial->options.max_concurrent);
	assert_int_equal(trial->last_progress.processed, trial->count);
	assert_int_equal(trial->last_progress.pending, 0);
	assert_true(trial->last_progress.total_is_final);
}

void trial_free(struct trial *trial)
{
	iobatch_result_deinit(&trial->result);
	free(trial);
}

void trial_assert_failed(const struct trial *trial, const int *values, unsigned count)
{
	assert_int_equal(trial->result.failed_items_count, count);
	for (unsigned i = 0; i < count; i++) {
		const struct trial_item *item = trial->result.failed_items[i].object;

		assert_int_equal(item->value, values[i]);
	}
}

unsigned trial_executor(void **state)
{
	unsigned executor = (unsigned)(uintptr_t)*state;
	struct iobatch_support support = IOBATCH_SUPPORT_INIT;

	assert_int_equal(iobatch_probe(&support), 0);
	if (executor == IOBATCH_EXECUTOR_RING && support.error) {
		print_message("%s\n", support.cause);
		skip();
	}
	return executor;
}

ssize_t trial_pull_number(void *context, void *object)
{
	struct trial_numbers *numbers = context;

	if (numbers->given == numbers->count)
		return 0;
	memcpy(object, &numbers->given, sizeof(numbers->given));
	numbers->given++;
	return sizeof(numbers->given);
}

unsigned trial_open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

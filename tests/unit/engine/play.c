/* SPDX-License-Identifier: MIT */
/* The operator, and the items that it is about: see play.h. */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

uint64_t play_now(const struct iobatch_item *item)
{
	struct executor *executor = slot_reaper((const struct slot *)item)->executor;

	return executor->ops->now_ns(executor);
}

static void ask(struct play *play, const struct deed *deed)
{
	struct iobatch_progress progress;

	switch (deed->act) {
	case ACT_PAUSE:
		iobatch_control_pause(play->control);
		play->paused = true;
		break;
	case ACT_RESUME:
		play->paused = false;
		iobatch_control_resume(play->control);
		break;
	case ACT_DRAIN:
		iobatch_control_drain(play->control);
		break;
	case ACT_CANCEL:
		iobatch_control_cancel(play->control);
		break;
	case ACT_ITEMS_PER_S:
		assert_int_equal(
			iobatch_control_set(play->control, IOBATCH_LIMIT_ITEMS_PER_S, deed->value),
			0);
		break;
	case ACT_DELAY_MS:
		assert_int_equal(
			iobatch_control_set(play->control, IOBATCH_LIMIT_DELAY_MS, deed->value), 0);
		break;
	case ACT_MAX_CONCURRENT:
		assert_int_equal(iobatch_control_set(play->control, IOBATCH_LIMIT_MAX_CONCURRENT,
		                                     deed->value),
		                 0);
		break;
	case ACT_SEE_STATE:
		assert_int_equal(iobatch_control_progress(play->control, &progress), deed->value);
		break;
	case ACT_FAIL:
	case ACT_END:
		break;
	}
}

/* The operator does what is due and waits for what is not. */
static int operate(struct play *play, struct iobatch_item *item, struct iobatch_chain *chain)
{
	uint64_t now_ns = play_now(item), due_ns;

	if (!play->begun_ns)
		play->begun_ns = now_ns;
	for (;; play->done++) {
		const struct deed *deed = &play->deeds[play->done];

		due_ns = play->begun_ns + deed->at_ms * NS_PER_MS;
		if (now_ns < due_ns)
			break;
		if (deed->act == ACT_END)
			return IOBATCH_DONE;
		if (deed->act == ACT_FAIL)
			return -EDOM;
		ask(play, deed);
	}
	iobatch_chain_add(chain, iobatch_op_timeout(due_ns - now_ns));
	return IOBATCH_MORE;
}

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct play *play = context;

	if (item->index == 0 && play->deeds[0].act != ACT_END)
		return operate(play, item, chain);
	if (done->count > 0)
		return IOBATCH_DONE;
	assert_false(play->paused);
	if (play->starts < 8)
		play->start_ns[play->starts] = play_now(item) - play->begun_ns;
	play->starts++;
	if (play->fails)
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "/nonexistent/item", 0, 0));
	else if (play->hangs && play->options.executor != IOBATCH_EXECUTOR_SIMULATED)
		iobatch_chain_add(chain, iobatch_op_read(IOBATCH_FD(play->silent[0]), item->state,
		                                         1, UINT64_MAX));
	else if (play->busy_ms || play->hangs)
		iobatch_chain_add(chain,
		                  iobatch_op_timeout(play->hangs ? UINT64_C(1) << 60
		                                                 : play->busy_ms * NS_PER_MS));
	else
		iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	const struct play *play = context;

	if (op->opcode != IOBATCH_OP_OPENAT)
		return;
	answer->result = play->error ? play->error : -ENOENT;
	answer->latency_ns = play->busy_ms * NS_PER_MS;
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	struct play *play = context;

	assert_int_equal(play->outcomes[item->index].attempts, 0);
	assert_int_equal(play->outcomes[item->index].error, 0);
	play->outcomes[item->index] = *outcome;
	play->settled_ns[item->index] = play_now(item) - play->begun_ns;
	play->settled++;
	return 0;
}

void play_init(struct play *play, unsigned executor)
{
	*play = (struct play){
		.processor = IOBATCH_PROCESSOR_INIT,
		.options = IOBATCH_OPTIONS_INIT,
		.result = IOBATCH_RESULT_INIT,
		.count = 10,
	};
	assert_int_equal(iobatch_control_new(&play->control), 0);
	assert_int_equal(pipe(play->silent), 0);
	play->processor.context = play;
	play->processor.next = next;
	play->processor.settled = settled;
	play->processor.files_max = 1;
	play->processor.state_size = 8;
	play->options.executor = executor;
	play->options.control = play->control;
	play->options.batch_size = 1;
	play->options.max_concurrent = 2;
	play->options.threads = 4;
	play->options.simulation = &play->simulation;
	play->simulation.script = script;
	play->simulation.context = play;
}

int play_run(struct play *play)
{
	struct iobatch_items items = iobatch_items_array(play->objects, play->count, 1);
	struct iobatch_progress progress;
	unsigned descriptors = trial_open_descriptors();
	int error = iobatch_run(&items, &play->processor, &play->options, &play->result);

	assert_int_equal(trial_open_descriptors(), descriptors);
	assert_int_equal(play->result.total_processed, play->settled);
	assert_int_equal(play->result.total_processed,
	                 play->result.successful + play->result.failed);
	/* The last that was seen of it. */
	assert_int_equal(iobatch_control_progress(play->control, &progress), IOBATCH_STATE_WAITING);
	assert_int_equal(progress.processed, play->settled);
	return error;
}

void play_deinit(struct play *play)
{
	iobatch_result_deinit(&play->result);
	iobatch_control_free(play->control);
	close(play->silent[0]);
	close(play->silent[1]);
}

void play_assert_complete(struct play *play, int error)
{
	assert_int_equal(error, 0);
	assert_int_equal(play->result.end, IOBATCH_END_COMPLETE);
	assert_int_equal(play->result.total_processed, play->count);
	assert_string_equal(play->result.message, "");
}

/* SPDX-License-Identifier: MIT */
/*
 * A reaper: the loop that fills windows, starts attempts, waits for completions and sends each
 * where it belongs. Everything happens in the reaper's own thread, one thing after the other; what
 * is to be done next stands in lists, so that nothing recurses from item to item.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/engine.h"

#define NS_PER_MS UINT64_C(1000000)
#define COMPLETIONS_MAX 256u

/* ---------------------------------------------------------------- memory -- */

/* A piece of every slot within the region. */
struct piece {
	size_t stride;
	size_t start;
};

static bool add_piece(size_t *total, struct piece *piece, size_t size, size_t slots)
{
	size_t bytes;

	if (size > SIZE_MAX / 2)
		return false;
	/*
	 * Whole cache lines (a slot is some of them), and no stride that puts all slots' first
	 * lines into the same few sets.
	 */
	piece->stride = (size + 63) & ~(size_t)63;
	if (piece->stride >= 4096 && piece->stride % 4096 == 0)
		piece->stride += 64;
	piece->start = *total;
	return !__builtin_mul_overflow(piece->stride, slots, &bytes) &&
	       !__builtin_add_overflow(*total, bytes, total);
}

static void *piece_of(const struct reaper *reaper, const struct piece *piece, unsigned slot)
{
	return piece->stride ? (char *)reaper->region + piece->start + slot * piece->stride : NULL;
}

static int init_slots(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	const struct iobatch_processor *processor = run->processor;
	const struct iobatch_items *items = run->intake.items;
	struct piece slots, chains, files, buffers, state, scratch, object;
	size_t total = 0, count = reaper->slots_count;

	if (!add_piece(&total, &slots, sizeof(struct slot), count) ||
	    !add_piece(&total, &chains, 2 * run->chain_size, count) ||
	    !add_piece(&total, &files, processor->files_max * sizeof(int), count) ||
	    !add_piece(&total, &buffers, processor->buffers_max * sizeof(void *), count) ||
	    !add_piece(&total, &state, processor->state_size, count) ||
	    !add_piece(&total, &scratch, processor->scratch_size, count) ||
	    !add_piece(&total, &object, items->next ? items->stride : 0, count))
		return -ENOMEM;
	reaper->region_size = total;
	reaper->region = region_map(total);
	if (!reaper->region)
		return -ENOMEM;
	reaper->slots = piece_of(reaper, &slots, 0);
	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = &reaper->slots[i];
		char *ops = piece_of(reaper, &chains, i);

		slot->number = i;
		slot->window = &reaper->windows[i / run->window_slots];
		slot->chains[0] = (struct iobatch_chain){.ops = (struct iobatch_op *)ops,
		                                         .capacity = processor->chain_ops_max};
		slot->chains[1] =
			(struct iobatch_chain){.ops = (struct iobatch_op *)(ops + run->chain_size),
		                               .capacity = processor->chain_ops_max};
		slot->files = piece_of(reaper, &files, i);
		slot->item.buffers = piece_of(reaper, &buffers, i);
		slot->item.state = piece_of(reaper, &state, i);
		slot->item.scratch = piece_of(reaper, &scratch, i);
		slot->item.object = piece_of(reaper, &object, i);
	}
	return 0;
}

static int init_windows(struct reaper *reaper)
{
	struct run *run = reaper->run;
	/* The first reapers have one window more when they cannot be shared out evenly. */
	unsigned count = run->windows_count / run->reapers_count +
	                 (reaper->number < run->windows_count % run->reapers_count);
	uint64_t slots = (uint64_t)count * run->window_slots;

	if (slots >= ID_NUMBER_MAX || slots * run->chain_ops > UINT32_MAX / 2)
		return -ENOMEM;
	reaper->windows = calloc(count, sizeof(*reaper->windows));
	if (!reaper->windows)
		return -ENOMEM;
	reaper->windows_count = count;
	reaper->slots_count = (unsigned)slots;
	for (unsigned i = count; i-- > 0;) {
		reaper->windows[i].reaper = reaper;
		reaper->windows[i].first_slot = i * run->window_slots;
		reaper->windows[i].next = reaper->to_fill;
		reaper->to_fill = &reaper->windows[i];
	}
	return 0;
}

static int init_pool(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	const struct iobatch_processor *processor = run->processor;
	uint64_t count, wanted;

	if (processor->buffers_max == 0)
		return 0;
	count = run->options.memory_limit / run->reapers_count / processor->buffer_size;
	wanted = (uint64_t)reaper->slots_count * processor->buffers_max;
	return pool_init(&reaper->pool, processor->buffer_size, count < wanted ? count : wanted);
}

static int init_executor(struct reaper *reaper)
{
	struct run *run = reaper->run;
	const struct iobatch_options *options = &run->options;
	struct executor_config config = {
		.number = reaper->number,
		.chain_ops_max = run->chain_ops,
		.batch_ops = run->window_slots * run->chain_ops,
		.in_flight_max = reaper->slots_count * run->chain_ops + reaper->windows_count,
		.deadlines = options->timeout_ms > 0,
		.files = reaper->slots_count * run->processor->files_max,
		.buffers = reaper->pool.memory,
		.buffers_size = options->register_buffers ? reaper->pool.memory_size : 0,
		.buffer_size = run->processor->buffer_size,
		.simulation = options->simulation,
		.log = options->on_log,
		.log_context = options->context,
	};

	if (options->executor == IOBATCH_EXECUTOR_SIMULATED)
		return simulated_new(&config, &reaper->executor);
	return ring_new(&config, &reaper->executor);
}

int reaper_init(struct reaper *reaper, struct run *run, unsigned number)
{
	int result;

	reaper->run = run;
	reaper->number = number;
	reaper->reads_clock = run->options.timeout_ms > 0 || run->options.on_progress;
	queue_init(&reaper->ready);
	queue_init(&reaper->starving);
	queue_init(&reaper->blocked);
	queue_init(&reaper->resting);
	result = init_windows(reaper);
	if (result == 0)
		result = init_slots(reaper);
	if (result == 0)
		result = init_pool(reaper);
	if (result == 0) {
		result = init_executor(reaper);
		reaper->executor_failed = result < 0;
	}
	return result;
}

void reaper_deinit(struct reaper *reaper)
{
	/* After a broken executor the kernel may still write into the slots' memory: it stays. */
	if (reaper->in_flight > 0)
		return;
	if (reaper->executor)
		reaper->executor->ops->free(reaper->executor);
	pool_deinit(&reaper->pool);
	region_unmap(reaper->region, reaper->region_size);
	free(reaper->windows);
}

/* ------------------------------------------------------------------ loop -- */

static void dispatch(struct reaper *reaper, const struct executor_completion *completion)
{
	uint64_t id = completion->id;
	struct slot *slot;

	if (id_kind(id) == ID_DELAY) {
		window_start_next(reaper, &reaper->windows[id_number(id)]);
		return;
	}
	assert(id_number(id) < reaper->slots_count);
	slot = &reaper->slots[id_number(id)];
	assert((slot->generation & 0xffffffu) == id_generation(id));
	switch (id_kind(id)) {
	case ID_OP:
		reaper->ops++;
		if (chain_complete(reaper, slot, id_op(id), completion->result) == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
		break;
	case ID_RESUME:
		if (chain_resume(reaper, slot, id_op(id)) == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
		break;
	case ID_BACKOFF:
		queue_push(&reaper->ready, slot);
		break;
	default:
		assert(!"an id of no kind");
	}
}

/* Completions have made room in the executor: those that were refused try again, in turn. */
static void retry_refused(struct reaper *reaper)
{
	struct slot *slot;

	while ((slot = reaper->blocked.first)) {
		enum chain_state state = chain_unblock(reaper, slot);

		if (state == CHAIN_BLOCKED)
			break;
		if (state == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
	}
	while ((slot = reaper->resting.first)) {
		uint64_t id = id_make(ID_BACKOFF, slot->number, slot->generation, 0);

		if (timer_start(reaper, id, reaper->run->options.backoff_ms * NS_PER_MS) < 0)
			break;
		queue_pop(&reaper->resting);
	}
	while (reaper->to_pause) {
		struct window *window = reaper->to_pause;

		reaper->to_pause = window->next;
		window_pause(reaper, window);
		if (reaper->to_pause == window)
			break;
	}
}

/* Does all that can be done without waiting. */
static void do_ready(struct reaper *reaper)
{
	unsigned buffers_min = reaper->run->processor->buffers_min;
	struct slot *slot;

	for (;;) {
		if (reaper->to_fill) {
			struct window *window = reaper->to_fill;

			reaper->to_fill = window->next;
			window_fill(reaper, window);
		} else if (reaper->starving.first && reaper->pool.free_count >= buffers_min) {
			attempt_admit(reaper, queue_pop(&reaper->starving));
		} else if ((slot = queue_pop(&reaper->ready))) {
			attempt_start(reaper, slot);
		} else {
			return;
		}
	}
}

void reaper_loop(struct reaper *reaper)
{
	struct executor *executor = reaper->executor;
	struct executor_completion completions[COMPLETIONS_MAX];
	int count;

	reaper->now_ns = executor->ops->now_ns(executor);
	reaper->start_ns = reaper->now_ns;
	reaper->published_ns = reaper->now_ns;
	for (;;) {
		do_ready(reaper);
		if (reaper->in_flight == 0)
			break;
		count = executor->ops->wait(executor, completions, COMPLETIONS_MAX);
		if (count < 0) {
			reaper->error = count;
			break;
		}
		if (reaper->reads_clock)
			reaper->now_ns = executor->ops->now_ns(executor);
		reaper->in_flight -= (unsigned)count;
		for (int i = 0; i < count; i++)
			dispatch(reaper, &completions[i]);
		retry_refused(reaper);
	}
	reaper->now_ns = executor->ops->now_ns(executor);
	tally_add(reaper);
}

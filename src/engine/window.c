/* SPDX-License-Identifier: MIT */
/*
 * Windows: which batch is in which, and when its items start. Without a delay all items of a batch
 * are made ready together; with one they start one after the other, with a timer between them. A
 * window whose batch has settled stands in the reaper's list to be filled. What an item does
 * between its start and its outcome is not known here.
 */
#include "engine/engine.h"

int timer_start(struct reaper *reaper, uint64_t id, uint64_t pause_ns)
{
	struct executor *executor = reaper->executor;
	int result = executor->ops->timer(executor, id, executor->ops->now_ns(executor) + pause_ns);

	if (result == 0)
		reaper->in_flight++;
	return result;
}

void window_start_next(struct reaper *reaper, struct window *window)
{
	window->used = true;
	queue_push(&reaper->ready, window->places[window->started++]);
}

void window_pause(struct reaper *reaper, struct window *window)
{
	uint64_t id = id_make(ID_DELAY, (uint32_t)(window - reaper->windows), 0, 0);

	if (reaper->halting)
		return;
	window->pausing = window->used;
	if (!window->used) {
		window_start_next(reaper, window);
	} else if (timer_start(reaper, id, reaper->run->options.delay_ms * NS_PER_MS) < 0) {
		window->pausing = false;
		window->next = reaper->to_pause;
		reaper->to_pause = window;
	}
}

void window_fill(struct reaper *reaper, struct window *window)
{
	struct run *run = reaper->run;

	window->started = 0;
	window->unsettled = window->size = 0;
	/* A place whose slot was set aside may have found no other. */
	if (run->halted)
		return;
	window->size = intake_take(&run->intake, run->options.batch_size, window->places);
	window->unsettled = window->size;
	if (window->size == 0)
		return;
	tally_batch_started(&run->tally);
	reaper->windows_busy++;
	/* A batch's time begins when it is there, and not at the last wait. */
	if (run->options.timeout_ms > 0)
		reaper->now_ns = reaper->executor->ops->now_ns(reaper->executor);
	if (run->options.delay_ms > 0) {
		window_pause(reaper, window);
		return;
	}
	while (window->started < window->size)
		window_start_next(reaper, window);
}

void window_settled(struct reaper *reaper, struct slot *slot)
{
	struct window *window = slot->window;

	slot->settled = true;
	if (--window->unsettled == 0) {
		tally_batch_ended(&reaper->run->tally);
		reaper->windows_busy--;
		window->next = reaper->to_fill;
		reaper->to_fill = window;
	} else if (reaper->run->options.delay_ms > 0) {
		window_pause(reaper, window);
	}
}

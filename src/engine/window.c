/* SPDX-License-Identifier: MIT */
/*
 * Windows: which batch is in which, and when its items start. Without a delay all items of a batch
 * are made ready together; with one they start one after the other, with a timer between them. A
 * window whose batch has settled stands in the reaper's list to be filled, or in that of those for
 * which there was nothing (listen.c); so does one whose batch is open, whatever its items do. What
 * an item does between its start and its outcome is not known here.
 */
#include "engine/engine.h"

int timer_start(struct reaper *reaper, uint64_t id, uint64_t pause_ns)
{
	struct executor *executor = reaper->executor;
	int result = executor->ops->timer(executor, id, reaper_clock_ns(reaper) + pause_ns);

	if (result == 0) {
		reaper->in_flight++;
		if (id_kind(id) == ID_BACKOFF)
			reaper->slots[id_number(id)].rests = true;
		if (reaper->control.on && id_kind(id) == ID_BACKOFF)
			reaper->slots[id_number(id)].rested_ns =
				control_clock_ns(reaper) + pause_ns;
	}
	return result;
}

void window_start_next(struct reaper *reaper, struct window *window)
{
	struct reaper_control *control = &reaper->control;

	window->used = true;
	queue_push(control->interval ? &control->metered : &reaper->ready,
	           window->places[window->started++]);
}

/* The pause is over. What there was a delay between starts together when there is none any more. */
static void go_on(struct reaper *reaper, struct window *window)
{
	do
		window_start_next(reaper, window);
	while (window->started < window->size && !reaper->control.delay_ns);
}

/* What is left of the pause before the window's next item: it goes on while the window starves. */
static uint64_t pause_left_ns(const struct reaper *reaper, struct window *window)
{
	uint64_t delay_ns = reaper->control.delay_ns, rested_ns = 0;

	if (window->idle_ns)
		rested_ns = control_clock_ns(reaper) - window->idle_ns;
	window->idle_ns = 0;
	if (!window->used)
		return 0;
	return rested_ns < delay_ns ? delay_ns - rested_ns : 0;
}

void window_pause(struct reaper *reaper, struct window *window)
{
	uint64_t pause_ns = pause_left_ns(reaper, window);

	window->rested_ns = pause_ns > 0 ? control_clock_ns(reaper) + pause_ns : 0;
	window_rest(reaper, window);
}

void window_rest(struct reaper *reaper, struct window *window)
{
	uint64_t id = id_make(ID_DELAY, (uint32_t)(window - reaper->windows), 0, 0);
	uint64_t now_ns;

	if (reaper->halting || reaper->control.draining)
		return;
	now_ns = window->rested_ns > 0 ? control_clock_ns(reaper) : 0;
	if (now_ns >= window->rested_ns) {
		go_on(reaper, window);
	} else if (timer_start(reaper, id, window->rested_ns - now_ns) == 0) {
		window->pausing = true;
	} else {
		window->next = reaper->to_pause;
		reaper->to_pause = window;
	}
}

void window_rested(struct reaper *reaper, struct window *window)
{
	struct reaper_control *control = &reaper->control;

	window->pausing = false;
	if (reaper->halting || control->draining)
		return;
	/* The clock of pauses may have stood still meanwhile, and may yet. */
	if (control->paused && control_clock_ns(reaper) < window->rested_ns) {
		window->next = control->held_windows;
		control->held_windows = window;
	} else if (control->stood_ns > 0) {
		window_rest(reaper, window);
	} else {
		go_on(reaper, window);
	}
}

/* The last item of the batch has settled, and there will be no other. */
static void end_batch(struct reaper *reaper, struct window *window)
{
	window->size = window->started = 0;
	tally_batch_ended(&reaper->run->tally);
	reaper->windows_busy--;
}

/* There is nothing more for the window, or nothing more for others of what it had. */
static void tell_others(struct run *run, bool is_all)
{
	/* That concerns those that starve... */
	if (run->listens)
		listen_wake(run);
	/* ...and the end those that may take nothing. */
	if (is_all && run->reapers_count > 1 && !atomic_exchange(&run->taken_all, true))
		control_wake(run);
}

/*
 * Takes the window's next batch, or more of the one that is open. Returns the items that have come.
 * A window that is to have more, and does not know when, is starved.
 */
static unsigned take_items(struct reaper *reaper, struct window *window)
{
	struct run *run = reaper->run;
	uint64_t wakes = run->wakes;
	enum intake_state state = INTAKE_DRY;
	bool was_open = window->open;
	unsigned count = 0;

	/* An open batch may get the rest of what has made the reaper dry. */
	if (!listen_is_dry(reaper)) {
		state = intake_take(&run->intake, run->options.batch_size, window, &count);
		/* What has come since is for a window of this very reaper, which is to see it. */
		if (state != INTAKE_HELD || !reaper->open) {
			reaper->dry = state == INTAKE_DRY;
			reaper->wakes_seen = wakes;
		}
	}
	window->size += count;
	window->open = state == INTAKE_DRY && window->size > 0;
	if (window->open || was_open)
		reaper->open = window->open ? window : NULL;
	if (state != INTAKE_FULL) {
		if (!window->idle_ns && reaper->control.delay_ns > 0 &&
		    window->unsettled + count == 0)
			window->idle_ns = control_clock_ns(reaper);
		listen_starve(reaper, window);
	} else if (was_open || count == 0) {
		tell_others(run, count == 0);
	}
	return count;
}

/* Has `count` items of the batch start that have come since the last time. */
static void start_items(struct reaper *reaper, struct window *window, unsigned count)
{
	/* A batch's time begins when it is there, and not at the last wait. */
	if (reaper->run->options.timeout_ms > 0)
		reaper->now_ns = reaper_clock_ns(reaper);
	/* They stand behind others that start one after the other. */
	if (window->started < window->size - count)
		return;
	if (reaper->control.delay_ns > 0) {
		/* Behind items that are not over comes a pause. */
		if (window->unsettled == count)
			window_pause(reaper, window);
		return;
	}
	window->idle_ns = 0;
	while (window->started < window->size)
		window_start_next(reaper, window);
}

void window_fill(struct reaper *reaper, struct window *window)
{
	struct run *run = reaper->run;
	bool was_open = window->open;
	unsigned count;

	/* A place whose slot was set aside may have found no other. */
	if (run->halted || run->soon || reaper->control.draining) {
		window_give_up(reaper, window);
		return;
	}
	if (!window->made)
		reaper_make_slots(reaper, window);
	count = take_items(reaper, window);
	if (count == 0) {
		if (was_open && !window->open && window->unsettled == 0)
			end_batch(reaper, window);
		return;
	}
	window->unsettled += count;
	if (!was_open) {
		tally_batch_started(&run->tally);
		reaper->windows_busy++;
	}
	start_items(reaper, window, count);
}

void window_give_up(struct reaper *reaper, struct window *window)
{
	if (!window->open)
		return;
	window->open = false;
	reaper->open = NULL;
	reaper->feeds_open = false;
	if (window->unsettled == 0)
		end_batch(reaper, window);
}

void window_settled(struct reaper *reaper, struct slot *slot)
{
	struct window *window = slot->window;

	slot->settled = true;
	window->unsettled--;
	if (window->unsettled > 0) {
		/* One after the other, with a delay: this was the last that ran. */
		if (window->started < window->size &&
		    window->started + window->unsettled == window->size)
			window_pause(reaper, window);
	} else if (!window->open) {
		end_batch(reaper, window);
		window->next = reaper->to_fill;
		reaper->to_fill = window;
	} else if (reaper->control.delay_ns > 0) {
		window->idle_ns = control_clock_ns(reaper);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * A run's control on the side of a reaper: takes up what was asked, and keeps the clock of pauses,
 * which stands still while the run is paused. A delay or a backoff has its timer on the executor's
 * clock, which does not; when that has run, what is left on the clock of pauses is waited for.
 *
 * Invariant: while it is paused the reaper starts nothing, and what a pause has held goes on when
 * it ends, or ends with the run. All of this happens on the reaper's thread; who asks, and from
 * where, is not known here.
 */
#include "engine/control.h"
#include "engine/engine.h"

uint64_t control_clock_ns(const struct reaper *reaper)
{
	const struct reaper_control *control = &reaper->control;

	return (control->paused ? control->paused_since_ns : reaper_clock_ns(reaper)) -
	       control->stood_ns;
}

static void set_paused(struct reaper *reaper, bool paused)
{
	struct reaper_control *control = &reaper->control;

	if (paused == control->paused)
		return;
	if (paused)
		control->paused_since_ns = reaper_clock_ns(reaper);
	else
		control->stood_ns += reaper_clock_ns(reaper) - control->paused_since_ns;
	control->paused = paused;
	if (paused)
		return;
	meter_reset(reaper);
	control_go_on(reaper);
}

/* Takes nothing more, and starts nothing. */
static void stop(struct reaper *reaper, bool cancel)
{
	struct run *run = reaper->run;
	bool cuts;

	intake_close(&run->intake);
	/* A run of which nothing is left is not ended early. */
	cuts = !intake_is_over(&run->intake) || (cancel && reaper->windows_busy > 0);
	if (cuts)
		run->cut = true;
	if (cancel && cuts) {
		halt_by_control(run);
	} else if (!reaper->control.draining) {
		reaper->control.draining = true;
		halt_drain(reaper);
	}
}

void control_look_now(struct reaper *reaper)
{
	const struct iobatch_control *asked = reaper->run->options.control;
	struct reaper_control *control = &reaper->control;
	uint32_t changes = asked->changes, wanted;

	if (changes == control->seen)
		return;
	/* What comes from here on is counted once more. */
	control->seen = changes;
	wanted = asked->wanted;
	meter_take_limits(reaper);
	if (wanted & (WANTED_DRAIN | WANTED_CANCEL) || reaper->run->halted ||
	    reaper->run->drained) {
		set_paused(reaper, false);
		if (!reaper->run->halted)
			stop(reaper, wanted & WANTED_CANCEL);
	} else {
		set_paused(reaper, wanted & WANTED_PAUSE);
	}
}

bool control_is_asked_now(const struct reaper *reaper)
{
	return reaper->run->options.control->changes != reaper->control.seen;
}

bool control_lets_start_now(struct reaper *reaper)
{
	return !reaper->control.paused && !reaper->run->halted && !control_is_asked_now(reaper);
}

bool control_is_held(const struct reaper *reaper)
{
	const struct reaper_control *control = &reaper->control;

	if (!control->on || reaper->halting)
		return false;
	/* Windows wait for the end of the pause, or for more of them to be allowed. */
	if (reaper->to_fill && intake_has_more(&reaper->run->intake))
		return true;
	return control->paused &&
	       (reaper->feeds_open || reaper->ready.first || reaper->starving.first ||
	        reaper->throttle.waiting.first || control->metered.first || control->held.first ||
	        control->held_windows);
}

bool control_rests(struct reaper *reaper)
{
	struct bell *bell;

	if (reaper->run->executor != IOBATCH_EXECUTOR_SIMULATED ||
	    (!reaper->control.paused && reaper->windows_busy > 0))
		return false;
	/* What is refused is tried again, and who listens is told first. */
	if (reaper->blocked.first || reaper->resting.first || reaper->to_pause ||
	    tally_due(reaper) != UINT64_MAX || journal_due(reaper) != UINT64_MAX ||
	    aside_owed(reaper) < reaper->in_flight)
		return false;
	bell = &reaper->run->options.control->bells[reaper->number];
	while (!atomic_exchange(&bell->rung, false))
		(void)sem_wait(&bell->rests);
	return true;
}

/* ------------------------------------------------- pauses that stand still -- */

bool control_backoff_is_over(struct reaper *reaper, struct slot *slot)
{
	struct reaper_control *control = &reaper->control;

	/* In a run that ends soon it was told to, since no attempt is made behind it. */
	if (reaper->ending || (!control->paused && control->stood_ns == 0))
		return true;
	if (control_clock_ns(reaper) >= slot->rested_ns)
		return true;
	queue_push(&control->held, slot);
	if (!control->paused)
		control_go_on(reaper);
	return false;
}

void control_go_on(struct reaper *reaper)
{
	struct reaper_control *control = &reaper->control;
	struct slot *slot;

	if (control->paused)
		return;
	while ((slot = control->held.first)) {
		uint64_t now_ns = control_clock_ns(reaper);

		if (reaper->ending)
			now_ns = slot->rested_ns;
		if (now_ns < slot->rested_ns &&
		    timer_start(reaper, slot_id(slot, ID_BACKOFF, 0), slot->rested_ns - now_ns) < 0)
			return;
		queue_leave(slot);
		if (now_ns >= slot->rested_ns)
			queue_push(&reaper->ready, slot);
	}
	while (control->held_windows) {
		struct window *window = control->held_windows;

		control->held_windows = window->next;
		window_rest(reaper, window);
	}
}

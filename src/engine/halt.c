/* SPDX-License-Identifier: MIT */
/*
 * A run that ends before its time: nothing more is taken, what waits is settled as cancelled, what
 * is in flight is cancelled and settled when it has answered, or set aside when it does not. Each
 * reaper does so for itself as soon as it sees that the run is halted.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"

/* The first reason is the one that is told. */
static void end_early(struct run *run, _Atomic bool *how, uint32_t end, int error,
                      const char *format, va_list arguments)
{
	pthread_mutex_lock(&run->tally.lock);
	if (!run->halt_error) {
		vsnprintf(run->message, sizeof(run->message), format, arguments);
		run->halt_error = error;
		run->end = end;
	}
	if (!*how) {
		*how = true;
		if (run->listens)
			listen_wake(run);
		control_wake(run);
	}
	pthread_mutex_unlock(&run->tally.lock);
}

void halt_by_control(struct run *run)
{
	pthread_mutex_lock(&run->tally.lock);
	if (!run->halted) {
		/* One that ends for another reason already says so. */
		if (!run->halt_error) {
			snprintf(run->message, sizeof(run->message),
			         "the run was cancelled, with what was in flight");
			run->halt_error = -ECANCELED;
			run->end = IOBATCH_END_CANCELLED;
		}
		run->halted = true;
	}
	pthread_mutex_unlock(&run->tally.lock);
}

void halt_run(struct run *run, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_early(run, &run->halted, error == -ETIMEDOUT ? IOBATCH_END_STUCK : IOBATCH_END_ERROR,
	          error, format, arguments);
	va_end(arguments);
}

void halt_by_policy(struct run *run, const char *format, ...)
{
	bool now = run->options.halt == IOBATCH_HALT_NOW;
	va_list arguments;

	va_start(arguments, format);
	end_early(run, now ? &run->halted : &run->soon, IOBATCH_END_HALTED, -ECANCELED, format,
	          arguments);
	va_end(arguments);
}

void drain_run(struct run *run, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_early(run, &run->drained, IOBATCH_END_ERROR, error, format, arguments);
	va_end(arguments);
}

static void halt_window(struct reaper *reaper, struct window *window)
{
	/* When the last one settles the window is to be filled, and size stays what it was. */
	for (unsigned i = 0; window->unsettled > 0 && i < window->size; i++) {
		struct slot *slot = window->places[i];

		if (!slot->settled)
			attempt_halt(reaper, slot);
	}
}

/* Ends the pauses between items, as far as the executor has room to be told. */
static void cancel_pauses(struct reaper *reaper)
{
	struct executor *executor = reaper->executor;

	reaper->to_pause = reaper->control.held_windows = NULL;
	for (unsigned i = 0; i < reaper->windows_count; i++) {
		struct window *window = &reaper->windows[i];

		if (window->pausing &&
		    executor->ops->cancel(executor, id_make(ID_DELAY, i, 0, 0)) == 0)
			window->pausing = false;
	}
}

void halt_drain(struct reaper *reaper)
{
	listen_give_up(reaper);
	for (unsigned i = 0; i < reaper->windows_count; i++) {
		struct window *window = &reaper->windows[i];

		for (unsigned j = 0; window->unsettled > 0 && j < window->size; j++) {
			struct slot *slot = window->places[j];

			if (!slot->settled)
				attempt_drain(reaper, slot);
		}
	}
}

/* Ends the pauses before further attempts, which will not be made. Returns whether all have. */
static bool cancel_backoffs(struct reaper *reaper)
{
	bool all = true;

	for (unsigned i = 0; i < reaper->windows_count; i++) {
		struct window *window = &reaper->windows[i];

		for (unsigned j = 0; window->unsettled > 0 && j < window->size; j++) {
			struct slot *slot = window->places[j];

			if (!slot->settled && slot->rests &&
			    reaper->executor->ops->cancel(reaper->executor,
			                                  slot_id(slot, ID_BACKOFF, 0)) < 0)
				all = false;
		}
	}
	return all;
}

/* What was taken goes on to its outcome, and nothing more is taken. */
static void end_soon(struct reaper *reaper)
{
	if (!reaper->ending) {
		reaper->ending = true;
		reaper->backoffs_end = true;
		intake_close(&reaper->run->intake);
		listen_give_up(reaper);
	}
	if (reaper->backoffs_end)
		reaper->backoffs_end = !cancel_backoffs(reaper);
}

void halt_reaper(struct reaper *reaper)
{
	if (reaper->run->soon && !reaper->halting)
		end_soon(reaper);
	if (reaper->run->drained && !reaper->control.draining) {
		intake_close(&reaper->run->intake);
		reaper->control.draining = true;
		halt_drain(reaper);
	}
	if (reaper->control.draining)
		cancel_pauses(reaper);
	if (!reaper->run->halted)
		return;
	if (!reaper->halting) {
		reaper->halting = true;
		intake_close(&reaper->run->intake);
		listen_give_up(reaper);
		for (unsigned i = 0; i < reaper->windows_count; i++)
			halt_window(reaper, &reaper->windows[i]);
	}
	cancel_pauses(reaper);
}

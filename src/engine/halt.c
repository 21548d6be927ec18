/* SPDX-License-Identifier: MIT */
/*
 * A run that ends before its time: nothing more is taken, what waits is settled as cancelled, what
 * is in flight is cancelled and settled when it has answered, or set aside when it does not. Each
 * reaper does so for itself as soon as it sees that the run is halted.
 */
#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"

void halt_run(struct run *run, int error, const char *format, ...)
{
	va_list arguments;

	pthread_mutex_lock(&run->tally.lock);
	if (!run->halted) {
		va_start(arguments, format);
		vsnprintf(run->message, sizeof(run->message), format, arguments);
		va_end(arguments);
		run->halt_error = error;
		run->halted = true;
		if (run->listens)
			listen_wake(run);
	}
	pthread_mutex_unlock(&run->tally.lock);
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

	reaper->to_pause = NULL;
	for (unsigned i = 0; i < reaper->windows_count; i++) {
		struct window *window = &reaper->windows[i];

		if (window->pausing &&
		    executor->ops->cancel(executor, id_make(ID_DELAY, i, 0, 0)) == 0)
			window->pausing = false;
	}
}

void halt_reaper(struct reaper *reaper)
{
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

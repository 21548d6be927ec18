/* SPDX-License-Identifier: MIT */
/*
 * Streams that say when they have more. A window for which a stream had nothing is starved: it is
 * filled when the stream has woken the run, and its reaper waits for that when nothing else is left
 * to do.
 *
 * Invariant: no wake is lost. The run counts them. A reaper takes the count down before it asks the
 * stream, and says that it starves before it compares the count once more and waits; who wakes
 * counts first and then looks who starves. One of the two sees the other, and the executor keeps a
 * wake that comes before the wait.
 */
#include "engine/engine.h"

void listen_wake(struct run *run)
{
	bool starves = false;

	atomic_fetch_add(&run->wakes, 1);
	for (unsigned i = 0; i < run->reapers_count && !starves; i++)
		starves = atomic_load(&run->reapers[i].starves);
	if (!starves)
		return;
	/* No executor goes while it is woken. */
	pthread_mutex_lock(&run->wake_lock);
	for (unsigned i = 0; i < run->reapers_count; i++) {
		struct reaper *reaper = &run->reapers[i];

		if (reaper->executor && atomic_load(&reaper->starves))
			reaper->executor->ops->wake(reaper->executor);
	}
	pthread_mutex_unlock(&run->wake_lock);
}

static void wake(void *waker)
{
	listen_wake(waker);
}

void listen_begin(struct run *run)
{
	const struct iobatch_items *items = run->intake.items;

	if (!run->listens)
		return;
	run->intake.may_be_dry = true;
	items->listen(items->context, wake, run);
}

void listen_end(struct run *run)
{
	const struct iobatch_items *items = run->intake.items;

	if (run->listens)
		items->listen(items->context, NULL, NULL);
}

static bool is_woken(const struct reaper *reaper)
{
	return atomic_load(&reaper->run->wakes) != reaper->wakes_seen;
}

bool listen_is_dry(const struct reaper *reaper)
{
	return reaper->dry && !is_woken(reaper);
}

void listen_starve(struct reaper *reaper, struct window *window)
{
	window->next = reaper->starved;
	reaper->starved = window;
	atomic_store(&reaper->starves, true);
}

bool listen_feed(struct reaper *reaper)
{
	if (!reaper->starved || !is_woken(reaper))
		return false;
	atomic_store(&reaper->starves, false);
	while (reaper->starved) {
		struct window *window = reaper->starved;

		reaper->starved = window->next;
		if (window == reaper->open)
			continue;
		window->next = reaper->to_fill;
		reaper->to_fill = window;
	}
	/* The others would ask in vain before it. */
	reaper->feeds_open = reaper->open;
	return true;
}

void listen_give_up(struct reaper *reaper)
{
	reaper->starved = NULL;
	atomic_store(&reaper->starves, false);
	if (reaper->open)
		window_give_up(reaper, reaper->open);
}

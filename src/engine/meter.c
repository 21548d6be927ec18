/* SPDX-License-Identifier: MIT */
/*
 * Limits that may change while a run goes on, and the meter behind one of them: when the next item
 * may start. All reapers share the meter, which is one number; each takes a turn by moving it on.
 *
 * Invariant: in no time do more items start than the rate allows for it, and what METER_CREDIT
 * makes up for: nothing is saved up over a pause, nor over a time in which another rate was in
 * force. Why a limit has changed is not known here.
 */
#include "engine/control.h"
#include "engine/engine.h"

/* So many make a nanosecond of a meter, and it begins there, so that nothing is below 0. */
#define METER_NS 256u
#define METER_START (UINT64_C(1) << 40)
/* What was missed of the last moments is made up for: timers and threads are late now and then. */
#define METER_CREDIT (10 * NS_PER_MS * METER_NS)

/* What is in force: what was set, or else the option. */
static uint64_t limit_of(const struct run *run, enum iobatch_limit limit, uint64_t option)
{
	const struct iobatch_control *control = run->options.control;
	uint64_t value = control ? control->limits[limit] : CONTROL_UNSET;

	return value == CONTROL_UNSET ? option : value;
}

/* The reaper's share of the windows: the first have one more. */
static unsigned share_of(const struct reaper *reaper, uint64_t windows)
{
	const struct run *run = reaper->run;

	if (windows > run->windows_count)
		windows = run->windows_count;
	return (unsigned)windows / run->reapers_count +
	       (reaper->number < (unsigned)windows % run->reapers_count);
}

static uint64_t meter_now(const struct reaper *reaper)
{
	uint64_t now_ns = reaper_clock_ns(reaper);

	return METER_START + (now_ns - reaper->run->meter.base_ns) * METER_NS;
}

/* Nothing is made up for of the time before now: one item may start, and then in turn. */
void meter_reset(struct reaper *reaper)
{
	struct meter *meter = &reaper->run->meter;
	uint64_t last = meter->last, least;

	if (!reaper->control.interval || !last)
		return;
	least = meter_now(reaper) - reaper->control.interval;
	while (last < least && !atomic_compare_exchange_weak(&meter->last, &last, least))
		;
}

void meter_take_limits(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	const struct iobatch_options *options = &run->options;
	struct reaper_control *control = &reaper->control;
	uint64_t interval = limit_of(run, IOBATCH_LIMIT_ITEMS_PER_S, options->items_per_s);

	control->windows_max = share_of(
		reaper, limit_of(run, IOBATCH_LIMIT_MAX_CONCURRENT, options->max_concurrent));
	control->delay_ns = limit_of(run, IOBATCH_LIMIT_DELAY_MS, options->delay_ms) * NS_PER_MS;
	if (interval)
		interval = 1000 * NS_PER_MS * METER_NS / interval;
	if (interval == control->interval)
		return;
	control->interval = interval;
	if (reaper->executor)
		meter_reset(reaper);
}

/* May an item start now? Otherwise *ret_ns is when one may. */
static bool take_turn(struct reaper *reaper, uint64_t *ret_ns)
{
	struct meter *meter = &reaper->run->meter;
	uint64_t now, due, last = meter->last, mine;

	do {
		now = meter_now(reaper);
		due = last + reaper->control.interval;
		if (last && now < due) {
			*ret_ns = meter->base_ns + (due - METER_START + METER_NS - 1) / METER_NS;
			return false;
		}
		mine = due + METER_CREDIT > now ? due : now - METER_CREDIT;
		if (!last)
			mine = now;
	} while (!atomic_compare_exchange_weak(&meter->last, &last, mine));
	return true;
}

void meter_serve(struct reaper *reaper)
{
	struct reaper_control *control = &reaper->control;

	while (control->metered.first &&
	       (!control->interval || take_turn(reaper, &control->metered_ns)))
		queue_push(&reaper->ready, queue_pop(&control->metered));
}

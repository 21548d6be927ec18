/* SPDX-License-Identifier: MIT */
/*
 * The control of the random test: what is asked, from callbacks and, where nothing would go on any
 * more, in place of whoever the run waits for; and what must hold of what was asked. All of it
 * comes from the seed, and so, with one ring, does when it is asked.
 */
#include "engine/control.h"
#include "random.h"

#include <semaphore.h>

/* Of so many moments in which something may be asked one is taken. */
#define SELDOM 24u
#define RATES_FROM UINT64_C(500)
#define DELAYS UINT64_C(4)

static _Thread_local struct world *own_world;

int __real_sem_wait(sem_t *semaphore);
int __wrap_sem_wait(sem_t *semaphore);

/* Of half of all runs nobody changes the delay, so that more is known of it. */
static bool delay_stays(const struct world *world)
{
	return world->asks_seed & 1;
}

void control_draw(struct world *world, uint64_t *random)
{
	struct iobatch_options *options = &world->options;

	world->delay_least_ms = options->delay_ms;
	world->concurrent_most = options->max_concurrent;
	if (one_in(random, 2))
		return;
	CHECK(iobatch_control_new(&options->control) == 0);
	if (one_in(random, 2)) {
		options->max_concurrent_max =
			options->max_concurrent +
			(uint32_t)below(random, CONCURRENT_MAX + 1 - options->max_concurrent);
		world->concurrent_most = options->max_concurrent_max;
	}
	/* Of one ring more is known. */
	if (one_in(random, 2))
		options->rings = 1;
	world->limit = options->max_concurrent;
	world->asks_seed = draw(random);
	if (options->rings > 1 && !delay_stays(world))
		world->delay_least_ms = 0;
	if (one_in(random, 4))
		options->on_full = IOBATCH_FULL_PAUSE;
	world->may_halt = true;
	if (one_in(random, 8))
		iobatch_control_pause(options->control);
}

void control_begin(struct world *world)
{
	own_world = world;
}

/* Of a run of one ring, once an attempt has begun. */
static const struct reaper *reaper_zero(const struct world *world)
{
	if (world->options.rings > 1 || !world->slots[0])
		return NULL;
	return slot_reaper(world->slots[0]);
}

/* First starts whose turn it was, and that have not come yet. */
static unsigned turns_taken(const struct reaper *reaper)
{
	const struct slot_queue *queues[] = {&reaper->ready, &reaper->starving,
	                                     &reaper->throttle.waiting};
	unsigned count = 0;

	for (unsigned i = 0; i < 3; i++) {
		for (const struct slot *slot = queues[i]->first; slot; slot = slot->next)
			count += slot->item.attempt == 0;
	}
	return count;
}

/* From now on the rate is counted anew. */
static void rate_begins(struct world *world, uint64_t per_s)
{
	const struct reaper *reaper = reaper_zero(world);

	world->rate = per_s;
	world->rate_since_ns = world->options.rings == 1 && reaper ? reaper_clock_ns(reaper) : 0;
	world->rate_starts = 0;
	world->rate_ahead = reaper ? turns_taken(reaper) : ITEMS_MAX;
}

/* What has been asked is taken up before anything else happens, which may undo it. */
static bool is_taken_up(const struct world *world)
{
	const struct reaper *reaper = reaper_zero(world);

	return reaper && reaper->control.seen == world->options.control->changes;
}

static void ask_for_rate(struct world *world, uint64_t *random)
{
	uint64_t per_s = one_in(random, 3) ? 0 : RATES_FROM + below(random, 8000);

	if (world->options.rings > 1 || !is_taken_up(world) || per_s == world->rate)
		return;
	/* What ends otherwise may have others start, before it is taken up that they are in turn.
	 */
	if (world->rate == 0 && !world->starts)
		return;
	rate_begins(world, per_s);
	if (world->options.delay_ms > 0 || !delay_stays(world))
		world->rate_ahead += world->options.batch_size;
	CHECK(iobatch_control_set(world->options.control, IOBATCH_LIMIT_ITEMS_PER_S, per_s) == 0);
}

static void ask_for_delay(struct world *world, uint64_t *random)
{
	uint64_t ms = one_in(random, 3) ? 0 : below(random, DELAYS);

	if (delay_stays(world))
		return;
	/* The shortest that has ever been in force; rings of several do not agree on when. */
	if (world->options.rings == 1 && ms < world->delay_least_ms)
		world->delay_least_ms = ms;
	CHECK(iobatch_control_set(world->options.control, IOBATCH_LIMIT_DELAY_MS, ms) == 0);
}

static void ask_for_concurrent(struct world *world, uint64_t *random)
{
	uint32_t limit = 1 + (uint32_t)below(random, world->concurrent_most);

	world->limit = limit;
	CHECK(iobatch_control_set(world->options.control, IOBATCH_LIMIT_MAX_CONCURRENT, limit) ==
	      0);
	CHECK(iobatch_control_set(world->options.control, IOBATCH_LIMIT_MAX_CONCURRENT, 0) ==
	      -EINVAL);
}

static void resume(struct world *world)
{
	const struct reaper *reaper = reaper_zero(world);

	/* Nothing is made up for of a pause, if there was one. */
	if (world->options.rings == 1 && reaper && reaper->control.paused && is_taken_up(world))
		rate_begins(world, world->rate);
	iobatch_control_resume(world->options.control);
}

static void ask(struct world *world, uint64_t *random)
{
	struct iobatch_control *control = world->options.control;
	struct iobatch_progress progress;

	switch (below(random, 24)) {
	case 0:
		iobatch_control_drain(control);
		break;
	case 1:
		iobatch_control_cancel(control);
		break;
	case 2 ... 7:
		iobatch_control_pause(control);
		break;
	case 8 ... 12:
		resume(world);
		break;
	case 13 ... 15:
		ask_for_rate(world, random);
		break;
	case 16 ... 18:
		ask_for_delay(world, random);
		break;
	case 19 ... 21:
		ask_for_concurrent(world, random);
		break;
	default:
		CHECK(iobatch_control_progress(control, &progress) != IOBATCH_STATE_WAITING);
		CHECK(progress.processed + progress.pending <= world->count);
	}
}

void control_ask(struct world *world, bool seldom)
{
	uint64_t random;

	if (!world->options.control)
		return;
	random = world->asks_seed ^ atomic_fetch_add(&world->asks, 1) << 16;
	if (!seldom || one_in(&random, SELDOM))
		ask(world, &random);
}

void control_ask_at_start(struct world *world)
{
	if (world->options.rings > 1)
		return;
	world->starts = true;
	control_ask(world, true);
	world->starts = false;
}

/* Nothing goes on before somebody says so: that is said here. */
int __wrap_sem_wait(sem_t *semaphore)
{
	struct world *world = own_world;

	CHECK(world && world->options.control);
	control_ask(world, false);
	resume(world);
	return __real_sem_wait(semaphore);
}

/* ------------------------------------------------------------- what must hold -- */

uint64_t control_stood_ns(const struct world *world)
{
	return world->stood_ns;
}

void control_look_on(struct world *world, uint64_t now_ns)
{
	struct iobatch_control *control = world->options.control;
	bool paused;

	if (!control || world->options.rings > 1)
		return;
	paused = control->wanted & WANTED_PAUSE &&
	         !(control->wanted & (WANTED_DRAIN | WANTED_CANCEL));
	if (paused && !world->stands)
		world->stands_since_ns = now_ns;
	if (!paused && world->stands)
		world->stood_ns += now_ns - world->stands_since_ns;
	world->stands = paused;
}

/* Batches are taken as far as the limit goes that is in force. */
void control_takes(struct world *world)
{
	const struct reaper *reaper = reaper_zero(world);

	if (!world->options.control || world->options.rings > 1 || !reaper ||
	    world->streamed % world->options.batch_size != 0)
		return;
	CHECK(reaper->windows_busy < world->limit);
	CHECK(!(world->options.control->wanted & (WANTED_PAUSE | WANTED_DRAIN | WANTED_CANCEL)));
}

void control_starts(struct world *world, const struct iobatch_item *item)
{
	const struct reaper *reaper = slot_reaper((const struct slot *)item);
	const struct iobatch_control *control = world->options.control;
	uint64_t now_ns;

	if (!control)
		return;
	CHECK(!reaper->control.paused && !reaper->control.draining);
	if (world->options.rings > 1)
		return;
	/* From the very moment on in which it was asked. */
	CHECK(!(control->wanted & (WANTED_PAUSE | WANTED_DRAIN | WANTED_CANCEL)));
	if (item->attempt > 1 || !world->rate)
		return;
	now_ns = clock_of(item);
	world->rate_starts++;
	CHECK(world->rate_starts <=
	      2 + world->rate_ahead + (now_ns - world->rate_since_ns) * world->rate / 1000000000u);
}

void control_check(struct world *world, int error, const struct iobatch_result *result)
{
	struct iobatch_control *control = world->options.control;
	struct iobatch_progress progress;

	CHECK(control ||
	      (result->end != IOBATCH_END_DRAINED && result->end != IOBATCH_END_CANCELLED));
	if (!control)
		return;
	if (result->end == IOBATCH_END_DRAINED)
		CHECK(error == -ECANCELED && control->wanted & (WANTED_DRAIN | WANTED_CANCEL));
	if (result->end == IOBATCH_END_CANCELLED)
		CHECK(error == -ECANCELED && control->wanted & WANTED_CANCEL);
	CHECK(iobatch_control_progress(control, &progress) == IOBATCH_STATE_WAITING);
	CHECK(progress.processed == result->total_processed && progress.failed == result->failed &&
	      progress.retries == result->retries);
	iobatch_control_free(control);
}

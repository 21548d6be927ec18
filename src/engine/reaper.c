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

#define COMPLETIONS_MAX 256u
/* The least that a page of memory has. */
#define PAGE_MIN 4096u
/* Another reaper halts the run: how long one that waits may take to see it. */
#define HALT_SEEN_NS (100 * NS_PER_MS)
/* What was refused although nothing is in flight is tried again after this time. */
#define REFUSED_NS NS_PER_MS
/* What is asked to end once more at the very end may take this long to. */
#define LAST_ANSWERS_NS NS_PER_MS
/* How often that is tried when the executor has no room to be told. */
#define LAST_ASKED_MAX 100u

/* ---------------------------------------------------------------- memory -- */

static bool add_piece(size_t *total, struct piece *piece, size_t size, size_t slots)
{
	size_t bytes;

	if (size > SIZE_MAX / 2)
		return false;
	/*
	 * Whole cache lines (a slot is some of them) and, of large pieces, an odd number of them:
	 * so the first lines of all slots are spread over all sets of a cache.
	 */
	piece->stride = (size + 63) & ~(size_t)63;
	if (piece->stride >= PAGE_MIN && piece->stride / 64 % 2 == 0)
		piece->stride += 64;
	piece->start = *total;
	return !__builtin_mul_overflow(piece->stride, slots, &bytes) &&
	       !__builtin_add_overflow(*total, bytes, total);
}

static void *piece_of(const struct reaper *reaper, unsigned piece, unsigned slot)
{
	const struct piece *place = &reaper->pieces[piece];

	return place->stride ? (char *)reaper->region + place->start + slot * place->stride : NULL;
}

static struct slot *make_slot(struct reaper *reaper, unsigned number)
{
	const struct run *run = reaper->run;
	unsigned capacity = run->processor->chain_ops_max;
	struct slot *slot = &reaper->slots[number];
	char *ops = piece_of(reaper, PIECE_CHAINS, number);

	slot->number = number;
	slot->settled = true;
	slot->chains[0] =
		(struct iobatch_chain){.ops = (struct iobatch_op *)ops, .capacity = capacity};
	slot->chains[1] = (struct iobatch_chain){
		.ops = (struct iobatch_op *)(ops + run->chain_size), .capacity = capacity};
	slot->files = piece_of(reaper, PIECE_FILES, number);
	slot->item.buffers = piece_of(reaper, PIECE_BUFFERS, number);
	slot->item.state = piece_of(reaper, PIECE_STATE, number);
	slot->item.scratch = piece_of(reaper, PIECE_SCRATCH, number);
	slot->item.object = piece_of(reaper, PIECE_OBJECT, number);
	return slot;
}

void reaper_make_slots(struct reaper *reaper, struct window *window)
{
	unsigned count = reaper->run->window_slots;
	unsigned first = (unsigned)(window - reaper->windows) * count;

	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = make_slot(reaper, first + i);

		slot->window = window;
		slot->place = i;
		window->places[i] = slot;
	}
	window->made = true;
}

/* Those of the windows, those without a place in one, and the journal's. */
static unsigned slots_total(const struct reaper *reaper)
{
	return reaper->slots_count + reaper->spares_count + journal_slots(reaper->run);
}

static int init_slots(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	const struct iobatch_processor *processor = run->processor;
	const struct iobatch_items *items = run->intake.items;
	const size_t sizes[PIECES] = {
		[PIECE_SLOT] = sizeof(struct slot),
		[PIECE_CHAINS] = 2 * run->chain_size,
		[PIECE_FILES] = processor->files_max * sizeof(int),
		[PIECE_BUFFERS] = processor->buffers_max * sizeof(void *),
		[PIECE_STATE] = processor->state_size,
		[PIECE_SCRATCH] = processor->scratch_size,
		[PIECE_OBJECT] = items->next ? items->stride : 0,
	};
	size_t total = 0, count = slots_total(reaper);
	const struct piece *object = &reaper->pieces[PIECE_OBJECT];

	for (unsigned i = 0; i < PIECES; i++) {
		if (!add_piece(&total, &reaper->pieces[i], sizes[i], count))
			return -ENOMEM;
	}
	reaper->region_size = total;
	reaper->region = region_map(total);
	if (!reaper->region)
		return -ENOMEM;
	/* Of a path that may be long mostly a line or two are used. */
	if (object->stride >= PAGE_MIN)
		region_keep_sparse(piece_of(reaper, PIECE_OBJECT, 0), count * object->stride);
	reaper->slots = piece_of(reaper, PIECE_SLOT, 0);
	for (unsigned i = 0; i < reaper->spares_count; i++)
		queue_push(&reaper->spares, make_slot(reaper, reaper->slots_count + i));
	if (journal_slots(run) > 0)
		reaper->log.slot = make_slot(reaper, (unsigned)count - 1);
	return 0;
}

static int init_windows(struct reaper *reaper)
{
	struct run *run = reaper->run;
	/* The first reapers have one window more when they cannot be shared out evenly. */
	unsigned count = run->windows_count / run->reapers_count +
	                 (reaper->number < run->windows_count % run->reapers_count);
	uint64_t slots = (uint64_t)count * run->window_slots;

	/* Only what has a deadline can be given up. */
	reaper->spares_count = run->options.timeout_ms > 0 ? run->options.max_stuck : 0;
	if (slots + reaper->spares_count + journal_slots(run) >= ID_NUMBER_MAX ||
	    (slots + reaper->spares_count) * run->chain_ops > UINT32_MAX / 2)
		return -ENOMEM;
	reaper->windows = calloc(count, sizeof(*reaper->windows));
	reaper->places = calloc(slots, sizeof(*reaper->places));
	if (!reaper->windows || !reaper->places)
		return -ENOMEM;
	reaper->windows_count = count;
	reaper->slots_count = (unsigned)slots;
	for (unsigned i = count; i-- > 0;) {
		reaper->windows[i].reaper = reaper;
		reaper->windows[i].places = reaper->places + (size_t)i * run->window_slots;
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
	return pool_init(&reaper->pool, processor->buffer_size, count < wanted ? count : wanted,
	                 (uint64_t)reaper->spares_count * processor->buffers_max);
}

static int init_executor(struct reaper *reaper)
{
	struct run *run = reaper->run;
	const struct iobatch_options *options = &run->options;
	unsigned slots = slots_total(reaper);
	struct executor_config config = {
		.number = reaper->number,
		.chain_ops_max = run->chain_ops,
		.batch_ops = run->window_slots * run->chain_ops,
		.in_flight_max = slots * run->chain_ops + reaper->windows_count,
		.deadlines = options->timeout_ms > 0 || options->control,
		.wakes = run->listens || journal_wakes(run) ||
	                 (run->options.control && run->executor != IOBATCH_EXECUTOR_SIMULATED),
		.guards = options->guards,
		.threads = options->threads ? options->threads : cpus_count(),
		.blocking_max = options->path_ops_max,
		.files = run->processor->process_files ? 0 : slots * run->processor->files_max,
		.buffers = reaper->pool.memory,
		.buffers_size = options->register_buffers ? reaper->pool.memory_size : 0,
		.buffer_size = run->processor->buffer_size,
		.simulation = options->simulation,
		.log = options->on_log,
		.log_context = options->context,
	};

	switch (run->executor) {
	case IOBATCH_EXECUTOR_SIMULATED:
		return simulated_new(&config, &reaper->executor);
	case IOBATCH_EXECUTOR_SYSCALL:
		return syscall_new(&config, &reaper->executor);
	default:
		return ring_new(&config, &reaper->executor);
	}
}

int reaper_init(struct reaper *reaper, struct run *run, unsigned number)
{
	int result;

	reaper->run = run;
	reaper->number = number;
	reaper->reads_clock = run->options.timeout_ms > 0 || run->options.on_progress ||
	                      run->wants_times || run->may_end || run->options.control;
	descriptors_init(&reaper->throttle);
	meter_take_limits(reaper);
	result = init_windows(reaper);
	if (result == 0)
		result = init_slots(reaper);
	if (result == 0)
		result = init_pool(reaper);
	if (result == 0)
		result = lanes_init(&reaper->lanes, run->mounts, run->options.path_ops_max);
	if (result == 0) {
		result = init_executor(reaper);
		reaper->executor_failed = result < 0;
	}
	return result;
}

void reaper_deinit(struct reaper *reaper)
{
	struct executor *executor = reaper->executor;

	control_detach(reaper);
	pthread_mutex_lock(&reaper->run->wake_lock);
	reaper->executor = NULL;
	pthread_mutex_unlock(&reaper->run->wake_lock);
	if (executor)
		executor->ops->free(executor);
	lanes_deinit(&reaper->lanes);
	free(reaper->windows);
	free(reaper->places);
	/* What has not answered, or belonged to an executor that broke, may still be written to. */
	if (reaper->in_flight > 0) {
		pool_leave_behind(&reaper->pool);
		return;
	}
	pool_deinit(&reaper->pool);
	region_unmap(reaper->region, reaper->region_size);
}

/* ------------------------------------------------------------------ loop -- */

static void dispatch(struct reaper *reaper, const struct executor_completion *completion)
{
	uint64_t id = completion->id;
	struct slot *slot;

	if (id_kind(id) == ID_DELAY) {
		window_rested(reaper, &reaper->windows[id_number(id)]);
		return;
	}
	assert(id_number(id) < slots_total(reaper));
	slot = &reaper->slots[id_number(id)];
	assert((slot->generation & 0xffffffu) == id_generation(id));
	switch (id_kind(id)) {
	case ID_OP:
		reaper->ops += slot->phase != SLOT_JOURNAL;
		if (chain_complete(reaper, slot, id_op(id), completion->result) == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
		break;
	case ID_RESUME:
		if (chain_resume(reaper, slot, id_op(id)) == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
		break;
	case ID_BACKOFF:
		slot->rests = false;
		if (slot->settled)
			deadline_stop(slot); /* the run was halted meanwhile */
		else if (control_backoff_is_over(reaper, slot))
			queue_push(&reaper->ready, slot);
		break;
	default:
		assert(!"an id of no kind");
	}
}

void reaper_serve(struct reaper *reaper, struct slot_queue *queue)
{
	struct slot *slot;

	while ((slot = queue->first)) {
		enum chain_state state = chain_unblock(reaper, slot);

		if (queue->first == slot)
			break;
		if (state == CHAIN_OVER)
			attempt_chain_ended(reaper, slot);
	}
}

/* Completions have made room: those that were refused try again, in turn. */
static void retry_refused(struct reaper *reaper)
{
	struct slot *slot;

	reaper_serve(reaper, &reaper->blocked);
	for (struct lane *lane = reaper->lanes.used; lane; lane = lane->next)
		reaper_serve(reaper, &lane->waiting);
	while ((slot = reaper->resting.first)) {
		if (!reaper->ending && attempt_rest(reaper, slot) < 0)
			break;
		queue_pop(&reaper->resting);
		if (!slot->rests)
			queue_push(&reaper->ready, slot);
	}
	while (reaper->to_pause) {
		struct window *window = reaper->to_pause;

		reaper->to_pause = window->next;
		window_rest(reaper, window);
		if (reaper->to_pause == window)
			break;
	}
	if (reaper->control.on)
		control_go_on(reaper);
}

/* Does all that can be done without waiting. */
static void do_ready(struct reaper *reaper)
{
	unsigned buffers_min = reaper->run->processor->buffers_min;
	struct slot *slot;

	/* An attempt's time begins here, and callbacks may have taken some since the last wait. */
	if (reaper->reads_clock && (reaper->ready.first || reaper->starving.first))
		reaper->now_ns = reaper_clock_ns(reaper);
	while (!reaper->run->halted && control_lets_start(reaper)) {
		if (reaper->starving.first && reaper->pool.free_count >= buffers_min) {
			attempt_admit(reaper, queue_pop(&reaper->starving));
		} else if (reaper->throttle.waiting.first && (slot = descriptors_next(reaper))) {
			attempt_start_over(reaper, slot);
		} else if ((slot = queue_pop(&reaper->ready))) {
			attempt_start(reaper, slot);
		} else if (reaper->feeds_open) {
			/* Its batch has begun, however few may begin now. */
			reaper->feeds_open = false;
			window_fill(reaper, reaper->open);
		} else if (reaper->to_fill && reaper->windows_busy < reaper->control.windows_max) {
			/* After those that are ready: their time runs from when they were taken. */
			struct window *window = reaper->to_fill;

			reaper->to_fill = window->next;
			window_fill(reaper, window);
		} else {
			return;
		}
	}
}

/* Was anything refused for want of room, and waits to be handed over? */
static bool is_anything_refused(const struct reaper *reaper)
{
	for (const struct lane *lane = reaper->lanes.used; lane; lane = lane->next) {
		if (lane->waiting.first)
			return true;
	}
	if (reaper->control.on && !reaper->control.paused && reaper->control.held.first)
		return true;
	return reaper->blocked.first || reaper->resting.first || reaper->to_pause;
}

bool reaper_is_idle(const struct reaper *reaper)
{
	return reaper->windows_busy == 0 &&
	       aside_owed(reaper) + journal_owed(reaper) == reaper->in_flight;
}

/*
 * Until when the reaper may wait; 0 = not any more: nothing is in flight, or only what was given
 * up, and its grace is over.
 */
static uint64_t wait_until(struct reaper *reaper, bool is_held, uint64_t *grace_ns)
{
	const struct run *run = reaper->run;
	const struct reaper_control *control = &reaper->control;
	bool is_metered = control->metered.first && !control->paused;
	uint64_t until_ns;

	/* The executor's room may be taken by what was asked of it and is owed to nobody. */
	if (reaper->in_flight == 0 && is_anything_refused(reaper))
		return reaper->now_ns + REFUSED_NS;
	if (reaper->in_flight == 0 && !reaper->starved && !is_held && !is_metered &&
	    !reaper->throttle.waiting.first && !journal_keeps(reaper))
		return 0;
	until_ns = deadline_next(reaper);
	if (!control->paused && descriptors_due(reaper) < until_ns)
		until_ns = descriptors_due(reaper);
	if (tally_due(reaper) < until_ns)
		until_ns = tally_due(reaper);
	if (is_metered && control->metered_ns < until_ns)
		until_ns = control->metered_ns;
	if (journal_due(reaper) < until_ns)
		until_ns = journal_due(reaper);
	if (reaper_is_idle(reaper) && !reaper->starved && !is_held) {
		if (*grace_ns == UINT64_MAX)
			*grace_ns = reaper->now_ns + run->options.stuck_grace_ms * NS_PER_MS;
		if (reaper->now_ns >= *grace_ns) {
			if (reaper->asked_at_last > LAST_ASKED_MAX)
				return 0;
			reaper->asked_at_last++;
			if (aside_ask_to_end(reaper) == 0)
				reaper->asked_at_last = LAST_ASKED_MAX + 1;
			*grace_ns = reaper->now_ns + LAST_ANSWERS_NS;
		}
		until_ns = *grace_ns < until_ns ? *grace_ns : until_ns;
	}
	if (run->reapers_count > 1 && run->may_end && reaper->now_ns + HALT_SEEN_NS < until_ns)
		until_ns = reaper->now_ns + HALT_SEEN_NS;
	return until_ns;
}

void reaper_loop(struct reaper *reaper)
{
	struct executor *executor = reaper->executor;
	struct executor_completion completions[COMPLETIONS_MAX];
	uint64_t until_ns, grace_ns = UINT64_MAX;
	bool is_held;
	int count;

	reaper->now_ns = reaper_clock_ns(reaper);
	reaper->start_ns = reaper->now_ns;
	reaper->published_ns = reaper->now_ns;
	for (;;) {
		do {
			control_look(reaper);
			do_ready(reaper);
		} while (control_is_asked(reaper));
		halt_reaper(reaper);
		if (journal_begin(reaper)) {
			journal_serve(reaper);
			continue;
		}
		/* Asked once: another reaper may change it meanwhile, and then rings the bell. */
		is_held = control_is_held(reaper);
		until_ns = wait_until(reaper, is_held, &grace_ns);
		if (until_ns == 0)
			break;
		if (is_held && control_rests(reaper))
			continue;
		/* Behind the last look at what others say: it is not waited for what has been. */
		if (listen_feed(reaper))
			until_ns = 1;
		if (reaper->overdue.first)
			reaper->handed_ns = reaper_clock_ns(reaper);
		count = executor->ops->wait(executor, completions, COMPLETIONS_MAX, until_ns);
		if (count < 0) {
			reaper->error = count;
			break;
		}
		if (reaper->reads_clock)
			reaper->now_ns = reaper_clock_ns(reaper);
		reaper->in_flight -= (unsigned)count;
		for (int i = 0; i < count; i++)
			dispatch(reaper, &completions[i]);
		deadline_check(reaper, count < (int)COMPLETIONS_MAX);
		journal_serve(reaper);
		/* What was set aside has made room, too. */
		retry_refused(reaper);
		tally_tell(reaper);
		if (reaper->control.on)
			tally_publish(reaper);
	}
	descriptors_leave_probe(reaper);
	reaper->active = 0;
	journal_leave(reaper);
	aside_leave_behind(reaper);
	reaper->now_ns = reaper_clock_ns(reaper);
	tally_add(reaper);
}

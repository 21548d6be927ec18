/* SPDX-License-Identifier: MIT */
/*
 * Counts outcomes, collects those that are asked for, and calls those who listen.
 *
 * Invariant: every progress call sees processed = successful + failed and processed + pending =
 * total, and calls never overlap nor go back: each reaper counts for itself, and adds its part to
 * the sum and calls under one lock. Without listeners and lists, settling an item takes no lock.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

int tally_init(struct tally *tally)
{
	pthread_mutex_init(&tally->sum_lock, NULL);
	return -pthread_mutex_init(&tally->lock, NULL);
}

static void free_list(struct outcome_list *list, bool owns_objects)
{
	for (uint64_t i = 0; owns_objects && i < list->count; i++)
		free((void *)list->items[i].object);
	free(list->items);
	*list = (struct outcome_list){0};
}

void tally_deinit(struct tally *tally, bool owns_objects)
{
	free_list(&tally->successful, owns_objects);
	free_list(&tally->failed, owns_objects);
	pthread_mutex_destroy(&tally->lock);
	pthread_mutex_destroy(&tally->sum_lock);
}

void tally_batch_started(struct tally *tally)
{
	uint32_t now = atomic_fetch_add(&tally->batches_in_flight, 1) + 1;
	uint32_t peak = tally->batches_peak;

	while (now > peak && !atomic_compare_exchange_weak(&tally->batches_peak, &peak, now))
		;
}

void tally_batch_ended(struct tally *tally)
{
	tally->batches_in_flight--;
}

/* Appends an outcome, with a copy of an object that will not outlive the call. */
static bool collect(struct outcome_list *list, const struct iobatch_outcome *outcome, bool copy)
{
	struct iobatch_outcome *place;

	if (list->count == list->max) {
		uint64_t max = list->max ? 2 * list->max : 64;

		place = reallocarray(list->items, max, sizeof(*place));
		if (!place)
			return false;
		list->items = place;
		list->max = max;
	}
	place = &list->items[list->count];
	*place = *outcome;
	place->still_running = false; /* it is not the end yet */
	place->note = NULL;           /* its text is the item's */
	place->note_length = 0;
	if (copy) {
		void *object = malloc(outcome->object_size);

		if (!object)
			return false;
		place->object = memcpy(object, outcome->object, outcome->object_size);
	}
	list->count++;
	return true;
}

/* Adds the reaper's part to the sum. */
static void add_part(struct reaper *reaper)
{
	struct tally *tally = &reaper->run->tally;
	struct tally_part *sum = &tally->sum;

	pthread_mutex_lock(&tally->sum_lock);
	sum->successful += reaper->part.successful;
	sum->failed += reaper->part.failed;
	sum->retries += reaper->part.retries;
	sum->bytes += reaper->part.bytes;
	sum->stuck += reaper->part.stuck;
	sum->skipped += reaper->part.skipped;
	reaper->part = (struct tally_part){0};
	pthread_mutex_unlock(&tally->sum_lock);
}

void tally_publish(struct reaper *reaper)
{
	_Atomic uint64_t *elapsed_ns = &reaper->run->tally.elapsed_ns;
	uint64_t now_ns = reaper->now_ns - reaper->start_ns, before = *elapsed_ns;

	while (before < now_ns && !atomic_compare_exchange_weak(elapsed_ns, &before, now_ns))
		;
	if (reaper->part.successful + reaper->part.failed == 0)
		return;
	reaper->untold = true;
	add_part(reaper);
}

void tally_add(struct reaper *reaper)
{
	pthread_mutex_lock(&reaper->run->tally.lock);
	add_part(reaper);
	pthread_mutex_unlock(&reaper->run->tally.lock);
}

void tally_progress(struct run *run, uint64_t elapsed_ns, struct iobatch_progress *ret_progress)
{
	const struct iobatch_options *options = &run->options;
	struct iobatch_progress progress;
	struct tally_part sum;
	uint64_t total;

	pthread_mutex_lock(&run->tally.sum_lock);
	sum = run->tally.sum;
	pthread_mutex_unlock(&run->tally.sum_lock);

	/* Both before the total, which the intake sets before it sets them. */
	progress.total_is_final = run->intake.total_is_final;
	progress.current_batch = run->intake.batches;
	total = run->intake.total;
	progress.processed = sum.successful + sum.failed;
	progress.successful = sum.successful;
	progress.failed = sum.failed;
	progress.pending = total - progress.processed;
	progress.total_batches =
		total / options->batch_size + (total % options->batch_size ? 1 : 0);
	progress.bytes = sum.bytes;
	progress.retries = sum.retries;
	progress.elapsed_ns = elapsed_ns;
	progress.stuck = run->stuck;
	progress.skipped = sum.skipped;
	*ret_progress = progress;
}

/* Tells how far the run is. The lock is held, or nobody else is left. */
static void tell_progress(struct run *run, uint64_t elapsed_ns)
{
	struct iobatch_progress progress;

	tally_progress(run, elapsed_ns, &progress);
	run->options.on_progress(run->options.context, &progress);
}

void tally_end(struct run *run, uint64_t elapsed_ns)
{
	if (run->options.on_progress)
		tell_progress(run, elapsed_ns);
}

static bool publish_is_due(const struct reaper *reaper)
{
	const struct iobatch_options *options = &reaper->run->options;

	return options->on_progress &&
	       reaper->now_ns - reaper->published_ns >= options->progress_interval_ms * NS_PER_MS;
}

/* Publishes and tells. The lock is held. */
static void publish(struct reaper *reaper)
{
	add_part(reaper);
	reaper->untold = false;
	reaper->published_ns = reaper->now_ns;
	tell_progress(reaper->run, reaper->now_ns - reaper->start_ns);
}

uint64_t tally_due(const struct reaper *reaper)
{
	const struct iobatch_options *options = &reaper->run->options;
	const struct tally_part *part = &reaper->part;

	if (!options->on_progress || (part->successful + part->failed == 0 && !reaper->untold))
		return UINT64_MAX;
	return reaper->published_ns + options->progress_interval_ms * NS_PER_MS;
}

void tally_tell(struct reaper *reaper)
{
	struct tally *tally = &reaper->run->tally;

	if (tally_due(reaper) > reaper->now_ns)
		return;
	pthread_mutex_lock(&tally->lock);
	publish(reaper);
	pthread_mutex_unlock(&tally->lock);
}

void tally_settle(struct reaper *reaper, const struct iobatch_outcome *outcome)
{
	struct run *run = reaper->run;
	const struct iobatch_options *options = &run->options;
	bool collected = options->collect &
	                 (outcome->error ? IOBATCH_COLLECT_FAILED : IOBATCH_COLLECT_SUCCESSFUL);

	reaper->part.stuck += outcome->stuck;
	if (outcome->error)
		reaper->part.failed++;
	else
		tally_success(reaper, outcome->bytes, outcome->skipped);
	if (run->policy.counts_settled || outcome->error)
		policy_settled(run, outcome);
	if (!outcome->error && !collected && !options->on_settled && !publish_is_due(reaper))
		return;
	pthread_mutex_lock(&run->tally.lock);
	if (outcome->error)
		errors_add(&run->tally.errors, outcome);
	if (collected && !collect(outcome->error ? &run->tally.failed : &run->tally.successful,
	                          outcome, run->intake.items->next))
		run->tally.lists_incomplete = true;
	if (options->on_settled)
		options->on_settled(options->context, outcome);
	if (publish_is_due(reaper))
		publish(reaper);
	pthread_mutex_unlock(&run->tally.lock);
}

void tally_still_running(struct run *run, uint64_t index)
{
	struct outcome_list *list = &run->tally.failed;

	pthread_mutex_lock(&run->tally.lock);
	run->tally.still_running++;
	/* It settled not long ago, as a rule. */
	for (uint64_t i = list->count; i-- > 0;) {
		if (list->items[i].index == index) {
			list->items[i].still_running = true;
			break;
		}
	}
	pthread_mutex_unlock(&run->tally.lock);
}

static int by_index(const void *a, const void *b)
{
	const struct iobatch_outcome *left = a, *right = b;

	return left->index < right->index ? -1 : left->index > right->index;
}

static void give_list(struct outcome_list *list, struct iobatch_outcome **ret_items,
                      uint64_t *ret_count)
{
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), by_index);
	*ret_items = list->items;
	*ret_count = list->count;
	*list = (struct outcome_list){0};
}

/* Fills the result from the sum, and hands the lists over to it. */
void tally_finish(struct run *run, struct iobatch_result *result)
{
	struct tally *tally = &run->tally;

	result->successful = tally->sum.successful;
	result->failed = tally->sum.failed;
	result->total_processed = tally->sum.successful + tally->sum.failed;
	result->retries = tally->sum.retries;
	result->bytes = tally->sum.bytes;
	result->stuck = tally->sum.stuck;
	result->still_running = tally->still_running;
	result->skipped = tally->sum.skipped;
	result->total_batches = run->intake.batches;
	result->peak_batches = tally->batches_peak;
	result->lists_incomplete = tally->lists_incomplete;
	/* A caller who does not know of them would not give them back. */
	if (result->size > offsetof(struct iobatch_result, errors_count) &&
	    errors_give(&tally->errors, &result->errors, &result->errors_count) < 0)
		result->lists_incomplete = true;
	give_list(&tally->successful, &result->successful_items, &result->successful_items_count);
	give_list(&tally->failed, &result->failed_items, &result->failed_items_count);
}

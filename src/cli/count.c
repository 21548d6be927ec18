/* SPDX-License-Identifier: MIT */
/* Counting ahead for the progress bar: see count.h. */
#include "cli/count.h"

#include <stdlib.h>
#include <time.h>

/* How long the end of the run waits for the thread to see that it is to stop. */
#define STOP_MAX_S 1

static void *count_items(void *argument)
{
	struct count *count = argument;
	struct iobatch_items items = iobatch_source_items(count->source);
	void *object = malloc(items.stride);
	uint64_t total = 0;
	ssize_t size = -1;

	while (object && !atomic_load(&count->stop)) {
		size = items.next(items.context, object);
		if (size <= 0)
			break;
		total++;
		if (items.release)
			items.release(items.context, object);
	}
	if (size == 0)
		atomic_store(&count->total, total);
	free(object);
	return NULL;
}

void count_start(struct count *count, struct iobatch_source *source)
{
	atomic_init(&count->stop, false);
	atomic_init(&count->total, UINT64_MAX);
	count->source = source;
	if (source && pthread_create(&count->thread, NULL, count_items, count)) {
		iobatch_source_free(count->source);
		count->source = NULL;
	}
}

bool count_stop(struct count *count)
{
	struct timespec until;

	if (!count->source)
		return true;
	atomic_store(&count->stop, true);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_MAX_S;
	if (pthread_clockjoin_np(count->thread, NULL, CLOCK_MONOTONIC, &until))
		return false;
	iobatch_source_free(count->source);
	count->source = NULL;
	return true;
}

struct iobatch_progress count_apply(struct count *count, const struct iobatch_progress *now,
                                    uint64_t left_out)
{
	struct iobatch_progress progress = *now;
	uint64_t total;

	if (now->total_is_final || !count->source)
		return progress;
	total = atomic_load(&count->total);
	if (total == UINT64_MAX || total < left_out ||
	    total - left_out < now->processed + now->pending)
		return progress;
	progress.pending = total - left_out - now->processed;
	progress.total_is_final = true;
	return progress;
}

/* SPDX-License-Identifier: MIT */
/*
 * The processor that reads each item and counts its bytes: to scrub a disk, to warm a cache, to
 * measure. It owns its options and, when it scrubs, what could not be read of the items in flight:
 * a record for each of those few that have any, from the first such page until the item settles,
 * over all its attempts. The reading is the reader's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/reader.h"
#include "processor/report.h"
#include "processor/spans.h"

/* What could not be read of an item. */
struct damage {
	struct damage *next;
	uint64_t index;
	struct spans spans;
};

struct read_processor {
	struct iobatch_processor processor;
	struct reader_plan plan;
	struct report *report; /* NULL = none */
	pthread_mutex_t lock;  /* of the list */
	struct damage *damages;
};

struct read_state {
	struct reader reader;  /* first: the reader's functions get it from item->state */
	struct damage *damage; /* NULL = none in this attempt */
};

/* -------------------------------------------------------------- damage -- */

/* The item's record, which is taken out of the list when `take` is set; NULL = it has none. */
static struct damage *damage_find(struct read_processor *read, uint64_t index, bool take)
{
	struct damage **place, *damage;

	pthread_mutex_lock(&read->lock);
	for (place = &read->damages; *place && (*place)->index != index; place = &(*place)->next)
		;
	damage = *place;
	if (damage && take)
		*place = damage->next;
	pthread_mutex_unlock(&read->lock);
	return damage;
}

static struct damage *damage_new(struct read_processor *read, uint64_t index)
{
	struct damage *damage = calloc(1, sizeof(*damage));

	if (!damage)
		return NULL;
	damage->index = index;
	pthread_mutex_lock(&read->lock);
	damage->next = read->damages;
	read->damages = damage;
	pthread_mutex_unlock(&read->lock);
	return damage;
}

static void damage_free(struct damage *damage)
{
	if (damage)
		spans_deinit(&damage->spans);
	free(damage);
}

static int read_failed(void *context, struct iobatch_item *item, uint64_t offset, uint64_t length,
                       int error)
{
	struct read_processor *read = context;
	struct read_state *state = item->state;

	if (!state->damage) {
		/* That of an attempt before is begun anew. */
		state->damage = damage_find(read, item->index, false);
		if (state->damage)
			spans_deinit(&state->damage->spans);
		else
			state->damage = damage_new(read, item->index);
	}
	if (!state->damage)
		return -ENOMEM;
	return spans_add(&state->damage->spans, offset, length, error);
}

/* The lines of an item that has ranges which cannot be read. */
static int report_damage(struct read_processor *read, const struct iobatch_item *item,
                         const struct spans *spans)
{
	const struct iobatch_file *object = item->object;
	char line[REPORT_LINE_MAX], range[128];
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	int result = 0;

	if (!file)
		return -ENOMEM;
	for (size_t i = 0; i < spans->count; i++) {
		const struct span *span = &spans->list[i];
		const char *name = strerrorname_np(-span->error);

		snprintf(range, sizeof(range), ": %" PRIu64 " +%" PRIu64 ": %s", span->offset,
		         span->length, name ? name : "EUNKNOWN");
		fwrite(line, 1, report_line("", object->path, range, line), file);
	}
	if (fclose(file) != 0)
		result = -ENOMEM;
	else
		result = report_add(read->report, item->index, text, size);
	free(text);
	return result;
}

static int read_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct read_processor *read = context;
	const struct read_state *state = item->state;
	struct damage *damage = damage_find(read, item->index, true);
	int error = 0, result = 0;

	/* That of an attempt before the last says nothing any more. */
	if (state->damage && damage->spans.count > 0) {
		spans_merge(&damage->spans);
		error = damage->spans.list[0].error;
	}
	if (read->report && error)
		result = report_damage(read, item, &damage->spans);
	else if (read->report)
		result = report_add(read->report, item->index, NULL, 0);
	damage_free(damage);
	/* Of an item that has failed otherwise the outcome is there already. */
	return outcome->error || !error ? result : error;
}

static void read_abandon(void *context, int error)
{
	struct read_processor *read = context;

	(void)error;
	report_abandon(read->report);
}

static int read_finish(void *context)
{
	struct read_processor *read = context;

	return report_finish(read->report);
}

/* ------------------------------------------------------------- reading -- */

static int read_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	const struct read_processor *read = context;

	return reader_next(&read->plan, item->state, item, done, chain, item->scratch);
}

static int read_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	const struct read_processor *read = context;

	return reader_complete(&read->plan, item->state, item, chain, op);
}

static void read_free(struct iobatch_processor *processor)
{
	struct read_processor *read = processor->context;

	while (read->damages) {
		struct damage *damage = read->damages;

		read->damages = damage->next;
		damage_free(damage);
	}
	report_free(read->report);
	pthread_mutex_destroy(&read->lock);
	free(read);
}

int iobatch_read_new(const struct iobatch_read_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_read_options options = IOBATCH_READ_OPTIONS_INIT;
	struct read_processor *read;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (reader_check(options.block_size, options.depth) < 0 || options.direct > 1 ||
	    options.scrub > 1 || (options.report && !options.scrub))
		return -EINVAL;
	read = calloc(1, sizeof(*read));
	if (!read)
		return -ENOMEM;
	result = -pthread_mutex_init(&read->lock, NULL);
	if (result < 0) {
		free(read);
		return result;
	}
	read->plan = (struct reader_plan){
		.block_size = options.block_size,
		.depth = options.depth,
		.open_flags = options.direct ? O_DIRECT : 0,
		.failed = options.scrub ? read_failed : NULL,
		.context = read,
	};
	read->processor = (struct iobatch_processor){
		.size = sizeof(read->processor),
		.name = "read",
		.context = read,
		.state_size = sizeof(struct read_state),
		.scratch_size = sizeof(struct statx),
		.chain_ops_max = options.depth > 2 ? options.depth : 2,
		.files_max = 1,
		.buffer_size = options.block_size,
		.buffers_min = 1,
		.buffers_max = options.depth,
		.next = read_next,
		.complete = read_complete,
		.settled = options.scrub ? read_settled : NULL,
		.abandon = read_abandon,
		.finish = read_finish,
		.free = read_free,
	};
	if (options.report)
		result = report_new(options.report, &read->report);
	if (result < 0) {
		read_free(&read->processor);
		return result;
	}
	*ret_processor = &read->processor;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * How late does an item settle whose op never answers? Reads of pipes that nobody writes to, which
 * the deadline ends: the time from each item's deadline to its outcome, with each kind of guard.
 * Once for a burst, in which all items start and are late at the same time, so that the last one
 * waits while the others are ended; and once going on, where the place of each item that has ended
 * is taken by the next.
 *
 *     deadline_lateness [REPETITIONS [IN_FLIGHT [TIMEOUT_MS [WAVES]]]]
 */
#include <errno.h>
#include <iobatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"

#define PIPES 64

static int pipes[PIPES][2];

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	int fd = pipes[item->index % PIPES][0];

	(void)context;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_read(IOBATCH_FD(fd), item->state, 1, UINT64_MAX));
	return IOBATCH_MORE;
}

struct subject {
	const char *name;
	unsigned guards;
	bool goes_on;
	struct series p50, p99, max;
};

static void run(struct subject *subject, char *objects, uint64_t in_flight, uint64_t waves,
                uint64_t timeout_ms)
{
	uint64_t count = subject->goes_on ? in_flight * waves : in_flight;
	struct iobatch_items items = iobatch_items_array(objects, count, 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	int error;

	processor.next = next;
	processor.state_size = 1;
	options.executor = IOBATCH_EXECUTOR_RING;
	options.batch_size = 100;
	options.max_concurrent = (uint32_t)(in_flight + 99) / 100;
	options.timeout_ms = timeout_ms;
	options.guards = subject->guards;
	options.collect = 0;
	error = iobatch_run(&items, &processor, &options, &result);
	if (error)
		measure_fail(result.message, error);
	if (result.failed != count || result.lateness.count != count || result.stuck > 0)
		measure_fail("not every item has timed out", EIO);
	series_add(&subject->p50, (double)result.lateness.p50_ns / 1e3);
	series_add(&subject->p99, (double)result.lateness.p99_ns / 1e3);
	series_add(&subject->max, (double)result.lateness.max_ns / 1e3);
	iobatch_result_deinit(&result);
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 1 ? measure_repetitions(argv[1]) : 5;
	uint64_t in_flight = argc > 2 ? measure_count(argv[2]) : 10000;
	uint64_t timeout_ms = argc > 3 ? measure_count(argv[3]) : 50;
	uint64_t waves = argc > 4 ? measure_count(argv[4]) : 40;
	struct subject subjects[] = {
		{.name = "burst, list", .guards = IOBATCH_GUARDS_LIST},
		{.name = "burst, auto", .guards = IOBATCH_GUARDS_AUTO},
		{.name = "burst, linked", .guards = IOBATCH_GUARDS_LINKED},
		{.name = "going on, list", .guards = IOBATCH_GUARDS_LIST, .goes_on = true},
		{.name = "going on, auto", .guards = IOBATCH_GUARDS_AUTO, .goes_on = true},
		{.name = "going on, linked", .guards = IOBATCH_GUARDS_LINKED, .goes_on = true},
	};
	const unsigned count = sizeof(subjects) / sizeof(subjects[0]);
	char *objects = calloc(in_flight, waves);

	if (!objects)
		measure_fail("objects", ENOMEM);
	for (unsigned i = 0; i < PIPES; i++) {
		if (pipe(pipes[i]) < 0)
			measure_fail("pipe", errno);
	}
	printf("%llu reads of silent pipes in flight, deadline after %llu ms; goal: p99 at most "
	       "1000 us\n",
	       (unsigned long long)in_flight, (unsigned long long)timeout_ms);
	for (unsigned i = 0; i < repetitions; i++) {
		for (unsigned j = 0; j < count; j++)
			run(&subjects[(i + j) % count], objects, in_flight, waves, timeout_ms);
	}
	for (unsigned i = 0; i < count; i++) {
		static const char *const what[] = {"p50", "p99", "max"};
		struct series *series[] = {&subjects[i].p50, &subjects[i].p99, &subjects[i].max};

		for (unsigned j = 0; j < 3; j++) {
			char name[60];

			snprintf(name, sizeof(name), "lateness, %s, %s", subjects[i].name, what[j]);
			series[j]->name = name;
			series[j]->unit = "us";
			series_print(series[j]);
		}
	}
	free(objects);
	return 0;
}

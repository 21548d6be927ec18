/* SPDX-License-Identifier: MIT */
/*
 * What does a second ring bring where the CPU is the bound? Nop items through one ring and through
 * two, with the same windows in all; and, as the most that this machine has to give at the moment,
 * through two processes of one ring, which share nothing.
 *
 *     rings [REPETITIONS [ITEMS]]
 */
#include <errno.h>
#include <iobatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static void run(char *objects, uint64_t count, unsigned rings, unsigned windows)
{
	struct iobatch_items items = iobatch_items_array(objects, count, 1);
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = NULL;
	int error;

	options.batch_size = 64;
	options.max_concurrent = windows;
	options.rings = rings;

	error = iobatch_nop_new(&processor);
	if (error)
		measure_fail("iobatch_nop_new", error);
	error = iobatch_run(&items, processor, &options, &result);
	if (error)
		measure_fail(result.message, error);
	if (result.successful != count || result.rings != rings)
		measure_fail("the run was not as asked for", EIO);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* Half of the items in a child, the other half here. */
static void run_processes(char *objects, uint64_t count)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		measure_fail("fork", errno);
	run(objects, count / 2, 1, 2);
	if (child == 0)
		_exit(0);
	if (waitpid(child, &status, 0) < 0)
		measure_fail("waitpid", errno);
	if (status != 0)
		measure_fail("the other process", EIO);
}

enum subject {
	ONE_RING,
	TWO_RINGS,
	TWO_PROCESSES,
	SUBJECTS
};

static double items_per_ms(char *objects, uint64_t count, enum subject subject)
{
	uint64_t start = measure_now_ns();

	if (subject == TWO_PROCESSES)
		run_processes(objects, count);
	else
		run(objects, count, subject == ONE_RING ? 1 : 2, 4);
	return (double)count * 1e6 / (double)(measure_now_ns() - start);
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 1 ? measure_repetitions(argv[1]) : 11;
	uint64_t items = argc > 2 ? measure_count(argv[2]) : 4000000;
	struct series speed[SUBJECTS] = {
		{.name = "1 ring", .unit = "items/ms"},
		{.name = "2 rings", .unit = "items/ms"},
		{.name = "2 processes of 1 ring", .unit = "items/ms"},
	};
	char *objects = calloc(items, 1);

	if (!objects)
		measure_fail("objects", ENOMEM);
	printf("nop items, no deadline, 4 windows of 64\n");
	for (unsigned i = 0; i < repetitions; i++) {
		/* Each goes first in its turn. */
		for (unsigned j = 0; j < SUBJECTS; j++) {
			enum subject subject = (i + j) % SUBJECTS;

			series_add(&speed[subject], items_per_ms(objects, items, subject));
		}
	}
	for (unsigned i = 0; i < SUBJECTS; i++)
		series_print(&speed[i]);
	series_print_ratio(&speed[TWO_RINGS], &speed[ONE_RING], 1.8, true);
	series_print_ratio(&speed[TWO_RINGS], &speed[TWO_PROCESSES], 0, true);
	free(objects);
	return 0;
}

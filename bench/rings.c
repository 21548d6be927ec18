/* SPDX-License-Identifier: MIT */
/*
 * What does a second ring bring where the CPU is the bound? Nop items through one ring and through
 * two, with the same windows in all.
 *
 *     rings [REPETITIONS [ITEMS]]
 */
#include <errno.h>
#include <iobatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

static double items_per_ms(char *objects, uint64_t count, unsigned rings)
{
	struct iobatch_items items = iobatch_items_array(objects, count, 1);
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = NULL;
	uint64_t start;
	int error;

	options.batch_size = 64;
	options.max_concurrent = 4;
	options.rings = rings;

	error = iobatch_nop_new(&processor);
	if (error)
		measure_fail("iobatch_nop_new", error);
	start = measure_now_ns();
	error = iobatch_run(&items, processor, &options, &result);
	start = measure_now_ns() - start;
	if (error)
		measure_fail(result.message, error);
	if (result.successful != count || result.rings != rings)
		measure_fail("the run was not as asked for", EIO);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return (double)count * 1e6 / (double)start;
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 1 ? measure_repetitions(argv[1]) : 11;
	uint64_t items = argc > 2 ? measure_count(argv[2]) : 4000000;
	struct series one = {.name = "1 ring", .unit = "items/ms"};
	struct series two = {.name = "2 rings", .unit = "items/ms"};
	char *objects = calloc(items, 1);

	if (!objects)
		measure_fail("objects", ENOMEM);
	printf("nop items, no deadline, 4 windows of 64\n");
	for (unsigned i = 0; i < repetitions; i++) {
		if (i % 2)
			series_add(&two, items_per_ms(objects, items, 2));
		series_add(&one, items_per_ms(objects, items, 1));
		if (i % 2 == 0)
			series_add(&two, items_per_ms(objects, items, 2));
	}
	series_print(&one);
	series_print(&two);
	series_print_ratio(&two, &one, 1.8, true);
	free(objects);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What does a deadline cost that is met? Random 4 KiB reads of a file in the page cache, without a
 * deadline, and with one that is kept by the engine's list, by a linked timeout beside each read,
 * or as iobatch decides for itself.
 *
 *     deadline_cost DIRECTORY [REPETITIONS [ITEMS]]
 */
#include <errno.h>
#include <fcntl.h>
#include <iobatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define BLOCK 4096u
#define FILE_SIZE (UINT64_C(64) << 20)

static int file;

/* One read, at a place that the item's number scatters over the file. */
static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	uint64_t block = item->index * 0x9e3779b97f4a7c15u >> 32;

	(void)context;
	if (done->count > 0)
		return done->ops[0].result == BLOCK ? IOBATCH_DONE : -EIO;
	iobatch_chain_add(chain, iobatch_op_read(IOBATCH_FD(file), item->buffers[0], BLOCK,
	                                         block % (FILE_SIZE / BLOCK) * BLOCK));
	return IOBATCH_MORE;
}

enum subject {
	WITHOUT,
	BY_LIST,
	BY_DEFAULT,
	BY_LINKS,
	SUBJECTS
};

static double ns_per_item(char *objects, uint64_t count, enum subject subject)
{
	static const unsigned guards[SUBJECTS] = {
		[BY_LIST] = IOBATCH_GUARDS_LIST,
		[BY_DEFAULT] = IOBATCH_GUARDS_AUTO,
		[BY_LINKS] = IOBATCH_GUARDS_LINKED,
	};
	struct iobatch_items items = iobatch_items_array(objects, count, 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	uint64_t start = measure_now_ns();
	double elapsed_ns;
	int error;

	processor.next = next;
	processor.buffer_size = BLOCK;
	processor.buffers_min = processor.buffers_max = 1;
	options.executor = IOBATCH_EXECUTOR_RING;
	options.batch_size = 64;
	options.max_concurrent = 2;
	options.timeout_ms = subject == WITHOUT ? 0 : 5000;
	options.guards = guards[subject];
	error = iobatch_run(&items, &processor, &options, &result);
	elapsed_ns = (double)(measure_now_ns() - start);
	if (error)
		measure_fail(result.message, error);
	if (result.successful != count)
		measure_fail("reads", EIO);
	iobatch_result_deinit(&result);
	return elapsed_ns / (double)count;
}

/* A file that lies in the page cache and has no name. */
static void make_file(const char *directory)
{
	char block[BLOCK];

	file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		measure_fail(directory, -errno);
	memset(block, 'a', sizeof(block));
	for (uint64_t at = 0; at < FILE_SIZE; at += BLOCK) {
		if (pwrite(file, block, BLOCK, (off_t)at) != BLOCK)
			measure_fail("the file", -errno);
	}
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 2 ? measure_repetitions(argv[2]) : 15;
	uint64_t items = argc > 3 ? measure_count(argv[3]) : 1000000;
	struct series cost[SUBJECTS] = {
		{.name = "no deadline", .unit = "ns/read"},
		{.name = "guards: list", .unit = "ns/read"},
		{.name = "guards: auto", .unit = "ns/read"},
		{.name = "guards: linked", .unit = "ns/read"},
	};
	char *objects = calloc(items, 1);

	if (argc < 2 || !objects)
		measure_fail("usage: deadline_cost DIRECTORY [REPETITIONS [ITEMS]]", EINVAL);
	make_file(argv[1]);
	printf("random 4 KiB reads of a cached file, 2 windows of 64\n");
	for (unsigned i = 0; i < repetitions; i++) {
		for (unsigned j = 0; j < SUBJECTS; j++) {
			enum subject subject = (i + j) % SUBJECTS;

			series_add(&cost[subject], ns_per_item(objects, items, subject));
		}
	}
	for (unsigned i = 0; i < SUBJECTS; i++)
		series_print(&cost[i]);
	for (unsigned i = BY_LIST; i < SUBJECTS; i++)
		series_print_ratio(&cost[i], &cost[WITHOUT], i == BY_LINKS ? 0 : 1.1, false);
	free(objects);
	close(file);
	return 0;
}

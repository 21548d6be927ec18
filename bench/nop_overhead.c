/* SPDX-License-Identifier: MIT */
/*
 * What does the engine cost per item? Nop items through iobatch_run() against the leanest loop of
 * NOPs that one would write with liburing by hand, at the same depth, without and with a deadline
 * on each. The loop keeps no items, no results and no statistics: its time is the kernel's.
 *
 *     nop_overhead [REPETITIONS [ITEMS]]
 */
#include <errno.h>
#include <iobatch.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

#define BATCH_SIZE 64
#define MAX_CONCURRENT 2
#define DEPTH (BATCH_SIZE * MAX_CONCURRENT)
#define TIMEOUT_MS 10000

static void add_nop(struct io_uring *ring, bool with_timeout, struct __kernel_timespec *timeout)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		measure_fail("the loop's submission queue", ENOSPC);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, 1);
	if (!with_timeout)
		return;
	io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
	sqe = io_uring_get_sqe(ring);
	if (!sqe)
		measure_fail("the loop's submission queue", ENOSPC);
	io_uring_prep_link_timeout(sqe, timeout, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, 2);
}

/*
 * The loop by hand: fill the depth, submit and wait in one call, take all that has come, refill by
 * as much. Default set-up flags: for NOPs they are quicker than DEFER_TASKRUN.
 */
static double loop_ns(uint64_t items, bool with_timeout)
{
	struct __kernel_timespec timeout = {.tv_sec = TIMEOUT_MS / 1000};
	uint64_t started = 0;
	uint64_t completed = 0;
	uint64_t start;
	struct io_uring ring;
	int result = io_uring_queue_init(with_timeout ? 2 * DEPTH : DEPTH, &ring, 0);

	if (result < 0)
		measure_fail("io_uring_queue_init", result);

	start = measure_now_ns();
	while (completed < items) {
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned seen = 0;

		while (started < items && started - completed < DEPTH) {
			add_nop(&ring, with_timeout, &timeout);
			started++;
		}
		result = io_uring_submit_and_wait(&ring, 1);
		if (result < 0)
			measure_fail("io_uring_submit_and_wait", result);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			if (cqe->user_data != 1 || cqe->res < 0)
				measure_fail("a NOP of the loop", cqe->res);
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		completed += seen;
	}
	start = measure_now_ns() - start;
	io_uring_queue_exit(&ring);
	return (double)start / (double)items;
}

static double iobatch_ns(char *objects, uint64_t count, bool with_timeout)
{
	struct iobatch_items items = iobatch_items_array(objects, count, 1);
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = NULL;
	uint64_t start;
	int error;

	options.batch_size = BATCH_SIZE;
	options.max_concurrent = MAX_CONCURRENT;
	options.timeout_ms = with_timeout ? TIMEOUT_MS : 0;

	error = iobatch_nop_new(&processor);
	if (error)
		measure_fail("iobatch_nop_new", error);
	start = measure_now_ns();
	error = iobatch_run(&items, processor, &options, &result);
	start = measure_now_ns() - start;
	if (error)
		measure_fail(result.message, error);
	if (result.successful != count)
		measure_fail("items of iobatch failed", EIO);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return (double)start / (double)count;
}

static void compare(char *objects, uint64_t items, unsigned repetitions, bool with_timeout)
{
	struct series ours = {.name = "iobatch", .unit = "ns/item"};
	struct series theirs = {.name = "liburing loop", .unit = "ns/item"};

	printf("nop items, %s, 1 ring, depth %d\n",
	       with_timeout ? "each with a deadline" : "no deadline", DEPTH);
	for (unsigned i = 0; i < repetitions; i++) {
		/* Each goes first every other time. */
		if (i % 2)
			series_add(&ours, iobatch_ns(objects, items, with_timeout));
		series_add(&theirs, loop_ns(items, with_timeout));
		if (i % 2 == 0)
			series_add(&ours, iobatch_ns(objects, items, with_timeout));
	}
	series_print(&ours);
	series_print(&theirs);
	series_print_ratio(&ours, &theirs, with_timeout ? 1.1 : 1.5, false);
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 1 ? measure_repetitions(argv[1]) : 11;
	uint64_t items = argc > 2 ? measure_count(argv[2]) : 2000000;
	char *objects = calloc(items, 1);

	if (!objects)
		measure_fail("objects", ENOMEM);
	compare(objects, items, repetitions, false);
	compare(objects, items, repetitions, true);
	free(objects);
	return 0;
}

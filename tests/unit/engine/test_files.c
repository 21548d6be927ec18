/* SPDX-License-Identifier: MIT */
/*
 * Real files, on the ring and by system calls: what an attempt opens is closed, descriptors are
 * held either way, chains longer than the queue, items that wait on pipes until their deadline.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory with a file of 100,000 bytes, of which byte i is i % 251. */
struct scratch {
	char directory[64];
	char file[80];
};

#define FILE_SIZE 100000

static void scratch_init(struct scratch *scratch)
{
	char bytes[FILE_SIZE];
	int fd;

	for (size_t i = 0; i < FILE_SIZE; i++)
		bytes[i] = (char)(i % 251);
	strcpy(scratch->directory, "/tmp/iobatch-files-XXXXXX");
	assert_non_null(mkdtemp(scratch->directory));
	snprintf(scratch->file, sizeof(scratch->file), "%s/file", scratch->directory);
	fd = open(scratch->file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, FILE_SIZE), FILE_SIZE);
	close(fd);
}

static void scratch_deinit(struct scratch *scratch)
{
	unlink(scratch->file);
	assert_int_equal(rmdir(scratch->directory), 0);
}

struct reading {
	const char *path;
	bool leave_open;
	bool register_buffers;
	bool few_descriptors;
};

/* open, read, (close): all in one chain; the content is checked. */
static int read_whole(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                      struct iobatch_chain *chain)
{
	const struct reading *reading = context;
	const char *bytes = item->buffers[0];

	if (done->count > 0) {
		assert_int_equal(done->ops[0].result, 0);
		assert_int_equal(done->ops[1].result, FILE_SIZE);
		for (size_t i = 0; i < FILE_SIZE; i++)
			assert_true(bytes[i] == (char)(i % 251));
		return IOBATCH_DONE;
	}
	memset(item->buffers[0], 0xff, 128 << 10);
	iobatch_chain_add(chain, iobatch_op_openat(1, AT_FDCWD, reading->path, O_RDONLY, 0));
	iobatch_chain_add(chain, iobatch_op_read(1, item->buffers[0], 128 << 10, 0));
	if (!reading->leave_open)
		iobatch_chain_add(chain, iobatch_op_close(1));
	return IOBATCH_MORE;
}

static void run_reading(struct reading *reading, unsigned executor, uint64_t timeout_ms,
                        unsigned rings)
{
	static char objects[200];
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	unsigned descriptors = trial_open_descriptors();

	processor.context = reading;
	processor.next = read_whole;
	processor.chain_ops_max = 3;
	processor.files_max = 2;
	processor.buffer_size = 128 << 10;
	processor.buffers_min = processor.buffers_max = 1;
	options.executor = executor;
	options.batch_size = 8;
	options.timeout_ms = timeout_ms;
	options.rings = rings;
	options.register_buffers = reading->register_buffers;
	/* One batch at a time keeps normal descriptors within the limit. */
	if (reading->few_descriptors)
		options.max_concurrent = rings;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.executor, executor);
	assert_int_equal(result.successful, 200);
	assert_int_equal(trial_open_descriptors(), descriptors);
	iobatch_result_deinit(&result);
}

static void files_are_read_and_closed_however_they_are_held(void **state)
{
	struct rlimit before, few = {.rlim_cur = 48};
	unsigned executor = trial_executor(state);
	struct scratch scratch;

	scratch_init(&scratch);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	for (unsigned variant = 0; variant < 32; variant++) {
		struct reading reading = {
			.path = scratch.file,
			.leave_open = variant & 1,
			.register_buffers = variant & 2,
			.few_descriptors = variant & 4,
		};

		/* With few descriptors there is no room for a table of direct ones. */
		if (reading.few_descriptors)
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		run_reading(&reading, executor, variant & 8 ? 10000 : 0, variant & 16 ? 2 : 1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	scratch_deinit(&scratch);
}

#define LONG_CHAIN 128

static int long_chain(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                      struct iobatch_chain *chain)
{
	(void)context;
	(void)item;
	if (done->count > 0)
		return IOBATCH_DONE;
	for (unsigned i = 0; i < LONG_CHAIN; i++)
		iobatch_chain_add(chain, iobatch_op_nop());
	chain->unordered = item->index % 2;
	return IOBATCH_MORE;
}

static void more_ops_than_the_queues_hold_wait_for_room(void **state)
{
	static char objects[4000];
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	options.executor = trial_executor(state);
	processor.next = long_chain;
	processor.chain_ops_max = LONG_CHAIN;
	options.batch_size = 1000;
	options.max_concurrent = 4;
	options.timeout_ms = 60000;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 4000);
	assert_int_equal(result.ops, 4000 * LONG_CHAIN);
	iobatch_result_deinit(&result);
}

static int wait_an_hour(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	(void)context;
	(void)item;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_timeout(UINT64_C(3600) * 1000000000));
	return IOBATCH_MORE;
}

static void a_timeout_op_is_cut_short_by_the_deadline(void **state)
{
	char object = 0;
	struct iobatch_items items = iobatch_items_array(&object, 1, 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	processor.next = wait_an_hour;
	options.executor = trial_executor(state);
	options.timeout_ms = 10;
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.failed, 1);
	assert_int_equal(result.failed_items[0].error, -ETIME);
	assert_int_equal(result.failed_items[0].opcode, IOBATCH_OP_TIMEOUT);
	iobatch_result_deinit(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_REAL(files_are_read_and_closed_however_they_are_held),
		TRIAL_ON_EACH(more_ops_than_the_queues_hold_wait_for_room),
		TRIAL_ON_EACH(a_timeout_op_is_cut_short_by_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

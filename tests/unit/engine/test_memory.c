/* SPDX-License-Identifier: MIT */
/*
 * What a run does when memory runs out, at each allocation in turn, once and from then on: it fails
 * before anything runs, or goes on with its lists incomplete; never does it crash, leak or lose an
 * item. The linker's --wrap hands every allocation of the engine and the executors to this file
 * first.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker's names for the functions that are stood in for. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *pointer, size_t count, size_t size);
void *__real_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void __real_free(void *pointer);
int __real_munmap(void *address, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *pointer, size_t count, size_t size);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void __wrap_free(void *pointer);
int __wrap_munmap(void *address, size_t size);

static _Atomic bool watching;
static _Atomic long allocations; /* since the start */
static _Atomic long held;        /* blocks and mappings */
static long fail_at;
static bool for_ever;

static bool fails(void)
{
	long number;

	if (!watching)
		return false;
	number = atomic_fetch_add(&allocations, 1);
	return for_ever ? number >= fail_at : number == fail_at;
}

static void *taken(void *pointer)
{
	if (watching && pointer)
		held++;
	return pointer;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : taken(__real_calloc(count, size));
}

void *__wrap_reallocarray(void *pointer, size_t count, size_t size)
{
	void *moved = fails() ? NULL : __real_reallocarray(pointer, count, size);

	return pointer ? moved : taken(moved);
}

void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *memory =
		fails() ? MAP_FAILED : __real_mmap64(address, size, protection, flags, fd, offset);

	if (watching && memory != MAP_FAILED)
		held++;
	return memory;
}

void __wrap_free(void *pointer)
{
	if (watching && pointer)
		held--;
	__real_free(pointer);
}

int __wrap_munmap(void *address, size_t size)
{
	if (watching)
		held--;
	return __real_munmap(address, size);
}

static _Atomic unsigned released;
static int null; /* takes any journal */

static void release(void *context, void *object)
{
	(void)context;
	(void)object;
	released++;
}

static int next_with_buffer(void *context, struct iobatch_item *item,
                            const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)context;
	if (done->count > 0)
		return item->index % 3 ? IOBATCH_DONE : -EIO;
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static size_t record(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	(void)context;
	(void)outcome;
	buffer[0] = '\n';
	return 1;
}

/* A run with an allocation that fails. Returns whether it was reached. */
static bool run_with_failure(unsigned executor, unsigned rings, long at, bool ever)
{
	struct trial_numbers numbers = {.count = 200};
	struct iobatch_items items =
		iobatch_items_stream(trial_pull_number, &numbers, sizeof(uint64_t));
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_journal journal = IOBATCH_JOURNAL_INIT;
	int error;

	items.release = release;
	released = 0;
	processor.next = next_with_buffer;
	processor.state_size = 100;
	processor.files_max = 2;
	processor.buffer_size = 4096;
	processor.buffers_min = processor.buffers_max = 1;
	options.executor = executor;
	options.rings = rings;
	options.batch_size = 10;
	options.register_buffers = 1;
	options.collect = IOBATCH_COLLECT_FAILED | IOBATCH_COLLECT_SUCCESSFUL;
	options.journal = &journal;
	journal.fd = null;
	journal.sync = IOBATCH_JOURNAL_NONE;
	journal.outcome = record;

	allocations = held = 0;
	fail_at = at;
	for_ever = ever;
	watching = true;
	error = iobatch_run(&items, &processor, &options, &result);
	if (error == 0) {
		assert_int_equal(result.total_processed, 200);
		assert_int_equal(result.failed, 67);
		assert_int_equal(released, 200);
		if (!result.lists_incomplete) {
			assert_int_equal(result.failed_items_count, 67);
			assert_int_equal(result.successful_items_count, 133);
		}
	} else {
		assert_int_equal(error, -ENOMEM);
		assert_true(result.message[0] != '\0');
		assert_int_equal(result.total_processed, 0);
		assert_int_equal(numbers.given, 0);
		assert_int_equal(released, 0);
	}
	iobatch_result_deinit(&result);
	watching = false;
	assert_int_equal(held, 0);
	return allocations > at;
}

static void each_allocation_that_fails_fails_the_run_or_shortens_its_lists(void **state)
{
	unsigned executor = trial_executor(state);
	unsigned descriptors = trial_open_descriptors();

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(null >= 0);

	for (unsigned rings = 1; rings <= 2; rings++) {
		for (int ever = 0; ever < 2; ever++) {
			long at = 0;

			while (run_with_failure(executor, rings, at, ever))
				at++;
			assert_true(at > 20);
		}
	}
	close(null);
	assert_int_equal(trial_open_descriptors(), descriptors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(each_allocation_that_fails_fails_the_run_or_shortens_its_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* What a run means: batches, windows, retries, delays, progress and result, on both executors. */
#include "trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void the_reference_example_gives_the_reference_result(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 5);
	const struct iobatch_outcome *failed;
	const int values[] = {3};

	trial->options.batch_size = 2;
	trial->options.max_concurrent = 2;
	trial->options.delay_ms = 100;
	trial->options.timeout_ms = 5000;
	trial->options.retries = 2;
	trial->items[2].failures = TRIAL_FAILS_ALWAYS;
	trial_run(trial);

	assert_int_equal(trial->error, 0);
	assert_int_equal(trial->result.total_processed, 5);
	assert_int_equal(trial->result.total_batches, 3);
	assert_int_equal(trial->result.successful, 4);
	assert_int_equal(trial->result.failed, 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(trial->result.successful_items[i].index, i < 2 ? i : i + 1);
	trial_assert_failed(trial, values, 1);
	failed = &trial->result.failed_items[0];
	assert_int_equal(failed->attempts, 3);
	assert_int_equal(failed->error, -ENOENT);
	assert_string_equal(failed->error_name, "ENOENT");
	assert_int_equal(failed->opcode, IOBATCH_OP_OPENAT);
	/*
	 * The windows run 1, 2, 5 and 3, 4: two pauses in the first. On the simulator nothing else
	 * takes time.
	 */
	if (trial->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		assert_true(trial->result.processing_time_ms == 200.0);
	else
		assert_true(trial->result.processing_time_ms >= 200.0);
	trial_free(trial);
}

static void no_items_give_a_result_of_zeros_at_once(void **state)
{
	for (int streamed = 0; streamed < 2; streamed++) {
		struct trial *trial = trial_new(trial_executor(state), 0);

		trial->streamed = streamed;
		trial_run(trial);
		assert_int_equal(trial->error, 0);
		assert_int_equal(trial->result.total_batches, 0);
		assert_int_equal(trial->attempts, 0);
		assert_int_equal(trial->progress_calls, 1);
		trial_free(trial);
	}
}

static void one_item_is_one_batch(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 1);

	trial_run(trial);
	assert_int_equal(trial->error, 0);
	assert_int_equal(trial->result.successful, 1);
	assert_int_equal(trial->result.total_batches, 1);
	assert_int_equal(trial->progress_calls, 2);
	trial_free(trial);
}

/* Counts, batch sizes and widths around each other's edges, from an array and from a stream. */
static void every_shape_of_batches_accounts_for_every_item(void **state)
{
	static const unsigned counts[] = {1, 2, 7, 63, 64, 65, 257};
	static const unsigned sizes[] = {1, 2, 64, 1000};
	static const unsigned widths[] = {1, 3, 500};

	for (unsigned shape = 0; shape < 7 * 4 * 3 * 2; shape++) {
		struct trial *trial = trial_new(trial_executor(state), counts[shape % 7]);

		trial->options.batch_size = sizes[shape / 7 % 4];
		trial->options.max_concurrent = widths[shape / 28 % 3];
		trial->streamed = shape / 84;
		trial_run(trial);
		assert_int_equal(trial->error, 0);
		assert_int_equal(trial->result.failed, 0);
		trial_free(trial);
	}
}

static void every_item_may_fail(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 100);

	trial->options.batch_size = 7;
	trial->options.max_concurrent = 3;
	trial->options.retries = 1;
	for (unsigned i = 0; i < 100; i++)
		trial->items[i].failures = TRIAL_FAILS_ALWAYS;
	trial_run(trial);
	assert_int_equal(trial->error, 0);
	assert_int_equal(trial->result.failed, 100);
	assert_int_equal(trial->attempts, 200);
	assert_int_equal(trial->result.retries, 100);
	trial_free(trial);
}

static void an_item_that_fails_twice_then_succeeds_is_successful(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 3);

	trial->options.retries = 2;
	trial->items[1].failures = 2;
	trial_run(trial);
	assert_int_equal(trial->error, 0);
	assert_int_equal(trial->result.successful, 3);
	assert_int_equal(trial->result.retries, 2);
	assert_int_equal(trial->result.successful_items[1].attempts, 3);
	trial_free(trial);
}

static void without_retries_an_item_is_tried_once(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 3);

	trial->items[1].failures = 1;
	trial_run(trial);
	assert_int_equal(trial->result.failed, 1);
	assert_int_equal(trial->result.failed_items[0].attempts, 1);
	trial_free(trial);
}

static void a_backoff_separates_attempts(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 2);

	trial->options.retries = 3;
	trial->options.backoff_ms = 20;
	trial->items[0].failures = TRIAL_FAILS_ALWAYS;
	trial_run(trial);
	assert_int_equal(trial->result.failed, 1);
	if (trial->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		assert_true(trial->result.processing_time_ms == 60.0);
	else
		assert_true(trial->result.processing_time_ms >= 60.0);
	trial_free(trial);
}

static void a_delay_separates_items_also_across_batches(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 7);

	trial->options.batch_size = 2;
	trial->options.max_concurrent = 1;
	trial->options.delay_ms = 10;
	trial_run(trial);
	if (trial->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		assert_true(trial->result.processing_time_ms == 60.0);
	else
		assert_true(trial->result.processing_time_ms >= 60.0);
	trial_free(trial);
}

static void progress_is_exact_with_any_number_of_rings(void **state)
{
	static const unsigned rings[] = {1, 2, 4};

	for (unsigned i = 0; i < 6; i++) {
		struct trial *trial = trial_new(trial_executor(state), 2000);

		trial->options.rings = rings[i % 3];
		trial->options.batch_size = 9;
		trial->options.max_concurrent = 7;
		trial->options.retries = 1;
		trial->streamed = i / 3;
		for (unsigned item = 0; item < 2000; item++)
			trial->items[item].failures = item % 5;
		trial_run(trial);
		assert_int_equal(trial->error, 0);
		assert_int_equal(trial->result.rings, rings[i % 3]);
		assert_int_equal(trial->result.successful, 800);
		assert_int_equal(trial->progress_calls, 2000 + 1);
		trial_free(trial);
	}
}

static void an_interval_makes_progress_calls_rare_but_the_last_is_complete(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 1000);

	trial->options.progress_interval_ms = 3600 * 1000;
	trial_run(trial);
	assert_int_equal(trial->progress_calls, 1);
	assert_int_equal(trial->last_progress.successful, 1000);
	trial_free(trial);
}

/* What the simulated kernel lacks makes no difference to what a run comes to. */
static void an_older_kernel_gives_the_same_result(void **state)
{
	for (unsigned without = 0; without < 16; without++) {
		for (unsigned guards = IOBATCH_GUARDS_AUTO; guards <= IOBATCH_GUARDS_LIST;
		     guards++) {
			struct trial *trial = trial_new(IOBATCH_EXECUTOR_SIMULATED, 200);
			const int values[] = {3, 9};

			(void)state;
			trial->simulation.without = without;
			trial->options.guards = guards;
			trial->options.timeout_ms = 5000;
			trial->options.retries = 2;
			trial->options.backoff_ms = 1;
			trial->options.batch_size = 7;
			trial->items[2].failures = trial->items[8].failures = TRIAL_FAILS_ALWAYS;
			trial->items[5].failures = 2;
			trial_run(trial);
			assert_int_equal(trial->error, 0);
			assert_int_equal(trial->result.successful, 198);
			assert_int_equal(trial->result.retries, 6);
			trial_assert_failed(trial, values, 2);
			trial_free(trial);
		}
	}
}

/* The ring where it works, else the pool: a run says which it was, and both do the same. */
static void auto_takes_what_works_here(void **state)
{
	struct trial *trial = trial_new(IOBATCH_EXECUTOR_AUTO, 50);
	struct iobatch_support support = IOBATCH_SUPPORT_INIT;

	(void)state;
	assert_int_equal(iobatch_probe(&support), 0);
	trial->expected_executor = support.error ? IOBATCH_EXECUTOR_SYSCALL : IOBATCH_EXECUTOR_RING;
	trial_run(trial);
	assert_int_equal(trial->error, 0);
	assert_int_equal(trial->result.successful, 50);
	trial_free(trial);
}

static int fail_in_finish(void *context)
{
	(void)context;
	return -EIO;
}

static void an_error_of_finish_is_the_error_of_the_run(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 3);

	trial->processor.finish = fail_in_finish;
	trial_run(trial);
	assert_int_equal(trial->error, -EIO);
	assert_int_equal(trial->result.successful, 3);
	trial_free(trial);
}

static ssize_t pull_three_then_fail(void *context, void *object)
{
	unsigned *given = context;

	if (*given == 3)
		return -EIO;
	memset(object, 0, sizeof(struct trial_item));
	(*given)++;
	return sizeof(struct trial_item);
}

static void an_error_of_the_source_ends_the_intake_and_is_returned(void **state)
{
	struct trial *trial = trial_new(trial_executor(state), 3);
	unsigned given = 0;
	struct iobatch_items items =
		iobatch_items_stream(pull_three_then_fail, &given, sizeof(struct trial_item));

	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, &trial->result),
	                 -EIO);
	assert_int_equal(trial->result.successful, 3);
	trial_free(trial);
}

/* What the process has resident now; its peak would be that of the tests before. */
static uint64_t resident_kib(void)
{
	unsigned long total, resident;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static int nop_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                    struct iobatch_chain *chain)
{
	(void)context;
	(void)item;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

struct growth {
	struct trial_numbers numbers;
	uint64_t first_kib; /* resident when a tenth has been taken */
	uint64_t last_kib;  /* and at the end, while the run still holds all that it has */
};

static ssize_t pull_and_look(void *context, void *object)
{
	struct growth *growth = context;

	if (growth->numbers.given == growth->numbers.count / 10)
		growth->first_kib = resident_kib();
	if (growth->numbers.given == growth->numbers.count)
		growth->last_kib = resident_kib();
	return trial_pull_number(&growth->numbers, object);
}

static void a_million_items_take_no_more_memory_than_a_tenth_of_them(void **state)
{
	struct growth growth = {.numbers.count = 1000000};
	struct iobatch_items items = iobatch_items_stream(pull_and_look, &growth, sizeof(uint64_t));
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	processor.next = nop_next;
	options.executor = trial_executor(state);
#ifdef __SANITIZE_THREAD__
	print_message("what ThreadSanitizer notes of each access is resident as well\n");
	skip();
#endif
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 1000000);
	assert_true(growth.first_kib > 0);
	assert_in_range(growth.last_kib, 1, growth.first_kib + 512);
	iobatch_result_deinit(&result);
}

/* An object of which little is used, as of one with a path. */
#define LONG_SIZE 33000u

/* Looks up whether the mapping that an address lies in may have huge pages. */
static bool may_be_huge(const void *address)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool within = false, huge = true;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			within = start <= (uintptr_t)address && (uintptr_t)address < end;
		else if (within && strncmp(line, "VmFlags:", 8) == 0)
			huge = !strstr(line, " nh");
	}
	fclose(file);
	return huge;
}

static int next_that_looks(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	bool *huge = context;

	if (item->index == 100 && done->count == 0)
		*huge = may_be_huge(item->object);
	return nop_next(NULL, item, done, chain);
}

static void of_long_objects_only_what_is_used_is_resident(void **state)
{
	struct trial_numbers numbers = {.count = 2000};
	struct iobatch_items items = iobatch_items_stream(trial_pull_number, &numbers, LONG_SIZE);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	bool huge = true;

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0) {
		print_message("there are no huge pages here\n");
		skip();
	}
	processor.next = next_that_looks;
	processor.context = &huge;
	options.executor = trial_executor(state);
	assert_int_equal(iobatch_run(&items, &processor, &options, &result), 0);
	assert_int_equal(result.successful, 2000);
	assert_false(huge);
	iobatch_result_deinit(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(the_reference_example_gives_the_reference_result),
		TRIAL_ON_EACH(no_items_give_a_result_of_zeros_at_once),
		TRIAL_ON_EACH(one_item_is_one_batch),
		TRIAL_ON_EACH(every_shape_of_batches_accounts_for_every_item),
		TRIAL_ON_EACH(every_item_may_fail),
		TRIAL_ON_EACH(an_item_that_fails_twice_then_succeeds_is_successful),
		TRIAL_ON_EACH(without_retries_an_item_is_tried_once),
		TRIAL_ON_EACH(a_backoff_separates_attempts),
		TRIAL_ON_EACH(a_delay_separates_items_also_across_batches),
		TRIAL_ON_EACH(progress_is_exact_with_any_number_of_rings),
		TRIAL_ON_EACH(an_interval_makes_progress_calls_rare_but_the_last_is_complete),
		cmocka_unit_test(an_older_kernel_gives_the_same_result),
		cmocka_unit_test(auto_takes_what_works_here),
		TRIAL_ON_EACH(an_error_of_finish_is_the_error_of_the_run),
		TRIAL_ON_EACH(an_error_of_the_source_ends_the_intake_and_is_returned),
		TRIAL_ON_EACH(a_million_items_take_no_more_memory_than_a_tenth_of_them),
		TRIAL_ON_EACH(of_long_objects_only_what_is_used_is_resident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Arguments that are out of range are refused with a message that names them, before anything is
 * touched. */
#include "trial.h"

#include <errno.h>
#include <string.h>

static void assert_refused(struct trial *trial, const char *what)
{
	struct iobatch_items items =
		iobatch_items_array(trial->items, trial->count, sizeof(struct trial_item));

	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, &trial->result),
	                 -EINVAL);
	if (!strstr(trial->result.message, what))
		fail_msg("'%s' does not say '%s'", trial->result.message, what);
	assert_int_equal(trial->attempts, 0);
	assert_int_equal(trial->result.total_processed, 0);
	trial_free(trial);
}

static struct trial *simulated(void)
{
	return trial_new(IOBATCH_EXECUTOR_SIMULATED, 3);
}

static void options_out_of_range_are_named(void **state)
{
	struct trial *trial;

	(void)state;
	trial = simulated();
	trial->options.batch_size = 0;
	assert_refused(trial, "batch_size must be 1 to 1048576, not 0");
	trial = simulated();
	trial->options.max_concurrent = 0;
	assert_refused(trial, "max_concurrent");
	trial = simulated();
	trial->options.rings = 65;
	assert_refused(trial, "rings");
	trial = simulated();
	trial->options.timeout_ms = UINT64_MAX;
	assert_refused(trial, "timeout_ms");
	trial = simulated();
	trial->options.delay_ms = UINT64_MAX / 2;
	assert_refused(trial, "delay_ms");
	trial = simulated();
	trial->options.retries = UINT32_MAX;
	assert_refused(trial, "retries");
	trial = simulated();
	trial->options.executor = 99;
	assert_refused(trial, "executor");
	trial = simulated();
	trial->options.collect = 4;
	assert_refused(trial, "collect");
	trial = simulated();
	trial->simulation.latency_min_ns = 1;
	assert_refused(trial, "latency_min_ns");
}

static size_t no_record(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	(void)context;
	(void)outcome;
	(void)buffer;
	return 0;
}

static void refuse_journal(struct iobatch_journal journal, const char *what)
{
	struct trial *trial = simulated();

	trial->options.journal = &journal;
	assert_refused(trial, what);
}

static void a_journal_that_cannot_be_written_is_named(void **state)
{
	const struct iobatch_journal good = {
		.size = sizeof(good), .fd = 1, .record_max = 100, .outcome = no_record};
	struct iobatch_journal journal = good;

	(void)state;
	journal.size = 0;
	refuse_journal(journal, "journal.size");
	journal = good;
	journal.fd = -1;
	refuse_journal(journal, "journal.fd");
	journal = good;
	journal.offset = UINT64_MAX;
	refuse_journal(journal, "journal.offset");
	journal = good;
	journal.sync = 3;
	refuse_journal(journal, "journal.sync");
	journal = good;
	journal.record_max = 0;
	refuse_journal(journal, "journal.record_max");
	journal.record_max = (1u << 20) + 1;
	refuse_journal(journal, "journal.record_max");
	journal = good;
	journal.outcome = NULL;
	refuse_journal(journal, "journal.outcome");
}

static void a_processor_that_cannot_work_is_named(void **state)
{
	struct trial *trial;

	(void)state;
	trial = simulated();
	trial->processor.next = NULL;
	assert_refused(trial, "processor.next");
	trial = simulated();
	trial->processor.size = 0;
	assert_refused(trial, "processor.size");
	trial = simulated();
	trial->processor.chain_ops_max = 129;
	assert_refused(trial, "chain_ops_max");
	trial = simulated();
	trial->processor.files_max = 17;
	assert_refused(trial, "files_max");
	trial = simulated();
	trial->processor.buffer_size = 100;
	assert_refused(trial, "buffer_size");
	trial = simulated();
	trial->processor.buffers_max = 1;
	assert_refused(trial, "buffer_size");
	trial = simulated();
	trial->processor.buffer_size = 4096;
	trial->processor.buffers_max = 1;
	trial->processor.buffers_min = 2;
	assert_refused(trial, "buffers_min");
}

static void a_memory_limit_below_one_attempt_is_refused(void **state)
{
	struct trial *trial = simulated();

	(void)state;
	trial->processor.buffer_size = 4096;
	trial->processor.buffers_min = trial->processor.buffers_max = 4;
	trial->options.memory_limit = 4 * 4096 - 1;
	assert_refused(trial, "memory_limit must be at least 16384");
}

static void items_that_cannot_be_are_refused(void **state)
{
	struct trial *trial = simulated();
	struct iobatch_items items = iobatch_items_array(NULL, 3, 1);

	(void)state;
	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, &trial->result),
	                 -EINVAL);
	items = iobatch_items_array(trial->items, 3, 0);
	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, &trial->result),
	                 -EINVAL);
	assert_int_equal(iobatch_run(NULL, &trial->processor, &trial->options, &trial->result),
	                 -EINVAL);
	items = iobatch_items_array(trial->items, 3, 1);
	assert_int_equal(iobatch_run(&items, NULL, &trial->options, &trial->result), -EINVAL);
	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, NULL), -EINVAL);
	trial_free(trial);
}

/* A caller built against a newer header: what it has beyond ours must be zero. */
static void members_that_are_not_known_must_be_zero(void **state)
{
	struct {
		struct iobatch_options options;
		uint64_t newer;
	} grown = {.options = IOBATCH_OPTIONS_INIT};
	struct trial *trial = simulated();
	struct iobatch_items items =
		iobatch_items_array(trial->items, trial->count, sizeof(struct trial_item));

	(void)state;
	grown.options = trial->options;
	grown.options.size = sizeof(grown);
	assert_int_equal(iobatch_run(&items, &trial->processor, &grown.options, &trial->result), 0);
	iobatch_result_deinit(&trial->result);
	grown.newer = 1;
	assert_int_equal(iobatch_run(&items, &trial->processor, &grown.options, &trial->result),
	                 -EINVAL);
	trial_free(trial);
}

/* And an older one: what it lacks has its default. */
static void members_that_are_not_given_have_their_defaults(void **state)
{
	struct trial *trial = simulated();
	struct iobatch_options older = {
		.size = offsetof(struct iobatch_options, max_concurrent),
		.batch_size = 1,
		/* Beyond its end lies something else. */
		.executor = 99,
	};
	struct iobatch_items items =
		iobatch_items_array(trial->items, 0, sizeof(struct trial_item));

	(void)state;
	assert_int_equal(iobatch_run(&items, &trial->processor, &older, &trial->result), 0);
	trial_free(trial);
}

static void memory_that_cannot_be_had_is_an_error_and_nothing_runs(void **state)
{
	struct trial *trial = simulated();
	struct iobatch_items items = iobatch_items_array(trial->items, UINT64_MAX - 1, 1);

	(void)state;
	trial->options.batch_size = 1 << 20;
	trial->options.max_concurrent = 65536;
	assert_int_equal(iobatch_run(&items, &trial->processor, &trial->options, &trial->result),
	                 -ENOMEM);
	assert_true(trial->result.message[0] != '\0');
	assert_int_equal(trial->attempts, 0);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_out_of_range_are_named),
		cmocka_unit_test(a_journal_that_cannot_be_written_is_named),
		cmocka_unit_test(a_processor_that_cannot_work_is_named),
		cmocka_unit_test(a_memory_limit_below_one_attempt_is_refused),
		cmocka_unit_test(items_that_cannot_be_are_refused),
		cmocka_unit_test(members_that_are_not_known_must_be_zero),
		cmocka_unit_test(members_that_are_not_given_have_their_defaults),
		cmocka_unit_test(memory_that_cannot_be_had_is_an_error_and_nothing_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

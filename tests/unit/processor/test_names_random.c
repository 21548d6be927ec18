/* SPDX-License-Identifier: MIT */
/*
 * The processors of names and attributes on a kernel that fails, shortens, delays and does not
 * listen, from seeds: every item has one outcome, and the simulated kernel's own watch (nothing
 * changed in flight, nothing left open) has nothing to say.
 */
#include "held.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 24u
#define SEEDS 1000u

static struct iobatch_processor *make(unsigned which)
{
	struct iobatch_remove_options remove = IOBATCH_REMOVE_OPTIONS_INIT;
	struct iobatch_set_options set = IOBATCH_SET_OPTIONS_INIT;
	struct iobatch_stat_options stat = IOBATCH_STAT_OPTIONS_INIT;
	struct iobatch_rename_options rename = IOBATCH_RENAME_OPTIONS_INIT;
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{dir}/{stem}.copy", O_WRONLY | O_CREAT, 0600),
		iobatch_op_read(0, NULL, 100, 0),
		iobatch_op_write(1, NULL, 0, 0),
		iobatch_op_fchmod(1, 0600),
		iobatch_op_renameat(AT_FDCWD, "{dir}/{stem}.copy", AT_FDCWD, "{path}", 0),
	};
	struct iobatch_processor *processor = NULL;
	int result = 0;

	set.what = IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH | IOBATCH_SET_OWNER | IOBATCH_SET_MODE |
	           IOBATCH_SET_TIMES | IOBATCH_SET_SYNC;
	set.user = 1;
	set.mode = "u+rwX";
	stat.report = "/dev/null";
	rename.to = "{name}.new";
	switch (which) {
	case 0:
		result = iobatch_remove_new(&remove, &processor);
		break;
	case 1:
		result = iobatch_set_new(&set, &processor);
		break;
	case 2:
		result = iobatch_stat_new(&stat, &processor);
		break;
	case 3:
		result = iobatch_rename_new(&rename, &processor);
		break;
	case 4:
		result = iobatch_steps_new(ops, sizeof(ops) / sizeof(ops[0]), &processor, NULL,
		                           NULL);
		break;
	}
	assert_int_equal(result, 0);
	return processor;
}

static void run_seed(struct iobatch_items *items, unsigned which, uint64_t seed)
{
	const struct iobatch_simulation simulation = {
		.seed = seed,
		.file_size = BLOCK,
		.latency_max_ns = 2000000,
		.error_permille = seed % 3 ? 80 : 0,
		.short_permille = 100,
		.late_permille = seed % 2 ? 30 : 0,
		.submit_permille = 20,
		.without = (uint32_t)seed % 16,
	};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = make(which);

	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	options.batch_size = 4;
	options.max_concurrent = 3;
	options.retries = (uint32_t)seed % 4;
	options.timeout_ms = seed % 5 ? 10 : 0;
	/* What is late has answered by then. */
	options.stuck_grace_ms = 60000;
	assert_int_equal(iobatch_run(items, processor, &options, &result), 0);
	assert_int_equal(result.total_processed, ITEMS);
	assert_int_equal(result.successful + result.failed, ITEMS);
	assert_int_equal(result.still_running, 0);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void runs_from_seeds_give_every_item_one_outcome(void **state)
{
	static const unsigned char types[] = {DT_REG, DT_DIR, DT_UNKNOWN, DT_LNK};
	struct iobatch_file *files = calloc(ITEMS, sizeof(*files));
	struct iobatch_items items = iobatch_items_array(files, ITEMS, sizeof(*files));

	(void)state;
	assert_non_null(files);
	for (unsigned i = 0; i < ITEMS; i++) {
		struct iobatch_file *file = held_object(5, "d/", "name", types[i % 4]);

		files[i] = *file;
		free(file);
	}
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		for (unsigned which = 0; which < 5; which++)
			run_seed(&items, which, seed);
	free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_from_seeds_give_every_item_one_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

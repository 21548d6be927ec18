/* SPDX-License-Identifier: MIT */
/* The progress bar's text: never too wide, never wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/bar.h"

#define SECOND 1000000000ull

static struct iobatch_progress half_way(void)
{
	return (struct iobatch_progress){.processed = 500,
	                                 .successful = 497,
	                                 .failed = 3,
	                                 .pending = 500,
	                                 .current_batch = 8,
	                                 .total_batches = 16,
	                                 .total_is_final = true,
	                                 .bytes = 5 << 20,
	                                 .elapsed_ns = 5 * SECOND};
}

static void a_wide_line_holds_everything(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	bar_sample(&rates, &progress);
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "[##########..........]   50%  500/1000  100/s  1.0 MiB/s  "
	                          "ETA 5.00 s  3 failed");
}

static void what_is_stuck_now_is_said_beside_what_failed(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	progress.stuck = 2;
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "[##########..........]   50%  500/1000  3 failed  2 stuck");
	/* Less of use than what failed, more than anything else. */
	bar_render(line, 27, &progress, &rates, NULL);
	assert_string_equal(line, "500/1000  3 failed  2 stuck");
	bar_render(line, 26, &progress, &rates, NULL);
	assert_string_equal(line, " 50%  500/1000  3 failed");
}

static void a_run_that_does_not_go_on_has_a_word_and_no_time_left(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	bar_sample(&rates, &progress);
	bar_render(line, 200, &progress, &rates, "paused");
	assert_string_equal(line, "[##########..........]   50%  500/1000  100/s  1.0 MiB/s  "
	                          "paused  3 failed");
	progress.total_is_final = false;
	bar_render(line, 200, &progress, &rates, "paused");
	assert_string_equal(line, "500 done, 500 or more left  100/s  1.0 MiB/s  paused  3 failed");
}

static void a_line_is_never_wider_than_the_terminal(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	progress.processed = UINT64_MAX / 2;
	progress.pending = UINT64_MAX / 2;
	progress.failed = UINT64_MAX / 2;
	progress.stuck = UINT64_MAX / 2;
	progress.bytes = UINT64_MAX;
	bar_sample(&rates, &progress);
	for (size_t columns = 0; columns <= 300; columns++) {
		for (unsigned final = 0; final < 2; final++) {
			size_t length;

			progress.total_is_final = final;
			length = bar_render(line, columns, &progress, &rates, NULL);
			assert_int_equal(length, strlen(line));
			assert_in_range(length, 0, columns);
		}
	}
}

static void the_least_useful_is_left_out_first(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	bar_sample(&rates, &progress);
	bar_render(line, 60, &progress, &rates, NULL);
	assert_string_equal(line, " 50%  500/1000  100/s  1.0 MiB/s  ETA 5.00 s  3 failed");
	bar_render(line, 20, &progress, &rates, NULL);
	assert_string_equal(line, "500/1000  3 failed");
	bar_render(line, 8, &progress, &rates, NULL);
	assert_string_equal(line, "500/1000");
	bar_render(line, 3, &progress, &rates, NULL);
	assert_int_equal(strlen(line), 0);
}

static void a_total_that_may_grow_is_not_divided_by(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	progress.total_is_final = false;
	bar_sample(&rates, &progress);
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "500 done, 500 or more left  100/s  1.0 MiB/s  3 failed");
}

static void a_hundred_percent_is_said_when_all_is_done(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false};
	char line[BAR_COLUMNS_MAX + 1];

	(void)state;
	progress.failed = 0;
	progress.bytes = 0;
	progress.processed = 99999;
	progress.pending = 1;
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "[###################.]   99%  99999/100000");
	progress.processed = 100000;
	progress.pending = 0;
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "[####################]  100%  100000/100000");
	progress.processed = 0;
	bar_render(line, 200, &progress, &rates, NULL);
	assert_string_equal(line, "[####################]  100%  0/0");
}

static void rates_follow_slowly_and_survive_a_clock_that_stands(void **state)
{
	struct iobatch_progress progress = half_way();
	struct bar_rates rates = {.sampled = false}, before;

	(void)state;
	bar_sample(&rates, &progress);
	assert_true(rates.items_per_s > 99.9 && rates.items_per_s < 100.1);
	before = rates;
	bar_sample(&rates, &progress);
	assert_memory_equal(&rates, &before, sizeof(rates));
	/* A second without an item takes the rate down, but not to nothing. */
	progress.elapsed_ns += SECOND;
	bar_sample(&rates, &progress);
	assert_true(rates.items_per_s > 30 && rates.items_per_s < 90);
}

static void bytes_and_times_are_short(void **state)
{
	char text[32];

	(void)state;
#define BYTES(bytes, expected)                       \
	bar_format_bytes(text, sizeof(text), bytes); \
	assert_string_equal(text, expected)
	BYTES(0, "0 B");
	BYTES(1023, "1023 B");
	BYTES(1023.99, "1.0 KiB");
	BYTES(1536, "1.5 KiB");
	BYTES(1024 * 1024 - 1, "1.0 MiB");
	BYTES(1e15, "909.5 TiB");
	BYTES(1.8446744073709552e19, "16384.0 PiB");
#define DURATION(seconds, expected)                       \
	bar_format_duration(text, sizeof(text), seconds); \
	assert_string_equal(text, expected)
	DURATION(0, "0.00 s");
	DURATION(9.999, "10.0 s");
	DURATION(59.99, "1m00s");
	DURATION(245, "4m05s");
	DURATION(3599.7, "1h00m");
	DURATION(90000, "1d01h");
	DURATION(1e30, "11574d01h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wide_line_holds_everything),
		cmocka_unit_test(what_is_stuck_now_is_said_beside_what_failed),
		cmocka_unit_test(a_run_that_does_not_go_on_has_a_word_and_no_time_left),
		cmocka_unit_test(a_line_is_never_wider_than_the_terminal),
		cmocka_unit_test(the_least_useful_is_left_out_first),
		cmocka_unit_test(a_total_that_may_grow_is_not_divided_by),
		cmocka_unit_test(a_hundred_percent_is_said_when_all_is_done),
		cmocka_unit_test(rates_follow_slowly_and_survive_a_clock_that_stands),
		cmocka_unit_test(bytes_and_times_are_short),
	};

	return cmocka_run_group_tests_name("cli/bar", tests, NULL, NULL);
}

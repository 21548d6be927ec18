/* SPDX-License-Identifier: MIT */
/* The histogram: percentiles are right to one part in 32, whatever the scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/lateness.h"

static struct lateness lateness, other;

static void assert_near(uint64_t found, uint64_t expected)
{
	assert_in_range(found, expected, expected + expected / 32);
}

static void no_times_give_zeros(void **state)
{
	struct iobatch_lateness report;

	(void)state;
	memset(&lateness, 0, sizeof(lateness));
	lateness_report(&lateness, &report);
	assert_int_equal(report.count, 0);
	assert_int_equal(report.p99_ns, 0);
	assert_int_equal(report.max_ns, 0);
}

static void percentiles_of_a_ramp_are_where_they_belong(void **state)
{
	(void)state;
	for (uint64_t scale = 1; scale < UINT64_C(1) << 50; scale *= 1000) {
		struct iobatch_lateness report;

		memset(&lateness, 0, sizeof(lateness));
		for (uint64_t i = 1; i <= 1000; i++)
			lateness_add(&lateness, i * scale);
		lateness_report(&lateness, &report);
		assert_int_equal(report.count, 1000);
		assert_near(report.p50_ns, 500 * scale);
		assert_near(report.p90_ns, 900 * scale);
		assert_near(report.p99_ns, 990 * scale);
		assert_int_equal(report.max_ns, 1000 * scale);
	}
}

static void the_greatest_time_has_a_bucket(void **state)
{
	struct iobatch_lateness report;

	(void)state;
	memset(&lateness, 0, sizeof(lateness));
	lateness_add(&lateness, UINT64_MAX);
	lateness_add(&lateness, 0);
	lateness_report(&lateness, &report);
	assert_int_equal(report.p50_ns, 0);
	assert_int_equal(report.p99_ns, UINT64_MAX);
}

static void merging_counts_both(void **state)
{
	struct iobatch_lateness report;

	(void)state;
	memset(&lateness, 0, sizeof(lateness));
	memset(&other, 0, sizeof(other));
	for (unsigned i = 0; i < 98; i++)
		lateness_add(&lateness, 10);
	lateness_add(&other, 5000);
	lateness_add(&other, 6000);
	lateness_merge(&lateness, &other);
	lateness_report(&lateness, &report);
	assert_int_equal(report.count, 100);
	assert_int_equal(report.p90_ns, 10);
	assert_near(report.p99_ns, 5000);
	assert_int_equal(report.max_ns, 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_times_give_zeros),
		cmocka_unit_test(percentiles_of_a_ramp_are_where_they_belong),
		cmocka_unit_test(the_greatest_time_has_a_bucket),
		cmocka_unit_test(merging_counts_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

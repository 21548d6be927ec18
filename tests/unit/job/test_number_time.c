/* SPDX-License-Identifier: MIT */
/* Ages and times as people write them, strictly. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "job/number.h"

#define NS INT64_C(1000000000)

static void ages_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{"0", 0},          {"30s", 30000},
		{"15m", 900000},   {"12h", 43200000},
		{"7d", 604800000}, {"2w", 1209600000},
		{"0d", 0},         {"1000000w", 604800000000000},
	};
	static const char *const bad[] = {"",    "7",     "d",  "-1d", "1.5d",
	                                  "7 d", "7days", "7D", "1d2h"};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(number_parse_age(good[i].text, &ms), 0);
		assert_true(ms == good[i].ms);
	}
	ms = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_parse_age(bad[i], &ms), -EINVAL);
	assert_int_equal(number_parse_age("18446744073709551615w", &ms), -ERANGE);
	assert_int_equal(ms, 42);
}

static void times_are_seconds_or_dates_with_a_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"now", INT64_MAX},
		{"keep", INT64_MIN},
		{"@0", 0},
		{"@5", 5 * NS},
		{"@-5", -5 * NS},
		{"@5.25", 5 * NS + 250000000},
		{"@-5.25", -5 * NS - 250000000},
		{"@1700000000.123456789", 1700000000 * NS + 123456789},
		{"@1.1234567891", NS + 123456789},
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01 00:00Z", 0},
		{"1970-01-01Z", 0},
		{"2026-01-31T12:00:00Z", 1769860800 * NS},
		{"2026-01-31T12:00:00.5Z", 1769860800 * NS + 500000000},
		{"2026-01-31T12:00:00,5Z", 1769860800 * NS + 500000000},
		{"2026-01-31T14:00:00+02:00", 1769860800 * NS},
		{"2026-01-31T14:00:00+0200", 1769860800 * NS},
		{"2026-01-31T06:30-05:30", 1769860800 * NS},
		{"1969-12-31T23:59:59Z", -NS},
		{"2024-02-29T00:00:00Z", 1709164800 * NS},
		{"2016-12-31T23:59:60Z", 1483228800 * NS},
	};
	static const char *const bad[] = {
		"",
		"@",
		"@x",
		"@5.",
		"@5.5x",
		"@+5",
		"@--5",
		"yesterday",
		"NOW",
		"2026",
		"2026-01",
		"2026-1-31T12:00:00Z",
		"2026-13-01T12:00:00Z",
		"2026-00-01T12:00:00Z",
		"2026-01-00T12:00:00Z",
		"2026-02-29T12:00:00Z",
		"2026-02-30T12:00:00Z",
		"2026-01-31T24:00:00Z",
		"2026-01-31T12:60:00Z",
		"2026-01-31T12:00:61Z",
		"2026-01-31T12:00:00.Z",
		"2026-01-31T12",
		"2026-01-31T12:00:00X",
		"2026-01-31T12:00:00+2",
		"2026-01-31T12:00:00+24:00",
		"2026-01-31T12:00:00Z ",
		" 2026-01-31T12:00:00Z",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int err = number_parse_time(good[i].text, &ns);

		if (err || ns != good[i].ns)
			fail_msg("%s: %d, %lld", good[i].text, err, (long long)ns);
	}
	ns = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (number_parse_time(bad[i], &ns) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
	assert_int_equal(number_parse_time("@9223372037", &ns), -ERANGE);
	assert_int_equal(number_parse_time("@99999999999999999999", &ns), -ERANGE);
	assert_int_equal(number_parse_time("9999-01-01T00:00:00Z", &ns), -ERANGE);
	assert_int_equal(ns, 42);
}

static void without_a_zone_a_time_is_that_of_this_place(void **state)
{
	int64_t ns;

	(void)state;
	setenv("TZ", "XYZ-3", 1);
	tzset();
	assert_int_equal(number_parse_time("1970-01-01T03:00:00", &ns), 0);
	assert_int_equal(ns, 0);
	assert_int_equal(number_parse_time("1970-01-01T03:00:00Z", &ns), 0);
	assert_int_equal(ns, 3 * 3600 * NS);
	assert_int_equal(number_parse_time("1970-01-02", &ns), 0);
	assert_int_equal(ns, 21 * 3600 * NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages_have_units),
		cmocka_unit_test(times_are_seconds_or_dates_with_a_zone),
		cmocka_unit_test(without_a_zone_a_time_is_that_of_this_place),
	};

	return cmocka_run_group_tests_name("job/number_time", tests, NULL, NULL);
}

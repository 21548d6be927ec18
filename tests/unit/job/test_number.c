/* SPDX-License-Identifier: MIT */
/* Numbers of a job file: what is taken, what is refused, and that nothing wraps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/number.h"

typedef int (*parser)(const char *text, uint64_t *ret_value);

struct sample {
	const char *text;
	int err;
	uint64_t value;
};

static void check_all(parser parse, const struct sample *samples)
{
	for (; samples->text; samples++) {
		uint64_t value = 4711;

		assert_int_equal(parse(samples->text, &value), samples->err);
		assert_true(value == (samples->err ? 4711 : samples->value));
	}
}

static void counts_are_digits_and_nothing_else(void **state)
{
	static const struct sample samples[] = {
		{"0", 0, 0},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"64K", -EINVAL, 0},
		{NULL, 0, 0},
	};

	(void)state;
	check_all(number_parse_count, samples);
}

static void sizes_take_binary_and_decimal_units(void **state)
{
	static const struct sample samples[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"512B", 0, 512},
		{"64K", 0, 65536},
		{"64KiB", 0, 65536},
		{"3M", 0, 3 << 20},
		{"3MiB", 0, 3 << 20},
		{"2G", 0, 2ull << 30},
		{"2GiB", 0, 2ull << 30},
		{"5T", 0, 5ull << 40},
		{"5TiB", 0, 5ull << 40},
		{"64kB", 0, 64000},
		{"3MB", 0, 3000000},
		{"2GB", 0, 2000000000},
		{"1TB", 0, 1000000000000},
		{"16777215TiB", 0, 16777215ull << 40},
		{"16777216TiB", -ERANGE, 0},
		{"64k", -EINVAL, 0},
		{"64kib", -EINVAL, 0},
		{"64KB", -EINVAL, 0},
		{"64 KiB", -EINVAL, 0},
		{"1.5M", -EINVAL, 0},
		{"-1K", -EINVAL, 0},
		{"KiB", -EINVAL, 0},
		{"64KiBs", -EINVAL, 0},
		{NULL, 0, 0},
	};

	(void)state;
	check_all(number_parse_size, samples);
}

static void durations_need_a_unit(void **state)
{
	static const struct sample samples[] = {
		{"0", 0, 0},
		{"7ns", 0, 7},
		{"7us", 0, 7000},
		{"7ms", 0, 7000000},
		{"7s", 0, 7000000000},
		{"18446744073s", 0, 18446744073000000000ull},
		{"18446744074s", -ERANGE, 0},
		{"7", -EINVAL, 0},
		{"7m", -EINVAL, 0},
		{"ms", -EINVAL, 0},
		{NULL, 0, 0},
	};

	(void)state;
	check_all(number_parse_duration, samples);
}

static void modes_are_octal(void **state)
{
	static const struct sample samples[] = {
		{"0644", 0, 0644},     {"644", 0, 0644},      {"7777", 0, 07777},
		{"0", 0, 0},           {"10000", -ERANGE, 0}, {"888", -EINVAL, 0},
		{"0o644", -EINVAL, 0}, {"rw", -EINVAL, 0},    {"", -EINVAL, 0},
		{NULL, 0, 0},
	};

	(void)state;
	check_all(number_parse_mode, samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_digits_and_nothing_else),
		cmocka_unit_test(sizes_take_binary_and_decimal_units),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(modes_are_octal),
	};

	return cmocka_run_group_tests_name("job/number", tests, NULL, NULL);
}

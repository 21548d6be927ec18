/* SPDX-License-Identifier: MIT */
/* Names that are made of a number. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int series_new(const char *path, uint64_t count, struct iobatch_source **ret_source)
{
	struct iobatch_series_options options = IOBATCH_SERIES_OPTIONS_INIT;

	options.path = path;
	options.count = count;
	return iobatch_source_series(&options, ret_source);
}

static void assert_series(const char *path, uint64_t count, const char *const *expected)
{
	struct iobatch_source *source;
	struct collected all;

	assert_int_equal(series_new(path, count, &source), 0);
	assert_int_equal(iobatch_source_items(source).count, count);
	collect(source, &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, count);
	for (size_t i = 0; i < all.count; i++) {
		assert_string_equal(all.files[i]->path, expected[i]);
		assert_null(all.files[i]->directory);
		assert_int_equal(all.files[i]->name, 0);
		assert_int_equal(all.files[i]->fd, -1);
	}
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void numbers_count_from_zero(void **state)
{
	(void)state;
	assert_series("d/f{index}", 3, (const char *const[]){"d/f0", "d/f1", "d/f2"});
	assert_series("{index}{index}x", 2, (const char *const[]){"00x", "11x"});
	assert_series("f", 1, (const char *const[]){"f"});
	assert_series("f", 0, NULL);
}

static void numbers_have_a_width(void **state)
{
	struct iobatch_source *source;
	struct collected all;

	(void)state;
	assert_series("{index:3}.{index:1}", 2, (const char *const[]){"000.0", "001.1"});
	assert_int_equal(series_new("{index:2}", 101, &source), 0);
	collect(source, &all);
	assert_string_equal(all.files[99]->path, "99");
	assert_string_equal(all.files[100]->path, "100");
	collected_deinit(&all);
	iobatch_source_free(source);
}

static void two_braces_are_one(void **state)
{
	(void)state;
	assert_series("{{index}}{index}", 1, (const char *const[]){"{index}0"});
}

static void other_braces_are_refused(void **state)
{
	static const char *const bad[] = {"{",        "}",         "{name}",     "{index",
	                                  "{index:}", "{index:x}", "{index:-1}", "{index:256}",
	                                  "{index}}", "",          "{index:1"};
	struct iobatch_source *source = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(series_new(bad[i], 1, &source), -EINVAL);
	assert_int_equal(series_new(NULL, 1, &source), -EINVAL);
	assert_int_equal(iobatch_source_series(NULL, &source), -EINVAL);
	assert_null(source);
}

static void names_that_are_all_the_same_are_refused(void **state)
{
	struct iobatch_source *source = NULL;

	(void)state;
	assert_int_equal(series_new("f", 2, &source), -EINVAL);
	assert_null(source);
}

static void names_that_do_not_fit_are_refused(void **state)
{
	char *path = malloc(IOBATCH_PATH_MAX + 1);
	struct iobatch_source *source = NULL;

	(void)state;
	memset(path, 'x', IOBATCH_PATH_MAX);
	path[IOBATCH_PATH_MAX] = '\0';
	assert_int_equal(series_new(path, 1, &source), -ENAMETOOLONG);
	/* As long as can be, and one byte longer. */
	memset(path, 'x', IOBATCH_PATH_MAX);
	strcpy(path + IOBATCH_PATH_MAX - 10, "{index:9}");
	assert_int_equal(series_new(path, 10, &source), 0);
	iobatch_source_free(source);
	source = NULL;
	strcpy(path + IOBATCH_PATH_MAX - 11, "{index:11}");
	assert_int_equal(series_new(path, 10, &source), -ENAMETOOLONG);
	assert_null(source);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_count_from_zero),
		cmocka_unit_test(numbers_have_a_width),
		cmocka_unit_test(two_braces_are_one),
		cmocka_unit_test(other_braces_are_refused),
		cmocka_unit_test(names_that_are_all_the_same_are_refused),
		cmocka_unit_test(names_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The set of items: nothing is lost while it grows, and ten million items take no more than they
 * may (in the long suite: with an argument, the number of items).
 */
#include "book.h"

#include "journal/set.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t items = 300000;

static struct set_key key_of(uint64_t number)
{
	char name[80];

	return set_key_of_name(name, (size_t)sprintf(name, "/some/tree/directory-%lu/file-%lu",
	                                             number / 1000, number));
}

static void nothing_is_lost_and_little_is_taken(void **state)
{
	struct set *set;
	uint64_t before;

	(void)state;
	assert_int_equal(set_new(&set), 0);
	assert_int_equal(set_get(set, key_of(0)), 0);
	for (uint64_t i = 0; i < items; i++) {
		assert_int_equal(set_put(set, key_of(i), i + 1, &before), 0);
		assert_int_equal(before, 0);
	}
	for (uint64_t i = 0; i < items; i += 3) {
		assert_int_equal(set_put(set, key_of(i), i + 2, &before), 0);
		assert_int_equal(before, i + 1);
	}
	for (uint64_t i = 0; i < items; i++)
		assert_int_equal(set_get(set, key_of(i)), i + 1 + !(i % 3));
	for (uint64_t i = items; i < items + 1000; i++)
		assert_int_equal(set_get(set, key_of(i)), 0);
	assert_int_equal(set_count(set), items);
	print_message("%lu items, %.1f bytes each\n", items, (double)set_size(set) / (double)items);
	assert_true(set_size(set) <= 40 * items);
	set_free(set);
}

static void keys_that_share_a_half_are_two(void **state)
{
	struct set_key keys[] = {{1, 1}, {1, 2}, {2, 1}};
	struct set *set;
	uint64_t before;

	(void)state;
	assert_int_equal(set_new(&set), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(set_put(set, keys[i], i + 1, &before), 0);
		assert_int_equal(before, 0);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(set_get(set, keys[i]), i + 1);
	set_free(set);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_and_little_is_taken),
		cmocka_unit_test(keys_that_share_a_half_are_two),
	};

	if (argc > 1)
		items = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * How options of older and newer callers are taken, by the helper itself and by the sources, and
 * which values are refused.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "op/abi.h"

struct example {
	size_t size;
	uint64_t old;
	uint64_t new;
};

static void a_shorter_struct_keeps_the_defaults_of_what_it_lacks(void **state)
{
	struct example given = {offsetof(struct example, new), 5, 6};
	struct example ret = {sizeof(ret), 1, 2};

	(void)state;
	assert_true(abi_known(&given, given.size, sizeof(ret)));
	abi_copy(&ret, &given, sizeof(ret));
	assert_int_equal(ret.old, 5);
	assert_int_equal(ret.new, 2);
}

static void a_longer_struct_is_known_while_the_rest_is_zero(void **state)
{
	struct {
		struct example known;
		unsigned char rest[3];
	} given = {{sizeof(struct example) + 3, 5, 6}, {0}};
	struct example ret[2] = {{sizeof(ret[0]), 1, 2}, {0, 77, 77}};

	(void)state;
	assert_true(abi_known(&given, given.known.size, sizeof(ret[0])));
	abi_copy(&ret[0], &given, sizeof(ret[0]));
	assert_int_equal(ret[0].new, 6);
	assert_int_equal(ret[1].old, 77);
	given.rest[2] = 1;
	assert_false(abi_known(&given, given.known.size, sizeof(ret[0])));
	/* What is beyond the caller's own size is not the caller's. */
	assert_true(abi_known(&given, given.known.size - 1, sizeof(ret[0])));
}

static void impossible_sizes_are_refused(void **state)
{
	struct example given = {0};

	(void)state;
	assert_false(abi_known(&given, 0, sizeof(given)));
	assert_false(abi_known(&given, sizeof(size_t) - 1, sizeof(given)));
	assert_true(abi_known(&given, sizeof(size_t), sizeof(given)));
	assert_false(abi_known(&given, SIZE_MAX, sizeof(given)));
}

static void a_walk_takes_options_of_older_and_newer_callers(void **state)
{
	struct tree *tree = *state;
	struct {
		struct iobatch_walk_options known;
		uint64_t unknown;
	} options = {IOBATCH_WALK_OPTIONS_INIT, 0};
	struct iobatch_source *source = NULL;
	struct collected all;

	tree_file(tree, "f", 10);
	tree_directory(tree, "d");
	options.known.root = tree->root;
	/* The garbage where the sizes would be is not looked at, nor is there a filter of types. */
	options.known.size = offsetof(struct iobatch_walk_options, types);
	options.known.types = UINT32_MAX;
	options.known.min_size = 99;
	collect_walk(&options.known, &all);
	assert_relative_list(&all, "f");
	collected_deinit(&all);

	options.known.types = IOBATCH_TYPE_FILE;
	options.known.min_size = 0;
	options.known.size = sizeof(options);
	collect_walk(&options.known, &all);
	assert_relative_list(&all, "f");
	collected_deinit(&all);
	options.unknown = 1;
	assert_int_equal(iobatch_source_walk(&options.known, &source), -EINVAL);
	options.known.size = 0;
	assert_int_equal(iobatch_source_walk(&options.known, &source), -EINVAL);
	assert_null(source);
}

static void a_range_takes_options_of_older_and_newer_callers(void **state)
{
	struct tree *tree = *state;
	char *path = tree_path(tree, "f");
	struct {
		struct iobatch_range_options known;
		uint64_t unknown;
	} options = {IOBATCH_RANGE_OPTIONS_INIT, 0};
	struct iobatch_source *source = NULL;

	tree_file(tree, "f", 65537);
	options.known.path = path;
	options.known.block_size = 1;
	options.known.size = offsetof(struct iobatch_range_options, block_size);
	assert_int_equal(iobatch_source_range(&options.known, &source), 0);
	assert_int_equal(iobatch_source_items(source).count, 2);
	iobatch_source_free(source);

	source = NULL;
	options.known.size = sizeof(options);
	options.unknown = 1;
	assert_int_equal(iobatch_source_range(&options.known, &source), -EINVAL);
	options.known.size = 1;
	assert_int_equal(iobatch_source_range(&options.known, &source), -EINVAL);
	assert_null(source);
	free(path);
}

static void a_walk_refuses_values_out_of_range(void **state)
{
	struct tree *tree = *state;
	struct iobatch_walk_options good = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_walk_options bad;
	struct iobatch_source *source = NULL;

	good.root = tree->root;
	bad = good;
	bad.root = NULL;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.types = 0;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.types = 16;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.min_size = 2;
	bad.max_size = 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.roots = (const char *const[]){tree->root, NULL};
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad.root = NULL;
	bad.roots = (const char *const[]){NULL};
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.min_age_ms = 2;
	bad.max_age_ms = 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.min_depth = 2;
	bad.max_depth = 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.one_file_system = 2;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.no_follow = 2;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.root_name = IOBATCH_ROOT_NAME_DROP + 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.order = IOBATCH_WALK_BY_SIZE + 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	bad = good;
	bad.directories = IOBATCH_DIRECTORIES_LAST + 1;
	assert_int_equal(iobatch_source_walk(&bad, &source), -EINVAL);
	assert_int_equal(iobatch_source_walk(NULL, &source), -EINVAL);
	assert_null(source);
	assert_int_equal(iobatch_source_walk(&good, &source), 0);
	iobatch_source_free(source);
}

static void a_range_refuses_values_out_of_range(void **state)
{
	struct tree *tree = *state;
	char *path = tree_path(tree, "f");
	struct iobatch_range_options good = IOBATCH_RANGE_OPTIONS_INIT;
	struct iobatch_range_options bad;
	struct iobatch_source *source = NULL;

	tree_file(tree, "f", 65536);
	good.path = path;
	bad = good;
	bad.path = NULL;
	assert_int_equal(iobatch_source_range(&bad, &source), -EINVAL);
	bad = good;
	bad.block_size = 0;
	assert_int_equal(iobatch_source_range(&bad, &source), -EINVAL);
	bad = good;
	bad.order = IOBATCH_ORDER_RANDOM + 1;
	assert_int_equal(iobatch_source_range(&bad, &source), -EINVAL);
	bad = good;
	bad.direct = 2;
	assert_int_equal(iobatch_source_range(&bad, &source), -EINVAL);
	bad = good;
	bad.direct = 1;
	bad.block_size = 1000;
	assert_int_equal(iobatch_source_range(&bad, &source), -EINVAL);
	assert_int_equal(iobatch_source_range(NULL, &source), -EINVAL);
	assert_null(source);
	assert_int_equal(iobatch_source_range(&good, &source), 0);
	iobatch_source_free(source);
	free(path);
}

static void a_list_refuses_values_out_of_range(void **state)
{
	struct iobatch_list_options bad = IOBATCH_LIST_OPTIONS_INIT;
	struct iobatch_source *source = NULL;

	(void)state;
	bad.fd = 0;
	bad.column = 1;
	bad.delimiter = '\n';
	assert_int_equal(iobatch_source_list(&bad, &source), -EINVAL);
	assert_int_equal(iobatch_source_list(NULL, &source), -EINVAL);
	assert_null(source);
}

static void no_source_can_be_freed(void **state)
{
	(void)state;
	iobatch_source_free(NULL);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shorter_struct_keeps_the_defaults_of_what_it_lacks),
		cmocka_unit_test(a_longer_struct_is_known_while_the_rest_is_zero),
		cmocka_unit_test(impossible_sizes_are_refused),
		IN_TREE(a_walk_takes_options_of_older_and_newer_callers),
		IN_TREE(a_range_takes_options_of_older_and_newer_callers),
		IN_TREE(a_walk_refuses_values_out_of_range),
		IN_TREE(a_range_refuses_values_out_of_range),
		cmocka_unit_test(a_list_refuses_values_out_of_range),
		cmocka_unit_test(no_source_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Copies and moves when memory runs out, at each allocation of theirs in turn: the item fails with
 * ENOMEM, or its file has one name less in common, and another attempt gets through. The linker's
 * --wrap hands every allocation of the library to this file first.
 */
#include "copying.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static _Thread_local bool watching;
static unsigned fail_at; /* the allocation that fails, from 1 */
static unsigned allocations;

void *__wrap_calloc(size_t count, size_t size)
{
	if (watching && ++allocations == fail_at)
		return NULL;
	return __real_calloc(count, size);
}

/* What the processor allocates, and nobody else. */
static int watched_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	const struct iobatch_processor *inner = context;
	int result;

	watching = true;
	result = inner->next(inner->context, item, done, chain);
	watching = false;
	return result;
}

static int watched_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                            struct iobatch_op *op)
{
	const struct iobatch_processor *inner = context;

	return inner->complete(inner->context, item, chain, op);
}

static int watched_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_processor *inner = context;

	return inner->cleanup(inner->context, item, chain);
}

static int watched_settled(void *context, struct iobatch_item *item,
                           const struct iobatch_outcome *outcome)
{
	const struct iobatch_processor *inner = context;

	return inner->settled(inner->context, item, outcome);
}

static int watched_finish(void *context)
{
	const struct iobatch_processor *inner = context;

	return inner->finish(inner->context);
}

static void run(const struct iobatch_options *options, bool moves, struct iobatch_result *result)
{
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_processor *inner, watched;
	struct iobatch_source *source;
	struct iobatch_items items;

	if (moves)
		assert_int_equal(iobatch_move_new(&copy, &inner), 0);
	else
		assert_int_equal(iobatch_copy_new(&copy, &inner), 0);
	watched = *inner;
	watched.context = inner;
	watched.next = watched_next;
	watched.complete = watched_complete;
	watched.cleanup = watched_cleanup;
	watched.settled = watched_settled;
	watched.finish = watched_finish;
	walk.root = "tree";
	walk.types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY;
	walk.directories = IOBATCH_DIRECTORIES_LAST;
	assert_int_equal(iobatch_source_walk(&walk, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, &watched, options, result), 0);
	iobatch_source_free(source);
	iobatch_processor_free(inner);
}

static void make_tree(void)
{
	assert_int_equal(mkdir("tree", 0755), 0);
	assert_int_equal(mkdir("tree/a", 0755), 0);
	assert_int_equal(mkdir("tree/a/b", 0755), 0);
	file_make("tree/a/b/one", 3 * BLOCK);
	file_make("tree/a/two", 3);
	assert_int_equal(link("tree/a/two", "tree/a/b/three"), 0);
}

static void assert_tree(void)
{
	assert_file("out/a/b/one", 3 * BLOCK);
	assert_file("out/a/b/three", 3);
	assert_file("out/a/two", 3);
	assert_int_equal(hidden_count("out/a"), 0);
	assert_int_equal(hidden_count("out/a/b"), 0);
	remove_tree("out");
}

static void each_allocation_may_fail(void **state, bool moves)
{
	struct iobatch_options options = files_options(state);
	unsigned count = 1;

	options.retries = 2;
	for (fail_at = 0; fail_at <= count; fail_at++) {
		struct iobatch_result result = IOBATCH_RESULT_INIT;

		make_tree();
		allocations = 0;
		run(&options, moves, &result);
		assert_int_equal(result.failed, 0);
		iobatch_result_deinit(&result);
		assert_tree();
		if (fail_at == 0)
			count = allocations;
		if (!moves)
			remove_tree("tree");
	}
	assert_true(count > 5);
}

static void each_allocation_of_a_copy_may_fail(void **state)
{
	each_allocation_may_fail(state, false);
}

static void each_allocation_of_a_move_may_fail(void **state)
{
	each_allocation_may_fail(state, true);
}

static void without_memory_there_is_no_processor(void **state)
{
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_processor *processor = NULL;
	int result = -ENOMEM;

	(void)state;
	assert_int_equal(mkdir("out", 0755), 0);
	for (fail_at = 1; result == -ENOMEM; fail_at++) {
		allocations = 0;
		watching = true;
		result = iobatch_copy_new(&copy, &processor);
		watching = false;
		assert_true(result == 0 || !processor);
	}
	assert_int_equal(result, 0);
	assert_true(fail_at > 5);
	iobatch_processor_free(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(each_allocation_of_a_copy_may_fail),
		FILES_ON_REAL(each_allocation_of_a_move_may_fail),
		FILES_TEST(without_memory_there_is_no_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

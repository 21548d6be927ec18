/* SPDX-License-Identifier: MIT */
/*
 * The processors of names and attributes when memory runs out, at each allocation in turn: they say
 * so and keep nothing. The linker's --wrap hands every allocation of the library to this file
 * first; what the C library allocates within itself passes by.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *pointer);

static bool watching;
static long fail_at;      /* allocations until one fails, -1 = none does */
static size_t fails_from; /* smallest that fails */
static long blocks;

static bool fails(size_t size)
{
	return watching && size >= fails_from && fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
	void *pointer = fails(size) ? NULL : __real_malloc(size);

	blocks += watching && pointer;
	return pointer;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *pointer = fails(count * size) ? NULL : __real_calloc(count, size);

	blocks += watching && pointer;
	return pointer;
}

void __wrap_free(void *pointer)
{
	blocks -= watching && pointer;
	__real_free(pointer);
}

static int new_remove(struct iobatch_processor **ret_processor)
{
	struct iobatch_remove_options options = IOBATCH_REMOVE_OPTIONS_INIT;

	return iobatch_remove_new(&options, ret_processor);
}

static int new_set(struct iobatch_processor **ret_processor)
{
	struct iobatch_set_options options = IOBATCH_SET_OPTIONS_INIT;

	options.what = IOBATCH_SET_MODE;
	options.mode = "u+rwX,+t";
	return iobatch_set_new(&options, ret_processor);
}

static int new_stat(struct iobatch_processor **ret_processor)
{
	struct iobatch_stat_options options = IOBATCH_STAT_OPTIONS_INIT;

	options.report = "report";
	return iobatch_stat_new(&options, ret_processor);
}

static int new_rename(struct iobatch_processor **ret_processor)
{
	struct iobatch_rename_options options = IOBATCH_RENAME_OPTIONS_INIT;

	options.match = "(.)";
	options.to = "{1}.{name}";
	return iobatch_rename_new(&options, ret_processor);
}

static int new_steps(struct iobatch_processor **ret_processor)
{
	const struct iobatch_op ops[] = {
		iobatch_op_renameat(AT_FDCWD, "{path}", AT_FDCWD, "{dir}/{stem}.x", 0),
	};

	return iobatch_steps_new(ops, 1, ret_processor, NULL, NULL);
}

static void each_allocation_that_fails_is_told_and_nothing_is_kept(void **state)
{
	static int (*const makers[])(struct iobatch_processor **) = {new_remove, new_set, new_stat,
	                                                             new_rename, new_steps};

	(void)state;
	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		for (long allocation = 0;; allocation++) {
			struct iobatch_processor *processor = NULL;
			int result;

			blocks = 0;
			fails_from = 0;
			fail_at = allocation;
			watching = true;
			result = makers[i](&processor);
			if (result == 0)
				iobatch_processor_free(processor);
			watching = false;
			assert_int_equal(hidden_count("."), 0);
			/* The C library has allocated some of what was freed: a pattern, a path. */
			assert_true(blocks <= 0);
			if (result == 0) {
				assert_true(allocation > 0);
				break;
			}
			assert_int_equal(result, -ENOMEM);
			assert_null(processor);
		}
	}
}

static void a_long_line_that_there_is_no_memory_for_fails_its_item(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	struct iobatch_file *object;
	char *shown = malloc(20001);
	const char *result;
	int dirfd = open(".", O_PATH | O_DIRECTORY);

	assert_non_null(shown);
	file_make("name", 1);
	memset(shown, 'd', 20000);
	shown[19999] = '/';
	shown[20000] = '\0';
	object = held_object(dirfd, shown, "name", DT_REG);
	assert_int_equal(new_stat(&processor), 0);
	/* Nothing else is as large as the line, with all that it may need. */
	options.batch_size = 1;
	options.max_concurrent = 1;
	fails_from = 100000;
	fail_at = 0;
	watching = true;
	result = held_run(processor, &options, object);
	watching = false;
	assert_string_equal(result, "ENOMEM");
	iobatch_processor_free(processor);
	assert_int_equal(new_stat(&processor), 0);
	assert_string_equal(held_run(processor, &options, object), "");
	iobatch_processor_free(processor);
	close(dirfd);
	free(object);
	free(shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(each_allocation_that_fails_is_told_and_nothing_is_kept),
		FILES_ON(a_long_line_that_there_is_no_memory_for_fails_its_item, "syscall",
	                 IOBATCH_EXECUTOR_SYSCALL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What loading and printing a job do when memory runs out, at each allocation in turn. The linker's
 * --wrap hands every allocation of the job to this file first; what libraries allocate within
 * themselves passes by. That nothing is lost on the way is what a build with sanitizers sees.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "job/job.h"
#include "job/tree.h"

/* The linker's names for the functions that are stood in for. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_reallocarray(void *pointer, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
int __real_vasprintf(char **ret_text, const char *format, va_list arguments);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_reallocarray(void *pointer, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments);
int __wrap_asprintf(char **ret_text, const char *format, ...);

static long fail_at = -1; /* allocations until one fails; -1 = none does */

static bool fails(void)
{
	return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return fails() ? NULL : __real_realloc(pointer, size);
}

void *__wrap_reallocarray(void *pointer, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(pointer, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return fails() ? NULL : __real_strndup(text, length);
}

int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
{
	return fails() ? -1 : __real_vasprintf(ret_text, format, arguments);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = __wrap_vasprintf(ret_text, format, arguments);
	va_end(arguments);
	return length;
}

/* Runs `once` with the first allocation failing, the second, and so on until none is left. */
static void each_in_turn(int (*once)(void))
{
	for (long at = 0;; at++) {
		bool all;
		int err;

		fail_at = at;
		err = once();
		all = fail_at >= 0;
		fail_at = -1;
		if (all) {
			assert_int_equal(err, 0);
			assert_true(at > 10);
			return;
		}
		if (err != -ENOMEM)
			fail_msg("allocation %ld: %d", at, err);
	}
}

static int load_and_print(void)
{
	static const char text[] =
		"items: {walk: {roots: [a, !bytes \"\\xff\"], include: [x, y],\n"
		"        older_than: 3d, max_size: 5KiB}}\n"
		"processor: {copy: {destination: d, preserve: [mode]}}\n"
		"options: {batch_size: 3, executor: simulated, simulation: {seed: 5}}\n";
	static const char *const sets[] = {"options.rings=2", "options.backoff_ms=3",
	                                   "items.walk.exclude=[q]", NULL};
	struct tree_node *tree = NULL;
	struct job *job = NULL;
	char *error = NULL, *printed;
	int err = tree_parse("f", text, sizeof(text) - 1, &tree, &error);

	if (!err)
		err = job_load_tree(tree, sets, &job, &error);
	free(error);
	if (err)
		return err;
	err = job_print(job, &printed);
	if (!err)
		free(printed);
	job_free(job);
	return err;
}

static int load_steps(void)
{
	static const char text[] =
		"items: {list: {names: [a, b]}}\n"
		"processor: {steps: [{openat: {path: x, flags: [rdonly], as: in}},\n"
		"  {close: {file: in}}]}\n";
	struct tree_node *tree = NULL;
	struct job *job = NULL;
	char *error = NULL;
	int err = tree_parse("f", text, sizeof(text) - 1, &tree, &error);

	if (!err)
		err = job_load_tree(tree, NULL, &job, &error);
	free(error);
	if (!err)
		job_free(job);
	return err;
}

static int put_together(void)
{
	struct tree_node *tree = tree_new();
	int err = tree ? 0 : -ENOMEM;

	if (!err)
		err = tree_put(tree, "a.b.c", "--c", "1");
	if (!err)
		err = tree_put(tree, "a.b.c", "--d", "2");
	for (int i = 0; i < 6 && !err; i++)
		err = tree_append(tree, "a.l", "", "x");
	if (!err)
		err = tree_put_list(tree, "a.m", "");
	tree_free(tree);
	return err;
}

static void a_job_is_loaded_or_there_is_no_memory(void **state)
{
	(void)state;
	each_in_turn(load_and_print);
}

static void steps_are_loaded_or_there_is_no_memory(void **state)
{
	(void)state;
	each_in_turn(load_steps);
}

static void a_tree_is_put_together_or_there_is_no_memory(void **state)
{
	(void)state;
	each_in_turn(put_together);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_loaded_or_there_is_no_memory),
		cmocka_unit_test(steps_are_loaded_or_there_is_no_memory),
		cmocka_unit_test(a_tree_is_put_together_or_there_is_no_memory),
	};

	return cmocka_run_group_tests_name("job/memory", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The order of lines: whatever the order in which they come, and however long one is missing, they
 * are written in that of their items, and memory does not grow with what waits.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "processor/lines.h"

static unsigned spills;

static int open_spill(void *context)
{
	int fd = open("spill", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_null(context);
	assert_true(fd >= 0);
	assert_int_equal(unlink("spill"), 0);
	spills++;
	return fd;
}

static struct lines *start(int *ret_fd)
{
	struct lines *lines;

	*ret_fd = open("out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(*ret_fd >= 0);
	assert_int_equal(lines_new(*ret_fd, open_spill, NULL, &lines), 0);
	spills = 0;
	return lines;
}

/* Every seventh item has no line. */
static void add(struct lines *lines, uint64_t index)
{
	char text[256];
	int length = sprintf(text, "%080llu\n", (unsigned long long)index);

	assert_int_equal(lines_add(lines, index, text, index % 7 ? (size_t)length : 0), 0);
}

/* Ends, and looks whether the lines of the items below `count` are there, but for `missing`. */
static void finish(struct lines *lines, int fd, uint64_t count, uint64_t missing)
{
	char text[256];
	FILE *file;

	assert_int_equal(lines_finish(lines), 0);
	lines_free(lines);
	close(fd);
	file = fopen("out", "r");
	assert_non_null(file);
	for (uint64_t i = 0; i < count; i++) {
		if (i % 7 == 0 || i == missing)
			continue;
		assert_non_null(fgets(text, sizeof(text), file));
		assert_int_equal(strtoull(text, NULL, 10), i);
	}
	assert_null(fgets(text, sizeof(text), file));
	fclose(file);
}

static void what_is_nearly_in_order_needs_no_file(void **state)
{
	struct lines *lines;
	int fd;

	(void)state;
	lines = start(&fd);
	for (uint64_t i = 0; i < 100000; i += 1000)
		for (uint64_t j = 1000; j > 0; j--)
			add(lines, i + j - 1);
	assert_int_equal(spills, 0);
	finish(lines, fd, 100000, UINT64_MAX);
}

static void one_line_that_is_long_in_coming_holds_up_no_memory(void **state)
{
	const uint64_t count = 400000;
	size_t before, most = 0;
	struct lines *lines;
	int fd;

	(void)state;
	before = mallinfo2().uordblks;
	lines = start(&fd);
	for (uint64_t i = 0; i < count; i++) {
		if (i == 1)
			continue;
		add(lines, i);
		if (i % 1000 == 0 && mallinfo2().uordblks - before > most)
			most = mallinfo2().uordblks - before;
	}
	/* 32 MB of lines wait. */
	assert_true(most < 8u << 20);
	assert_int_equal(spills, 1);
	add(lines, 1);
	finish(lines, fd, count, UINT64_MAX);
}

static void a_line_that_never_comes_leaves_no_gap(void **state)
{
	struct lines *lines;
	int fd;

	(void)state;
	lines = start(&fd);
	for (uint64_t i = 0; i < 50000; i++)
		if (i != 12345)
			add(lines, i);
	finish(lines, fd, 50000, 12345);
}

static void long_lines_wait_in_the_file(void **state)
{
	static char text[65536];
	size_t before = mallinfo2().uordblks;
	struct lines *lines;
	FILE *file;
	int fd;

	(void)state;
	lines = start(&fd);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	for (uint64_t i = 1; i < 1000; i++) {
		assert_int_equal(lines_add(lines, i, text, sizeof(text) - i % 2), 0);
		assert_true(mallinfo2().uordblks - before < 8u << 20);
	}
	assert_int_equal(spills, 1);
	assert_int_equal(lines_add(lines, 0, "first\n", 6), 0);
	assert_int_equal(lines_finish(lines), 0);
	lines_free(lines);
	file = fopen("out", "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, "first\n");
	fclose(file);
	assert_int_equal(lseek(fd, 0, SEEK_END), 6 + 999 * 65536 - 500);
	close(fd);
}

static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (random_state >> 33) % limit;
}

/* Items that settle as those of a run: so many at a time, some of them slow. */
static void any_order_of_settling_gives_the_order_of_items(void **state)
{
	enum {
		SLOTS = 300
	};
	const uint64_t count = 120000;

	(void)state;
	for (unsigned seed = 0; seed < 10; seed++) {
		uint64_t taken[SLOTS], next = 0;
		struct lines *lines;
		unsigned held = 0;
		int fd;

		random_state = seed;
		lines = start(&fd);
		while (held > 0 || next < count) {
			unsigned pick;

			while (held < SLOTS && next < count)
				taken[held++] = next++;
			pick = (unsigned)random_below(held);
			/* The slow ones: they settle when the others have gone far. */
			if (taken[pick] % 5003 < 3 && next < count && random_below(500))
				continue;
			add(lines, taken[pick]);
			taken[pick] = taken[--held];
		}
		assert_int_equal(spills, 1);
		finish(lines, fd, count, UINT64_MAX);
	}
}

static int open_none(void *context)
{
	(void)context;
	return -EROFS;
}

static void without_a_file_to_wait_in_the_error_is_told(void **state)
{
	struct lines *lines;
	int result = 0;

	(void)state;
	assert_int_equal(lines_new(STDOUT_FILENO, open_none, NULL, &lines), 0);
	for (uint64_t i = 1; i < 100000 && result == 0; i++)
		result = lines_add(lines, i, NULL, 0);
	assert_int_equal(result, -EROFS);
	lines_free(lines);
	lines_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_nearly_in_order_needs_no_file),
		cmocka_unit_test(one_line_that_is_long_in_coming_holds_up_no_memory),
		cmocka_unit_test(a_line_that_never_comes_leaves_no_gap),
		cmocka_unit_test(long_lines_wait_in_the_file),
		cmocka_unit_test(any_order_of_settling_gives_the_order_of_items),
		cmocka_unit_test(without_a_file_to_wait_in_the_error_is_told),
	};

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}

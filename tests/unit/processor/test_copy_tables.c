/* SPDX-License-Identifier: MIT */
/*
 * What a copy remembers: links, directories, abilities; and the sum over a content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "processor/copy_ability.h"
#include "processor/copy_links.h"
#include "processor/copy_sum.h"
#include "processor/directories.h"

/* ---------------------------------------------------------------- links -- */

static struct statx inode(uint64_t number, uint32_t names)
{
	return (struct statx){.stx_ino = number, .stx_nlink = names};
}

static void the_first_name_is_copied_and_the_others_are_links(void **state)
{
	struct copy_links links;
	struct copy_link *first, *other;
	struct statx statx = inode(5, 3);
	uint32_t length;

	(void)state;
	assert_int_equal(copy_links_init(&links), 0);
	assert_int_equal(copy_links_ask(&links, &statx, false, &first), COPY_LINK_MINE);
	assert_int_equal(copy_links_ask(&links, &statx, false, &other), COPY_LINK_BUSY);
	copy_links_done(&links, first, "a/bcd", 3);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(copy_links_ask(&links, &statx, false, &other), COPY_LINK_DONE);
		assert_string_equal(copy_link_path(other, &length), "a/b");
		assert_int_equal(length, 3);
		copy_links_used(&links, other);
	}
	/* All names have come: nothing is remembered. */
	assert_int_equal(links.count, 0);
	copy_links_deinit(&links);
}

static void a_name_that_fails_is_followed_by_the_next(void **state)
{
	struct copy_links links;
	struct copy_link *first, *other;
	struct statx statx = inode(5, 3);

	(void)state;
	assert_int_equal(copy_links_init(&links), 0);
	assert_int_equal(copy_links_ask(&links, &statx, false, &first), COPY_LINK_MINE);
	copy_links_failed(&links, first);
	assert_int_equal(copy_links_ask(&links, &statx, false, &first), COPY_LINK_MINE);
	copy_links_done(&links, first, "a", 1);
	assert_int_equal(copy_links_ask(&links, &statx, false, &other), COPY_LINK_DONE);
	assert_int_equal(copy_links_ask(&links, &statx, false, &first), COPY_LINK_DONE);
	copy_links_unused(&links, first);
	copy_links_lost(&links, other);
	assert_int_equal(copy_links_ask(&links, &statx, false, &first), COPY_LINK_MINE);
	copy_links_failed(&links, first);
	assert_int_equal(links.count, 0);
	copy_links_deinit(&links);
}

static void what_has_one_name_is_a_file_like_any_other(void **state)
{
	struct copy_links links;
	struct copy_link *link;
	struct statx statx = inode(5, 1), later = inode(6, 2);

	(void)state;
	assert_int_equal(copy_links_init(&links), 0);
	assert_int_equal(copy_links_ask(&links, &statx, false, &link), COPY_LINK_NONE);
	assert_int_equal(copy_links_ask(&links, &statx, true, &link), COPY_LINK_NONE);
	/* As names are moved away, fewer are left. */
	assert_int_equal(copy_links_ask(&links, &later, true, &link), COPY_LINK_MINE);
	copy_links_done(&links, link, "a", 1);
	later.stx_nlink = 1;
	assert_int_equal(copy_links_ask(&links, &later, true, &link), COPY_LINK_DONE);
	copy_links_unused(&links, link);
	/* The number was given to another file meanwhile. */
	later.stx_mtime.tv_nsec = 1;
	assert_int_equal(copy_links_ask(&links, &later, true, &link), COPY_LINK_NONE);
	copy_links_deinit(&links);
}

static void many_files_with_several_names_are_kept_apart(void **state)
{
	struct copy_links links;
	struct copy_link *link;
	char path[32];
	uint32_t length;

	(void)state;
	assert_int_equal(copy_links_init(&links), 0);
	for (uint64_t i = 0; i < 5000; i++) {
		struct statx statx = inode(i, 2);

		statx.stx_dev_minor = i % 3;
		assert_int_equal(copy_links_ask(&links, &statx, false, &link), COPY_LINK_MINE);
		length = (uint32_t)snprintf(path, sizeof(path), "%u", (unsigned)i);
		copy_links_done(&links, link, path, length);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		struct statx statx = inode(i, 2);

		statx.stx_dev_minor = i % 3;
		snprintf(path, sizeof(path), "%u", (unsigned)i);
		assert_int_equal(copy_links_ask(&links, &statx, false, &link), COPY_LINK_DONE);
		assert_string_equal(copy_link_path(link, &length), path);
		copy_links_used(&links, link);
	}
	assert_int_equal(links.count, 0);
	copy_links_deinit(&links);
}

/* ------------------------------------------------------------ directories -- */

static int open_here(void *context, const char *path)
{
	int fd;

	if (context)
		return *(int *)context;
	fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY);
	return fd < 0 ? -errno : fd;
}

static void what_is_left_of_directories_is_done_the_deepest_first(void **state)
{
	const struct timespec times[2] = {{10, 1}, {20, 2}};
	struct directories directories;
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(mkdir("a/b", 0700), 0);
	assert_int_equal(mkdir("made", 0700), 0);
	assert_int_equal(mkdir("forgotten", 0700), 0);
	assert_int_equal(directories_init(&directories, 0751, true), 0);
	assert_int_equal(directories_keep(&directories, "a", 1, 0500, times), 0);
	assert_int_equal(directories_keep(&directories, "a/b", 3, 01711, NULL), 0);
	assert_int_equal(directories_made(&directories, "made", 4), 0);
	assert_int_equal(directories_made(&directories, "forgotten", 9), 0);
	assert_int_equal(directories_made(&directories, "gone", 4), 0);
	assert_int_equal(directories_note(&directories, "noted", 5, times), 0);
	directories_forget(&directories, "forgotten", 9);
	directories_forget(&directories, "never", 5);
	assert_int_equal(directories_finish(&directories, open_here, NULL), 0);
	directories_deinit(&directories);
	assert_int_equal(stat("a/b", &status), 0);
	assert_int_equal(status.st_mode & 07777, 01711);
	assert_int_equal(stat("a", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0500);
	assert_int_equal(status.st_atim.tv_sec, 10);
	assert_int_equal(status.st_mtim.tv_nsec, 2);
	assert_int_equal(stat("made", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0751);
	assert_int_equal(stat("forgotten", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
}

static void an_error_at_the_end_is_told(void **state)
{
	struct directories directories;
	int error = -EACCES;

	(void)state;
	assert_int_equal(directories_init(&directories, 0755, false), 0);
	assert_int_equal(directories_made(&directories, "a", 1), 0);
	assert_int_equal(directories_finish(&directories, open_here, &error), -EACCES);
	error = -ENOENT;
	assert_int_equal(directories_finish(&directories, open_here, &error), 0);
	directories_deinit(&directories);
}

static void the_first_times_are_those_that_count(void **state)
{
	const struct timespec first[2] = {{1, 0}, {2, 0}}, second[2] = {{3, 0}, {4, 0}};
	struct timespec times[2] = {{9, 9}, {9, 9}};
	struct directories directories;
	char path[16];

	(void)state;
	assert_int_equal(directories_init(&directories, 0755, false), 0);
	assert_false(directories_noted(&directories, "a", 1, times));
	assert_int_equal(times[0].tv_sec, 9);
	assert_int_equal(directories_note(&directories, "a", 1, first), 0);
	assert_int_equal(directories_note(&directories, "a", 1, second), 0);
	for (int i = 0; i < 5000; i++) {
		uint32_t length = (uint32_t)snprintf(path, sizeof(path), "%d", i);

		assert_int_equal(directories_note(&directories, path, length, second), 0);
	}
	assert_true(directories_noted(&directories, "a", 1, times));
	assert_int_equal(times[1].tv_sec, 2);
	assert_true(directories_noted(&directories, "4999", 4, NULL));
	directories_deinit(&directories);
}

/* ------------------------------------------------------- abilities, sums -- */

static void what_two_file_systems_cannot_do_is_remembered(void **state)
{
	struct copy_abilities abilities;

	(void)state;
	copy_abilities_init(&abilities);
	assert_true(copy_can(&abilities, 1, 2, COPY_CAN_CLONE));
	copy_cannot(&abilities, 1, 2, COPY_CAN_CLONE);
	assert_false(copy_can(&abilities, 1, 2, COPY_CAN_CLONE));
	assert_true(copy_can(&abilities, 1, 2, COPY_CAN_RANGE));
	assert_true(copy_can(&abilities, 2, 1, COPY_CAN_CLONE));
	/* More than there is room for are tried each time. */
	for (uint64_t i = 0; i < 1000; i++)
		copy_cannot(&abilities, i, i, COPY_CAN_RENAME);
	assert_false(copy_can(&abilities, 1, 2, COPY_CAN_CLONE));
	assert_true(copy_can(&abilities, 999, 999, COPY_CAN_RENAME));
	copy_abilities_deinit(&abilities);
}

static void a_sum_depends_on_content_and_place_and_nothing_else(void **state)
{
	static unsigned char data[8 * BLOCK];
	struct copy_sum forward = {0}, backward = {0}, other = {0};

	(void)state;
	pattern_fill(data, 0, sizeof(data));
	memset(data + 2 * BLOCK, 0, 3 * BLOCK);
	copy_sum_add(&forward, 7, data, sizeof(data), 0);
	/* Block by block from the end, holes left out. */
	for (unsigned i = 8; i-- > 0;) {
		if (i < 2 || i >= 5)
			copy_sum_add(&backward, 7, data + i * BLOCK, BLOCK, i * BLOCK);
	}
	assert_true(copy_sum_equal(&forward, &backward));
	copy_sum_add(&other, 7, data, BLOCK, BLOCK);
	copy_sum_add(&other, 7, data + BLOCK, 7 * BLOCK, BLOCK);
	assert_false(copy_sum_equal(&forward, &other));
	other = (struct copy_sum){0};
	data[sizeof(data) - 1] ^= 1;
	copy_sum_add(&other, 7, data, sizeof(data), 0);
	assert_false(copy_sum_equal(&forward, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_name_is_copied_and_the_others_are_links),
		cmocka_unit_test(a_name_that_fails_is_followed_by_the_next),
		cmocka_unit_test(what_has_one_name_is_a_file_like_any_other),
		cmocka_unit_test(many_files_with_several_names_are_kept_apart),
		FILES_TEST(what_is_left_of_directories_is_done_the_deepest_first),
		cmocka_unit_test(an_error_at_the_end_is_told),
		cmocka_unit_test(the_first_times_are_those_that_count),
		cmocka_unit_test(what_two_file_systems_cannot_do_is_remembered),
		cmocka_unit_test(a_sum_depends_on_content_and_place_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

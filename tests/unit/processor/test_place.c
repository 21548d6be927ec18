/* SPDX-License-Identifier: MIT */
/*
 * The table of open directories, and how a path below the destination is cut.
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
#include <unistd.h>

#include "processor/place.h"

static int some_fd(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct place *claim(struct places *places, const char *path)
{
	struct place *place = NULL;

	assert_int_equal(places_claim(places, path, (uint32_t)strlen(path), &place), PLACE_CLAIMED);
	return place;
}

static struct place *hold(struct places *places, const char *path)
{
	struct place *place = claim(places, path);

	return places_open(places, place, some_fd(), 7, false);
}

static void paths_are_cut_at_their_components(void **state)
{
	static const struct {
		const char *path;
		const char *begin;
		uint32_t length, parent;
	} samples[] = {
		{"", "", 0, 0},
		{"/", "", 0, 0},
		{".", "", 0, 0},
		{"./", "", 0, 0},
		{"a", "a", 1, 0},
		{"/a/", "a/", 1, 0},
		{"a/b", "a/b", 3, 1},
		{"./a//b/.", "a//b/.", 4, 1},
		{"a/././b", "a/././b", 7, 1},
		{".//.//a/.b", "a/.b", 4, 1},
		{"...", "...", 3, 0},
		{"a/..b/c.", "a/..b/c.", 8, 5},
		{".a", ".a", 2, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const char *path = path_begin(samples[i].path);
		uint32_t length = path_trim(path, (uint32_t)strlen(path));

		assert_string_equal(path, samples[i].begin);
		assert_int_equal(length, samples[i].length);
		assert_int_equal(path_parent(path, length), samples[i].parent);
	}
}

static void the_nearest_directory_above_is_found(void **state)
{
	struct places places;
	struct place *root, *sub, *found;

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	found = places_nearest(&places, "a/b/c", 5);
	assert_ptr_equal(found, places.base);
	assert_int_equal(found->length, PLACE_BASE);
	places_release(&places, found);
	root = hold(&places, "");
	sub = hold(&places, "a/b");
	found = places_nearest(&places, "a/b/c", 5);
	assert_ptr_equal(found, sub);
	places_release(&places, found);
	found = places_nearest(&places, "a/bb", 4);
	assert_ptr_equal(found, root);
	places_release(&places, found);
	places_release(&places, root);
	places_release(&places, sub);
	places_deinit(&places);
}

static void without_a_base_there_may_be_nothing(void **state)
{
	struct places places;

	(void)state;
	assert_int_equal(places_init(&places, -1, 0), 0);
	assert_null(places_nearest(&places, "a", 1));
	places_deinit(&places);
}

static void one_item_opens_and_the_others_wait(void **state)
{
	struct places places;
	struct place *mine, *found = NULL;
	int fd = some_fd();

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	mine = claim(&places, "a");
	assert_int_equal(places_claim(&places, "a", 1, &found), PLACE_BUSY);
	assert_null(found);
	/* What is not open yet is not the nearest to anything. */
	found = places_nearest(&places, "a/b", 3);
	assert_ptr_equal(found, places.base);
	places_release(&places, found);
	assert_ptr_equal(places_open(&places, mine, fd, 9, true), mine);
	assert_int_equal(places_claim(&places, "a", 1, &found), PLACE_FOUND);
	assert_ptr_equal(found, mine);
	assert_int_equal(found->fd, fd);
	assert_int_equal(found->device, 9);
	assert_true(found->fresh);
	places_release(&places, found);
	places_release(&places, mine);
	places_deinit(&places);
	assert_false(is_open(fd));
}

static void what_could_not_be_opened_is_tried_by_each(void **state)
{
	struct places places;
	struct place *one, *two, *three, *found;
	int fd = some_fd();

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	places_unclaim(&places, claim(&places, "a"));
	/* None of them waits. */
	one = claim(&places, "a");
	two = claim(&places, "a");
	three = claim(&places, "a");
	places_unclaim(&places, one);
	found = places_nearest(&places, "a", 1);
	assert_ptr_equal(found, places.base);
	places_release(&places, found);
	/* The first that gets through has opened it for all. */
	assert_ptr_equal(places_open(&places, two, some_fd(), 5, false), two);
	assert_ptr_equal(places_open(&places, three, fd, 5, false), two);
	assert_false(is_open(fd));
	assert_int_equal(places_claim(&places, "a", 1, &found), PLACE_FOUND);
	assert_ptr_equal(found, two);
	for (unsigned i = 0; i < 3; i++)
		places_release(&places, two);
	assert_int_equal(places.idle, 1);
	places_unclaim(&places, NULL);
	places_deinit(&places);
}

static void who_comes_late_keeps_what_is_open_to_itself(void **state)
{
	struct places places;
	struct place *one, *two, *three;
	int fd = some_fd();

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	places_unclaim(&places, claim(&places, "a"));
	one = claim(&places, "a");
	two = claim(&places, "a");
	assert_ptr_equal(places_open(&places, one, some_fd(), 5, false), one);
	places_release(&places, one);
	assert_true(places_trim(&places));
	/* By now another opens it anew. */
	three = claim(&places, "a");
	assert_ptr_equal(places_open(&places, two, fd, 5, false), two);
	assert_true(is_open(fd));
	places_release(&places, two);
	assert_false(is_open(fd));
	assert_ptr_equal(places_open(&places, three, some_fd(), 5, false), three);
	places_release(&places, three);
	places_deinit(&places);
}

static void the_longest_unused_are_closed(void **state)
{
	struct places places;
	struct place *used, *found;
	char path[32];

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	places.idle_max = 4;
	used = hold(&places, "used");
	for (unsigned i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "p%u", i);
		places_release(&places, hold(&places, path));
		/* The first one is used again and again. */
		found = places_nearest(&places, "p0", 2);
		assert_int_equal(found->length, 2);
		places_release(&places, found);
	}
	assert_int_equal(places.idle, 4);
	for (unsigned i = 1; i < 10; i++) {
		snprintf(path, sizeof(path), "p%u", i);
		found = places_nearest(&places, path, 2);
		assert_int_equal(found->length, i >= 7 ? 2 : PLACE_BASE);
		places_release(&places, found);
	}
	assert_true(is_open(used->fd));
	places_release(&places, used);
	places_deinit(&places);
}

static void running_out_of_descriptors_closes_all_that_is_unused(void **state)
{
	struct places places;
	struct place *used;
	int fd;

	(void)state;
	assert_int_equal(places_init(&places, some_fd(), 3), 0);
	used = hold(&places, "used");
	places_release(&places, hold(&places, "unused"));
	fd = some_fd();
	assert_non_null(places_pin(&places, "pinned", 6, fd, 7));
	assert_true(places_trim(&places));
	assert_false(places_trim(&places));
	assert_int_equal(places.idle, 0);
	assert_true(is_open(used->fd));
	assert_true(is_open(fd));
	places_release(&places, used);
	places_deinit(&places);
	assert_false(is_open(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cut_at_their_components),
		cmocka_unit_test(the_nearest_directory_above_is_found),
		cmocka_unit_test(without_a_base_there_may_be_nothing),
		cmocka_unit_test(one_item_opens_and_the_others_wait),
		cmocka_unit_test(what_could_not_be_opened_is_tried_by_each),
		cmocka_unit_test(who_comes_late_keeps_what_is_open_to_itself),
		cmocka_unit_test(the_longest_unused_are_closed),
		cmocka_unit_test(running_out_of_descriptors_closes_all_that_is_unused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

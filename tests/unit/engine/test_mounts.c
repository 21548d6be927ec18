/* SPDX-License-Identifier: MIT */
/* Which file system a path lies on, from the text of a table of mounts; and the lanes on it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/lanes.h"

static const char table[] = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
			    "22 21 0:20 / /proc rw - proc proc rw\n"
			    "30 21 8:2 / /home rw - xfs /dev/sda2 rw\n"
			    "31 30 0:44 / /home/far\\040away rw - nfs server:/x rw\n"
			    "32 21 8:2 /inner /srv/again rw - xfs /dev/sda2 rw\n"
			    "33 30 0:50 / /home/far\\040away rw - nfs server:/y rw\n"
			    "a line that is none\n";

enum {
	ROOT,
	PROC,
	HOME,
	AWAY_BELOW,
	AWAY,
};

static struct mounts *make(const char *text)
{
	struct mounts *mounts;

	assert_int_equal(mounts_from_text(text ? strdup(text) : NULL, &mounts), 0);
	return mounts;
}

static void a_path_lies_on_the_mount_nearest_above_it(void **state)
{
	static const struct {
		const char *path;
		unsigned fs;
	} cases[] = {
		{"/", ROOT},
		{"/etc/passwd", ROOT},
		{"/homework", ROOT},
		{"/proc", PROC},
		{"/proc/self/x", PROC},
		{"//home///user", HOME},
		{"/home/./user", HOME},
		{"/home/user/../../etc", ROOT},
		{"/home/../proc/1", PROC},
		{"/../../home", HOME},
		{"/home/far away/deep/er", AWAY},
		{"/home/far away/../far", HOME},
		{"/srv", ROOT},
		{"/srv/again/x", HOME},
		{"/srv/again/..", ROOT},
		{"/home/user/..odd/x", HOME},
	};
	struct mounts *mounts = make(table);
	struct mounts_base nowhere = {0, 0};

	(void)state;
	assert_int_equal(mounts_count(mounts), 5);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (mounts_find(mounts, nowhere, cases[i].path) != cases[i].fs)
			fail_msg("%s: %u", cases[i].path,
			         mounts_find(mounts, nowhere, cases[i].path));
	}
	mounts_free(mounts);
}

static void without_a_table_there_is_one_file_system(void **state)
{
	static const char *const texts[] = {NULL, "", "\n\n", "22 21 0:20 /"};
	struct mounts_base nowhere = {0, 0};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct mounts *mounts = make(texts[i]);

		assert_int_equal(mounts_count(mounts), 1);
		assert_int_equal(mounts_find(mounts, nowhere, "/a/b"), 0);
		assert_int_equal(mounts_find(mounts, nowhere, "b"), 0);
		mounts_free(mounts);
	}
}

static void a_relative_path_starts_from_its_directory(void **state)
{
	struct mounts *mounts;
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct mounts_base nowhere = {0, 0}, base;

	(void)state;
	assert_true(proc >= 0);
	assert_int_equal(mounts_new(&mounts), 0);
	base = mounts_base_of(mounts, proc);
	assert_int_equal(mounts_find(mounts, base, "status"),
	                 mounts_find(mounts, nowhere, "/proc/self/status"));
	assert_int_equal(mounts_find(mounts, base, "/"), mounts_find(mounts, nowhere, "/"));
	assert_int_equal(mounts_find(mounts, base, "../.."), mounts_find(mounts, nowhere, "/"));
	assert_int_equal(chdir("/proc"), 0);
	base = mounts_base_of(mounts, AT_FDCWD);
	assert_int_equal(mounts_find(mounts, base, "self"), mounts_find(mounts, nowhere, "/proc"));
	close(proc);
	mounts_free(mounts);
}

static void a_lane_takes_its_bound_and_a_sequence_enters_whole(void **state)
{
	struct mounts *mounts = make(table);
	struct iobatch_op ops[] = {
		iobatch_op_statx(AT_FDCWD, "/etc/a", 0, 0, NULL),
		iobatch_op_nop(),
		iobatch_op_statx(AT_FDCWD, "/home/a", 0, 0, NULL),
		iobatch_op_symlinkat("/proc/x", AT_FDCWD, "/home/b"),
		iobatch_op_statx(AT_FDCWD, "/etc/c", 0, 0, NULL),
	};
	struct lanes lanes = {0};
	struct slot slot = {0}, other = {0};

	(void)state;
	assert_int_equal(lanes_init(&lanes, mounts, 1), 0);
	/* The last two have no room, and leave nothing behind. */
	assert_null(lanes_enter(&lanes, &slot, ops, 3));
	assert_int_equal(lanes.used_count, 2);
	assert_ptr_equal(lanes_enter(&lanes, &slot, &ops[3], 1), &lanes.all[HOME]);
	assert_int_equal(lanes.all[ROOT].in_flight, 1);
	lanes_leave(&lanes, &ops[0]);
	assert_ptr_equal(lanes_enter(&lanes, &slot, &ops[4], 1), NULL);
	lanes_leave(&lanes, &ops[4]);
	lanes_leave(&lanes, &ops[4]);
	assert_int_equal(lanes.all[ROOT].in_flight, 0);

	/* Nobody overtakes who waits. */
	queue_push(&lanes.all[ROOT].waiting, &other);
	assert_ptr_equal(lanes_enter(&lanes, &slot, ops, 1), &lanes.all[ROOT]);
	assert_null(lanes_enter(&lanes, &other, ops, 1));
	lanes_deinit(&lanes);
	mounts_free(mounts);
}

static unsigned lane_of(struct lanes *lanes, uint64_t device, int dirfd, const char *path)
{
	struct iobatch_op op = iobatch_op_statx(dirfd, path, 0, 0, NULL);
	struct slot slot = {0};
	unsigned lane;

	op.device = device;
	assert_null(lanes_enter(lanes, &slot, &op, 1));
	lane = (unsigned)op.reserved[0] - 1;
	assert_true(lane < lanes->count);
	assert_int_equal(lanes->all[lane].in_flight, 1);
	lanes_leave(lanes, &op);
	return lane;
}

static void a_device_says_more_than_a_path(void **state)
{
	struct mounts *mounts = make(table);
	struct lanes lanes = {0};

	(void)state;
	assert_int_equal(lanes_init(&lanes, mounts, 1), 0);
	assert_int_equal(lane_of(&lanes, makedev(8, 2), AT_FDCWD, "/etc"), HOME);
	assert_int_equal(lane_of(&lanes, makedev(0, 50), 7, "x"), AWAY);
	/* Two that have the same place in what is remembered. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(lane_of(&lanes, makedev(8, 1), 7, "x"), ROOT);
		assert_int_equal(lane_of(&lanes, makedev(8, 1 + 16), 7, "x"), 5);
	}
	/* A device with a large number. */
	assert_int_equal(lane_of(&lanes, makedev(4095, 1048575), 7, "x"), 6);
	lanes_deinit(&lanes);
	mounts_free(mounts);
}

static void unknown_devices_have_lanes_of_their_own_until_they_share_the_last(void **state)
{
	struct mounts *mounts = make(table);
	struct lanes lanes = {0};

	(void)state;
	assert_int_equal(lanes_init(&lanes, mounts, 1), 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 100; i++) {
			unsigned spare = i < LANES_SPARE ? i : LANES_SPARE - 1;

			assert_int_equal(lane_of(&lanes, makedev(0, 1000 + i), 7, "x"), 5 + spare);
		}
	}
	assert_int_equal(lanes.used_count, LANES_SPARE);
	lanes_deinit(&lanes);
	mounts_free(mounts);
}

static void a_descriptor_that_is_used_again_is_looked_up_again(void **state)
{
	static const char *const directories[] = {"/proc/self", "/"};
	struct mounts_base nowhere = {0, 0};
	struct lanes lanes = {0};
	struct stat stat_buffer;
	struct mounts *mounts;

	(void)state;
	assert_int_equal(mounts_new(&mounts), 0);
	assert_int_equal(lanes_init(&lanes, mounts, 1), 0);
	assert_int_not_equal(mounts_find(mounts, nowhere, "/proc/self"),
	                     mounts_find(mounts, nowhere, "/"));
	/* What is remembered of the current directory is no other's. */
	assert_int_equal(chdir("/sys"), 0);
	assert_int_equal(lane_of(&lanes, 0, AT_FDCWD, "x"), mounts_find(mounts, nowhere, "/sys"));
	for (unsigned i = 0; i < 4; i++) {
		const char *directory = directories[i % 2];
		int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(dup2(fd, 100), 100);
		assert_int_equal(lane_of(&lanes, 0, 100, "x/y"),
		                 mounts_find(mounts, nowhere, directory));
		assert_int_equal(stat(directory, &stat_buffer), 0);
		assert_int_equal(lane_of(&lanes, 0, 100, "x"),
		                 lane_of(&lanes, stat_buffer.st_dev, 100, "x"));
		close(fd);
	}
	close(100);
	lanes_deinit(&lanes);
	mounts_free(mounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_lies_on_the_mount_nearest_above_it),
		cmocka_unit_test(without_a_table_there_is_one_file_system),
		cmocka_unit_test(a_relative_path_starts_from_its_directory),
		cmocka_unit_test(a_lane_takes_its_bound_and_a_sequence_enters_whole),
		cmocka_unit_test(a_device_says_more_than_a_path),
		cmocka_unit_test(unknown_devices_have_lanes_of_their_own_until_they_share_the_last),
		cmocka_unit_test(a_descriptor_that_is_used_again_is_looked_up_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

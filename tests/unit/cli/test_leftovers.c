/* SPDX-License-Identifier: MIT */
/* What a killed run has left behind goes, and nothing else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/leftovers.h"
#include "processor/temporary.h"

#include <iobatch.h>

#define MARK 77u

static char directory[] = "/tmp/iobatch-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
	(void)state;
	return chdir("/") || rmdir(directory);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* The temporary name of `path`, which is made. */
static void make(const char *path, uint64_t mark, uint64_t index, char ret_name[256])
{
	struct temporary temporary = {.seed = 5, .mark = mark};

	assert_int_equal(temporary_name(path, strlen(path), index, temporary, ret_name, 256), 0);
	touch(ret_name);
}

static void names_are_told_by_their_mark(void **state)
{
	struct temporary temporary = {.seed = 1, .mark = MARK};
	char name[256], longest[256];

	(void)state;
	for (uint64_t index = 0; index < 1000; index++) {
		assert_int_equal(temporary_name("x", 1, index, temporary, name, sizeof(name)), 0);
		assert_true(iobatch_is_temporary(name, MARK));
		assert_false(iobatch_is_temporary(name, MARK + 1));
		assert_false(iobatch_is_temporary(name + 1, MARK));
		name[strlen(name) - 1] ^= 1;
		assert_false(iobatch_is_temporary(name, MARK));
	}
	memset(longest, 'n', 255);
	assert_int_equal(temporary_name(longest, 255, 0, temporary, name, sizeof(name)), 0);
	assert_true(iobatch_is_temporary(name, MARK));
	assert_false(iobatch_is_temporary("", MARK));
	assert_false(iobatch_is_temporary(".iobatch-", MARK));
	assert_false(iobatch_is_temporary(".x.iobatch-aaaaaaaaaaaaa", MARK));
}

static void only_those_of_the_job_are_removed(void **state)
{
	char first[256], second[256], other[256], outside[256];

	(void)state;
	assert_int_equal(mkdir("root", 0700), 0);
	assert_int_equal(mkdir("root/deep", 0700), 0);
	assert_int_equal(mkdir("outside", 0700), 0);
	assert_int_equal(symlink("../outside", "root/link"), 0);
	make("root/a", MARK, 0, first);
	make("root/deep/a", MARK, 1, second);
	make("root/deep/a", MARK + 1, 2, other);
	make("outside/a", MARK, 3, outside);
	touch("root/deep/a");
	assert_int_equal(leftovers_remove("root", false, MARK), 1);
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(leftovers_remove("root", true, MARK), 1);
	assert_int_equal(access(second, F_OK), -1);
	assert_int_equal(leftovers_remove("nowhere", true, MARK), 0);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(unlink(outside), 0);
	assert_int_equal(unlink("root/deep/a"), 0);
	assert_int_equal(unlink("root/link"), 0);
	assert_int_equal(rmdir("root/deep"), 0);
	assert_int_equal(rmdir("root"), 0);
	assert_int_equal(rmdir("outside"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_by_their_mark),
		cmocka_unit_test(only_those_of_the_job_are_removed),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

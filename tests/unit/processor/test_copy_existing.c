/* SPDX-License-Identifier: MIT */
/*
 * What a copy does about what is in its place already, what it skips, and that a link in its place
 * is replaced and never written through.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void what_is_there_is_replaced_skipped_or_an_error(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	assert_int_equal(mkdir("out", 0755), 0);
	file_make("name", 3 * BLOCK);
	file_make("out/name", 5);
	copy.existing = IOBATCH_EXISTING_SKIP;
	copying_skipped(&copy, false, &options, DT_REG, "name", "EEXISTING");
	assert_file("out/name", 5);
	copy.existing = IOBATCH_EXISTING_FAIL;
	copying_one(&copy, false, &options, DT_REG, "name", "EEXIST");
	assert_file("out/name", 5);
	copy.existing = IOBATCH_EXISTING_REPLACE;
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	assert_file("out/name", 3 * BLOCK);
	assert_int_equal(hidden_count("out"), 0);
}

static void put_in_the_way(unsigned call)
{
	/* After the place was looked at, and before the rename. */
	if (call == 3)
		file_make("out/name", 5);
}

static void what_comes_in_the_way_meanwhile_is_not_replaced(void **state)
{
	static const uint32_t ways[] = {IOBATCH_EXISTING_SKIP, IOBATCH_EXISTING_FAIL};
	struct iobatch_options options = files_options(state);

	assert_int_equal(mkdir("out", 0755), 0);
	file_make("name", 3 * BLOCK);
	for (unsigned i = 0; i < 2; i++) {
		struct iobatch_copy_options copy = copying_options("out");
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;
		struct fronted fronted;

		copy.existing = ways[i];
		assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
		fronted_init(&fronted, processor, put_in_the_way);
		files_run(&fronted.processor, &options, DT_REG, (const char *const[]){"name", NULL},
		          &result);
		assert_true(fronted.calls > 4);
		assert_int_equal(result.skipped, i == 0);
		assert_int_equal(result.failed, i == 1);
		if (i == 1)
			assert_string_equal(result.failed_items[0].error_name, "EEXIST");
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		assert_file("out/name", 5);
		assert_int_equal(hidden_count("out"), 0);
		assert_int_equal(unlink("out/name"), 0);
	}
}

static void an_update_skips_what_is_as_new(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	assert_int_equal(mkdir("out", 0755), 0);
	copy.update = 1;
	file_make("name", 100);
	set_times("name", 1000000000, 5);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	copying_skipped(&copy, false, &options, DT_REG, "name", "EUPTODATE");
	/* Of the same time and another size. */
	file_make("name", 101);
	set_times("name", 1000000000, 5);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	assert_file("out/name", 101);
	/* Newer by a nanosecond. */
	file_make("name", 101);
	set_times("name", 1000000000, 6);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	/* Older. */
	set_times("out/name", 1000000001, 0);
	copying_skipped(&copy, false, &options, DT_REG, "name", "EUPTODATE");
}

static void a_checksum_skips_what_has_the_content(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	int fd;

	assert_int_equal(mkdir("out", 0755), 0);
	copy.checksum = 1;
	file_make("name", 10 * BLOCK + 7);
	set_times("name", 1000000000, 5);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	set_times("out/name", 2000000000, 5);
	copying_skipped(&copy, false, &options, DT_REG, "name", "EUPTODATE");
	/* One byte in the last block. */
	fd = open("out/name", O_WRONLY);
	assert_int_equal(pwrite(fd, "\xff", 1, 10 * BLOCK + 3), 1);
	close(fd);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	assert_file("out/name", 10 * BLOCK + 7);
	assert_like("out/name", "name");
}

static void a_link_in_the_place_is_replaced_and_not_written_through(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct stat status;

	assert_int_equal(mkdir("out", 0755), 0);
	file_make("name", 2 * BLOCK);
	file_make("victim", 77);
	assert_int_equal(symlink("../victim", "out/name"), 0);
	copy.update = 1;
	set_times("out/name", 1000, 0);
	copying_one(&copy, false, &options, DT_REG, "name", NULL);
	assert_int_equal(lstat("out/name", &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_file("victim", 77);
	assert_file("out/name", 2 * BLOCK);
}

static void a_file_takes_the_place_of_the_destination_itself(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "name", .root_name = IOBATCH_ROOT_NAME_DROP};

	file_make("name", 2 * BLOCK);
	copying_run(&copy, &tree, &options, NULL);
	assert_file("out", 2 * BLOCK);
	file_make("name", 5);
	copying_run(&copy, &tree, &options, NULL);
	assert_file("out", 5);
	assert_int_equal(hidden_count("."), 0);
	/* There is no such place for a file in what has no name. */
	copy.destination = ".";
	tree.may_fail = true;
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	copying_run(&copy, &tree, &options, &result);
	assert_string_equal(result.failed_items[0].error_name, "EISDIR");
	iobatch_result_deinit(&result);
}

static void make_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void special_files_are_skipped_unless_asked_for(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct stat status;

	assert_int_equal(mkfifo("fifo", 0640), 0);
	set_times("fifo", 900000000, 77);
	make_socket("socket");
	copying_skipped(&copy, false, &options, DT_FIFO, "fifo", "ESPECIAL");
	copying_skipped(&copy, false, &options, DT_UNKNOWN, "fifo", "ESPECIAL");
	copying_skipped(&copy, false, &options, DT_SOCK, "socket", "ESPECIAL");
	copy.special = 1;
	copying_one(&copy, false, &options, DT_FIFO, "fifo", NULL);
	assert_like("out/fifo", "fifo");
	copying_skipped(&copy, false, &options, DT_SOCK, "socket", "ESPECIAL");
	if (geteuid() != 0)
		return;
	assert_int_equal(mknod("null", S_IFCHR | 0660, 0x103), 0);
	copying_one(&copy, false, &options, DT_CHR, "null", NULL);
	assert_like("out/null", "null");
	assert_int_equal(stat("out/null", &status), 0);
	assert_int_equal(status.st_rdev, 0x103);
	assert_int_equal(hidden_count("out"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(what_is_there_is_replaced_skipped_or_an_error),
		FILES_ON_REAL(what_comes_in_the_way_meanwhile_is_not_replaced),
		FILES_ON_REAL(an_update_skips_what_is_as_new),
		FILES_ON_REAL(a_checksum_skips_what_has_the_content),
		FILES_ON_REAL(a_link_in_the_place_is_replaced_and_not_written_through),
		FILES_ON_REAL(a_file_takes_the_place_of_the_destination_itself),
		FILES_ON_REAL(special_files_are_skipped_unless_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

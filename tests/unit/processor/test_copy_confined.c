/* SPDX-License-Identifier: MIT */
/*
 * A copy stays below its destination, whatever becomes of the paths to it and from it, and however
 * long they are.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void make_victim(void)
{
	assert_int_equal(mkdir("victim", 0755), 0);
	file_make("victim/precious", 99);
}

static void assert_victim_untouched(void)
{
	DIR *dir = opendir("victim");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	assert_int_equal(count, 3);
	assert_file("victim/precious", 99);
}

static void no_link_below_the_destination_is_followed(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	make_victim();
	assert_int_equal(mkdir("sub", 0755), 0);
	file_make("sub/precious", 5);
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(symlink("../victim", "out/sub"), 0);
	copying_one(&copy, false, &options, DT_REG, "sub/precious", "ENOTDIR");
	copying_one(&copy, false, &options, DT_DIR, "sub", "ENOTDIR");
	assert_victim_untouched();
	/* The destination itself is the user's own path. */
	assert_int_equal(unlink("out/sub"), 0);
	assert_int_equal(symlink("out", "way"), 0);
	copy.destination = "way";
	copying_one(&copy, false, &options, DT_REG, "sub/precious", NULL);
	assert_file("out/sub/precious", 5);
}

static void swap_directory(unsigned call)
{
	/* The place is held from the first chain on. */
	if (call != 2)
		return;
	assert_int_equal(rename("out/sub", "out/away"), 0);
	assert_int_equal(symlink("../victim", "out/sub"), 0);
}

static void a_directory_that_is_swapped_for_a_link_leads_nowhere(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_processor *processor;
	struct fronted fronted;

	make_victim();
	assert_int_equal(mkdir("sub", 0755), 0);
	file_make("sub/precious", 3 * BLOCK);
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(mkdir("out/sub", 0755), 0);
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	/* Hold the place. */
	files_run_one(processor, &options, DT_REG, "sub/precious", NULL);
	fronted_init(&fronted, processor, swap_directory);
	files_run_one(&fronted.processor, &options, DT_REG, "sub/precious", NULL);
	assert_true(fronted.calls > 3);
	iobatch_processor_free(processor);
	assert_victim_untouched();
	assert_file("out/away/precious", 3 * BLOCK);
	assert_int_equal(hidden_count("out/away"), 0);
}

static void swap_source(unsigned call)
{
	if (call != 0)
		return;
	assert_int_equal(unlink("source/file"), 0);
	assert_int_equal(symlink("../victim/precious", "source/file"), 0);
}

static void a_source_that_is_swapped_for_a_link_is_not_followed(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_processor *processor;
	struct fronted fronted;

	make_victim();
	assert_int_equal(mkdir("source", 0755), 0);
	file_make("source/file", 5);
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	fronted_init(&fronted, processor, swap_source);
	files_run_one(&fronted.processor, &options, DT_REG, "source/file", "ELOOP");
	iobatch_processor_free(processor);
	assert_missing("out/source/file");
}

/* What a walk gives: a directory that is open, and one component in it. */
static void a_directory_that_moves_away_is_still_read_from(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;
	static struct iobatch_file file;
	struct iobatch_items items;

	make_victim();
	assert_int_equal(mkdir("source", 0755), 0);
	file_make("source/precious", 3 * BLOCK);
	file = (struct iobatch_file){
		.fd = -1,
		.type = DT_REG,
		.directory = (struct iobatch_directory *)&file,
		.dirfd = open("source", O_RDONLY | O_DIRECTORY),
		.name = strlen("source/"),
	};
	strcpy(file.path, "source/precious");
	file.path_length = (uint32_t)strlen(file.path);
	assert_int_equal(rename("source", "elsewhere"), 0);
	assert_int_equal(symlink("victim", "source"), 0);
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	items = iobatch_items_array(&file, 1, sizeof(file));
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.successful, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	close(file.dirfd);
	assert_file("out/source/precious", 3 * BLOCK);
}

/* ---------------------------------------------------------------- depth -- */

#define DEPTH 2000u

static int go_down(const char *root, unsigned depth, bool makes)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < depth; i++) {
		int below;

		if (makes)
			assert_int_equal(mkdirat(fd, "down", 0755), 0);
		below = openat(fd, "down", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	return fd;
}

static void remove_deep(const char *root)
{
	/* From below: the directory above is always "..". */
	int fd = go_down(root, DEPTH, false);

	assert_int_equal(unlinkat(fd, "file", 0), 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		int above = openat(fd, "..", O_RDONLY | O_DIRECTORY);

		assert_true(above >= 0);
		close(fd);
		fd = above;
		assert_int_equal(unlinkat(fd, "down", AT_REMOVEDIR), 0);
	}
	close(fd);
	assert_int_equal(rmdir(root), 0);
}

static void a_tree_deeper_than_descriptors_and_paths_is_copied(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "deep", .directories = IOBATCH_DIRECTORIES_LAST};
	const struct timespec times[2] = {{77, 0}, {88, 0}};
	struct rlimit limit, less;
	struct stat status;
	int fd, file;

	assert_int_equal(mkdir("deep", 0755), 0);
	fd = go_down("deep", DEPTH, true);
	file = openat(fd, "file", O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(file, "deep", 4), 4);
	close(file);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = limit;
	less.rlim_cur = 600;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	options.max_concurrent = 2;
	options.batch_size = 8;
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fd = go_down("out", DEPTH, false);
	assert_int_equal(fstatat(fd, "file", &status, 0), 0);
	assert_int_equal(status.st_size, 4);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mtim.tv_sec, 88);
	assert_int_equal(status.st_mode & 07777, 0755);
	close(fd);
	remove_deep("deep");
	remove_deep("out");
}

static void more_items_than_descriptors_wait_for_each_other(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	struct rlimit limit, less;
	char name[64];

	assert_int_equal(mkdir("tree", 0755), 0);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "tree/%u", i % 30);
		(void)mkdir(name, 0755);
		snprintf(name, sizeof(name), "tree/%u/%u", i % 30, i);
		file_make(name, i * 100);
		snprintf(name + strlen(name), 8, "-link");
		if (i % 3 == 0) {
			char first[64];

			snprintf(first, sizeof(first), "tree/%u/%u", i % 30, i);
			assert_int_equal(link(first, name), 0);
		}
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = limit;
	less.rlim_cur = 80;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "out/%u/%u", i % 30, i);
		assert_file(name, i * 100);
	}
	assert_linked("out/3/33", "out/3/33-link");
}

/* ---------------------------------------------------------------- names -- */

static void names_are_bytes(void **state)
{
	static const char *const names[] = {"new\nline", "\xff\xfe", "-dash",   "a\\b", " ",
	                                    "...",       "\x1b[31m", ".hidden", "~"};
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	char path[PATH_MAX];

	assert_int_equal(mkdir("tree", 0755), 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "tree/%s", names[i]);
		file_make(path, i);
	}
	copying_run(&copy, &tree, &options, NULL);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "out/%s", names[i]);
		assert_file(path, i);
	}
}

static void odd_ways_to_write_a_path_mean_what_they_mean(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	assert_int_equal(mkdir("sub", 0755), 0);
	file_make("sub/file", 5);
	copying_one(&copy, false, &options, DT_REG, ".//sub/././file", NULL);
	assert_file("out/sub/file", 5);
	copying_one(&copy, false, &options, DT_UNKNOWN, "./sub//", NULL);
	copying_one(&copy, false, &options, DT_DIR, ".", NULL);
	assert_int_equal(hidden_count("out"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(no_link_below_the_destination_is_followed),
		FILES_ON_REAL(a_directory_that_is_swapped_for_a_link_leads_nowhere),
		FILES_ON_REAL(a_source_that_is_swapped_for_a_link_is_not_followed),
		FILES_ON_REAL(a_directory_that_moves_away_is_still_read_from),
		FILES_ON_REAL(a_tree_deeper_than_descriptors_and_paths_is_copied),
		FILES_ON_REAL(more_items_than_descriptors_wait_for_each_other),
		FILES_ON_REAL(names_are_bytes),
		FILES_ON_REAL(odd_ways_to_write_a_path_mean_what_they_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

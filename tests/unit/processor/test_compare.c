/* SPDX-License-Identifier: MIT */
/*
 * The compare processor: what differs between the trees "a" and "b", and what does not.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/op.h"

#define ALL                                                                    \
	(IOBATCH_COMPARE_TYPE | IOBATCH_COMPARE_SIZE | IOBATCH_COMPARE_MTIME | \
	 IOBATCH_COMPARE_MODE | IOBATCH_COMPARE_OWNER | IOBATCH_COMPARE_CONTENT)

static struct iobatch_compare_options compare_options(uint32_t what)
{
	struct iobatch_compare_options options = IOBATCH_COMPARE_OPTIONS_INIT;

	options.first = "a";
	options.other = "b";
	options.what = what;
	options.block_size = BLOCK;
	options.report = "report";
	return options;
}

/*
 * Compares the files of these names, which begin with the name of their tree, and what the report
 * says with `expected`.
 */
static void compare_with(const struct iobatch_options *options,
                         struct iobatch_compare_options compare, const char *const *names,
                         uint64_t failed, const char *expected)
{
	static struct iobatch_file files[64];
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;
	struct iobatch_items items;
	char content[8192];
	unsigned count;
	size_t length;
	FILE *report;

	for (count = 0; names[count]; count++) {
		struct iobatch_file *file = &files[count];
		struct stat status;

		assert_true(count < 64);
		memset(file, 0, offsetof(struct iobatch_file, path));
		file->fd = -1;
		file->root = names[count][0] == 'b';
		file->relative = names[count][1] ? 2 : 1;
		file->path_length = (uint32_t)strlen(names[count]);
		memcpy(file->path, names[count], file->path_length + 1);
		if (lstat(names[count], &status) == 0)
			file->type = IFTODT(status.st_mode);
	}
	items = iobatch_items_array(files, count, sizeof(files[0]));
	assert_int_equal(iobatch_compare_new(&compare, &processor), 0);
	assert_int_equal(iobatch_run(&items, processor, options, &result), 0);
	for (uint64_t i = 0; i < result.failed_items_count; i++)
		assert_int_equal(result.failed_items[i].attempts,
		                 result.failed_items[i].error == -EXDEV ? 3 : 1);
	iobatch_processor_free(processor);
	report = fopen("report", "r");
	assert_non_null(report);
	length = fread(content, 1, sizeof(content) - 1, report);
	content[length] = '\0';
	fclose(report);
	assert_string_equal(content, expected);
	assert_int_equal(result.failed, failed);
	assert_int_equal(result.successful, count - failed);
	iobatch_result_deinit(&result);
}

static void compare(const struct iobatch_options *options, uint32_t what, const char *const *names,
                    uint64_t failed, const char *expected)
{
	struct iobatch_options tried = *options;

	/* A difference is never tried again. */
	tried.retries = 2;
	compare_with(&tried, compare_options(what), names, failed, expected);
}

#define compare_names(options, what, failed, expected, ...) \
	compare(options, what, (const char *const[]){__VA_ARGS__, NULL}, failed, expected)

static void make_trees(void)
{
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(mkdir("a/sub", 0755), 0);
	file_make("a/file", 5 * BLOCK + 3);
	file_make("a/sub/empty", 0);
	assert_int_equal(symlink("target", "a/link"), 0);
	assert_int_equal(mkfifo("a/fifo", 0644), 0);
	assert_int_equal(system("cp -a a b"), 0);
}

static void options_that_cannot_be_are_refused(void **state)
{
	struct iobatch_compare_options options = compare_options(0);
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_compare_new(NULL, &processor), -EINVAL);
	options.first = NULL;
	assert_int_equal(iobatch_compare_new(&options, &processor), -EINVAL);
	options.first = "a";
	options.what = 64;
	assert_int_equal(iobatch_compare_new(&options, &processor), -EINVAL);
	options.what = 0;
	options.depth = 65;
	assert_int_equal(iobatch_compare_new(&options, &processor), -EINVAL);
	options.depth = 64;
	assert_int_equal(iobatch_compare_new(&options, &processor), -ENOENT);
	assert_int_equal(hidden_count("."), 0);
	assert_null(processor);
}

static void equal_trees_have_no_difference(void **state)
{
	struct iobatch_options options = files_options(state);

	make_trees();
	compare_names(&options, ALL, 0, "", "a", "a/sub", "a/file", "a/sub/empty", "a/link",
	              "a/fifo", "b", "b/sub", "b/file", "b/sub/empty", "b/link", "b/fifo");
}

static void each_attribute_counts_if_it_is_asked_for(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct timespec times[2] = {{.tv_sec = 5, .tv_nsec = 1}, {.tv_sec = 5, .tv_nsec = 2}};
	const struct timespec others[2] = {{.tv_sec = 5, .tv_nsec = 1},
	                                   {.tv_sec = 5, .tv_nsec = 3}};

	make_trees();
	/* A nanosecond is enough. */
	assert_int_equal(utimensat(AT_FDCWD, "a/file", times, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, "b/file", others, 0), 0);
	assert_int_equal(chmod("b/sub", 01755), 0);
	assert_int_equal(unlink("b/link"), 0);
	assert_int_equal(symlink("tarGet", "b/link"), 0);
	assert_int_equal(unlink("b/fifo"), 0);
	file_make("b/fifo", 0);
	file_make("b/sub/empty", 1);
	compare_names(&options, ALL, 5,
	              "differs: sub: mode\ndiffers: file: mtime\n"
	              "differs: sub/empty: size, mtime\ndiffers: link: target\n"
	              "differs: fifo: type\n",
	              "a/sub", "a/file", "a/sub/empty", "a/link", "a/fifo", "b/fifo");
	compare_names(&options, IOBATCH_COMPARE_MODE, 2,
	              "differs: sub: mode\ndiffers: fifo: type\n", "a/sub", "a/file", "a/sub/empty",
	              "a/link", "a/fifo");
	compare_names(&options, 0, 0, "", "a/sub", "a/file", "a/sub/empty", "a/link");
	compare_names(&options, IOBATCH_COMPARE_CONTENT, 1,
	              "differs: sub/empty: content at byte 0\n", "a/sub", "a/file", "a/sub/empty",
	              "a/link");
}

static void owners_and_device_numbers_count(void **state)
{
	struct iobatch_options options = files_options(state);

	if (geteuid() != 0) {
		print_message("only root can make these\n");
		skip();
	}
	make_trees();
	assert_int_equal(chown("b/file", 0, 12), 0);
	assert_int_equal(lchown("b/link", 11, 0), 0);
	if (mknod("a/device", S_IFCHR | 0600, 0x103) < 0 ||
	    mknod("b/device", S_IFCHR | 0600, 0x105) < 0) {
		print_message("no devices here\n");
		skip();
	}
	compare_names(
		&options, ALL & ~IOBATCH_COMPARE_MTIME, 3,
		"differs: file: owner\ndiffers: link: owner\ndiffers: device: device number\n",
		"a/file", "a/link", "a/device");
	compare_names(&options, IOBATCH_COMPARE_CONTENT, 0, "", "a/file", "a/link", "a/device");
}

static void what_is_in_one_tree_only_is_said_to_be(void **state)
{
	struct iobatch_options options = files_options(state);

	make_trees();
	file_make("a/new", 1);
	file_make("b/nl\nx", 1);
	assert_int_equal(rename("b/sub", "b/was"), 0);
	file_make("b/sub", 1);
	compare_names(&options, 0, 5,
	              "only in a: new\ndiffers: sub: type\nonly in a: sub/empty\nonly in b: was\n"
	              "\\only in b: nl\\nx\n",
	              "a/new", "a/sub", "a/sub/empty", "b/was", "b/nl\nx", "b/sub");
}

static void no_symbolic_link_leads_to_a_counterpart(void **state)
{
	struct iobatch_options options = files_options(state);

	make_trees();
	assert_int_equal(rename("b/sub", "outside"), 0);
	assert_int_equal(symlink("../outside", "b/sub"), 0);
	assert_int_equal(unlink("b/file"), 0);
	assert_int_equal(symlink("../a/file", "b/file"), 0);
	compare_names(&options, ALL, 3,
	              "differs: sub: type\nonly in a: sub/empty\ndiffers: file: type\n", "a/sub",
	              "a/sub/empty", "a/file");
	/* A way out of the tree is an error. */
	assert_int_equal(mkdir("a/x", 0755), 0);
	compare_names(&options, 0, 1, "", "a/../outside");
}

static void trees_may_be_two_files(void **state)
{
	struct iobatch_options options = files_options(state);

	file_make("a", 3 * BLOCK);
	assert_int_equal(system("cp -a a b"), 0);
	compare_names(&options, ALL, 0, "", "a", "b");
	assert_int_equal(system("printf x | dd of=b bs=1 seek=5000 conv=notrunc 2>/dev/null"), 0);
	compare_names(&options, IOBATCH_COMPARE_CONTENT, 1, "differs: .: content at byte 5000\n",
	              "a", "b");
}

static void the_first_byte_that_differs_is_found(void **state)
{
	struct iobatch_options options = files_options(state);
	static const uint64_t places[] = {0, 1, BLOCK - 1, BLOCK, 7 * BLOCK + 5, 40 * BLOCK};

	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(mkdir("b", 0755), 0);
	file_make("a/file", 40 * BLOCK + 1);
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char expected[64], byte;
		int fd;

		file_make("b/file", 40 * BLOCK + 1);
		fd = open("b/file", O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		/* It is the first of several. */
		for (unsigned j = i; j < sizeof(places) / sizeof(places[0]); j++) {
			byte = (char)(pattern_byte(places[j]) + 1);
			assert_int_equal(pwrite(fd, &byte, 1, (off_t)places[j]), 1);
		}
		close(fd);
		snprintf(expected, sizeof(expected), "differs: file: content at byte %llu\n",
		         (unsigned long long)places[i]);
		for (uint32_t depth = 1; depth <= 64; depth *= 4) {
			struct iobatch_compare_options compare = compare_options(ALL);

			compare.what &= ~IOBATCH_COMPARE_MTIME;
			compare.depth = depth;
			compare_with(&options, compare, (const char *const[]){"a/file", NULL}, 1,
			             expected);
			/* With room for one pair only. */
			options.memory_limit = 2 * BLOCK;
			compare_with(&options, compare, (const char *const[]){"a/file", NULL}, 1,
			             expected);
			options.memory_limit = 64u << 20;
		}
	}
	/* One ends where the other goes on. */
	for (uint64_t size = 1; size < 40 * BLOCK; size += 3 * BLOCK + 1000) {
		char expected[64];

		file_make("b/file", size);
		snprintf(expected, sizeof(expected), "differs: file: content at byte %llu\n",
		         (unsigned long long)size);
		compare_names(&options, IOBATCH_COMPARE_CONTENT, 1, expected, "a/file");
		compare_names(&options, IOBATCH_COMPARE_CONTENT, 0, "", "b/file");
	}
}

/* The simulated files have the pattern as content, and file 2 another byte here and there. */
static uint64_t changed[2];

static void read_changed(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_FSTATX && answer->result == 0)
		((struct statx *)op->buffer)->stx_ino++;
	if (op->opcode != IOBATCH_OP_READ || answer->result <= 0)
		return;
	pattern_fill(op_rest_buffer(op), op_rest_offset(op), (size_t)answer->result);
	for (unsigned i = 0; op->file == 2 && i < 2; i++)
		if (changed[i] >= op_rest_offset(op) &&
		    changed[i] < op_rest_offset(op) + (uint64_t)answer->result)
			op_rest_buffer(op)[changed[i] - op_rest_offset(op)] ^= 1;
}

static void blocks_that_come_in_any_order_are_compared_with_each_other(void **state)
{
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(mkdir("b", 0755), 0);
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000000,
		                                        .file_size = 30 * BLOCK + seed,
		                                        .short_permille = 200,
		                                        .script = read_changed};
		struct iobatch_compare_options compare = compare_options(ALL);
		char expected[64];

		options.simulation = &simulation;
		compare.depth = 1 + seed % 9;
		changed[0] = (seed * 7919) % (30 * BLOCK);
		changed[1] = changed[0] + BLOCK * (seed % 3);
		if (changed[1] == changed[0])
			changed[1] = UINT64_MAX;
		snprintf(expected, sizeof(expected), "differs: file: content at byte %llu\n",
		         (unsigned long long)changed[0]);
		compare_with(&options, compare, (const char *const[]){"a/file", NULL}, 1, expected);
		changed[0] = changed[1] = UINT64_MAX;
		compare_with(&options, compare, (const char *const[]){"a/file", NULL}, 0, "");
	}
}

/* The whole of it: two trees that are walked. */
static void a_walk_of_two_trees_finds_all_that_differs(void **state)
{
	static const char *const roots[] = {"a", "b", NULL};
	struct iobatch_options options = files_options(state);
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_compare_options compare = compare_options(ALL);
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	walk.roots = roots;
	walk.types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK |
	             IOBATCH_TYPE_OTHER;
	walk.root_name = IOBATCH_ROOT_NAME_DROP;
	compare.what &= ~IOBATCH_COMPARE_MTIME;
	make_trees();
	for (unsigned round = 0; round < 2; round++) {
		struct iobatch_processor *processor;
		struct iobatch_source *source;
		struct iobatch_items items;

		assert_int_equal(iobatch_compare_new(&compare, &processor), 0);
		assert_int_equal(iobatch_source_walk(&walk, &source), 0);
		items = iobatch_source_items(source);
		assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
		assert_int_equal(result.total_processed, round == 0 ? 12 : 14);
		assert_int_equal(result.failed, round == 0 ? 0 : 4);
		iobatch_result_deinit(&result);
		iobatch_source_free(source);
		iobatch_processor_free(processor);
		if (round == 1)
			break;
		/* For the second: one more here and there, and one that differs. */
		file_make("a/sub/here", 1);
		file_make("b/sub/there", 1);
		assert_int_equal(unlink("b/fifo"), 0);
		assert_int_equal(mkdir("b/fifo", 0755), 0);
		assert_int_equal(chmod("b/sub/empty", 0600), 0);
	}
	assert_int_equal(
		system("sort report >sorted && printf 'differs: fifo: type\\ndiffers: sub/empty: "
	               "mode\\nonly in a: sub/here\\nonly in b: sub/there\\n' | cmp - sorted"),
		0);
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void no_descriptor_is_left_open(void **state)
{
	struct iobatch_options options = files_options(state);
	unsigned before;

	make_trees();
	before = open_descriptors();
	compare_names(&options, ALL, 0, "", "a", "a/sub", "a/file", "a/link", "b/link");
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(options_that_cannot_be_are_refused),
		FILES_ON_REAL(equal_trees_have_no_difference),
		FILES_ON_REAL(each_attribute_counts_if_it_is_asked_for),
		FILES_ON_REAL(owners_and_device_numbers_count),
		FILES_ON_REAL(what_is_in_one_tree_only_is_said_to_be),
		FILES_ON_REAL(no_symbolic_link_leads_to_a_counterpart),
		FILES_ON_REAL(trees_may_be_two_files),
		FILES_ON_REAL(the_first_byte_that_differs_is_found),
		FILES_ON_SIMULATED(blocks_that_come_in_any_order_are_compared_with_each_other),
		FILES_ON_REAL(a_walk_of_two_trees_finds_all_that_differs),
		FILES_ON_REAL(no_descriptor_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

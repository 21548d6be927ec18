/* SPDX-License-Identifier: MIT */
/*
 * The read processor, and with it the reader: every byte is counted once, whatever the size of the
 * file, the number of buffers and the way that the kernel cuts reads; and files that shrink and
 * grow.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "op/op.h"

static struct iobatch_processor *read_new(uint32_t depth, uint32_t direct)
{
	struct iobatch_read_options options = IOBATCH_READ_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.block_size = BLOCK;
	options.depth = depth;
	options.direct = direct;
	assert_int_equal(iobatch_read_new(&options, &processor), 0);
	return processor;
}

static void options_out_of_range_are_refused(void **state)
{
	struct iobatch_read_options options = IOBATCH_READ_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_read_new(NULL, &processor), -EINVAL);
	options.block_size = 0;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.block_size = BLOCK + 1;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.block_size = (16u << 20) + BLOCK;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.block_size = BLOCK;
	options.depth = 0;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.depth = 65;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.depth = 64;
	options.direct = 2;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.direct = 1;
	options.scrub = 2;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.scrub = 0;
	options.report = "of what?";
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	options.size = sizeof(size_t) - 1;
	assert_int_equal(iobatch_read_new(&options, &processor), -EINVAL);
	assert_null(processor);
}

static void every_byte_is_counted_at_every_size(void **state)
{
	static const uint64_t sizes[] = {0,         1,         BLOCK - 1,     BLOCK,
	                                 BLOCK + 1, 2 * BLOCK, 4 * BLOCK + 3, 100 * BLOCK};
	static const uint32_t depths[] = {1, 2, 3, 64};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		file_make("sized", sizes[i]);
		for (unsigned d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
			struct iobatch_options options = files_options(state);
			struct iobatch_result result = IOBATCH_RESULT_INIT;
			struct iobatch_processor *processor = read_new(depths[d], 0);

			files_run(processor, &options, DT_REG, (const char *const[]){"sized", NULL},
			          &result);
			assert_int_equal(result.successful, 1);
			assert_int_equal(result.bytes, sizes[i]);
			iobatch_result_deinit(&result);
			iobatch_processor_free(processor);
		}
	}
}

static void a_file_of_less_than_a_block_takes_an_open_and_a_read_and_a_close(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {.file_size = BLOCK - 1};
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = read_new(4, 0);

	options.simulation = &simulation;
	files_run(processor, &options, DT_REG, (const char *const[]){"any", NULL}, &result);
	/* The short read is continued once, to see the end. */
	assert_int_equal(result.ops, 4);
	assert_int_equal(result.bytes, BLOCK - 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void reads_that_are_cut_short_anywhere_count_the_same(void **state)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000000,
		                                        .file_size = seed * 1777,
		                                        .short_permille = 700};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = read_new(1 + seed % 7, 0);

		options.simulation = &simulation;
		/* Room for few buffers: the depth is what memory allows. */
		options.memory_limit = 3 * BLOCK;
		files_run(processor, &options, DT_REG,
		          (const char *const[]){"one", "two", "three", NULL}, &result);
		assert_int_equal(result.successful, 3);
		assert_int_equal(result.bytes, 3 * simulation.file_size);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

/* The file ends after two blocks, whatever statx has said. */
static void end_after_two_blocks(void *context, const struct iobatch_op *op,
                                 struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_READ && op->offset >= 2 * BLOCK)
		answer->result = 0;
}

static void a_file_that_shrinks_fails(void **state)
{
	for (uint32_t depth = 1; depth < 10; depth++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {
			.file_size = 9 * BLOCK, .seed = depth, .script = end_after_two_blocks};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = read_new(depth, 0);

		simulation.latency_max_ns = 1000;
		options.simulation = &simulation;
		files_run(processor, &options, DT_REG, (const char *const[]){"any", NULL}, &result);
		assert_int_equal(result.failed, 1);
		assert_string_equal(result.failed_items[0].error_name, "ESHRUNK");
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

static void grow_after_statx(unsigned call)
{
	/* 0: open and first block, 1: statx, 2: lanes. */
	if (call == 2)
		file_make("growing", 7 * BLOCK + 5);
}

static void a_file_that_grows_is_read_to_its_end(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = read_new(2, 0);
	struct fronted fronted;

	file_make("growing", 3 * BLOCK);
	fronted_init(&fronted, processor, grow_after_statx);
	files_run(&fronted.processor, &options, DT_REG, (const char *const[]){"growing", NULL},
	          &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.bytes, 7 * BLOCK + 5);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void a_file_that_says_it_is_empty_is_read_to_its_end(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = read_new(4, 0);
	char content[64 * BLOCK];
	int fd = open("/proc/self/auxv", O_RDONLY);
	ssize_t length;

	assert_true(fd >= 0);
	length = read(fd, content, sizeof(content));
	close(fd);
	files_run(processor, &options, DT_REG, (const char *const[]){"/proc/self/auxv", NULL},
	          &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.bytes, length);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void ranges_of_a_descriptor_are_read_and_no_more(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = read_new(3, 0);
	static struct iobatch_file ranges[5];
	struct iobatch_items items = iobatch_items_array(ranges, 5, sizeof(ranges[0]));
	int fd;

	file_make("ranged", 10 * BLOCK);
	fd = open("ranged", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 5; i++)
		ranges[i].fd = fd;
	ranges[0].length = 1;
	ranges[1].offset = 5;
	ranges[1].length = 3 * BLOCK + 100;
	ranges[2].offset = 9 * BLOCK;
	ranges[2].length = BLOCK;
	ranges[3].offset = 8 * BLOCK; /* to the end */
	ranges[4].offset = 9 * BLOCK;
	ranges[4].length = BLOCK + 1; /* one byte too many */
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.successful, 4);
	assert_int_equal(result.bytes, 1 + 3 * BLOCK + 100 + BLOCK + 2 * BLOCK);
	assert_int_equal(result.failed_items[0].index, 4);
	assert_string_equal(result.failed_items[0].error_name, "ESHRUNK");
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	close(fd);
}

static void a_symbolic_link_where_a_file_was_promised_is_not_followed(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = read_new(1, 0);

	file_make("target", 1);
	assert_int_equal(symlink("target", "link"), 0);
	files_run_one(processor, &options, DT_REG, "link", "ELOOP");
	files_run_one(processor, &options, DT_UNKNOWN, "link", NULL);
	iobatch_processor_free(processor);
}

static void what_is_no_file_fails_with_its_errno(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = read_new(1, 0);

	files_run_one(processor, &options, DT_DIR, ".", "EISDIR");
	files_run_one(processor, &options, DT_REG, "missing", "ENOENT");
	iobatch_processor_free(processor);
}

static void direct_reads_count_a_tail_that_is_no_block(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = read_new(4, 1);
	int fd;

	file_make("direct", 9 * BLOCK + 7);
	fd = open("direct", O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		print_message("no O_DIRECT on the temporary directory's file system\n");
		iobatch_processor_free(processor);
		skip();
	}
	close(fd);
	files_run(processor, &options, DT_REG, (const char *const[]){"direct", NULL}, &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.bytes, 9 * BLOCK + 7);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* ---------------------------------------------------------------- scrub -- */

static struct iobatch_processor *scrub_new(uint32_t blocks, uint32_t depth, const char *report)
{
	struct iobatch_read_options options = IOBATCH_READ_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.block_size = blocks * BLOCK;
	options.depth = depth;
	options.scrub = 1;
	options.report = report;
	assert_int_equal(iobatch_read_new(&options, &processor), 0);
	return processor;
}

static void assert_report(const char *expected)
{
	char content[8192];
	FILE *file = fopen("report", "r");
	size_t length;

	assert_non_null(file);
	length = fread(content, 1, sizeof(content) - 1, file);
	content[length] = '\0';
	fclose(file);
	assert_string_equal(content, expected);
}

/* Which pages of the simulated files cannot be read, and with what error; 0 = all is well. */
static int damaged[64];

/* A read ends before a bad page, and fails when it begins there. */
static void read_around_damage(void *context, const struct iobatch_op *op,
                               struct iobatch_answer *answer)
{
	uint64_t offset, end;

	(void)context;
	if (op->opcode != IOBATCH_OP_READ || answer->result <= 0)
		return;
	offset = op_rest_offset(op);
	end = offset + (uint64_t)answer->result;
	for (uint64_t page = offset / BLOCK; page * BLOCK < end && page < 64; page++) {
		if (!damaged[page])
			continue;
		answer->result =
			page * BLOCK > offset ? (int32_t)(page * BLOCK - offset) : damaged[page];
		return;
	}
}

static void every_range_that_cannot_be_read_is_found_and_all_else_is_read(void **state)
{
	for (uint64_t seed = 0; seed < 120; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000000,
		                                        .file_size = 40 * BLOCK + seed % 3,
		                                        .short_permille = 200,
		                                        .script = read_around_damage};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor =
			scrub_new(1 + seed % 5, 1 + seed % 9, "report");

		memset(damaged, 0, sizeof(damaged));
		damaged[0] = damaged[1] = -EIO;
		damaged[2] = -EREMOTEIO;
		damaged[7] = -EIO;
		for (unsigned page = 19; page < 31; page++)
			damaged[page] = -EIO;
		damaged[39] = -EIO;
		options.simulation = &simulation;
		options.retries = 2;
		files_run(processor, &options, DT_REG, (const char *const[]){"a\nb", NULL},
		          &result);
		assert_int_equal(result.failed, 1);
		assert_string_equal(result.failed_items[0].error_name, "EIO");
		assert_int_equal(result.failed_items[0].attempts, 1);
		assert_int_equal(result.failed_items[0].bytes, simulation.file_size - 17 * BLOCK);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		assert_report("\\a\\nb: 0 +8192: EIO\n\\a\\nb: 8192 +4096: EREMOTEIO\n"
		              "\\a\\nb: 28672 +4096: EIO\n\\a\\nb: 77824 +49152: EIO\n"
		              "\\a\\nb: 159744 +4096: EIO\n");
	}
}

static void a_file_of_which_nothing_can_be_read_comes_to_an_end(void **state)
{
	for (unsigned pages = 1; pages < 20; pages++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = pages,
		                                        .latency_max_ns = 1000,
		                                        .file_size = pages * BLOCK - 1,
		                                        .script = read_around_damage};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = scrub_new(4, 3, "report");
		char expected[64];

		for (unsigned page = 0; page < 64; page++)
			damaged[page] = -EIO;
		options.simulation = &simulation;
		files_run(processor, &options, DT_REG, (const char *const[]){"lost", NULL},
		          &result);
		assert_int_equal(result.failed, 1);
		assert_int_equal(result.failed_items[0].bytes, 0);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		snprintf(expected, sizeof(expected), "lost: 0 +%u: EIO\n", pages * BLOCK - 1);
		assert_report(expected);
	}
}

static void attempts_that_fail_otherwise_leave_nothing_in_the_report(void **state)
{
	uint64_t again = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		struct iobatch_options options = files_options(state);
		/* Any error, of the opens as well; those of reads are ranges. */
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 100000,
		                                        .file_size = 10 * BLOCK,
		                                        .error_permille = 200,
		                                        .script = read_around_damage};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = scrub_new(2, 3, "report");

		memset(damaged, 0, sizeof(damaged));
		options.simulation = &simulation;
		options.retries = 30;
		files_run(processor, &options, DT_REG,
		          (const char *const[]){"a", "b", "c", "d", NULL}, &result);
		again += result.retries;
		for (uint64_t i = 0; i < result.failed_items_count; i++)
			assert_true(result.failed_items[i].bytes < 10 * BLOCK);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
	assert_true(again > 60);
}

/* This process's own memory is a file in which what is not mapped cannot be read. */
static void holes_in_the_memory_of_this_process_are_found(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = scrub_new(8, 3, "report");
	static struct iobatch_file range;
	struct iobatch_items items = iobatch_items_array(&range, 1, sizeof(range));
	char *memory =
		mmap(NULL, 30 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start = (uint64_t)(uintptr_t)memory;
	char expected[256];

	if (sysconf(_SC_PAGESIZE) != BLOCK) {
		print_message("pages of another size\n");
		skip();
	}
	assert_true(memory != MAP_FAILED);
	assert_int_equal(munmap(memory + 3 * BLOCK, BLOCK), 0);
	assert_int_equal(munmap(memory + 14 * BLOCK, 4 * BLOCK), 0);
	range = (struct iobatch_file){.offset = start, .length = 30 * BLOCK, .path = "memory"};
	range.path_length = 6;
	range.fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	assert_true(range.fd >= 0);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.failed, 1);
	assert_string_equal(result.failed_items[0].error_name, "EIO");
	assert_int_equal(result.failed_items[0].bytes, 25 * BLOCK);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	snprintf(expected, sizeof(expected), "memory: %llu +4096: EIO\nmemory: %llu +16384: EIO\n",
	         (unsigned long long)(start + 3 * BLOCK), (unsigned long long)(start + 14 * BLOCK));
	assert_report(expected);
	close(range.fd);
	munmap(memory, 30 * BLOCK);
}

static void what_is_no_damage_is_an_error_as_ever(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = scrub_new(4, 2, NULL);

	files_run_one(processor, &options, DT_DIR, ".", "EISDIR");
	files_run_one(processor, &options, DT_REG, "missing", "ENOENT");
	file_make("whole", 50 * BLOCK + 1);
	files_run_one(processor, &options, DT_REG, "whole", NULL);
	iobatch_processor_free(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(options_out_of_range_are_refused),
		FILES_ON_REAL(every_byte_is_counted_at_every_size),
		FILES_ON_SIMULATED(
			a_file_of_less_than_a_block_takes_an_open_and_a_read_and_a_close),
		FILES_ON_SIMULATED(reads_that_are_cut_short_anywhere_count_the_same),
		FILES_ON_SIMULATED(a_file_that_shrinks_fails),
		FILES_ON_REAL(a_file_that_grows_is_read_to_its_end),
		FILES_ON_REAL(a_file_that_says_it_is_empty_is_read_to_its_end),
		FILES_ON_REAL(ranges_of_a_descriptor_are_read_and_no_more),
		FILES_ON_REAL(a_symbolic_link_where_a_file_was_promised_is_not_followed),
		FILES_ON_REAL(what_is_no_file_fails_with_its_errno),
		FILES_ON_REAL(direct_reads_count_a_tail_that_is_no_block),
		FILES_ON_SIMULATED(every_range_that_cannot_be_read_is_found_and_all_else_is_read),
		FILES_ON_SIMULATED(a_file_of_which_nothing_can_be_read_comes_to_an_end),
		FILES_ON_SIMULATED(attempts_that_fail_otherwise_leave_nothing_in_the_report),
		FILES_ON_REAL(holes_in_the_memory_of_this_process_are_found),
		FILES_ON_REAL(what_is_no_damage_is_an_error_as_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

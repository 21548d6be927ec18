/* SPDX-License-Identifier: MIT */
/*
 * How the data of a copy gets there: every option gives the same contents, holes stay holes and are
 * not read, what was written badly is found, and the page cache is left as it was.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t sizes[] = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 7 * BLOCK, 300 * BLOCK - 1};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void make_files(const char *directory)
{
	char name[256];

	assert_int_equal(mkdir(directory, 0755), 0);
	for (unsigned i = 0; i < SIZES; i++) {
		snprintf(name, sizeof(name), "%s/%u", directory, i);
		file_make(name, sizes[i]);
	}
}

static void assert_files(const char *directory)
{
	char name[256];

	for (unsigned i = 0; i < SIZES; i++) {
		snprintf(name, sizeof(name), "%s/%u", directory, i);
		assert_file(name, sizes[i]);
	}
	assert_int_equal(hidden_count(directory), 0);
}

static void set_none(struct iobatch_copy_options *copy)
{
	copy->reflink = IOBATCH_REFLINK_NEVER;
}

static void set_verify(struct iobatch_copy_options *copy)
{
	copy->verify = 1;
}

static void set_direct(struct iobatch_copy_options *copy)
{
	copy->direct = 1;
}

static void set_direct_verify(struct iobatch_copy_options *copy)
{
	copy->direct = copy->verify = 1;
}

static void set_preallocate(struct iobatch_copy_options *copy)
{
	copy->preallocate = 1;
}

static void set_keep_cache(struct iobatch_copy_options *copy)
{
	copy->keep_cache = 1;
}

static void set_sync(struct iobatch_copy_options *copy)
{
	copy->fsync = IOBATCH_FSYNC_DATA;
}

static void set_all(struct iobatch_copy_options *copy)
{
	copy->verify = copy->direct = copy->preallocate = copy->keep_cache = 1;
	copy->fsync = IOBATCH_FSYNC_FULL;
	copy->preserve |= IOBATCH_PRESERVE_XATTRS | IOBATCH_PRESERVE_ACLS;
}

static void (*const settings[])(struct iobatch_copy_options *) = {
	set_none,        set_verify,     set_direct, set_direct_verify,
	set_preallocate, set_keep_cache, set_sync,   set_all,
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static void copy_with_each(const struct iobatch_options *options, const char *parent)
{
	char destination[100], inner[200];

	for (unsigned i = 0; i < SETTINGS; i++) {
		struct copying_tree tree = {.root = "data",
		                            .directories = IOBATCH_DIRECTORIES_LAST,
		                            .root_name = IOBATCH_ROOT_NAME_KEEP};
		struct iobatch_copy_options copy;

		snprintf(destination, sizeof(destination), "%s/out%u", parent, i);
		copy = copying_options(destination);
		settings[i](&copy);
		copying_run(&copy, &tree, options, NULL);
		/* And once more over what is there. */
		copying_run(&copy, &tree, options, NULL);
		snprintf(inner, sizeof(inner), "%s/data", destination);
		assert_files(inner);
	}
}

static void every_option_gives_the_same_contents(void **state)
{
	struct iobatch_options options = files_options(state);
	char memory[64];

	make_files("data");
	copy_with_each(&options, ".");
	make_in_memory(memory, sizeof(memory));
	copy_with_each(&options, memory);
	remove_tree(memory);
}

/* ---------------------------------------------------------------- holes -- */

#define TERABYTE (UINT64_C(1) << 40)

static void make_sparse(const char *name, uint64_t size, uint64_t at)
{
	char data[BLOCK];
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	assert_true(fd >= 0);
	pattern_fill(data, at, sizeof(data));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, data, sizeof(data), (off_t)at), sizeof(data));
	close(fd);
}

static void assert_sparse(const char *name, uint64_t size, uint64_t at)
{
	char data[BLOCK], expected[BLOCK];
	struct stat status;
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, size);
	assert_true(status.st_blocks <= 64);
	pattern_fill(expected, at, sizeof(expected));
	assert_int_equal(pread(fd, data, sizeof(data), (off_t)at), sizeof(data));
	assert_memory_equal(data, expected, sizeof(data));
	close(fd);
}

static void a_terabyte_of_holes_is_copied_in_a_moment(void **state)
{
	struct iobatch_options options = files_options(state);
	/* Neither at the beginning of a block of the copy nor of a page. */
	uint64_t at = TERABYTE / 3 + 1000;

	make_sparse("sparse", TERABYTE + 5, at);
	assert_int_equal(mkdir("out", 0755), 0);
	for (unsigned i = 0; i < SETTINGS; i++) {
		struct iobatch_copy_options copy = copying_options("out");

		settings[i](&copy);
		copy.block_size = 64u << 10;
		copying_one(&copy, false, &options, DT_REG, "sparse", NULL);
		assert_sparse("out/sparse", TERABYTE + 5, at);
	}
	/* Nor is it read to be compared. */
	struct iobatch_copy_options copy = copying_options("out");

	copy.checksum = 1;
	copying_skipped(&copy, false, &options, DT_REG, "sparse", "EUPTODATE");
}

/* Ranges of data as file systems with small blocks have them: many in a page, and across pages. */
struct ranges {
	uint64_t seen; /* pages that were written, a bit for each */
};

static const uint64_t small_ranges[][2] = {{512, 1024},
                                           {1536, 2048},
                                           {BLOCK - 512, BLOCK + 512},
                                           {5 * BLOCK + 512, 6 * BLOCK},
                                           {9 * BLOCK, 9 * BLOCK + 5}};

static void tell_small_ranges(void *context, const struct iobatch_op *op,
                              struct iobatch_answer *answer)
{
	struct ranges *ranges = context;
	uint64_t *range = op->buffer;

	if (op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_blocks = 1;
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	if (op->opcode == IOBATCH_OP_READ)
		memset(op->buffer, 1, (size_t)answer->result);
	if (op->opcode == IOBATCH_OP_WRITE) {
		assert_int_equal(op->offset % BLOCK, 0);
		assert_false(ranges->seen & UINT64_C(1) << op->offset / BLOCK);
		ranges->seen |= UINT64_C(1) << op->offset / BLOCK;
	}
	if (op->opcode != IOBATCH_OP_FIND_DATA)
		return;
	answer->result = -ENXIO;
	for (unsigned i = 0; i < sizeof(small_ranges) / sizeof(small_ranges[0]); i++) {
		if (small_ranges[i][1] <= op->offset)
			continue;
		range[0] = small_ranges[i][0] > op->offset ? small_ranges[i][0] : op->offset;
		range[1] = small_ranges[i][1];
		answer->result = 0;
		return;
	}
}

static void ranges_that_are_no_pages_are_copied_once_and_whole(void **state)
{
	struct ranges ranges = {0};
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 9 * BLOCK + 5, .script = tell_small_ranges, .context = &ranges};
	struct iobatch_copy_options copy = copying_options("small");

	options.simulation = &simulation;
	copying_one(&copy, false, &options, DT_REG, "a", NULL);
	assert_int_equal(ranges.seen, 1u | 1u << 1 | 1u << 5 | 1u << 9);
}

static void a_file_of_holes_alone_keeps_its_length(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct stat status;
	int fd = open("hollow", O_RDWR | O_CREAT, 0644);

	assert_int_equal(ftruncate(fd, 123456789), 0);
	close(fd);
	copying_one(&copy, false, &options, DT_REG, "hollow", NULL);
	assert_int_equal(stat("out/hollow", &status), 0);
	assert_int_equal(status.st_size, 123456789);
	assert_int_equal(status.st_blocks, 0);
}

/* ------------------------------------------------------------- odd files -- */

static void files_that_say_no_size_are_read_to_their_end(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	char expected[BLOCK], data[BLOCK];
	FILE *file = fopen("/proc/version", "r");
	size_t length;

	assert_non_null(file);
	length = fread(expected, 1, sizeof(expected), file);
	fclose(file);
	copying_one(&copy, false, &options, DT_REG, "/proc/version", NULL);
	file = fopen("out/proc/version", "r");
	assert_non_null(file);
	assert_int_equal(fread(data, 1, sizeof(data), file), length);
	assert_memory_equal(data, expected, length);
	fclose(file);
}

/* ------------------------------------------------------------ reading back -- */

struct flip {
	unsigned reads;
	unsigned removed;
	unsigned renamed;
	bool synced;
};

/* What is read after the sync is what was written, but for a bit. */
static void flip_a_bit(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct flip *flip = context;

	if (op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_blocks = 64;
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	flip->synced |= op->opcode == IOBATCH_OP_FDATASYNC;
	if (op->opcode == IOBATCH_OP_READ && flip->synced && flip->reads++ == 1)
		((char *)op->buffer)[17] ^= 4;
	flip->removed += op->opcode == IOBATCH_OP_UNLINKAT;
	flip->renamed += op->opcode == IOBATCH_OP_RENAMEAT;
}

static void what_reads_back_differently_gets_no_name(void **state)
{
	struct flip flip = {0};
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 3 * BLOCK, .script = flip_a_bit, .context = &flip};
	struct iobatch_copy_options copy = copying_options("flipped");

	options.simulation = &simulation;
	copy.verify = 1;
	copying_one(&copy, false, &options, DT_REG, "a", "EVERIFY");
	assert_true(flip.synced);
	assert_int_equal(flip.removed, 1);
	assert_int_equal(flip.renamed, 0);
	/* The next attempt is sound. */
	flip = (struct flip){.reads = 5};
	copying_one(&copy, false, &options, DT_REG, "a", NULL);
	assert_int_equal(flip.renamed, 1);
}

/* What a copy asks for. */
struct asked {
	unsigned allocations;
	uint64_t allocated;
	unsigned direct_opens;
};

static void see_what_is_asked(void *context, const struct iobatch_op *op,
                              struct iobatch_answer *answer)
{
	struct asked *asked = context;

	if (op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_blocks = 64;
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	if (op->opcode == IOBATCH_OP_FALLOCATE) {
		asked->allocations++;
		asked->allocated = op->length;
	}
	asked->direct_opens += op->opcode == IOBATCH_OP_OPENAT && op->op_flags & O_DIRECT;
}

static void space_and_o_direct_are_asked_for_when_they_are_wanted_and_only_then(void **state)
{
	struct iobatch_options options = files_options(state);

	for (uint32_t wanted = 0; wanted <= 1; wanted++) {
		struct asked asked = {0};
		struct iobatch_simulation simulation = {
			.file_size = 3 * BLOCK, .script = see_what_is_asked, .context = &asked};
		struct iobatch_copy_options copy = copying_options("asked");

		options.simulation = &simulation;
		copy.preallocate = copy.direct = wanted;
		copying_one(&copy, false, &options, DT_REG, "a", NULL);
		assert_int_equal(asked.allocations, wanted);
		assert_int_equal(asked.allocated, wanted * 3 * BLOCK);
		/* The source and the temporary file. */
		assert_int_equal(asked.direct_opens, wanted * 2);
	}
}

/* ----------------------------------------------------------- the page cache -- */

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* Pages of the file that are in the cache; skips the test where the kernel does not tell. */
static uint64_t cached_pages(const char *name)
{
	struct {
		uint64_t offset, length;
	} range = {0, 0};
	uint64_t counts[5];
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	if (syscall(SYS_cachestat, fd, &range, counts, 0) < 0) {
		print_message("cachestat: %s\n", strerror(errno));
		skip();
	}
	close(fd);
	return counts[0];
}

static void drop_from_cache(const char *name)
{
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
}

static void the_cache_is_left_as_it_was_found(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	file_make("cold", 200 * BLOCK);
	file_make("warm", 200 * BLOCK);
	drop_from_cache("cold");
	if (cached_pages("cold") > 0 || cached_pages("warm") == 0) {
		print_message("this file system does not let go of pages, or keeps none\n");
		skip();
	}
	copy.keep_cache = 1;
	copying_one(&copy, false, &options, DT_REG, "cold", NULL);
	copying_one(&copy, false, &options, DT_REG, "warm", NULL);
	assert_int_equal(cached_pages("cold"), 0);
	assert_true(cached_pages("warm") > 0);
	assert_int_equal(cached_pages("out/cold"), 0);
	assert_int_equal(cached_pages("out/warm"), 0);
	assert_file("out/cold", 200 * BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(every_option_gives_the_same_contents),
		FILES_ON_REAL(a_terabyte_of_holes_is_copied_in_a_moment),
		FILES_ON_SIMULATED(ranges_that_are_no_pages_are_copied_once_and_whole),
		FILES_ON_REAL(a_file_of_holes_alone_keeps_its_length),
		FILES_ON_REAL(files_that_say_no_size_are_read_to_their_end),
		FILES_ON_SIMULATED(what_reads_back_differently_gets_no_name),
		FILES_ON_SIMULATED(
			space_and_o_direct_are_asked_for_when_they_are_wanted_and_only_then),
		FILES_ON_REAL(the_cache_is_left_as_it_was_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

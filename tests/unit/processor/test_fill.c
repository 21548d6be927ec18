/* SPDX-License-Identifier: MIT */
/*
 * The fill processor: files of the bytes that the seed says, whole or not there at all, with a
 * manifest that verify finds right; and what is in their place already.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processor/pattern.h"

#define SEED 7

static const struct iobatch_fill_options defaults = IOBATCH_FILL_OPTIONS_INIT;

static struct iobatch_processor *fill_new(struct iobatch_fill_options options)
{
	struct iobatch_processor *processor;

	if (options.length == 0)
		options.length = 3 * BLOCK;
	options.block_size = BLOCK;
	options.seed = SEED;
	assert_int_equal(iobatch_fill_new(&options, &processor), 0);
	return processor;
}

/* Fills the one file, which succeeds or fails with the error of this name. */
static void fill_one(const struct iobatch_options *options, struct iobatch_fill_options fill,
                     const char *name, const char *error_name)
{
	struct iobatch_processor *processor = fill_new(fill);

	files_run_one(processor, options, DT_UNKNOWN, name, error_name);
	iobatch_processor_free(processor);
}

/* Is the file what was to be made as item `index`? */
static void assert_filled(const char *name, uint64_t index, uint64_t length)
{
	uint64_t key = pattern_key(SEED, index);
	char block[BLOCK], expected[BLOCK];
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	for (uint64_t at = 0; at < length; at += BLOCK) {
		size_t size = length - at < BLOCK ? length - at : BLOCK;

		pattern_write(key, at, expected, size);
		assert_int_equal(fread(block, 1, size, file), size);
		assert_memory_equal(block, expected, size);
	}
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
}

static void options_out_of_range_are_refused(void **state)
{
	struct iobatch_fill_options options = defaults;
	struct iobatch_processor *processor = NULL;

	(void)state;
	options.manifest = "untouched";
	assert_int_equal(iobatch_fill_new(NULL, &processor), -EINVAL);
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	options.length = 4097;
	options.direct = 1;
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	options.direct = 0;
	options.existing = IOBATCH_EXISTING_FAIL + 1;
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	options.existing = IOBATCH_EXISTING_FAIL;
	options.fsync = IOBATCH_FSYNC_FULL + 1;
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	options.fsync = IOBATCH_FSYNC_NONE;
	options.algorithm = IOBATCH_HASH_COUNT;
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	options.algorithm = 0;
	options.depth = 0;
	assert_int_equal(iobatch_fill_new(&options, &processor), -EINVAL);
	assert_int_equal(hidden_count("."), 0);
	assert_null(processor);
}

static void files_of_every_size_have_the_bytes_that_the_seed_says(void **state)
{
	static const uint64_t sizes[] = {1,         BLOCK - 1, BLOCK,         BLOCK + 1,
	                                 2 * BLOCK, 9 * BLOCK, 9 * BLOCK + 3, 70 * BLOCK - 1};
	static const uint32_t depths[] = {1, 2, 3, 64};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
			struct iobatch_options options = files_options(state);
			struct iobatch_fill_options fill = defaults;
			struct iobatch_result result = IOBATCH_RESULT_INIT;
			struct iobatch_processor *processor;

			fill.length = sizes[i];
			fill.depth = depths[d];
			fill.fsync = d % 3;
			fill.existing = IOBATCH_EXISTING_REPLACE;
			processor = fill_new(fill);
			files_run(processor, &options, DT_UNKNOWN,
			          (const char *const[]){"zero", "./one", NULL}, &result);
			assert_int_equal(result.successful, 2);
			assert_int_equal(result.bytes, 2 * sizes[i]);
			iobatch_result_deinit(&result);
			iobatch_processor_free(processor);
			assert_filled("zero", 0, sizes[i]);
			assert_filled("one", 1, sizes[i]);
			assert_int_equal(hidden_count("."), 0);
		}
	}
}

static void nothing_makes_the_bytes_fewer(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_fill_options fill = defaults;

	fill.length = 256 * BLOCK;
	fill_one(&options, fill, "noise", NULL);
	fill_one(&options, fill, "again", NULL);
	/* The same item of the same seed has the same bytes; any other has none like them. */
	assert_int_equal(system("cmp noise again"), 0);
	assert_int_equal(system("test $(gzip -c noise | wc -c) -ge 1048576"), 0);
	fill.length = BLOCK;
	assert_true(pattern_key(0, 1) != pattern_key(1, 0));
}

static void the_manifest_is_what_verify_finds_right(void **state)
{
	static const char *const names[] = {"a", "b\nc", "d\\e", "\xff", NULL};
	struct iobatch_options options = files_options(state);
	struct iobatch_manifest_options manifest = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_verify_options verify = IOBATCH_VERIFY_OPTIONS_INIT;
	struct iobatch_fill_options fill = defaults;
	struct iobatch_processor *processor;
	struct iobatch_source *source;
	struct iobatch_items items;

	for (unsigned algorithm = 0; algorithm < IOBATCH_HASH_COUNT; algorithm++) {
		struct iobatch_result result = IOBATCH_RESULT_INIT;

		fill.length = algorithm % 2 ? 5 * BLOCK + 1 : 100;
		fill.existing = IOBATCH_EXISTING_REPLACE;
		fill.algorithm = algorithm;
		fill.manifest = "manifest";
		processor = fill_new(fill);
		files_run(processor, &options, DT_UNKNOWN, names, &result);
		assert_int_equal(result.successful, 4);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);

		manifest.fd = open("manifest", O_RDONLY | O_CLOEXEC);
		assert_true(manifest.fd >= 0);
		assert_int_equal(iobatch_source_manifest(&manifest, &source), 0);
		assert_int_equal(iobatch_verify_new(&verify, &processor), 0);
		items = iobatch_source_items(source);
		assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
		assert_int_equal(result.successful, 4);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		iobatch_source_free(source);
		close(manifest.fd);
		if (algorithm == IOBATCH_HASH_SHA256)
			assert_int_equal(system("sha256sum --quiet -c --strict manifest"), 0);
	}
}

static void what_is_there_stays_unless_it_is_to_be_replaced(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_fill_options fill = defaults;
	struct iobatch_processor *processor;

	file_make("old", 10);
	assert_int_equal(link("old", "other"), 0);
	fill_one(&options, fill, "old", "EEXIST");
	assert_file("old", 10);

	fill.existing = IOBATCH_EXISTING_SKIP;
	fill.manifest = "manifest";
	processor = fill_new(fill);
	files_run(processor, &options, DT_UNKNOWN, (const char *const[]){"old", "new", NULL},
	          &result);
	assert_int_equal(result.successful, 2);
	assert_int_equal(result.skipped, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_file("old", 10);
	assert_filled("new", 1, 3 * BLOCK);
	assert_int_equal(system("test $(wc -l <manifest) = 1 && grep -q '(new)' manifest"), 0);

	/* Its other name keeps what it was. */
	fill.existing = IOBATCH_EXISTING_REPLACE;
	fill_one(&options, fill, "old", NULL);
	assert_filled("old", 0, 3 * BLOCK);
	assert_file("other", 10);
	assert_int_equal(hidden_count("."), 0);
}

static void what_is_no_file_is_not_replaced(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_fill_options fill = defaults;
	struct stat status;

	fill.existing = IOBATCH_EXISTING_REPLACE;
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(symlink("/dev/null", "null"), 0);
	file_make("target", 4);
	assert_int_equal(symlink("target", "link"), 0);
	fill_one(&options, fill, "directory", "EISDIR");
	fill_one(&options, fill, "fifo", "EREFUSED");
	fill_one(&options, fill, "/dev/zero", "EREFUSED");
	fill_one(&options, fill, "missing/file", "ENOENT");
	/* A link is replaced, and not what it leads to. */
	fill_one(&options, fill, "link", NULL);
	assert_file("target", 4);
	assert_int_equal(lstat("link", &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(hidden_count("."), 0);
}

static void a_file_that_cannot_be_whole_is_not_there(void **state)
{
	struct iobatch_options options = files_options(state);
	struct rlimit before, limit;
	struct iobatch_fill_options fill = defaults;

	fill.length = 20 * BLOCK;
	fill.existing = IOBATCH_EXISTING_REPLACE;
	file_make("kept", 5);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 10 * BLOCK;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	options.retries = 1;
	fill_one(&options, fill, "kept", "EFBIG");
	fill_one(&options, fill, "never", "EFBIG");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_file("kept", 5);
	assert_int_equal(access("never", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
}

static void direct_writes_make_the_same_file(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_fill_options fill = defaults;
	int fd = open("direct", O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);

	if (fd < 0) {
		print_message("no O_DIRECT on the temporary directory's file system\n");
		skip();
	}
	close(fd);
	fill.length = 17 * BLOCK;
	fill.direct = 1;
	fill.existing = IOBATCH_EXISTING_REPLACE;
	fill_one(&options, fill, "direct", NULL);
	assert_filled("direct", 0, fill.length);
}

static void a_block_device_is_written_in_place(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_fill_options fill = defaults;
	char device[64] = "";
	char command[128];
	FILE *pipe;

	assert_int_equal(system("truncate -s 1M image"), 0);
	pipe = popen("losetup -f --show image 2>/dev/null", "r");
	assert_non_null(pipe);
	if (!fgets(device, sizeof(device), pipe) || pclose(pipe) != 0) {
		print_message("no loop device to be had\n");
		skip();
	}
	device[strcspn(device, "\n")] = '\0';
	/* Devices are found by links, too. */
	assert_int_equal(symlink(device, "link"), 0);
	fill.length = 100 * BLOCK + 5;
	fill.fsync = IOBATCH_FSYNC_FULL;
	fill_one(&options, fill, device, "EEXIST");
	fill.existing = IOBATCH_EXISTING_REPLACE;
	fill_one(&options, fill, "link", NULL);
	fill.length = 4u << 20;
	fill_one(&options, fill, device, "ENOSPC");
	snprintf(command, sizeof(command), "losetup -d %s", device);
	assert_int_equal(system(command), 0);
	assert_int_equal(truncate("image", 100 * BLOCK + 5), 0);
	assert_filled("image", 0, 100 * BLOCK + 5);
}

/* ----------------------------------------------------------- simulated -- */

/* What was asked for, in its order, an opcode a word. */
static char asked[1024];
static int rename_answer;
static int look_answer;
static bool replacing;

static void record(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	strncat(asked, iobatch_op_info(op->opcode)->name, sizeof(asked) - strlen(asked) - 1);
	strncat(asked, " ", sizeof(asked) - strlen(asked) - 1);
	/* Nothing is written that was there, and nothing replaced unless that was asked for. */
	if (op->opcode == IOBATCH_OP_OPENAT && op->op_flags & O_CREAT)
		assert_int_equal(op->op_flags & (O_EXCL | O_NOFOLLOW), O_EXCL | O_NOFOLLOW);
	if (op->opcode == IOBATCH_OP_RENAMEAT)
		assert_int_equal(op->op_flags, replacing ? 0 : RENAME_NOREPLACE);
	if (op->opcode == IOBATCH_OP_RENAMEAT)
		answer->result = rename_answer;
	if (op->opcode == IOBATCH_OP_STATX)
		answer->result = look_answer;
}

static void fill_simulated(void **state, struct iobatch_fill_options fill, const char *error_name,
                           const char *expected)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {.script = record};

	asked[0] = '\0';
	replacing = fill.existing == IOBATCH_EXISTING_REPLACE;
	options.simulation = &simulation;
	fill_one(&options, fill, "name", error_name);
	assert_string_equal(asked, expected);
}

static void a_file_is_durable_before_it_has_its_name_and_the_name_after(void **state)
{
	struct iobatch_fill_options fill = defaults;

	rename_answer = 0;
	look_answer = -ENOENT;
	fill.length = 1;
	fill_simulated(state, fill, NULL, "statx openat write renameat close ");
	fill.fsync = IOBATCH_FSYNC_DATA;
	fill_simulated(state, fill, NULL, "statx openat write fdatasync renameat close ");
	fill.fsync = IOBATCH_FSYNC_FULL;
	fill_simulated(state, fill, NULL,
	               "statx openat write fsync renameat openat fsync fstatx close "
	               "close ");
}

static void a_file_system_that_cannot_rename_without_replacing_links(void **state)
{
	struct iobatch_fill_options fill = defaults;

	rename_answer = -EINVAL;
	look_answer = -ENOENT;
	fill.length = 1;
	fill_simulated(state, fill, NULL, "statx openat write renameat linkat unlinkat close ");
	fill.existing = IOBATCH_EXISTING_REPLACE;
	fill_simulated(state, fill, "EINVAL", "statx openat write renameat close unlinkat ");
}

static void a_name_that_is_taken_meanwhile_stays(void **state)
{
	struct iobatch_fill_options fill = defaults;

	rename_answer = -EEXIST;
	look_answer = -ENOENT;
	fill.length = 1;
	fill_simulated(state, fill, "EEXIST", "statx openat write renameat close unlinkat ");
	fill.existing = IOBATCH_EXISTING_SKIP;
	fill_simulated(state, fill, NULL, "statx openat write renameat unlinkat close ");
}

/* What there is under temporary names, as the simulated kernel has answered; one op fails. */
struct balance {
	int temporaries;
	unsigned calls;
	unsigned failing; /* the number of the call */
	bool failed;
};

static void weigh(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct balance *balance = context;

	if (op->opcode == IOBATCH_OP_STATX)
		answer->result = -ENOENT;
	if (op->opcode == IOBATCH_OP_UNLINKAT && balance->temporaries == 0)
		answer->result = -ENOENT;
	if (balance->calls++ == balance->failing) {
		answer->result = -EIO;
		balance->failed = true;
	}
	if (answer->result < 0)
		return;
	if (op->opcode == IOBATCH_OP_OPENAT && op->op_flags & O_CREAT)
		balance->temporaries++;
	if (op->opcode == IOBATCH_OP_UNLINKAT || op->opcode == IOBATCH_OP_RENAMEAT)
		balance->temporaries--;
}

static void whichever_op_fails_no_temporary_file_is_left(void **state)
{
	unsigned failing, failures = 0;
	bool failed = true;

	for (failing = 0; failed; failing++) {
		struct iobatch_options options = files_options(state);
		struct balance balance = {.failing = failing};
		struct iobatch_simulation simulation = {
			.latency_max_ns = 1000, .script = weigh, .context = &balance};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_fill_options fill = defaults;
		struct iobatch_processor *processor;

		fill.length = 9 * BLOCK;
		fill.fsync = IOBATCH_FSYNC_FULL;
		fill.manifest = "manifest";
		options.simulation = &simulation;
		processor = fill_new(fill);
		files_run(processor, &options, DT_UNKNOWN, (const char *const[]){"a", NULL},
		          &result);
		/* Any failure is the item's, also that of a close. */
		failures += result.failed;
		assert_int_equal(balance.temporaries, 0);
		failed = balance.failed;
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		assert_true(failing < 40);
	}
	assert_int_equal(failures, failing - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(options_out_of_range_are_refused),
		FILES_ON_REAL(files_of_every_size_have_the_bytes_that_the_seed_says),
		FILES_ON(nothing_makes_the_bytes_fewer, "syscall", IOBATCH_EXECUTOR_SYSCALL),
		FILES_ON_REAL(the_manifest_is_what_verify_finds_right),
		FILES_ON_REAL(what_is_there_stays_unless_it_is_to_be_replaced),
		FILES_ON_REAL(what_is_no_file_is_not_replaced),
		FILES_ON_REAL(a_file_that_cannot_be_whole_is_not_there),
		FILES_ON_REAL(direct_writes_make_the_same_file),
		FILES_ON_REAL(a_block_device_is_written_in_place),
		FILES_ON_SIMULATED(a_file_is_durable_before_it_has_its_name_and_the_name_after),
		FILES_ON_SIMULATED(a_file_system_that_cannot_rename_without_replacing_links),
		FILES_ON_SIMULATED(a_name_that_is_taken_meanwhile_stays),
		FILES_ON_SIMULATED(whichever_op_fails_no_temporary_file_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

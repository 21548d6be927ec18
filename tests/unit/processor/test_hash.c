/* SPDX-License-Identifier: MIT */
/*
 * The hash processor: blocks are hashed in the order of the file although they come in any order,
 * and manifests are what the tools check.
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

#include "hashing.h"
#include "op/op.h"
#include "processor/digest.h"

/* Names that a tool may trip over. */
static const char *const odd_names[] = {
	"empty",     "-dash",    "a b",    " lead", "trail ",    "back\\slash", "\\\\", "cr\r",
	"new\nline", "\xff\xfe", "p) = x", "*star", "tab\there", "(",           "-",    NULL,
};

static void bad_options_are_refused_before_anything_is_touched(void **state)
{
	struct iobatch_hash_options options = IOBATCH_HASH_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	options.manifest = "untouched";
	options.algorithm = IOBATCH_HASH_COUNT;
	assert_int_equal(iobatch_hash_new(&options, &processor), -EINVAL);
	options.algorithm = IOBATCH_HASH_SHA256;
	options.block_size = 1;
	assert_int_equal(iobatch_hash_new(&options, &processor), -EINVAL);
	assert_int_equal(hidden_count("."), 0);
	options.block_size = BLOCK;
	options.manifest = "no/such/directory";
	assert_int_equal(iobatch_hash_new(&options, &processor), -ENOENT);
	assert_null(processor);
}

/* Gives the simulated files the pattern as content. */
static void read_pattern(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_READ && answer->result > 0)
		pattern_fill((char *)op->buffer + op_moved(op), op_rest_offset(op),
		             (size_t)answer->result);
}

static void blocks_that_come_in_any_order_give_the_digest_of_the_file(void **state)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000000,
		                                        .file_size = seed * 1500,
		                                        .short_permille = 200,
		                                        .script = read_pattern};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		unsigned algorithm = seed % IOBATCH_HASH_COUNT;
		struct iobatch_processor *processor;
		char expected[1024];

		processor = hashing_new(algorithm, "simulated", 1 + seed % 9);
		options.simulation = &simulation;
		files_run(processor, &options, DT_REG, (const char *const[]){"a", "b", NULL},
		          &result);
		assert_int_equal(result.successful, 2);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		hashing_pattern_line(algorithm, "a", simulation.file_size, expected);
		hashing_pattern_line(algorithm, "b", simulation.file_size,
		                     expected + strlen(expected));
		hashing_assert_manifest("simulated", expected);
	}
}

static void failed_attempts_are_forgotten_by_the_next(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000,
		                                        .file_size = 10 * BLOCK + 1,
		                                        .error_permille = 50,
		                                        .script = read_pattern};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;
		char expected[512];

		processor = hashing_new(IOBATCH_HASH_SHA256, "retried", 4);
		options.simulation = &simulation;
		options.retries = 1000;
		files_run(processor, &options, DT_REG, (const char *const[]){"a", NULL}, &result);
		assert_int_equal(result.successful, 1);
		assert_int_equal(result.bytes, 10 * BLOCK + 1);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		hashing_pattern_line(IOBATCH_HASH_SHA256, "a", simulation.file_size, expected);
		hashing_assert_manifest("retried", expected);
	}
}

static void real_files_of_every_size_agree_with_every_algorithm(void **state)
{
	static const uint64_t sizes[] = {0,         1,         BLOCK - 1,     BLOCK,
	                                 BLOCK + 1, 4 * BLOCK, 4 * BLOCK + 3, 50 * BLOCK};
	static const char *const names[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", NULL};
	static const uint64_t limits[] = {64u << 20, 2 * BLOCK};
	char expected[8192];

	for (unsigned i = 0; names[i]; i++)
		file_make(names[i], sizes[i]);
	for (unsigned algorithm = 0; algorithm < IOBATCH_HASH_COUNT; algorithm++) {
		expected[0] = '\0';
		for (unsigned i = 0; names[i]; i++)
			hashing_pattern_line(algorithm, names[i], sizes[i],
			                     expected + strlen(expected));
		for (unsigned i = 0; i < 4; i++) {
			struct iobatch_options options = files_options(state);
			struct iobatch_result result = IOBATCH_RESULT_INIT;
			struct iobatch_processor *processor;

			processor = hashing_new(algorithm, "real", 3);
			options.batch_size = 2;
			options.rings = 1 + i / 2;
			options.memory_limit = limits[i % 2];
			files_run(processor, &options, DT_REG, names, &result);
			assert_int_equal(result.successful, 8);
			iobatch_result_deinit(&result);
			iobatch_processor_free(processor);
			hashing_assert_manifest("real", expected);
		}
	}
}

static void failed_items_are_not_in_the_manifest(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = hashing_new(IOBATCH_HASH_CRC32C, "partly", 1);
	char expected[1024];

	file_make("first", 5);
	file_make("third", 6);
	files_run(processor, &options, DT_REG,
	          (const char *const[]){"first", "missing", "third", NULL}, &result);
	assert_int_equal(result.successful, 2);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	hashing_pattern_line(IOBATCH_HASH_CRC32C, "first", 5, expected);
	hashing_pattern_line(IOBATCH_HASH_CRC32C, "third", 6, expected + strlen(expected));
	hashing_assert_manifest("partly", expected);
}

static void a_manifest_that_cannot_be_written_fails_the_run(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_simulation simulation = {.file_size = 1};
	struct iobatch_processor *processor = hashing_new(IOBATCH_HASH_CRC32C, "/dev/full", 1);
	static struct iobatch_file file = {.fd = -1, .type = DT_REG, .path = "a", .path_length = 1};
	struct iobatch_items items = iobatch_items_array(&file, 1, sizeof(file));

	options.simulation = &simulation;
	assert_int_equal(iobatch_run(&items, processor, &options, &result), -ENOSPC);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* Gives two files, and then an error. */
static ssize_t next_of_three(void *context, void *object)
{
	static const struct iobatch_file file = {
		.fd = -1, .type = DT_REG, .path = "a", .path_length = 1};
	unsigned *given = context;

	if (++*given == 3)
		return -EXDEV;
	memcpy(object, &file, iobatch_file_size(&file));
	return (ssize_t)iobatch_file_size(&file);
}

static void a_run_that_fails_leaves_no_manifest(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_simulation simulation = {.file_size = 1};
	struct iobatch_processor *processor = hashing_new(IOBATCH_HASH_CRC32C, "half", 1);
	unsigned given = 0;
	struct iobatch_items items =
		iobatch_items_stream(next_of_three, &given, sizeof(struct iobatch_file));

	options.simulation = &simulation;
	assert_int_equal(iobatch_run(&items, processor, &options, &result), -EXDEV);
	assert_int_equal(result.successful, 2);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(access("half", F_OK), -1);
	assert_int_equal(hidden_count("."), 0);
}

static void a_range_cannot_stand_in_a_manifest(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_simulation simulation = {.file_size = 100};
	struct iobatch_processor *processor = hashing_new(IOBATCH_HASH_CRC32C, "ranges", 1);
	static struct iobatch_file file = {.fd = -1, .type = DT_REG, .length = 10};
	struct iobatch_items items = iobatch_items_array(&file, 1, sizeof(file));

	options.simulation = &simulation;
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_string_equal(result.failed_items[0].error_name, "EUNSUPPORTED");
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* Hashes files with odd names and has a tool check the manifest. */
static void check_with(const struct iobatch_options *options, unsigned algorithm,
                       const char *command, const char *const *names)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = hashing_new(algorithm, "manifest", 2);
	char line[256];

	for (unsigned i = 0; names[i]; i++)
		file_make(names[i], i * 3000);
	files_run(processor, options, DT_REG, names, &result);
	assert_int_equal(result.failed, 0);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	snprintf(line, sizeof(line), "%s >/dev/null 2>&1", command);
	assert_int_equal(system(line), 0);
	/* The tool does look: with another content it says no. */
	file_make(names[3], 1);
	assert_int_not_equal(system(line), 0);
}

static void coreutils_check_manifests_with_odd_names(void **state)
{
	struct iobatch_options options = files_options(state);
	check_with(&options, IOBATCH_HASH_SHA256, "sha256sum -c --strict manifest", odd_names);
	check_with(&options, IOBATCH_HASH_BLAKE2B, "b2sum -c --strict manifest", odd_names);
}

static void xxhsum_checks_manifests_with_odd_names(void **state)
{
	struct iobatch_options options = files_options(state);
	const char *names[sizeof(odd_names) / sizeof(odd_names[0])];
	unsigned count = 0;

	if (system("xxhsum --version >/dev/null 2>&1") != 0) {
		print_message("no xxhsum here\n");
		skip();
	}
	/* Before 0.8.2 it cannot check a name with a newline in any form. */
	for (unsigned i = 0; odd_names[i]; i++)
		if (!strchr(odd_names[i], '\n'))
			names[count++] = odd_names[i];
	names[count] = NULL;
	check_with(&options, IOBATCH_HASH_XXH3_64, "xxhsum -c --strict manifest", names);
	check_with(&options, IOBATCH_HASH_XXH3_128, "xxhsum -c --strict manifest", names);
}

/* Deeper than any path that a system call takes. */
static void files_of_a_deep_tree_are_hashed_from_their_directories(void **state)
{
	enum {
		DEPTH = 60
	};
	struct iobatch_options options = files_options(state);
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;
	struct iobatch_source *source;
	struct iobatch_items items;
	char name[201] = "", line[2 * DEPTH * sizeof(name)];
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FILE *file;

	assert_true(here >= 0);
	memset(name, 'd', sizeof(name) - 1);
	for (unsigned depth = 0; depth < DEPTH; depth++) {
		assert_int_equal(mkdir(name, 0755), 0);
		assert_int_equal(chdir(name), 0);
		/* Of more than one block: its size is asked for, too. */
		file_make("file", 2 * BLOCK + depth);
	}
	assert_int_equal(fchdir(here), 0);
	close(here);
	walk.root = name;
	assert_int_equal(iobatch_source_walk(&walk, &source), 0);
	processor = hashing_new(IOBATCH_HASH_CRC32C, "deep", 2);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.successful, DEPTH);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	iobatch_source_free(source);
	file = fopen("deep", "r");
	assert_non_null(file);
	for (unsigned i = 0; i < DEPTH; i++) {
		assert_non_null(fgets(line, sizeof(line), file));
		assert_non_null(strstr(line, "/file) = "));
	}
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
	/* The walk of the tear-down is not for paths like these. */
	assert_int_equal(system("rm -rf ddd*"), 0);
}

static void a_root_that_is_a_link_is_hashed_where_it_leads(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = hashing_new(IOBATCH_HASH_CRC32C, "linked", 2);
	struct iobatch_source *source;
	struct iobatch_items items;
	char expected[256];

	assert_int_equal(mkdir("there", 0755), 0);
	file_make("there/file", 5 * BLOCK);
	assert_int_equal(symlink("there/file", "link"), 0);
	walk.root = "link";
	assert_int_equal(iobatch_source_walk(&walk, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.successful, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	iobatch_source_free(source);
	hashing_pattern_line(IOBATCH_HASH_CRC32C, "link", 5 * BLOCK, expected);
	hashing_assert_manifest("linked", expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(bad_options_are_refused_before_anything_is_touched),
		FILES_ON_SIMULATED(blocks_that_come_in_any_order_give_the_digest_of_the_file),
		FILES_ON_SIMULATED(failed_attempts_are_forgotten_by_the_next),
		FILES_ON_REAL(real_files_of_every_size_agree_with_every_algorithm),
		FILES_ON_REAL(failed_items_are_not_in_the_manifest),
		FILES_ON_SIMULATED(a_manifest_that_cannot_be_written_fails_the_run),
		FILES_ON_SIMULATED(a_run_that_fails_leaves_no_manifest),
		FILES_ON_SIMULATED(a_range_cannot_stand_in_a_manifest),
		FILES_ON_REAL(files_of_a_deep_tree_are_hashed_from_their_directories),
		FILES_ON_REAL(a_root_that_is_a_link_is_hashed_where_it_leads),
		FILES_ON_REAL(coreutils_check_manifests_with_odd_names),
		FILES_ON_REAL(xxhsum_checks_manifests_with_odd_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

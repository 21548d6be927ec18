/* SPDX-License-Identifier: MIT */
/*
 * The verify processor over the lines of manifests: what the tools wrote is read, what has changed
 * is found, and the report says so in the order of the lines.
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
#include "processor/digest.h"

/* Names that a tool may trip over; the last but one has 255 bytes. */
static const char *const odd_names[] = {
	"empty",
	"-dash",
	"a b",
	" lead",
	"trail ",
	"back\\slash",
	"\\\\",
	"\\n",
	"\xff\xfe",
	"p) = x",
	"*star",
	"tab\there",
	"(",
	"#hash",
	"SHA256 (x) = 0",
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
	FIFTY FIFTY FIFTY FIFTY FIFTY "fives",
	NULL,
};

/* Those that a line cannot hold as they are. */
static const char *const line_ends[] = {"new\nline", "cr\r", "\n", "a\r\nb", NULL};

static struct iobatch_processor *verify_new(const char *report, uint32_t quiet)
{
	struct iobatch_verify_options options = IOBATCH_VERIFY_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.report = report;
	options.quiet = quiet;
	options.block_size = BLOCK;
	options.depth = 2;
	assert_int_equal(iobatch_verify_new(&options, &processor), 0);
	return processor;
}

/* Verifies a manifest; returns the number of lines that were left out. */
static uint64_t verify(const struct iobatch_options *options, const char *name, const char *report,
                       struct iobatch_result *result)
{
	struct iobatch_manifest_options manifest = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_processor *processor = verify_new(report, 0);
	struct iobatch_source *source;
	struct iobatch_items items;
	uint64_t errors;

	manifest.fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(manifest.fd >= 0);
	assert_int_equal(iobatch_source_manifest(&manifest, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, options, result), 0);
	errors = iobatch_source_errors(source, NULL, NULL);
	iobatch_source_free(source);
	iobatch_processor_free(processor);
	close(manifest.fd);
	return errors;
}

static void assert_verified(const struct iobatch_options *options, const char *name,
                            uint64_t successful, uint64_t failed)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	assert_int_equal(verify(options, name, NULL, &result), 0);
	for (uint64_t i = 0; i < result.failed_items_count && result.failed != failed; i++)
		print_message("%s: %s: %s\n", name,
		              ((const struct iobatch_file *)result.failed_items[i].object)->path,
		              result.failed_items[i].error_name);
	assert_int_equal(result.failed, failed);
	assert_int_equal(result.successful, successful);
	iobatch_result_deinit(&result);
}

static void assert_content(const char *name, const char *expected)
{
	char content[8192];
	FILE *file = fopen(name, "r");
	size_t length;

	assert_non_null(file);
	length = fread(content, 1, sizeof(content) - 1, file);
	content[length] = '\0';
	fclose(file);
	assert_string_equal(content, expected);
}

static void write_text(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static unsigned make_files(const char *const *names)
{
	unsigned count = 0;

	for (; names[count]; count++)
		file_make(names[count], count * 3000);
	return count;
}

/* ------------------------------------------------------------- the tools -- */

static bool has_tool(const char *tool)
{
	char command[64];

	snprintf(command, sizeof(command), "%s --version >/dev/null 2>&1", tool);
	return system(command) == 0;
}

/* Has the tool write a manifest of all files here, and verifies it before and after a change. */
static void verify_what_writes(const struct iobatch_options *options, const char *tool,
                               unsigned count)
{
	char command[256];

	/* Below another name than those of the files, in another directory than theirs. */
	snprintf(command, sizeof(command), "find . -type f -print0 | xargs -0 %s >../manifest",
	         tool);
	assert_int_equal(system(command), 0);
	assert_verified(options, "../manifest", count, 0);
	file_make("a b", 2);
	assert_verified(options, "../manifest", count - 1, 1);
	file_make("a b", 2 * 3000);
}

static void enter(const char *directory)
{
	assert_int_equal(mkdir(directory, 0755), 0);
	assert_int_equal(chdir(directory), 0);
}

static void manifests_of_coreutils_are_read_whatever_the_names(void **state)
{
	struct iobatch_options options = files_options(state);
	unsigned count;

	enter("in");
	count = make_files(odd_names) + make_files(line_ends);
	verify_what_writes(&options, "sha256sum", count);
	verify_what_writes(&options, "sha256sum -b", count);
	verify_what_writes(&options, "sha256sum --tag", count);
	verify_what_writes(&options, "b2sum", count);
	verify_what_writes(&options, "b2sum --tag", count);
	/* The same as they come from elsewhere. */
	assert_int_equal(system("sed 's/$/\\r/' ../manifest >../returns"), 0);
	assert_verified(&options, "../returns", count, 0);
}

static void manifests_of_xxhsum_are_read_whatever_the_names(void **state)
{
	struct iobatch_options options = files_options(state);
	unsigned count;

	if (!has_tool("xxhsum")) {
		print_message("no xxhsum here\n");
		skip();
	}
	enter("in");
	/* One of before 0.8.2 writes a newline in a name as it is: such a line says nothing. */
	count = make_files(odd_names);
	for (unsigned i = 0; i <= 3; i++) {
		char tool[64];

		snprintf(tool, sizeof(tool), "xxhsum -q -H%u", i);
		verify_what_writes(&options, tool, count);
		snprintf(tool, sizeof(tool), "xxhsum -q --tag -H%u", i);
		verify_what_writes(&options, tool, count);
	}
	verify_what_writes(&options, "xxhsum -q --tag --little-endian -H3", count);
	/* A return is read where it cannot be the end of the line, and where it is not at the end
	 * of all. */
	file_make("cr\r", 100);
	verify_what_writes(&options, "xxhsum -q --tag -H1", count + 1);
	verify_what_writes(&options, "xxhsum -q -H2", count + 1);
}

static void manifests_of_its_own_are_read_by_every_algorithm(void **state)
{
	struct iobatch_options options = files_options(state);
	unsigned count;

	enter("in");
	count = make_files(odd_names) + make_files(line_ends);
	for (unsigned algorithm = 0; algorithm < IOBATCH_HASH_COUNT; algorithm++) {
		struct iobatch_hash_options hash = IOBATCH_HASH_OPTIONS_INIT;
		struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;
		struct iobatch_source *source;
		struct iobatch_items items;

		walk.root = ".";
		hash.algorithm = algorithm;
		hash.manifest = "../own";
		assert_int_equal(iobatch_source_walk(&walk, &source), 0);
		assert_int_equal(iobatch_hash_new(&hash, &processor), 0);
		items = iobatch_source_items(source);
		assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
		assert_int_equal(result.successful, count);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		iobatch_source_free(source);
		assert_verified(&options, "../own", count, 0);
	}
}

/* --------------------------------------------------------------- verdicts -- */

/* Of "abc" and of nothing. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void the_report_says_what_became_of_each_line_in_their_order(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	write_text("good", "abc");
	write_text("bad", "abd");
	write_text("new\nline", "abc");
	assert_int_equal(mkdir("directory", 0755), 0);
	write_text("manifest", ABC "  good\n" ABC "  bad\n" ABC "  missing\n" ABC "  directory\n"
	                           "not a line\n"
	                           "\\" ABC "  new\\nline\n" ABC "  good/below\n");
	assert_int_equal(verify(&options, "manifest", "report", &result), 1);
	assert_content("report", "good: OK\nbad: FAILED\nmissing: MISSING\n"
	                         "directory: ERROR EISDIR\n\\new\\nline: OK\n"
	                         "good/below: MISSING\n");
	assert_int_equal(result.successful, 2);
	assert_int_equal(result.failed, 4);
	assert_string_equal(result.failed_items[0].error_name, "EMISMATCH");
	iobatch_result_deinit(&result);
}

static void a_manifest_can_be_of_files_below_a_root(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_manifest_options manifest = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = verify_new("report", 0);
	struct iobatch_source *source;
	struct iobatch_items items;

	assert_int_equal(mkdir("root", 0755), 0);
	assert_int_equal(mkdir("root/sub", 0755), 0);
	write_text("root/sub/good", "abc");
	write_text("root/bad", "");
	write_text("manifest", ABC "  sub/good\n" ABC "  bad\n" ABC "  sub/missing\n" ABC
	                           "  no/such/directory\n");
	manifest.fd = open("manifest", O_RDONLY | O_CLOEXEC);
	manifest.root = "root";
	assert_int_equal(iobatch_source_manifest(&manifest, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.failed, 3);
	iobatch_result_deinit(&result);
	iobatch_source_free(source);
	iobatch_processor_free(processor);
	close(manifest.fd);
	assert_content("report", "root/sub/good: OK\nroot/bad: FAILED\n"
	                         "root/sub/missing: MISSING\nroot/no/such/directory: MISSING\n");
}

static void quiet_leaves_out_what_is_as_it_should_be(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_manifest_options manifest = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = verify_new("report", 1);
	struct iobatch_source *source;
	struct iobatch_items items;

	write_text("good", "abc");
	write_text("bad", "");
	write_text("manifest", ABC "  good\n" ABC "  bad\n" ABC "  good\n");
	manifest.fd = open("manifest", O_RDONLY | O_CLOEXEC);
	assert_int_equal(iobatch_source_manifest(&manifest, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.failed, 1);
	iobatch_result_deinit(&result);
	iobatch_source_free(source);
	iobatch_processor_free(processor);
	close(manifest.fd);
	assert_content("report", "bad: FAILED\n");
}

static void a_mismatch_is_final_and_other_errors_are_tried_again(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	options.retries = 3;
	write_text("bad", "abd");
	write_text("manifest", ABC "  bad\n" ABC "  missing\n");
	verify(&options, "manifest", NULL, &result);
	assert_int_equal(result.failed, 2);
	assert_string_equal(result.failed_items[0].error_name, "EMISMATCH");
	assert_int_equal(result.failed_items[0].attempts, 1);
	assert_string_equal(result.failed_items[1].error_name, "ENOENT");
	assert_int_equal(result.failed_items[1].attempts, 4);
	iobatch_result_deinit(&result);
}

static void an_item_that_brings_no_digest_fails(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = verify_new(NULL, 0);

	file_make("plain", 10);
	files_run_one(processor, &options, DT_REG, "plain", "ENODIGEST");
	iobatch_processor_free(processor);
}

static void bad_options_are_refused_before_anything_is_touched(void **state)
{
	struct iobatch_verify_options options = IOBATCH_VERIFY_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_verify_new(NULL, &processor), -EINVAL);
	options.report = "untouched";
	options.quiet = 2;
	assert_int_equal(iobatch_verify_new(&options, &processor), -EINVAL);
	options.quiet = 1;
	options.depth = 0;
	assert_int_equal(iobatch_verify_new(&options, &processor), -EINVAL);
	assert_int_equal(hidden_count("."), 0);
	options.depth = 1;
	options.report = "no/such/directory";
	assert_int_equal(iobatch_verify_new(&options, &processor), -ENOENT);
	assert_null(processor);
}

/* On the simulator: whatever fails in between, an item that succeeds has the digest. */
static void faults_never_pass_for_a_match(void **state)
{
	uint64_t matched = 0, mismatched = 0, failed = 0;

	write_text("manifest", EMPTY "  a\n" ABC "  b\n" EMPTY "  c\n");
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 100000,
		                                        .error_permille = seed % 2 ? 200 : 0,
		                                        .short_permille = 200};
		struct iobatch_result result = IOBATCH_RESULT_INIT;

		options.simulation = &simulation;
		verify(&options, "manifest", NULL, &result);
		matched += result.successful;
		for (uint64_t i = 0; i < result.failed_items_count; i++) {
			bool mismatch = strcmp(result.failed_items[i].error_name, "EMISMATCH") == 0;

			/* "b" is empty here, too, and all others are as they should be. */
			assert_true(!mismatch || result.failed_items[i].index == 1);
			mismatched += mismatch;
			failed += !mismatch;
		}
		iobatch_result_deinit(&result);
	}
	assert_true(matched >= 200 && mismatched >= 100 && failed > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(bad_options_are_refused_before_anything_is_touched),
		FILES_ON_REAL(manifests_of_coreutils_are_read_whatever_the_names),
		FILES_ON_REAL(manifests_of_xxhsum_are_read_whatever_the_names),
		FILES_ON_REAL(manifests_of_its_own_are_read_by_every_algorithm),
		FILES_ON_REAL(the_report_says_what_became_of_each_line_in_their_order),
		FILES_ON_REAL(a_manifest_can_be_of_files_below_a_root),
		FILES_ON_REAL(quiet_leaves_out_what_is_as_it_should_be),
		FILES_ON_REAL(a_mismatch_is_final_and_other_errors_are_tried_again),
		FILES_ON_EACH(an_item_that_brings_no_digest_fails),
		FILES_ON_SIMULATED(faults_never_pass_for_a_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

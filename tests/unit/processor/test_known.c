/* SPDX-License-Identifier: MIT */
/*
 * What an earlier run has noted of an item: hash and verify take it for the digest, and do not read
 * the file.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hashing.h"
#include "processor/digest.h"

static char noted[8][IOBATCH_NOTE_MAX + 1];

static void take_note(void *context, const struct iobatch_outcome *outcome)
{
	(void)context;
	assert_true(outcome->index < 8);
	memset(noted[outcome->index], 0, sizeof(noted[0]));
	if (outcome->note)
		memcpy(noted[outcome->index], outcome->note, outcome->note_length);
}

static void make_known(struct iobatch_file *file, const char *name, const char *note)
{
	memset(file, 0, sizeof(*file));
	file->fd = -1;
	file->dirfd = AT_FDCWD;
	file->type = DT_REG;
	file->path_length = (uint32_t)strlen(name);
	strcpy(file->path, name);
	assert_int_equal(iobatch_file_know(file, note, strlen(note)), 0);
}

static void run_known(const struct iobatch_options *given, unsigned algorithm,
                      struct iobatch_file *files, unsigned count, struct iobatch_result *result)
{
	struct iobatch_options options = *given;
	struct iobatch_processor *processor = hashing_new(algorithm, "known", 2);
	struct iobatch_items items = iobatch_items_array(files, count, sizeof(*files));

	options.on_settled = take_note;
	assert_int_equal(iobatch_run(&items, processor, &options, result), 0);
	iobatch_processor_free(processor);
}

static void what_an_earlier_run_has_noted_is_not_read_again(void **state)
{
	static struct iobatch_file files[3];
	struct iobatch_options options = files_options(state);
	char expected[1024], first[IOBATCH_NOTE_MAX + 1];

	file_make("large", 20 * BLOCK + 1);
	file_make("other", 5);
	for (unsigned algorithm = 0; algorithm < IOBATCH_HASH_COUNT; algorithm++) {
		struct iobatch_result result = IOBATCH_RESULT_INIT;

		make_known(&files[0], "large", "");
		run_known(&options, algorithm, files, 1, &result);
		assert_int_equal(result.successful, 1);
		iobatch_result_deinit(&result);
		strcpy(first, noted[0]);
		assert_memory_equal(first, iobatch_hash_name(algorithm),
		                    strlen(iobatch_hash_name(algorithm)));

		/* There is no such file: nobody looks. */
		make_known(&files[0], "gone", first);
		make_known(&files[1], "other", "");
		make_known(&files[2], "gone too", first);
		run_known(&options, algorithm, files, 3, &result);
		assert_int_equal(result.successful, 3);
		assert_int_equal(result.bytes, 5);
		iobatch_result_deinit(&result);
		assert_string_equal(noted[0], first);
		assert_string_equal(noted[2], first);
		hashing_pattern_line(algorithm, "gone", 20 * BLOCK + 1, expected);
		hashing_pattern_line(algorithm, "other", 5, expected + strlen(expected));
		hashing_pattern_line(algorithm, "gone too", 20 * BLOCK + 1,
		                     expected + strlen(expected));
		hashing_assert_manifest("known", expected);
	}
}

static void what_is_no_digest_of_that_algorithm_is_read(void **state)
{
	static const char *const wrong[] = {
		"sha256:00",       "crc32c:0123456", "crc32c:012345678", "crc32c:0123456G",
		"crc32c 01234567", "xxh32:01234567", "CRC32C:01234567"};
	static struct iobatch_file file;
	struct iobatch_options options = files_options(state);
	char expected[256];

	file_make("file", 3 * BLOCK);
	hashing_pattern_line(IOBATCH_HASH_CRC32C, "file", 3 * BLOCK, expected);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct iobatch_result result = IOBATCH_RESULT_INIT;

		make_known(&file, "file", wrong[i]);
		run_known(&options, IOBATCH_HASH_CRC32C, &file, 1, &result);
		assert_int_equal(result.bytes, 3 * BLOCK);
		iobatch_result_deinit(&result);
		hashing_assert_manifest("known", expected);
		assert_string_not_equal(noted[0], wrong[i]);
	}
}

static void what_has_no_digest_has_no_note(void **state)
{
	static struct iobatch_file files[3];
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	/* It is not there, it is skipped, it is the manifest as it was. */
	assert_int_equal(system(": >known"), 0);
	make_known(&files[0], "missing", "");
	make_known(&files[1], "fifo", "");
	files[1].type = DT_FIFO;
	files[1].directory = (struct iobatch_directory *)files;
	make_known(&files[2], "known", "");
	run_known(&options, IOBATCH_HASH_CRC32C, files, 3, &result);
	assert_int_equal(result.failed, 1);
	assert_int_equal(result.skipped, 1);
	iobatch_result_deinit(&result);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(noted[i], "");
	hashing_assert_manifest("known", "");
}

/* ------------------------------------------------------------- verify -- */

/* Every second line of the manifest comes with its note. */
static bool know_some(void *context, struct iobatch_file *file)
{
	unsigned *count = context;

	if ((*count)++ % 2 == 0)
		assert_int_equal(iobatch_file_know(file, noted[0], strlen(noted[0])), 0);
	return true;
}

static void a_line_whose_digest_is_known_is_compared_and_not_read(void **state)
{
	static struct iobatch_file file;
	struct iobatch_options options = files_options(state);
	char line[256];

	file_make("file", 3 * BLOCK);
	for (unsigned algorithm = 0; algorithm < IOBATCH_HASH_COUNT; algorithm++) {
		struct iobatch_manifest_options manifest = IOBATCH_MANIFEST_OPTIONS_INIT;
		struct iobatch_verify_options verify = IOBATCH_VERIFY_OPTIONS_INIT;
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;
		struct iobatch_source *source;
		struct iobatch_items items;
		unsigned count = 0;
		FILE *text = fopen("manifest", "w");

		make_known(&file, "file", "");
		run_known(&options, algorithm, &file, 1, &result);
		iobatch_result_deinit(&result);
		assert_non_null(text);
		/* Known, not known, known to be another one. */
		hashing_pattern_line(algorithm, "gone", 3 * BLOCK, line);
		fputs(line, text);
		hashing_pattern_line(algorithm, "file", 3 * BLOCK, line);
		fputs(line, text);
		hashing_pattern_line(algorithm, "other", 2 * BLOCK, line);
		fputs(line, text);
		assert_int_equal(fclose(text), 0);

		manifest.fd = open("manifest", O_RDONLY | O_CLOEXEC);
		assert_true(manifest.fd >= 0);
		manifest.algorithm = algorithm;
		assert_int_equal(iobatch_source_manifest(&manifest, &source), 0);
		assert_int_equal(iobatch_source_filter(source, know_some, &count), 0);
		verify.report = "report";
		assert_int_equal(iobatch_verify_new(&verify, &processor), 0);
		items = iobatch_source_items(source);
		options.on_settled = NULL;
		assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
		assert_int_equal(result.successful, 2);
		assert_int_equal(result.bytes, 3 * BLOCK);
		assert_int_equal(result.failed_items_count, 1);
		assert_string_equal(result.failed_items[0].error_name, "EMISMATCH");
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
		iobatch_source_free(source);
		close(manifest.fd);
		hashing_assert_manifest("report", "gone: OK\nfile: OK\nother: FAILED\n");
	}
}

static void a_note_that_is_too_long_is_refused(void **state)
{
	static struct iobatch_file file;
	char note[IOBATCH_NOTE_MAX + 1];

	(void)state;
	make_known(&file, "file", "note");
	memset(note, 'n', sizeof(note));
	assert_int_equal(iobatch_file_know(&file, note, sizeof(note)), -EINVAL);
	assert_int_equal(file.known_length, 4);
	file.extra_length = 3;
	assert_int_equal(iobatch_file_know(&file, note, IOBATCH_NOTE_MAX), 0);
	assert_int_equal(iobatch_file_size(&file),
	                 offsetof(struct iobatch_file, path) + 4 + 1 + 3 + IOBATCH_NOTE_MAX);
	assert_int_equal(file.path[4 + 1 + 3], 'n');
	assert_int_equal(iobatch_file_know(&file, NULL, 0), 0);
	assert_int_equal(file.known_length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(what_an_earlier_run_has_noted_is_not_read_again),
		FILES_ON_REAL(what_is_no_digest_of_that_algorithm_is_read),
		FILES_ON_REAL(what_has_no_digest_has_no_note),
		FILES_ON_REAL(a_line_whose_digest_is_known_is_compared_and_not_read),
		FILES_TEST(a_note_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

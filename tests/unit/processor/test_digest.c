/* SPDX-License-Identifier: MIT */
/*
 * Digests against published and independently computed values, and the form of manifest lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/digest.h"

struct sample {
	unsigned algorithm;
	const char *text;
	const char *line;
};

static const struct sample samples[] = {
	{IOBATCH_HASH_XXH3_64, "", "XXH3 (n) = 2d06800538d394c2\n"},
	{IOBATCH_HASH_XXH3_64, "abc", "XXH3 (n) = 78af5f94892f3950\n"},
	{IOBATCH_HASH_XXH3_128, "", "99aa06d3014798d86001c324468d497f  n\n"},
	{IOBATCH_HASH_XXH3_128, "abc", "06b05ab6733a618578af5f94892f3950  n\n"},
	{IOBATCH_HASH_XXH64, "", "ef46db3751d8e999  n\n"},
	{IOBATCH_HASH_XXH64, "abc", "44bc2cf5ad770999  n\n"},
	{IOBATCH_HASH_XXH32, "", "02cc5d05  n\n"},
	{IOBATCH_HASH_XXH32, "abc", "32d153ff  n\n"},
	{IOBATCH_HASH_SHA256, "",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  n\n"},
	{IOBATCH_HASH_SHA256, "abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  n\n"},
	{IOBATCH_HASH_CRC32C, "", "CRC32C (n) = 00000000\n"},
	{IOBATCH_HASH_CRC32C, "123456789", "CRC32C (n) = e3069283\n"},
	{IOBATCH_HASH_BLAKE2B, "",
         "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419"
         "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce  n\n"},
	{IOBATCH_HASH_BLAKE2B, "abc",
         "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
         "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923  n\n"},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void assert_line(const struct digest_algorithm *algorithm, const uint8_t *value,
                        const char *name, const char *expected)
{
	char line[256 + DIGEST_LINE_OVERHEAD];
	size_t length = digest_line(algorithm, value, name, line);

	assert_true(length <= 2 * strlen(name) + DIGEST_LINE_OVERHEAD);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(line, expected, length);
}

static void values_are_the_published_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct digest_algorithm *algorithm = digest_algorithm(samples[i].algorithm);
		const char *text = samples[i].text;
		uint8_t value[DIGEST_SIZE_MAX];
		struct digest *digest;

		assert_int_equal(digest_new(algorithm, &digest), 0);
		assert_int_equal(digest_start(digest), 0);
		assert_int_equal(digest_update(digest, text, strlen(text)), 0);
		assert_int_equal(digest_finish(digest, value), 0);
		assert_line(algorithm, value, "n", samples[i].line);
		digest_free(digest);
		if (algorithm->once) {
			memset(value, 0, sizeof(value));
			algorithm->once(text, strlen(text), value);
			assert_line(algorithm, value, "n", samples[i].line);
		}
	}
}

static void pieces_give_the_same_value_as_the_whole_again_and_again(void **state)
{
	static char data[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 >> 3);
	for (unsigned i = 0; i < IOBATCH_HASH_COUNT; i++) {
		const struct digest_algorithm *algorithm = digest_algorithm(i);
		uint8_t whole[DIGEST_SIZE_MAX], pieces[DIGEST_SIZE_MAX];
		struct digest *digest;

		assert_int_equal(digest_new(algorithm, &digest), 0);
		assert_int_equal(digest_start(digest), 0);
		assert_int_equal(digest_update(digest, data, sizeof(data)), 0);
		assert_int_equal(digest_finish(digest, whole), 0);
		for (size_t piece = 1000; piece < sizeof(data); piece *= 5) {
			assert_int_equal(digest_start(digest), 0);
			for (size_t at = 0; at < sizeof(data); at += piece)
				assert_int_equal(digest_update(digest, data + at,
				                               sizeof(data) - at < piece
				                                       ? sizeof(data) - at
				                                       : piece),
				                 0);
			assert_int_equal(digest_finish(digest, pieces), 0);
			assert_memory_equal(whole, pieces, algorithm->size);
		}
		digest_free(digest);
	}
}

static void names_are_escaped_as_the_tool_expects(void **state)
{
	const struct digest_algorithm *crc = digest_algorithm(IOBATCH_HASH_CRC32C);
	const struct digest_algorithm *xxh3 = digest_algorithm(IOBATCH_HASH_XXH3_64);
	const struct digest_algorithm *xxh32 = digest_algorithm(IOBATCH_HASH_XXH32);
	const uint8_t value[8] = {0, 1, 2, 0xff, 0xfe, 5, 6, 7};

	(void)state;
	assert_line(crc, value, "a\\b", "\\CRC32C (a\\\\b) = 000102ff\n");
	assert_line(crc, value, "a\nb\rc", "\\CRC32C (a\\nb\\rc) = 000102ff\n");
	assert_line(xxh32, value, "\xff\x80 ", "000102ff  \xff\x80 \n");
	assert_line(xxh32, value, "-", "000102ff  ./-\n");
	assert_line(xxh3, value, "a\\b\rc", "XXH3 (a\\b\rc) = 000102fffe050607\n");
	assert_line(xxh3, value, "a\\b\nc", "\\XXH3 (a\\\\b\\nc) = 000102fffe050607\n");
}

static void a_note_is_read_back_by_its_own_algorithm_and_no_other(void **state)
{
	uint8_t value[DIGEST_SIZE_MAX], read[DIGEST_SIZE_MAX];
	char note[DIGEST_NOTE_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 37 + 9);
	for (unsigned i = 0; i < IOBATCH_HASH_COUNT; i++) {
		const struct digest_algorithm *algorithm = digest_algorithm(i);
		size_t length = digest_note(algorithm, value, note);

		assert_true(length <= sizeof(note) && length <= IOBATCH_NOTE_MAX);
		for (unsigned j = 0; j < IOBATCH_HASH_COUNT; j++)
			assert_int_equal(digest_read_note(digest_algorithm(j), note, length, read),
			                 i == j);
		assert_memory_equal(read, value, algorithm->size);
		/* Whatever byte is another one, and at any other length. */
		memset(read, 0, sizeof(read));
		for (size_t at = 0; at < length; at++) {
			char byte = note[at];

			assert_false(digest_read_note(algorithm, note, at, read));
			note[at] = at % 2 ? 'G' : '\0';
			assert_false(digest_read_note(algorithm, note, length, read));
			note[at] = byte;
		}
		assert_int_equal(read[0], 0);
	}
	assert_int_equal(digest_note(digest_algorithm(IOBATCH_HASH_CRC32C), value, note), 15);
	assert_memory_equal(note, "crc32c:092e5378", 15);
}

static void algorithms_have_names_and_others_have_none(void **state)
{
	(void)state;
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_XXH3_64), "xxh3-64");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_XXH3_128), "xxh3-128");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_SHA256), "sha256");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_CRC32C), "crc32c");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_BLAKE2B), "blake2b");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_XXH64), "xxh64");
	assert_string_equal(iobatch_hash_name(IOBATCH_HASH_XXH32), "xxh32");
	assert_null(iobatch_hash_name(IOBATCH_HASH_COUNT));
	assert_null(iobatch_hash_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_the_published_ones),
		cmocka_unit_test(pieces_give_the_same_value_as_the_whole_again_and_again),
		cmocka_unit_test(names_are_escaped_as_the_tool_expects),
		cmocka_unit_test(a_note_is_read_back_by_its_own_algorithm_and_no_other),
		cmocka_unit_test(algorithms_have_names_and_others_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

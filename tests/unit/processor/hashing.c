/* SPDX-License-Identifier: MIT */
/* See hashing.h. */
#include "hashing.h"

#include <stdio.h>
#include <stdlib.h>

#include "files.h"
#include "processor/digest.h"

struct iobatch_processor *hashing_new(unsigned algorithm, const char *manifest, uint32_t depth)
{
	struct iobatch_hash_options options = IOBATCH_HASH_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.algorithm = algorithm;
	options.manifest = manifest;
	options.block_size = BLOCK;
	options.depth = depth;
	assert_int_equal(iobatch_hash_new(&options, &processor), 0);
	return processor;
}

void hashing_pattern_line(unsigned algorithm, const char *name, uint64_t size, char *ret_line)
{
	const struct digest_algorithm *row = digest_algorithm(algorithm);
	uint8_t value[DIGEST_SIZE_MAX];
	struct digest *digest;
	char *data = malloc(size + 1);

	assert_non_null(data);
	pattern_fill(data, 0, size);
	assert_int_equal(digest_new(row, &digest), 0);
	assert_int_equal(digest_start(digest), 0);
	assert_int_equal(digest_update(digest, data, size), 0);
	assert_int_equal(digest_finish(digest, value), 0);
	ret_line[digest_line(row, value, name, ret_line)] = '\0';
	digest_free(digest);
	free(data);
}

void hashing_assert_manifest(const char *name, const char *expected)
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

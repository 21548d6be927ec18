/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of a corpus, where there is no fuzzer: what was found once
 * stays found.
 *
 *     fuzz_NAME DIRECTORY
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int run_file(const char *directory, const char *name)
{
	char *path, *bytes;
	FILE *file;
	long size;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return 1;
	file = fopen(path, "re");
	free(path);
	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		perror(name);
		return 1;
	}
	rewind(file);
	/* Exactly as long: sanitizers see what is read behind it. */
	bytes = malloc((size_t)size);
	if (size && (!bytes || fread(bytes, (size_t)size, 1, file) != 1)) {
		perror(name);
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, (size_t)size);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	unsigned count = 0;
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;

	if (!directory) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(argv[1], entry->d_name))
			return 1;
		count++;
	}
	closedir(directory);
	printf("%u files\n", count);
	return count ? 0 : 1;
}

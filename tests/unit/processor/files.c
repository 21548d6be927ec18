/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the processors' tests: see files.h.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[PATH_MAX];

int files_setup(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/iobatch-processor-XXXXXX",
	         parent ? parent : "/tmp");
	if (!mkdtemp(directory) || chdir(directory) < 0)
		return -1;
	umask(022);
	return 0;
}

static int open_up(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;
	return type == FTW_D || type == FTW_DNR ? chmod(path, 0700) : 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

int files_teardown(void **state)
{
	(void)state;
	if (chdir("/") < 0 || nftw(directory, open_up, 16, FTW_PHYS) < 0)
		return -1;
	return nftw(directory, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

struct iobatch_options files_options(void **state)
{
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_support support = IOBATCH_SUPPORT_INIT;

	options.executor = (uint32_t)(uintptr_t)*state;
	assert_int_equal(iobatch_probe(&support), 0);
	if (options.executor == IOBATCH_EXECUTOR_RING && support.error) {
		print_message("%s\n", support.cause);
		skip();
	}
	return options;
}

unsigned char pattern_byte(uint64_t offset)
{
	return (unsigned char)((offset * 2654435761u) >> 13);
}

void pattern_fill(void *buffer, uint64_t offset, size_t length)
{
	unsigned char *bytes = buffer;

	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern_byte(offset + i);
}

void file_make(const char *name, uint64_t size)
{
	char block[BLOCK];
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	for (uint64_t at = 0; at < size; at += BLOCK) {
		size_t length = size - at < BLOCK ? size - at : BLOCK;

		pattern_fill(block, at, length);
		assert_int_equal(fwrite(block, 1, length, file), length);
	}
	assert_int_equal(fclose(file), 0);
}

void assert_file(const char *name, uint64_t size)
{
	char block[BLOCK], expected[BLOCK];
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	for (uint64_t at = 0; at < size; at += BLOCK) {
		size_t length = size - at < BLOCK ? size - at : BLOCK;

		pattern_fill(expected, at, length);
		assert_int_equal(fread(block, 1, length, file), length);
		assert_memory_equal(block, expected, length);
	}
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
}

unsigned hidden_count(const char *name)
{
	DIR *dir = opendir(name);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] == '.' && strcmp(entry->d_name, ".") != 0 &&
		         strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

void files_run(const struct iobatch_processor *processor, const struct iobatch_options *options,
               unsigned char type, const char *const *names, struct iobatch_result *result)
{
	struct iobatch_file *files;
	struct iobatch_items items;
	size_t count = 0;

	while (names[count])
		count++;
	files = calloc(count, sizeof(*files));
	assert_non_null(files);
	for (size_t i = 0; i < count; i++) {
		files[i].fd = -1;
		files[i].type = type;
		files[i].path_length = (uint32_t)strlen(names[i]);
		assert_true(files[i].path_length < IOBATCH_PATH_MAX);
		memcpy(files[i].path, names[i], files[i].path_length + 1);
	}
	items = iobatch_items_array(files, count, sizeof(*files));
	assert_int_equal(iobatch_run(&items, processor, options, result), 0);
	assert_int_equal(result->executor, options->executor);
	/* The lists point into the items: what is of interest in them is copied by then. */
	for (uint64_t i = 0; i < result->failed_items_count; i++)
		result->failed_items[i].object = NULL;
	free(files);
}

void files_run_one(const struct iobatch_processor *processor, const struct iobatch_options *options,
                   unsigned char type, const char *name, const char *error_name)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {name, NULL};

	files_run(processor, options, type, names, &result);
	if (error_name) {
		assert_int_equal(result.failed, 1);
		assert_string_equal(result.failed_items[0].error_name, error_name);
	} else {
		if (result.failed)
			print_message("%s: %s\n", name, result.failed_items[0].error_name);
		assert_int_equal(result.successful, 1);
	}
	iobatch_result_deinit(&result);
}

/* -------------------------------------------------- one before another -- */

static int fronted_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                        struct iobatch_chain *chain)
{
	struct fronted *fronted = context;

	fronted->before(fronted->calls++);
	return fronted->inner->next(fronted->inner->context, item, done, chain);
}

static int fronted_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                            struct iobatch_op *op)
{
	struct fronted *fronted = context;

	return fronted->inner->complete(fronted->inner->context, item, chain, op);
}

static int fronted_cleanup(void *context, struct iobatch_item *item, struct iobatch_chain *chain)
{
	struct fronted *fronted = context;

	return fronted->inner->cleanup(fronted->inner->context, item, chain);
}

void fronted_init(struct fronted *fronted, const struct iobatch_processor *inner,
                  void (*before)(unsigned call))
{
	*fronted = (struct fronted){.processor = *inner, .inner = inner, .before = before};
	fronted->processor.context = fronted;
	fronted->processor.next = fronted_next;
	fronted->processor.complete = inner->complete ? fronted_complete : NULL;
	fronted->processor.cleanup = inner->cleanup ? fronted_cleanup : NULL;
	fronted->processor.settled = NULL;
	fronted->processor.finish = NULL;
	fronted->processor.free = NULL;
}

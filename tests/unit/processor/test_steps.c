/* SPDX-License-Identifier: MIT */
/*
 * Chains that a user writes: what is refused, how they are cut into chains, and runs over files.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

static struct iobatch_processor *steps_new(const struct iobatch_op *ops, unsigned count)
{
	struct iobatch_processor *processor = NULL;
	char *error = NULL;
	unsigned at = 0;
	int result = iobatch_steps_new(ops, count, &processor, &at, &error);

	if (result < 0)
		print_error("step %u: %s\n", at, error ? error : strerror(-result));
	assert_int_equal(result, 0);
	return processor;
}

/* ----------------------------------------------------------- refusing -- */

static void check_refused(const struct iobatch_op *ops, unsigned count, unsigned at,
                          const char *message)
{
	struct iobatch_processor *processor = NULL;
	char *error = NULL;
	unsigned found = UINT32_MAX;

	assert_int_equal(iobatch_steps_new(ops, count, &processor, &found, &error), -EINVAL);
	assert_null(processor);
	assert_int_equal(found, at);
	assert_non_null(error);
	if (!strstr(error, message))
		print_error("\"%s\" is not in \"%s\"\n", message, error);
	assert_non_null(strstr(error, message));
	free(error);
	/* The place and the message are optional. */
	assert_int_equal(iobatch_steps_new(ops, count, &processor, NULL, NULL), -EINVAL);
	assert_null(processor);
}

static void steps_that_cannot_work_are_refused_with_their_place(void **state)
{
	const struct iobatch_op open = iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0);
	const struct iobatch_op close = iobatch_op_close(0);
	const struct iobatch_op read = iobatch_op_read(0, NULL, 4096, 0);
	const struct {
		struct iobatch_op ops[3];
		unsigned count, at;
		const char *message;
	} cases[] = {
		{{close}, 1, 0, "before it is opened"},
		{{iobatch_op_nop(), read}, 2, 1, "before it is opened"},
		{{open, close, read}, 3, 2, "after it was closed"},
		{{open, close, close}, 3, 2, "after it was closed"},
		{{open, open}, 2, 1, "open already"},
		{{open, iobatch_op_fsync(1)}, 2, 1, "before it is opened"},
		{{open, iobatch_op_close(16)}, 2, 1, "at most 16 files"},
		{{iobatch_op_openat(16, AT_FDCWD, "x", O_RDONLY, 0)}, 1, 0, "at most 16 files"},
		{{iobatch_op_close(IOBATCH_FD(1))}, 1, 0, "only a file of the item"},
		{{iobatch_op_openat(IOBATCH_FD(1), AT_FDCWD, "x", O_RDONLY, 0)},
	         1,
	         0,
	         "only a file of the item"},
		{{open, iobatch_op_write(0, NULL, 0, 0)}, 2, 1, "no read before"},
		{{open, iobatch_op_read(0, NULL, 0, 0)}, 2, 1, "16 MiB"},
		{{open, iobatch_op_read(0, NULL, (16u << 20) + 1, 0)}, 2, 1, "16 MiB"},
		{{open, read, iobatch_op_write(0, NULL, (16u << 20) + 1, 0)}, 3, 2, "16 MiB"},
		{{iobatch_op_readlinkat(AT_FDCWD, "{path}", NULL, 0)}, 1, 0, "length"},
		{{iobatch_op_readlinkat(AT_FDCWD, "{path}", NULL, 4097)}, 1, 0, "length"},
		{{open, iobatch_op_mkdirat(AT_FDCWD, "{basename}", 0777)},
	         2,
	         1,
	         "path: unknown placeholder \"{basename}\""},
		{{iobatch_op_renameat(AT_FDCWD, "{path}", AT_FDCWD, "{path", 0)}, 1, 0, "to: "},
		{{iobatch_op_symlinkat(NULL, AT_FDCWD, "{path}")}, 1, 0, "target is missing"},
		{{{.opcode = IOBATCH_OP_COUNT}}, 1, 0, "there is no op"},
		{{open, iobatch_op_ficlone(0, 1)}, 2, 1, "before it is opened"},
		{{open, iobatch_op_ficlone(1, 0)}, 2, 1, "before it is opened"},
		{{open, iobatch_op_copy_file_range(0, 0, 16, 0, 1)}, 2, 1, "at most 16 files"},
		{{open, close, iobatch_op_copy_file_range(IOBATCH_FD(1), 0, 0, 0, 1)},
	         3,
	         2,
	         "after it was closed"},
		{{open}, 0, 0, "no steps"},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		check_refused(cases[i].ops, cases[i].count, cases[i].at, cases[i].message);
}

static void more_steps_or_reads_than_an_item_can_have_are_refused(void **state)
{
	struct iobatch_op ops[129];
	struct iobatch_processor *processor;

	(void)state;
	for (unsigned i = 0; i < COUNT(ops); i++)
		ops[i] = iobatch_op_nop();
	processor = steps_new(ops, 128);
	assert_int_equal(processor->chain_ops_max, 128);
	iobatch_processor_free(processor);
	check_refused(ops, 129, 128, "at most 128 steps");

	ops[0] = iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0);
	for (unsigned i = 1; i < COUNT(ops); i++)
		ops[i] = iobatch_op_read(0, NULL, 1, i);
	processor = steps_new(ops, 65);
	assert_int_equal(processor->buffers_min, 64);
	iobatch_processor_free(processor);
	check_refused(ops, 66, 65, "at most 64 reads");
}

static void a_file_may_be_opened_again_after_it_was_closed(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_openat(2, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_close(2),
		iobatch_op_openat2(2, AT_FDCWD, "{path}", O_RDONLY, 0, 0),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));

	(void)state;
	assert_int_equal(processor->files_max, 3);
	iobatch_processor_free(processor);
}

static void files_are_the_process_s_when_a_system_call_uses_them(void **state)
{
	const struct {
		struct iobatch_op op;
		unsigned process_files;
	} cases[] = {
		{iobatch_op_nop(), 0},
		{iobatch_op_fsync(0), 0},
		{iobatch_op_read(0, NULL, 1, 0), 0},
		/* Not on a file of the item. */
		{iobatch_op_fchmodat(AT_FDCWD, "{path}", 0600, 0), 0},
		{iobatch_op_fchmod(IOBATCH_FD(1), 0600), 0},
		{iobatch_op_fchmod(0, 0600), 1},
		{iobatch_op_fchown(0, 0, 0), 1},
		{iobatch_op_futimens(0, NULL), 1},
		{iobatch_op_ftruncate(0, 0), 1},
		{iobatch_op_ficlone(0, 0), 1},
		{iobatch_op_copy_file_range(0, 0, IOBATCH_FD(1), 0, 1), 1},
		{iobatch_op_copy_file_range(IOBATCH_FD(1), 0, 0, 0, 1), 1},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		const struct iobatch_op ops[] = {
			iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDWR, 0),
			cases[i].op,
			iobatch_op_close(0),
		};
		struct iobatch_processor *processor = steps_new(ops, COUNT(ops));

		assert_int_equal(processor->process_files, cases[i].process_files);
		iobatch_processor_free(processor);
	}
}

/* ------------------------------------------------------------- chains -- */

/* An item without an engine: the test plays the executor. */
struct played {
	struct iobatch_processor *processor;
	struct iobatch_item item;
	struct iobatch_file file;
	struct iobatch_op ops[2][128];
	struct iobatch_chain chains[2];
	void *buffers[64];
};

static struct played *played_new(const struct iobatch_op *ops, unsigned count, const char *path)
{
	struct played *played = calloc(1, sizeof(*played));
	struct iobatch_processor *processor = steps_new(ops, count);

	assert_non_null(played);
	played->processor = processor;
	played->file.path_length = (uint32_t)strlen(path);
	strcpy(played->file.path, path);
	for (unsigned i = 0; i < 2; i++) {
		played->chains[i].ops = played->ops[i];
		played->chains[i].capacity = processor->chain_ops_max;
	}
	/* Places that are only compared. */
	for (unsigned i = 0; i < processor->buffers_min; i++)
		played->buffers[i] = (char *)played + i;
	played->item.object = &played->file;
	played->item.object_size = sizeof(played->file);
	played->item.index = 41;
	played->item.buffers = played->buffers;
	played->item.buffer_count = processor->buffers_min;
	played->item.state = calloc(1, processor->state_size);
	played->item.scratch = malloc(processor->scratch_size);
	return played;
}

static void played_free(struct played *played)
{
	iobatch_processor_free(played->processor);
	free(played->item.state);
	free(played->item.scratch);
	free(played);
}

/* The next chain, after the last one. The ops of that have results. */
static struct iobatch_chain *play(struct played *played, int expected)
{
	struct iobatch_chain last = played->chains[0];
	int result;

	played->chains[0] = played->chains[1];
	played->chains[1] = last;
	played->chains[1].count = 0;
	result = played->processor->next(played->processor->context, &played->item,
	                                 &played->chains[0], &played->chains[1]);
	assert_int_equal(result, expected);
	return &played->chains[1];
}

static void only_a_write_of_what_was_read_begins_a_new_chain(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{dir}/copy-{index}", O_WRONLY | O_CREAT, 0600),
		iobatch_op_read(0, NULL, 5000, 0),
		iobatch_op_read(0, NULL, 3000, 5000),
		iobatch_op_write(1, NULL, 0, 0),
		iobatch_op_write(1, NULL, 100, 9000),
		iobatch_op_read(0, NULL, 10, 0),
		iobatch_op_write(1, NULL, 20, 0),
		iobatch_op_close(1),
	};
	struct played *played = played_new(ops, COUNT(ops), "dir/file");
	struct iobatch_chain *chain;

	(void)state;
	assert_int_equal(played->processor->chain_ops_max, 4);
	assert_int_equal(played->processor->buffers_min, 3);
	assert_int_equal(played->processor->buffer_size, 8192);

	chain = play(played, IOBATCH_MORE);
	assert_int_equal(chain->count, 4);
	assert_string_equal(chain->ops[0].path, "dir/file");
	assert_string_equal(chain->ops[1].path, "dir/copy-41");
	assert_ptr_equal(chain->ops[2].buffer, played->buffers[0]);
	assert_ptr_equal(chain->ops[3].buffer, played->buffers[1]);
	chain->ops[2].result = 5000;
	chain->ops[3].result = 700;

	/* Both writes send the read just before them. */
	chain = play(played, IOBATCH_MORE);
	assert_int_equal(chain->count, 3);
	assert_ptr_equal(chain->ops[0].buffer, played->buffers[1]);
	assert_int_equal(chain->ops[0].length, 700);
	assert_ptr_equal(chain->ops[1].buffer, played->buffers[1]);
	assert_int_equal(chain->ops[1].length, 100);
	assert_ptr_equal(chain->ops[2].buffer, played->buffers[2]);
	chain->ops[0].result = 700;
	chain->ops[1].result = 100;
	chain->ops[2].result = 4;

	/* A write sends no more than was read. */
	chain = play(played, IOBATCH_MORE);
	assert_int_equal(chain->count, 2);
	assert_int_equal(chain->ops[0].length, 4);
	assert_int_equal(chain->ops[1].opcode, IOBATCH_OP_CLOSE);
	chain->ops[0].result = 4;

	play(played, IOBATCH_DONE);
	assert_int_equal(played->item.bytes, 5000 + 700 + 700 + 100 + 4 + 4);
	played_free(played);
}

static void what_is_copied_in_the_kernel_counts_and_a_failure_does_not(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_copy_file_range(IOBATCH_FD(5), 0, IOBATCH_FD(6), 0, 1000),
		iobatch_op_copy_file_range(IOBATCH_FD(5), 0, IOBATCH_FD(6), 0, 1000),
		iobatch_op_ftruncate(IOBATCH_FD(6), 10),
	};
	struct played *played = played_new(ops, COUNT(ops), "x");
	struct iobatch_chain *chain = play(played, IOBATCH_MORE);

	(void)state;
	assert_int_equal(chain->count, 3);
	chain->ops[0].result = 700;
	chain->ops[1].result = -EXDEV;
	chain->ops[2].result = 0;
	play(played, IOBATCH_DONE);
	assert_int_equal(played->item.bytes, 700);
	played_free(played);
}

static void a_write_of_nothing_is_left_out(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_read(IOBATCH_FD(5), NULL, 10, 0),
		iobatch_op_write(IOBATCH_FD(6), NULL, 0, 0),
	};
	struct played *played = played_new(ops, COUNT(ops), "x");
	struct iobatch_chain *chain = play(played, IOBATCH_MORE);

	(void)state;
	assert_int_equal(chain->count, 1);
	chain->ops[0].result = 0;
	play(played, IOBATCH_DONE);
	assert_int_equal(played->item.bytes, 0);
	played_free(played);
}

static void places_of_one_chain_do_not_overlap(void **state)
{
	const struct iobatch_op ops[] = {
		iobatch_op_statx(AT_FDCWD, "{name}", 0, STATX_BASIC_STATS, NULL),
		iobatch_op_readlinkat(AT_FDCWD, "{stem}", NULL, PATH_MAX),
		iobatch_op_renameat(AT_FDCWD, "{dir}", AT_FDCWD, "{path}~", 0),
	};
	struct played *played = played_new(ops, COUNT(ops), "a/b.c");
	struct iobatch_chain *chain = play(played, IOBATCH_MORE);
	char *end = (char *)played->item.scratch + played->processor->scratch_size;

	(void)state;
	assert_int_equal(chain->count, 3);
	memset(chain->ops[0].buffer, 0xff, sizeof(struct statx));
	memset(chain->ops[1].buffer, 0xff, PATH_MAX);
	assert_true((char *)chain->ops[0].buffer + sizeof(struct statx) <=
	            (char *)chain->ops[1].buffer);
	assert_string_equal(chain->ops[0].path, "b.c");
	assert_string_equal(chain->ops[1].path, "b");
	assert_string_equal(chain->ops[2].path, "a");
	assert_string_equal(chain->ops[2].path2, "a/b.c~");
	assert_true(chain->ops[2].path2 + sizeof("a/b.c~") <= end);
	played_free(played);
}

static void a_path_that_becomes_too_long_fails_the_attempt(void **state)
{
	const struct iobatch_op op = iobatch_op_mkdirat(AT_FDCWD, "{path}/{path}", 0777);
	char path[3000];
	struct played *played;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	played = played_new(&op, 1, path);
	play(played, -ENAMETOOLONG);
	played_free(played);
}

static void what_the_ops_point_to_is_copied(void **state)
{
	char path[] = "{name}.new";
	struct timespec times[2] = {{.tv_sec = 12}, {.tv_sec = 34}};
	const struct iobatch_op op = iobatch_op_utimensat(AT_FDCWD, path, times, 0);
	struct played *played = played_new(&op, 1, "a/b");
	const struct timespec *copied;
	struct iobatch_chain *chain;

	(void)state;
	memset(path, '?', sizeof(path) - 1);
	memset(times, 0, sizeof(times));
	chain = play(played, IOBATCH_MORE);
	copied = chain->ops[0].buffer;
	assert_string_equal(chain->ops[0].path, "b.new");
	assert_int_equal(copied[0].tv_sec, 12);
	assert_int_equal(copied[1].tv_sec, 34);
	played_free(played);
}

/* --------------------------------------------------------------- runs -- */

/* Reads that move less than they were asked to: the run is the same. */
static const struct iobatch_simulation rough = {
	.seed = 7, .file_size = 100000, .latency_max_ns = 1000, .short_permille = 300};

static void a_file_is_opened_looked_at_read_advised_and_closed(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY | O_NOFOLLOW, 0),
		iobatch_op_statx(AT_FDCWD, "{path}", 0, STATX_BASIC_STATS, NULL),
		iobatch_op_read(0, NULL, 64u << 10, 0),
		iobatch_op_fadvise(0, 0, 0, POSIX_FADV_DONTNEED),
		iobatch_op_close(0),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"large", "large", NULL};

	options.simulation = &rough;
	file_make("large", 100000);
	files_run(processor, &options, 0, names, &result);
	assert_int_equal(result.successful, 2);
	assert_int_equal(result.failed, 0);
	assert_int_equal(result.bytes, 2 * (64u << 10));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink("large"), 0);
}

static void a_file_is_copied_by_reads_and_writes(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{stem}.{index}.part", O_WRONLY | O_CREAT | O_EXCL,
	                          0644),
		iobatch_op_read(0, NULL, 5000, 0),
		iobatch_op_write(1, NULL, 0, 0),
		iobatch_op_read(0, NULL, 5000, 5000),
		iobatch_op_write(1, NULL, 0, 5000),
		iobatch_op_fdatasync(1),
		iobatch_op_close(1),
		iobatch_op_close(0),
		iobatch_op_renameat(AT_FDCWD, "{stem}.{index}.part", AT_FDCWD,
	                            "{stem}.{index}.copy", 0),
	};
	static const struct iobatch_simulation simulation = {
		.seed = 3, .file_size = 7777, .short_permille = 500};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"longer.bin", "shorter.bin", "empty.bin", NULL};

	options.simulation = &simulation;
	file_make("longer.bin", 7777);
	file_make("shorter.bin", 10);
	file_make("empty.bin", 0);
	files_run(processor, &options, 0, names, &result);
	assert_int_equal(result.successful, 3);
	if (options.executor != IOBATCH_EXECUTOR_SIMULATED) {
		assert_int_equal(result.bytes, 2 * (7777 + 10));
		assert_file("longer.0.copy", 7777);
		assert_file("shorter.1.copy", 10);
		assert_file("empty.2.copy", 0);
		assert_int_equal(unlink("longer.0.copy"), 0);
		assert_int_equal(unlink("shorter.1.copy"), 0);
		assert_int_equal(unlink("empty.2.copy"), 0);
	} else {
		assert_int_equal(result.bytes, 3 * 2 * 7777);
	}
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink("longer.bin"), 0);
	assert_int_equal(unlink("shorter.bin"), 0);
	assert_int_equal(unlink("empty.bin"), 0);
}

static void fail_missing(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_OPENAT && strcmp(op->path, "missing") == 0)
		answer->result = -ENOENT;
}

static void a_file_that_does_not_exist_fails_at_its_open(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_nop(),
		iobatch_op_openat(0, AT_FDCWD, "{path}", O_RDONLY, 0),
		iobatch_op_read(0, NULL, 4096, 0),
		iobatch_op_close(0),
	};
	static const struct iobatch_simulation simulation = {.file_size = 4096,
	                                                     .script = fail_missing};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"there", "missing", NULL};

	options.simulation = &simulation;
	options.retries = 1;
	file_make("there", 4096);
	files_run(processor, &options, 0, names, &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.failed_items_count, 1);
	assert_int_equal(result.failed_items[0].error, -ENOENT);
	assert_int_equal(result.failed_items[0].opcode, IOBATCH_OP_OPENAT);
	assert_int_equal(result.failed_items[0].index, 1);
	assert_int_equal(result.failed_items[0].attempts, 2);
	assert_int_equal(result.bytes, 4096);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink("there"), 0);
}

static void every_op_on_names_works_on_real_files(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	const struct iobatch_op ops[] = {
		iobatch_op_mkdirat(AT_FDCWD, "{name}.d", 0777),
		iobatch_op_symlinkat("../{name}", AT_FDCWD, "{name}.d/symlink"),
		iobatch_op_readlinkat(AT_FDCWD, "{name}.d/symlink", NULL, PATH_MAX),
		iobatch_op_linkat(AT_FDCWD, "{name}", AT_FDCWD, "{name}.d/hard", 0),
		iobatch_op_fchmodat(AT_FDCWD, "{name}.d/hard", 0640, 0),
		iobatch_op_openat2(3, AT_FDCWD, "{name}.d/hard", O_RDWR, 0644, 0),
		iobatch_op_fallocate(3, FALLOC_FL_KEEP_SIZE, 0, 8192),
		iobatch_op_fsync(3),
		iobatch_op_close(3),
		/* Last: an fallocate sets the modification time as well. */
		iobatch_op_utimensat(AT_FDCWD, "{name}.d/hard", times, 0),
		iobatch_op_timeout(1000),
		iobatch_op_unlinkat(AT_FDCWD, "{name}.d/symlink", 0),
		iobatch_op_renameat(AT_FDCWD, "{name}.d/hard", AT_FDCWD, "{name}.new", 0),
		iobatch_op_unlinkat(AT_FDCWD, "{name}.d", AT_REMOVEDIR),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"odd \n\xff name", NULL};
	struct stat status;

	file_make(names[0], 10);
	files_run(processor, &options, 0, names, &result);
	if (result.failed)
		print_error("op %d: %s\n", result.failed_items[0].opcode,
		            result.failed_items[0].error_name);
	assert_int_equal(result.successful, 1);
	if (options.executor != IOBATCH_EXECUTOR_SIMULATED) {
		assert_int_equal(stat("odd \n\xff name.new", &status), 0);
		assert_int_equal(status.st_mode & 07777, 0640);
		assert_int_equal(status.st_mtim.tv_sec, 2000);
		assert_int_equal(status.st_nlink, 2);
		assert_int_equal(access("odd \n\xff name.d", F_OK), -1);
		assert_int_equal(unlink("odd \n\xff name.new"), 0);
	}
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink(names[0]), 0);
}

static void every_op_on_open_files_works_on_real_files(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{name}", O_RDONLY, 0),
		iobatch_op_openat(2, AT_FDCWD, "{name}.copy", O_RDWR | O_CREAT | O_EXCL, 0666),
		iobatch_op_copy_file_range(0, 0, 2, 0, 4000),
		iobatch_op_copy_file_range(0, 4000, 2, 4000, 5000),
		iobatch_op_ftruncate(2, 9000),
		iobatch_op_fchmod(2, 0604),
		iobatch_op_fchown(2, getuid(), UINT32_MAX),
		iobatch_op_futimens(2, times),
		iobatch_op_close(2),
		iobatch_op_close(0),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"a", "b", NULL};
	struct stat status;

	for (unsigned i = 0; names[i]; i++)
		file_make(names[i], 10000);
	files_run(processor, &options, 0, names, &result);
	if (result.failed)
		print_error("op %d: %s\n", result.failed_items[0].opcode,
		            result.failed_items[0].error_name);
	assert_int_equal(result.successful, 2);
	if (options.executor != IOBATCH_EXECUTOR_SIMULATED) {
		assert_int_equal(result.bytes, 2 * 9000);
		assert_file("a.copy", 9000);
		assert_file("b.copy", 9000);
		assert_int_equal(stat("b.copy", &status), 0);
		assert_int_equal(status.st_mode & 07777, 0604);
		assert_int_equal(status.st_mtim.tv_sec, 2000);
		assert_int_equal(unlink("a.copy"), 0);
		assert_int_equal(unlink("b.copy"), 0);
	}
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink("a"), 0);
	assert_int_equal(unlink("b"), 0);
}

static void a_clone_works_on_real_files_that_can_be_cloned(void **state)
{
	struct iobatch_options options = files_options(state);
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, "{name}", O_RDONLY, 0),
		iobatch_op_openat(1, AT_FDCWD, "{name}.copy", O_RDWR | O_CREAT | O_EXCL, 0666),
		iobatch_op_ficlone(0, 1),
	};
	struct iobatch_processor *processor = steps_new(ops, COUNT(ops));
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"a", NULL};
	bool cannot;

	file_make("a", 10000);
	files_run(processor, &options, 0, names, &result);
	cannot = result.failed == 1 && (result.failed_items[0].error == -EOPNOTSUPP ||
	                                result.failed_items[0].error == -ENOTTY ||
	                                result.failed_items[0].error == -EINVAL);
	if (options.executor != IOBATCH_EXECUTOR_SIMULATED) {
		if (!cannot)
			assert_file("a.copy", 10000);
		assert_int_equal(unlink("a.copy"), 0);
	}
	assert_true(cannot || result.successful == 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	assert_int_equal(unlink("a"), 0);
	if (cannot) {
		print_message("the file system of /tmp cannot clone, and says so\n");
	}
}

static void a_nop_runs_for_each_item_of_any_type(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;
	char objects[1000] = "";
	struct iobatch_items items = iobatch_items_array(objects, sizeof(objects), 1);

	assert_int_equal(iobatch_nop_new(NULL), -EINVAL);
	assert_int_equal(iobatch_nop_new(&processor), 0);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	assert_int_equal(result.successful, sizeof(objects));
	assert_int_equal(result.ops, sizeof(objects));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	iobatch_processor_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(steps_that_cannot_work_are_refused_with_their_place),
		FILES_TEST(more_steps_or_reads_than_an_item_can_have_are_refused),
		FILES_TEST(a_file_may_be_opened_again_after_it_was_closed),
		FILES_TEST(files_are_the_process_s_when_a_system_call_uses_them),
		FILES_TEST(only_a_write_of_what_was_read_begins_a_new_chain),
		FILES_TEST(what_is_copied_in_the_kernel_counts_and_a_failure_does_not),
		FILES_TEST(a_write_of_nothing_is_left_out),
		FILES_TEST(places_of_one_chain_do_not_overlap),
		FILES_TEST(a_path_that_becomes_too_long_fails_the_attempt),
		FILES_TEST(what_the_ops_point_to_is_copied),
		FILES_ON_EACH(a_file_is_opened_looked_at_read_advised_and_closed),
		FILES_ON_EACH(a_file_is_copied_by_reads_and_writes),
		FILES_ON_EACH(a_file_that_does_not_exist_fails_at_its_open),
		FILES_ON_EACH(every_op_on_names_works_on_real_files),
		FILES_ON_EACH(every_op_on_open_files_works_on_real_files),
		FILES_ON_EACH(a_clone_works_on_real_files_that_can_be_cloned),
		FILES_ON_EACH(a_nop_runs_for_each_item_of_any_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* See book.h. */
#include "book.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void book_setup(struct book *book)
{
	*book = (struct book){0};
	strcpy(book->directory, "/tmp/iobatch-journal-XXXXXX");
	assert_non_null(mkdtemp(book->directory));
	snprintf(book->path, sizeof(book->path), "%s/journal", book->directory);
}

static int remove_one(const char *path, const struct stat *stat_, int type, struct FTW *ftw)
{
	(void)stat_;
	(void)type;
	(void)ftw;
	return remove(path);
}

void book_teardown(struct book *book)
{
	journal_close(book->journal);
	book->journal = NULL;
	nftw(book->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct journal_options book_options(const struct book *book, enum journal_mode mode)
{
	static const char *const roots[] = {"/a root", "/another\nroot", NULL};
	struct journal_options options = {
		.path = book->path,
		.mode = mode,
		.sync = IOBATCH_JOURNAL_NONE,
		.job = "a job",
		.hash = "0123456789abcdef",
		.options = "copy, fsync none",
		.roots = roots,
	};

	return options;
}

void book_open(struct book *book, enum journal_mode mode, struct resume *resume)
{
	struct journal_options options = book_options(book, mode);
	char *error = NULL;

	options.resume = resume;
	if (journal_open(&options, &book->journal, &error))
		fail_msg("%s", error);
	book->offset = journal_callbacks(book->journal)->offset;
}

void book_refused(struct book *book, const struct journal_options *options, int err,
                  const char *part)
{
	char *error = NULL;

	assert_int_equal(journal_open(options, &book->journal, &error), err);
	assert_null(book->journal);
	assert_non_null(error);
	if (!strstr(error, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error);
	assert_null(strchr(error, '\n'));
	free(error);
}

void book_end(struct book *book)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	assert_int_equal(journal_end(book->journal, &result), 0);
	book_crash(book);
}

void book_crash(struct book *book)
{
	journal_close(book->journal);
	book->journal = NULL;
}

struct iobatch_file *book_file(const char *name)
{
	struct iobatch_file *file = calloc(1, sizeof(*file));

	assert_non_null(file);
	file->fd = -1;
	file->dirfd = AT_FDCWD;
	file->path_length = (uint32_t)strlen(name);
	assert_true(file->path_length < IOBATCH_PATH_MAX);
	strcpy(file->path, name);
	return file;
}

static void append(struct book *book, const char *line, size_t length)
{
	const struct iobatch_journal *callbacks = journal_callbacks(book->journal);

	assert_true(length <= callbacks->record_max);
	assert_int_equal(pwrite(callbacks->fd, line, length, (off_t)book->offset), length);
	book->offset += length;
}

void book_add(struct book *book, const struct iobatch_outcome *outcome)
{
	const struct iobatch_journal *callbacks = journal_callbacks(book->journal);
	char *line = malloc(callbacks->record_max);
	struct iobatch_outcome timed = *outcome;
	struct timespec now;

	assert_non_null(line);
	clock_gettime(CLOCK_MONOTONIC, &now);
	timed.start_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	timed.start_ns -= timed.duration_ns;
	append(book, line, callbacks->outcome(callbacks->context, &timed, line));
	free(line);
}

void book_outcome(struct book *book, const char *name, int error)
{
	struct iobatch_file *file = book_file(name);
	struct iobatch_outcome outcome = {
		.object = file,
		.object_size = iobatch_file_size(file),
		.error = error,
		.opcode = error ? IOBATCH_OP_OPENAT : -1,
		.error_name = error ? strerrorname_np(-error) : NULL,
		.attempts = error ? 3 : 1,
		.bytes = error ? 0 : 1000,
		.duration_ns = 1000000,
	};

	book_add(book, &outcome);
	free(file);
}

void book_intent(struct book *book, const char *name, const struct iobatch_op *op)
{
	const struct iobatch_journal *callbacks = journal_callbacks(book->journal);
	struct iobatch_file *file = book_file(name);
	struct iobatch_item item = {.object = file, .object_size = iobatch_file_size(file)};
	char *line = malloc(callbacks->record_max);

	assert_non_null(line);
	append(book, line, callbacks->intent(callbacks->context, &item, op, line));
	free(line);
	free(file);
}

char *book_read(const struct book *book, size_t *ret_size)
{
	int fd = open(book->path, O_RDONLY | O_CLOEXEC);
	struct stat stat_;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat_), 0);
	bytes = malloc((size_t)stat_.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)stat_.st_size), stat_.st_size);
	close(fd);
	bytes[stat_.st_size] = '\0';
	*ret_size = (size_t)stat_.st_size;
	return bytes;
}

void book_write(const struct book *book, const char *bytes, size_t size)
{
	int fd = open(book->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

const char *book_path(const struct book *book, const char *name)
{
	static char paths[8][160];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", book->directory, name);
	return path;
}

void book_make(const struct book *book, const char *name)
{
	int fd = open(book_path(book, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct timespec now;
	struct stat stat_;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat_), 0);
	close(fd);
	do
		clock_gettime(CLOCK_REALTIME, &now);
	while ((now.tv_sec - stat_.st_ctim.tv_sec) * 1000000000 +
	               (now.tv_nsec - stat_.st_ctim.tv_nsec) <
	       25000000);
}

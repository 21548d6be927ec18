/* SPDX-License-Identifier: MIT */
/*
 * Opening a journal: which file may be taken, whose it is, and the lines that stand before those of
 * items. Nothing is changed before all of it was checked.
 */
#include "journal/file.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "journal/reader.h"
#include "journal/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest of the caller's strings. */
#define TEXT_MAX 4096u
#define HASH_MAX 256u

struct opening {
	const struct journal_options *options;
	struct journal *journal;
	bool made; /* the file is new, and is to go again when it cannot be begun */
	bool begun;
	char *hash; /* of the job that the last run was of */
	char *error;
};

__attribute__((format(printf, 3, 4))) static int fail(struct opening *opening, int err,
                                                      const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text && asprintf(&opening->error, "%s: %s", opening->options->path, text) < 0)
		opening->error = NULL;
	free(text);
	return err;
}

int journal_file_add(struct journal *journal, const struct record *record)
{
	uint64_t check = journal->check;
	size_t length = record_write(record, journal->line, &check), written = 0;

	while (written < length) {
		ssize_t count = pwrite(journal->fd, journal->line + written, length - written,
		                       (off_t)(journal->offset + written));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count ? -errno : -EIO;
		written += (size_t)count;
	}
	journal->check = check;
	journal->offset += length;
	return 0;
}

static int check_options(struct opening *opening)
{
	const struct journal_options *options = opening->options;

	if (!options->job || !options->hash || !*options->hash || strlen(options->job) > TEXT_MAX ||
	    strlen(options->hash) > HASH_MAX ||
	    (options->options && strlen(options->options) > TEXT_MAX))
		return fail(opening, -EINVAL, "the job's name or its options are too long");
	for (size_t i = 0; options->roots && options->roots[i]; i++)
		if (strlen(options->roots[i]) >= JOURNAL_NAME_MAX)
			return fail(opening, -EINVAL, "a root's name is too long");
	return 0;
}

/* A file's entry in its directory is to be durable, too. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd, err = 0;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(directory);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	/* There are file systems that have no such thing. */
	return err == -EINVAL ? 0 : err;
}

#define OPEN_FLAGS (O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* There was no such file when it was looked for. */
static int make_file(struct opening *opening, int *ret_fd)
{
	const struct journal_options *options = opening->options;
	struct stat stat_;

	*ret_fd = open(options->path, OPEN_FLAGS | O_CREAT | O_EXCL, 0600);
	opening->made = *ret_fd >= 0;
	if (opening->made)
		return 0;
	if (errno != EEXIST)
		return fail(opening, -errno, "%s", strerror(errno));
	if (stat(options->path, &stat_))
		return fail(opening, -errno, "it is a symbolic link to nothing");
	if (!S_ISREG(stat_.st_mode))
		return fail(opening, -EINVAL, "this is no regular file");
	if (options->mode == JOURNAL_NEW)
		return fail(opening, JOURNAL_EXISTS,
		            "there is such a file already; to go on where its run stopped, resume "
		            "it");
	/* Somebody has made it just now. */
	*ret_fd = open(options->path, OPEN_FLAGS);
	return *ret_fd < 0 ? fail(opening, -errno, "%s", strerror(errno)) : 0;
}

static int open_file(struct opening *opening)
{
	const struct journal_options *options = opening->options;
	struct stat stat_;
	int fd = -1, err;

	if (options->mode != JOURNAL_NEW) {
		fd = open(options->path, OPEN_FLAGS);
		if (fd < 0 && (errno != ENOENT || options->mode == JOURNAL_RESUME))
			return fail(opening, -errno, "%s", strerror(errno));
	}
	if (fd < 0) {
		err = make_file(opening, &fd);
		if (err)
			return err;
	}
	opening->journal->fd = fd;
	if (fstat(fd, &stat_))
		return fail(opening, -errno, "%s", strerror(errno));
	if (!S_ISREG(stat_.st_mode))
		return fail(opening, -EINVAL, "this is no regular file");
	return 0;
}

static int lock_file(struct opening *opening)
{
	int fd = opening->journal->fd;
	int err = lock_take(fd, opening->options->wait_ms);
	struct stat stat_;
	uint64_t pid;

	if (!err && !fstat(fd, &stat_) && !stat_.st_nlink)
		return fail(opening, JOURNAL_MISSING, "it has just been removed");
	if (!err)
		return 0;
	/* Whoever has it is about to use it. */
	opening->made = false;
	if (err != -EBUSY)
		return fail(opening, err, "it cannot be locked: %s", strerror(-err));
	pid = lock_holder(fd);
	if (pid)
		return fail(opening, JOURNAL_LOCKED,
		            "another run has it, or has not ended yet: process %llu",
		            (unsigned long long)pid);
	return fail(opening, JOURNAL_LOCKED, "another run has it");
}

static int take_record(struct opening *opening, const struct record *record)
{
	struct resume *resume = opening->options->resume;

	if (record->kind == RECORD_RUN) {
		free(opening->hash);
		opening->hash = strdup(record->hash);
		if (!opening->hash)
			return -ENOMEM;
	}
	return resume ? resume_take(resume, record) : 0;
}

/* Reads all that is there, and whether it is of this job. */
static int read_file(struct opening *opening)
{
	struct journal *journal = opening->journal;
	struct journal_reader *reader;
	struct record record;
	int rc = journal_reader_new(journal->fd, &reader), err = 0;

	if (rc)
		return rc;
	while (!err && (rc = journal_reader_next(reader, &record)) > 0)
		err = take_record(opening, &record);
	if (!err && rc < 0)
		err = fail(opening, rc, "%s", journal_reader_problem(reader));
	if (!err && opening->options->resume)
		err = resume_taken(opening->options->resume);
	opening->begun = journal_reader_begun(reader);
	journal->torn = journal_reader_torn(reader);
	journal->offset = journal_reader_offset(reader);
	journal->check = journal_reader_check(reader);
	journal_reader_free(reader);
	if (err || !opening->begun)
		return err;
	if (strcmp(opening->hash, opening->options->hash) && !opening->options->force)
		return fail(opening, JOURNAL_OTHER_JOB,
		            "this is the journal of another job, or the job has been changed "
		            "since");
	return 0;
}

static int write_head(struct opening *opening)
{
	const struct journal_options *options = opening->options;
	struct journal *journal = opening->journal;
	struct record record = {
		.kind = RECORD_HEADER,
		.version = JOURNAL_VERSION,
		.time_ns = journal_now_ns(),
		.hash = options->hash,
		.options = options->options,
		.name = options->job,
		.name_length = strlen(options->job),
	};
	int err;

	journal->offset = 0;
	journal->check = JOURNAL_CHECK_SEED;
	err = journal_file_add(journal, &record);
	record.kind = RECORD_ROOT;
	for (size_t i = 0; !err && options->roots && options->roots[i]; i++) {
		record.name = options->roots[i];
		record.name_length = strlen(record.name);
		err = journal_file_add(journal, &record);
	}
	return err;
}

static int write_run(struct opening *opening)
{
	const struct journal_options *options = opening->options;
	struct record record = {
		.kind = RECORD_RUN,
		.time_ns = journal_now_ns(),
		.pid = (uint64_t)getpid(),
		.mode = !opening->begun        ? "new"
	                : options->failed_only ? "failed"
	                                       : "resume",
		.hash = options->hash,
	};

	return journal_file_add(opening->journal, &record);
}

static int begin(struct opening *opening)
{
	const struct journal_options *options = opening->options;
	struct journal *journal = opening->journal;
	uint64_t end = opening->begun ? journal->offset : 0;
	int err = ftruncate(journal->fd, (off_t)end) ? -errno : 0;

	journal->resumed = opening->begun;
	if (!err && !opening->begun)
		err = write_head(opening);
	if (!err)
		err = write_run(opening);
	if (!err && options->sync != IOBATCH_JOURNAL_NONE && fsync(journal->fd))
		err = -errno;
	if (!err && options->sync != IOBATCH_JOURNAL_NONE && !opening->begun)
		err = sync_directory(options->path);
	if (!err)
		return 0;
	/* What has been written of it is a torn end at worst, if this fails as well. */
	if (ftruncate(journal->fd, (off_t)end))
		return fail(opening, err, "it cannot be written, nor cut: %s", strerror(-err));
	return fail(opening, err, "it cannot be written: %s", strerror(-err));
}

static int open_steps(struct opening *opening)
{
	int err = check_options(opening);

	if (!err)
		err = open_file(opening);
	if (!err)
		err = lock_file(opening);
	if (!err)
		err = read_file(opening);
	if (!err)
		err = begin(opening);
	return err;
}

int journal_open(const struct journal_options *options, struct journal **ret_journal,
                 char **ret_error)
{
	struct opening opening = {.options = options};
	int err = -ENOMEM;

	opening.journal = calloc(1, sizeof(*opening.journal));
	if (opening.journal) {
		opening.journal->fd = -1;
		opening.journal->resume = options->resume;
		err = open_steps(&opening);
	}
	free(opening.hash);
	if (!err) {
		journal_init_callbacks(opening.journal, options->sync);
		if (options->resume)
			resume_read_from(options->resume, opening.journal->fd);
		*ret_journal = opening.journal;
		return 0;
	}
	/* While the lock is held: nobody else can have begun it. */
	if (opening.made)
		unlink(options->path);
	if (opening.journal && opening.journal->fd >= 0)
		close(opening.journal->fd);
	free(opening.journal);
	*ret_error = opening.error;
	return err;
}

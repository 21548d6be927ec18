/* SPDX-License-Identifier: MIT */
/* Jobs and their journals: see durable.h. */
#include "cli/durable.h"

#include "cli/cli.h"
#include "cli/leftovers.h"
#include "cli/naming.h"
#include "job/job.h"
#include "journal/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum resume_judge judge_for(const struct job *job)
{
	switch (job_effect(job)) {
	case JOB_CHANGES:
		return RESUME_CHANGED_SINCE_DONE;
	case JOB_TAKES_AWAY:
		return RESUME_IS_THERE;
	case JOB_BLIND:
		return RESUME_NEVER;
	default:
		return RESUME_CHANGED_SINCE_BEGUN;
	}
}

static int exit_code_for(int err)
{
	switch (err) {
	case JOURNAL_LOCKED:
	case JOURNAL_OTHER_JOB:
	case JOURNAL_OTHER_VERSION:
	case JOURNAL_BAD:
	case JOURNAL_EXISTS:
		return CLI_JOURNAL;
	case JOURNAL_MISSING:
	case -EINVAL:
	case -EISDIR:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -ELOOP:
		return CLI_USAGE;
	default:
		return CLI_MACHINE;
	}
}

static const char *remedy_for(int err)
{
	switch (err) {
	case JOURNAL_EXISTS:
		return " (--resume)";
	case JOURNAL_OTHER_JOB:
		return "; --force resumes it all the same";
	case JOURNAL_BAD:
		return "; if its head is good, iobatch journal --repair cuts it off there";
	default:
		return "";
	}
}

static int refuse(const struct durable *durable, int err, char *message)
{
	if (message)
		cli_complain("%s%s", message, remedy_for(err));
	else
		cli_complain("%s: %s", durable->path, strerror(-err));
	free(message);
	return exit_code_for(err);
}

/* What the state of a tree decides, and so must be decided once: for durable_recall(). */
static const char *decided(const struct job *job)
{
	bool keeps = job->walk.root_name == IOBATCH_ROOT_NAME_KEEP;

	if (job->source != JOB_SOURCE_WALK)
		return NULL;
	if (!job->walk.max_depth && job->walk.directories == IOBATCH_DIRECTORIES_FIRST)
		return keeps ? "root_name=keep whole" : "root_name=drop whole";
	return keeps ? "root_name=keep" : "root_name=drop";
}

char *durable_recall(const char *path)
{
	struct journal_reader *reader;
	struct record record;
	char *options = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return NULL;
	if (!journal_reader_new(fd, &reader)) {
		if (journal_reader_next(reader, &record) > 0 && record.kind == RECORD_HEADER &&
		    record.options)
			options = strdup(record.options);
		journal_reader_free(reader);
	}
	close(fd);
	return options;
}

/*
 * Whether the last run of the journal may have left files behind that are not whole: it has no end,
 * or something has failed, which may be that such a file was to be removed.
 */
static bool was_not_clean(const char *path)
{
	char end[4096] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	off_t size = lseek(fd, 0, SEEK_END);
	uint64_t failed = 1, stuck = 1;
	size_t length;

	if (fd < 0)
		return false;
	/* What has no size is no journal, as whoever opens it will find. */
	if (size < 0)
		size = 0;
	length = size < (off_t)sizeof(end) ? (size_t)size : sizeof(end) - 1;
	if (length && pread(fd, end, length, size - (off_t)length) == (ssize_t)length &&
	    end[length - 1] == '\n') {
		const char *line = memrchr(end, '\n', length - 1);

		if (!line || sscanf(line, "\nend\t%*s %*s %*u %*u %" SCNu64 " %" SCNu64, &failed,
		                    &stuck) != 2)
			failed = 1;
	}
	close(fd);
	return failed || stuck;
}

static void remove_leftovers(const struct durable *durable, const struct job *job)
{
	const char *preposition, *output = job_output(job, &preposition);
	const char *place = job->source == JOB_SOURCE_SERIES ? job->series.path : output;
	bool reports = output && !strcmp(preposition, "into") && strcmp(output, "-") != 0;
	uint64_t count = reports ? leftovers_remove_of(output) : 0;

	if (place && job_is_marked(job)) {
		/* A file that is copied on its own becomes the destination, and is made beside it.
		 */
		char *directory = naming_directory(place);

		if (directory)
			count += leftovers_remove(directory, false, durable->mark);
		free(directory);
		if (job->source != JOB_SOURCE_SERIES)
			count += leftovers_remove(place, true, durable->mark);
	}
	if (count && !durable->silent)
		cli_complain("%s: %" PRIu64 " files that were not whole were left behind and have "
		             "been removed",
		             job->name, count);
}

static int open_journal(struct durable *durable, const struct durable_wish *wish,
                        const struct job *job)
{
	char hash[JOB_HASH_SIZE], *message = NULL;
	char hash_start[17] = "";
	const char *one[2];
	struct journal_options options = {
		.path = durable->path,
		.mode = wish->failed_only ? JOURNAL_RESUME
	                : wish->resume    ? JOURNAL_CONTINUE
	                                  : JOURNAL_NEW,
		.failed_only = wish->failed_only && !durable->carries,
		.force = wish->force,
		.wait_ms = JOURNAL_WAIT_MS,
		.sync = job->journal.sync,
		.job = job->name,
		.hash = hash,
		.options = decided(job),
		.roots = job_roots(job, one),
		.resume = durable->resume,
	};
	int err = job_hash(job, hash);

	if (!err) {
		memcpy(hash_start, hash, sizeof(hash_start) - 1);
		durable->mark = strtoull(hash_start, NULL, 16);
	}
	if (!err)
		err = journal_open(&options, &durable->journal, &message);
	return err ? refuse(durable, err, message) : CLI_OK;
}

/* What the journal has come to know is told before anything is done. */
static void tell(const struct durable *durable, const struct job *job, bool whole)
{
	uint64_t done, failed, open;

	if (durable->silent || !durable->resumed)
		return;
	resume_known(durable->resume, &done, &failed, &open);
	if (journal_torn(durable->journal))
		cli_complain("%s: its end was torn: %" PRIu64
		             " bytes of a record that was not written whole are left out",
		             durable->path, journal_torn(durable->journal));
	cli_complain("%s: resumed: %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64
	             " to be looked at",
	             job->name, done, failed, open);
	if (whole && !durable->carries)
		cli_complain("%s: what it writes is a whole only with all items: those that are "
		             "done are done again",
		             job->name);
}

/* Whether it is the journal itself, which changes while it is an item. */
static bool is_own(const struct durable *durable, const struct iobatch_file *file)
{
	const char *name = file->path + file->name, *slash = strrchr(name, '/');
	struct stat stat_;

	if (*durable->name && strcmp(slash ? slash + 1 : name, durable->name))
		return false;
	return !fstatat(file->dirfd, name, &stat_, AT_SYMLINK_NOFOLLOW) &&
	       stat_.st_dev == durable->device && stat_.st_ino == durable->inode;
}

static bool keep(void *context, struct iobatch_file *file)
{
	const struct durable *durable = context;

	if (file->type != DT_DIR && is_own(durable, file))
		return false;
	return !(durable->leaves_out || durable->carries) || resume_keep(durable->resume, file);
}

static int filter(struct durable *durable, const struct job *job, struct iobatch_source *source)
{
	char *real = realpath(durable->path, NULL);
	const char *slash = real ? strrchr(real, '/') : NULL;
	struct stat stat_;

	/* Only where it can have one name alone does that save looking at every file. */
	if (slash && strlen(slash) <= sizeof(durable->name))
		strcpy(durable->name, slash + 1);
	free(real);
	if (stat(durable->path, &stat_))
		return -errno;
	if (stat_.st_nlink > 1)
		*durable->name = '\0';
	durable->device = stat_.st_dev;
	durable->inode = stat_.st_ino;
	/* Whoever names things one by one means them, and the number of them stays known. */
	if (!durable->leaves_out && !durable->carries && job->source != JOB_SOURCE_WALK)
		return 0;
	return iobatch_source_filter(source, keep, durable);
}

/* Whether a root that is gone is so because its item was done. */
static bool is_done(void *context, const char *root)
{
	const struct durable *durable = context;
	struct iobatch_file *file = calloc(1, sizeof(*file));
	bool done = false;

	if (file && strlen(root) < IOBATCH_PATH_MAX) {
		file->fd = -1;
		file->dirfd = AT_FDCWD;
		file->path_length = (uint32_t)strlen(root);
		memcpy(file->path, root, file->path_length);
		done = !resume_keep(durable->resume, file);
	}
	free(file);
	return done;
}

int durable_open_source(struct durable *durable, struct job *job,
                        struct iobatch_source **ret_source, char **ret_error)
{
	struct iobatch_list_options nothing = IOBATCH_LIST_OPTIONS_INIT;
	struct iobatch_source *source;
	int err;

	*ret_error = NULL;
	if (durable->nothing_left) {
		nothing.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (nothing.fd < 0)
			return -errno;
		job->list_fd = nothing.fd;
		return iobatch_source_list(&nothing, ret_source);
	}
	err = job_open_source(job, &source, ret_error);
	if (!err && durable->journal) {
		err = filter(durable, job, source);
		if (err)
			iobatch_source_free(source);
	}
	if (!err)
		*ret_source = source;
	return err;
}

int durable_begin(struct durable *durable, const struct durable_wish *wish, struct job *job,
                  bool silent)
{
	bool whole = job_makes_whole_report(job);
	bool clean;
	int code, err;

	*durable = (struct durable){.path = job->journal.file, .silent = silent};
	if (!durable->path) {
		if (!wish->resume && !wish->failed_only)
			return CLI_OK;
		cli_complain("%s: to be resumed it needs the journal: --journal FILE", job->name);
		return CLI_USAGE;
	}
	durable->carries = whole && job_takes_known(job);
	if (whole && !durable->carries && wish->failed_only) {
		cli_complain("%s: --resume-failed: what it writes is a whole only with all items; "
		             "use --resume",
		             job->name);
		return CLI_USAGE;
	}
	err = resume_new(wish->failed_only ? RESUME_FAILED : RESUME_REST, judge_for(job),
	                 &durable->resume);
	/* What was never tried belongs to a whole as well. */
	if (!err && durable->carries)
		err = resume_carry(durable->resume);
	if (!err && job->processor == JOB_PROCESSOR_COPY &&
	    job->copy.existing == IOBATCH_EXISTING_REPLACE)
		resume_do_linked(durable->resume);
	clean = !was_not_clean(durable->path);
	code = err ? refuse(durable, err, NULL) : open_journal(durable, wish, job);
	if (code) {
		durable_deinit(durable, true);
		return code;
	}
	durable->resumed = journal_resumed(durable->journal);
	durable->carries = durable->carries && durable->resumed;
	tell(durable, job, whole);
	durable->leaves_out = durable->resumed && !whole;
	job_set_mark(job, durable->mark);
	if (durable->resumed && !clean)
		remove_leftovers(durable, job);
	if (durable->leaves_out && job_effect(job) == JOB_TAKES_AWAY)
		durable->nothing_left = !job_drop_roots(job, is_done, durable);
	job->options.journal = journal_callbacks(durable->journal);
	return CLI_OK;
}

bool durable_failed(const struct durable *durable, const struct iobatch_result *result)
{
	static const char from[] = "journal: ";

	return durable->journal && !strncmp(result->message, from, sizeof(from) - 1);
}

bool durable_counts(const struct durable *durable, struct resume_counts *ret_counts)
{
	if (!durable->resumed)
		return false;
	resume_counts(durable->resume, ret_counts);
	return true;
}

int durable_end(struct durable *durable, const struct iobatch_result *result, int code)
{
	struct resume_counts counts;
	int err;

	if (!durable->journal)
		return code;
	if (!durable->silent && durable_counts(durable, &counts) && counts.changed)
		cli_complain("%s: %" PRIu64 " that were done have changed since, and were done "
		             "again",
		             durable->path, counts.changed);
	/* The run has said why its journal is not whole; nothing more can be written behind that.
	 */
	if (durable_failed(durable, result))
		return CLI_MACHINE;
	if (!durable->silent && result->end != IOBATCH_END_COMPLETE &&
	    result->end != IOBATCH_END_ERROR)
		cli_complain("%s: --resume goes on from here", durable->path);
	err = journal_end(durable->journal, result);
	if (!err)
		return code;
	cli_complain("%s: %s: its end was not written", durable->path, strerror(-err));
	return CLI_MACHINE;
}

void durable_deinit(struct durable *durable, bool unused)
{
	if (unused && durable->journal && !durable->resumed)
		unlink(durable->path);
	journal_close(durable->journal);
	resume_free(durable->resume);
	durable->journal = NULL;
	durable->resume = NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * Makes the source and the processor that a job describes: see job.h. What cannot be opened is an
 * error of the key that names it.
 */
#include "job/job.h"

#include "job/overlap.h"
#include "job/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_list(struct job *job, struct iobatch_source **ret_source)
{
	struct stat status;
	int fd = STDIN_FILENO;

	if (strcmp(job->list_file, "-")) {
		fd = open(job->list_file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (job->list_fd >= 0)
			close(job->list_fd);
		job->list_fd = fd;
	}
	/* It can be opened, and each read of it fails. */
	if (!fstat(fd, &status) && S_ISDIR(status.st_mode))
		return -EISDIR;
	return iobatch_source_list(fd, job->list_separator, ret_source);
}

/* Says why what `key` names cannot be had; `name` is its value, `remedy` follows the reason. */
static int fail(const struct job *job, const char *key, const char *name, const char *remedy,
                int err, char **ret_error)
{
	struct report report = {.file = job->file, .root = job->tree};

	report_error(&report, key, "%s: %s%s", name, strerror(-err), remedy);
	*ret_error = report.message;
	return err;
}

int job_open_source(struct job *job, struct iobatch_source **ret_source, char **ret_error)
{
	struct report report = {.file = job->file, .root = job->tree};
	const char *key = "items", *name = "";
	int err = overlap_check(&report, job);

	*ret_error = report.message;
	if (err)
		return err;
	err = -EINVAL;
	switch (job->source) {
	case JOB_SOURCE_WALK:
		key = "items.walk.root";
		name = job->walk.root;
		err = iobatch_source_walk(&job->walk, ret_source);
		break;
	case JOB_SOURCE_GLOB:
		key = "items.glob.pattern";
		name = job->glob_pattern;
		err = iobatch_source_glob(job->glob_pattern, ret_source);
		break;
	case JOB_SOURCE_LIST:
		key = "items.list.file";
		name = job->list_file;
		err = open_list(job, ret_source);
		break;
	case JOB_SOURCE_RANGE:
		key = "items.range.path";
		name = job->range.path;
		err = iobatch_source_range(&job->range, ret_source);
		break;
	}
	return err ? fail(job, key, name, "", err, ret_error) : 0;
}

int job_open_count(struct job *job, struct iobatch_source **ret_source)
{
	struct stat status;

	if (job->source == JOB_SOURCE_WALK)
		return iobatch_source_walk(&job->walk, ret_source);
	/* A pipe's names are gone when they were counted. */
	if (job->source != JOB_SOURCE_LIST || job->count_fd >= 0 || !strcmp(job->list_file, "-") ||
	    stat(job->list_file, &status) < 0 || !S_ISREG(status.st_mode))
		return -ENOTSUP;
	job->count_fd = open(job->list_file, O_RDONLY | O_CLOEXEC);
	if (job->count_fd < 0)
		return -errno;
	return iobatch_source_list(job->count_fd, job->list_separator, ret_source);
}

int job_new_processor(struct job *job, struct iobatch_processor **ret_processor, char **ret_error)
{
	static const char missing[] = "; the directory that it is to stand in must exist";
	const char *key = "processor", *name = "";
	int err = -EINVAL;

	*ret_error = NULL;
	switch (job->processor) {
	case JOB_PROCESSOR_HASH:
		key = job->hash.manifest ? "processor.hash.manifest" : "processor.hash";
		name = job->hash.manifest ? job->hash.manifest : "hash";
		err = iobatch_hash_new(&job->hash, ret_processor);
		break;
	case JOB_PROCESSOR_COPY:
		key = "processor.copy.destination";
		name = job->copy.destination;
		err = iobatch_copy_new(&job->copy, ret_processor);
		break;
	case JOB_PROCESSOR_READ:
		key = "processor.read";
		name = "read";
		err = iobatch_read_new(&job->read, ret_processor);
		break;
	case JOB_PROCESSOR_NOP:
		key = "processor.nop";
		name = "nop";
		err = iobatch_nop_new(ret_processor);
		break;
	case JOB_PROCESSOR_STEPS:
		key = "processor.steps";
		name = "steps";
		err = iobatch_steps_new(job->ops, job->op_count, ret_processor, NULL, NULL);
		break;
	}
	return err ? fail(job, key, name, err == -ENOENT ? missing : "", err, ret_error) : 0;
}

void job_explain(const struct job *job, const char *message, char **ret_error)
{
	struct report report = {.file = job->file, .root = job->tree};
	size_t length = strcspn(message, " ");
	char *key;

	*ret_error = NULL;
	if (asprintf(&key, "options.%.*s", (int)length, message) < 0)
		return;
	report_error(&report, key, "%s", message + length + (message[length] == ' '));
	free(key);
	*ret_error = report.message;
}

/* SPDX-License-Identifier: MIT */
/*
 * Makes the source and the processor that a job describes: see job.h. What cannot be opened is an
 * error of the key that names it.
 */
#include "job/guard.h"
#include "job/kinds.h"
#include "job/overlap.h"
#include "job/report.h"
#include "job/roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *text_at(const struct job *job, size_t offset)
{
	const char *text;

	memcpy(&text, (const char *)job + offset, sizeof(text));
	return text;
}

const char *job_source_word(const struct job *job)
{
	return source_kinds[job->source].key;
}

const char *job_source_name(const struct job *job)
{
	const char *one[2];

	if (job->source == JOB_SOURCE_WALK)
		return *roots_of(job, one);
	if (job->source == JOB_SOURCE_LIST && !job->list.file)
		return job->list.names ? *job->list.names : "";
	return text_at(job, source_kinds[job->source].name);
}

const char *job_processor_word(const struct job *job)
{
	return processor_kinds[job->processor].key;
}

const char *job_output(const struct job *job, const char **ret_preposition)
{
	const struct processor_kind *kind = &processor_kinds[job->processor];

	*ret_preposition = kind->preposition;
	return kind->name_key ? text_at(job, kind->name) : NULL;
}

bool job_reports_to_stdout(const struct job *job)
{
	const char *preposition, *output = job_output(job, &preposition);

	return output && !strcmp(output, "-") && !strcmp(preposition, "into");
}

bool job_reports_failures(const struct job *job)
{
	return processor_kinds[job->processor].needs & KIND_REPORTS && job_reports_to_stdout(job);
}

const char *job_left_out(const struct job *job)
{
	if (job->source != JOB_SOURCE_WALK)
		return "left out";
	if (processor_kinds[job->processor].needs & KIND_REMOVES)
		return "left out, with all in it; the directories above it stay";
	return "left out, with all in it";
}

const char *job_source_error(const struct job *job, int error)
{
	if (job->source == JOB_SOURCE_MANIFEST && error == -EBADMSG)
		return "not a line of a manifest";
	if (error == -EXDEV)
		return "leads out of the root, or is not below it";
	return strerror(-error);
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

/* A walk does not say which of its roots it is: the first that cannot be had for that reason. */
static int fail_walk(const struct job *job, int err, char **ret_error)
{
	const char *one[2];
	const char *const *roots = roots_of(job, one);
	char key[64];
	size_t found = 0;

	for (size_t i = 0; roots[i]; i++) {
		struct stat stat_;

		if ((job->walk.no_follow ? lstat : stat)(roots[i], &stat_) && errno == -err) {
			found = i;
			break;
		}
	}
	roots_key(job, found, key, sizeof(key));
	return fail(job, key, roots[found], "", err, ret_error);
}

static int fail_source(const struct job *job, int err, char **ret_error)
{
	const struct source_kind *kind = &source_kinds[job->source];
	const char *root = job->source == JOB_SOURCE_LIST       ? job->list.options.root
	                   : job->source == JOB_SOURCE_MANIFEST ? job->manifest.options.root
	                                                        : NULL;
	struct stat stat_;
	char key[64];

	if (job->source == JOB_SOURCE_WALK)
		return fail_walk(job, err, ret_error);
	/* Of the two things that are opened for a list, the root is the one that is looked at. */
	if (root && (stat(root, &stat_) ? errno == -err : err == -ENOTDIR)) {
		snprintf(key, sizeof(key), "items.%s.root", kind->key);
		return fail(job, key, root, "", err, ret_error);
	}
	snprintf(key, sizeof(key), "items.%s.%s", kind->key, kind->name_key);
	return fail(job, key, job_source_name(job), "", err, ret_error);
}

int job_open_source(struct job *job, struct iobatch_source **ret_source, char **ret_error)
{
	struct report report = {.file = job->file, .root = job->tree};
	int err = guard_check(&report, job);

	if (!err)
		err = overlap_check(&report, job);
	*ret_error = report.message;
	if (err)
		return err;
	err = source_kinds[job->source].open(job, false, ret_source);
	return err ? fail_source(job, err, ret_error) : 0;
}

int job_open_count(struct job *job, struct iobatch_source **ret_source)
{
	return source_kinds[job->source].open(job, true, ret_source);
}

int job_new_processor(struct job *job, struct iobatch_processor **ret_processor, char **ret_error)
{
	static const char missing[] = "; the directory that it is to stand in must exist";
	const struct processor_kind *kind = &processor_kinds[job->processor];
	const char *preposition, *output = job_output(job, &preposition);
	int err = kind->make(job, ret_processor);
	char key[64];

	*ret_error = NULL;
	if (!err)
		return 0;
	snprintf(key, sizeof(key), "processor.%s%s%s", kind->key, output ? "." : "",
	         output ? kind->name_key : "");
	return fail(job, key, output ? output : kind->key, err == -ENOENT && output ? missing : "",
	            err, ret_error);
}

void job_explain_source(const struct job *job, int error, const char *path, char **ret_error)
{
	const struct source_kind *kind = &source_kinds[job->source];
	struct report report = {.file = job->file, .root = job->tree};
	const char *name = job_source_name(job);
	char key[64];

	*ret_error = NULL;
	snprintf(key, sizeof(key), "items.%s.%s", kind->key, kind->name_key);
	if (error == -EXDEV && path)
		report_error(&report, key, "%s: %s leads out of the root, or is not below it", name,
		             path);
	else if (error == -EBADMSG)
		report_error(&report, key, "%s: no line of it is one of a manifest", name);
	else
		report_error(&report, key, "%s: %s", name, strerror(-error));
	*ret_error = report.message;
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

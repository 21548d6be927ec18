/* SPDX-License-Identifier: MIT */
/*
 * Loads a job: the way from the file's bytes to a tree, through --set, libcyaml and the rules of
 * values, into struct job. See job.h.
 */
#include "job/job.h"

#include "job/convert.h"
#include "job/load.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail_file(const char *file, const char *what, char **ret_error)
{
	char *message;

	if (asprintf(&message, "%s: %s", file, what) >= 0)
		*ret_error = message;
	return -EINVAL;
}

/* Reads the whole file, which may be a pipe, up to one byte more than a job may have. */
static int read_file(const char *file, char **ret_text, size_t *ret_length, char **ret_error)
{
	char *text = malloc(TREE_BYTES_MAX + 1);
	size_t length = 0;
	int fd, err = 0;

	if (!text)
		return -ENOMEM;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = fail_file(file, strerror(errno), ret_error);
		goto out;
	}
	while (length < TREE_BYTES_MAX + 1) {
		ssize_t got = read(fd, text + length, TREE_BYTES_MAX + 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = fail_file(file, strerror(errno), ret_error);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	if (!err) {
		*ret_text = text;
		*ret_length = length;
		return 0;
	}
out:
	free(text);
	return err;
}

static int apply_sets(struct tree_node *tree, const char *const *sets, char **ret_error)
{
	for (; sets && *sets; sets++) {
		const char *value = strchr(*sets, '=');
		char *key;
		int err;

		if (!value) {
			if (asprintf(ret_error,
			             "--set %s: must be KEY=VALUE, such as options.batch_size=128",
			             *sets) < 0)
				*ret_error = NULL;
			return -EINVAL;
		}
		key = strndup(*sets, (size_t)(value - *sets));
		if (!key)
			return -ENOMEM;
		err = tree_set(tree, key, value + 1, ret_error);
		free(key);
		if (err)
			return err;
	}
	return 0;
}

/* The name of the file without its folders and its last suffix. */
static char *stem(const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash && slash[1] ? slash + 1 : file;
	const char *dot = strrchr(name, '.');

	return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

int job_load(const char *file, const char *const *sets, struct job **ret_job, char **ret_error)
{
	struct report report = {.file = file};
	struct job *job = calloc(1, sizeof(*job));
	char *text = NULL;
	size_t length;
	int err = -ENOMEM;

	*ret_error = NULL;
	if (!job)
		return -ENOMEM;
	job->list_fd = -1;
	job->count_fd = -1;
	job->file = strdup(file);
	if (!job->file)
		goto out;
	err = read_file(file, &text, &length, ret_error);
	if (err)
		goto out;
	err = tree_parse(file, text, length, &job->tree, ret_error);
	if (err)
		goto out;
	err = apply_sets(job->tree, sets, ret_error);
	if (err)
		goto out;
	report.root = job->tree;
	err = schema_new(&job->schema);
	if (err)
		goto out;
	err = load_raw(&report, job->schema, &job->raw);
	if (err)
		goto out;
	err = convert_job(&report, job->raw, job);
	if (err)
		goto out;
	job->name = job->raw->job ? strdup(job->raw->job) : stem(file);
	err = job->name ? 0 : -ENOMEM;
out:
	free(text);
	if (report.message)
		*ret_error = report.message;
	if (err) {
		job_free(job);
		return err;
	}
	*ret_job = job;
	return 0;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	if (job->list_fd >= 0)
		close(job->list_fd);
	if (job->count_fd >= 0)
		close(job->count_fd);
	if (job->raw)
		load_free(job->schema, job->raw);
	schema_free(job->schema);
	tree_free(job->tree);
	free(job->include);
	free(job->exclude);
	free(job->ops);
	free(job->name);
	free(job->file);
	free(job);
}

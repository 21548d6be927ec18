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

/* A word that stands where a list may stand is a list of one. */
static int make_list(struct tree_node *tree, const char *path)
{
	struct tree_node *node = tree_find(tree, path, NULL);

	return node && node->kind == TREE_SCALAR && *node->value ? tree_enlist(node) : 0;
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

/* From the job's tree on. */
static int load_tree(struct job *job, const char *const *sets, char **ret_error)
{
	struct report report = {.file = job->file, .root = job->tree};
	const char *name;
	int err = apply_sets(job->tree, sets, ret_error);

	if (!err)
		err = make_list(job->tree, "options.retry_on");
	if (err)
		return err;
	err = schema_new(convert_keys, &job->schema);
	if (!err)
		err = load_raw(&report, job->schema, &job->raw);
	if (!err)
		err = convert_job(&report, job->raw, job);
	if (report.message)
		*ret_error = report.message;
	if (err)
		return err;
	name = tree_find(job->tree, "job", NULL) ? values_text(&report, "job") : NULL;
	job->name = name ? strdup(name) : stem(job->file);
	return job->name ? 0 : -ENOMEM;
}

static struct job *job_new(const char *file)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->list_fd = -1;
	job->count_fd = -1;
	job->file = strdup(file);
	if (!job->file) {
		free(job);
		return NULL;
	}
	return job;
}

/* Frees the job that could not be loaded. */
static int finish_load(struct job *job, int err, struct job **ret_job)
{
	if (err) {
		job_free(job);
		return err;
	}
	*ret_job = job;
	return 0;
}

int job_load(const char *file, const char *const *sets, struct job **ret_job, char **ret_error)
{
	struct job *job = job_new(file);
	char *text = NULL;
	size_t length;
	int err;

	*ret_error = NULL;
	if (!job)
		return -ENOMEM;
	err = read_file(file, &text, &length, ret_error);
	if (!err)
		err = tree_parse(file, text, length, &job->tree, ret_error);
	free(text);
	if (!err)
		err = load_tree(job, sets, ret_error);
	return finish_load(job, err, ret_job);
}

int job_load_tree(struct tree_node *tree, const char *const *sets, struct job **ret_job,
                  char **ret_error)
{
	struct job *job = job_new("job");

	*ret_error = NULL;
	if (!job) {
		tree_free(tree);
		return -ENOMEM;
	}
	job->tree = tree;
	return finish_load(job, load_tree(job, sets, ret_error), ret_job);
}

int job_print(const struct job *job, char **ret_text)
{
	size_t length;

	return tree_print(job->tree, ret_text, &length);
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
	lists_free(&job->lists);
	free(job->steps.ops);
	free(job->retry_errnos);
	free(job->name);
	free(job->file);
	free(job);
}

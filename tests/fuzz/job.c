/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a job file: it is loaded, or refused with words that say where, and a job that
 * was loaded is printed as a file that loads as the same job.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "job/job.h"
#include "job/tree.h"

static void demand(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* NULL: refused. */
static struct job *load(const char *text, size_t size, char **ret_error)
{
	struct tree_node *tree;
	struct job *job;

	*ret_error = NULL;
	if (tree_parse("job.yaml", text, size, &tree, ret_error))
		return NULL;
	return job_load_tree(tree, NULL, &job, ret_error) ? NULL : job;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error, *text, *again;
	struct job *job = load((const char *)data, size, &error);

	if (!job) {
		demand(error && !strncmp(error, "job", 3) && strchr(error, ':'),
		       "a refusal says where");
		free(error);
		return 0;
	}
	demand(!error, "what is loaded has no error");
	demand(!job_print(job, &text), "what is loaded can be printed");
	job_free(job);
	job = load(text, strlen(text), &error);
	if (!job)
		fprintf(stderr, "%s\n%s\n", text, error);
	demand(job != NULL, "what was printed can be loaded");
	demand(!job_print(job, &again), "and printed");
	demand(!strcmp(text, again), "as the same");
	job_free(job);
	free(text);
	free(again);
	return 0;
}

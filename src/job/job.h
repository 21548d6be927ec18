/* SPDX-License-Identifier: MIT */
/*
 * A job: a validated description of a run, loaded from a YAML file. Loading looks at nothing but
 * the file; the sources and processors that it describes are made by the two functions at the end.
 * Relative paths in a job are relative to the current directory.
 *
 * Every error is one line that says where, what and if possible what to do. The terminal and the
 * command line are not known here.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include <iobatch.h>

struct raw_job;
struct schema;
struct tree_node;

enum job_source {
	JOB_SOURCE_WALK,
	JOB_SOURCE_GLOB,
	JOB_SOURCE_LIST,
	JOB_SOURCE_RANGE,
};

enum job_processor {
	JOB_PROCESSOR_HASH,
	JOB_PROCESSOR_COPY,
	JOB_PROCESSOR_READ,
	JOB_PROCESSOR_NOP,
	JOB_PROCESSOR_STEPS,
};

struct job {
	char *name;
	enum job_source source;
	struct iobatch_walk_options walk;
	struct iobatch_range_options range;
	const char *glob_pattern;
	const char *list_file; /* "-" = standard input */
	char list_separator;
	enum job_processor processor;
	struct iobatch_hash_options hash;
	struct iobatch_copy_options copy;
	struct iobatch_read_options read;
	struct iobatch_op *ops; /* of steps */
	unsigned op_count;
	struct iobatch_options options; /* `simulation` points to the next member or is NULL */
	struct iobatch_simulation simulation;

	/* Of the loader, which the strings above point into. */
	char *file;
	struct tree_node *tree;
	struct schema *schema;
	struct raw_job *raw;
	const char **include;
	const char **exclude;
	int list_fd;  /* -1: none that is ours */
	int count_fd; /* the same list, opened once more to be counted; or -1 */
};

/*
 * Loads the job of a file, after putting the `sets` ("key.path=value", NULL-terminated; NULL =
 * none) in place. On failure *ret_error is a message to be freed, or NULL when there was no memory
 * for it.
 */
int job_load(const char *file, const char *const *sets, struct job **ret_job, char **ret_error);
void job_free(struct job *job);

/*
 * Open what the job describes. The source and the processor are the caller's, to be freed before
 * the job. A copy that overlaps what it copies is refused with the source. On failure *ret_error is
 * as with job_load().
 */
int job_open_source(struct job *job, struct iobatch_source **ret_source, char **ret_error);
/* The same items once more, to be counted meanwhile. -ENOTSUP when they can be had only once. */
int job_open_count(struct job *job, struct iobatch_source **ret_source);
int job_new_processor(struct job *job, struct iobatch_processor **ret_processor, char **ret_error);

/*
 * Places what iobatch_run() has refused, "OPTION what is wrong", at the key of that option:
 * *ret_error is the whole line, to be freed, or NULL.
 */
void job_explain(const struct job *job, const char *message, char **ret_error);

#endif

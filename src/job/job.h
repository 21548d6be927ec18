/* SPDX-License-Identifier: MIT */
/*
 * A job: a validated description of a run, loaded from a YAML file or from the tree that a command
 * has put together. Loading looks at nothing but the file and, for names of users and groups, the
 * machine's databases; the sources and processors that it describes are made by functions of their
 * own. Relative paths in a job are relative to the current directory.
 *
 * Every error is one line that says where, what and if possible what to do. The terminal and the
 * command line are not known here.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include "job/values.h"

#include <iobatch.h>

struct raw_mapping;
struct schema;
struct tree_node;

/* In the order of the tables in sources.c and processors.c. */
enum job_source {
	JOB_SOURCE_WALK,
	JOB_SOURCE_GLOB,
	JOB_SOURCE_LIST,
	JOB_SOURCE_RANGE,
	JOB_SOURCE_MANIFEST,
	JOB_SOURCE_SERIES,
	JOB_SOURCE_COUNT,
};

enum job_processor {
	JOB_PROCESSOR_COPY,
	JOB_PROCESSOR_MOVE,
	JOB_PROCESSOR_HASH,
	JOB_PROCESSOR_VERIFY,
	JOB_PROCESSOR_COMPARE,
	JOB_PROCESSOR_REMOVE,
	JOB_PROCESSOR_READ,
	JOB_PROCESSOR_FILL,
	JOB_PROCESSOR_STAT,
	JOB_PROCESSOR_SET,
	JOB_PROCESSOR_RENAME,
	JOB_PROCESSOR_STEPS,
	JOB_PROCESSOR_NOP,
	JOB_PROCESSOR_COUNT,
};

struct job_glob {
	const char *pattern;
};

struct job_list {
	struct iobatch_list_options options; /* `fd` when it is opened */
	const char *file;                    /* "-" = standard input; or NULL: */
	const char *const *names;            /* the names themselves */
};

struct job_manifest {
	struct iobatch_manifest_options options; /* `fd` when it is opened */
	const char *file;                        /* "-" = standard input */
};

struct job_steps {
	struct iobatch_op *ops;
	unsigned count;
};

/* The journal that the job asks for. */
struct job_journal {
	const char *file; /* NULL = none */
	uint32_t sync;    /* enum iobatch_journal_sync */
};

/* How a job's items are judged when it is resumed. */
enum job_effect {
	JOB_READS,      /* it reads files */
	JOB_CHANGES,    /* it changes the files themselves */
	JOB_TAKES_AWAY, /* it takes away the names of its items */
	JOB_BLIND,      /* the files say nothing about whether it is done */
};

struct job {
	char *name;
	enum job_source source;
	struct iobatch_walk_options walk;
	struct job_glob glob;
	struct job_list list;
	struct iobatch_range_options range;
	struct job_manifest manifest;
	struct iobatch_series_options series;
	enum job_processor processor;
	struct iobatch_copy_options copy; /* of a move as well */
	struct iobatch_hash_options hash;
	struct iobatch_verify_options verify;
	struct iobatch_compare_options compare;
	struct iobatch_remove_options remove;
	struct iobatch_read_options read;
	struct iobatch_fill_options fill;
	struct iobatch_stat_options stat;
	struct iobatch_set_options set;
	struct iobatch_rename_options rename;
	struct job_steps steps;
	struct iobatch_options options; /* `simulation` points to the next member or is NULL */
	struct iobatch_simulation simulation;
	struct job_journal journal;
	int *retry_errnos; /* `options` points to it, or it is NULL */

	/* Of the loader, which the strings above point into. */
	char *file;
	struct tree_node *tree;
	struct schema *schema;
	struct raw_mapping *raw;
	struct lists lists;
	const char *walked[3]; /* the roots of a walk that a processor implies */
	int list_fd;           /* -1: none that is ours */
	int count_fd;          /* the same list, opened once more to be counted; or -1 */
};

/*
 * Loads the job of a file, after putting the `sets` ("key.path=value", NULL-terminated; NULL =
 * none) in place. On failure *ret_error is a message to be freed, or NULL when there was no memory
 * for it.
 */
int job_load(const char *file, const char *const *sets, struct job **ret_job, char **ret_error);
/* The same for a job that is a tree, which is the job's from then on, or is freed. */
int job_load_tree(struct tree_node *tree, const char *const *sets, struct job **ret_job,
                  char **ret_error);
void job_free(struct job *job);

/* The job as YAML, with what --set and commands have put into it; to be freed. */
int job_print(const struct job *job, char **ret_text);

/*
 * Open what the job describes. The source and the processor are the caller's, to be freed before
 * the job. What would destroy more than can be meant is refused with the source: a copy that
 * overlaps what it copies (overlap.h), the removal of a whole file system (guard.h). On failure
 * *ret_error is as with job_load().
 */
int job_open_source(struct job *job, struct iobatch_source **ret_source, char **ret_error);
/* The same items once more, to be counted meanwhile. -ENOTSUP when they can be had only once. */
int job_open_count(struct job *job, struct iobatch_source **ret_source);
int job_new_processor(struct job *job, struct iobatch_processor **ret_processor, char **ret_error);

/* For people: the kind of source and the name of where the items come from. */
const char *job_source_word(const struct job *job);
const char *job_source_name(const struct job *job);
/* The kind of processor, and the file or directory that it makes: NULL, or "to" or "into" it. */
const char *job_processor_word(const struct job *job);
const char *job_output(const struct job *job, const char **ret_preposition);
/* Whether the processor writes lines to standard output, and those of what has failed too. */
bool job_reports_to_stdout(const struct job *job);
bool job_reports_failures(const struct job *job);
/* What the job does to the files of its items. */
enum job_effect job_effect(const struct job *job);
/*
 * Whether it makes a file with a line for each item, which is whole only when one run has done them
 * all.
 */
bool job_makes_whole_report(const struct job *job);
/* Whether its processor takes what an earlier run has found out about an item (a note). */
bool job_takes_known(const struct job *job);
/*
 * A hash, as hexadecimal digits, of all that decides what is done with which item: its items and
 * its processor as they are written, keys in any order; and the current directory, unless no name
 * in it is relative. How it is run, and what it is called, has no part in it. -ENOMEM.
 */
#define JOB_HASH_SIZE 33u
int job_hash(const struct job *job, char ret_hash[JOB_HASH_SIZE]);
/* Marks the names of its temporary files, if it makes any that can be: the second tells. */
void job_set_mark(struct job *job, uint64_t mark);
bool job_is_marked(const struct job *job);
/* The places that it works in, ended by NULL; they are the job's, `one` is for a single one. */
const char *const *job_roots(const struct job *job, const char *one[2]);

/*
 * Takes those roots of a walk out that are not there any more and that `is_done` says are done, as
 * roots are that were removed or moved. False: there is none left. Any other source has none.
 */
bool job_drop_roots(struct job *job, bool (*is_done)(void *context, const char *root),
                    void *context);

/* Why a place of the source was left out (a negative errno), and what that means for the rest. */
const char *job_source_error(const struct job *job, int error);
const char *job_left_out(const struct job *job);

/*
 * Places what iobatch_run() has refused, "OPTION what is wrong", at the key of that option:
 * *ret_error is the whole line, to be freed, or NULL.
 */
void job_explain(const struct job *job, const char *message, char **ret_error);
/* The same for the error with which the source has ended a run, at `path` or NULL. */
void job_explain_source(const struct job *job, int error, const char *path, char **ret_error);

#endif

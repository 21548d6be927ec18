/* SPDX-License-Identifier: MIT */
/*
 * The kinds of sources and of processors: one row each. A row says which keys a job has for it,
 * where in struct job they go, what must hold over several of them, and how it is made. To add one:
 * a value in the enum of job.h, a member for its options in struct job, a row here.
 */
#ifndef JOB_KINDS_H
#define JOB_KINDS_H

#include "job/job.h"
#include "job/keys.h"

struct raw_value;
struct report;

/* What a processor needs of its source, and what a walk for it is when the job does not say. */
#define KIND_WHOLE_FILES 1u /* no blocks of a file */
#define KIND_MANIFEST 2u    /* items.manifest and nothing else */
#define KIND_WALK 4u        /* items.walk, whose roots the processor names */
#define KIND_LAST 8u        /* directories: last */
#define KIND_NOT_FIRST 16u  /* directories: first is refused */
#define KIND_NO_FOLLOW 32u  /* follow_root: no, and yes is refused */
#define KIND_ONE_SYSTEM 64u /* one_file_system: yes */
#define KIND_APART 128u     /* destination and roots must not overlap */
#define KIND_REMOVES 256u   /* the roots must not be more than can be meant (guard.h) */
#define KIND_WHOLE_TREES \
	1024u             /* but with max_depth: 0: directories are then taken with all in them */
#define KIND_REPORTS 512u /* its report has a line for each item that fails for its own reason */

struct source_kind {
	const char *key;
	const struct key *keys;
	size_t target;        /* offset in struct job of what the keys fill */
	size_t size;          /* bytes of it */
	const void *defaults; /* so many bytes */
	const char *name_key; /* which key names what is opened */
	size_t name;          /* offset in struct job of the value of that key */
	/* Rules over several keys; `path` is "items.KEY". Optional. */
	int (*check)(struct report *report, const struct raw_mapping *raw, struct job *job);
	/* `again`: once more, to be counted; -ENOTSUP when that cannot be. */
	int (*open)(struct job *job, bool again, struct iobatch_source **ret_source);
};

struct processor_kind {
	const char *key;
	const struct key *keys; /* NULL: steps */
	size_t target;          /* as above */
	size_t size;
	const void *defaults;
	unsigned needs;       /* KIND_* */
	const char *name_key; /* the key that names what is made; NULL = none */
	size_t name;          /* offset in struct job of its value, which may be NULL */
	const char *preposition;
	int (*check)(struct report *report, const struct raw_value *raw, struct job *job);
	int (*make)(const struct job *job, struct iobatch_processor **ret_processor);
};

extern const struct source_kind source_kinds[JOB_SOURCE_COUNT];
extern const struct processor_kind processor_kinds[JOB_PROCESSOR_COUNT];

/* The keys of `items` and of `processor`: a mapping, or steps, for each kind. */
extern const struct key kinds_items[];
extern const struct key kinds_processors[];

/* The keys of `options`, and of `simulation` in it. */
extern const struct key kinds_options[];
int kinds_convert_options(struct report *report, const struct raw_value *raw, struct job *job);

#endif

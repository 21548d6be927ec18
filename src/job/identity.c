/* SPDX-License-Identifier: MIT */
/*
 * What of a job its journal must know: whether it is the same job as before, where it works, and
 * how one can see that an item is done. Two jobs are the same when they do the same with the same
 * items, however many at a time; in doubt they are not. Journals themselves are not known here.
 */
#include "job/job.h"

#include "job/kinds.h"
#include "job/roots.h"
#include "job/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static void add_text(XXH3_state_t *state, const char *text)
{
	/* With the NUL, so that "ab", "c" is not "a", "bc". */
	if (text)
		XXH3_128bits_update(state, text, strlen(text) + 1);
}

static int compare_keys(const void *first, const void *second)
{
	const struct tree_node *const *a = first, *const *b = second;

	return strcmp((*a)->key, (*b)->key);
}

/* A node with all below it; keys of a mapping in the order of the alphabet. */
static int add_node(XXH3_state_t *state, const struct tree_node *node)
{
	struct tree_node **children;
	int err = 0;

	add_text(state, node->kind == TREE_MAPPING ? "{" : node->kind == TREE_SEQUENCE ? "[" : "=");
	add_text(state, node->value);
	if (!node->count)
		return 0;
	children = calloc(node->count, sizeof(*children));
	if (!children)
		return -ENOMEM;
	memcpy(children, node->children, node->count * sizeof(*children));
	if (node->kind == TREE_MAPPING)
		qsort(children, node->count, sizeof(*children), compare_keys);
	for (unsigned i = 0; !err && i < node->count; i++) {
		add_text(state, children[i]->key);
		err = add_node(state, children[i]);
	}
	free(children);
	add_text(state, "]");
	return err;
}

static bool is_relative(const char *path)
{
	return *path != '/';
}

/* Whether what the job means depends on the current directory, as far as can be seen. */
static bool has_relative_names(const struct job *job)
{
	const char *one[2], *preposition, *output = job_output(job, &preposition);
	const char *const *roots;

	if (job->source != JOB_SOURCE_WALK)
		return true;
	if (output && strcmp(output, "-") && is_relative(output))
		return true;
	for (roots = roots_of(job, one); *roots; roots++)
		if (is_relative(*roots))
			return true;
	return false;
}

static int add_directory(XXH3_state_t *state)
{
	char *directory = getcwd(NULL, 0);

	/* One that has no name any more has no relative names, either. */
	if (!directory)
		return errno == ENOMEM ? -ENOMEM : 0;
	add_text(state, directory);
	free(directory);
	return 0;
}

int job_hash(const struct job *job, char ret_hash[JOB_HASH_SIZE])
{
	static const char *const parts[] = {"items", "processor"};
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash;
	int err = 0;

	if (!state)
		return -ENOMEM;
	XXH3_128bits_reset(state);
	for (unsigned i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct tree_node *node = tree_find(job->tree, parts[i], NULL);

		add_text(state, parts[i]);
		if (node)
			err = add_node(state, node);
	}
	/* What was only simulated has not been done. */
	if (job->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		add_text(state, "simulated");
	if (!err && has_relative_names(job))
		err = add_directory(state);
	hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	if (!err)
		snprintf(ret_hash, JOB_HASH_SIZE, "%016" PRIx64 "%016" PRIx64,
		         (uint64_t)hash.high64, (uint64_t)hash.low64);
	return err;
}

bool job_is_marked(const struct job *job)
{
	return job->processor == JOB_PROCESSOR_COPY || job->processor == JOB_PROCESSOR_MOVE ||
	       job->processor == JOB_PROCESSOR_FILL;
}

void job_set_mark(struct job *job, uint64_t mark)
{
	if (job->processor == JOB_PROCESSOR_FILL)
		job->fill.mark = mark;
	else if (job_is_marked(job))
		job->copy.mark = mark;
}

const char *const *job_roots(const struct job *job, const char *one[2])
{
	if (job->source == JOB_SOURCE_WALK)
		return roots_of(job, one);
	one[0] = job_source_name(job);
	if (job->source == JOB_SOURCE_LIST && job->list.options.root)
		one[0] = job->list.options.root;
	if (job->source == JOB_SOURCE_MANIFEST && job->manifest.options.root)
		one[0] = job->manifest.options.root;
	one[1] = NULL;
	return one;
}

/* Steps that only look at files. */
static bool reads_only(const struct iobatch_op *op)
{
	switch (op->opcode) {
	case IOBATCH_OP_NOP:
	case IOBATCH_OP_CLOSE:
	case IOBATCH_OP_READ:
	case IOBATCH_OP_FSYNC:
	case IOBATCH_OP_FDATASYNC:
	case IOBATCH_OP_FADVISE:
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_FSTATX:
	case IOBATCH_OP_TIMEOUT:
	case IOBATCH_OP_READLINKAT:
	case IOBATCH_OP_FIND_DATA:
	case IOBATCH_OP_CACHED:
		return true;
	case IOBATCH_OP_OPENAT:
	case IOBATCH_OP_OPENAT2:
		return !(op->op_flags & (O_CREAT | O_TRUNC));
	default:
		return false;
	}
}

enum job_effect job_effect(const struct job *job)
{
	enum job_effect effect = JOB_READS;

	switch (job->processor) {
	case JOB_PROCESSOR_MOVE:
	case JOB_PROCESSOR_REMOVE:
	case JOB_PROCESSOR_RENAME:
		effect = JOB_TAKES_AWAY;
		break;
	case JOB_PROCESSOR_FILL:
	case JOB_PROCESSOR_SET:
		effect = JOB_CHANGES;
		break;
	case JOB_PROCESSOR_NOP:
		effect = JOB_BLIND;
		break;
	case JOB_PROCESSOR_STEPS:
		for (unsigned i = 0; i < job->steps.count; i++)
			if (!reads_only(&job->steps.ops[i]))
				effect = JOB_CHANGES;
		break;
	default:
		break;
	}
	if (job->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		return JOB_BLIND;
	/* Each range changes the times of the one file that all others are of. */
	if (job->source == JOB_SOURCE_RANGE && effect == JOB_CHANGES)
		return JOB_BLIND;
	return effect;
}

bool job_makes_whole_report(const struct job *job)
{
	const char *preposition, *output = job_output(job, &preposition);

	return output && !strcmp(preposition, "into") && job->processor != JOB_PROCESSOR_READ;
}

bool job_takes_known(const struct job *job)
{
	return job->processor == JOB_PROCESSOR_HASH || job->processor == JOB_PROCESSOR_VERIFY ||
	       job->processor == JOB_PROCESSOR_FILL;
}

/* SPDX-License-Identifier: MIT */
/* Jobs and items in words: see describe.h. */
#include "cli/describe.h"

#include "cli/escape.h"
#include "job/job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_name(const char *name, FILE *file)
{
	char *text = escape_text(name, strlen(name));

	fputs(text ? text : "?", file);
	free(text);
}

static void describe_source(const struct job *job, FILE *file)
{
	static const char *const of[JOB_SOURCE_COUNT] = {
		[JOB_SOURCE_RANGE] = "of ",
		[JOB_SOURCE_SERIES] = "of ",
	};
	const char *name = job_source_name(job);

	fprintf(file, "%s %s", job_source_word(job), of[job->source] ? of[job->source] : "");
	print_name(strcmp(name, "-") ? name : "of standard input", file);
	if (job->source == JOB_SOURCE_WALK && job->walk.roots && job->walk.roots[0] &&
	    job->walk.roots[1])
		fputs(" and others", file);
}

void describe_work(const struct job *job, FILE *file)
{
	if (job->processor == JOB_PROCESSOR_STEPS) {
		for (unsigned i = 0; i < job->steps.count; i++)
			fprintf(file, "%s%s", i ? ", " : "",
			        iobatch_op_info(job->steps.ops[i].opcode)->name);
		return;
	}
	fputs(job_processor_word(job), file);
	if (job->processor == JOB_PROCESSOR_HASH)
		fprintf(file, " %s", iobatch_hash_name(job->hash.algorithm));
}

void describe_job(const struct job *job, FILE *file)
{
	const char *preposition, *output = job_output(job, &preposition);

	print_name(job->name, file);
	fputs(": ", file);
	describe_source(job, file);
	fputs("; ", file);
	describe_work(job, file);
	if (output) {
		fprintf(file, " %s ", preposition);
		print_name(strcmp(output, "-") ? output : "standard output", file);
	}
	fprintf(file, "; %" PRIu32 " items a batch, %" PRIu32 " batches at once",
	        job->options.batch_size, job->options.max_concurrent);
	if (job->options.timeout_ms)
		fprintf(file, ", timeout %" PRIu64 " ms", job->options.timeout_ms);
	if (job->options.delay_ms)
		fprintf(file, ", delay %" PRIu64 " ms", job->options.delay_ms);
	if (job->options.retries)
		fprintf(file, ", %" PRIu32 " %s", job->options.retries,
		        job->options.retries == 1 ? "retry" : "retries");
	if (job->options.executor == IOBATCH_EXECUTOR_RING)
		fputs(", by io_uring", file);
	else if (job->options.executor == IOBATCH_EXECUTOR_SYSCALL)
		fputs(", by system calls", file);
	else if (job->options.executor == IOBATCH_EXECUTOR_SIMULATED)
		fputs(", simulated", file);
}

char *describe_item(const struct iobatch_file *item, size_t *ret_length)
{
	char *name;
	int length;

	if (!item->length) {
		name = malloc(item->path_length + 1u);
		if (!name)
			return NULL;
		memcpy(name, item->path, item->path_length + 1u);
		*ret_length = item->path_length;
		return name;
	}
	length = asprintf(&name, "%s [%" PRIu64 ", +%" PRIu64 "]", item->path, item->offset,
	                  item->length);
	if (length < 0)
		return NULL;
	*ret_length = (size_t)length;
	return name;
}

const char *describe_op(int opcode)
{
	const struct iobatch_op_info *info = opcode < 0 ? NULL : iobatch_op_info((unsigned)opcode);

	return info ? info->name : "";
}

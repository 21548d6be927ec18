/* SPDX-License-Identifier: MIT */
/* --dry-run: see dry_run.h. */
#include "cli/dry_run.h"

#include "cli/describe.h"
#include "cli/escape.h"
#include "job/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_escaped(const char *bytes, size_t length)
{
	char *text = escape_text(bytes, length);

	if (!text)
		return -ENOMEM;
	fputs(text, stdout);
	free(text);
	return 0;
}

/* Where a copy of the item would stand: its part below the root, at the destination. */
static int print_destination(const char *destination, const struct iobatch_file *item)
{
	const char *below = item->path + item->relative;
	int err;

	fputs(" -> ", stdout);
	err = print_escaped(destination, strlen(destination));
	if (!err && *below) {
		if (destination[strlen(destination) - 1] != '/')
			fputc('/', stdout);
		err = print_escaped(below, strlen(below));
	}
	return err;
}

static int print_item(const struct job *job, const struct iobatch_file *item)
{
	const char *preposition, *output = job_output(job, &preposition);
	size_t length;
	char *name = describe_item(item, &length);
	int err;

	if (!name)
		return -ENOMEM;
	describe_work(job, stdout);
	fputs(": ", stdout);
	err = print_escaped(name, length);
	free(name);
	if (!err && output && !strcmp(preposition, "to"))
		err = print_destination(output, item);
	fputc('\n', stdout);
	return err;
}

int dry_run(const struct job *job, struct iobatch_source *source)
{
	struct iobatch_items items = iobatch_source_items(source);
	struct iobatch_file *item = malloc(items.stride);
	uint64_t count = 0, batch_size = job->options.batch_size;
	ssize_t size = 0;
	int err = 0;

	if (!item)
		return -ENOMEM;
	/* A stdout that takes nothing more ends it; the end of the program reports that. */
	while (!err && !ferror(stdout) && (size = items.next(items.context, item)) > 0) {
		err = print_item(job, item);
		count++;
		/* A directory comes last, when what is in it has been given back. */
		if (items.release)
			items.release(items.context, item);
	}
	free(item);
	if (!err && size < 0)
		err = (int)size;
	printf("%" PRIu64 " items in %" PRIu64 " batches; nothing was touched\n", count,
	       count / batch_size + (count % batch_size != 0));
	return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * The processor that reads each item and counts its bytes: to scrub a disk, to warm a cache, to
 * measure. It owns its options; the reading is the reader's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/reader.h"

struct read_processor {
	struct iobatch_processor processor;
	struct reader_plan plan;
};

static int read_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	const struct read_processor *read = context;

	return reader_next(&read->plan, item->state, item, done, chain, item->scratch);
}

static int read_complete(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
                         struct iobatch_op *op)
{
	const struct read_processor *read = context;

	return reader_complete(&read->plan, item->state, item, chain, op);
}

static void read_free(struct iobatch_processor *processor)
{
	free(processor->context);
}

int iobatch_read_new(const struct iobatch_read_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_read_options options = IOBATCH_READ_OPTIONS_INIT;
	struct read_processor *read;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (reader_check(options.block_size, options.depth) < 0 || options.direct > 1)
		return -EINVAL;
	read = calloc(1, sizeof(*read));
	if (!read)
		return -ENOMEM;
	read->plan = (struct reader_plan){
		.block_size = options.block_size,
		.depth = options.depth,
		.open_flags = options.direct ? O_DIRECT : 0,
	};
	read->processor = (struct iobatch_processor){
		.size = sizeof(read->processor),
		.name = "read",
		.context = read,
		.state_size = sizeof(struct reader),
		.scratch_size = sizeof(struct statx),
		.chain_ops_max = options.depth > 2 ? options.depth : 2,
		.files_max = 1,
		.buffer_size = options.block_size,
		.buffers_min = 1,
		.buffers_max = options.depth,
		.next = read_next,
		.complete = read_complete,
		.free = read_free,
	};
	*ret_processor = &read->processor;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What a processor asks of the engine from within its callbacks, by the item or the chain that it
 * was given. What becomes of the answers is attempt.c's and chain.c's business; nothing here starts
 * or ends anything.
 */
#include <assert.h>
#include <errno.h>

#include "engine/engine.h"

int iobatch_item_fail(struct iobatch_item *item, const struct iobatch_error *error)
{
	struct slot *slot = (struct slot *)item;

	slot->own_error = error;
	return IOBATCH_OWN_ERROR;
}

int iobatch_item_skip(struct iobatch_item *item, const struct iobatch_error *reason)
{
	struct slot *slot = (struct slot *)item;

	slot->own_error = reason;
	slot->skipped = true;
	return IOBATCH_DONE;
}

int iobatch_item_note(struct iobatch_item *item, const char *text, size_t length)
{
	struct slot *slot = (struct slot *)item;

	if (length > IOBATCH_NOTE_MAX)
		return -EINVAL;
	slot->note = length ? text : NULL;
	slot->note_length = (uint32_t)length;
	return 0;
}

int iobatch_item_take_fd(struct iobatch_item *item, int file)
{
	struct slot *slot = (struct slot *)item;
	struct reaper *reaper = slot_reaper(slot);
	const struct iobatch_processor *processor = reaper->run->processor;

	if (!processor->process_files)
		return -EINVAL;
	if (file < 0 || (unsigned)file >= processor->files_max || !(slot->files_open & 1u << file))
		return -EBADF;
	slot->files_open &= ~(1u << file);
	reaper->executor->ops->disown(reaper->executor, slot->files[file]);
	return slot->files[file];
}

unsigned iobatch_item_reserve(struct iobatch_item *item, unsigned wanted)
{
	struct slot *slot = (struct slot *)item;
	struct reaper *reaper = slot_reaper(slot);
	unsigned max = reaper->run->processor->buffers_max;

	/* Attempts that wait to start come first. */
	if (reaper->starving.first)
		return item->buffer_count;
	return pool_reserve(&reaper->pool, slot, wanted < max ? wanted : max);
}

void iobatch_op_again(struct iobatch_chain *chain, struct iobatch_op *op)
{
	unsigned number = (unsigned)(op - chain->ops);

	assert(number < chain->count);
	chain->reserved[number / 64] |= UINT64_C(1) << number % 64;
}

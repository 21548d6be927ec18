/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of what is neither a regular file nor a directory: symbolic links, FIFOs and devices,
 * each made under the temporary name with all it has.
 */
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

static int created(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	(void)done;
	return copy_node_attributes(copy, item, chain, copy_commit);
}

static int text_read(struct copy_processor *copy, struct iobatch_item *item,
                     const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;
	int64_t length = done->ops[0].result;

	(void)copy;
	if (length >= (int64_t)sizeof(scratch->text))
		return -ENAMETOOLONG;
	scratch->text[length] = '\0';
	item->bytes = 0;
	state->temporary = true;
	iobatch_chain_add(chain, copy_in(place, iobatch_op_symlinkat(scratch->text, place->fd,
	                                                             scratch->temporary)));
	return copy_then(item, created);
}

int copy_node(struct copy_processor *copy, struct iobatch_item *item, struct iobatch_chain *chain)
{
	const struct iobatch_file *object = item->object;
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;
	const struct statx *source = &scratch->source;

	(void)copy;
	if (S_ISLNK(source->stx_mode)) {
		iobatch_chain_add(
			chain, file_at(object, iobatch_op_readlinkat(AT_FDCWD, NULL, scratch->text,
		                                                     sizeof(scratch->text))));
		return copy_then(item, text_read);
	}
	state->temporary = true;
	iobatch_chain_add(chain,
	                  copy_in(place, iobatch_op_mknodat(place->fd, scratch->temporary,
	                                                    source->stx_mode & S_IFMT, 0600,
	                                                    makedev(source->stx_rdev_major,
	                                                            source->stx_rdev_minor))));
	return copy_then(item, created);
}

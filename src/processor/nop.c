/* SPDX-License-Identifier: MIT */
/*
 * The processor that does nothing: one nop op for each item. It is what the engine itself is
 * measured with, so that it keeps no state and looks at no item.
 */
#include <errno.h>
#include <stdlib.h>

#include <iobatch.h>

static int nop_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                    struct iobatch_chain *chain)
{
	(void)context;
	(void)item;
	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

static void nop_free(struct iobatch_processor *processor)
{
	free(processor);
}

int iobatch_nop_new(struct iobatch_processor **ret_processor)
{
	struct iobatch_processor *nop;

	if (!ret_processor)
		return -EINVAL;
	nop = malloc(sizeof(*nop));
	if (!nop)
		return -ENOMEM;
	*nop = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	nop->name = "nop";
	nop->next = nop_next;
	nop->free = nop_free;
	*ret_processor = nop;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What all built-in processors have in common: they free themselves.
 */
#include <iobatch.h>

void iobatch_processor_free(struct iobatch_processor *processor)
{
	if (processor && processor->free)
		processor->free(processor);
}

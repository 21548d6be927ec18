/* SPDX-License-Identifier: MIT */
/*
 * What openat2(2) is told, the same for the ring and for the system call.
 */
#ifndef OP_HOW_H
#define OP_HOW_H

#include <fcntl.h>
#include <linux/openat2.h>

#include "op/op.h"

static inline void how_fill(struct open_how *how, const struct iobatch_op *op)
{
	/* openat2 refuses a mode that would have no effect, where openat ignores it. */
	bool creates = op->op_flags & O_CREAT || (op->op_flags & O_TMPFILE) == O_TMPFILE;

	how->flags = op->op_flags | O_CLOEXEC;
	how->mode = creates ? op->mode : 0;
	how->resolve = op->resolve;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The lock on a journal: of the open file, not of the process, so that the kernel gives it away
 * when the last process that has it open is really gone, with all its I/O. A killed run may take
 * its time for that, so a lock can be waited for, and only so long.
 */
#ifndef JOURNAL_LOCK_H
#define JOURNAL_LOCK_H

#include <stdint.h>

/* -EBUSY: somebody else has had it all the time. Or the errno of fcntl(2). */
int lock_take(int fd, unsigned wait_ms);

/* The process that the journal's last run says it is; 0 = it does not say. Reads without a lock. */
uint64_t lock_holder(int fd);

#endif

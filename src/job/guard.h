/* SPDX-License-Identifier: MIT */
/*
 * Keeps a removal from taking more than can be meant: the whole file system, all of a mounted one,
 * or the ground under one's own feet.
 */
#ifndef JOB_GUARD_H
#define JOB_GUARD_H

struct job;
struct report;

/*
 * Refuses to remove or move a root that is "/" by any name. Unless the walk leaves the roots
 * themselves alone (min_depth is 1 or more), also the root of a mount, ".", "..", what ends in "/."
 * or "/..", and the current directory or one that holds it. Only looks. -EINVAL: the report says
 * which it is, and what to do. What cannot be looked at is left to whoever opens it.
 */
int guard_check(struct report *report, const struct job *job);

#endif

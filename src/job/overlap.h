/* SPDX-License-Identifier: MIT */
/*
 * Keeps a copy apart from what it is a copy of. A walk that finds what the copy has just made would
 * never end, and a copy into a tree that holds its source can write over what it has yet to read.
 */
#ifndef JOB_OVERLAP_H
#define JOB_OVERLAP_H

struct job;
struct report;

/*
 * Refuses a copy or a move whose destination lies in a root of the walk, or that would put a root
 * to where a root is or to a directory that holds one; by whatever names and links. Only looks.
 * -EINVAL: the report says how they overlap. What cannot be looked at is no overlap: opening it
 * will tell why.
 */
int overlap_check(struct report *report, const struct job *job);

#endif

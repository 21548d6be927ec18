/* SPDX-License-Identifier: MIT */
/* Says in words what a job, an item and a failure are, for people. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <iobatch.h>
#include <stdio.h>

struct job;

/* One line without a newline: what comes from where, what is done with it, how much at once. */
void describe_job(const struct job *job, FILE *file);

/* What is done with each item, in a few words: "hash xxh3-64", "openat, read, close". */
void describe_work(const struct job *job, FILE *file);

/*
 * The bytes that name an item: its path, and for a range "path [offset, +length]"; to be freed.
 * NULL without memory.
 */
char *describe_item(const struct iobatch_file *item, size_t *ret_length);

/* The name of the op that failed; "" when none did. */
const char *describe_op(int opcode);

#endif

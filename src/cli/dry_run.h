/* SPDX-License-Identifier: MIT */
/* Says what a job would do, item by item, and does none of it. */
#ifndef CLI_DRY_RUN_H
#define CLI_DRY_RUN_H

struct iobatch_source;
struct job;

/* Pulls all items of the source and prints them to stdout. Returns 0 or the source's error. */
int dry_run(const struct job *job, struct iobatch_source *source);

#endif

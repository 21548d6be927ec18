/* SPDX-License-Identifier: MIT */
/*
 * From what libcyaml has loaded to a job: which source and which processor it has, their keys
 * (kinds.h), and the rules that go over both.
 */
#ifndef JOB_CONVERT_H
#define JOB_CONVERT_H

#include "job/keys.h"

struct job;
struct raw_mapping;
struct report;

/* The keys of a job, by which it is to be loaded. */
extern const struct key convert_keys[];

/*
 * Fills the job, whose strings then point into the report's tree. -EINVAL: the report says what is
 * wrong. Whatever is returned, job_free() frees what was made.
 */
int convert_job(struct report *report, const struct raw_mapping *raw, struct job *job);

#endif

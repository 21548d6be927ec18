/* SPDX-License-Identifier: MIT */
/*
 * From what libcyaml has loaded to a job: defaults, ranges, and the rules that go over several
 * keys. Here stands what is possible in a job; see schema.h for what can be written.
 */
#ifndef JOB_CONVERT_H
#define JOB_CONVERT_H

struct job;
struct raw_job;
struct report;

/*
 * Fills the job, whose strings then point into `raw`. -EINVAL: the report says what is wrong.
 * Whatever is returned, job_free() frees what was made.
 */
int convert_job(struct report *report, const struct raw_job *raw, struct job *job);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Loads a document's tree by libcyaml and turns what libcyaml has to complain about into one line
 * in our own form. libcyaml reports by its log: a first line that says what is wrong, then a
 * backtrace of fields and entries, the innermost first.
 */
#ifndef JOB_LOAD_H
#define JOB_LOAD_H

struct raw_mapping;
struct report;
struct schema;

/* Loads report->root. -EINVAL: the report says what is wrong. */
int load_raw(struct report *report, const struct schema *schema, struct raw_mapping **ret_raw);
void load_free(const struct schema *schema, struct raw_mapping *raw);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One error about a job: where it stands and what is wrong, in one line. The place is found by the
 * path of the key in the document's tree, so that whoever finds an error needs to know neither
 * lines nor --set.
 */
#ifndef JOB_REPORT_H
#define JOB_REPORT_H

struct tree_node;

struct report {
	const char *file;
	struct tree_node *root;
	char *message; /* of the first error; NULL = none, or no memory for it */
};

/*
 * Records what is wrong with the value at `path` ("options.batch_size"; "" is the whole document),
 * as "job.yaml:12: options.batch_size: must be ...". A path that does not exist is placed at its
 * nearest ancestor. Always returns -EINVAL.
 */
int report_error(struct report *report, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What all item sources have in common: the vtable behind struct iobatch_source, the record of the
 * places that were left out, and how a path becomes a struct iobatch_file. A source embeds struct
 * iobatch_source as its first member. It knows nothing of ops, batches or the engine.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <iobatch.h>

struct source_kind {
	/*
	 * Fills `file`, and of its path no more than the bytes used. Returns 1; or 0 at the end; or
	 * a negative errno that ends the intake. Not called again after either.
	 */
	int (*next)(struct iobatch_source *source, struct iobatch_file *file);
	/* Frees the whole source but for what struct iobatch_source itself owns. */
	void (*free)(struct iobatch_source *source);
};

struct iobatch_source {
	const struct source_kind *kind;
	uint64_t count; /* items in all, IOBATCH_UNKNOWN unless known beforehand */
	bool ended;
	int end; /* what the last `next` has returned, once `ended` */

	/*
	 * The places left out. They may be asked for in another thread while the source is read:
	 * the first one is written before `errors` becomes 1 and never again.
	 */
	_Atomic uint64_t errors;
	int first_error;
	char *first_path;
};

void source_init(struct iobatch_source *source, const struct source_kind *kind, uint64_t count);

/*
 * Counts a place that is left out because of `error`, a negative errno: `directory`, or `name` in
 * it unless that is NULL. Returns 0 or -ENOMEM.
 */
int source_leave_out(struct iobatch_source *source, int error, const char *directory,
                     const char *name);

/* Where the last component of the path begins; slashes at the end belong to it. */
size_t source_name_start(const char *path, size_t length);

/*
 * Fills `file` with all of the file at `path`, of a type not looked at; `relative` is where its
 * last component begins. `length` is less than IOBATCH_PATH_MAX.
 */
void source_fill(struct iobatch_file *file, const char *path, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What all item sources have in common: the vtable behind struct iobatch_source, the record of the
 * places that were left out, and how a path becomes a struct iobatch_file. A source embeds struct
 * iobatch_source as its first member. It knows nothing of ops, batches or the engine.
 *
 * A source that may have to wait runs ahead of its items in a thread of its own (ahead.h). All that
 * is said here of the thread that asks for the next item is then said of that one.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <iobatch.h>

struct source_kind {
	/*
	 * Fills `file`, and of its path no more than the bytes used. Returns 1; or 0 at the end; or
	 * a negative errno that ends the intake. Not called again after either. A source that runs
	 * ahead may return -EAGAIN: it waits for an object to come back, or for ahead_again().
	 */
	int (*next)(struct iobatch_source *source, struct iobatch_file *file);
	/* Frees the whole source but for what struct iobatch_source itself owns. */
	void (*free)(struct iobatch_source *source);
	/*
	 * Of a source that runs ahead: what is to be taken before all that it has ready. Called by
	 * who takes the items, at the same time as `next` may be; true when `file` was filled.
	 * Optional.
	 */
	bool (*urgent)(struct iobatch_source *source, struct iobatch_file *file);
	/* An object comes back, from any thread; its use of its directory goes after that.
	 * Optional.
	 */
	void (*released)(struct iobatch_source *source, const struct iobatch_file *file);
	/* Of a source that runs ahead: gets `next` out of a call that waits. Optional. */
	void (*interrupt)(struct iobatch_source *source);
};

struct iobatch_source {
	const struct source_kind *kind;
	struct ahead *ahead;  /* NULL: the source is asked in the thread of who takes the items */
	_Atomic uint64_t out; /* objects of source_place() that have not come back */
	/* Which objects are items: see iobatch_source_filter(). NULL = all. */
	bool (*keep)(void *context, struct iobatch_file *file);
	void *keep_context;
	_Atomic uint64_t left_out; /* by that */
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

/* Has the source run in a thread of its own, from the first item on. -ENOMEM. */
int source_run_ahead(struct iobatch_source *source);

/* Passes on what was given until now, before something that may take long. */
void source_flush(struct iobatch_source *source);

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

/*
 * The file's place: what is from `name` on in its path, in a directory that is open and of which it
 * becomes a user.
 */
void source_place(struct iobatch_source *source, struct iobatch_file *file,
                  struct iobatch_directory *directory, size_t name);

/*
 * Whether an object is an item; what is none is taken back. `file` has room for the longest one,
 * for what is known of it may be put behind.
 */
bool source_keeps(struct iobatch_source *source, struct iobatch_file *file);

/* Takes an object back that source_place() may have been called for. */
void source_take_back(struct iobatch_source *source, const struct iobatch_file *file);

#endif

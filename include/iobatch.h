/* SPDX-License-Identifier: MIT */
/*
 * iobatch: runs the same chain of I/O operations over a collection of items, in batches, with
 * bounded concurrency, deadlines, delays, retries and exact accounting, on io_uring.
 *
 * The whole public interface is in this file. The way of a run:
 *
 *     items -> batch -> window -> item -> processor -> chain of ops -> executor -> completion
 *           -> next chain | retry | settle -> progress, outcome, result
 *
 * Conventions. Functions return 0 or a negative errno unless they say otherwise. Out parameters
 * stand last and are untouched on failure. The library never prints, reads no environment variable
 * and leaves signal dispositions alone but for one: while system calls are made by a pool of
 * threads in a run with deadlines or a control, SIGURG has a handler that does nothing, so that
 * they can be interrupted, unless the program has one of its own. Times are nanoseconds (_ns) or
 * milliseconds (_ms) of CLOCK_MONOTONIC; sizes are bytes. Strings that the library returns as
 * `const char *` without saying who owns them are static and live for ever.
 *
 * Threads. Several runs may go on at once in different threads. Within one run, with one ring, all
 * callbacks come from the thread that called iobatch_run(). With more rings a processor's callbacks
 * come from several threads, but all the callbacks of one item between its start and its outcome
 * come from one of them; what an item's callbacks share with other items is for the processor to
 * guard. on_progress, on_settled and items.next are never called twice at the same time.
 */
#ifndef IOBATCH_H
#define IOBATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct statx;
struct timespec;

/* The version of the library that is linked, such as "0.1.0". */
const char *iobatch_version(void);

/* ---------------------------------------------------------------- ops -- */

/*
 * The operations. Each is a row of the op table, which iobatch_op_info() and `iobatch ops` show.
 * The numbers are part of the ABI: new ones go before IOBATCH_OP_COUNT only.
 */
enum iobatch_opcode {
	IOBATCH_OP_NOP,
	IOBATCH_OP_OPENAT,
	IOBATCH_OP_OPENAT2,
	IOBATCH_OP_CLOSE,
	IOBATCH_OP_READ,
	IOBATCH_OP_WRITE,
	IOBATCH_OP_FSYNC,
	IOBATCH_OP_FDATASYNC,
	IOBATCH_OP_FALLOCATE,
	IOBATCH_OP_FADVISE,
	IOBATCH_OP_STATX,
	IOBATCH_OP_RENAMEAT,
	IOBATCH_OP_UNLINKAT,
	IOBATCH_OP_MKDIRAT,
	IOBATCH_OP_SYMLINKAT,
	IOBATCH_OP_LINKAT,
	IOBATCH_OP_TIMEOUT,
	/* The ring has no opcode for these, or only of late: a thread makes the system call. */
	IOBATCH_OP_READLINKAT,
	IOBATCH_OP_FCHMODAT,
	IOBATCH_OP_UTIMENSAT,
	IOBATCH_OP_FTRUNCATE,
	IOBATCH_OP_FCHMOD,
	IOBATCH_OP_FCHOWN,
	IOBATCH_OP_FUTIMENS,
	IOBATCH_OP_COPY_FILE_RANGE,
	IOBATCH_OP_FICLONE,
	IOBATCH_OP_FSTATX,
	IOBATCH_OP_FCHOWNAT,
	IOBATCH_OP_MKNODAT,
	IOBATCH_OP_FIND_DATA,
	IOBATCH_OP_COPY_XATTRS,
	IOBATCH_OP_CACHED,
	IOBATCH_OP_COUNT,
};

/*
 * Files. An item has `files_max` (of its processor) files of its own, numbered from 0. An open op
 * says which of them it fills, later ops which they use. How a file is held (a direct descriptor of
 * the ring or a descriptor of the process) is the executor's business. Whatever an attempt leaves
 * open is closed when the attempt ends.
 *
 * A descriptor that the caller owns takes part as IOBATCH_FD(fd); it is never closed by iobatch,
 * and a close op on it is refused.
 */
#define IOBATCH_FD(fd) (-(fd)-1)

/*
 * One operation: plain data. Which members an op uses stands at its constructor below; the others
 * are ignored. Pointers must stay valid until the item's next callback; the processor's state,
 * scratch and buffers do.
 */
struct iobatch_op {
	uint16_t opcode;   /* enum iobatch_opcode */
	uint16_t flags;    /* IOBATCH_EXACT, IOBATCH_MAY_FAIL */
	int32_t file;      /* a file of the item, or IOBATCH_FD(fd) */
	int32_t file2;     /* the second file of an op that has two */
	int32_t dirfd;     /* directory that `path` starts from, or AT_FDCWD */
	int32_t dirfd2;    /* directory that `path2` starts from, or AT_FDCWD */
	uint32_t op_flags; /* O_*, AT_*, RENAME_*, RWF_*, as the op takes them; fchown's user;
	                      mknodat's type */
	uint32_t mode;     /* permission bits, fallocate's mode, fadvise's advice, statx's mask or
	                      fchown's group */
	const char *path;  /* NUL-terminated bytes */
	const char *path2; /* NUL-terminated bytes */
	void *buffer;      /* data, struct statx, target of a readlink, struct timespec[2] or
	                      uint64_t[2] */
	uint64_t offset;   /* bytes from the start of the file; UINT64_MAX = the file's position */
	uint64_t offset2;  /* the same in the second file */
	uint64_t length;   /* bytes; for a timeout: nanoseconds; for mknodat: a device number */
	uint64_t resolve;  /* RESOLVE_*, openat2 only */
	uint64_t device; /* st_dev of the file system that `path` is on, if known: ops on paths are
	                    counted by it (path_ops_max). 0 = found by the letters of the path */
	int64_t result;  /* set by the engine: bytes moved or 0, or a negative errno */
	uint64_t reserved[4]; /* of the engine */
};

/* Read or write all of `length`: the end of the file before that fails the attempt with ENODATA. */
#define IOBATCH_EXACT 1u

/*
 * The attempt goes on when this op fails: `result` keeps the negative errno for the processor to
 * judge, the next op of the chain starts, and `complete` is called as for a success. A deadline
 * ends the attempt all the same.
 */
#define IOBATCH_MAY_FAIL 2u

/* What kind of value an argument of an op is, as it stands in a job file. */
enum iobatch_argument_type {
	IOBATCH_ARGUMENT_PATH,     /* const char *: bytes; placeholders in steps */
	IOBATCH_ARGUMENT_FILE,     /* int32_t: a file of the item that an op before has opened */
	IOBATCH_ARGUMENT_NEW_FILE, /* int32_t: the file of the item that this op opens */
	IOBATCH_ARGUMENT_SIZE,     /* uint64_t: bytes */
	IOBATCH_ARGUMENT_DURATION, /* uint64_t: nanoseconds */
	IOBATCH_ARGUMENT_MODE,     /* uint32_t: permission bits, octal */
	IOBATCH_ARGUMENT_FLAGS,    /* uint16_t to uint64_t (by `size`): words, combined */
	IOBATCH_ARGUMENT_WORD,     /* uint32_t: one word */
	IOBATCH_ARGUMENT_NUMBER,   /* uint32_t: a plain number, less than 2^32 - 1 */
};

/* A word of a flags argument and the bits it stands for. */
struct iobatch_word {
	const char *name; /* NULL ends the list */
	uint64_t value;
};

/* An argument of an op: which member of struct iobatch_op it fills. */
struct iobatch_argument {
	const char *name; /* NULL ends the list */
	enum iobatch_argument_type type;
	uint16_t offset; /* of the member in struct iobatch_op */
	uint16_t size;   /* bytes of the member */
	bool required;
	uint64_t fallback;                /* value when it is not given */
	const struct iobatch_word *words; /* of FLAGS and WORD */
};

/* A row of the op table, as far as it is of use outside. */
struct iobatch_op_info {
	const char *name;        /* "openat" */
	const char *summary;     /* one line */
	const char *ring_opcode; /* "IORING_OP_OPENAT"; NULL = by system call */
	const struct iobatch_argument *arguments;
};

/* The static row of an op, NULL when `opcode` is none. */
const struct iobatch_op_info *iobatch_op_info(unsigned opcode);

/*
 * A chain: the ops of one item that are handed over together. They run in order and the first that
 * fails ends the attempt; a short read or write is continued before the next op starts, EINTR and
 * EAGAIN are tried again. With `unordered` set they run at once and independently.
 */
struct iobatch_chain {
	struct iobatch_op *ops;
	unsigned count;
	unsigned capacity; /* the processor's chain_ops_max */
	bool unordered;
	uint64_t reserved[2]; /* of the engine */
};

/* ----------------------------------------------------- items and runs -- */

/*
 * An item as its processor sees it. The members up to `buffer_count` are the engine's and are only
 * read by the processor.
 */
struct iobatch_item {
	void *object;       /* the caller's object, or the run's copy of a stream's object */
	size_t object_size; /* bytes of it: the stride, or what items.next returned */
	uint64_t index;     /* 0-based position in the collection */
	uint32_t
		attempt; /* 1 for the first; also those that cost none and start over are counted */
	uint32_t buffer_count; /* buffers held now */
	void **buffers; /* `buffer_count` buffers of the processor's buffer_size, 4096-aligned */
	void *state;    /* state_size bytes, zeroed when an attempt starts */
	void *scratch;  /* scratch_size bytes, not zeroed: paths and the like */
	uint64_t bytes; /* payload bytes, counted by the processor; reset when an attempt starts */
};

/* An error of a processor's own. Static: the library keeps the pointer. */
struct iobatch_error {
	const char *name;    /* a short word in the manner of errno names: "EMISMATCH" */
	const char *message; /* one sentence for people */
};

/* What `next` and `complete` may return besides a negative errno. */
#define IOBATCH_DONE 0 /* the item has succeeded */
#define IOBATCH_MORE 1 /* the chain holds ops to run */

/*
 * Fails the attempt for a reason of the processor's own: `return iobatch_item_fail(item, &error);`
 * from `next` or `complete`. It is retried and reported like any other error.
 */
int iobatch_item_fail(struct iobatch_item *item, const struct iobatch_error *error);

/*
 * Ends the item without anything to do: `return iobatch_item_skip(item, &reason);` from `next`. It
 * counts as successful and, besides, as skipped; its outcome has the reason's name and message.
 */
int iobatch_item_skip(struct iobatch_item *item, const struct iobatch_error *reason);

/*
 * Takes an open file from the item, whose processor has process_files: returns its descriptor,
 * which is the caller's to close from then on. -EBADF when the file is not open, -EINVAL without
 * process_files. From `next` only. A descriptor of the simulated executor is a number that means
 * nothing outside of its ops.
 */
int iobatch_item_take_fd(struct iobatch_item *item, int file);

/*
 * Takes further buffers for the item, up to `wanted` in all and at most the processor's
 * buffers_max, as far as memory_limit has room; never waits. Returns the number that the item now
 * holds. They go back when the attempt ends. To be called from `next` only.
 */
unsigned iobatch_item_reserve(struct iobatch_item *item, unsigned wanted);

/* Bytes of the longest note. */
#define IOBATCH_NOTE_MAX 256

/*
 * Gives the item a note: what has been found out about it, for whoever records its outcome. It is
 * the outcome's when the item succeeds, and the last one of the last attempt holds. `text` is not
 * copied: it must live until the outcome has been told, as item->state and item->scratch do, if
 * nothing else is put there. -EINVAL when it is longer than IOBATCH_NOTE_MAX; length 0 = none. From
 * `next`, `complete` and `settled`.
 */
int iobatch_item_note(struct iobatch_item *item, const char *text, size_t length);

/* How an item ended. */
struct iobatch_outcome {
	uint64_t index;
	const void *object; /* see iobatch_result and on_settled for how long it lives */
	size_t object_size;
	int error;         /* 0; or a negative errno; or IOBATCH_OWN_ERROR */
	int opcode;        /* the op that failed, -1 when none did */
	uint32_t attempts; /* attempts made; 0 when the run was halted before the first */
	/*
	 * Given up at its deadline: an op of it ignored that it was cancelled, and had not answered
	 * when the item settled. It may still take effect.
	 */
	bool stuck;
	/* The same, and when the run ended it still had not. In on_settled: as `stuck`. */
	bool still_running;
	/* Successful, because there was nothing to do: error_name and message say why. */
	bool skipped;
	const char *error_name; /* "ENOENT", "ETIME" for a deadline, a processor's own; NULL on
	                           success that was not skipped */
	const char *message;    /* one sentence; NULL as error_name */
	uint64_t bytes;         /* payload bytes of the last attempt */
	/* On the executor's clock: when the first attempt started, and until the outcome. 0 and 0
	   when nobody asks for it: there is neither on_settled nor a journal. */
	uint64_t start_ns;
	uint64_t duration_ns;
	/* What the processor has found out about a successful item, for on_settled and the journal
	   only: see iobatch_item_note(). No NUL at its end; NULL when there is none. */
	const char *note;
	size_t note_length;
};

/* `error` of an outcome whose error is its processor's own: see error_name. */
#define IOBATCH_OWN_ERROR (-4096)

/*
 * A processor: says which chain comes next for an item, until the item is done. Start from
 * IOBATCH_PROCESSOR_INIT. The struct and what it points to must outlive the run.
 */
struct iobatch_processor {
	size_t size;            /* sizeof(struct iobatch_processor), by the initialiser */
	const char *name;       /* for messages */
	void *context;          /* handed to every callback */
	size_t state_size;      /* bytes of item->state; default 0 */
	size_t scratch_size;    /* bytes of item->scratch; default 0 */
	unsigned chain_ops_max; /* longest chain, 1 to 128; default 1 */
	unsigned files_max;     /* files of an item, 0 to 16; default 0 */
	/*
	 * 1: files are descriptors of the process on every executor. Ops on files that a ring has
	 * no opcode for (IOBATCH_OP_FCHMOD and so on) need that; all others do better without.
	 */
	unsigned process_files; /* 0 or 1; default 0 */
	size_t buffer_size;     /* bytes of one buffer, a multiple of 4096; 0 = no buffers */
	unsigned buffers_min;   /* buffers that an attempt needs to start: it waits for them */
	unsigned buffers_max;   /* buffers that iobatch_item_reserve() may reach, up to 64 */

	/*
	 * The next chain of the item. `done` is the chain before with its results, empty at the
	 * start of an attempt; `chain` is empty and to be filled. Returns IOBATCH_MORE when it was
	 * filled, IOBATCH_DONE when the item has succeeded, or the attempt's error. Required.
	 */
	int (*next)(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
	            struct iobatch_chain *chain);
	/*
	 * Called as each op of an unordered chain succeeds. It may rewrite this op, or one that has
	 * completed before, and have it run again by iobatch_op_again(). Returns 0 or the attempt's
	 * error. Optional.
	 */
	int (*complete)(void *context, struct iobatch_item *item, struct iobatch_chain *chain,
	                struct iobatch_op *op);
	/*
	 * The chain that undoes what a failed attempt has left (a temporary file, say), asked for
	 * once for each failed attempt, after its files were closed. Its ops run without a
	 * deadline, each whatever becomes of the others, and their errors are ignored. For an
	 * attempt that was given up while an op was still running it is asked for when all its ops
	 * have answered, which may be after `settled`, or never. Returns IOBATCH_MORE or
	 * IOBATCH_DONE. Optional.
	 */
	int (*cleanup)(void *context, struct iobatch_item *item, struct iobatch_chain *chain);
	/*
	 * Called once for each item with its final outcome, while item->state is still what the
	 * last attempt left, before anyone else hears of it. A negative errno, or what
	 * iobatch_item_fail() returns, turns success into that failure, which is not retried.
	 * Calls of different rings may overlap. Of an item that
	 * is stuck the kernel may still write to state and buffers, and `cleanup` comes later: what
	 * that needs must not be freed here. Optional.
	 */
	int (*settled)(void *context, struct iobatch_item *item,
	               const struct iobatch_outcome *outcome);
	/*
	 * Called once at the end of the run, after the last item has settled: completes what is
	 * kept until then. Its error becomes that of iobatch_run(). Optional.
	 */
	int (*finish)(void *context);
	/* Frees the processor itself, for iobatch_processor_free(). Optional. */
	void (*free)(struct iobatch_processor *processor);
	/*
	 * Called before `finish` when the run has not come to its end: iobatch_run() will return
	 * `error`. What `finish` completes is a part only, and must not pass for the whole.
	 * Optional.
	 */
	void (*abandon)(void *context, int error);
	/*
	 * Called when a failed attempt has left nothing behind, its clean-up is over, and the item
	 * waits for another: what it holds of things that all items share is not kept from the
	 * others meanwhile. Optional.
	 */
	void (*wait)(void *context, struct iobatch_item *item);
};

#define IOBATCH_PROCESSOR_INIT                                                                   \
	{                                                                                        \
		.size = sizeof(struct iobatch_processor), .name = "unnamed", .chain_ops_max = 1, \
	}

/* Has a completed op of an unordered chain run again, as it now stands. From `complete` only. */
void iobatch_op_again(struct iobatch_chain *chain, struct iobatch_op *op);

/*
 * The collection. Either an array as qsort() takes it, or a stream: made by iobatch_items_array()
 * or iobatch_items_stream(). Arrays and contexts stay the caller's and must outlive the run.
 */
struct iobatch_items {
	void *base;     /* an array's first object; NULL for a stream */
	uint64_t count; /* objects; for a stream IOBATCH_UNKNOWN unless it is known beforehand */
	size_t stride;  /* bytes from one object to the next; for a stream the largest object */
	void *context;  /* handed to `next` */
	/*
	 * Fills `object` (`stride` bytes, aligned for any type) with the next object and returns
	 * the bytes used, 1 to `stride`; or 0 at the end, after which it is not called again; or a
	 * negative errno, which ends the intake: what is in flight finishes and the run returns
	 * that error. Should not block for long: the reaper that called it, and each that wants to,
	 * waits for it, and keeps deadlines only after that. A stream that has `listen` may instead
	 * return -EAGAIN: there is nothing now, and it will say when there is. What it has given
	 * for a batch until then is started at once, and what comes next is for that batch.
	 */
	ssize_t (*next)(void *context, void *object);
	/*
	 * Called once for each object that `next` has given, when its item has settled and nothing
	 * of it is in flight any more; not for items that are still running at the end of the run.
	 * `object` is as the engine holds it. From any reaper's thread, several at a time.
	 * Optional.
	 */
	void (*release)(void *context, void *object);
	/*
	 * Tells the stream, before `next` is called first, what to call when after -EAGAIN there is
	 * more, or the end: wake(waker), from any thread, as often as it likes. Called again with
	 * wake = NULL at the end of the run: wake is not to be called any more once that returns.
	 * A stream that was never told must block instead of returning -EAGAIN: the simulated
	 * executor, whose time is its own, does not listen. Optional.
	 */
	void (*listen)(void *context, void (*wake)(void *waker), void *waker);
};

#define IOBATCH_UNKNOWN UINT64_MAX

static inline struct iobatch_items iobatch_items_array(void *base, uint64_t count, size_t stride)
{
	struct iobatch_items items = {base, count, stride, NULL, NULL, NULL, NULL};
	return items;
}

static inline struct iobatch_items iobatch_items_stream(ssize_t (*next)(void *context,
                                                                        void *object),
                                                        void *context, size_t stride)
{
	struct iobatch_items items = {NULL, IOBATCH_UNKNOWN, stride, context, next, NULL, NULL};
	return items;
}

/* ------------------------------------------------------------ options -- */

enum iobatch_executor {
	IOBATCH_EXECUTOR_AUTO,      /* the ring where it works, else system calls, and says why */
	IOBATCH_EXECUTOR_RING,      /* io_uring */
	IOBATCH_EXECUTOR_SYSCALL,   /* system calls, made by a pool of threads */
	IOBATCH_EXECUTOR_SIMULATED, /* a virtual clock and scripted answers: see iobatch_simulation
	                             */
};

/* Static name ("ring"), NULL when there is none. */
const char *iobatch_executor_name(unsigned executor);

/*
 * How a ring keeps deadlines. The engine always has a list of them and cancels what is late. A
 * linked timeout beside an op is the kernel's own guard: it ends the op 5 ms after the deadline
 * even while callbacks keep the reaper busy, costs about half a microsecond for each op, and is
 * deaf while a kernel worker is inside the op.
 */
enum iobatch_guards {
	IOBATCH_GUARDS_AUTO, /* linked timeouts for what takes from or gives to a stream: reads and
	                        writes at the file's own position; the list for all else */
	IOBATCH_GUARDS_LINKED, /* linked timeouts for every op, and the list */
	IOBATCH_GUARDS_LIST,   /* the list alone */
};

/*
 * How far a run is. processed = successful + failed, and processed + pending = total, in every
 * call. For a stream of unknown length total is what has been taken so far, until total_is_final.
 */
struct iobatch_progress {
	uint64_t processed;
	uint64_t successful;
	uint64_t failed;
	uint64_t pending;
	uint64_t current_batch; /* highest batch started, from 1; 0 before the first */
	uint64_t total_batches;
	bool total_is_final;
	uint64_t bytes;      /* payload bytes of the successful items */
	uint64_t retries;    /* attempts after the first, so far */
	uint64_t elapsed_ns; /* since the run started, on the executor's clock */
	uint64_t stuck;      /* items given up whose ops are still running now */
	uint64_t skipped;    /* of the successful: items for which there was nothing to do */
};

/* How a simulated op takes being cancelled. */
enum iobatch_answer_cancel {
	IOBATCH_CANCEL_ENDS,    /* it ends at once: -ECANCELED, or -EINTR in a kernel worker */
	IOBATCH_CANCEL_IGNORED, /* it goes on and answers in its own time */
};

/* What a simulated op answers. */
struct iobatch_answer {
	int32_t result;      /* as a completion: bytes, 0, or a negative errno */
	uint64_t latency_ns; /* from the op's start; UINT64_MAX: never */
	uint32_t cancel;     /* enum iobatch_answer_cancel */
};

/* What a simulated kernel lacks, as older ones do. */
#define IOBATCH_WITHOUT_SUBMIT_ALL 1u    /* 5.17: a bad SQE ends a submission */
#define IOBATCH_WITHOUT_CQE_SKIP 2u      /* 5.17 */
#define IOBATCH_WITHOUT_ETIME_SUCCESS 4u /* 5.16: a timeout breaks its link */
#define IOBATCH_WITHOUT_DIRECT_FILES 8u  /* 5.19: no sparse file table */

/*
 * The simulated executor's script, all from a seed: the ring's own code on a kernel of its own,
 * which keeps the real one's rules. Nothing is touched: an open succeeds, a read fills the buffer
 * with zeroes, a statx says a regular file of `file_size` bytes. Times are virtual. Each ring has a
 * clock of its own and the seed plus its number.
 */
struct iobatch_simulation {
	uint64_t seed;
	uint64_t latency_min_ns; /* each op takes a time from this range, from the seed; */
	uint64_t latency_max_ns; /* both 0, the default: no time at all */
	uint64_t file_size;      /* size of every file; reads end there */
	/* Of 1000, from the seed; all 0 by default: */
	uint32_t error_permille;  /* ops that fail, with any errno */
	uint32_t short_permille;  /* reads and writes that move less */
	uint32_t late_permille;   /* ops that ignore their cancellation and answer late */
	uint32_t lost_permille;   /* ops that ignore it and never answer */
	uint32_t submit_permille; /* submissions that fail (EAGAIN, EBUSY, EINTR) or are cut short
	                             at any place */
	uint32_t without;         /* IOBATCH_WITHOUT_* */
	/* Last word on each op's answer, from the thread of the ring. Optional. */
	void (*script)(void *context, const struct iobatch_op *op, struct iobatch_answer *answer);
	void *context;
};

/* Which errors another attempt is made for, as far as `retries` goes. */
enum iobatch_retry_on {
	IOBATCH_RETRY_ANY,
	/* EINTR, EAGAIN, EBUSY, ENOMEM, ETIMEDOUT, ETIME, ESTALE, EIO, and errors of a processor's
	   own, which it would not raise if another attempt were of no use */
	IOBATCH_RETRY_TRANSIENT,
	IOBATCH_RETRY_LISTED, /* those of retry_errnos; none of a processor's own */
};

enum iobatch_backoff {
	IOBATCH_BACKOFF_FIXED,       /* backoff_ms before each further attempt */
	IOBATCH_BACKOFF_EXPONENTIAL, /* backoff_ms before the second, and each time by
	                                backoff_factor_percent of the one before */
	IOBATCH_BACKOFF_NONE,        /* at once, whatever backoff_ms is */
};

/* How a run ends that is halted. */
enum iobatch_halt {
	IOBATCH_HALT_NOW,  /* what is in flight is cancelled */
	IOBATCH_HALT_SOON, /* what has been taken goes on to its outcome, but what fails is not
	                      tried again; nothing more is taken */
};

/* What to do about a file system that takes no more: ENOSPC, EDQUOT, EROFS. Such an item is not
 * tried again, whatever retry_on says, unless retry_errnos lists the error. */
enum iobatch_on_full {
	IOBATCH_FULL_FAIL,  /* the item has failed, the others go on */
	IOBATCH_FULL_HALT,  /* and the run is halted, as `halt` says */
	IOBATCH_FULL_PAUSE, /* the run is paused, and the item is tried again after it was resumed;
	                       without a control, who could resume it, as IOBATCH_FULL_HALT */
};

/*
 * Controls of a run that goes on, from any thread (callbacks included) and, where it says so, from
 * a signal handler, which finds errno as it was. One control is for one run at a time (-EBUSY);
 * what is asked before the run begins holds from its beginning, and what was asked stays in force
 * for the runs after it: a control that was drained or cancelled ends each of them at once.
 */
struct iobatch_control;

int iobatch_control_new(struct iobatch_control **ret_control);
/* NULL is none. Not while a run has it. */
void iobatch_control_free(struct iobatch_control *control);

/*
 * No item and no further attempt starts. What is in flight goes on to its end. The delays and
 * backoffs of what has not started stand still; deadlines of attempts in flight do not.
 * Signal-safe.
 */
void iobatch_control_pause(struct iobatch_control *control);
void iobatch_control_resume(struct iobatch_control *control);
/*
 * Ends the run early: what has started goes on to its outcome, what was taken and has not started
 * ends as cancelled (ECANCELED, 0 attempts), and nothing more is taken. No further attempts are
 * made: what waits for one fails with its last error. Also of a paused run. A run of which nothing
 * was left is complete all the same. Signal-safe.
 */
void iobatch_control_drain(struct iobatch_control *control);
/* The same, and what is in flight is cancelled. Signal-safe. */
void iobatch_control_cancel(struct iobatch_control *control);

enum iobatch_limit {
	IOBATCH_LIMIT_MAX_CONCURRENT, /* 1 to what the run began with (or max_concurrent_max) */
	IOBATCH_LIMIT_DELAY_MS,
	IOBATCH_LIMIT_ITEMS_PER_S, /* 0 = none */
};

/*
 * Changes a limit; it holds for what starts from then on: batches beyond a lower max_concurrent go
 * on to their end, and a delay that has begun lasts as long as it was to. -EINVAL out of range
 * (items_per_s: up to 10^9). Signal-safe.
 */
int iobatch_control_set(struct iobatch_control *control, enum iobatch_limit limit, uint64_t value);

enum iobatch_state {
	IOBATCH_STATE_WAITING, /* no run has it: progress is that of the last one */
	IOBATCH_STATE_RUNNING,
	IOBATCH_STATE_PAUSED,
	IOBATCH_STATE_ENDING,
};

/* How far the run is, and in which state. From any thread, not from signal handlers. */
enum iobatch_state iobatch_control_progress(struct iobatch_control *control,
                                            struct iobatch_progress *ret_progress);

enum iobatch_journal_sync {
	IOBATCH_JOURNAL_NONE,  /* the kernel writes it when it likes */
	IOBATCH_JOURNAL_BATCH, /* made durable every few milliseconds, or, where that takes long,
	                          for a tenth of the time, once a second at least: what has
	                          settled last before a power cut may be missing */
	IOBATCH_JOURNAL_ITEM,  /* an item's record is durable before anyone hears of its outcome */
};

/*
 * A journal: a file that the run appends a record to for each item that has settled, with its own
 * executor, in groups. Its text is the caller's. When it cannot be written the run drains and
 * iobatch_run() returns the error; what settles meanwhile is in the result and not in the journal.
 * A record is in the file 5 ms after its outcome unless that is busy. The file never has a hole:
 * whatever fails or dies, it holds a beginning of the text, of which the last line may be cut. In
 * a run with timeout_ms an op of the journal may take that long, 10 s at least; without, it is
 * waited for.
 */
struct iobatch_journal {
	size_t size;
	int fd;              /* the caller's, open for writing */
	uint64_t offset;     /* where the first record goes */
	uint32_t sync;       /* enum iobatch_journal_sync; default batch */
	uint32_t record_max; /* bytes of the longest record, up to 1 MiB */
	void *context;
	/*
	 * Writes the record of an outcome into `buffer` (record_max bytes) and returns its length;
	 * 0 = none. From the thread that will call on_settled, before anyone hears of the outcome;
	 * all records of a run are made one at a time (this and `intent` are never called at the
	 * same time), and stand in the file in the order of these calls, each once, one behind the
	 * other from `offset` on. Not called any more when the journal cannot be written. Required.
	 */
	size_t (*outcome)(void *context, const struct iobatch_outcome *outcome, char *buffer);
	/*
	 * The same before an item's op that removes or replaces something (unlink, rename,
	 * truncation, a punched hole): it is handed over when this record is durable, unless `sync`
	 * is none: then when it is written. What is destroyed by a processor's cleanup is not asked
	 * for. From the item's thread. When the journal cannot be written an op for which there
	 * would be a record fails its item with that error, and one for which this returns 0 is
	 * handed over all the same. NULL = no such records.
	 */
	size_t (*intent)(void *context, const struct iobatch_item *item,
	                 const struct iobatch_op *op, char *buffer);
};

#define IOBATCH_JOURNAL_INIT                                                                     \
	{                                                                                        \
		.size = sizeof(struct iobatch_journal), .fd = -1, .sync = IOBATCH_JOURNAL_BATCH, \
		.record_max = 65536,                                                             \
	}

enum iobatch_log_level {
	IOBATCH_LOG_ERROR,
	IOBATCH_LOG_WARNING,
	IOBATCH_LOG_INFO,
};

/* Lists to collect in the result; counts are always exact. */
#define IOBATCH_COLLECT_FAILED 1u
#define IOBATCH_COLLECT_SUCCESSFUL 2u

/*
 * Options of a run. Start from IOBATCH_OPTIONS_INIT, which records the caller's own size; a newer
 * library fills what the caller does not know with defaults, an older one refuses members that it
 * does not know and that are not zero.
 */
struct iobatch_options {
	size_t size;
	uint32_t batch_size;     /* items of a batch, 1 to 2^20; default 64 */
	uint32_t max_concurrent; /* batches in flight in the whole run, 1 to 65536; default 8 */
	uint64_t delay_ms;       /* pause between consecutive items of a window; default 0 */
	uint64_t timeout_ms;     /* deadline of one attempt; default 0 = none */
	uint32_t guards;         /* enum iobatch_guards; default auto */
	/*
	 * Items that may be given up and still be running: the run is halted when one more has not
	 * answered for stuck_grace_ms after its deadline. Each keeps its buffers besides
	 * memory_limit. 0 to 65536; default 64.
	 */
	uint32_t max_stuck;
	uint64_t stuck_grace_ms; /* how long the end waits for such items; default 1000 */
	uint32_t retries;        /* attempts after the first; default 0 */
	uint64_t backoff_ms;     /* pause before the first retry; default 0 */
	uint64_t memory_limit;   /* bytes of buffers in flight; default 64 MiB */
	uint32_t rings; /* reaper threads with a ring each, 1 to 64; 0 = one per CPU; default 1 */
	uint32_t executor; /* enum iobatch_executor; default auto */
	uint32_t threads;  /* of each reaper's pool that makes system calls, 1 to 1024; 0, the
	                      default: one per CPU */
	/*
	 * Ops on paths in flight on one file system, in one ring: what is hung there cannot take
	 * the kernel's workers from other file systems. 1 to 65536; default 128.
	 */
	uint32_t path_ops_max;
	uint32_t collect;          /* IOBATCH_COLLECT_*; default the failed items */
	uint32_t register_buffers; /* 1: register the buffers with the ring (pinned memory); default
	                              0 */
	uint64_t progress_interval_ms; /* time between calls of on_progress; 0, the default: as
	                                  every item settles */

	void *context; /* handed to the three callbacks below */
	/*
	 * Called as items settle, and once at the end of the run with the final state. Must not
	 * block for long: a reaper waits for it.
	 */
	void (*on_progress)(void *context, const struct iobatch_progress *progress);
	/* Called with each item's one outcome; `outcome` and its object live for the call only. */
	void (*on_settled)(void *context, const struct iobatch_outcome *outcome);
	/* Called with messages of the run, one line without a newline. */
	void (*on_log)(void *context, enum iobatch_log_level level, const char *message);

	const struct iobatch_simulation *simulation; /* NULL = all zeroes */

	uint32_t retry_on;               /* enum iobatch_retry_on; default any */
	const int *retry_errnos;         /* positive, ended by 0 */
	uint32_t backoff;                /* enum iobatch_backoff; default fixed */
	uint32_t backoff_factor_percent; /* 100 to 10000; default 200 */
	uint64_t backoff_max_ms;         /* the longest pause when they grow; default 60,000 */
	uint32_t backoff_jitter_percent; /* up to so much of each pause is left out, at random: 0 to
	                                    100; default 0 */
	/* Of that: what is left out depends on seed, item and attempt alone. Default 0: another one
	   each time. */
	uint64_t seed;
	/*
	 * Further attempts of the whole run are at most this part of the items taken so far, or 10
	 * where that is more; an item that fails when they are used up is not tried again. 0, the
	 * default: as many as `retries` allow.
	 *
	 * What finds no descriptor free (EMFILE, ENFILE) costs no attempt: it starts over when
	 * another item has ended, at the latest after 10 ms, which double up to 1 s. It fails with
	 * that error when it goes on for 5 s while nothing else is in flight; others then do so
	 * at once, until one is found after all.
	 */
	uint32_t retry_budget_percent;
	uint64_t halt_after_failures; /* items that may fail before the run is halted; 0, the
	                                 default: any number. 1: the first halts it */
	uint32_t halt_after_percent;  /* the run is halted when more of the settled items have
	                                 failed;  0, the default: never */
	uint32_t halt_min_items;      /* settled before halt_after_percent counts; default 100 */
	uint32_t halt;                /* enum iobatch_halt; default now */
	uint32_t on_full;             /* enum iobatch_on_full; default fail */
	/*
	 * What IOBATCH_LIMIT_MAX_CONCURRENT may be raised to; 0, the default: max_concurrent.
	 */
	uint32_t max_concurrent_max;
	uint64_t items_per_s; /* items that may start in a second; 0, the default: any number */
	struct iobatch_control *control;       /* NULL = none */
	const struct iobatch_journal *journal; /* NULL = none */
};

#define IOBATCH_OPTIONS_INIT                                                                    \
	{                                                                                       \
		.size = sizeof(struct iobatch_options), .batch_size = 64, .max_concurrent = 8,  \
		.max_stuck = 64, .stuck_grace_ms = 1000, .memory_limit = 64u << 20, .rings = 1, \
		.path_ops_max = 128, .collect = IOBATCH_COLLECT_FAILED,                         \
		.backoff_factor_percent = 200, .backoff_max_ms = 60000, .halt_min_items = 100,  \
	}

/*
 * How long after its deadline an item settled, over the items that timed out in their last attempt.
 * Percentiles are right to one part in 32.
 */
struct iobatch_lateness {
	uint64_t count;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
};

/* Failed items of one kind. */
struct iobatch_error_group {
	int error;              /* as in an outcome */
	int opcode;             /* as in an outcome */
	const char *error_name; /* as in an outcome */
	const char *message;
	uint64_t count;
	/* The lowest indices, as far as count goes: they need not be in failed_items. */
	uint64_t first[3];
};

/* How a run ended. */
enum iobatch_end {
	IOBATCH_END_COMPLETE,  /* nothing was left to be taken */
	IOBATCH_END_STUCK,     /* halted: more than max_stuck items */
	IOBATCH_END_HALTED,    /* by halt_after_failures, halt_after_percent or on_full */
	IOBATCH_END_DRAINED,   /* by its control */
	IOBATCH_END_CANCELLED, /* by its control */
	IOBATCH_END_ERROR,     /* see what iobatch_run() returned */
};

/*
 * What a run came to. Start from IOBATCH_RESULT_INIT and give it to iobatch_result_deinit() after
 * use, whatever iobatch_run() returned. The lists are in item order; their objects point into the
 * caller's array or, for a stream, to copies that the result owns.
 */
struct iobatch_result {
	size_t size;
	uint64_t total_processed; /* = successful + failed */
	uint64_t successful;
	uint64_t failed;
	uint64_t total_batches;
	double processing_time_ms; /* on the executor's clock */
	uint64_t bytes;            /* payload bytes of the successful items */
	uint64_t retries;          /* attempts after the first */
	uint64_t peak_batches;     /* most batches that were in flight at once */
	uint64_t ops;              /* completions of ops, but for those of the journal */
	uint32_t rings;            /* rings (or reapers without one) that ran */
	uint32_t executor;         /* enum iobatch_executor: what carried the ops out */
	uint64_t stuck;            /* items that were given up while an op of them was running */
	uint64_t still_running;    /* those of them whose ops have not answered to the end */
	uint64_t skipped;          /* of the successful: items for which there was nothing to do */
	struct iobatch_lateness lateness;
	bool owns_objects;     /* of the library: the objects in the lists are copies */
	bool lists_incomplete; /* memory for a list ran out; the counts are exact all the same */
	struct iobatch_outcome *successful_items;
	uint64_t successful_items_count;
	struct iobatch_outcome *failed_items;
	uint64_t failed_items_count;
	char message[512]; /* why iobatch_run() failed and what to do; else "" */
	uint32_t end;      /* enum iobatch_end */
	/* Failed items by op and error, the most frequent first; at most 64 kinds, the last is then
	   "of other kinds" (error 0, op -1, named EOTHERS). NULL without memory for them:
	   lists_incomplete. */
	struct iobatch_error_group *errors;
	uint64_t errors_count;
};

#define IOBATCH_RESULT_INIT                           \
	{                                             \
		.size = sizeof(struct iobatch_result) \
	}

/*
 * Runs the processor over the items and fills `result`. Blocks until every item that was taken has
 * its outcome and nothing is in flight, but for what is stuck: result->still_running items, which
 * the run has given up. The memory that the kernel may yet write to, the ring, the threads and what
 * descriptors these items have open are then left behind for the rest of the process's life, and
 * the caller's thread cannot end before the kernel lets go of them.
 *
 * Returns 0 when the run went to its end: whether items failed is in the result. -EINVAL: an
 * argument is out of range. -ENOMEM: no memory for slots, buffers or the ring. -EPERM, -ENOSYS:
 * io_uring is forbidden or missing, and the executor is the ring by name. These leave everything
 * untouched and explain themselves in result->message. -ETIMEDOUT: more than max_stuck items did
 * not answer and the run was halted: what was in flight or waiting ended as cancelled (ECANCELED),
 * and the rest of the collection was not taken. -ECANCELED: the run was halted by its options, or
 * drained or cancelled by its control: see result->end. Any other error is that of items.next, of
 * the processor's finish, of the journal, or of a ring that broke in mid-run; the result then tells
 * what was done.
 */
int iobatch_run(const struct iobatch_items *items, const struct iobatch_processor *processor,
                const struct iobatch_options *options, struct iobatch_result *result);

/* Frees what the result owns and makes it empty again. */
void iobatch_result_deinit(struct iobatch_result *result);

/* -------------------------------------------------------- constructors -- */

/* Does nothing. */
static inline struct iobatch_op iobatch_op_nop(void)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_NOP};
	return op;
}

/* Opens `path` below `dirfd` as `file` of the item. O_CLOEXEC is implied. */
static inline struct iobatch_op iobatch_op_openat(int file, int dirfd, const char *path,
                                                  uint32_t open_flags, uint32_t mode)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_OPENAT,
	                        .file = file,
	                        .dirfd = dirfd,
	                        .op_flags = open_flags,
	                        .mode = mode,
	                        .path = path};
	return op;
}

/* The same with RESOLVE_* of openat2(2). */
static inline struct iobatch_op iobatch_op_openat2(int file, int dirfd, const char *path,
                                                   uint32_t open_flags, uint32_t mode,
                                                   uint64_t resolve)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_OPENAT2,
	                        .file = file,
	                        .dirfd = dirfd,
	                        .op_flags = open_flags,
	                        .mode = mode,
	                        .path = path,
	                        .resolve = resolve};
	return op;
}

/* Closes a file of the item. */
static inline struct iobatch_op iobatch_op_close(int file)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_CLOSE, .file = file};
	return op;
}

/* Reads up to `length` bytes; the result is short only at the end of the file. */
static inline struct iobatch_op iobatch_op_read(int file, void *buffer, uint64_t length,
                                                uint64_t offset)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_READ,
	                        .file = file,
	                        .buffer = buffer,
	                        .offset = offset,
	                        .length = length};
	return op;
}

/* Writes `length` bytes. */
static inline struct iobatch_op iobatch_op_write(int file, const void *buffer, uint64_t length,
                                                 uint64_t offset)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_WRITE,
	                        .file = file,
	                        .buffer = (void *)buffer,
	                        .offset = offset,
	                        .length = length};
	return op;
}

/* Makes data and metadata durable. Never believe a second fsync after one that failed. */
static inline struct iobatch_op iobatch_op_fsync(int file)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FSYNC, .file = file};
	return op;
}

/* Makes the data durable, and the metadata that is needed to read it. */
static inline struct iobatch_op iobatch_op_fdatasync(int file)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FDATASYNC, .file = file};
	return op;
}

/* Allocates or punches as fallocate(2); `mode` is FALLOC_FL_*. */
static inline struct iobatch_op iobatch_op_fallocate(int file, uint32_t mode, uint64_t offset,
                                                     uint64_t length)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FALLOCATE,
	                        .file = file,
	                        .mode = mode,
	                        .offset = offset,
	                        .length = length};
	return op;
}

/* Advises as posix_fadvise(3); `advice` is POSIX_FADV_*; length 0 = to the end. */
static inline struct iobatch_op iobatch_op_fadvise(int file, uint64_t offset, uint64_t length,
                                                   uint32_t advice)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FADVISE,
	                        .file = file,
	                        .mode = advice,
	                        .offset = offset,
	                        .length = length};
	return op;
}

/* Fills `*statx`; `flags` is AT_*, `mask` is STATX_*. */
static inline struct iobatch_op iobatch_op_statx(int dirfd, const char *path, uint32_t flags,
                                                 uint32_t mask, struct statx *statx)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_STATX,
	                        .dirfd = dirfd,
	                        .op_flags = flags,
	                        .mode = mask,
	                        .path = path,
	                        .buffer = statx};
	return op;
}

/* Renames `path` to `path2`; `flags` is RENAME_*. */
static inline struct iobatch_op iobatch_op_renameat(int dirfd, const char *path, int dirfd2,
                                                    const char *path2, uint32_t flags)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_RENAMEAT,
	                        .dirfd = dirfd,
	                        .dirfd2 = dirfd2,
	                        .op_flags = flags,
	                        .path = path,
	                        .path2 = path2};
	return op;
}

/* Removes a name; `flags` is 0 or AT_REMOVEDIR. */
static inline struct iobatch_op iobatch_op_unlinkat(int dirfd, const char *path, uint32_t flags)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_UNLINKAT, .dirfd = dirfd, .op_flags = flags, .path = path};
	return op;
}

/* Makes a directory. */
static inline struct iobatch_op iobatch_op_mkdirat(int dirfd, const char *path, uint32_t mode)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_MKDIRAT, .dirfd = dirfd, .mode = mode, .path = path};
	return op;
}

/* Makes the symbolic link `path2` (below dirfd2) with the content `target`. */
static inline struct iobatch_op iobatch_op_symlinkat(const char *target, int dirfd2,
                                                     const char *path2)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_SYMLINKAT, .dirfd2 = dirfd2, .path = target, .path2 = path2};
	return op;
}

/* Makes the hard link `path2` to `path`; `flags` is AT_SYMLINK_FOLLOW or 0. */
static inline struct iobatch_op iobatch_op_linkat(int dirfd, const char *path, int dirfd2,
                                                  const char *path2, uint32_t flags)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_LINKAT,
	                        .dirfd = dirfd,
	                        .dirfd2 = dirfd2,
	                        .op_flags = flags,
	                        .path = path,
	                        .path2 = path2};
	return op;
}

/* Waits for `duration_ns`; success when the time has passed. */
static inline struct iobatch_op iobatch_op_timeout(uint64_t duration_ns)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_TIMEOUT, .length = duration_ns};
	return op;
}

/* Reads a symbolic link's content into `buffer`, without a NUL; the result is its length. */
static inline struct iobatch_op iobatch_op_readlinkat(int dirfd, const char *path, char *buffer,
                                                      uint64_t length)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_READLINKAT,
	                        .dirfd = dirfd,
	                        .path = path,
	                        .buffer = buffer,
	                        .length = length};
	return op;
}

/* Sets permission bits; `flags` is AT_SYMLINK_NOFOLLOW (a link is then EOPNOTSUPP) or 0. */
static inline struct iobatch_op iobatch_op_fchmodat(int dirfd, const char *path, uint32_t mode,
                                                    uint32_t flags)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FCHMODAT,
	                        .dirfd = dirfd,
	                        .op_flags = flags,
	                        .mode = mode,
	                        .path = path};
	return op;
}

/* Sets access and modification time from `times[2]`; `flags` is AT_SYMLINK_NOFOLLOW or 0. */
static inline struct iobatch_op iobatch_op_utimensat(int dirfd, const char *path,
                                                     const struct timespec *times, uint32_t flags)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_UTIMENSAT,
	                        .dirfd = dirfd,
	                        .op_flags = flags,
	                        .path = path,
	                        .buffer = (void *)times};
	return op;
}

/* Makes the file `length` bytes long. */
static inline struct iobatch_op iobatch_op_ftruncate(int file, uint64_t length)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FTRUNCATE, .file = file, .length = length};
	return op;
}

/* Sets the permissions of an open file. */
static inline struct iobatch_op iobatch_op_fchmod(int file, uint32_t mode)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FCHMOD, .file = file, .mode = mode};
	return op;
}

/* Sets the owner of an open file; UINT32_MAX leaves the user or the group as it is. */
static inline struct iobatch_op iobatch_op_fchown(int file, uint32_t user, uint32_t group)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_FCHOWN, .file = file, .op_flags = user, .mode = group};
	return op;
}

/* Sets access and modification time of an open file from `times[2]`. */
static inline struct iobatch_op iobatch_op_futimens(int file, const struct timespec *times)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_FUTIMENS, .file = file, .buffer = (void *)times};
	return op;
}

/*
 * Copies up to `length` bytes from `file` to `file2` within the kernel; the result is short only at
 * the end of `file`.
 */
static inline struct iobatch_op iobatch_op_copy_file_range(int file, uint64_t offset, int file2,
                                                           uint64_t offset2, uint64_t length)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_COPY_FILE_RANGE,
	                        .file = file,
	                        .file2 = file2,
	                        .offset = offset,
	                        .offset2 = offset2,
	                        .length = length};
	return op;
}

/* Has `file2` share all data of `file` (FICLONE): on file systems that can, such as XFS and btrfs.
 */
static inline struct iobatch_op iobatch_op_ficlone(int file, int file2)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FICLONE, .file = file, .file2 = file2};
	return op;
}

/*
 * Fills `*statx` for a file of the item, whose processor must have process_files; `mask` is
 * STATX_*.
 */
static inline struct iobatch_op iobatch_op_fstatx(int file, uint32_t mask, struct statx *statx)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_FSTATX, .file = file, .mode = mask, .buffer = statx};
	return op;
}

/*
 * Sets the owner of a name; UINT32_MAX leaves the user or the group as it is. Of a symbolic link
 * itself, unless the op's `length` is AT_SYMLINK_FOLLOW.
 */
static inline struct iobatch_op iobatch_op_fchownat(int dirfd, const char *path, uint32_t user,
                                                    uint32_t group)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_FCHOWNAT,
	                        .dirfd = dirfd,
	                        .op_flags = user,
	                        .mode = group,
	                        .path = path};
	return op;
}

/* Makes a FIFO, a socket or a device node: `type` is S_IFIFO, S_IFSOCK, S_IFCHR or S_IFBLK. */
static inline struct iobatch_op iobatch_op_mknodat(int dirfd, const char *path, uint32_t type,
                                                   uint32_t mode, uint64_t device)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_MKNODAT,
	                        .dirfd = dirfd,
	                        .op_flags = type,
	                        .mode = mode,
	                        .path = path,
	                        .length = device};
	return op;
}

/*
 * Finds the next range of a file that holds data, at or behind `offset`: where it begins and ends,
 * in `range[2]`. -ENXIO: there is none. On file systems that know no holes all is data.
 */
static inline struct iobatch_op iobatch_op_find_data(int file, uint64_t offset, uint64_t *range)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_FIND_DATA, .file = file, .buffer = range, .offset = offset};
	return op;
}

/* Bits of the classes of extended attributes, by the first part of their names. */
#define IOBATCH_XATTR_USER 1u
#define IOBATCH_XATTR_ACL 2u /* system.posix_acl_access and _default */
#define IOBATCH_XATTR_SECURITY 4u
#define IOBATCH_XATTR_TRUSTED 8u

/* Gives `file2` those extended attributes of `file` that are of the `classes`. */
static inline struct iobatch_op iobatch_op_copy_xattrs(int file, int file2, uint32_t classes)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_COPY_XATTRS,
	                        .file = file,
	                        .file2 = file2,
	                        .op_flags = classes};
	return op;
}

/*
 * Tells how much of a range of a file is in the page cache: `pages[0]` of `pages[1]` pages are.
 * -EOPNOTSUPP where the kernel does not tell. Length 0 = to the end.
 */
static inline struct iobatch_op iobatch_op_cached(int file, uint64_t offset, uint64_t length,
                                                  uint64_t *pages)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_CACHED,
	                        .file = file,
	                        .buffer = pages,
	                        .offset = offset,
	                        .length = length};
	return op;
}

/*
 * Appends an op to a chain and returns its place. The chain must have room: a processor knows its
 * chain_ops_max. NULL when it has not.
 */
static inline struct iobatch_op *iobatch_chain_add(struct iobatch_chain *chain,
                                                   struct iobatch_op op)
{
	if (chain->count == chain->capacity)
		return NULL;
	chain->ops[chain->count] = op;
	return &chain->ops[chain->count++];
}

/* ---------------------------------------------------- file sources -- */

/*
 * The longest path of a struct iobatch_file, with its NUL. It is longer than what a system call
 * takes (PATH_MAX), because what is done with a file of a walk starts from its directory.
 */
#define IOBATCH_PATH_MAX 32768

/* The most that may stand behind a path. */
#define IOBATCH_EXTRA_MAX 256

/* A directory that a source holds open; see struct iobatch_file. */
struct iobatch_directory;

/*
 * The object of the built-in sources: a file, or a range of one. Only the bytes up to the end of
 * what stands behind `path` are used (iobatch_file_size()): its NUL, what the source says of the
 * file besides (`extra_length` bytes), and what an earlier run has found out about it
 * (`known_length` bytes: a note, see iobatch_file_know()).
 *
 * Ops on the file take `dirfd` and path + name. Of a walk, and of a list with a root, `dirfd` is
 * the directory that the name is in, which the source holds open until it has the object back
 * (items.release), and path + name is one component: whatever becomes of the path above, such an op
 * acts in that directory or not at all, if it follows no symbolic link. Otherwise, and for the root
 * of a walk that is a symbolic link and followed, `dirfd` is AT_FDCWD and path + name the whole
 * path. To show the file to people, take `path`.
 *
 * A root without a name, such as ".", is in itself: its name is "." (or "/"). Of a list with a root
 * a file in a directory that does not exist has an empty name, which no op finds (ENOENT).
 */
struct iobatch_file {
	uint64_t offset;                     /* first byte of a range */
	uint64_t length;                     /* bytes of a range; 0 = the whole file */
	uint64_t device;                     /* st_dev of `dirfd`; 0 = not looked at */
	struct iobatch_directory *directory; /* of the source; NULL = AT_FDCWD */
	int32_t fd; /* descriptor that the source owns, or -1: open the name */
	int32_t dirfd;
	uint8_t type;          /* DT_* of <dirent.h>; DT_UNKNOWN when the source has not looked */
	uint8_t flags;         /* IOBATCH_FILE_* */
	uint16_t extra_length; /* bytes behind the NUL of `path`, see the source that has any */
	uint32_t root;         /* which of the source's roots, from 0 */
	uint32_t relative;     /* where in `path` the part below the source's root begins */
	uint32_t name;         /* where in `path` the part begins that starts from `dirfd` */
	uint32_t path_length;  /* without the NUL */
	uint16_t known_length; /* bytes behind those of extra_length; 0 = nothing is known */
	uint64_t left_out; /* files before it that iobatch_source_filter() has left out */
	char path[IOBATCH_PATH_MAX + IOBATCH_EXTRA_MAX + IOBATCH_NOTE_MAX];
};

/* A directory whose contents, if they are items at all, have all settled. */
#define IOBATCH_FILE_LAST 1u

/* Bytes of `file` that are used. */
static inline size_t iobatch_file_size(const struct iobatch_file *file)
{
	return offsetof(struct iobatch_file, path) + file->path_length + 1 + file->extra_length +
	       file->known_length;
}

/*
 * Puts a note of an earlier run behind a file, for a processor that need not find that out again
 * (see iobatch_hash_options), and nothing where there was one. That it is still true of the file is
 * for the caller to see. -EINVAL when it is longer than IOBATCH_NOTE_MAX.
 */
int iobatch_file_know(struct iobatch_file *file, const char *note, size_t length);

/* An open source of struct iobatch_file. */
struct iobatch_source;

/* Bits of iobatch_walk_options.types. */
#define IOBATCH_TYPE_FILE 1u
#define IOBATCH_TYPE_DIRECTORY 2u
#define IOBATCH_TYPE_SYMLINK 4u
#define IOBATCH_TYPE_OTHER 8u /* FIFOs, sockets, devices */

/* In which order a walk gives the entries of a directory. */
enum iobatch_walk_order {
	IOBATCH_WALK_BY_NAME,  /* in the byte order of their names */
	IOBATCH_WALK_AS_FOUND, /* as the file system has them */
	IOBATCH_WALK_BY_INODE, /* for disks that seek; most file systems place inodes in this order
	                        */
	IOBATCH_WALK_BY_SIZE, /* the largest file first, directories behind the files; asks for each
	                         file's size */
};

/* When a walk gives a directory. */
enum iobatch_walk_directories {
	IOBATCH_DIRECTORIES_FIRST, /* before what is in it */
	/*
	 * When all that is in it has settled (and was released): to remove it, or to set its times.
	 * Of the entries of a directory, the walk goes through those that are no directories first.
	 */
	IOBATCH_DIRECTORIES_LAST,
};

/* Which part of the path of a root belongs to the relative part of its files. */
enum iobatch_root_name {
	IOBATCH_ROOT_NAME_AUTO, /* of a directory nothing, of a file its name */
	IOBATCH_ROOT_NAME_KEEP, /* its last component; of "/", ".", "..", and of a root with a slash
	                           at its end, nothing */
	IOBATCH_ROOT_NAME_DROP, /* nothing: the relative part of the root itself is empty */
};

/*
 * Directory trees. The walk reads directories in a thread of its own, ahead of the items that are
 * taken, by a bounded number: memory does not grow with the tree. Of a directory with more than
 * 65,536 entries that many at a time are put in order. Symbolic links are not followed, except that
 * a root may be one. `include` picks among what is not a directory; every directory that is not
 * excluded is entered. Where there are several filters an item passes them all. A root that is a
 * file is an item, if it passes the filters; a root that is a directory is one when directories are
 * asked for. A directory that cannot be read, or only in part, is counted
 * (iobatch_source_errors()); it and all directories above it are not given with IOBATCH_FILE_LAST.
 *
 * Directories take up to half of the descriptors that the process may have, up to 4096; the walk
 * waits for items to come back (items.release) when there are no more. Who takes items without
 * iobatch_run() has to give each of them back. All roots are looked for when the walk is opened;
 * one that has vanished when the walk comes to it is left out and counted.
 */
struct iobatch_walk_options {
	size_t size;
	const char *root; /* this or `roots` is required, and not both */
	uint32_t types;   /* IOBATCH_TYPE_*; default files */
	const char *const
		*include; /* NULL-terminated fnmatch(3) patterns of names: any; NULL = all */
	const char *const
		*exclude;         /* a name that matches is left out, a directory with all in it */
	uint64_t min_size;        /* of regular files, bytes; default 0 */
	uint64_t max_size;        /* default UINT64_MAX */
	const char *const *roots; /* NULL-terminated: several trees, one after the other */
	/*
	 * The same as include and exclude, with patterns of the whole path below the root, in which
	 * * and ? match no slash, and a component ** any number of components; at the end of a
	 * pattern at least one. Of a root that is a file: of its name.
	 */
	const char *const *include_paths;
	const char *const *exclude_paths;
	uint64_t min_age_ms; /* since the modification of what is no directory, as the walk begins;
	                      */
	uint64_t max_age_ms; /* default 0 and UINT64_MAX */
	uint32_t min_depth;  /* of items; a root has 0; default 0 */
	uint32_t max_depth;  /* directories there are not entered; default UINT32_MAX */
	uint32_t
		one_file_system; /* 1: directories that are on other file systems, or where anything
	                            is mounted, are not entered, nor are they items; default 0 */
	uint32_t no_follow;      /* 1: a root that is a symbolic link is an item itself, and with a
	                            slash behind it an error (-ENOTDIR); default 0 */
	uint32_t root_name;      /* enum iobatch_root_name */
	uint32_t order;          /* enum iobatch_walk_order */
	uint32_t directories;    /* enum iobatch_walk_directories */
};

#define IOBATCH_WALK_OPTIONS_INIT                                                          \
	{                                                                                  \
		.size = sizeof(struct iobatch_walk_options), .types = IOBATCH_TYPE_FILE,   \
		.max_size = UINT64_MAX, .max_age_ms = UINT64_MAX, .max_depth = UINT32_MAX, \
	}

/*
 * Names from a descriptor, which stays the caller's. Names that are empty are skipped, and one that
 * does not fit IOBATCH_PATH_MAX ends the intake with -ENAMETOOLONG.
 *
 * With a root, all names are of files below it: relative to it, or absolute and beginning with it.
 * One that is not, or that has a ".." component, ends the intake with -EXDEV, and
 * iobatch_source_errors() tells which; when the descriptor is a regular file all of it is looked at
 * before the first item. No symbolic link is followed below the root: a name with one on its way,
 * or in a directory that cannot be gone into, is counted (iobatch_source_errors()) and left out,
 * and so is a line that lacks the column.
 *
 * The descriptor is read ahead of the items that are taken, in a thread of the source's own.
 */
struct iobatch_list_options {
	size_t size;
	int fd;          /* required */
	char separator;  /* default newline */
	char delimiter;  /* of columns, another byte than the separator; default tab */
	uint32_t column; /* the name is this column of a line, from 1; 0, the default: the line */
	const char
		*root; /* NULL, the default: names are as for open(2), from the current directory */
};

#define IOBATCH_LIST_OPTIONS_INIT                                                         \
	{                                                                                 \
		.size = sizeof(struct iobatch_list_options), .fd = -1, .separator = '\n', \
		.delimiter = '\t',                                                        \
	}

/*
 * The lines of a manifest as sha256sum, b2sum, xxhsum and this library write them, plain or with
 * --tag. Behind the path of an item stand its algorithm (a byte, enum iobatch_hash_algorithm) and
 * the digest that is expected, as bytes. Empty lines and those that begin with # are passed over. A
 * line that is none of a manifest is left out and counted: iobatch_source_errors() says EBADMSG and
 * "line N" for the first. A manifest without a single proper line ends the intake with -EBADMSG.
 */
struct iobatch_manifest_options {
	size_t size;
	int fd; /* required; stays the caller's */
	/*
	 * enum iobatch_hash_algorithm of lines that do not say; IOBATCH_HASH_COUNT, the default: by
	 * the length of the digest (8, 16, 32, 64 and 128 digits: xxh32, xxh64, xxh3-128, sha256,
	 * blake2b)
	 */
	uint32_t algorithm;
	const char *root; /* as in iobatch_list_options */
};

#define IOBATCH_MANIFEST_OPTIONS_INIT                                      \
	{                                                                  \
		.size = sizeof(struct iobatch_manifest_options), .fd = -1, \
		.algorithm = IOBATCH_HASH_COUNT,                           \
	}

/* Names that are made of a number: names of files to be made. */
struct iobatch_series_options {
	size_t size;
	const char *path; /* required; {index} is replaced by 0, 1, 2 ...; {index:6} by 000000 ...,
	                     up to 255 digits; "{{" and "}}" are braces; without a number in it the
	                     count may not be more than 1 */
	uint64_t count;   /* default 1 */
};

#define IOBATCH_SERIES_OPTIONS_INIT                                        \
	{                                                                  \
		.size = sizeof(struct iobatch_series_options), .count = 1, \
	}

enum iobatch_order {
	IOBATCH_ORDER_SEQUENTIAL,
	IOBATCH_ORDER_RANDOM, /* each block equally likely each time, from the seed */
};

/* Blocks of one file or block device, which the source opens once. */
struct iobatch_range_options {
	size_t size;
	const char *path;    /* required */
	uint64_t block_size; /* bytes, default 64 KiB; the last block of a sequential range may be
	                        short */
	uint64_t count;      /* blocks; 0 = as many as the file has, the default */
	uint32_t order;      /* enum iobatch_order; default sequential */
	uint32_t direct;     /* 1: O_DIRECT; default 0 */
	uint64_t seed;       /* default 0 */
};

#define IOBATCH_RANGE_OPTIONS_INIT                                                     \
	{                                                                              \
		.size = sizeof(struct iobatch_range_options), .block_size = 64u << 10, \
	}

/*
 * Open a source. On success *ret_source is the caller's, to be freed after the run. -ENOENT,
 * -EACCES and so on: what was named cannot be opened. -EINVAL: an option is out of range. `glob`
 * takes a glob(3) pattern, in sorted order.
 */
int iobatch_source_walk(const struct iobatch_walk_options *options,
                        struct iobatch_source **ret_source);
int iobatch_source_range(const struct iobatch_range_options *options,
                         struct iobatch_source **ret_source);
int iobatch_source_list(const struct iobatch_list_options *options,
                        struct iobatch_source **ret_source);
int iobatch_source_manifest(const struct iobatch_manifest_options *options,
                            struct iobatch_source **ret_source);
int iobatch_source_series(const struct iobatch_series_options *options,
                          struct iobatch_source **ret_source);
int iobatch_source_glob(const char *pattern, struct iobatch_source **ret_source);
void iobatch_source_free(struct iobatch_source *source);

/*
 * Leaves out what `keep` returns false for. To be called before iobatch_source_items(); the number
 * of items is then not known beforehand. `keep` may look at the file, and say what is known of it
 * (iobatch_file_know()): it is called in a thread of the source's, in which nobody waits for it;
 * but for directories that are given when all that is in them has settled, in the thread that takes
 * the items, at the same time perhaps. What is left out counts as settled. -ENOMEM.
 */
int iobatch_source_filter(struct iobatch_source *source,
                          bool (*keep)(void *context, struct iobatch_file *file), void *context);

/* The source as a collection. Valid until the source is freed; to be run once. */
struct iobatch_items iobatch_source_items(struct iobatch_source *source);

/*
 * Places that a source had to leave out (a directory that could not be read), so far: their number,
 * and for the first of them its errno (negative) and path, which the source owns.
 */
uint64_t iobatch_source_errors(const struct iobatch_source *source, int *ret_error,
                               const char **ret_path);

/* ---------------------------------------------- built-in processors -- */

/*
 * Processors for items of struct iobatch_file. Each `_new` makes one that the caller frees with
 * iobatch_processor_free() after the run.
 */
void iobatch_processor_free(struct iobatch_processor *processor);

/* One nop op for each item, of any type: measures the engine. */
int iobatch_nop_new(struct iobatch_processor **ret_processor);

/*
 * Reports. Some processors write a line for each item, in item order: to a file, which appears
 * under its name at the end of the run, whole or not at all; or, as it comes, to standard output
 * ("-") or to what is there and is no regular file. A run that fails gives it no name. Such a path
 * is an option of theirs; NULL = no report. A name in a line of text is escaped in the manner of
 * sha256sum: a line with a name that has a newline, a carriage return or a backslash in it begins
 * with a backslash.
 */

/*
 * Reads the item from beginning to end and counts the bytes. A file that ends before the size that
 * it had is the error ESHRUNK.
 *
 * With `scrub` it goes on behind what cannot be read, by pages, and reports each range that could
 * not: "PATH: OFFSET +LENGTH: ERROR", a line for each range. The item has then failed with the
 * first error, and is not retried for it.
 */
struct iobatch_read_options {
	size_t size;
	uint32_t block_size; /* bytes, a multiple of 4096 up to 16 MiB; default 128 KiB */
	uint32_t depth;      /* blocks of one file in flight, 1 to 64; default 4 */
	uint32_t direct;     /* 1: O_DIRECT; default 0 */
	uint32_t scrub;      /* 1: go on behind errors; default 0 */
	const char *report;  /* of the ranges that cannot be read, with `scrub`; NULL = none */
};

#define IOBATCH_READ_OPTIONS_INIT                                                                  \
	{                                                                                          \
		.size = sizeof(struct iobatch_read_options), .block_size = 128u << 10, .depth = 4, \
	}

int iobatch_read_new(const struct iobatch_read_options *options,
                     struct iobatch_processor **ret_processor);

enum iobatch_hash_algorithm {
	IOBATCH_HASH_XXH3_64,
	IOBATCH_HASH_XXH3_128,
	IOBATCH_HASH_SHA256,
	IOBATCH_HASH_CRC32C,
	IOBATCH_HASH_BLAKE2B, /* 512 bits, as b2sum */
	IOBATCH_HASH_XXH64,   /* what xxhsum computes unless it is told otherwise */
	IOBATCH_HASH_XXH32,
	IOBATCH_HASH_COUNT,
};

/* Static name ("xxh3-64"), NULL when there is none. */
const char *iobatch_hash_name(unsigned algorithm);

/*
 * Reads like iobatch_read_new() and computes a digest of each item. With a manifest the digests are
 * written in item order, in the format that sha256sum, b2sum and xxhsum check; it is a report (see
 * above). When the manifest itself is among the items, it has no line.
 *
 * The note of an item is its digest: "NAME:DIGITS", with the name of the algorithm. A file of which
 * that note is known (iobatch_file_know()) is not read, unless it is of another algorithm: it has
 * this digest, and no bytes are counted.
 */
struct iobatch_hash_options {
	size_t size;
	uint32_t algorithm;   /* enum iobatch_hash_algorithm; default xxh3-64 */
	const char *manifest; /* path of the manifest; NULL = none */
	uint32_t block_size;  /* as in iobatch_read_options */
	uint32_t depth;       /* as in iobatch_read_options */
};

#define IOBATCH_HASH_OPTIONS_INIT                                                                  \
	{                                                                                          \
		.size = sizeof(struct iobatch_hash_options), .block_size = 128u << 10, .depth = 4, \
	}

int iobatch_hash_new(const struct iobatch_hash_options *options,
                     struct iobatch_processor **ret_processor);

/*
 * Compares the digest of each item with the one that iobatch_source_manifest() has brought. Another
 * digest is the error EMISMATCH, which is not retried. The report has "PATH: OK", "PATH: FAILED",
 * "PATH: MISSING" for a file that is not there and "PATH: ERROR NAME" otherwise, with the name of
 * the error. Notes are as those of a hash.
 */
struct iobatch_verify_options {
	size_t size;
	uint32_t block_size; /* as in iobatch_read_options */
	uint32_t depth;      /* as in iobatch_read_options */
	uint32_t quiet;      /* 1: no lines for what is OK; default 0 */
	const char *report;  /* NULL = none */
};

#define IOBATCH_VERIFY_OPTIONS_INIT                                                      \
	{                                                                                \
		.size = sizeof(struct iobatch_verify_options), .block_size = 128u << 10, \
		.depth = 4,                                                              \
	}

int iobatch_verify_new(const struct iobatch_verify_options *options,
                       struct iobatch_processor **ret_processor);

/* What makes two files different: bits of iobatch_compare_options.what. */
#define IOBATCH_COMPARE_TYPE 1u  /* always */
#define IOBATCH_COMPARE_SIZE 2u  /* of regular files; targets of symbolic links; device numbers */
#define IOBATCH_COMPARE_MTIME 4u /* but of symbolic links */
#define IOBATCH_COMPARE_MODE 8u
#define IOBATCH_COMPARE_OWNER 16u
#define IOBATCH_COMPARE_CONTENT 32u

/*
 * Are two trees equal? The source is a walk with the two trees as its roots, with all types: items
 * of root 0 are compared with their counterpart in `other`, items of root 1 are only looked for in
 * `first`. A difference is the error EDIFFERENT, what is in one tree only EONLYFIRST or EONLYOTHER;
 * none is retried. The report has a line for each: "differs: PATH: WHAT", "only in ROOT: PATH".
 * PATH is the relative part, "." when that is empty, and WHAT some of type, size, target, device
 * number, mtime, mode and owner, or "content at byte N". No symbolic link leads to a counterpart.
 * Where the relative part is longer than a system call takes, the item fails with ENAMETOOLONG.
 */
struct iobatch_compare_options {
	size_t size;
	const char *first;   /* the walk's first root; required */
	const char *other;   /* the walk's second root; required */
	uint32_t what;       /* IOBATCH_COMPARE_*; default type, size, mtime, mode and owner */
	uint32_t block_size; /* as in iobatch_read_options */
	uint32_t depth;      /* as in iobatch_read_options; of each of the two files, at most 32 */
	const char *report;  /* NULL = none */
};

#define IOBATCH_COMPARE_OPTIONS_INIT                                                          \
	{                                                                                     \
		.size = sizeof(struct iobatch_compare_options), .block_size = 128u << 10,     \
		.depth = 4,                                                                   \
		.what = IOBATCH_COMPARE_TYPE | IOBATCH_COMPARE_SIZE | IOBATCH_COMPARE_MTIME | \
		        IOBATCH_COMPARE_MODE | IOBATCH_COMPARE_OWNER,                         \
	}

int iobatch_compare_new(const struct iobatch_compare_options *options,
                        struct iobatch_processor **ret_processor);

enum iobatch_reflink {
	IOBATCH_REFLINK_AUTO, /* where the file system can, else copy_file_range or reads and writes
	                       */
	IOBATCH_REFLINK_ALWAYS, /* or fail */
	IOBATCH_REFLINK_NEVER,  /* reads and writes */
};

/* What to do about what is in the place of a copy already, and is no directory over a directory. */
enum iobatch_existing {
	IOBATCH_EXISTING_REPLACE,
	IOBATCH_EXISTING_SKIP,
	IOBATCH_EXISTING_FAIL, /* with EEXIST */
};

enum iobatch_fsync {
	IOBATCH_FSYNC_NONE,
	IOBATCH_FSYNC_DATA, /* the data of each file is durable before it gets its name */
	IOBATCH_FSYNC_FULL, /* and its attributes, and the directory that has the name */
};

/* What is kept of a file: bits of iobatch_copy_options.preserve. */
#define IOBATCH_PRESERVE_MODE 1u
#define IOBATCH_PRESERVE_OWNER 2u   /* as far as the user may: without root, EPERM is no error */
#define IOBATCH_PRESERVE_TIMES 4u   /* access and modification */
#define IOBATCH_PRESERVE_LINKS 8u   /* hard links among the items of a run */
#define IOBATCH_PRESERVE_XATTRS 16u /* user, security and (as root) trusted */
#define IOBATCH_PRESERVE_ACLS 32u

/*
 * Copies each item to its place below `destination`: the relative part of its path. When that is
 * empty, the place is `destination` itself. Regular files, with their holes, directories and
 * symbolic links; FIFOs and devices are skipped (ESPECIAL) unless `special` is set, and sockets
 * always. A file is written under a temporary name in its directory and renamed when whole; missing
 * parent directories are made. Nothing below the destination is reached through a symbolic link.
 * Directories get their attributes when they come with IOBATCH_FILE_LAST, otherwise at the end of
 * the run.
 *
 * Errors of its own: ESHRUNK and ECHANGED (the source was changed meanwhile), ESAMEFILE (the source
 * is what it would replace), EOUTSIDE (a name with ".." in it), EVERIFY (what was written reads
 * back differently), EUNSUPPORTED (a range of a file). Reasons to skip: ESPECIAL, EEXISTING (`existing`), EUPTODATE (`update`,
 * `checksum`).
 */
struct iobatch_copy_options {
	size_t size;
	const char *destination; /* required; made when missing, in an existing directory */
	uint32_t block_size;     /* as in iobatch_read_options */
	uint32_t depth;          /* as in iobatch_read_options */
	uint32_t reflink;        /* enum iobatch_reflink; default auto */
	uint32_t preserve;       /* IOBATCH_PRESERVE_*; default mode, owner, times, links */
	uint32_t existing;       /* enum iobatch_existing; default replace */
	uint32_t fsync;          /* enum iobatch_fsync; default none */
	uint32_t special;        /* 1: FIFOs and device nodes are made; default 0 */
	uint32_t update; /* 1: skip a file when what is there has its size and modification time, or
	                    a later one; default 0 */
	uint32_t checksum;    /* 1: skip a file when what is there has its content; default 0 */
	uint32_t verify;      /* 1: read each file back, past the cache, before it gets its name */
	uint32_t preallocate; /* 1: allocate a file before it is written; default 0 */
	uint32_t direct;      /* 1: read and write with O_DIRECT where that works; default 0 */
	uint32_t keep_cache;  /* 1: leave the page cache as it was found: what was read or written
	                         and was not in it before is dropped from it, but for the rest of a
	                         source of which a part was; default 0 */
	uint64_t mark; /* of temporary names: see iobatch_is_temporary(); default 0 */
};

/*
 * Whether `name` is one that a processor with this `mark` gives to a file until it is whole. A run
 * that was killed leaves such files behind; by a mark of its own, a later one can tell them.
 */
bool iobatch_is_temporary(const char *name, uint64_t mark);

#define IOBATCH_COPY_OPTIONS_INIT                                                                  \
	{                                                                                          \
		.size = sizeof(struct iobatch_copy_options), .block_size = 128u << 10, .depth = 4, \
		.preserve = IOBATCH_PRESERVE_MODE | IOBATCH_PRESERVE_OWNER |                       \
		            IOBATCH_PRESERVE_TIMES | IOBATCH_PRESERVE_LINKS,                       \
	}

int iobatch_copy_new(const struct iobatch_copy_options *options,
                     struct iobatch_processor **ret_processor);

/*
 * Moves each item to its place below `destination`, which is as for a copy: by rename on one file
 * system; else it is copied, made durable, and then the source is removed, if it is still what was
 * copied. Directories come with IOBATCH_FILE_LAST and are removed when they are empty; one that does
 * not is renamed with all that is in it, or fails (EXDEV, ENOTEMPTY, EEXIST). `fsync`
 * is at least IOBATCH_FSYNC_FULL for what is copied. ECHANGED: the source was changed after it was
 * copied, and both are left.
 */
int iobatch_move_new(const struct iobatch_copy_options *options,
                     struct iobatch_processor **ret_processor);

/*
 * Removes each item: directories, which must be empty by then, and everything else. Never follows a
 * symbolic link. Mount points, "." and ".." are refused (EREFUSED). What is gone already is skipped
 * (EGONE).
 */
struct iobatch_remove_options {
	size_t size;
	uint32_t keep_full; /* 1: a directory that is not empty is skipped (ENOTEMPTY) instead of
	                       having failed: for walks that filter; default 0 */
};

#define IOBATCH_REMOVE_OPTIONS_INIT                           \
	{                                                     \
		.size = sizeof(struct iobatch_remove_options) \
	}

int iobatch_remove_new(const struct iobatch_remove_options *options,
                       struct iobatch_processor **ret_processor);

enum iobatch_stat_format {
	IOBATCH_STAT_JSON,  /* an object a line */
	IOBATCH_STAT_TABLE, /* columns for people */
};

/*
 * Asks for the attributes of each item, itself and not what a symbolic link leads to. An object of
 * JSON has item (and item_base64, when not all of the name is text), type (file, directory,
 * symlink, fifo, socket, character or block), size, blocks (of 512 bytes), mode (octal), uid, gid,
 * nlink, ino, device and, of a device, rdev (MAJOR:MINOR), and atime, mtime, ctime and btime (null
 * where the file system has none) as in RFC 3339, of UTC, with nanoseconds; "@SECONDS" outside of
 * the years 0 to 9999. The table has mode, links, user, group, size, mtime and name.
 */
struct iobatch_stat_options {
	size_t size;
	uint32_t format;    /* enum iobatch_stat_format; default JSON */
	const char *report; /* NULL = none */
};

#define IOBATCH_STAT_OPTIONS_INIT                           \
	{                                                   \
		.size = sizeof(struct iobatch_stat_options) \
	}

int iobatch_stat_new(const struct iobatch_stat_options *options,
                     struct iobatch_processor **ret_processor);

/*
 * Makes each item a file of `length` bytes that are a function of the seed, the item's index and
 * the offset, and that no compression or deduplication makes smaller. A file is written under a
 * temporary name in its directory and renamed when whole; what it replaces must be a regular file
 * or a symbolic link. So much of a block device, or of one that a link leads to, is overwritten in
 * place when `existing` is replace and it is not in use. The manifest is as that of a hash, of what
 * was written, and with one the notes of items are: a file of which its note is known
 * (iobatch_file_know()) is not written again. The item's index is its place in the source, with
 * what iobatch_source_filter() has left out.
 *
 * Errors of its own: EREFUSED (what is there may not be replaced). Reason to skip: EEXISTING
 * (`existing`).
 */
struct iobatch_fill_options {
	size_t size;
	uint64_t length;      /* bytes; required */
	uint64_t seed;        /* default 0 */
	uint32_t algorithm;   /* of the manifest; default xxh3-64 */
	const char *manifest; /* NULL = none */
	uint32_t existing;    /* enum iobatch_existing; default fail */
	uint32_t fsync;       /* enum iobatch_fsync; default none */
	uint32_t block_size;  /* as in iobatch_read_options */
	uint32_t depth;       /* as in iobatch_read_options */
	uint32_t direct;      /* 1: O_DIRECT; `length` is then a multiple of 4096; default 0 */
	uint64_t mark;        /* of temporary names: see iobatch_is_temporary(); default 0 */
};

#define IOBATCH_FILL_OPTIONS_INIT                                                               \
	{                                                                                       \
		.size = sizeof(struct iobatch_fill_options), .existing = IOBATCH_EXISTING_FAIL, \
		.block_size = 128u << 10, .depth = 4,                                           \
	}

int iobatch_fill_new(const struct iobatch_fill_options *options,
                     struct iobatch_processor **ret_processor);

/* What iobatch_set_new() does: bits of iobatch_set_options.what, done in this order. */
#define IOBATCH_SET_CREATE 1u /* an empty file where there is none (with the times of now) */
#define IOBATCH_SET_LENGTH 2u /* ftruncate */
#define IOBATCH_SET_OWNER 4u
#define IOBATCH_SET_MODE 8u
#define IOBATCH_SET_TIMES 16u
#define IOBATCH_SET_SYNC 32u /* fsync */

/*
 * Sets attributes of each item. A name that starts from AT_FDCWD, and of which the source has not
 * said that it is a symbolic link or a file itself, is followed as by open(2); any other is not: a
 * symbolic link takes owner and times itself, has no mode and no content, and is skipped (ESYMLINK)
 * when only such are asked for. FIFOs, sockets and devices have no length and, but for block
 * devices, nothing to sync: they are skipped (ESPECIAL) when only such is asked for. Nothing is
 * created through a symbolic link. When an fsync has failed, no other is made for the item.
 */
struct iobatch_set_options {
	size_t size;
	uint32_t what; /* IOBATCH_SET_*; required */
	uint32_t user; /* UINT32_MAX, the default: left as it is */
	uint32_t group;
	const char *mode; /* as for chmod(1): octal, or clauses such as "u+rwX,go-w" */
	int64_t atime_ns; /* since 1970; INT64_MAX, the default: now; INT64_MIN: left as it is */
	int64_t mtime_ns;
	uint64_t length;
};

#define IOBATCH_SET_OPTIONS_INIT                                                   \
	{                                                                          \
		.size = sizeof(struct iobatch_set_options), .user = UINT32_MAX,    \
		.group = UINT32_MAX, .atime_ns = INT64_MAX, .mtime_ns = INT64_MAX, \
	}

int iobatch_set_new(const struct iobatch_set_options *options,
                    struct iobatch_processor **ret_processor);

/*
 * Renames each item within its directory. What the name becomes: `to`, a template as those of
 * iobatch_steps_new(), with {1} to {9} for the groups of `match`, a POSIX extended regular
 * expression; names that do not match are skipped (ENOMATCH). A result that has a slash in it, is
 * empty, "." or ".." is refused (EREFUSED), and one that is the name already is skipped
 * (ESAMENAME). Nothing is ever overwritten unless `existing` says so; two names cannot be swapped,
 * and where both are names of one file already, replacing leaves both, as rename(2) does.
 * Where the file system has no rename that refuses to replace, the new name is taken by a hard link
 * first (or an empty directory): an interruption can leave both names. EUNSUPPORTED where it has
 * neither.
 *
 * Directories are to be renamed when all in them has been, and a walk may come upon a new name and
 * give it as well, unless it puts the names of a directory in order.
 */
struct iobatch_rename_options {
	size_t size;
	const char *to;    /* required */
	const char *match; /* NULL = every name */
	uint32_t existing; /* enum iobatch_existing; default fail */
};

#define IOBATCH_RENAME_OPTIONS_INIT                                                               \
	{                                                                                         \
		.size = sizeof(struct iobatch_rename_options), .existing = IOBATCH_EXISTING_FAIL, \
	}

int iobatch_rename_new(const struct iobatch_rename_options *options,
                       struct iobatch_processor **ret_processor);

/*
 * A chain that the user writes. Paths of the ops hold placeholders, expanded for each item: {path},
 * {name} (last component), {stem} (name without its last suffix), {dir} (path without the name, "."
 * when there is none), {index}; "{{" and "}}" are braces. Where the source holds the item's
 * directory open, "{path}" with or without something behind it, and "{dir}/" with a name behind it,
 * start from there, if there is no other slash in them; any other path is what it says, from the
 * op's directory, and no longer than PATH_MAX. Symbolic links are followed as the ops' flags say.
 * `buffer` of a read, write, statx or readlinkat is ignored: the processor has buffers for each
 * item, for each read one of its own. A write sends what the last read before it has read, at most
 * `length` of it unless that is 0; when that is nothing, it is left out. Files that are opened get
 * the numbers that the ops give. The ops and what they point to are copied.
 *
 * -EINVAL when a placeholder is unknown, a file is used before it is opened or a length is over
 * 16 MiB; *ret_error, when not NULL, is then a message to be freed, and *ret_op the index of the
 * op.
 */
int iobatch_steps_new(const struct iobatch_op *ops, unsigned count,
                      struct iobatch_processor **ret_processor, unsigned *ret_op, char **ret_error);

/* ------------------------------------------------------- the machine -- */

/* What this machine's io_uring can do. */
struct iobatch_support {
	size_t size;
	int error;          /* 0, or why no ring can be made: -EPERM, -ENOSYS, -ENOMEM, ... */
	char cause[256];    /* the cause in a sentence; "" when there is none */
	char remedy[256];   /* what to do about it */
	char features[256]; /* words, separated by spaces */
	bool ops[64];       /* by enum iobatch_opcode: has this kernel a ring opcode for it? */
};

#define IOBATCH_SUPPORT_INIT                           \
	{                                              \
		.size = sizeof(struct iobatch_support) \
	}

/* Probes io_uring by making a small ring. Returns 0 whether or not that worked: see `error`. */
int iobatch_probe(struct iobatch_support *support);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif

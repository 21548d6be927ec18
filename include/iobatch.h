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
 * threads in a run with deadlines, SIGURG has a handler that does nothing, so that they can be
 * interrupted, unless the program has one of its own. Times are nanoseconds (_ns) or milliseconds
 * (_ms) of CLOCK_MONOTONIC; sizes are bytes. Strings that the library returns as `const char *`
 * without saying who owns them are static and live for ever.
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
	uint32_t op_flags; /* O_*, AT_*, RENAME_*, RWF_*, as the op takes them; fchown's user */
	uint32_t mode;     /* permission bits, fallocate's mode, fadvise's advice, statx's mask or
	                      fchown's group */
	const char *path;  /* NUL-terminated bytes */
	const char *path2; /* NUL-terminated bytes */
	void *buffer;      /* data, struct statx, target of a readlink or struct timespec[2] */
	uint64_t offset;   /* bytes from the start of the file; UINT64_MAX = the file's position */
	uint64_t offset2;  /* the same in the second file */
	uint64_t length;   /* bytes; for a timeout: nanoseconds */
	uint64_t resolve;  /* RESOLVE_*, openat2 only */
	int64_t result;    /* set by the engine: bytes moved or 0, or a negative errno */
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
	void *object;          /* the caller's object, or the run's copy of a stream's object */
	size_t object_size;    /* bytes of it: the stride, or what items.next returned */
	uint64_t index;        /* 0-based position in the collection */
	uint32_t attempt;      /* 1 for the first */
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
 * Takes further buffers for the item, up to `wanted` in all and at most the processor's
 * buffers_max, as far as memory_limit has room; never waits. Returns the number that the item now
 * holds. They go back when the attempt ends. To be called from `next` only.
 */
unsigned iobatch_item_reserve(struct iobatch_item *item, unsigned wanted);

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
	const char *error_name; /* "ENOENT", "ETIME" for a deadline, a processor's own; NULL on
	                           success */
	const char *message;    /* one sentence; NULL on success */
	uint64_t bytes;         /* payload bytes of the last attempt */
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
	 * last attempt left, before anyone else hears of it. A negative errno turns success into
	 * that failure, which is not retried. Calls of different rings may overlap. Of an item that
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
	 * waits for it, and keeps deadlines only after that.
	 */
	ssize_t (*next)(void *context, void *object);
};

#define IOBATCH_UNKNOWN UINT64_MAX

static inline struct iobatch_items iobatch_items_array(void *base, uint64_t count, size_t stride)
{
	struct iobatch_items items = {base, count, stride, NULL, NULL};
	return items;
}

static inline struct iobatch_items iobatch_items_stream(ssize_t (*next)(void *context,
                                                                        void *object),
                                                        void *context, size_t stride)
{
	struct iobatch_items items = {NULL, IOBATCH_UNKNOWN, stride, context, next};
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
	uint64_t backoff_ms;     /* pause before each retry; default 0 */
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
};

#define IOBATCH_OPTIONS_INIT                                                                    \
	{                                                                                       \
		.size = sizeof(struct iobatch_options), .batch_size = 64, .max_concurrent = 8,  \
		.max_stuck = 64, .stuck_grace_ms = 1000, .memory_limit = 64u << 20, .rings = 1, \
		.path_ops_max = 128, .collect = IOBATCH_COLLECT_FAILED,                         \
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
	uint64_t ops;              /* completions of ops */
	uint32_t rings;            /* rings (or reapers without one) that ran */
	uint32_t executor;         /* enum iobatch_executor: what carried the ops out */
	uint64_t stuck;            /* items that were given up while an op of them was running */
	uint64_t still_running;    /* those of them whose ops have not answered to the end */
	struct iobatch_lateness lateness;
	bool owns_objects;     /* of the library: the objects in the lists are copies */
	bool lists_incomplete; /* memory for a list ran out; the counts are exact all the same */
	struct iobatch_outcome *successful_items;
	uint64_t successful_items_count;
	struct iobatch_outcome *failed_items;
	uint64_t failed_items_count;
	char message[512]; /* why iobatch_run() failed and what to do; else "" */
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
 * and the rest of the collection was not taken. Any other error is that of items.next, of the
 * processor's finish, or of a ring that broke in mid-run; the result then tells what was done.
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

/* Sets permission bits. Follows symbolic links. */
static inline struct iobatch_op iobatch_op_fchmodat(int dirfd, const char *path, uint32_t mode)
{
	struct iobatch_op op = {
		.opcode = IOBATCH_OP_FCHMODAT, .dirfd = dirfd, .mode = mode, .path = path};
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

#define IOBATCH_PATH_MAX 4096

/*
 * The object of the built-in sources: a file, or a range of one. Only the bytes up to the NUL of
 * `path` are used (iobatch_file_size()).
 */
struct iobatch_file {
	uint64_t offset; /* first byte of a range */
	uint64_t length; /* bytes of a range; 0 = the whole file */
	int32_t fd;      /* descriptor that the source owns, or -1: open `path` */
	uint8_t type;    /* DT_* of <dirent.h>; DT_UNKNOWN when the source has not looked */
	uint8_t reserved;
	uint16_t relative;    /* where in `path` the part below the source's root begins */
	uint32_t path_length; /* without the NUL */
	char path[IOBATCH_PATH_MAX];
};

/* Bytes of `file` that are used. */
static inline size_t iobatch_file_size(const struct iobatch_file *file)
{
	return offsetof(struct iobatch_file, path) + file->path_length + 1;
}

/* An open source of struct iobatch_file. */
struct iobatch_source;

/* Bits of iobatch_walk_options.types. */
#define IOBATCH_TYPE_FILE 1u
#define IOBATCH_TYPE_DIRECTORY 2u
#define IOBATCH_TYPE_SYMLINK 4u
#define IOBATCH_TYPE_OTHER 8u /* FIFOs, sockets, devices */

/*
 * A directory tree. Directories come before what is in them, entries of a directory in the byte
 * order of their names; the root itself is an item when directories are asked for (with an empty
 * part below the root). Symbolic links are not followed, except that `root` may be one. `include`
 * picks among what is not a directory; every directory that is not excluded is entered. A root that
 * is a file is the one item, if it passes the filters.
 */
struct iobatch_walk_options {
	size_t size;
	const char *root; /* required */
	uint32_t types;   /* IOBATCH_TYPE_*; default files */
	const char *const
		*include; /* NULL-terminated fnmatch(3) patterns of names: any; NULL = all */
	const char *const
		*exclude;  /* a name that matches is left out, a directory with all in it */
	uint64_t min_size; /* of regular files, bytes; default 0 */
	uint64_t max_size; /* default UINT64_MAX */
};

#define IOBATCH_WALK_OPTIONS_INIT                                                        \
	{                                                                                \
		.size = sizeof(struct iobatch_walk_options), .types = IOBATCH_TYPE_FILE, \
		.max_size = UINT64_MAX,                                                  \
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
 * -EACCES and so on: what was named cannot be opened. -EINVAL: an option is out of range. `list`
 * reads names that end in `separator` from a descriptor that stays the caller's; names that are
 * empty are skipped, and one that does not fit IOBATCH_PATH_MAX ends the intake with -ENAMETOOLONG.
 * `glob` takes a glob(3) pattern, in sorted order.
 */
int iobatch_source_walk(const struct iobatch_walk_options *options,
                        struct iobatch_source **ret_source);
int iobatch_source_range(const struct iobatch_range_options *options,
                         struct iobatch_source **ret_source);
int iobatch_source_list(int fd, char separator, struct iobatch_source **ret_source);
int iobatch_source_glob(const char *pattern, struct iobatch_source **ret_source);
void iobatch_source_free(struct iobatch_source *source);

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
 * Reads the item from beginning to end and counts the bytes. A file that ends before the size that
 * it had is the error ESHRUNK.
 */
struct iobatch_read_options {
	size_t size;
	uint32_t block_size; /* bytes, a multiple of 4096 up to 16 MiB; default 128 KiB */
	uint32_t depth;      /* blocks of one file in flight, 1 to 64; default 4 */
	uint32_t direct;     /* 1: O_DIRECT; default 0 */
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
	IOBATCH_HASH_COUNT,
};

/* Static name ("xxh3-64"), NULL when there is none. */
const char *iobatch_hash_name(unsigned algorithm);

/*
 * Reads like iobatch_read_new() and computes a digest of each item. With a manifest the digests are
 * written in item order, in the format that sha256sum, b2sum and xxhsum check; it appears under its
 * name at the end of the run, whole or not at all. When the manifest itself is among the items, it
 * has no line.
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
 * Copies each item to its place below `destination`: the part of its path below the source's root
 * (for items without a root: its last component). Regular files, directories and symbolic links,
 * with modes and modification times; anything else is the error EUNSUPPORTED. A file is written
 * under a temporary name in its directory and renamed when whole; missing parent directories are
 * made. Modes and times of directories are set at the end of the run. Errors of its own: ESHRUNK
 * and ECHANGED (the source was changed meanwhile), ESAMEFILE (the source is what it would replace),
 * EOUTSIDE (a name with ".." in it).
 */
struct iobatch_copy_options {
	size_t size;
	const char *destination; /* required; made when missing, in an existing directory */
	uint32_t block_size;     /* as in iobatch_read_options */
	uint32_t depth;          /* as in iobatch_read_options */
};

#define IOBATCH_COPY_OPTIONS_INIT                                                                  \
	{                                                                                          \
		.size = sizeof(struct iobatch_copy_options), .block_size = 128u << 10, .depth = 4, \
	}

int iobatch_copy_new(const struct iobatch_copy_options *options,
                     struct iobatch_processor **ret_processor);

/*
 * A chain that the user writes. Paths of the ops hold placeholders, expanded for each item: {path},
 * {name} (last component), {stem} (name without its last suffix), {dir} (path without the name, "."
 * when there is none), {index}; "{{" and "}}" are braces. `buffer` of a read, write, statx or
 * readlinkat is ignored: the processor has buffers for each item, for each read one of its own. A
 * write sends what the last read before it has read, at most `length` of it unless that is 0; when
 * that is nothing, it is left out. Files that are opened get the numbers that the ops give. The ops
 * and what they point to are copied.
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

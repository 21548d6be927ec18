/* SPDX-License-Identifier: MIT */
/*
 * The executor interface: what carries out ops. An executor takes short linked sequences of ops and
 * timers, each with an id of the caller's, and gives back one completion for each id: the op's own
 * result, whatever it was. It knows ops, and nothing of items, batches or retries.
 *
 * An executor belongs to the thread that made it, but for wake(). An id that is in flight is not
 * given again before its completion.
 */
#ifndef EXECUTOR_EXECUTOR_H
#define EXECUTOR_EXECUTOR_H

#include <iobatch.h>

/* One op as it is handed over. What it points to must stay until its completion. */
struct executor_request {
	struct iobatch_op *op;
	uint64_t id;
	/* What op->file stands for: a descriptor, or with `direct` an index below config.files. */
	int fd;
	bool direct;
	/* The same for op->file2. */
	int fd2;
	bool direct2;
};

struct executor_completion {
	uint64_t id;
	int32_t result;
};

/* The id that no caller uses, nor the few below it, which are the executors' own. */
#define EXECUTOR_NO_ID UINT64_MAX

struct executor_config {
	unsigned number;        /* which ring of the run, from 0 */
	unsigned chain_ops_max; /* longest sequence */
	unsigned batch_ops;     /* ops that are wanted in one submission */
	unsigned in_flight_max; /* ops and timers that may be in flight */
	bool deadlines;         /* will submit() be given any? */
	unsigned guards;        /* enum iobatch_guards: how a ring uses them */
	bool wakes;             /* will wake() be called? Not of the simulated executor */
	unsigned threads;       /* that make system calls, at least 1 */
	unsigned blocking_max;  /* ops that may block in kernel workers at once */
	unsigned files;         /* direct descriptors that are wanted; 0 = none */
	void *buffers;          /* memory that reads and writes use most, to be registered... */
	size_t buffers_size;    /* ...with the ring; 0 = do not */
	size_t buffer_size;     /* one buffer of it: no op crosses a multiple of it */
	const struct iobatch_simulation *simulation; /* of the simulated executor only */
	void (*log)(void *context, enum iobatch_log_level level, const char *message);
	void *log_context;
};

struct executor {
	const struct executor_ops *ops;
	const char *kind;  /* "ring", "syscall" or "simulated" */
	bool direct_files; /* did the executor take config.files? */
	bool timers_link;  /* may an op be linked behind a timer? */
	/* Which ops may be part of a linked sequence; the others are handed over alone. */
	bool linkable[IOBATCH_OP_COUNT];
};

struct executor_ops {
	/*
	 * Queues ops that run in order. A failure of an op that breaks links, or a short read or
	 * write, cancels those behind it (-ECANCELED). What is queued starts with the next wait()
	 * at the latest, and never a part of a sequence without the rest.
	 *
	 * `deadline_ns` (absolute, 0 = none) is when the ops are of no more use: an executor that
	 * can ends them soon after (-ECANCELED, or -EINTR), but it is the caller who sees to it by
	 * cancel().
	 *
	 * Returns 0, or -EAGAIN when there is no room before the next wait().
	 */
	int (*submit)(struct executor *executor, const struct executor_request *requests,
	              unsigned count, uint64_t deadline_ns);
	/* Queues a timer: completes with -ETIME at `expires_ns`. Returns like submit(). */
	int (*timer)(struct executor *executor, uint64_t id, uint64_t expires_ns);
	/*
	 * Asks that an op or timer in flight end now. Its completion comes as always: -ECANCELED,
	 * -EINTR, or as if nothing had been asked. Nothing happens when it has just come. An op
	 * that waits behind a link may not be found, and one that is in a kernel worker may not
	 * listen: ask again later. 0, or -EAGAIN when there is no room to ask before the next
	 * wait().
	 */
	int (*cancel)(struct executor *executor, uint64_t id);
	/*
	 * Starts what is queued, waits for a completion, at the longest until the clock is at
	 * `until_ns` (UINT64_MAX = for ever; a time that has passed = not at all), and returns up
	 * to `max` completions; 0 when there was none. With UINT64_MAX something must be in flight,
	 * or config.wakes. Negative errno: the executor is broken, and what is in flight is lost.
	 */
	int (*wait)(struct executor *executor, struct executor_completion *ret, unsigned max,
	            uint64_t until_ns);
	/*
	 * Ends the wait() that goes on, or else the next one before it waits. From any thread or
	 * signal handler, which finds errno changed; with config.wakes only.
	 */
	void (*wake)(struct executor *executor);
	/*
	 * Lets `count` more ops block at once than config.blocking_max (in a pool: config.threads):
	 * as many hang, or have come to be wanted. Failing to is not an error.
	 */
	void (*grow)(struct executor *executor, unsigned count);
	/*
	 * A descriptor that an op has opened is the caller's own from now on: no op closes it, and
	 * whoever keeps books of what is open does not miss it.
	 */
	void (*disown)(struct executor *executor, int fd);
	/* Now on the clock of the deadlines. */
	uint64_t (*now_ns)(struct executor *executor);
	/*
	 * What is in flight, if anything, is given up: it may go on, in the memory that it was
	 * given, and nobody will hear of it.
	 */
	void (*free)(struct executor *executor);
};

/*
 * -ENOSYS, -EPERM, -ENOMEM and so on: no ring can be made; ring_explain() says why. -ENOMEM or
 * -EAGAIN (no thread) for a pool, -ENOMEM for the simulated one.
 */
int ring_new(const struct executor_config *config, struct executor **ret_executor);
int syscall_new(const struct executor_config *config, struct executor **ret_executor);
int simulated_new(const struct executor_config *config, struct executor **ret_executor);

/* Why a ring cannot be made (`error` as ring_new() gave it) and what to do about it. */
void ring_explain(int error, char *ret_cause, size_t cause_size, char *ret_remedy,
                  size_t remedy_size);

#endif

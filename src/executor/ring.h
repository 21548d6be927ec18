/* SPDX-License-Identifier: MIT */
/*
 * The inside of the ring executor, shared by its set-up (ring_setup.c), its hot path (ring.c,
 * ring_wait.c), what it does with submissions that were cut (ring_cut.c) and the kernels behind it.
 */
#ifndef EXECUTOR_RING_H
#define EXECUTOR_RING_H

#include <liburing.h>
#include <stdatomic.h>

#include "executor/executor.h"
#include "executor/kernel.h"
#include "executor/workers.h"

/*
 * The user_data of what the ring submits on its own account. Each posts one completion, which is
 * counted and dropped.
 */
enum ring_id {
	RING_ID_GUARD = 0,  /* a linked timeout */
	RING_ID_CANCEL = 1, /* an ASYNC_CANCEL */
	RING_ID_NOP = 2,    /* what is left of the rest of a sequence that was cut */
	RING_ID_BELL = 3,   /* somebody is at the door */
	RING_ID_COUNT
};

static inline uint64_t ring_id(enum ring_id id)
{
	return EXECUTOR_NO_ID - (uint64_t)id;
}

static inline bool ring_id_is_own(uint64_t user_data)
{
	return user_data > EXECUTOR_NO_ID - RING_ID_COUNT;
}

/* See ring_bell.c. The ring polls it while calls are in flight, or always with `wakes`. */
struct ring_bell {
	int fd;            /* an eventfd, or -1 */
	bool armed;        /* does the ring poll it? */
	bool wakes;        /* may others ring it than the pool? */
	atomic_bool woken; /* they have, and no wait has ended since */
};

/*
 * Ops that the ring has no opcode for (ring_calls.c). A pool of threads makes the system calls; the
 * first of them starts it. It rings the bell when some have completed.
 */
struct ring_calls {
	struct workers_config config; /* threads is 0 when none can be started */
	struct workers *workers;      /* NULL before the first call */
	unsigned in_flight;
};

struct ring {
	struct executor base;
	struct io_uring uring;
	struct kernel *kernel;
	/* Timespecs, one for each place in the submission queue: the kernel reads them at submit.
	 */
	struct __kernel_timespec *times;
	/* For a kernel that wants to know: the op of each place in the submission queue. */
	const struct iobatch_op **notes;
	unsigned expected; /* completions of ops and timers that the kernel owes us */
	unsigned owed;     /* the same, with those of the ring's own: CQEs to come */
	unsigned owed_max; /* as many as ops, timers and guards may take of the completion queue */
	unsigned refused;  /* submissions in a row of which nothing was taken */
	unsigned guards;   /* enum iobatch_guards; the list alone without deadlines */
	unsigned workers[2]; /* bounded and unbounded, as last asked for; 0 = the kernel's own */
	bool by_call[IOBATCH_OP_COUNT];
	struct ring_calls calls;
	struct ring_bell bell;
	/* Registered buffers: iovecs of `chunk` bytes from `buffers` on. */
	char *buffers;
	size_t buffers_size;
	size_t chunk;
	/*
	 * Completions that are no CQEs, until the next wait: of calls that were made in place, and
	 * of what was cut off.
	 */
	struct executor_completion *called;
	unsigned called_count;
	unsigned called_max; /* calls in flight, wherever they are made */
};

extern const struct executor_ops ring_ops;

/* ring.c */
/* An SQE of the zeroed kind; room was checked before. */
struct io_uring_sqe *ring_next_sqe(struct ring *ring);
/* Makes room for SQEs. 0 or -EAGAIN. */
int ring_make_places(struct ring *ring, unsigned sqes);
/*
 * Hands the queue to the kernel and, with `wait`, waits as kernel_ops.ring_enter() does. Returns 0,
 * or what has kept the kernel from taking anything or, with nothing to take, from waiting.
 */
int ring_enter(struct ring *ring, bool wait, uint64_t until_ns);

/* ring_wait.c */
int ring_wait(struct executor *executor, struct executor_completion *ret, unsigned max,
              uint64_t until_ns);
void ring_wake(struct executor *executor);

/* Makes a ring on `kernel`, which it then owns; also when it fails. */
int ring_new_on(struct kernel *kernel, const char *kind, const struct executor_config *config,
                struct executor **ret_executor);

/*
 * Makes `uring` with the best set-up that this machine has, for ops that are all guarded or mostly
 * not. 0 or a negative errno.
 */
int ring_init_queue(struct io_uring *uring, unsigned entries, unsigned cq_entries, bool guarded);

/* Tells the kernel of ring->workers (ring_setup.c). */
void ring_limit_workers(struct ring *ring);

/*
 * The kernel has taken some of the queue and not all (ring_cut.c). When it stopped within a
 * sequence, the rest of that is made harmless and its ids complete with -ECANCELED.
 */
void ring_mend_cut(struct ring *ring);

void ring_calls_init(struct ring_calls *calls, const struct executor_config *config);
/* Has the call made by a thread, or here when there is none. 0 or -EAGAIN. */
int ring_calls_submit(struct ring *ring, const struct executor_request *request,
                      uint64_t deadline_ns);
unsigned ring_calls_take(struct ring *ring, struct executor_completion *ret, unsigned max);
void ring_calls_deinit(struct ring_calls *calls);

/* Makes the eventfd, if there is none yet. */
int ring_bell_open(struct ring_bell *bell);
/* Fills an SQE that completes when the bell is rung. */
void ring_bell_prepare_poll(struct ring_bell *bell, struct io_uring_sqe *sqe);
/* It has completed. */
void ring_bell_answer(struct ring_bell *bell);
/* From any thread. */
void ring_bell_ring(struct ring_bell *bell);
void ring_bell_close(struct ring_bell *bell);

/* The one real kernel (ring_kernel.c). NULL without memory. */
struct kernel *ring_kernel_new(void);

/* The least power of two that is `wanted` or more, from `min`, itself one, to `max`. */
unsigned ring_power_of_two(uint64_t wanted, unsigned min, unsigned max);

#endif

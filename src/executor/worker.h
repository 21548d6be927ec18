/* SPDX-License-Identifier: MIT */
/*
 * The inside of the pool, shared by its owner's side (workers.c) and its threads (worker.c).
 *
 * What an op is on its way stands in an entry. The first entry of a sequence stands for it: it goes
 * from the queue to a worker, and from there to what has ended. The owner makes and takes back
 * entries; between the two they change hands under the lock.
 */
#ifndef EXECUTOR_WORKER_H
#define EXECUTOR_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "executor/workers.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum entry_stage {
	ENTRY_QUEUED,
	ENTRY_RUNNING,
	ENTRY_ENDED,
};

struct entry {
	struct executor_request request;
	struct entry *behind; /* the next op of the sequence; when free, the next free one */
	struct entry *first;  /* of the sequence */
	struct entry *same_bucket;
	int32_t result;
	atomic_bool cancelled;
	/* The owner's: handed out before its sequence has ended, or about to be. */
	bool handed;
	struct entry *next_early;
	/* Of the first of a sequence, all of it under the lock once it is queued: */
	enum entry_stage stage;
	unsigned count;
	uint64_t deadline_ns;
	struct entry *next; /* in the queue, or of what has ended */
	struct entry *previous;
	struct worker *worker; /* that runs it */
};

struct entry_queue {
	struct entry *first;
	struct entry *last;
};

struct worker {
	struct workers *pool;
	struct worker *next; /* of all; the owner's */
	struct worker *next_idle;
	struct worker *next_woken; /* the owner's, while it wakes some */
	pthread_t thread;
	pthread_cond_t wake;
	bool woken;
	struct entry *running; /* the first of a sequence; NULL = it is in no op */
	/*
	 * The op of it that it is in; NULL before the first. Stored before that op's `cancelled` is
	 * looked at, and looked at by the owner after `cancelled` was stored: one of the two sees
	 * the other.
	 */
	_Atomic(struct entry *) current;
	bool interrupted; /* a signal was sent during this sequence, and may not have come yet */
	/* The owner's: when to interrupt again, and how long after that once more. */
	uint64_t again_ns;
	uint64_t pause_ns;
};

struct workers {
	/* The owner's. */
	struct workers_config config;
	struct entry *entries;
	struct entry *free;
	unsigned in_flight;
	struct entry **buckets; /* of entries by id; a power of two of them */
	unsigned bucket_bits;
	struct entry_queue staged; /* submitted, but not yet queued */
	unsigned staged_count;     /* sequences of it */
	uint64_t staged_deadline_ns;
	struct entry *taken;   /* sequences that have ended and were taken off the list */
	struct entry *handing; /* the rest of the one that is being handed out */
	struct entry *early;   /* ops that are over, of sequences that are not */
	struct worker *workers;
	unsigned threads_count;
	uint64_t stalled_ns; /* when threads are to be made if nothing ends; UINT64_MAX = not */
	unsigned stalls;     /* how often that was so since nothing had to wait */
	uint64_t again_ns;   /* the earliest of the workers' */
	bool interrupts;
	int *files;        /* by the index of direct requests; -1 = empty */
	atomic_bool woken; /* by anyone: the owner is not to wait */

	/* Everybody's, under the lock. */
	pthread_mutex_t lock;
	struct entry_queue queue;
	uint64_t queue_deadline_ns; /* no deadline in the queue is earlier */
	struct entry_queue ended;
	unsigned ended_count; /* ops of it */
	struct worker *idle;
	unsigned wake_at; /* ops that have ended for which the owner is to be woken; 0 = it is
	                     awake */
	sem_t owner;
	bool quit;
	unsigned users; /* the owner and the threads: who goes last frees the pool */
};

static inline uint64_t workers_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Makes threads, as far as there may be more and can be. */
void workers_add(struct workers *workers, unsigned count);

/*
 * Has the owner wait until somebody posts `owner`, a semaphore because signal handlers may do so,
 * or until it is late; it may also return for no reason. The lock is held, and let go meanwhile.
 */
void workers_sleep(struct workers *workers, uint64_t until_ns);

void entry_queue_push(struct entry_queue *queue, struct entry *first);
void entry_queue_remove(struct entry_queue *queue, struct entry *first);

/*
 * Puts a sequence, with its results, to what has ended. Returns whether the owner must be told by
 * the semaphore `owner`. Under the lock.
 */
bool workers_end(struct workers *workers, struct entry *first);

/* Gives the results of a sequence up: nobody takes them any more. */
void workers_give_up(struct entry *first);

/* Leaves the pool, and frees it as the last one. The lock is held, and is not any more then. */
void workers_leave(struct workers *workers);

/* A worker's thread: takes sequences until the pool quits. */
void *worker_main(void *worker);

#endif

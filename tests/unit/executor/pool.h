/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the pool of threads share: a small pool, sequences of ops numbered from 0, and
 * their results by number. Waiting is bounded everywhere: a test that would hang fails.
 */
#ifndef POOL_H
#define POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "executor/workers.h"

#define POOL_OPS_MAX 64u
#define MISSING "/nonexistent/file"
#define NS_PER_MS UINT64_C(1000000)

/* An op that has not completed. No result of one. */
#define NO_RESULT INT32_MIN

struct pool {
	struct workers *workers;
	struct iobatch_op ops[POOL_OPS_MAX];
	int32_t results[POOL_OPS_MAX];
	unsigned count; /* ops submitted */
	unsigned done;  /* and completed */
	/* The order in which they were handed out. */
	uint64_t order[POOL_OPS_MAX];
	int silent[2];  /* a pipe: reads of it wait until the test writes */
	int started[2]; /* a pipe that says that such a read begins */
	char buffer[64];
	unsigned warnings; /* messages of the pool */
};

/* A config for two threads and eight places for files; what is not in it may be set. */
struct workers_config pool_config(struct pool *pool);
void pool_init(struct pool *pool, const struct workers_config *config);
/* Frees the workers too, unless that has been done and `workers` is NULL. */
void pool_deinit(struct pool *pool);

uint64_t pool_now_ns(void);

/* How an op is asked for: by descriptors. */
struct executor_request pool_request(struct pool *pool, struct iobatch_op op);
/* By the index that op.file is. */
struct executor_request pool_direct(struct pool *pool, struct iobatch_op op);

/* Submits a sequence of requests, which must have room. */
void pool_submit(struct pool *pool, const struct executor_request *requests, unsigned count,
                 uint64_t deadline_ns);
/* An op of its own, by descriptor. Returns its id. */
uint64_t pool_submit_op(struct pool *pool, struct iobatch_op op);

/* Waits until `count` ops in all have completed. */
void pool_wait(struct pool *pool, unsigned count);

/*
 * Has a thread hang: a write that says that it begins, and behind it a read, whose id is returned,
 * that waits until pool_answer(). When this returns a thread is waiting in it.
 */
uint64_t pool_hang(struct pool *pool);
void pool_answer(struct pool *pool);

/* Waits until a thread is waiting in a system call, SYS_*. */
void pool_wait_for_call(long number);

/* Descriptors that this process has. */
unsigned pool_descriptors(void);

#endif

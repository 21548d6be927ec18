/* SPDX-License-Identifier: MIT */
/*
 * The inside of the simulated kernel. What is in flight is a request for each SQE that was taken;
 * what is going to happen is a heap of requests by time; and the clock jumps from one to the next.
 *
 *     simulated.c          the kernel's calls: set-up, submitting, waiting
 *     simulated_take.c     what it looks at in an SQE, and sequences
 *     simulated_kernel.c   what becomes of a request: links, guards, workers, cancellation
 *     simulated_answers.c  what an op answers, from the seed and the script
 *     simulated_files.c    descriptors and the table of direct ones
 *     simulated_events.c   the heap, and requests by their id
 *     simulated_check.c    what its user must not do to a kernel
 *
 * It knows the kernel's rules and ops, and nothing of the ring's code in front of it.
 */
#ifndef EXECUTOR_SIMULATED_H
#define EXECUTOR_SIMULATED_H

#include "executor/kernel.h"
#include "op/op.h"

/* An opcode of no SQE: a system call that the simulator makes. */
#define SIMULATED_CALL 255u

/* Descriptors count from here, so that they are never mistaken for those of the process. */
#define SIMULATED_FD_FIRST 1000000

enum simulated_state {
	SIMULATED_LINKED, /* waits behind a link, or guards an op */
	SIMULATED_QUEUED, /* waits for a worker */
	SIMULATED_RUNNING,
};

/* How an op is carried out, which says how it takes being cancelled. */
enum simulated_way {
	SIMULATED_ARMED,   /* waits for what it is about: ends at once, -ECANCELED */
	SIMULATED_TRIED,   /* first tried without blocking, then in a worker */
	SIMULATED_WORKING, /* in a worker from the start: deaf to its linked timeout */
};

struct simulated_request {
	struct io_uring_sqe sqe;
	const struct iobatch_op *op;     /* NULL: none of the caller's */
	struct iobatch_op copy;          /* of *op, as it was handed over */
	struct iobatch_answer answer;    /* from its start on */
	struct simulated_request *next;  /* the one linked behind, or the next that is free */
	struct simulated_request *guard; /* of an op: its linked timeout */
	struct simulated_request *op_of; /* of a linked timeout: its op */
	struct simulated_request *same_hash;
	struct simulated_request *beside[2]; /* in the list of those that touch memory */
	uint64_t expires_ns;                 /* of a timeout */
	uint64_t time_ns;                    /* of its event */
	uint64_t order;
	unsigned place; /* in the heap + 1; 0 = nothing is going to happen */
	int32_t result; /* of one that has failed before it could start */
	uint8_t state;  /* enum simulated_state */
	uint8_t way;    /* enum simulated_way */
	bool failed;    /* before it could start */
	bool touches;   /* is in that list */
};

struct simulated {
	struct kernel base;
	struct iobatch_simulation script;
	uint64_t random;
	uint64_t now_ns;
	uint64_t order;
	const struct iobatch_op *const *notes; /* the op of each place in the submission queue */
	unsigned chain_ops_max;
	bool submit_all;
	bool broken; /* has said that nothing will ever happen */
	bool asked;  /* something was told to end */

	/* The queues: memory that struct io_uring points into. */
	unsigned sq_head, sq_tail, sq_flags, cq_head, cq_tail;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	/* What the completion queue had no room for. */
	struct io_uring_cqe *overflow;
	unsigned overflow_count, overflow_max;

	struct simulated_request *requests;
	unsigned requests_count, requests_max;
	struct simulated_request *free;
	struct simulated_request *touching;    /* the list of those that touch memory */
	struct simulated_request *head, *last; /* the sequence that is being submitted */
	struct simulated_request *waiting, **waiting_last; /* for a worker */
	unsigned workers, workers_max;

	struct simulated_request **events; /* a binary heap */
	unsigned events_count;
	struct simulated_request **by_id; /* hash table, a power of two */
	unsigned by_id_mask;

	bool *direct; /* the file table: is a place taken? */
	unsigned direct_count;
	bool *files; /* descriptors from SIMULATED_FD_FIRST on */
	unsigned files_max;
	unsigned open_count;
};

/* ------------------------------------------------- simulated_answers.c -- */

uint64_t simulated_random(struct simulated *kernel);
/* Does what happens `permille` times of 1000 happen now? */
bool simulated_happens(struct simulated *kernel, uint32_t permille);
/* Fills request->answer, and the memory that the op fills. */
void simulated_answer(struct simulated *kernel, struct simulated_request *request);

/* -------------------------------------------------- simulated_kernel.c -- */

/* Starts a sequence that was taken, or ends it when it was refused. */
void simulated_run_sequence(struct simulated *kernel, struct simulated_request *head);
/* Has happen what is due by now. */
void simulated_run_due(struct simulated *kernel);
/* Gives workers to those that wait for one, as far as there are any. */
void simulated_start_waiting(struct simulated *kernel);
/* Moves what did not fit into the completion queue there, as far as there is room. */
void simulated_flush(struct simulated *kernel);

/* ---------------------------------------------------- simulated_take.c -- */

/* Takes the SQE of a place. Returns false when nothing may be taken after it. */
bool simulated_take(struct simulated *kernel, unsigned place);
/* No more comes with this submission: a sequence that was cut goes as it is. */
void simulated_take_end(struct simulated *kernel);
int simulated_call(struct simulated *kernel, const struct executor_request *request);

/* --------------------------------------------------- simulated_files.c -- */

/* 0, or -EBADF when a file that the request is about is not open. */
int simulated_file_find(const struct simulated *kernel, const struct simulated_request *request);
/* Opens or closes as the request has: the result, with an open's descriptor. */
int32_t simulated_file_note(struct simulated *kernel, const struct simulated_request *request,
                            int32_t result);
/* The descriptor stays open for ever, and it is not a leak. */
void simulated_file_disown(struct simulated *kernel, int fd);

/* -------------------------------------------------- simulated_events.c -- */

void simulated_event_add(struct simulated *kernel, struct simulated_request *request,
                         uint64_t time_ns);
void simulated_event_drop(struct simulated *kernel, struct simulated_request *request);
void simulated_id_add(struct simulated *kernel, struct simulated_request *request);
void simulated_id_drop(struct simulated *kernel, struct simulated_request *request);
struct simulated_request *simulated_id_find(const struct simulated *kernel, uint64_t id);

/* --------------------------------------------------- simulated_check.c -- */

/* The request starts: nobody else has its memory. */
void simulated_check_start(struct simulated *kernel, struct simulated_request *request);
/* It ends: nobody has touched what it was about. */
void simulated_check_end(struct simulated *kernel, struct simulated_request *request);
void simulated_check_exit(struct simulated *kernel);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A thread of the pool: takes a sequence, makes its system calls one after the other, puts down the
 * results, takes the next. It decides what a link means for the ops behind it; it knows nothing of
 * time but a sequence's deadline, and nothing of who waits for the results.
 *
 * The lock is held between sequences only: once for putting one down and taking the next.
 */
#include "executor/worker.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "op/op.h"

/* ------------------------------------------------------ one sequence -- */

/*
 * What was cancelled does not start, and nothing behind it: the signal that was meant for an op
 * must not interrupt the next, even if the op was quicker.
 */
static bool may_start(struct worker *worker, const struct entry *before, struct entry *entry)
{
	uint64_t deadline_ns = entry->first->deadline_ns;

	atomic_store(&worker->current, entry);
	if (before && atomic_load(&before->cancelled))
		return false;
	return !atomic_load(&entry->cancelled) && (!deadline_ns || workers_now_ns() < deadline_ns);
}

static int64_t open_into(int *place, const struct iobatch_op *op)
{
	int64_t result = op_row(op)->call(op, -1, -1);
	int old = *place;

	if (result < 0)
		return result;
	*place = (int)result;
	/* A ring closes what was there, too. */
	if (old >= 0)
		close(old);
	return 0;
}

static int64_t carry_out(const struct workers *pool, const struct executor_request *request)
{
	const struct iobatch_op *op = request->op;
	const struct op_row *row = op_row(op);
	int fd = request->fd, fd2 = request->fd2;

	if (request->direct) {
		int *place = &pool->files[request->fd];

		if (row->facts & OP_OPENS_FILE)
			return open_into(place, op);
		fd = *place;
		if (fd < 0)
			return -EBADF;
		if (row->facts & OP_CLOSES_FILE)
			*place = -1;
	}
	if (request->direct2) {
		fd2 = pool->files[request->fd2];
		if (fd2 < 0)
			return -EBADF;
	}
	return row->call(op, fd, fd2);
}

/* Does this result cancel what is behind the op? */
static bool breaks_link(const struct iobatch_op *op, int32_t result)
{
	if (result < 0)
		return op_is(op, OP_BREAKS_LINK) || result == -EBADF;
	return op_is(op, OP_MOVES_BYTES) && (uint32_t)result < op_rest_length(op);
}

static void run_sequence(struct worker *worker, struct entry *first)
{
	const struct entry *before = NULL;
	bool broken = false;

	for (struct entry *entry = first; entry; entry = entry->behind) {
		broken = broken || !may_start(worker, before, entry);
		if (broken) {
			entry->result = -ECANCELED;
		} else {
			entry->result = (int32_t)carry_out(worker->pool, &entry->request);
			broken = breaks_link(entry->request.op, entry->result);
		}
		before = entry;
	}
}

/* ------------------------------------------------------- the pool's lists -- */

void entry_queue_push(struct entry_queue *queue, struct entry *first)
{
	first->next = NULL;
	first->previous = queue->last;
	if (queue->last)
		queue->last->next = first;
	else
		queue->first = first;
	queue->last = first;
}

void entry_queue_remove(struct entry_queue *queue, struct entry *first)
{
	if (first->next)
		first->next->previous = first->previous;
	else
		queue->last = first->previous;
	if (first->previous)
		first->previous->next = first->next;
	else
		queue->first = first->next;
}

bool workers_end(struct workers *workers, struct entry *first)
{
	first->stage = ENTRY_ENDED;
	if (!workers->ended.first && workers->config.event_fd >= 0) {
		const uint64_t one = 1;
		/* It only fails when it would overflow, and then there is something to read. */
		ssize_t written = write(workers->config.event_fd, &one, sizeof(one));

		(void)written;
	}
	entry_queue_push(&workers->ended, first);
	workers->ended_count += first->count;
	if (!workers->wake_at || workers->ended_count < workers->wake_at)
		return false;
	workers->wake_at = 0;
	return true;
}

void workers_give_up(struct entry *first)
{
	for (struct entry *entry = first; entry; entry = entry->behind) {
		const struct executor_request *request = &entry->request;

		if (op_is(request->op, OP_OPENS_FILE) && !request->direct && entry->result >= 0)
			close(entry->result);
	}
}

/* --------------------------------------------------------- the thread -- */

/* Waits for a sequence. Under the lock. */
static void wait_for_work(struct worker *worker)
{
	struct workers *pool = worker->pool;

	/* Whoever is idle has not to be kept waiting for: see workers_wait(). */
	if (pool->wake_at && pool->ended_count > 0) {
		pool->wake_at = 0;
		(void)sem_post(&pool->owner);
	}
	worker->woken = false;
	worker->next_idle = pool->idle;
	pool->idle = worker;
	while (!worker->woken)
		pthread_cond_wait(&worker->wake, &pool->lock);
}

static struct entry *take_sequence(struct worker *worker)
{
	struct workers *pool = worker->pool;
	struct entry *first = pool->queue.first;

	entry_queue_remove(&pool->queue, first);
	/* What it was in before may by now be an op of this sequence that it has not come to. */
	atomic_store_explicit(&worker->current, NULL, memory_order_relaxed);
	first->stage = ENTRY_RUNNING;
	first->worker = worker;
	worker->running = first;
	return first;
}

/* Puts the results down. Under the lock, and the sequence is the owner's after that. */
static bool put_down(struct worker *worker, struct entry *first)
{
	worker->running = NULL;
	if (!worker->pool->quit)
		return workers_end(worker->pool, first);
	workers_give_up(first);
	return true;
}

void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct workers *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->quit) {
		struct entry *first;
		bool tell, interrupted;

		if (!pool->queue.first) {
			wait_for_work(worker);
			continue;
		}
		first = take_sequence(worker);
		pthread_mutex_unlock(&pool->lock);
		run_sequence(worker, first);
		pthread_mutex_lock(&pool->lock);
		tell = put_down(worker, first);
		interrupted = worker->interrupted;
		worker->interrupted = false;
		if (!tell && !interrupted)
			continue;
		pthread_mutex_unlock(&pool->lock);
		if (tell)
			(void)sem_post(&pool->owner);
		/* On the way out of a system call a signal that was sent before is delivered. */
		if (interrupted)
			sched_yield();
		pthread_mutex_lock(&pool->lock);
	}
	workers_leave(pool);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * The owner's side of the pool: puts sequences into the queue, takes what has ended, cancels, and
 * sees to what nobody would see to when all threads hang. The threads' side is worker.c.
 *
 * Entries are made and taken back here only, so that this takes no lock; a sequence takes the lock
 * once on its way into the queue, together with all that were submitted since the last wait, and
 * what has ended is taken in one piece.
 *
 * To wake a thread costs more than a cached read. So the owner, when it waits, first waits for a
 * good part of what is in flight, but only for a moment and only as long as all threads have work;
 * then for the next that ends.
 */
#include "executor/workers.h"

#include <assert.h>
#include <errno.h>

#include "executor/interrupt.h"
#include "executor/worker.h"
#include "op/op.h"

/* How long, and for how many ops, the owner waits for more than one of them. */
#define GATHER_NS (NS_PER_MS / 5)
#define GATHER_OPS_MAX 256u

/* How long nothing may end before the threads are taken to be held up. */
#define STALL_NS (5 * NS_PER_MS)
/* So many times the number of threads that are made then is doubled. */
#define STALLS_MAX 6u

/* The pauses between signals to a thread that does not listen. */
#define AGAIN_MIN_NS NS_PER_MS
#define AGAIN_MAX_NS (100 * NS_PER_MS)

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void workers_sleep(struct workers *workers, uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
	                         .tv_nsec = (long)(until_ns % NS_PER_S)};

	pthread_mutex_unlock(&workers->lock);
	if (until_ns == UINT64_MAX)
		(void)sem_wait(&workers->owner);
	else
		(void)sem_clockwait(&workers->owner, CLOCK_MONOTONIC, &until);
	pthread_mutex_lock(&workers->lock);
}

/* ------------------------------------------------------------ entries -- */

static struct entry **bucket_of(const struct workers *workers, uint64_t id)
{
	return &workers->buckets[(id * UINT64_C(0x9e3779b97f4a7c15)) >>
	                         (64 - workers->bucket_bits)];
}

static struct entry *make_entry(struct workers *workers, const struct executor_request *request)
{
	struct entry *entry = workers->free;
	struct entry **bucket = bucket_of(workers, request->id);

	workers->free = entry->behind;
	entry->request = *request;
	entry->behind = NULL;
	entry->result = 0;
	entry->handed = false;
	atomic_store_explicit(&entry->cancelled, false, memory_order_relaxed);
	entry->same_bucket = *bucket;
	*bucket = entry;
	workers->in_flight++;
	return entry;
}

static void free_entry(struct workers *workers, struct entry *entry)
{
	struct entry **at = bucket_of(workers, entry->request.id);

	while (*at != entry)
		at = &(*at)->same_bucket;
	*at = entry->same_bucket;
	entry->behind = workers->free;
	workers->free = entry;
	workers->in_flight--;
}

static struct entry *find_entry(const struct workers *workers, uint64_t id)
{
	struct entry *entry = *bucket_of(workers, id);

	while (entry && entry->request.id != id)
		entry = entry->same_bucket;
	return entry;
}

/* ----------------------------------------------------------- handing in -- */

int workers_submit(struct workers *workers, const struct executor_request *requests, unsigned count,
                   uint64_t deadline_ns)
{
	struct entry *first, *last;

	if (count > workers->config.ops_max - workers->in_flight)
		return -EAGAIN;
	first = last = make_entry(workers, &requests[0]);
	first->first = first;
	for (unsigned i = 1; i < count; i++) {
		last->behind = make_entry(workers, &requests[i]);
		last = last->behind;
		last->first = first;
	}
	for (unsigned i = 0; i < count; i++) {
		assert(!op_is(requests[i].op, OP_IS_TIMER));
		assert(!requests[i].direct || (unsigned)requests[i].fd < workers->config.files);
		assert(!requests[i].direct2 || (unsigned)requests[i].fd2 < workers->config.files);
	}
	first->stage = ENTRY_QUEUED;
	first->count = count;
	first->deadline_ns = deadline_ns;
	first->worker = NULL;
	entry_queue_push(&workers->staged, first);
	workers->staged_count++;
	if (deadline_ns)
		workers->staged_deadline_ns = earlier(workers->staged_deadline_ns, deadline_ns);
	return 0;
}

/* Moves what is staged to the queue. Returns the idle workers that are to be woken for it. */
static struct worker *enqueue(struct workers *workers)
{
	struct entry_queue *staged = &workers->staged, *queue = &workers->queue;
	struct worker *wake = NULL;

	staged->first->previous = queue->last;
	if (queue->last)
		queue->last->next = staged->first;
	else
		queue->first = staged->first;
	queue->last = staged->last;
	workers->queue_deadline_ns =
		earlier(workers->queue_deadline_ns, workers->staged_deadline_ns);
	for (; workers->staged_count > 0 && workers->idle; workers->staged_count--) {
		struct worker *worker = workers->idle;

		workers->idle = worker->next_idle;
		worker->woken = true;
		worker->next_woken = wake;
		wake = worker;
	}
	*staged = (struct entry_queue){0};
	workers->staged_count = 0;
	workers->staged_deadline_ns = UINT64_MAX;
	return wake;
}

void workers_flush(struct workers *workers)
{
	struct worker *wake;

	if (!workers->staged.first)
		return;
	pthread_mutex_lock(&workers->lock);
	wake = enqueue(workers);
	pthread_mutex_unlock(&workers->lock);
	for (; wake; wake = wake->next_woken)
		pthread_cond_signal(&wake->wake);
}

/* --------------------------------------------------------- interrupting -- */

/* Ends a sequence that has not begun. Under the lock. */
static void end_queued(struct workers *workers, struct entry *first)
{
	entry_queue_remove(&workers->queue, first);
	for (struct entry *entry = first; entry; entry = entry->behind)
		entry->result = -ECANCELED;
	/* The owner is not waiting: it is here. */
	(void)workers_end(workers, first);
}

/* Sends a signal to a worker that is in a system call. Under the lock: it stays in its sequence. */
static void interrupt(struct workers *workers, struct worker *worker, uint64_t now_ns)
{
	worker->interrupted = true;
	interrupt_thread(worker->thread);
	worker->again_ns = now_ns + worker->pause_ns;
	worker->pause_ns = earlier(2 * worker->pause_ns, AGAIN_MAX_NS);
	workers->again_ns = earlier(workers->again_ns, worker->again_ns);
}

/*
 * Hands out what is over of a sequence that goes on: who cancels one of its ops is to learn which
 * it has come to. What stands before `current` was put down before that was stored.
 */
static void hand_out_early(struct workers *workers, struct entry *current)
{
	for (struct entry *entry = current->first; entry != current; entry = entry->behind) {
		if (entry->handed)
			continue;
		entry->handed = true;
		entry->next_early = workers->early;
		workers->early = entry;
	}
}

bool workers_cancel(struct workers *workers, uint64_t id)
{
	struct entry *entry = find_entry(workers, id);

	if (!entry)
		return false;
	workers_flush(workers);
	pthread_mutex_lock(&workers->lock);
	atomic_store(&entry->cancelled, true);
	if (entry->first->stage == ENTRY_QUEUED && entry == entry->first) {
		end_queued(workers, entry);
	} else if (entry->first->stage == ENTRY_RUNNING) {
		struct worker *worker = entry->first->worker;
		struct entry *current = atomic_load(&worker->current);

		if (current == entry && workers->interrupts) {
			worker->pause_ns = AGAIN_MIN_NS;
			interrupt(workers, worker, workers_now_ns());
		}
		if (current)
			hand_out_early(workers, current);
	}
	pthread_mutex_unlock(&workers->lock);
	return true;
}

/* Is the worker in an op that was cancelled? Under the lock. */
static bool is_deaf(struct worker *worker)
{
	const struct entry *current;

	if (!worker->running)
		return false;
	current = atomic_load(&worker->current);
	return current && atomic_load(&current->cancelled);
}

/* A signal that came before the system call was lost. Under the lock. */
static void interrupt_again(struct workers *workers, uint64_t now_ns)
{
	workers->again_ns = UINT64_MAX;
	for (struct worker *worker = workers->workers; worker; worker = worker->next) {
		if (worker->again_ns == UINT64_MAX)
			continue;
		if (!is_deaf(worker))
			worker->again_ns = UINT64_MAX;
		else if (now_ns >= worker->again_ns)
			interrupt(workers, worker, now_ns);
		else
			workers->again_ns = earlier(workers->again_ns, worker->again_ns);
	}
}

/* Ends what waits in the queue and is late: perhaps no thread ever gets there. Under the lock. */
static void end_late(struct workers *workers, uint64_t now_ns)
{
	struct entry *first = workers->queue.first;

	workers->queue_deadline_ns = UINT64_MAX;
	while (first) {
		struct entry *next = first->next;

		if (first->deadline_ns && now_ns >= first->deadline_ns)
			end_queued(workers, first);
		else if (first->deadline_ns)
			workers->queue_deadline_ns =
				earlier(workers->queue_deadline_ns, first->deadline_ns);
		first = next;
	}
}

/*
 * How many threads more are needed? It doubles from time to time: where a hundred ops hang, a
 * thread at a time would keep the others waiting past their deadlines. Under the lock.
 */
static unsigned are_missing(struct workers *workers, uint64_t now_ns)
{
	bool stalled = now_ns >= workers->stalled_ns;

	if (!workers->queue.first)
		workers->stalled_ns = UINT64_MAX;
	else if (workers->ended.first || stalled || workers->stalled_ns == UINT64_MAX)
		workers->stalled_ns = now_ns + STALL_NS;
	/* What ends in between is no sign of threads enough as long as something waits. */
	if (!workers->queue.first)
		workers->stalls = 0;
	else if (stalled && !workers->ended.first)
		return 1u << (workers->stalls < STALLS_MAX ? workers->stalls++ : STALLS_MAX);
	return 0;
}

static void do_what_is_due(struct workers *workers, uint64_t now_ns)
{
	if (!workers->config.deadlines)
		return;
	if (now_ns >= workers->queue_deadline_ns)
		end_late(workers, now_ns);
	if (now_ns >= workers->again_ns)
		interrupt_again(workers, now_ns);
}

uint64_t workers_due_ns(struct workers *workers)
{
	uint64_t due_ns = UINT64_MAX;

	workers_flush(workers);
	pthread_mutex_lock(&workers->lock);
	if (workers->queue.first && workers->threads_count < workers->config.threads_max)
		due_ns = workers->stalled_ns;
	if (workers->queue.first && workers->config.deadlines)
		due_ns = earlier(due_ns, workers->queue_deadline_ns);
	pthread_mutex_unlock(&workers->lock);
	return workers->config.deadlines ? earlier(due_ns, workers->again_ns) : due_ns;
}

/* ---------------------------------------------------------- handing out -- */

static unsigned hand_out(struct workers *workers, struct executor_completion *ret, unsigned max)
{
	unsigned count = 0;

	for (; count < max && workers->early; workers->early = workers->early->next_early) {
		ret[count].id = workers->early->request.id;
		ret[count].result = workers->early->result;
		count++;
	}
	while (count < max) {
		struct entry *entry = workers->handing;

		if (!entry) {
			entry = workers->taken;
			if (!entry)
				break;
			workers->taken = entry->next;
		}
		workers->handing = entry->behind;
		ret[count].id = entry->request.id;
		ret[count].result = entry->result;
		count += !entry->handed;
		free_entry(workers, entry);
	}
	return count;
}

unsigned workers_take(struct workers *workers, struct executor_completion *ret, unsigned max)
{
	unsigned count = hand_out(workers, ret, max);
	uint64_t now_ns;
	unsigned missing;

	workers_flush(workers);
	if (count == max)
		return count;
	now_ns = workers_now_ns();
	pthread_mutex_lock(&workers->lock);
	do_what_is_due(workers, now_ns);
	missing = are_missing(workers, now_ns);
	workers->taken = workers->ended.first;
	workers->ended = (struct entry_queue){0};
	workers->ended_count = 0;
	pthread_mutex_unlock(&workers->lock);
	if (missing > 0)
		workers_add(workers, missing);
	return count + hand_out(workers, ret + count, max - count);
}

/* Waits until `ops` have ended or, with fewer, a thread has nothing to do. */
static void wait_for_ended(struct workers *workers, unsigned ops, uint64_t until_ns)
{
	pthread_mutex_lock(&workers->lock);
	/* Calls that nobody waited for: what they said is looked at behind this. */
	while (sem_trywait(&workers->owner) == 0)
		;
	if (!workers->ended.first && !workers_are_woken(workers)) {
		workers->wake_at = ops;
		workers_sleep(workers, until_ns);
		workers->wake_at = 0;
	}
	pthread_mutex_unlock(&workers->lock);
}

unsigned workers_wait(struct workers *workers, struct executor_completion *ret, unsigned max,
                      uint64_t until_ns)
{
	unsigned count = workers_take(workers, ret, max);
	unsigned gather = workers->in_flight / 2;
	uint64_t now_ns;

	while (count == 0 && !workers_are_woken(workers)) {
		uint64_t wake_ns = earlier(until_ns, workers_due_ns(workers));

		now_ns = workers_now_ns();
		if (now_ns >= until_ns)
			break;
		if (gather > 1 && now_ns + GATHER_NS < wake_ns) {
			gather = gather < GATHER_OPS_MAX ? gather : GATHER_OPS_MAX;
			wait_for_ended(workers, gather, now_ns + GATHER_NS);
			gather = 0;
		} else {
			wait_for_ended(workers, 1, wake_ns);
		}
		count = workers_take(workers, ret, max);
	}
	return count;
}

void workers_wake(struct workers *workers)
{
	if (!atomic_exchange(&workers->woken, true))
		(void)sem_post(&workers->owner);
}

bool workers_are_woken(const struct workers *workers)
{
	return atomic_load(&workers->woken);
}

void workers_forget_wake(struct workers *workers)
{
	atomic_exchange(&workers->woken, false);
}

unsigned workers_in_flight(const struct workers *workers)
{
	return workers->in_flight;
}

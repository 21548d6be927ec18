/* SPDX-License-Identifier: MIT */
/*
 * The buffer is a ring of bytes with one writer and one reader: neither takes a lock unless it is
 * about to wait or the other one does. A gate is where one side waits for the other: who opens it
 * counts an event first and looks for waiters then; who waits says so first and looks for events
 * then. Objects are in the ring as they are handed out, as long as their used bytes.
 */
#include "ahead.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Holds seven of the longest objects, and some two thousand with paths as they usually are. */
#define RING_SIZE ((size_t)256 << 10)

/* An object may be as long as this, and begins only where so much is left up to the ring's end. */
#define OBJECT_MAX sizeof(struct iobatch_file)

/* Objects that are passed on together while the source does not wait for anything. */
#define FLUSH_COUNT 64

/* How long the end waits for a thread that is inside a system call. */
#define STOP_MAX_S 1

/* What is waited for at a gate. */
enum {
	NOTHING,
	EVENT,
	ROOM
};

struct gate {
	_Atomic uint64_t events;
	_Atomic int waited_for;
	pthread_cond_t cond;
};

struct ahead {
	struct iobatch_source *source;
	pthread_t thread;
	bool started;
	bool in_place;
	_Atomic bool stop;
	pthread_mutex_t lock; /* of waiting at the gates */
	struct gate producer; /* here the source waits: for room, or for objects to come back */
	struct gate consumer; /* here those who take objects wait, or are woken from */
	unsigned flush_count; /* of the source: written and not yet passed on */
	_Atomic bool ended;   /* `end` is what the source came to */
	int end;
	_Atomic bool listening;
	pthread_mutex_t wake_lock; /* held while `wake` is called */
	void (*wake)(void *waker);
	void *waker;
	char *ring;
	_Atomic size_t head; /* bytes written since the start */
	_Atomic size_t tail; /* bytes taken */
};

int ahead_new(struct iobatch_source *source, struct ahead **ret_ahead)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	pthread_condattr_t monotonic;

	if (!ahead)
		return -ENOMEM;
	ahead->ring = malloc(RING_SIZE);
	if (!ahead->ring) {
		free(ahead);
		return -ENOMEM;
	}
	ahead->source = source;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_mutex_init(&ahead->wake_lock, NULL);
	pthread_cond_init(&ahead->producer.cond, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&ahead->consumer.cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_ahead = ahead;
	return 0;
}

/* Where the object after the one at `at`, of `size` bytes, begins. */
static size_t ring_after(size_t at, size_t size)
{
	size_t place;

	at += (size + 7) & ~(size_t)7;
	place = at % RING_SIZE;
	return RING_SIZE - place < OBJECT_MAX ? at + RING_SIZE - place : at;
}

static bool ring_has_room(const struct ahead *ahead, size_t room)
{
	return ahead->head - ahead->tail + room <= RING_SIZE;
}

static void producer_signal(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	pthread_cond_signal(&ahead->producer.cond);
	pthread_mutex_unlock(&ahead->lock);
}

/* The producer's gate, for events: with room for nothing, it is not to be woken for each of them.
 */
static void producer_open(struct ahead *ahead)
{
	ahead->producer.events++;
	if (ahead->producer.waited_for == EVENT)
		producer_signal(ahead);
}

static void consumer_open(struct ahead *ahead)
{
	ahead->consumer.events++;
	if (ahead->consumer.waited_for == NOTHING)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->consumer.waited_for = NOTHING;
	pthread_cond_broadcast(&ahead->consumer.cond);
	pthread_mutex_unlock(&ahead->lock);
	if (!ahead->listening)
		return;
	pthread_mutex_lock(&ahead->wake_lock);
	if (ahead->wake)
		ahead->wake(ahead->waker);
	pthread_mutex_unlock(&ahead->wake_lock);
}

void ahead_flush(struct ahead *ahead)
{
	if (!ahead->flush_count)
		return;
	ahead->flush_count = 0;
	consumer_open(ahead);
}

void ahead_urgent(struct ahead *ahead)
{
	consumer_open(ahead);
}

void ahead_again(struct ahead *ahead)
{
	producer_open(ahead);
	if (ahead->in_place)
		consumer_open(ahead);
}

void ahead_released(struct ahead *ahead)
{
	ahead_again(ahead);
}

bool ahead_is_starving(struct ahead *ahead)
{
	return !ahead->listening && (ahead->in_place || ahead->consumer.waited_for == EVENT);
}

bool ahead_is_stopping(struct ahead *ahead)
{
	return ahead->stop;
}

/*
 * Waits for an event after `ticket`; or for room: that half of the ring is free, so that the two
 * sides do not wake each other for every object.
 */
static void producer_wait(struct ahead *ahead, int what, uint64_t ticket)
{
	pthread_mutex_lock(&ahead->lock);
	ahead->producer.waited_for = what;
	while (!ahead->stop) {
		if (what == ROOM ? ring_has_room(ahead, RING_SIZE / 2)
		                 : ahead->producer.events != ticket)
			break;
		pthread_cond_wait(&ahead->producer.cond, &ahead->lock);
	}
	ahead->producer.waited_for = NOTHING;
	pthread_mutex_unlock(&ahead->lock);
}

static void *ahead_run(void *argument)
{
	struct ahead *ahead = argument;
	struct iobatch_source *source = ahead->source;
	int rc = 0;

	while (!ahead->stop) {
		uint64_t ticket = ahead->producer.events;
		size_t head = ahead->head;
		struct iobatch_file *file = (struct iobatch_file *)(ahead->ring + head % RING_SIZE);

		if (!ring_has_room(ahead, OBJECT_MAX)) {
			ahead_flush(ahead);
			producer_wait(ahead, ROOM, ticket);
			continue;
		}
		rc = source->kind->next(source, file);
		if (rc == -EAGAIN) {
			ahead_flush(ahead);
			producer_wait(ahead, EVENT, ticket);
			continue;
		}
		if (rc <= 0)
			break;
		if (!source_keeps(source, file))
			continue;
		ahead->head = ring_after(head, iobatch_file_size(file));
		if (++ahead->flush_count == FLUSH_COUNT)
			ahead_flush(ahead);
	}
	ahead->end = rc;
	ahead->ended = true;
	consumer_open(ahead);
	return NULL;
}

/* All signals are for the program's own threads. */
static int ahead_start_thread(struct ahead *ahead)
{
	sigset_t all;
	sigset_t before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&ahead->thread, NULL, ahead_run, ahead);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static bool ring_take(struct ahead *ahead, struct iobatch_file *file)
{
	size_t tail = ahead->tail;
	const struct iobatch_file *first =
		(const struct iobatch_file *)(ahead->ring + tail % RING_SIZE);
	size_t size;

	if (tail == ahead->head)
		return false;
	size = iobatch_file_size(first);
	memcpy(file, first, size);
	ahead->tail = ring_after(tail, size);
	if (ahead->producer.waited_for == ROOM && ring_has_room(ahead, RING_SIZE / 2))
		producer_signal(ahead);
	return true;
}

/* What can be had at once: an object, the end, or -EAGAIN. */
static int ahead_try(struct ahead *ahead, struct iobatch_file *file)
{
	struct iobatch_source *source = ahead->source;
	bool ended;

	while (source->kind->urgent && source->kind->urgent(source, file))
		if (source_keeps(source, file))
			return 1;
	if (ahead->in_place) {
		int rc;

		do
			rc = source->kind->next(source, file);
		while (rc > 0 && !source_keeps(source, file));
		return rc;
	}
	/* In this order: what is in the ring at the end came before it. */
	ended = ahead->ended;
	if (ring_take(ahead, file))
		return 1;
	return ended ? ahead->end : -EAGAIN;
}

int ahead_next(struct ahead *ahead, struct iobatch_file *file)
{
	if (!ahead->started) {
		ahead->started = true;
		/* Only when there is no thread to read this. */
		if (ahead_start_thread(ahead))
			ahead->in_place = true;
	}
	for (;;) {
		uint64_t ticket = ahead->consumer.events;
		int rc = ahead_try(ahead, file);

		if (rc != -EAGAIN)
			return rc;
		ahead->consumer.waited_for = EVENT;
		if (!ahead->listening)
			producer_open(ahead);
		else if (ahead->consumer.events == ticket)
			return -EAGAIN;
		pthread_mutex_lock(&ahead->lock);
		for (;;) {
			/* Each time: who is late to open for an event before takes it away. */
			ahead->consumer.waited_for = EVENT;
			if (ahead->consumer.events != ticket)
				break;
			pthread_cond_wait(&ahead->consumer.cond, &ahead->lock);
		}
		ahead->consumer.waited_for = NOTHING;
		pthread_mutex_unlock(&ahead->lock);
	}
}

void ahead_listen(struct ahead *ahead, void (*wake)(void *waker), void *waker)
{
	pthread_mutex_lock(&ahead->wake_lock);
	ahead->wake = wake;
	ahead->waker = waker;
	ahead->listening = wake != NULL;
	pthread_mutex_unlock(&ahead->wake_lock);
}

/* Waits for the thread to be done, for a while. */
static bool wait_for_end(struct ahead *ahead)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_MAX_S;
	pthread_mutex_lock(&ahead->lock);
	for (;;) {
		ahead->consumer.waited_for = EVENT;
		if (ahead->ended || rc)
			break;
		rc = pthread_cond_timedwait(&ahead->consumer.cond, &ahead->lock, &until);
	}
	pthread_mutex_unlock(&ahead->lock);
	return ahead->ended;
}

bool ahead_stop(struct ahead *ahead)
{
	ahead->stop = true;
	if (!ahead->started || ahead->in_place)
		return true;
	if (ahead->source->kind->interrupt)
		ahead->source->kind->interrupt(ahead->source);
	producer_signal(ahead);
	if (!wait_for_end(ahead)) {
		pthread_detach(ahead->thread);
		return false;
	}
	pthread_join(ahead->thread, NULL);
	for (size_t at = ahead->tail; at != ahead->head;) {
		struct iobatch_file *file = (struct iobatch_file *)(ahead->ring + at % RING_SIZE);

		at = ring_after(at, iobatch_file_size(file));
		source_take_back(ahead->source, file);
	}
	return true;
}

void ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_destroy(&ahead->lock);
	pthread_mutex_destroy(&ahead->wake_lock);
	pthread_cond_destroy(&ahead->producer.cond);
	pthread_cond_destroy(&ahead->consumer.cond);
	free(ahead->ring);
	free(ahead);
}

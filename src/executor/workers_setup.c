/* SPDX-License-Identifier: MIT */
/*
 * Making the pool, its threads, and the end of both. A thread that hangs in a system call cannot be
 * ended: it is detached, and whoever leaves the pool last, the owner or such a thread, frees it.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/interrupt.h"
#include "executor/worker.h"

/* How long the end waits for what is in a system call, and how often it interrupts it. */
#define END_NS (100 * NS_PER_MS)
#define END_AGAIN_NS NS_PER_MS

/* The calls of ops need little. */
#define STACK_SIZE (256u << 10)

__attribute__((format(printf, 3, 4))) static void say(const struct workers_config *config,
                                                      enum iobatch_log_level level,
                                                      const char *format, ...)
{
	char message[160];
	va_list arguments;

	if (!config->log)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	config->log(config->log_context, level, message);
}

/* ----------------------------------------------------------- the threads -- */

/* What a worker does not block is what it cannot help, and the signal that interrupts it. */
static void fill_mask(const struct workers *workers, sigset_t *ret_mask)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

	sigfillset(ret_mask);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(ret_mask, faults[i]);
	if (workers->interrupts)
		sigdelset(ret_mask, INTERRUPT_SIGNAL);
}

static int start_thread(struct worker *worker)
{
	pthread_attr_t attributes;
	sigset_t mask, before;
	int error;

	error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	fill_mask(worker->pool, &mask);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	error = pthread_create(&worker->thread, &attributes, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

static int add_worker(struct workers *workers)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int result;

	if (!worker)
		return -ENOMEM;
	worker->pool = workers;
	worker->again_ns = UINT64_MAX;
	pthread_cond_init(&worker->wake, NULL);
	pthread_mutex_lock(&workers->lock);
	workers->users++;
	pthread_mutex_unlock(&workers->lock);
	result = start_thread(worker);
	if (result < 0) {
		pthread_mutex_lock(&workers->lock);
		workers->users--;
		pthread_mutex_unlock(&workers->lock);
		pthread_cond_destroy(&worker->wake);
		free(worker);
		return result;
	}
	worker->next = workers->workers;
	workers->workers = worker;
	workers->threads_count++;
	return 0;
}

void workers_add(struct workers *workers, unsigned count)
{
	int result = 0;

	while (count-- > 0 && result == 0 && workers->threads_count < workers->config.threads_max)
		result = add_worker(workers);
	if (result == 0)
		return;
	say(&workers->config, IOBATCH_LOG_WARNING,
	    "no further thread for system calls: %s; going on with fewer", strerror(-result));
	/* It is not tried again and again. */
	workers->config.threads_max = workers->threads_count;
}

void workers_grow(struct workers *workers, unsigned count)
{
	workers->config.threads_max += count;
}

/* -------------------------------------------------------- making, freeing -- */

static void free_pool(struct workers *workers)
{
	struct worker *next;

	for (struct worker *worker = workers->workers; worker; worker = next) {
		next = worker->next;
		pthread_cond_destroy(&worker->wake);
		free(worker);
	}
	for (unsigned i = 0; workers->files && i < workers->config.files; i++)
		if (workers->files[i] >= 0)
			close(workers->files[i]);
	sem_destroy(&workers->owner);
	pthread_mutex_destroy(&workers->lock);
	free(workers->files);
	free(workers->buckets);
	free(workers->entries);
	free(workers);
}

void workers_leave(struct workers *workers)
{
	bool last = --workers->users == 0;

	pthread_mutex_unlock(&workers->lock);
	if (last)
		free_pool(workers);
}

static void init_lock(struct workers *workers)
{
	pthread_mutexattr_t mutex;

	/* It is held for a moment only: to spin is better than to sleep. */
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&workers->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	sem_init(&workers->owner, 0, 0);
}

static int allocate(struct workers *workers)
{
	const struct workers_config *config = &workers->config;

	workers->bucket_bits = 4;
	while (UINT64_C(1) << workers->bucket_bits < config->ops_max)
		workers->bucket_bits++;
	workers->buckets = calloc((size_t)1 << workers->bucket_bits, sizeof(*workers->buckets));
	workers->entries = calloc(config->ops_max, sizeof(*workers->entries));
	if (!workers->buckets || !workers->entries)
		return -ENOMEM;
	for (unsigned i = config->ops_max; i-- > 0;) {
		workers->entries[i].behind = workers->free;
		workers->free = &workers->entries[i];
	}
	if (config->files == 0)
		return 0;
	workers->files = calloc(config->files, sizeof(*workers->files));
	if (!workers->files)
		return -ENOMEM;
	for (unsigned i = 0; i < config->files; i++)
		workers->files[i] = -1;
	return 0;
}

int workers_new(const struct workers_config *config, struct workers **ret_workers)
{
	struct workers *workers;
	int result;

	assert(config->threads > 0 && config->ops_max > 0);
	workers = calloc(1, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	workers->config = *config;
	workers->users = 1;
	workers->staged_deadline_ns = UINT64_MAX;
	workers->queue_deadline_ns = UINT64_MAX;
	workers->again_ns = UINT64_MAX;
	workers->stalled_ns = UINT64_MAX;
	init_lock(workers);
	result = allocate(workers);
	if (result < 0)
		goto fail;
	if (config->deadlines) {
		workers->interrupts = interrupt_acquire();
		if (!workers->interrupts)
			say(config, IOBATCH_LOG_WARNING,
			    "the program has a handler for SIGURG: deadlines cannot interrupt "
			    "system calls");
	}
	result = add_worker(workers);
	if (result < 0)
		goto fail;
	if (workers->config.threads_max < config->threads)
		workers->config.threads_max = config->threads;
	workers_add(workers, config->threads - workers->threads_count);
	*ret_workers = workers;
	return 0;
fail:
	workers_free(workers);
	return result;
}

/* Has the threads end, and those that are in a system call come out of it. Under the lock. */
static void quit(struct workers *workers)
{
	workers->quit = true;
	for (struct worker *worker = workers->idle; worker; worker = worker->next_idle) {
		worker->woken = true;
		pthread_cond_signal(&worker->wake);
	}
	workers->idle = NULL;
	for (struct worker *worker = workers->workers; worker; worker = worker->next)
		for (struct entry *entry = worker->running; entry; entry = entry->behind)
			atomic_store(&entry->cancelled, true);
}

/* Gives those that are in a system call a moment to come out of it. Under the lock. */
static void wait_for_running(struct workers *workers)
{
	uint64_t end_ns = workers_now_ns() + END_NS, now_ns;

	for (;;) {
		bool any = false;

		for (struct worker *worker = workers->workers; worker; worker = worker->next) {
			any |= worker->running != NULL;
			if (worker->running && workers->interrupts)
				interrupt_thread(worker->thread);
		}
		now_ns = workers_now_ns();
		if (!any || now_ns >= end_ns)
			return;
		workers_sleep(workers, now_ns + END_AGAIN_NS);
	}
}

/* Waits for the threads to end, except for those that hang. */
static void end_threads(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	quit(workers);
	wait_for_running(workers);
	for (struct worker *worker = workers->workers; worker; worker = worker->next) {
		worker->woken = worker->running == NULL;
		if (worker->running)
			pthread_detach(worker->thread);
	}
	pthread_mutex_unlock(&workers->lock);
	/* Only the owner knows this list, and the last one here frees it. */
	for (struct worker *worker = workers->workers; worker; worker = worker->next)
		if (worker->woken)
			pthread_join(worker->thread, NULL);
}

void workers_free(struct workers *workers)
{
	struct entry *next;

	if (!workers)
		return;
	end_threads(workers);
	if (workers->interrupts)
		interrupt_release();
	/* What has ended in the meantime, and nobody has taken. */
	if (workers->handing)
		workers_give_up(workers->handing);
	for (struct entry *first = workers->taken; first; first = next) {
		next = first->next;
		workers_give_up(first);
	}
	pthread_mutex_lock(&workers->lock);
	for (struct entry *first = workers->ended.first; first; first = next) {
		next = first->next;
		workers_give_up(first);
	}
	workers_leave(workers);
}

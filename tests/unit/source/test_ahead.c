/* SPDX-License-Identifier: MIT */
/*
 * Sources that run in a thread of their own: that all objects come through whole and in order, who
 * waits for whom, and that nobody waits for a source that hangs.
 */
#include "tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source/source.h"

/* The linker's names for the function that is stood in for. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

static bool without_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
	if (without_threads)
		return EAGAIN;
	return __real_pthread_create(thread, attributes, start, argument);
}

static int in_place(void **state)
{
	(void)state;
	without_threads = true;
	return 0;
}

static int in_threads(void **state)
{
	(void)state;
	without_threads = false;
	return 0;
}

/* Objects with a number in them, of all lengths. */
struct counter {
	struct iobatch_source source;
	unsigned next;
	unsigned count;
	int end;
	unsigned waits_at; /* says -EAGAIN there until something has come back */
	_Atomic unsigned back;
	int hangs_in; /* a pipe that `next` reads from at the end; -1 = none */
	_Atomic bool freed;
};

static size_t length_of(unsigned number)
{
	/* Some of the longest in a row, so that the ring is full with few. */
	if (number % 100 < 12)
		return IOBATCH_PATH_MAX - 1 - number % 5;
	return number * 37 % 500;
}

static int counter_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct counter *counter = (struct counter *)source;
	static char path[IOBATCH_PATH_MAX];
	char byte;

	if (counter->next == counter->waits_at && !counter->back)
		return -EAGAIN;
	if (counter->next == counter->count) {
		source_flush(source);
		if (counter->hangs_in >= 0 && read(counter->hangs_in, &byte, 1) < 0)
			return -EIO;
		return counter->end;
	}
	memset(path, 'a' + (int)(counter->next % 26), sizeof(path));
	source_fill(file, path, length_of(counter->next));
	file->offset = counter->next++;
	return 1;
}

static void counter_free(struct iobatch_source *source)
{
	((struct counter *)source)->freed = true;
}

static const struct source_kind counter_kind = {.next = counter_next, .free = counter_free};

static void counter_init(struct counter *counter, unsigned count, int end)
{
	memset(counter, 0, sizeof(*counter));
	source_init(&counter->source, &counter_kind, IOBATCH_UNKNOWN);
	counter->count = count;
	counter->end = end;
	counter->waits_at = UINT32_MAX;
	counter->hangs_in = -1;
	assert_int_equal(source_run_ahead(&counter->source), 0);
}

static void assert_object(const struct iobatch_file *file, ssize_t size, unsigned number)
{
	assert_int_equal(size, iobatch_file_size(file));
	assert_int_equal(file->offset, number);
	assert_int_equal(file->path_length, length_of(number));
	for (size_t i = 0; i < file->path_length; i++)
		if (file->path[i] != 'a' + (int)(number % 26))
			fail();
}

static void objects_come_whole_and_in_order(void **state)
{
	struct iobatch_file *file = malloc(sizeof(*file));
	struct counter counter;
	struct iobatch_items items;

	(void)state;
	counter_init(&counter, 20000, -EIO);
	items = iobatch_source_items(&counter.source);
	for (unsigned i = 0; i < 20000; i++)
		assert_object(file, items.next(items.context, file), i);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(items.next(items.context, file), -EIO);
	iobatch_source_free(&counter.source);
	assert_true(counter.freed);
	free(file);
}

struct ear {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned woken;
};

static void wake(void *waker)
{
	struct ear *ear = waker;

	pthread_mutex_lock(&ear->lock);
	ear->woken++;
	pthread_cond_signal(&ear->cond);
	pthread_mutex_unlock(&ear->lock);
}

static void wait_for_wake(struct ear *ear)
{
	pthread_mutex_lock(&ear->lock);
	while (!ear->woken)
		pthread_cond_wait(&ear->cond, &ear->lock);
	ear->woken = 0;
	pthread_mutex_unlock(&ear->lock);
}

static void who_listens_is_told_when_there_is_more(void **state)
{
	struct ear ear = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	struct iobatch_file *file = malloc(sizeof(*file));
	struct counter counter;
	struct iobatch_items items;
	ssize_t size;

	(void)state;
	counter_init(&counter, 3000, 0);
	items = iobatch_source_items(&counter.source);
	items.listen(items.context, wake, &ear);
	for (unsigned i = 0; i <= 3000; i++) {
		while ((size = items.next(items.context, file)) == -EAGAIN)
			wait_for_wake(&ear);
		if (i == 3000)
			assert_int_equal(size, 0);
		else
			assert_object(file, size, i);
	}
	items.listen(items.context, NULL, NULL);
	iobatch_source_free(&counter.source);
	free(file);
}

/* Both ways of waiting: of the source for an object to come back, and of the taker for the source.
 */
static void a_source_goes_on_when_something_comes_back(void **state)
{
	struct ear ear = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	struct iobatch_file *file = malloc(sizeof(*file));
	struct counter counter;
	struct iobatch_items items;

	(void)state;
	counter_init(&counter, 20, 0);
	counter.waits_at = 15;
	items = iobatch_source_items(&counter.source);
	items.listen(items.context, wake, &ear);
	for (unsigned i = 0; i < 15; i++) {
		ssize_t size;

		while ((size = items.next(items.context, file)) == -EAGAIN)
			wait_for_wake(&ear);
		assert_object(file, size, i);
	}
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(items.next(items.context, file), -EAGAIN);
	counter.back++;
	file->directory = NULL;
	items.release(items.context, file);
	for (unsigned i = 15; i < 20; i++) {
		ssize_t size;

		while ((size = items.next(items.context, file)) == -EAGAIN)
			wait_for_wake(&ear);
		assert_object(file, size, i);
	}
	items.listen(items.context, NULL, NULL);
	iobatch_source_free(&counter.source);
	free(file);
}

static void a_source_that_waits_for_room_is_stopped(void **state)
{
	struct iobatch_file *file = malloc(sizeof(*file));
	struct counter counter;
	struct iobatch_items items;

	(void)state;
	for (unsigned taken = 1; taken <= 20; taken++) {
		counter_init(&counter, UINT32_MAX, 0);
		items = iobatch_source_items(&counter.source);
		for (unsigned i = 0; i < taken; i++)
			assert_object(file, items.next(items.context, file), i);
		iobatch_source_free(&counter.source);
		assert_true(counter.freed);
	}
	/* Nor is one that was never asked. */
	counter_init(&counter, 1, 0);
	iobatch_source_free(&counter.source);
	assert_true(counter.freed);
	free(file);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void a_source_that_hangs_is_left_behind(void **state)
{
	/* What the thread may come back to has to stay. */
	static struct counter counter;
	static struct iobatch_file file;
	struct iobatch_items items;
	double start;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	counter_init(&counter, 3, 0);
	counter.hangs_in = ends[0];
	items = iobatch_source_items(&counter.source);
	/* What was given before it hangs comes through. */
	for (unsigned i = 0; i < 3; i++)
		assert_object(&file, items.next(items.context, &file), i);
	start = seconds();
	iobatch_source_free(&counter.source);
	assert_true(seconds() - start > 0.5);
	assert_false(counter.freed);
	assert_int_equal(write(ends[1], "x", 1), 1);
}

#define IN_BOTH(test)                                                \
	cmocka_unit_test_setup(test, in_threads),                    \
	{                                                            \
#test "_in_place", test, in_place, in_threads, NULL, \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOTH(objects_come_whole_and_in_order),
		IN_BOTH(who_listens_is_told_when_there_is_more),
		IN_BOTH(a_source_goes_on_when_something_comes_back),
		IN_BOTH(a_source_that_waits_for_room_is_stopped),
		cmocka_unit_test_setup(a_source_that_hangs_is_left_behind, in_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Streams that have nothing now and say when they have more, from a thread of their own: no item
 * waits for one that is not there, no wake is lost, and time goes on in between.
 */
#include "trial.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"

#define PATIENCE_S 30
#define BATCH 16u
#define RINGS 3u

/* A stream of the numbers from 0, and what has become of them. */
struct stream {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t there; /* as many numbers may be given */
	uint64_t given;
	uint64_t settled;
	uint64_t released;
	uint64_t told; /* by on_progress: processed */
	uint64_t dry;  /* how often there was nothing */
	bool dry_now;  /* and nobody was woken since */
	int end;       /* what `next` returns then, unless that is -EAGAIN */
	void (*wake)(void *waker);
	void *waker;
	unsigned begun, over; /* calls of listen */
	unsigned asked_late;  /* calls of next after it was over, or before it had begun */
	bool impatient;       /* something took too long */
	struct run *run;      /* once an item has begun */
	pthread_t runner;

	struct iobatch_items items;
	struct iobatch_processor processor;
	struct iobatch_options options;
	struct iobatch_result result;
	struct iobatch_progress progress; /* the last */
	int silent[2];                    /* a pipe */

	/* What its thread does, and with what. */
	void (*feed)(struct stream *stream);
};

/* ------------------------------------------------------- the engine's side -- */

static ssize_t pull(void *context, void *object)
{
	struct stream *stream = context;
	ssize_t result = sizeof(uint64_t);

	pthread_mutex_lock(&stream->lock);
	stream->asked_late += !stream->wake;
	if (stream->given < stream->there) {
		*(uint64_t *)object = stream->given++;
	} else {
		result = stream->end;
		stream->dry += result == -EAGAIN;
		stream->dry_now |= result == -EAGAIN;
		pthread_cond_broadcast(&stream->changed);
	}
	pthread_mutex_unlock(&stream->lock);
	return result;
}

static void listen_to(void *context, void (*wake)(void *waker), void *waker)
{
	struct stream *stream = context;

	pthread_mutex_lock(&stream->lock);
	stream->wake = wake;
	stream->waker = waker;
	stream->begun += wake != NULL;
	stream->over += wake == NULL && pthread_equal(pthread_self(), stream->runner);
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static void release(void *context, void *object)
{
	struct stream *stream = context;

	(void)object;
	pthread_mutex_lock(&stream->lock);
	stream->released++;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct stream *stream = context;

	pthread_mutex_lock(&stream->lock);
	stream->settled += *(const uint64_t *)outcome->object == outcome->index;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct stream *stream = context;

	assert_true(progress->current_batch <= progress->total_batches);
	assert_true(progress->total_batches >= stream->progress.total_batches);
	pthread_mutex_lock(&stream->lock);
	stream->progress = *progress;
	stream->told = progress->processed;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	struct stream *stream = context;

	if (done->count > 0)
		return IOBATCH_DONE;
	pthread_mutex_lock(&stream->lock);
	stream->run = slot_reaper((struct slot *)item)->run;
	pthread_mutex_unlock(&stream->lock);
	iobatch_chain_add(chain, iobatch_op_nop());
	return IOBATCH_MORE;
}

/* ----------------------------------------------------- the stream's thread -- */

static bool is_dry(const struct stream *stream)
{
	return stream->dry_now;
}

static bool are_all_released(const struct stream *stream)
{
	return stream->released == stream->there && stream->settled == stream->there;
}

static bool are_all_told(const struct stream *stream)
{
	return stream->told == stream->there;
}

/* Waits until something is so. */
static void await(struct stream *stream, bool (*is_so)(const struct stream *stream))
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&stream->lock);
	while (!is_so(stream) && !stream->impatient)
		stream->impatient =
			pthread_cond_timedwait(&stream->changed, &stream->lock, &until) != 0;
	pthread_mutex_unlock(&stream->lock);
}

/* There is more. Whoever was told that there is nothing hears of it; others, if `always`. */
static void give(struct stream *stream, uint64_t count, bool always)
{
	pthread_mutex_lock(&stream->lock);
	stream->there += count;
	if (stream->wake && (stream->dry_now || always)) {
		stream->dry_now = false;
		stream->wake(stream->waker);
	}
	pthread_mutex_unlock(&stream->lock);
}

static void end_with(struct stream *stream, int end)
{
	pthread_mutex_lock(&stream->lock);
	stream->end = end;
	if (stream->wake)
		stream->wake(stream->waker);
	pthread_mutex_unlock(&stream->lock);
}

static void *feeder(void *context)
{
	struct stream *stream = context;

	stream->feed(stream);
	return NULL;
}

/* ------------------------------------------------------------------- runs -- */

static void stream_init(struct stream *stream, unsigned executor, unsigned rings)
{
	*stream = (struct stream){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.end = -EAGAIN,
		.processor = IOBATCH_PROCESSOR_INIT,
		.options = IOBATCH_OPTIONS_INIT,
		.result = IOBATCH_RESULT_INIT,
		.runner = pthread_self(),
		.items = iobatch_items_stream(pull, stream, sizeof(uint64_t)),
	};
	stream->items.listen = listen_to;
	stream->items.release = release;
	stream->processor.context = stream;
	stream->processor.next = next;
	stream->options.executor = executor;
	stream->options.rings = rings;
	stream->options.batch_size = BATCH;
	stream->options.max_concurrent = 2 * rings;
	stream->options.context = stream;
	stream->options.on_settled = on_settled;
	stream->options.on_progress = on_progress;
	assert_int_equal(pipe(stream->silent), 0);
}

static int stream_run(struct stream *stream, void (*feed)(struct stream *stream))
{
	unsigned descriptors = trial_open_descriptors();
	pthread_t thread;
	int error;

	stream->feed = feed;
	assert_int_equal(pthread_create(&thread, NULL, feeder, stream), 0);
	error = iobatch_run(&stream->items, &stream->processor, &stream->options, &stream->result);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(stream->impatient);
	assert_int_equal(stream->begun, 1);
	assert_int_equal(stream->over, 1);
	assert_null(stream->wake);
	assert_int_equal(stream->asked_late, 0);
	assert_int_equal(trial_open_descriptors(), descriptors);
	return error;
}

/* All that was there has been run, and is back. */
static void stream_check(const struct stream *stream)
{
	assert_int_equal(stream->result.total_processed, stream->there);
	assert_int_equal(stream->settled, stream->there);
	assert_int_equal(stream->released, stream->there);
	assert_int_equal(stream->progress.processed, stream->there);
	assert_int_equal(stream->progress.pending, 0);
	assert_int_equal(stream->progress.total_batches, stream->result.total_batches);
}

static void stream_deinit(struct stream *stream)
{
	iobatch_result_deinit(&stream->result);
	close(stream->silent[0]);
	close(stream->silent[1]);
}

/* ------------------------------------------------------------------ tests -- */

/* Each burst is run to its end before the next one comes: nothing is held back. */
static void feed_bursts(struct stream *stream)
{
	for (unsigned i = 0; i < 300 && !stream->impatient; i++) {
		unsigned count = 1 + i * 7 % (3 * BATCH);

		await(stream, is_dry);
		give(stream, count, false);
		await(stream, are_all_released);
	}
	await(stream, is_dry);
	end_with(stream, 0);
}

static void what_comes_in_bursts_is_run_at_once_and_batches_are_filled(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= RINGS; rings += RINGS - 1) {
		struct stream stream;

		stream_init(&stream, executor, rings);
		assert_int_equal(stream_run(&stream, feed_bursts), 0);
		stream_check(&stream);
		assert_int_equal(stream.result.successful, stream.there);
		assert_int_equal(stream.result.total_batches, (stream.there + BATCH - 1) / BATCH);
		stream_deinit(&stream);
	}
}

/* One by one, as quickly as it goes, and a wake only when somebody has found nothing. */
static void feed_quickly(struct stream *stream)
{
	for (unsigned i = 0; i < 30000; i++)
		give(stream, 1, i % 1000 == 0);
	end_with(stream, 0);
}

static void no_wake_is_lost(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= RINGS; rings += RINGS - 1) {
		struct stream stream;

		stream_init(&stream, executor, rings);
		stream.options.on_progress = NULL;
		assert_int_equal(stream_run(&stream, feed_quickly), 0);
		assert_int_equal(stream.there, 30000);
		assert_int_equal(stream.released, 30000);
		assert_int_equal(stream.settled, 30000);
		stream_deinit(&stream);
	}
}

static void feed_error(struct stream *stream)
{
	await(stream, is_dry);
	give(stream, 3, false);
	await(stream, are_all_released);
	await(stream, is_dry);
	end_with(stream, -EIO);
}

static void an_error_comes_by_a_wake_as_well(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= RINGS; rings += RINGS - 1) {
		struct stream stream;

		stream_init(&stream, executor, rings);
		assert_int_equal(stream_run(&stream, feed_error), -EIO);
		stream_check(&stream);
		stream_deinit(&stream);
	}
}

static void feed_what_is_known(struct stream *stream)
{
	for (unsigned i = 0; i < 20; i++) {
		await(stream, is_dry);
		give(stream, 5, false);
	}
}

static void a_stream_of_known_length_is_not_asked_for_its_end(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= RINGS; rings += RINGS - 1) {
		struct stream stream;

		stream_init(&stream, executor, rings);
		stream.items.count = 100;
		assert_int_equal(stream_run(&stream, feed_what_is_known), 0);
		assert_int_equal(stream.result.total_processed, 100);
		stream_check(&stream);
		stream_deinit(&stream);
	}
}

static int next_pipe(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	struct stream *stream = context;

	if (done->count > 0)
		return IOBATCH_DONE;
	iobatch_chain_add(
		chain, iobatch_op_read(IOBATCH_FD(stream->silent[0]), item->state, 1, UINT64_MAX));
	return IOBATCH_MORE;
}

static void feed_what_hangs(struct stream *stream)
{
	for (unsigned i = 0; i < 3; i++) {
		await(stream, is_dry);
		give(stream, 2, false);
		await(stream, are_all_released);
	}
	end_with(stream, 0);
}

static void deadlines_and_backoffs_go_on_while_there_is_nothing(void **state)
{
	unsigned executor = trial_executor(state);
	struct stream stream;

	stream_init(&stream, executor, 1);
	stream.processor.next = next_pipe;
	stream.processor.state_size = 1;
	stream.options.timeout_ms = 20;
	stream.options.retries = 1;
	stream.options.backoff_ms = 5;
	stream.options.threads = 4;
	assert_int_equal(stream_run(&stream, feed_what_hangs), 0);
	stream_check(&stream);
	assert_int_equal(stream.result.failed, 6);
	stream_deinit(&stream);
}

static void feed_and_look(struct stream *stream)
{
	for (unsigned i = 0; i < 5; i++) {
		await(stream, is_dry);
		give(stream, 3, false);
		await(stream, are_all_told);
	}
	end_with(stream, 0);
}

static void progress_is_told_while_there_is_nothing(void **state)
{
	unsigned executor = trial_executor(state);
	struct stream stream;

	stream_init(&stream, executor, 1);
	stream.options.progress_interval_ms = 20;
	assert_int_equal(stream_run(&stream, feed_and_look), 0);
	stream_check(&stream);
	stream_deinit(&stream);
}

static void feed_and_halt(struct stream *stream)
{
	await(stream, is_dry);
	give(stream, 1, false);
	await(stream, are_all_released);
	await(stream, is_dry);
	halt_run(stream->run, -ETIMEDOUT, "halted");
}

static void a_run_that_is_halted_does_not_wait_for_more(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned rings = 1; rings <= RINGS; rings += RINGS - 1) {
		struct stream stream;

		stream_init(&stream, executor, rings);
		assert_int_equal(stream_run(&stream, feed_and_halt), -ETIMEDOUT);
		assert_int_equal(stream.result.total_processed, 1);
		stream_deinit(&stream);
	}
}

#define PAUSE_MS 100u
#define PAUSES 5u

/* Waits for more than a pause while there is nothing, and then gives one. */
static void feed_slowly(struct stream *stream)
{
	const struct timespec rest = {.tv_nsec = (PAUSE_MS + 20) * 1000000};

	for (unsigned i = 0; i < 1 + PAUSES; i++) {
		await(stream, is_dry);
		nanosleep(&rest, NULL);
		give(stream, 1, false);
		await(stream, are_all_released);
	}
	end_with(stream, 0);
}

/* The time in which there was nothing is no pause behind the first. */
static void feed_late(struct stream *stream)
{
	const struct timespec rest = {.tv_nsec = (PAUSE_MS + 20) * 1000000};

	await(stream, is_dry);
	nanosleep(&rest, NULL);
	give(stream, 1 + PAUSES, true);
	end_with(stream, 0);
}

static double run_slowly(unsigned executor, void (*feed)(struct stream *stream))
{
	struct stream stream;
	double elapsed_ms;

	stream_init(&stream, executor, 1);
	stream.options.max_concurrent = 1;
	stream.options.delay_ms = PAUSE_MS;
	assert_int_equal(stream_run(&stream, feed), 0);
	stream_check(&stream);
	elapsed_ms = stream.result.processing_time_ms;
	stream_deinit(&stream);
	return elapsed_ms;
}

static void feed_one_and_then_many(struct stream *stream)
{
	await(stream, is_dry);
	give(stream, 1, false);
	await(stream, are_all_released);
	give(stream, PAUSES, true);
	end_with(stream, 0);
}

static void pauses_are_kept_between_batches_and_go_on_while_there_is_nothing(void **state)
{
	unsigned executor = trial_executor(state);
	double elapsed_ms = 1e9;

	assert_true(run_slowly(executor, feed_one_and_then_many) >= PAUSES * PAUSE_MS);
	assert_true(run_slowly(executor, feed_late) >= (1 + PAUSES) * PAUSE_MS);
	/* A busy machine may be slow now and then. */
	for (unsigned i = 0; i < 3 && elapsed_ms > 1.7 * PAUSES * PAUSE_MS; i++)
		elapsed_ms = run_slowly(executor, feed_slowly);
	assert_true(elapsed_ms <= 1.7 * PAUSES * PAUSE_MS);
}

static void without_listen_there_must_be_something(void **state)
{
	struct stream stream;

	stream_init(&stream, trial_executor(state), 1);
	stream.items.listen = NULL;
	assert_int_equal(
		iobatch_run(&stream.items, &stream.processor, &stream.options, &stream.result),
		-EAGAIN);
	assert_int_equal(stream.result.total_processed, 0);
	stream_deinit(&stream);
}

static void simulated_time_does_not_listen(void **state)
{
	struct stream stream;

	(void)state;
	stream_init(&stream, IOBATCH_EXECUTOR_SIMULATED, 1);
	stream.there = 100;
	stream.end = 0;
	assert_int_equal(
		iobatch_run(&stream.items, &stream.processor, &stream.options, &stream.result), 0);
	stream_check(&stream);
	assert_int_equal(stream.begun + stream.over, 0);
	stream_deinit(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_REAL(what_comes_in_bursts_is_run_at_once_and_batches_are_filled),
		TRIAL_ON_REAL(no_wake_is_lost),
		TRIAL_ON_REAL(an_error_comes_by_a_wake_as_well),
		TRIAL_ON_REAL(a_stream_of_known_length_is_not_asked_for_its_end),
		TRIAL_ON_REAL(deadlines_and_backoffs_go_on_while_there_is_nothing),
		TRIAL_ON_REAL(progress_is_told_while_there_is_nothing),
		TRIAL_ON_REAL(a_run_that_is_halted_does_not_wait_for_more),
		TRIAL_ON_REAL(pauses_are_kept_between_batches_and_go_on_while_there_is_nothing),
		TRIAL_ON_EACH(without_listen_there_must_be_something),
		cmocka_unit_test(simulated_time_does_not_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

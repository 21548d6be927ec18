/* SPDX-License-Identifier: MIT */
/*
 * Storms: 100,000 items, while others pause, resume, change the limits up and down, and drain or
 * cancel at any moment: from threads, from signal handlers at 1 kHz and more, and on the simulator
 * from an item, by a seed. Whatever they ask, each item that was taken has one outcome, nothing is
 * left in flight or open, and the result says what was seen.
 *
 * Arguments: how many seeds (default 100), and a pattern of the tests to run.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "trial.h"

#define ITEMS 100000u
#define ITEMS_FEW 1500u
#define RETRIES 2u
#define CONCURRENT 6u
#define CONCURRENT_MAX 12u
#define ASKERS 2u
#ifdef __SANITIZE_THREAD__
/* That tool leaves signals blocked behind a handler that interrupts pthread_sigmask(). */
#define ASKED_MIN 0u
#else
#define ASKED_MIN 500u
#endif

/* Also from threads in which cmocka's asserts cannot be used. */
#define CHECK(condition)                                                               \
	((condition) ? (void)0                                                         \
	             : (fprintf(stderr, "seed %llu, line %d: %s\n",                    \
	                        (unsigned long long)storm.seed, __LINE__, #condition), \
	                abort()))

enum ending {
	ENDING_NONE,
	ENDING_DRAIN,
	ENDING_CANCEL,
	ENDINGS
};

struct record {
	uint8_t attempts;
	uint8_t outcomes;
	uint8_t released;
	bool cancelled; /* its outcome is ECANCELED */
};

static struct storm {
	uint64_t seed;
	_Atomic uint64_t random; /* of those who ask */
	struct iobatch_control *control;
	unsigned count;
	enum ending ending;
	unsigned ends_at; /* items that have settled before */
	bool operated;    /* item 0 is the one who asks */
	bool plain;       /* nothing fails, and all is resumed */
	struct record records[ITEMS];
	_Atomic unsigned settled, successful, failed, started, retries;
	_Atomic unsigned asked; /* requests */
	_Atomic bool over;      /* the run is */
	unsigned left;          /* that the operator still makes */
	uint64_t digest;        /* of the order of outcomes */
	pthread_t runner;
} storm;

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Signal-safe, like all that asks. */
static uint64_t draw(uint64_t limit)
{
	return mix(atomic_fetch_add(&storm.random, 0x9e3779b97f4a7c15u)) % limit;
}

static void set(enum iobatch_limit limit, uint64_t value)
{
	CHECK(iobatch_control_set(storm.control, limit, value) == 0);
}

static void ask(void)
{
	struct iobatch_control *control = storm.control;

	storm.asked++;
	if (storm.ending && storm.settled >= storm.ends_at && draw(4) == 0) {
		if (storm.ending == ENDING_CANCEL)
			iobatch_control_cancel(control);
		else
			iobatch_control_drain(control);
	}
	switch (draw(10)) {
	case 0:
	case 1:
	case 2:
		iobatch_control_pause(control);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		iobatch_control_resume(control);
		break;
	case 7:
		set(IOBATCH_LIMIT_MAX_CONCURRENT, 1 + draw(CONCURRENT_MAX));
		break;
	case 8:
		set(IOBATCH_LIMIT_DELAY_MS, draw(20) == 0);
		break;
	default:
		set(IOBATCH_LIMIT_ITEMS_PER_S, draw(4) ? 0 : 1 + draw(1000000));
		break;
	}
}

/* All goes on again. */
static void let_go(void)
{
	iobatch_control_resume(storm.control);
	set(IOBATCH_LIMIT_MAX_CONCURRENT, CONCURRENT_MAX);
	set(IOBATCH_LIMIT_DELAY_MS, 0);
	set(IOBATCH_LIMIT_ITEMS_PER_S, 0);
}

/* --------------------------------------------------------------- the items -- */

static int operate(struct iobatch_chain *chain)
{
	if (storm.left == 0) {
		let_go();
		return IOBATCH_DONE;
	}
	storm.left--;
	ask();
	iobatch_chain_add(chain, iobatch_op_timeout(draw(3) ? draw(100000) : draw(5000000)));
	return IOBATCH_MORE;
}

static int next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                struct iobatch_chain *chain)
{
	uint64_t kind = storm.plain ? item->index % 2 : mix(item->index + storm.seed) % 16;
	struct record *record = &storm.records[item->index];

	(void)context;
	CHECK(!record->outcomes && !record->released);
	if (storm.operated && item->index == 0) {
		record->attempts = 1;
		return operate(chain);
	}
	if (done->count > 0 && (!storm.plain || item->index > 0 || storm.asked >= ASKED_MIN))
		return IOBATCH_DONE;
	if (done->count > 0) {
		/* The run goes on until there were signals enough. */
		iobatch_chain_add(chain, iobatch_op_timeout(1000000));
		return IOBATCH_MORE;
	}
	record->attempts++;
	CHECK(record->attempts == item->attempt && item->attempt <= RETRIES + 1);
	storm.started += item->attempt == 1;
	storm.retries += item->attempt > 1;
	if (kind == 1) {
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "/dev/null", O_RDONLY, 0));
		iobatch_chain_add(chain, iobatch_op_read(0, item->state, 8, 0));
	} else if (kind == 2 && item->index % 16 == 0) {
		iobatch_chain_add(chain, iobatch_op_openat(0, AT_FDCWD, "/nonexistent/item", 0, 0));
	} else if (storm.plain && kind == 0) {
		/* So that it takes a while. */
		iobatch_chain_add(chain, iobatch_op_timeout(500000));
	} else if (kind == 3 && item->index % 100 == 3) {
		iobatch_chain_add(chain, iobatch_op_timeout(draw(1000000)));
	} else {
		iobatch_chain_add(chain, iobatch_op_nop());
	}
	return IOBATCH_MORE;
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	const struct slot *slot = (const struct slot *)item;
	struct record *record = &storm.records[item->index];

	(void)context;
	CHECK(record->outcomes == 0 && !record->released);
	CHECK(outcome->attempts == record->attempts);
	CHECK(!outcome->stuck && slot->outstanding == 0 && slot->files_open == 0);
	CHECK(outcome->attempts > 0 || outcome->error == -ECANCELED);
	record->outcomes++;
	record->cancelled = outcome->error == -ECANCELED;
	if (outcome->error)
		storm.failed++;
	else
		storm.successful++;
	storm.settled++;
	/* Of one ring: the order is that of the seed. */
	if (storm.operated)
		storm.digest = mix(storm.digest + item->index * 8 + outcome->attempts) +
		               (uint64_t)outcome->error;
	return 0;
}

static void release(void *context, void *object)
{
	unsigned index = (unsigned)((char *)object - (char *)context);

	CHECK(storm.records[index].outcomes == 1 && !storm.records[index].released);
	storm.records[index].released = 1;
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_OPENAT && strcmp(op->path, "/dev/null") != 0)
		answer->result = -ENOENT;
}

/* ------------------------------------------------------------------- a run -- */

static void check_outcomes(const struct iobatch_result *result)
{
	uint64_t cancelled = 0;
	unsigned outcomes = 0;

	for (unsigned i = 0; i < storm.count; i++) {
		const struct record *record = &storm.records[i];

		/* Taken in order, and all that was taken has its outcome. */
		CHECK(record->outcomes == (i < result->total_processed));
		CHECK(record->released == record->outcomes);
		outcomes += record->outcomes;
		cancelled += record->cancelled;
		/* What was in flight was cancelled with the run, and never by a drain. */
		CHECK(!record->cancelled || record->attempts == 0 ||
		      result->end == IOBATCH_END_CANCELLED);
	}
	CHECK(outcomes == result->total_processed && outcomes == storm.settled);
	CHECK(cancelled == 0 || result->end != IOBATCH_END_COMPLETE);
}

static void check(int error, const struct iobatch_result *result)
{
	struct iobatch_progress progress;

	CHECK(result->successful == storm.successful && result->failed == storm.failed);
	CHECK(result->retries >= storm.retries);
	CHECK(result->failed_items_count == result->failed);
	CHECK(result->stuck == 0 && result->still_running == 0);
	CHECK(result->peak_batches <= CONCURRENT_MAX);
	check_outcomes(result);
	CHECK(error == (result->end == IOBATCH_END_COMPLETE ? 0 : -ECANCELED));
	CHECK(result->end == IOBATCH_END_COMPLETE ? result->total_processed == storm.count
	                                          : storm.ending != ENDING_NONE);
	CHECK(result->end != IOBATCH_END_CANCELLED || storm.ending == ENDING_CANCEL);
	CHECK(result->end != IOBATCH_END_DRAINED || storm.ending == ENDING_DRAIN);
	CHECK(iobatch_control_progress(storm.control, &progress) == IOBATCH_STATE_WAITING);
	CHECK(progress.processed == result->total_processed &&
	      progress.successful == result->successful && progress.failed == result->failed);
}

static void storm_init(uint64_t seed, unsigned count, enum ending ending)
{
	memset(&storm, 0, sizeof(storm));
	storm.seed = seed;
	storm.random = mix(seed + 1);
	storm.count = count;
	storm.ending = ending;
	storm.ends_at = (unsigned)draw(count);
	storm.runner = pthread_self();
	assert_int_equal(iobatch_control_new(&storm.control), 0);
}

/* Runs it; those who ask are there already. */
static void storm_run(unsigned executor, unsigned rings)
{
	static char objects[ITEMS];
	const struct iobatch_simulation simulation = {
		.seed = storm.seed, .latency_max_ns = 100000, .script = script};
	struct iobatch_items items = iobatch_items_array(objects, storm.count, 1);
	struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	int error;

	items.context = objects;
	items.release = release;
	processor.next = next;
	processor.settled = settled;
	processor.files_max = 1;
	processor.chain_ops_max = 2;
	processor.state_size = 8;
	options.executor = executor;
	options.simulation = &simulation;
	options.control = storm.control;
	options.rings = rings;
	options.batch_size = 16;
	options.max_concurrent = CONCURRENT;
	options.max_concurrent_max = CONCURRENT_MAX;
	options.retries = RETRIES;
	options.backoff_ms = 1;
	error = iobatch_run(&items, &processor, &options, &result);
	storm.over = true;
	check(error, &result);
	iobatch_result_deinit(&result);
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = (long)draw(300000)};

	nanosleep(&time, NULL);
}

/* ----------------------------------------------------------- from threads -- */

/* One of them asks how far it is. */
static void look(uint64_t *last)
{
	struct iobatch_progress progress;

	(void)iobatch_control_progress(storm.control, &progress);
	CHECK(progress.processed == progress.successful + progress.failed);
	CHECK(progress.processed >= *last && progress.processed <= storm.count);
	CHECK(progress.processed + progress.pending ==
	      (*last || progress.pending ? storm.count : 0));
	*last = progress.processed;
}

static void *asker(void *context)
{
	unsigned number = (unsigned)(uintptr_t)context;
	uint64_t last = 0;

	while (!storm.over) {
		ask();
		if (number == 0)
			look(&last);
		nap();
	}
	return NULL;
}

static void run_with_threads(unsigned executor, unsigned rings, uint64_t seed, enum ending ending)
{
	pthread_t threads[ASKERS];
	unsigned descriptors = trial_open_descriptors();

	storm_init(seed, ITEMS, ending);
	for (uintptr_t i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, asker, (void *)i), 0);
	storm_run(executor, rings);
	for (unsigned i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	iobatch_control_free(storm.control);
	assert_int_equal(trial_open_descriptors(), descriptors);
}

static void threads_ask_what_they_like(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned i = 0; i < ENDINGS; i++) {
		run_with_threads(executor, 1, i, (enum ending)i);
		run_with_threads(executor, 3, ENDINGS + i, (enum ending)i);
	}
}

/* ---------------------------------------------------- from signal handlers -- */

static _Atomic(void (*)(void)) asks; /* what a signal handler does, if anything */

static void on_signal(int number)
{
	void (*does)(void) = asks;
	int error = errno;

	(void)number;
	if (!does)
		return;
	errno = 4711;
	does();
	CHECK(errno == 4711);
	errno = error;
}

/* Now paused, now not: what a person does, but quickly. */
static void pause_or_resume(void)
{
	if (storm.asked++ % 2)
		iobatch_control_resume(storm.control);
	else
		iobatch_control_pause(storm.control);
}

/* Sends signals to the runner and to itself. */
static void *sender(void *context)
{
	(void)context;
	while (!storm.over) {
		pthread_kill(draw(2) ? storm.runner : pthread_self(), SIGUSR1);
		nap();
	}
	return NULL;
}

static void run_with_signals(unsigned executor, unsigned rings, uint64_t seed, enum ending ending,
                             void (*does)(void))
{
	const struct itimerval kilohertz = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_signal};
	unsigned descriptors = trial_open_descriptors();
	pthread_t thread;

	storm_init(seed, ITEMS, ending);
	storm.plain = does == pause_or_resume;
	asks = does;
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&thread, NULL, sender, NULL), 0);
	setitimer(ITIMER_REAL, &kilohertz, NULL);
	storm_run(executor, rings);
	assert_int_equal(pthread_join(thread, NULL), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	if (storm.plain) {
		CHECK(storm.successful == ITEMS && storm.started == ITEMS);
		CHECK(storm.asked >= ASKED_MIN);
	}
	asks = NULL;
	iobatch_control_free(storm.control);
	assert_int_equal(trial_open_descriptors(), descriptors);
}

static void signal_handlers_ask_what_they_like(void **state)
{
	unsigned executor = trial_executor(state);

	for (unsigned i = 0; i < ENDINGS; i++) {
		run_with_signals(executor, 1, i, (enum ending)i, ask);
		run_with_signals(executor, 3, ENDINGS + i, (enum ending)i, ask);
	}
}

static void signals_at_a_kilohertz_lose_nothing(void **state)
{
	unsigned executor = trial_executor(state);

	run_with_signals(executor, 1, 1, ENDING_NONE, pause_or_resume);
	run_with_signals(executor, 2, 2, ENDING_NONE, pause_or_resume);
}

/* --------------------------------------------------------------- from a seed -- */

static uint64_t run_from_seed(uint64_t seed, unsigned count)
{
	storm_init(seed, count, (enum ending)(seed % ENDINGS));
	storm.operated = true;
	storm.left = 20 + (unsigned)draw(count / 20);
	storm_run(IOBATCH_EXECUTOR_SIMULATED, 1);
	iobatch_control_free(storm.control);
	return storm.digest;
}

static unsigned seeds = 100;

static void an_item_asks_what_its_seed_says(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < ENDINGS; seed++)
		run_from_seed(seed, ITEMS);
	/* And each seed says the same each time. */
	for (uint64_t seed = 100; seed < 100 + seeds; seed++) {
		uint64_t digest = run_from_seed(seed, ITEMS_FEW);

		assert_int_equal(run_from_seed(seed, ITEMS_FEW), digest);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TRIAL_ON_EACH(threads_ask_what_they_like),
		TRIAL_ON_REAL(signal_handlers_ask_what_they_like),
		TRIAL_ON_REAL(signals_at_a_kilohertz_lose_nothing),
		cmocka_unit_test(an_item_asks_what_its_seed_says),
	};

	if (argc > 1)
		seeds = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

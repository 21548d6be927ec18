/* SPDX-License-Identifier: MIT */
/*
 * A run from beginning to end: checks the arguments, sets up the reapers, each in its own thread
 * (the first in the caller's), lets them start together once all of them stand, and gathers the
 * result.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "op/abi.h"

const char *iobatch_version(void)
{
	return IOBATCH_VERSION;
}

unsigned cpus_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* As many windows as there can be batches, as many slots as items, as many reapers as windows. */
static void size_up(struct run *run)
{
	const struct iobatch_items *items = run->intake.items;
	struct iobatch_options *options = &run->options;
	unsigned files_max = run->processor->files_max;
	uint64_t count = items->count;
	uint64_t batches = count / options->batch_size + (count % options->batch_size ? 1 : 0);

	run->concurrent_max = options->max_concurrent;
	/* Nobody but a control raises it. */
	if (options->control && options->max_concurrent_max > run->concurrent_max)
		run->concurrent_max = options->max_concurrent_max;
	run->windows_count = run->concurrent_max;
	if (count != IOBATCH_UNKNOWN && batches < run->windows_count)
		run->windows_count = batches > 0 ? (unsigned)batches : 1;
	run->window_slots = options->batch_size;
	if (count < run->window_slots)
		run->window_slots = count > 0 ? (unsigned)count : 1;
	run->reapers_count = options->rings ? options->rings : cpus_count();
	if (run->reapers_count > run->windows_count)
		run->reapers_count = run->windows_count;
	run->wants_times = options->on_settled || options->journal;
	run->may_end = options->timeout_ms > 0 || options->halt_after_failures > 0 ||
	               options->halt_after_percent > 0 || options->on_full != IOBATCH_FULL_FAIL ||
	               options->journal;
	policy_init(&run->policy, options);
	run->success_is_silent = !run->processor->settled && !options->on_settled &&
	                         !options->on_progress && !run->policy.counts_settled &&
	                         !options->journal &&
	                         !(options->collect & IOBATCH_COLLECT_SUCCESSFUL);
	run->release = items->release;
	run->chain_ops = run->processor->chain_ops_max;
	if (run->chain_ops < files_max)
		run->chain_ops = files_max;
	run->chain_size = (run->chain_ops * sizeof(struct iobatch_op) + 63) & ~(size_t)63;
}

/* Memory for the buffers of at least one attempt in every reaper. */
static int check_memory(struct run *run)
{
	const struct iobatch_processor *processor = run->processor;
	uint64_t needed = (uint64_t)processor->buffers_min * processor->buffer_size;

	if (run->options.memory_limit / run->reapers_count >= needed)
		return 0;
	snprintf(run->message, sizeof(run->message),
	         "memory_limit must be at least %llu: the processor %s needs %u buffers of %zu "
	         "bytes in each of %u rings",
	         (unsigned long long)(needed * run->reapers_count),
	         processor->name ? processor->name : "unnamed", processor->buffers_min,
	         processor->buffer_size, run->reapers_count);
	return -EINVAL;
}

/* The reapers' part ------------------------------------------------------ */

/* Says that this reaper is set up (or not) and waits for the word to start. */
static bool pass_gate(struct run *run)
{
	bool open;

	pthread_mutex_lock(&run->gate_lock);
	run->gate_arrived++;
	pthread_cond_broadcast(&run->gate_changed);
	while (run->gate == GATE_SHUT)
		pthread_cond_wait(&run->gate_changed, &run->gate_lock);
	open = run->gate == GATE_OPEN;
	pthread_mutex_unlock(&run->gate_lock);
	return open;
}

static void *reaper_main(void *argument)
{
	struct reaper *reaper = argument;

	struct run *run = reaper->run;

	reaper->error = reaper_init(reaper, run, reaper->number);
	if (pass_gate(run))
		reaper_loop(reaper);
	reaper_deinit(reaper);
	pthread_mutex_lock(&run->gate_lock);
	run->gate_left++;
	pthread_cond_broadcast(&run->gate_changed);
	pthread_mutex_unlock(&run->gate_lock);
	return NULL;
}

/* Waits for `count` reapers to be set up, then opens the gate if all are well. */
static bool open_gate(struct run *run, unsigned count, bool well)
{
	pthread_mutex_lock(&run->gate_lock);
	while (run->gate_arrived < count)
		pthread_cond_wait(&run->gate_changed, &run->gate_lock);
	for (unsigned i = 0; i < run->reapers_count; i++)
		well = well && run->reapers[i].error == 0;
	pthread_mutex_unlock(&run->gate_lock);
	/* Those that are set up wait: nobody asks the stream before it knows whom to wake. */
	if (well) {
		listen_begin(run);
		control_attach(run);
	}
	pthread_mutex_lock(&run->gate_lock);
	run->gate = well ? GATE_OPEN : GATE_CANCELLED;
	pthread_cond_broadcast(&run->gate_changed);
	pthread_mutex_unlock(&run->gate_lock);
	return well;
}

/* Starts the reapers but the first. Signals are the business of the caller's threads. */
static int start_threads(struct run *run, unsigned *ret_count)
{
	sigset_t all, before;
	unsigned started = 0;
	int result = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < run->reapers_count && result == 0) {
		struct reaper *reaper = &run->reapers[started + 1];

		reaper->run = run;
		reaper->number = started + 1;
		result = -pthread_create(&reaper->thread, NULL, reaper_main, reaper);
		if (result == 0)
			started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	*ret_count = started;
	return result;
}

static int first_error(const struct run *run)
{
	for (unsigned i = 0; i < run->reapers_count; i++) {
		if (run->reapers[i].error)
			return run->reapers[i].error;
	}
	return 0;
}

static bool ring_failed(const struct run *run)
{
	bool failed = false;

	for (unsigned i = 0; run->reapers && i < run->reapers_count; i++)
		failed = failed || run->reapers[i].executor_failed;
	return failed && run->executor == IOBATCH_EXECUTOR_RING;
}

/* Says why nothing has run and what to do about it. */
static void explain_setup(struct run *run, int error)
{
	char cause[200], remedy[200];

	if (ring_failed(run)) {
		ring_explain(error, cause, sizeof(cause), remedy, sizeof(remedy));
		snprintf(run->message, sizeof(run->message), "io_uring cannot run here: %s; %s",
		         cause, remedy);
	} else {
		snprintf(run->message, sizeof(run->message),
		         "the run cannot be set up: %s; use a smaller batch_size or "
		         "max_concurrent, or fewer rings",
		         strerror(-error));
	}
}

/*
 * Waits for `count` reapers to be done. A thread that leaves something in the kernel behind cannot
 * end before the kernel lets go of it: nobody waits for that.
 */
static void join_threads(struct run *run, unsigned count)
{
	pthread_mutex_lock(&run->gate_lock);
	while (run->gate_left < count)
		pthread_cond_wait(&run->gate_changed, &run->gate_lock);
	pthread_mutex_unlock(&run->gate_lock);
	for (unsigned i = 1; i <= count; i++) {
		if (run->reapers[i].in_flight > 0)
			pthread_detach(run->reapers[i].thread);
		else
			pthread_join(run->reapers[i].thread, NULL);
	}
}

/* Sets up, runs and takes down all reapers. *ret_ran: did they get as far as to run? */
static int run_reapers(struct run *run, bool *ret_ran)
{
	struct reaper *own = &run->reapers[0];
	unsigned threads;
	int result = start_threads(run, &threads);

	own->error = reaper_init(own, run, 0);
	*ret_ran = open_gate(run, threads, result == 0 && own->error == 0);
	if (*ret_ran)
		reaper_loop(own);
	join_threads(run, threads);
	if (*ret_ran)
		listen_end(run);
	reaper_deinit(own);
	if (result == 0)
		result = first_error(run);
	if (result < 0 && *ret_ran)
		snprintf(run->message, sizeof(run->message),
		         "the executor broke while the run went on, and items in flight have no "
		         "outcome: %s",
		         strerror(-result));
	if (result == 0)
		result = run->halt_error;
	if (result == 0)
		result = control_verdict(run);
	return result;
}

/* The caller's part ------------------------------------------------------ */

static int init_run(struct run *run)
{
	int result = tally_init(&run->tally);

	if (result < 0)
		return result;
	pthread_mutex_init(&run->gate_lock, NULL);
	pthread_cond_init(&run->gate_changed, NULL);
	pthread_mutex_init(&run->wake_lock, NULL);
	result = journal_init(run);
	if (result < 0)
		return result;
	run->reapers = calloc(run->reapers_count, sizeof(*run->reapers));
	if (!run->reapers)
		return -ENOMEM;
	/* A simulated file system has no place among the mounts. */
	return run->executor == IOBATCH_EXECUTOR_SIMULATED ? 0 : mounts_new(&run->mounts);
}

/* There is no ring: says why in one line, and makes a pool of threads ready in its place. */
static void fall_back(struct run *run, int error)
{
	const struct iobatch_options *options = &run->options;
	unsigned threads = options->threads ? options->threads : cpus_count();
	char cause[200], remedy[200], message[500];

	ring_explain(error, cause, sizeof(cause), remedy, sizeof(remedy));
	snprintf(message, sizeof(message),
	         "io_uring cannot run here (%s): system calls by %u %s take its place; %s", cause,
	         threads, threads == 1 ? "thread" : "threads", remedy);
	if (options->on_log)
		options->on_log(options->context, IOBATCH_LOG_WARNING, message);
	memset(run->reapers, 0, run->reapers_count * sizeof(*run->reapers));
	run->gate = GATE_SHUT;
	run->gate_arrived = run->gate_left = 0;
	run->executor = IOBATCH_EXECUTOR_SYSCALL;
}

static void deinit_run(struct run *run)
{
	free(run->reapers);
	journal_deinit(run);
	mounts_free(run->mounts);
	pthread_cond_destroy(&run->gate_changed);
	pthread_mutex_destroy(&run->gate_lock);
	pthread_mutex_destroy(&run->wake_lock);
	tally_deinit(&run->tally, run->intake.items->next != NULL);
}

static void gather(struct run *run, struct iobatch_result *result)
{
	struct lateness lateness = {0};
	uint64_t elapsed_ns = 0;

	for (unsigned i = 0; i < run->reapers_count; i++) {
		const struct reaper *reaper = &run->reapers[i];

		if (reaper->now_ns - reaper->start_ns > elapsed_ns)
			elapsed_ns = reaper->now_ns - reaper->start_ns;
		result->ops += reaper->ops;
		lateness_merge(&lateness, &reaper->lateness);
	}
	lateness_report(&lateness, &result->lateness);
	result->executor = run->executor;
	result->processing_time_ms = (double)elapsed_ns / 1e6;
	result->rings = run->reapers_count;
	result->owns_objects = run->intake.items->next != NULL;
	tally_end(run, elapsed_ns);
	tally_finish(run, result);
	result->end = run->end;
}

static int run_checked(struct run *run, struct iobatch_result *result)
{
	bool ran = false, may_fall_back = run->options.executor == IOBATCH_EXECUTOR_AUTO;
	int error;

	run->executor = may_fall_back ? IOBATCH_EXECUTOR_RING : run->options.executor;
	/* Simulated time would stand still, or run away: such a stream blocks. */
	run->listens = run->intake.items->next && run->intake.items->listen &&
	               run->executor != IOBATCH_EXECUTOR_SIMULATED;
	error = init_run(run);
	if (error == 0)
		error = control_claim(run);
	if (error == 0)
		error = check_memory(run);
	if (error == 0)
		error = run_reapers(run, &ran);
	if (error < 0 && !ran && may_fall_back && ring_failed(run)) {
		fall_back(run, error);
		error = run_reapers(run, &ran);
	}
	if (ran) {
		if (error == 0)
			error = run->intake.error;
		gather(run, result);
		if (error < 0 && run->processor->abandon)
			run->processor->abandon(run->processor->context, error);
		if (run->processor->finish) {
			int finish = run->processor->finish(run->processor->context);

			error = error ? error : finish;
		}
	} else if (!run->message[0]) {
		explain_setup(run, error);
	}
	control_release(run);
	deinit_run(run);
	return error;
}

const char *iobatch_executor_name(unsigned executor)
{
	static const char *const names[] = {
		[IOBATCH_EXECUTOR_AUTO] = "auto",
		[IOBATCH_EXECUTOR_RING] = "ring",
		[IOBATCH_EXECUTOR_SYSCALL] = "syscall",
		[IOBATCH_EXECUTOR_SIMULATED] = "simulated",
	};

	return executor < sizeof(names) / sizeof(names[0]) ? names[executor] : NULL;
}

int iobatch_run(const struct iobatch_items *items, const struct iobatch_processor *processor,
                const struct iobatch_options *options, struct iobatch_result *result)
{
	struct iobatch_result found = IOBATCH_RESULT_INIT;
	struct run run = {.processor = processor};
	int error;

	if (!result || !abi_known(result, result->size, sizeof(found)))
		return -EINVAL;
	found.size = result->size;
	error = options_check(items, processor, options, &run.options, run.message,
	                      sizeof(run.message));
	if (error == 0)
		error = intake_init(&run.intake, items);
	if (error == 0) {
		size_up(&run);
		error = run_checked(&run, &found);
		intake_deinit(&run.intake);
	}
	if (error && found.end == IOBATCH_END_COMPLETE)
		found.end = IOBATCH_END_ERROR;
	memcpy(found.message, run.message, sizeof(found.message));
	abi_copy(result, &found, sizeof(found));
	return error;
}

void iobatch_result_deinit(struct iobatch_result *result)
{
	if (!result)
		return;
	for (uint64_t i = 0; result->owns_objects && i < result->successful_items_count; i++)
		free((void *)result->successful_items[i].object);
	for (uint64_t i = 0; result->owns_objects && i < result->failed_items_count; i++)
		free((void *)result->failed_items[i].object);
	free(result->successful_items);
	free(result->failed_items);
	if (result->size > offsetof(struct iobatch_result, errors_count))
		free(result->errors);
	*result = (struct iobatch_result){.size = result->size};
}

/* SPDX-License-Identifier: MIT */
/*
 * Checks the arguments of a run before anything is touched, and says what is wrong with which of
 * them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"
#include "op/abi.h"

#define BATCH_SIZE_MAX (1u << 20)
#define MAX_CONCURRENT_MAX 65536u
#define ITEMS_PER_S_MAX 1000000000u
#define RINGS_MAX 64u
#define MAX_STUCK_MAX 65536u
#define THREADS_MAX 1024u
#define PATH_OPS_MAX 65536u
/* Milliseconds that fit a clock of nanoseconds with room to spare: 100 years. */
#define MS_MAX (UINT64_C(100) * 366 * 24 * 3600 * 1000)

struct complaint {
	char *message;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int complain(struct complaint *complaint,
                                                          const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->message, complaint->size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int check_range(struct complaint *complaint, const char *name, uint64_t value, uint64_t min,
                       uint64_t max)
{
	if (value >= min && value <= max)
		return 0;
	return complain(complaint, "%s must be %llu to %llu, not %llu", name,
	                (unsigned long long)min, (unsigned long long)max,
	                (unsigned long long)value);
}

static int check_items(struct complaint *complaint, const struct iobatch_items *items)
{
	if (!items)
		return complain(complaint, "items is NULL");
	if (items->count > 0 && items->stride == 0)
		return complain(complaint, "items.stride must not be 0");
	if (items->next)
		return 0;
	if (items->count == IOBATCH_UNKNOWN)
		return complain(complaint, "items: a stream needs `next`, an array a count");
	if (items->count > 0 && !items->base)
		return complain(complaint, "items.base is NULL");
	return 0;
}

static int check_processor(struct complaint *complaint, const struct iobatch_processor *processor)
{
	if (!processor)
		return complain(complaint, "processor is NULL");
	/* One layout so far: a processor is made by its initialiser. */
	if (processor->size != sizeof(*processor))
		return complain(complaint,
		                "processor.size is %zu; start from IOBATCH_PROCESSOR_INIT",
		                processor->size);
	if (!processor->next)
		return complain(complaint, "processor.next is NULL");
	if (check_range(complaint, "processor.chain_ops_max", processor->chain_ops_max, 1,
	                OPS_MAX) ||
	    check_range(complaint, "processor.files_max", processor->files_max, 0, FILES_MAX) ||
	    check_range(complaint, "processor.buffers_max", processor->buffers_max, 0,
	                BUFFERS_MAX) ||
	    check_range(complaint, "processor.buffers_min", processor->buffers_min, 0,
	                processor->buffers_max))
		return -EINVAL;
	if (check_range(complaint, "processor.process_files", processor->process_files, 0, 1))
		return -EINVAL;
	if (processor->buffer_size % 4096)
		return complain(complaint,
		                "processor.buffer_size must be a multiple of 4096, not %zu",
		                processor->buffer_size);
	if (processor->buffers_max > 0 && processor->buffer_size == 0)
		return complain(complaint, "processor.buffer_size must not be 0 with buffers");
	return 0;
}

static int check_simulation(struct complaint *complaint,
                            const struct iobatch_simulation *simulation)
{
	const uint64_t all = IOBATCH_WITHOUT_SUBMIT_ALL | IOBATCH_WITHOUT_CQE_SKIP |
	                     IOBATCH_WITHOUT_ETIME_SUCCESS | IOBATCH_WITHOUT_DIRECT_FILES;

	if (check_range(complaint, "simulation: error_permille", simulation->error_permille, 0,
	                1000) ||
	    check_range(complaint, "simulation: short_permille", simulation->short_permille, 0,
	                1000) ||
	    check_range(complaint, "simulation: late_permille", simulation->late_permille, 0,
	                1000) ||
	    check_range(complaint, "simulation: lost_permille", simulation->lost_permille, 0,
	                1000) ||
	    check_range(complaint, "simulation: submit_permille", simulation->submit_permille, 0,
	                1000) ||
	    check_range(complaint, "simulation: without", simulation->without, 0, all))
		return -EINVAL;
	return 0;
}

static int check_policy(struct complaint *complaint, const struct iobatch_options *options)
{
	if (check_range(complaint, "retry_on", options->retry_on, 0, IOBATCH_RETRY_LISTED) ||
	    check_range(complaint, "backoff", options->backoff, 0, IOBATCH_BACKOFF_NONE) ||
	    check_range(complaint, "backoff_factor_percent", options->backoff_factor_percent, 100,
	                10000) ||
	    check_range(complaint, "backoff_max_ms", options->backoff_max_ms, 0, MS_MAX) ||
	    check_range(complaint, "backoff_jitter_percent", options->backoff_jitter_percent, 0,
	                100) ||
	    check_range(complaint, "halt_after_percent", options->halt_after_percent, 0, 100) ||
	    check_range(complaint, "halt", options->halt, 0, IOBATCH_HALT_SOON) ||
	    check_range(complaint, "on_full", options->on_full, 0, IOBATCH_FULL_PAUSE))
		return -EINVAL;
	if (options->retry_on == IOBATCH_RETRY_LISTED && !options->retry_errnos)
		return complain(complaint, "retry_on is listed, and retry_errnos is NULL");
	for (const int *listed = options->retry_errnos; listed && *listed; listed++) {
		if (*listed < 0)
			return complain(complaint, "retry_errnos must be positive, not %d",
			                *listed);
	}
	return 0;
}

static int check_journal(struct complaint *complaint, const struct iobatch_journal *journal)
{
	if (!abi_known(journal, journal->size, sizeof(*journal)))
		return complain(complaint, "journal.size is %zu; start from IOBATCH_JOURNAL_INIT",
		                journal->size);
	if (journal->fd < 0)
		return complain(complaint, "journal.fd must be 0 or more, not %d", journal->fd);
	if (!journal->outcome)
		return complain(complaint, "journal.outcome is NULL");
	if (check_range(complaint, "journal.offset", journal->offset, 0, INT64_MAX) ||
	    check_range(complaint, "journal.sync", journal->sync, 0, IOBATCH_JOURNAL_ITEM) ||
	    check_range(complaint, "journal.record_max", journal->record_max, 1, 1u << 20))
		return -EINVAL;
	return 0;
}

static int check_options(struct complaint *complaint, const struct iobatch_options *options)
{
	if (check_range(complaint, "batch_size", options->batch_size, 1, BATCH_SIZE_MAX) ||
	    check_range(complaint, "max_concurrent", options->max_concurrent, 1,
	                MAX_CONCURRENT_MAX) ||
	    check_range(complaint, "max_concurrent_max", options->max_concurrent_max, 0,
	                MAX_CONCURRENT_MAX) ||
	    check_range(complaint, "items_per_s", options->items_per_s, 0, ITEMS_PER_S_MAX) ||
	    check_range(complaint, "rings", options->rings, 0, RINGS_MAX) ||
	    check_range(complaint, "delay_ms", options->delay_ms, 0, MS_MAX) ||
	    check_range(complaint, "timeout_ms", options->timeout_ms, 0, MS_MAX) ||
	    check_range(complaint, "backoff_ms", options->backoff_ms, 0, MS_MAX) ||
	    check_range(complaint, "progress_interval_ms", options->progress_interval_ms, 0,
	                MS_MAX) ||
	    check_range(complaint, "retries", options->retries, 0, UINT32_MAX - 1) ||
	    check_range(complaint, "guards", options->guards, 0, IOBATCH_GUARDS_LIST) ||
	    check_range(complaint, "max_stuck", options->max_stuck, 0, MAX_STUCK_MAX) ||
	    check_range(complaint, "stuck_grace_ms", options->stuck_grace_ms, 0, MS_MAX) ||
	    check_range(complaint, "threads", options->threads, 0, THREADS_MAX) ||
	    check_range(complaint, "path_ops_max", options->path_ops_max, 1, PATH_OPS_MAX) ||
	    check_range(complaint, "executor", options->executor, 0, IOBATCH_EXECUTOR_SIMULATED) ||
	    check_range(complaint, "collect", options->collect, 0,
	                IOBATCH_COLLECT_FAILED | IOBATCH_COLLECT_SUCCESSFUL) ||
	    check_range(complaint, "register_buffers", options->register_buffers, 0, 1))
		return -EINVAL;
	if (check_policy(complaint, options) < 0)
		return -EINVAL;
	if (options->simulation && check_simulation(complaint, options->simulation) < 0)
		return -EINVAL;
	if (options->journal && check_journal(complaint, options->journal) < 0)
		return -EINVAL;
	if (options->simulation &&
	    options->simulation->latency_min_ns > options->simulation->latency_max_ns)
		return complain(complaint,
		                "simulation: latency_min_ns must not be above latency_max_ns");
	return 0;
}

int options_check(const struct iobatch_items *items, const struct iobatch_processor *processor,
                  const struct iobatch_options *given, struct iobatch_options *ret_options,
                  char *message, size_t message_size)
{
	struct complaint complaint = {message, message_size};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;

	if (check_items(&complaint, items) < 0 || check_processor(&complaint, processor) < 0)
		return -EINVAL;
	if (given) {
		if (!abi_known(given, given->size, sizeof(options)))
			return complain(&complaint,
			                "options.size is %zu; start from "
			                "IOBATCH_OPTIONS_INIT",
			                given->size);
		abi_copy(&options, given, sizeof(options));
	}
	if (check_options(&complaint, &options) < 0)
		return -EINVAL;
	*ret_options = options;
	return 0;
}

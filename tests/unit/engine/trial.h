/* SPDX-License-Identifier: MIT */
/*
 * A trial: one run over items whose behaviour is written down, on a given executor, with everything
 * that can be seen from outside recorded and the promises that hold for every run checked.
 */
#ifndef TESTS_TRIAL_H
#define TESTS_TRIAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <iobatch.h>

#define TRIAL_ITEMS_MAX 4096

/* What an item does: its first `failures` attempts fail. */
struct trial_item {
	int value;
	unsigned failures;
};

#define TRIAL_FAILS_ALWAYS UINT32_MAX

struct trial {
	struct iobatch_options options;
	struct iobatch_processor processor;
	struct iobatch_simulation simulation;
	struct trial_item items[TRIAL_ITEMS_MAX];
	unsigned count;
	bool streamed; /* give the items one by one, without saying how many there are */

	unsigned expected_executor; /* the one that was asked for, unless that is `auto` */

	/* Seen. */
	struct iobatch_result result;
	int error;
	unsigned streamed_count;
	unsigned progress_calls;
	struct iobatch_progress last_progress;
	_Atomic unsigned batch_unsettled[TRIAL_ITEMS_MAX];
	_Atomic unsigned batches_active;
	_Atomic unsigned batches_active_peak;
	_Atomic unsigned attempts;
	unsigned outcomes[TRIAL_ITEMS_MAX]; /* outcomes of each item */
};

/* A new trial with `count` items of the values 1, 2, 3...; `executor` is enum iobatch_executor. */
struct trial *trial_new(unsigned executor, unsigned count);
/* Runs it and checks what every run promises. */
void trial_run(struct trial *trial);
void trial_free(struct trial *trial);

/* The failed list as values, in order. */
void trial_assert_failed(const struct trial *trial, const int *values, unsigned count);

/* The ring if it can be used here, for tests that take their executor as state; skips otherwise. */
unsigned trial_executor(void **state);

/* A test for each executor, or for each but the simulated one, named after it. */
#define TRIAL_ON(test, name, executor)                                               \
	{                                                                            \
#test " (" name ")", test, NULL, NULL, (void *)(uintptr_t)(executor) \
	}
#define TRIAL_ON_REAL(test)                            \
	TRIAL_ON(test, "ring", IOBATCH_EXECUTOR_RING), \
		TRIAL_ON(test, "syscall", IOBATCH_EXECUTOR_SYSCALL)
#define TRIAL_ON_EACH(test) \
	TRIAL_ON(test, "simulated", IOBATCH_EXECUTOR_SIMULATED), TRIAL_ON_REAL(test)

/* A stream of the numbers from 0 to `count` - 1, as uint64_t. */
struct trial_numbers {
	uint64_t given;
	uint64_t count;
};

ssize_t trial_pull_number(void *context, void *object);

/* Descriptors that this process has open. */
unsigned trial_open_descriptors(void);

#endif

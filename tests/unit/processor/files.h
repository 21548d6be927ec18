/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the processors that handle files share: a temporary directory, files with known
 * contents, and runs over a few of them. Everything here fails the test when it cannot do its work.
 */
#ifndef TEST_PROCESSOR_FILES_H
#define TEST_PROCESSOR_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <iobatch.h>

#define BLOCK 4096u

/*
 * Set-up and tear-down of a test or of a group: the temporary directory, which becomes the working
 * directory.
 */
int files_setup(void **state);
int files_teardown(void **state);
/*
 * Options for the executor that the test is for, enum iobatch_executor in its state. Skips the test
 * where that is the ring and io_uring does not work.
 */
struct iobatch_options files_options(void **state);

/* A test in a directory of its own. */
#define FILES_TEST(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)
/* The same, named after the executor that it is for: one, both that touch files, or each. */
#define FILES_ON(test, name, executor)                                  \
	{                                                               \
#test " (" name ")", test, files_setup, files_teardown, \
			(void *)(uintptr_t)(executor)                   \
	}
#define FILES_ON_SIMULATED(test) FILES_ON(test, "simulated", IOBATCH_EXECUTOR_SIMULATED)
#define FILES_ON_REAL(test)                            \
	FILES_ON(test, "ring", IOBATCH_EXECUTOR_RING), \
		FILES_ON(test, "syscall", IOBATCH_EXECUTOR_SYSCALL)
#define FILES_ON_EACH(test) FILES_ON_SIMULATED(test), FILES_ON_REAL(test)

/* The byte at `offset` of every file made here. */
unsigned char pattern_byte(uint64_t offset);
void pattern_fill(void *buffer, uint64_t offset, size_t length);

/* Makes a file of `size` bytes of the pattern. */
void file_make(const char *name, uint64_t size);
/* Has the file just these bytes of the pattern? */
void assert_file(const char *name, uint64_t size);
/* The number of names in a directory that begin with a dot, besides "." and "..". */
unsigned hidden_count(const char *directory);

/* Runs the processor over the named files, whose type is `type`, DT_*. */
void files_run(const struct iobatch_processor *processor, const struct iobatch_options *options,
               unsigned char type, const char *const *names, struct iobatch_result *result);
/* The same, with one file that succeeds, or fails with the error of this name. */
void files_run_one(const struct iobatch_processor *processor, const struct iobatch_options *options,
                   unsigned char type, const char *name, const char *error_name);

/*
 * A processor in front of another: `before` is called before each of its `next`, with the number of
 * the call, from 0.
 */
struct fronted {
	struct iobatch_processor processor;
	const struct iobatch_processor *inner;
	unsigned calls;
	void (*before)(unsigned call);
};

void fronted_init(struct fronted *fronted, const struct iobatch_processor *inner,
                  void (*before)(unsigned call));

#endif

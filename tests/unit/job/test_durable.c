/* SPDX-License-Identifier: MIT */
/* What jobs say about failures and journals, and which jobs are the same to a journal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "job/job.h"
#include "job/number.h"

#define WALK "items: {walk: {root: /x}}\n"
#define NOP "processor: {nop: {}}\n"

static char directory[] = "/tmp/iobatch-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int leave(void **state)
{
	(void)state;
	unlink("job.yaml");
	return chdir("/") || rmdir(directory);
}

static int try(const char *text, struct job **ret_job, char **ret_error)
{
	FILE *file = fopen("job.yaml", "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return job_load("job.yaml", NULL, ret_job, ret_error);
}

static struct job *load(const char *text)
{
	struct job *job = NULL;
	char *error = NULL;

	if (try(text, &job, &error))
		fail_msg("%s", error);
	return job;
}

static void every_option_about_failures_arrives(void **state)
{
	struct job *job = load(WALK NOP "options:\n"
	                                "  retry_on: [EIO, EBUSY, EWOULDBLOCK]\n"
	                                "  backoff: exponential\n"
	                                "  backoff_factor: 1.5\n"
	                                "  backoff_max_ms: 1\n"
	                                "  backoff_jitter: 2\n"
	                                "  seed: 18446744073709551615\n"
	                                "  retry_budget: 3\n"
	                                "  halt: {after_failures: 4, after_percent: 5, "
	                                "min_items: 6, how: soon}\n"
	                                "  on_full: pause\n"
	                                "  max_concurrent_max: 70\n"
	                                "  items_per_s: 8\n"
	                                "  journal: {file: j, sync: item}\n");
	const struct iobatch_options *options = &job->options;

	(void)state;
	assert_int_equal(options->retry_on, IOBATCH_RETRY_LISTED);
	assert_int_equal(options->retry_errnos[0], EIO);
	assert_int_equal(options->retry_errnos[1], EBUSY);
	assert_int_equal(options->retry_errnos[2], EAGAIN);
	assert_int_equal(options->retry_errnos[3], 0);
	assert_int_equal(options->backoff, IOBATCH_BACKOFF_EXPONENTIAL);
	assert_int_equal(options->backoff_factor_percent, 150);
	assert_int_equal(options->backoff_max_ms, 1);
	assert_int_equal(options->backoff_jitter_percent, 2);
	assert_true(options->seed == UINT64_MAX);
	assert_int_equal(options->retry_budget_percent, 3);
	assert_int_equal(options->halt_after_failures, 4);
	assert_int_equal(options->halt_after_percent, 5);
	assert_int_equal(options->halt_min_items, 6);
	assert_int_equal(options->halt, IOBATCH_HALT_SOON);
	assert_int_equal(options->on_full, IOBATCH_FULL_PAUSE);
	assert_int_equal(options->max_concurrent_max, 70);
	assert_int_equal(options->items_per_s, 8);
	assert_string_equal(job->journal.file, "j");
	assert_int_equal(job->journal.sync, IOBATCH_JOURNAL_ITEM);
	job_free(job);
}

static void without_them_there_is_no_journal_and_any_error_is_tried_again(void **state)
{
	struct job *job = load(WALK NOP "options: {retries: 1}\n");

	(void)state;
	assert_null(job->journal.file);
	assert_int_equal(job->journal.sync, IOBATCH_JOURNAL_BATCH);
	assert_int_equal(job->options.retry_on, IOBATCH_RETRY_ANY);
	assert_null(job->options.retry_errnos);
	job_free(job);
}

static void retry_on_takes_a_word_without_brackets(void **state)
{
	static const struct {
		const char *text;
		enum iobatch_retry_on on;
	} samples[] = {
		{WALK NOP "options: {retry_on: any}\n", IOBATCH_RETRY_ANY},
		{WALK NOP "options: {retry_on: transient}\n", IOBATCH_RETRY_TRANSIENT},
		{WALK NOP "options: {retry_on: [transient]}\n", IOBATCH_RETRY_TRANSIENT},
		{WALK NOP "options: {retry_on: ENOSPC}\n", IOBATCH_RETRY_LISTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct job *job = load(samples[i].text);

		assert_int_equal(job->options.retry_on, samples[i].on);
		job_free(job);
	}
}

static void what_cannot_be_is_refused_with_its_place(void **state)
{
#define AT "job.yaml:3: options."
	static const struct {
		const char *option;
		const char *message;
	} samples[] = {
		{"retry_on: [EIO, EFOO]", AT "retry_on: must be any, transient, or a list of "
	                                     "errors such as [EIO, EBUSY], not EFOO"},
		{"retry_on: [any, EIO]", AT "retry_on: must be any, transient, or a list of "
	                                    "errors such as [EIO, EBUSY], not any"},
		{"retry_on: []", AT "retry_on: must not be an empty list"},
		{"backoff: [fixed]", AT "backoff: must be a single value, not a list"},
		{"{backoff: exponential, backoff_factor: 0.99}",
	         AT "backoff_factor: must be a number with at most two places, 1 to 100, not "
	            "0.99"},
		{"backoff_factor: 2",
	         AT "backoff_factor: has an effect only with backoff: exponential"},
		{"backoff_jitter: 101", AT "backoff_jitter: must be 0 to 100, not 101"},
		{"halt: {after_percent: 101}", AT "halt.after_percent: must be 0 to 100, not 101"},
		{"halt: {how: later}", AT "halt.how: must be one of now, soon, not \"later\""},
		{"halt: 3", AT "halt: must be a mapping of keys and values, not a single value; "
	                       "write its keys below it, or in braces: { }"},
		{"on_full: wait", AT "on_full: must be one of fail, halt, pause, not \"wait\""},
		{"max_concurrent_max: 7", AT "max_concurrent_max: must not be less than "
	                                     "max_concurrent, which is 8"},
		{"journal: {sync: item}", AT "journal.file: this key is required and is missing"},
		{"journal: {file: j, sync: always}",
	         AT "journal.sync: must be one of none, batch, item, not \"always\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const char *option = samples[i].option;
		struct job *job = NULL;
		char *text, *error = NULL;

		assert_true(asprintf(&text,
		                     *option == '{' ? WALK NOP "options: %s\n"
		                                    : WALK NOP "options: {%s}\n",
		                     option) > 0);
		assert_int_equal(try(text, &job, &error), -EINVAL);
		assert_string_equal(error, samples[i].message);
		free(error);
		free(text);
	}
}

static void factors_are_numbers_with_two_places(void **state)
{
	static const char *const wrong[] = {"", ".5", "1.", "1.234", "-1", "1,5", "1e2", " 1"};
	uint64_t percent = 7;

	(void)state;
	assert_int_equal(number_parse_factor("2", &percent), 0);
	assert_int_equal(percent, 200);
	assert_int_equal(number_parse_factor("1.5", &percent), 0);
	assert_int_equal(percent, 150);
	assert_int_equal(number_parse_factor("1.05", &percent), 0);
	assert_int_equal(percent, 105);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(number_parse_factor(wrong[i], &percent), -EINVAL);
	assert_int_equal(number_parse_factor("184467440737095517", &percent), -ERANGE);
	assert_int_equal(percent, 105);
}

static void hash_of(const char *text, char ret_hash[JOB_HASH_SIZE])
{
	struct job *job = load(text);

	assert_int_equal(job_hash(job, ret_hash), 0);
	job_free(job);
}

#define COPY "processor: {copy: {destination: /y, update: yes}}\n"

static void a_job_is_the_same_however_it_is_run(void **state)
{
	static const char *const same[] = {
		COPY WALK,
		"job: other\n" WALK COPY "options: {batch_size: 3, retries: 2}\n",
		WALK "processor: {copy: {update: yes, destination: /y}}\n",
	};
	char hash[JOB_HASH_SIZE], other[JOB_HASH_SIZE];

	(void)state;
	hash_of(WALK COPY, hash);
	assert_int_equal(strlen(hash), JOB_HASH_SIZE - 1);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		hash_of(same[i], other);
		assert_string_equal(hash, other);
	}
}

static void a_job_is_another_that_does_something_else(void **state)
{
	static const char *const others[] = {
		"items: {walk: {root: /z}}\n" COPY,
		"items: {walk: {root: /x, types: [file, symlink]}}\n" COPY,
		WALK "processor: {copy: {destination: /y, update: no}}\n",
		WALK "processor: {copy: {destination: /z, update: yes}}\n",
		WALK "processor: {move: {destination: /y, update: yes}}\n",
		WALK COPY "options: {executor: simulated}\n",
	};
	char hash[JOB_HASH_SIZE], other[JOB_HASH_SIZE];

	(void)state;
	hash_of(WALK COPY, hash);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		hash_of(others[i], other);
		assert_string_not_equal(hash, other);
	}
}

static void the_current_directory_matters_when_a_name_is_relative(void **state)
{
	static const char relative[] = "items: {walk: {root: x}}\n" COPY;
	char hash[JOB_HASH_SIZE], other[JOB_HASH_SIZE];
	struct job *job = load(relative), *absolute = load(WALK COPY);

	(void)state;
	assert_int_equal(job_hash(job, hash), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(job_hash(job, other), 0);
	assert_string_not_equal(hash, other);
	assert_int_equal(job_hash(absolute, hash), 0);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(job_hash(absolute, other), 0);
	assert_string_equal(hash, other);
	job_free(job);
	job_free(absolute);
}

static void check_effect(const char *text, enum job_effect effect, bool whole)
{
	struct job *job = load(text);

	assert_int_equal(job_effect(job), effect);
	assert_int_equal(job_makes_whole_report(job), whole);
	job_free(job);
}

static void it_is_known_what_a_job_does_to_files(void **state)
{
	static const char range[] = "items: {range: {path: f, block_size: 4096}}\n";
	char *text;

	(void)state;
	check_effect(WALK COPY, JOB_READS, false);
	check_effect(WALK "processor: {hash: {}}\n", JOB_READS, false);
	check_effect(WALK "processor: {hash: {manifest: m}}\n", JOB_READS, true);
	check_effect(WALK "processor: {read: {}}\n", JOB_READS, false);
	check_effect(WALK "processor: {remove: {}}\n", JOB_TAKES_AWAY, false);
	check_effect(WALK "processor: {move: {destination: /y}}\n", JOB_TAKES_AWAY, false);
	check_effect(WALK "processor: {set: {mode: '0600'}}\n", JOB_CHANGES, false);
	check_effect(WALK NOP, JOB_BLIND, false);
	check_effect(WALK COPY "options: {executor: simulated}\n", JOB_BLIND, false);
	assert_true(asprintf(&text, "%sprocessor: {read: {}}\n", range) > 0);
	check_effect(text, JOB_READS, false);
	free(text);
	check_effect(WALK "processor: {steps: [openat: {path: '{path}', flags: [rdonly], as: f}, "
	                  "close: {file: f}]}\n",
	             JOB_READS, false);
	check_effect(WALK "processor: {steps: [unlinkat: {path: '{path}'}]}\n", JOB_CHANGES, false);
}

static void check_known(const char *text, bool takes)
{
	struct job *job = load(text);

	assert_int_equal(job_takes_known(job), takes);
	job_free(job);
}

static void what_is_known_is_for_those_who_compute_digests_alone(void **state)
{
	(void)state;
	check_known(WALK "processor: {hash: {manifest: m}}\n", true);
	check_known("items: {manifest: {file: f}}\nprocessor: {verify: {report: r}}\n", true);
	check_known(WALK "processor: {stat: {report: r}}\n", false);
	check_known(WALK COPY, false);
}

/* Says that all but "stays" is done. */
static bool is_done(void *context, const char *root)
{
	unsigned *asked = context;

	(*asked)++;
	return strcmp(root, "stays") != 0;
}

static void roots_that_are_gone_are_left_out_when_they_are_done(void **state)
{
	struct job *job = load("items: {walk: {roots: [gone, here, stays, too]}}\n"
	                       "processor: {remove: {}}\n");
	unsigned asked = 0;

	(void)state;
	assert_int_equal(mkdir("here", 0700), 0);
	assert_true(job_drop_roots(job, is_done, &asked));
	assert_int_equal(asked, 3);
	assert_string_equal(job->walk.roots[0], "here");
	assert_string_equal(job->walk.roots[1], "stays");
	assert_null(job->walk.roots[2]);
	job_free(job);
	job = load("items: {walk: {root: gone}}\nprocessor: {remove: {}}\n");
	assert_false(job_drop_roots(job, is_done, &asked));
	job_free(job);
	assert_int_equal(rmdir("here"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_about_failures_arrives),
		cmocka_unit_test(what_is_known_is_for_those_who_compute_digests_alone),
		cmocka_unit_test(without_them_there_is_no_journal_and_any_error_is_tried_again),
		cmocka_unit_test(retry_on_takes_a_word_without_brackets),
		cmocka_unit_test(what_cannot_be_is_refused_with_its_place),
		cmocka_unit_test(factors_are_numbers_with_two_places),
		cmocka_unit_test(a_job_is_the_same_however_it_is_run),
		cmocka_unit_test(a_job_is_another_that_does_something_else),
		cmocka_unit_test(the_current_directory_matters_when_a_name_is_relative),
		cmocka_unit_test(it_is_known_what_a_job_does_to_files),
		cmocka_unit_test(roots_that_are_gone_are_left_out_when_they_are_done),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

/* SPDX-License-Identifier: MIT */
/* Carries a loaded job out: see perform.h. */
#include "cli/perform.h"

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/dry_run.h"
#include "cli/result.h"
#include "cli/supervise.h"
#include "job/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAILURES_SHOWN 10u

error_t perform_parse(struct perform *perform, int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case PERFORM_PROGRESS:
		if (progress_parse_mode(argument, &perform->mode))
			argp_error(state, "--progress must be auto, bar, json or none, not %s",
			           argument);
		return 0;
	case PERFORM_RESULT:
	case PERFORM_RESULT_WITHOUT_LETTER:
		perform->result_file = argument;
		return 0;
	case PERFORM_LIST_SUCCESSFUL:
		perform->list_successful = true;
		return 0;
	case PERFORM_DRY_RUN:
		perform->dry_run = true;
		return 0;
	case PERFORM_PRINT_JOB:
		perform->print_job = true;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (perform->list_successful && !perform->result_file)
			argp_error(state, "--list-successful needs --result");
		if (perform->dry_run && perform->print_job)
			argp_error(state, "--dry-run and --print-job: one of the two");
		if (perform->dry_run && perform->result_file)
			argp_error(state, "--dry-run has no result to write");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void on_progress(void *context, const struct iobatch_progress *now)
{
	struct perform *perform = context;

	progress_show(&perform->progress, now);
}

static void on_log(void *context, enum iobatch_log_level level, const char *message)
{
	struct perform *perform = context;

	(void)level;
	/* Programs that read JSON from stderr are not to find anything else there. */
	if (perform->progress.mode == PROGRESS_JSON)
		return;
	progress_clear(&perform->progress);
	cli_complain("%s", message);
}

static void complain_outcome(const struct iobatch_outcome *outcome)
{
	const char *op = describe_op(outcome->opcode);
	size_t length;
	char *name = describe_item(outcome->object, &length);

	cli_complain("%s: %s (%s%s%s, %" PRIu32 " %s%s)", name ? name : "?", outcome->message,
	             outcome->error_name, *op ? ", " : "", op, outcome->attempts,
	             outcome->attempts == 1 ? "attempt" : "attempts",
	             outcome->still_running ? ", still running" : "");
	free(name);
}

static void complain_failures(const struct perform *perform, const struct iobatch_result *result)
{
	uint64_t shown = 0, reported = 0;

	/* As in on_log(). */
	if (perform->progress.mode == PROGRESS_JSON)
		return;
	for (uint64_t i = 0; i < result->failed_items_count; i++) {
		const struct iobatch_outcome *outcome = &result->failed_items[i];

		if (perform->reported && outcome->error == IOBATCH_OWN_ERROR) {
			reported++;
			continue;
		}
		/*
		 * What still runs may yet take effect, and whoever is to see to it must know what
		 * it is: each is named. There are at most max_stuck of them, and one.
		 */
		if (shown >= FAILURES_SHOWN && !outcome->still_running)
			continue;
		complain_outcome(outcome);
		shown++;
	}
	shown += reported;
	if (result->failed > shown)
		cli_complain("... and %" PRIu64 " more (%s)", result->failed - shown,
		             perform->result_file ? "see the result file" : "see --result");
}

/* What the source left out; returns how many places. */
static uint64_t complain_source(const struct perform *perform, const struct job *job,
                                const struct iobatch_source *source)
{
	const char *path = NULL;
	int error = 0;
	uint64_t count = iobatch_source_errors(source, &error, &path);

	if (!count || perform->progress.mode == PROGRESS_JSON)
		return count;
	cli_complain("%s: %s: %s", path, job_source_error(job, error), job_left_out(job));
	if (count > 1)
		cli_complain("... and %" PRIu64 " more places were left out", count - 1);
	return count;
}

/* The exit code when iobatch_run() has returned an error. */
static int run_error_code(int err, const struct iobatch_result *result)
{
	/* Nothing else times out but a source, in which case no item need be stuck. */
	if (err == -ETIMEDOUT && result->stuck)
		return CLI_HALTED;
	/* With items processed it came later than the set-up: from the source or the end. */
	if (result->total_processed)
		return CLI_FAILED;
	/* A name in a list that leads out of its root was found before the first was taken. */
	if (err == -EINVAL || err == -EXDEV)
		return CLI_USAGE;
	if (err == -EPERM || err == -ENOSYS || err == -ENOMEM || err == -EAGAIN)
		return CLI_MACHINE;
	return CLI_FAILED;
}

/* With these only a source ends a run: what it reads is not what it should be. */
static bool is_of_source(int err)
{
	return err == -EXDEV || err == -EBADMSG;
}

static void explain(const struct job *job, const struct iobatch_source *source, int err,
                    const char *why)
{
	const char *path = NULL;
	char *message;
	int error;

	if (is_of_source(err)) {
		(void)iobatch_source_errors(source, &error, &path);
		job_explain_source(job, err, path, &message);
	} else {
		job_explain(job, why, &message);
	}
	cli_complain_free(message);
}

static int conclude(struct perform *perform, const struct job *job,
                    const struct iobatch_source *source, const struct iobatch_result *result,
                    int err)
{
	const char *why = *result->message ? result->message : strerror(-err);
	uint64_t left_out;
	int code = err ? run_error_code(err, result) : CLI_OK;

	progress_clear(&perform->progress);
	if (code == CLI_USAGE) {
		explain(job, source, err, why);
		return code;
	}
	if (code == CLI_MACHINE) {
		cli_complain("%s", why);
		return code;
	}
	complain_failures(perform, result);
	left_out = err == -EXDEV ? 0 : complain_source(perform, job, source);
	if (is_of_source(err))
		explain(job, source, err, why);
	else if (err)
		cli_complain("%s: %s", job->name, why);
	progress_finish(&perform->progress, job->name, result);
	if ((result->failed || left_out) && code != CLI_HALTED)
		code = CLI_FAILED;
	if (perform->result_file) {
		struct result_report report = {.job = job->name,
		                               .result = result,
		                               .list_successful = perform->list_successful,
		                               .source_errors = left_out,
		                               .run_error = err ? why : NULL};

		err = result_write(perform->result_file, &report);
		if (err) {
			cli_complain("%s: %s: the result was not written", perform->result_file,
			             strerror(-err));
			if (code != CLI_HALTED)
				code = CLI_FAILED;
		}
	}
	return code;
}

static int run_job(struct perform *perform, struct job *job, struct iobatch_source *source)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_items items = iobatch_source_items(source);
	struct iobatch_processor *processor;
	char *message;
	int err = job_new_processor(job, &processor, &message);
	int code;

	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	/* A bar would be drawn over the lines of the report. */
	if (perform->mode == PROGRESS_AUTO && job_reports_to_stdout(job) && isatty(STDOUT_FILENO))
		perform->mode = PROGRESS_SUMMARY;
	perform->reported = job_reports_failures(job);
	progress_init(&perform->progress, perform->mode, job);
	job->options.context = perform;
	job->options.on_progress = on_progress;
	job->options.on_log = on_log;
	if (perform->list_successful)
		job->options.collect |= IOBATCH_COLLECT_SUCCESSFUL;
	err = iobatch_run(&items, processor, &job->options, &result);
	code = conclude(perform, job, source, &result, err);
	/* Nothing that could wait for what hangs is done any more, not even the closing of a file.
	 */
	if (!progress_deinit(&perform->progress) || result.still_running)
		supervise_leave(cli_close_stdout(code));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return code;
}

/* Only with a deadline are items given up, and only real ones are then still running. */
static bool may_hang(const struct perform *perform, const struct job *job)
{
	return job->options.timeout_ms && !perform->dry_run &&
	       job->options.executor != IOBATCH_EXECUTOR_SIMULATED;
}

static int run_dry(const struct perform *perform, const struct job *job,
                   struct iobatch_source *source)
{
	int err = dry_run(job, source);

	if (err)
		cli_complain("%s: the items end early: %s", job->name, strerror(-err));
	return complain_source(perform, job, source) || err ? CLI_FAILED : CLI_OK;
}

static int perform_opened(struct perform *perform, struct job *job)
{
	struct iobatch_source *source;
	char *message;
	int code, err = perform->result_file ? result_check(perform->result_file) : 0;

	if (err) {
		cli_complain("--result %s: %s", perform->result_file, strerror(-err));
		return CLI_USAGE;
	}
	err = job_open_source(job, &source, &message);
	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	code = perform->dry_run ? run_dry(perform, job, source) : run_job(perform, job, source);
	iobatch_source_free(source);
	return code;
}

static int print_job(const struct job *job)
{
	char *text;

	if (job_print(job, &text))
		return CLI_MACHINE;
	fputs(text, stdout);
	free(text);
	return CLI_OK;
}

int perform_job(struct perform *perform, struct job *job)
{
	if (perform->print_job)
		return print_job(job);
	if (may_hang(perform, job))
		supervise();
	return perform_opened(perform, job);
}

/* SPDX-License-Identifier: MIT */
/* Carries a loaded job out: see perform.h. */
#include "cli/perform.h"

#include "cli/attendant.h"
#include "cli/cli.h"
#include "cli/control_socket.h"
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

static void check_wish(const struct perform *perform, struct argp_state *state)
{
	const struct durable_wish *wish = &perform->durable_wish;
	bool resumes = wish->resume || wish->failed_only;

	if (wish->resume && wish->failed_only)
		argp_error(state, "--resume and --resume-failed: one of the two");
	if (wish->force && !resumes)
		argp_error(state, "--force is about a job that is resumed: --resume");
	if (resumes && perform->dry_run)
		argp_error(state, "--dry-run resumes nothing; iobatch journal says what is done");
}

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
	case PERFORM_CONTROL:
		perform->control_path = argument;
		return 0;
	case PERFORM_DRY_RUN:
		perform->dry_run = true;
		return 0;
	case PERFORM_PRINT_JOB:
		perform->print_job = true;
		return 0;
	case PERFORM_RESUME:
		perform->durable_wish.resume = true;
		return 0;
	case PERFORM_RESUME_FAILED:
		perform->durable_wish.failed_only = true;
		return 0;
	case PERFORM_FORCE:
		perform->durable_wish.force = true;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (perform->list_successful && !perform->result_file)
			argp_error(state, "--list-successful needs --result");
		if (perform->dry_run && perform->print_job)
			argp_error(state, "--dry-run and --print-job: one of the two");
		if (perform->dry_run && perform->result_file)
			argp_error(state, "--dry-run has no result to write");
		if (perform->dry_run && perform->control_path)
			argp_error(state, "--dry-run has nothing to control");
		check_wish(perform, state);
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
	struct iobatch_control *control = attendant_control(perform->attendant);
	struct iobatch_progress now;

	(void)level;
	if (iobatch_control_progress(control, &now) != IOBATCH_STATE_PAUSED) {
		progress_say(&perform->progress, "%s", message);
		return;
	}
	/* Of many items that find it full at once, the first says so. */
	if (progress_set_state(&perform->progress, "paused", &now))
		progress_say(&perform->progress, "%s: kill -CONT %d, or iobatch ctl", message,
		             (int)getpid());
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

static bool was_told_to_end(const struct iobatch_result *result)
{
	return result->end == IOBATCH_END_DRAINED || result->end == IOBATCH_END_CANCELLED;
}

static void complain_failures(const struct perform *perform, const struct iobatch_result *result)
{
	uint64_t shown = 0, reported = 0, cancelled = 0;

	/* Programs that read JSON from stderr are not to find anything else there. */
	if (perform->progress.mode == PROGRESS_JSON)
		return;
	for (uint64_t i = 0; i < result->failed_items_count; i++) {
		const struct iobatch_outcome *outcome = &result->failed_items[i];

		if (perform->reported && outcome->error == IOBATCH_OWN_ERROR) {
			reported++;
			continue;
		}
		/* Whoever ended the run knows why, and there may be many of them. */
		if (was_told_to_end(result) && outcome->error == -ECANCELED &&
		    !outcome->still_running) {
			cancelled++;
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
	if (cancelled)
		cli_complain("%" PRIu64 " items were cancelled", cancelled);
	shown += reported + cancelled;
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
	if (result->end == IOBATCH_END_HALTED)
		return CLI_HALTED;
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
	struct resume_counts counts;
	uint64_t left_out;
	bool resumed;
	int code = err ? run_error_code(err, result) : CLI_OK;
	bool journal_failed = err && durable_failed(&perform->durable, result);

	progress_end(&perform->progress);
	if (code == CLI_USAGE) {
		explain(job, source, err, why);
		return code;
	}
	if (code == CLI_MACHINE && !journal_failed) {
		cli_complain("%s", why);
		return code;
	}
	complain_failures(perform, result);
	left_out = err == -EXDEV ? 0 : complain_source(perform, job, source);
	if (is_of_source(err))
		explain(job, source, err, why);
	else if (err)
		cli_complain("%s: %s", job->name, why);
	resumed = durable_counts(&perform->durable, &counts);
	progress_finish(&perform->progress, job->name, result, resumed ? &counts : NULL);
	if ((result->failed || left_out) && code != CLI_HALTED)
		code = CLI_FAILED;
	code = durable_end(&perform->durable, result, code);
	if (perform->result_file) {
		struct result_report report = {.job = job->name,
		                               .result = result,
		                               .list_successful = perform->list_successful,
		                               .source_errors = left_out,
		                               .run_error = err ? why : NULL,
		                               .resumed = resumed ? &counts : NULL};

		err = result_write(perform->result_file, &report);
		if (err) {
			cli_complain("%s: %s: the result was not written", perform->result_file,
			             strerror(-err));
			if (code == CLI_OK)
				code = CLI_FAILED;
		}
	}
	return code;
}

/*
 * Whether the walk waits for what is in a directory before it gives the directory itself, in a run
 * that looks for more only when it has nothing else to do, and does nothing meanwhile.
 */
static bool waits_for_itself(const struct job *job)
{
	return job->options.executor == IOBATCH_EXECUTOR_SIMULATED &&
	       job->source == JOB_SOURCE_WALK &&
	       job->walk.directories == IOBATCH_DIRECTORIES_LAST &&
	       job->walk.types & IOBATCH_TYPE_DIRECTORY;
}

static int run_processor(struct perform *perform, struct job *job, struct iobatch_source *source)
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
	if (waits_for_itself(job)) {
		cli_complain("%s: a simulated run cannot wait for what is in a directory: take "
		             "another executor, or types without directories",
		             job->name);
		iobatch_processor_free(processor);
		return CLI_USAGE;
	}
	/* A bar would be drawn over the lines of the report. */
	if (perform->mode == PROGRESS_AUTO && job_reports_to_stdout(job) && isatty(STDOUT_FILENO))
		perform->mode = PROGRESS_SUMMARY;
	perform->reported = job_reports_failures(job);
	progress_init(&perform->progress, perform->mode, job,
	              perform->durable.resumed ? perform->durable.resume : NULL);
	job->options.context = perform;
	job->options.on_progress = on_progress;
	job->options.on_log = on_log;
	job->options.control = attendant_control(perform->attendant);
	if (perform->list_successful)
		job->options.collect |= IOBATCH_COLLECT_SUCCESSFUL;
	err = iobatch_run(&items, processor, &job->options, &result);
	perform->ran = !err || result.total_processed;
	code = attendant_code(perform->attendant, &result,
	                      conclude(perform, job, source, &result, err));
	/* Nothing that could wait for what hangs is done any more, not even the closing of a file.
	 */
	if (!progress_deinit(&perform->progress) || result.still_running) {
		attendant_stop(perform->attendant);
		supervise_leave(cli_close_stdout(code));
	}
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return code;
}

/* The same with the journal around it. */
static int run_job(struct perform *perform, struct job *job)
{
	struct durable *durable = &perform->durable;
	int code =
		durable_begin(durable, &perform->durable_wish, job, perform->mode == PROGRESS_JSON);
	struct iobatch_source *source;
	char *message;
	int err;

	if (code)
		return code;
	err = durable_open_source(durable, job, &source, &message);
	if (err) {
		cli_complain_free(message);
		code = err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	} else {
		code = run_processor(perform, job, source);
		iobatch_source_free(source);
	}
	durable_deinit(durable, !perform->ran);
	return code;
}

/* Only with a deadline are items given up, and only real ones are then still running. */
static bool may_hang(const struct perform *perform, const struct job *job)
{
	return job->options.timeout_ms && !perform->dry_run &&
	       job->options.executor != IOBATCH_EXECUTOR_SIMULATED;
}

static int run_dry(const struct perform *perform, struct job *job)
{
	struct iobatch_source *source;
	char *message;
	int code, err = job_open_source(job, &source, &message);

	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	err = dry_run(job, source);
	if (err)
		cli_complain("%s: the items end early: %s", job->name, strerror(-err));
	code = complain_source(perform, job, source) || err ? CLI_FAILED : CLI_OK;
	iobatch_source_free(source);
	return code;
}

static int perform_opened(struct perform *perform, struct job *job)
{
	int err = perform->result_file ? result_check(perform->result_file) : 0;

	if (err) {
		cli_complain("--result %s: %s", perform->result_file, strerror(-err));
		return CLI_USAGE;
	}
	return perform->dry_run ? run_dry(perform, job) : run_job(perform, job);
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

/* Runs the job with somebody who attends to it. */
static int perform_attended(struct perform *perform, struct job *job)
{
	const struct attendant_options options = {.socket = perform->control_path,
	                                          .job = job->name,
	                                          .batch_size = job->options.batch_size,
	                                          .progress = &perform->progress};
	int code, err;

	/* What comes before there is a run finds the mode all the same. */
	perform->progress.mode = perform->mode;
	err = attendant_start(&options, &perform->attendant);

	if (err && !perform->control_path) {
		cli_complain("signals cannot be attended to: %s", strerror(-err));
		return CLI_MACHINE;
	}
	if (err) {
		cli_complain("--control %s: %s", perform->control_path,
		             control_socket_problem(err));
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	code = perform_opened(perform, job);
	attendant_stop(perform->attendant);
	attendant_free(perform->attendant);
	return code;
}

int perform_job(struct perform *perform, struct job *job)
{
	if (perform->print_job)
		return print_job(job);
	if (may_hang(perform, job))
		supervise();
	return perform->dry_run ? perform_opened(perform, job) : perform_attended(perform, job);
}

/* SPDX-License-Identifier: MIT */
/*
 * `iobatch run`: loads a job, runs it, and says what came of it: progress and failures on stderr,
 * the result file, the exit code.
 */
#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/dry_run.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/supervise.h"
#include "job/job.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_SHOWN 10u

struct run {
	struct cli_job arguments;
	enum progress_mode mode;
	const char *result_file;
	bool list_successful;
	bool dry_run;
	struct progress progress;
};

enum key {
	KEY_PROGRESS = 'p',
	KEY_RESULT = 'r',
	KEY_DRY_RUN = 'n',
	KEY_EXECUTOR = 'e',
	KEY_LIST_SUCCESSFUL = 256,
};

static const struct argp_option options[] = {
	CLI_OPTION_SET,
	{"executor", KEY_EXECUTOR, "NAME", 0,
         "What carries the operations out: auto, ring, syscall or simulated; the same as --set "
         "options.executor=NAME",
         0},
	{"progress", KEY_PROGRESS, "HOW", 0,
         "Show progress on stderr: bar, json (one object a line), none, or auto (the "
         "default: a bar on a terminal, else one line at the end)",
         0},
	{"result", KEY_RESULT, "FILE", 0, "Write the result as JSON to FILE (- is stdout)", 0},
	{"list-successful", KEY_LIST_SUCCESSFUL, NULL, 0,
         "List the successful items in the result too", 0},
	{"dry-run", KEY_DRY_RUN, NULL, 0, "Print what would be done, and touch nothing", 0},
	{0},
};

static const char doc[] =
	"Run the job that JOB.yaml describes.\v"
	"Relative paths, also those in the job, are relative to the current directory.\n"
	"\n"
	"Examples:\n"
	"  iobatch run quickstart.yaml\n"
	"  iobatch run copy-tree.yaml --set processor.copy.destination=/backup\n"
	"  iobatch run scrub.yaml --set options.rings=auto --result scrub.json\n"
	"  iobatch run scrub.yaml --set 'items.walk.types=[file, symlink]' --dry-run\n"
	"\n"
	"KEY is the way to a value, joined by dots; entries of a list count from 0.\n"
	"A VALUE that begins with [ { \" or ' is YAML, anything else is taken as it\n"
	"stands.\n"
	"\n"
	"Exit status: 0 all items succeeded; 1 items failed, or could not be found, or\n"
	"an output could not be written; 2 wrong arguments or job; 3 this machine\n"
	"cannot run it (see iobatch doctor); 5 halted, because more than max_stuck\n"
	"items did not answer. With 2 and 3 nothing was touched.";

/* By enum iobatch_executor. */
static const char *const executor_sets[] = {
	[IOBATCH_EXECUTOR_AUTO] = "options.executor=auto",
	[IOBATCH_EXECUTOR_RING] = "options.executor=ring",
	[IOBATCH_EXECUTOR_SYSCALL] = "options.executor=syscall",
	[IOBATCH_EXECUTOR_SIMULATED] = "options.executor=simulated",
};

static void set_executor(struct run *run, const char *name, struct argp_state *state)
{
	for (size_t i = 0; i < sizeof(executor_sets) / sizeof(executor_sets[0]); i++) {
		if (!strcmp(name, strchr(executor_sets[i], '=') + 1)) {
			cli_job_set(&run->arguments, executor_sets[i]);
			return;
		}
	}
	argp_error(state, "--executor must be auto, ring, syscall or simulated, not %s", name);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case KEY_PROGRESS:
		if (progress_parse_mode(argument, &run->mode))
			argp_error(state, "--progress must be auto, bar, json or none, not %s",
			           argument);
		return 0;
	case KEY_EXECUTOR:
		set_executor(run, argument, state);
		return 0;
	case KEY_RESULT:
		run->result_file = argument;
		return 0;
	case KEY_LIST_SUCCESSFUL:
		run->list_successful = true;
		return 0;
	case KEY_DRY_RUN:
		run->dry_run = true;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (run->list_successful && !run->result_file)
			argp_error(state, "--list-successful needs --result");
		if (run->dry_run && run->result_file)
			argp_error(state, "--dry-run has no result to write");
		return 0;
	default:
		return cli_job_parse(&run->arguments, key, argument, state);
	}
}

static void on_progress(void *context, const struct iobatch_progress *now)
{
	struct run *run = context;

	progress_show(&run->progress, now);
}

static void on_log(void *context, enum iobatch_log_level level, const char *message)
{
	struct run *run = context;

	(void)level;
	/* Programs that read JSON from stderr are not to find anything else there. */
	if (run->progress.mode == PROGRESS_JSON)
		return;
	progress_clear(&run->progress);
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

static void complain_failures(const struct run *run, const struct iobatch_result *result)
{
	uint64_t shown = 0;

	/* As in on_log(). */
	if (run->progress.mode == PROGRESS_JSON)
		return;
	for (uint64_t i = 0; i < result->failed_items_count; i++) {
		const struct iobatch_outcome *outcome = &result->failed_items[i];

		/*
		 * What still runs may yet take effect, and whoever is to see to it must know what
		 * it is: each is named. There are at most max_stuck of them, and one.
		 */
		if (i >= FAILURES_SHOWN && !outcome->still_running)
			continue;
		complain_outcome(outcome);
		shown++;
	}
	if (result->failed > shown)
		cli_complain("... and %" PRIu64 " more (%s)", result->failed - shown,
		             run->result_file ? "see the result file" : "see --result");
}

/* What the source left out; returns how many places. */
static uint64_t complain_source(const struct run *run, const struct iobatch_source *source)
{
	const char *path = NULL;
	int error = 0;
	uint64_t count = iobatch_source_errors(source, &error, &path);

	if (!count || run->progress.mode == PROGRESS_JSON)
		return count;
	cli_complain("%s: %s: left out, with all in it", path, strerror(-error));
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
	if (err == -EINVAL)
		return CLI_USAGE;
	if (err == -EPERM || err == -ENOSYS || err == -ENOMEM || err == -EAGAIN)
		return CLI_MACHINE;
	return CLI_FAILED;
}

static int conclude(struct run *run, const struct job *job, const struct iobatch_source *source,
                    const struct iobatch_result *result, int err)
{
	const char *why = *result->message ? result->message : strerror(-err);
	uint64_t left_out;
	int code = err ? run_error_code(err, result) : CLI_OK;

	progress_clear(&run->progress);
	if (code == CLI_USAGE) {
		char *message;

		job_explain(job, why, &message);
		cli_complain_free(message);
		return code;
	}
	if (code == CLI_MACHINE) {
		cli_complain("%s", why);
		return code;
	}
	complain_failures(run, result);
	left_out = complain_source(run, source);
	if (err)
		cli_complain("%s: %s", job->name, why);
	progress_finish(&run->progress, job->name, result);
	if ((result->failed || left_out) && code != CLI_HALTED)
		code = CLI_FAILED;
	if (run->result_file) {
		struct result_report report = {.job = job->name,
		                               .result = result,
		                               .list_successful = run->list_successful,
		                               .source_errors = left_out,
		                               .run_error = err ? why : NULL};

		err = result_write(run->result_file, &report);
		if (err) {
			cli_complain("%s: %s: the result was not written", run->result_file,
			             strerror(-err));
			if (code != CLI_HALTED)
				code = CLI_FAILED;
		}
	}
	return code;
}

static int run_job(struct run *run, struct job *job, struct iobatch_source *source)
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
	progress_init(&run->progress, run->mode, job);
	job->options.context = run;
	job->options.on_progress = on_progress;
	job->options.on_log = on_log;
	if (run->list_successful)
		job->options.collect |= IOBATCH_COLLECT_SUCCESSFUL;
	err = iobatch_run(&items, processor, &job->options, &result);
	code = conclude(run, job, source, &result, err);
	/* Nothing that could wait for what hangs is done any more, not even the closing of a file.
	 */
	if (!progress_deinit(&run->progress) || result.still_running)
		supervise_leave(cli_close_stdout(code));
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return code;
}

/* Only with a deadline are items given up, and only real ones are then still running. */
static bool may_hang(const struct run *run, const struct job *job)
{
	return job->options.timeout_ms && !run->dry_run &&
	       job->options.executor != IOBATCH_EXECUTOR_SIMULATED;
}

static int run_dry(const struct run *run, const struct job *job, struct iobatch_source *source)
{
	int err = dry_run(job, source);

	if (err)
		cli_complain("%s: the items end early: %s", job->name, strerror(-err));
	return complain_source(run, source) || err ? CLI_FAILED : CLI_OK;
}

static int run_loaded(struct run *run, struct job *job)
{
	struct iobatch_source *source;
	char *message;
	int code, err = run->result_file ? result_check(run->result_file) : 0;

	if (err) {
		cli_complain("--result %s: %s", run->result_file, strerror(-err));
		return CLI_USAGE;
	}
	err = job_open_source(job, &source, &message);
	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	code = run->dry_run ? run_dry(run, job, source) : run_job(run, job, source);
	iobatch_source_free(source);
	return code;
}

int cli_run(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, "JOB.yaml", doc, NULL, NULL, NULL};
	struct run run = {.mode = PROGRESS_AUTO};
	struct job *job;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run))
		return CLI_USAGE;
	code = cli_job_load(&run.arguments, &job);
	if (!code) {
		if (may_hang(&run, job))
			supervise();
		code = run_loaded(&run, job);
		job_free(job);
	}
	cli_job_deinit(&run.arguments);
	return code;
}

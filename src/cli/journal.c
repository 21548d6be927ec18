/* SPDX-License-Identifier: MIT */
/* `iobatch journal`: what a journal says, whether it is whole, and how one that is not is mended.
 */
#include "journal/journal.h"
#include "cli/bar.h"
#include "cli/cli.h"
#include "cli/escape.h"
#include "journal/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum task {
	TASK_SUMMARY,
	TASK_FAILED,
	TASK_CHECK,
	TASK_REPAIR,
};

struct arguments {
	const char *path;
	enum task task;
	bool nul;
};

enum journal_key {
	KEY_FAILED = 'f',
	KEY_NUL = '0',
	KEY_CHECK = 'c',
	KEY_REPAIR = 1000,
};

static const struct argp_option options[] = {
	{"failed", KEY_FAILED, NULL, 0,
         "List the items that have failed, or of which it is not known, a line each", 0},
	{"null", KEY_NUL, NULL, 0, "End each in NUL, and the names as they are", 0},
	{"check", KEY_CHECK, NULL, 0, "Check every line, and say where the first bad one begins",
         0},
	{"repair", KEY_REPAIR, NULL, 0,
         "Cut the file off at its first bad line: what stood behind it is done again when the "
         "job is resumed",
         0},
	{0},
};

static const char doc[] =
	"Say what the journal of a job says: what is done, what has failed and why.\v"
	"Without options it prints a summary. All of this may be asked while a run goes\n"
	"on, but for --repair.\n"
	"\n"
	"Examples:\n"
	"  iobatch journal copy.journal\n"
	"  iobatch journal --failed -0 copy.journal | xargs -0 ls -ld\n"
	"  iobatch journal --repair copy.journal\n"
	"\n"
	"Exit status: 0 all is well; 1 it is damaged, or no journal, or output was\n"
	"lost; 2 wrong arguments, or no such file; 3 out of memory or of the disk; 4 it\n"
	"is locked by a run, or of a version that is not known here.";

static void set_task(struct arguments *arguments, enum task task, struct argp_state *state)
{
	if (arguments->task != TASK_SUMMARY && arguments->task != task)
		argp_error(state, "--failed, --check and --repair: one of them");
	arguments->task = task;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_FAILED:
		set_task(arguments, TASK_FAILED, state);
		return 0;
	case KEY_NUL:
		arguments->nul = true;
		return 0;
	case KEY_CHECK:
		set_task(arguments, TASK_CHECK, state);
		return 0;
	case KEY_REPAIR:
		set_task(arguments, TASK_REPAIR, state);
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->path)
			argp_error(state, "one journal at a time: %s is too much", argument);
		arguments->path = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a journal is missing");
		return 0;
	case ARGP_KEY_SUCCESS:
		if (arguments->nul && arguments->task != TASK_FAILED)
			argp_error(state, "-0 is about --failed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int complain(const struct arguments *arguments, int err, char *message)
{
	if (message)
		cli_complain_free(message);
	else
		cli_complain("%s: %s", arguments->path, strerror(-err));
	switch (err) {
	case JOURNAL_BAD:
		return CLI_FAILED;
	case JOURNAL_LOCKED:
	case JOURNAL_OTHER_VERSION:
		return CLI_JOURNAL;
	case -ENOMEM:
	case -ENOSPC:
	case -EIO:
	case -EROFS:
		return CLI_MACHINE;
	default:
		return CLI_USAGE;
	}
}

static void print_text(const char *label, const char *text)
{
	char *escaped = text ? escape_text(text, strlen(text)) : NULL;

	if (escaped)
		printf("%-10s %s\n", label, escaped);
	free(escaped);
}

static void print_time(const char *label, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm parts;
	char text[64];

	if (localtime_r(&seconds, &parts) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &parts))
		printf("%-10s %s\n", label, text);
}

static void print_duration(const char *label, uint64_t ns)
{
	printf("%s %.3f ms", label, (double)ns / 1e6);
}

static void print_groups(const struct journal_summary *summary)
{
	for (uint64_t i = 0; i < summary->groups_count; i++) {
		const struct journal_group *group = &summary->groups[i];

		printf("%-10s %" PRIu64 " x %s%s%s\n", i ? "" : "errors:", group->count,
		       group->error ? group->error : "of other kinds", group->op ? " of " : "",
		       group->op ? group->op : "");
	}
}

static void print_summary(const struct journal_summary *summary)
{
	const uint64_t *items = summary->items;
	char bytes[32], active[32];

	/* Its run was cut off before it had begun. */
	if (!summary->runs) {
		printf("%-10s %" PRIu64 " lines, %" PRIu64 " bytes: no run has begun\n",
		       "journal:", summary->lines, summary->size);
		return;
	}
	bar_format_bytes(bytes, sizeof(bytes), (double)summary->bytes);
	bar_format_duration(active, sizeof(active), (double)summary->active_ns / 1e9);
	print_text("job:", summary->job);
	for (uint64_t i = 0; i < summary->roots_count; i++)
		print_text(i ? "" : "roots:", summary->roots[i]);
	print_text("hash:", summary->hash);
	print_time("begun:", summary->begun_ns);
	print_time("latest:", summary->latest_ns);
	printf("%-10s %" PRIu64 ", %s; the last one: ", "runs:", summary->runs, active);
	if (summary->end)
		printf("%s\n", summary->end);
	else
		printf("goes on, or was cut off (process %" PRIu64 ")\n", summary->pid);
	printf("%-10s %" PRIu64 " done, %" PRIu64 " skipped, %" PRIu64 " failed, %" PRIu64
	       " stuck, %" PRIu64 " cancelled, %" PRIu64 " not known\n",
	       "items:", items[RECORD_DONE], items[RECORD_SKIPPED], items[RECORD_FAILED],
	       items[RECORD_STUCK], items[RECORD_CANCELLED], summary->open);
	printf("%-10s %" PRIu64 ", %s\n", "attempts:", summary->attempts, bytes);
	printf("%-10s", "duration:");
	print_duration(" p50", summary->duration_ns[0]);
	print_duration(", p90", summary->duration_ns[1]);
	print_duration(", p99", summary->duration_ns[2]);
	print_duration(", max", summary->duration_ns[3]);
	putchar('\n');
	print_groups(summary);
	printf("%-10s %" PRIu64 " lines, %" PRIu64 " bytes", "journal:", summary->lines,
	       summary->size);
	if (summary->torn)
		printf(", and %" PRIu64 " bytes of a torn end", summary->torn);
	putchar('\n');
}

static int summarise(const struct arguments *arguments)
{
	struct journal_summary *summary;
	char *message = NULL;
	int err = journal_summary_new(arguments->path, &summary, &message);

	if (err)
		return complain(arguments, err, message);
	print_summary(summary);
	journal_summary_free(summary);
	return CLI_OK;
}

static int print_item(void *context, const struct record *record)
{
	const struct arguments *arguments = context;
	char *escaped;

	if (arguments->nul) {
		fwrite(record->name, 1, record->name_length, stdout);
		return putchar('\0') == EOF ? -EPIPE : 0;
	}
	escaped = escape_text(record->name, record->name_length);
	if (!escaped)
		return -ENOMEM;
	fputs(escaped, stdout);
	free(escaped);
	if (record->length)
		printf(" [%" PRIu64 ", +%" PRIu64 "]", record->offset, record->length);
	return putchar('\n') == EOF ? -EPIPE : 0;
}

static int list_failed(struct arguments *arguments)
{
	char *message = NULL;
	int err = journal_failed(arguments->path, print_item, arguments, &message);

	if (!err)
		err = journal_open_items(arguments->path, print_item, arguments, &message);
	/* That output was lost is said at the end. */
	if (err == -EPIPE)
		return CLI_FAILED;
	return err ? complain(arguments, err, message) : CLI_OK;
}

static int check(const struct arguments *arguments)
{
	uint64_t lines = 0, offset = 0, torn = 0;
	char *message = NULL;
	int err = journal_check(arguments->path, &lines, &offset, &torn, &message);
	char *name;

	if (err)
		return complain(arguments, err, message);
	name = escape_text(arguments->path, strlen(arguments->path));
	printf("%s: %" PRIu64 " lines are good", name ? name : "?", lines);
	if (torn)
		printf("; a torn end of %" PRIu64 " bytes, which resuming leaves out", torn);
	putchar('\n');
	free(name);
	return CLI_OK;
}

static int repair(const struct arguments *arguments)
{
	uint64_t cut = 0;
	char *message = NULL, *name;
	int err = journal_repair(arguments->path, JOURNAL_WAIT_MS, &cut, &message);

	if (err)
		return complain(arguments, err, message);
	name = escape_text(arguments->path, strlen(arguments->path));
	if (cut)
		printf("%s: %" PRIu64 " bytes were cut off\n", name ? name : "?", cut);
	else
		printf("%s: there was nothing to mend\n", name ? name : "?");
	free(name);
	return CLI_OK;
}

int cli_journal(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, "FILE", doc, NULL, NULL, NULL};
	struct arguments arguments = {.path = NULL};

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return CLI_USAGE;
	switch (arguments.task) {
	case TASK_FAILED:
		return list_failed(&arguments);
	case TASK_CHECK:
		return check(&arguments);
	case TASK_REPAIR:
		return repair(&arguments);
	default:
		return summarise(&arguments);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * A journal as a whole: see summary.h. The latest outcome of each item is in a set, as a number:
 * its kind, the group of its error, and the line that it stands in.
 */
#include "journal/summary.h"

#include "journal/histogram.h"
#include "journal/scan.h"
#include "journal/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 256u

/* 3 bits of a kind and 1, 13 of a group, the rest is the line. */
#define KIND_BITS 3u
#define LINE_SHIFT 16u

struct tally {
	struct set *set;
	struct journal_summary *summary;
	struct histogram durations;
	uint64_t run_ns; /* when the run began that is read */
};

static uint64_t value_of(enum record_kind kind, unsigned group, uint64_t line)
{
	return line << LINE_SHIFT | (uint64_t)group << KIND_BITS | (kind + 1u);
}

static int copy(char **to, const char *from)
{
	if (!from)
		return 0;
	free(*to);
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The group of a failed item's error; the last one is for all that found none. */
static int find_group(struct journal_summary *summary, const struct record *record,
                      unsigned *ret_group)
{
	struct journal_group *group;
	int err;

	for (unsigned i = 0; i < summary->groups_count; i++) {
		group = &summary->groups[i];
		if (i == GROUPS_MAX - 1 ||
		    (is_same(group->error, record->error) && is_same(group->op, record->op))) {
			*ret_group = i;
			return 0;
		}
	}
	group = &summary->groups[summary->groups_count];
	*ret_group = (unsigned)summary->groups_count++;
	if (summary->groups_count == GROUPS_MAX)
		return 0;
	err = copy(&group->error, record->error ? record->error : "-");
	return err ? err : copy(&group->op, record->op);
}

/* An item has been of this value until now. */
static void forget(struct journal_summary *summary, uint64_t value)
{
	unsigned kind = (unsigned)(value & 7) - 1;
	unsigned group = value >> KIND_BITS & 0x1fff;

	if (!value)
		return;
	if (kind == RECORD_INTENT) {
		summary->open--;
		return;
	}
	summary->items[kind]--;
	if (kind == RECORD_FAILED || kind == RECORD_STUCK)
		summary->groups[group].count--;
}

/* As for who resumes: see is_news() in resume.c. */
static bool is_news(const struct tally *tally, struct set_key key, const struct record *record)
{
	unsigned before = (unsigned)(set_get(tally->set, key) & 7);

	if (record->kind != RECORD_CANCELLED || !before)
		return true;
	before--;
	return before != RECORD_FAILED && before != RECORD_STUCK && record->attempts;
}

static int take_item(struct tally *tally, const struct record *record, uint64_t line)
{
	struct journal_summary *summary = tally->summary;
	bool failed = record->kind == RECORD_FAILED || record->kind == RECORD_STUCK;
	struct set_key key = set_key_of(record);
	unsigned group = 0;
	uint64_t before;
	int err = failed ? find_group(summary, record, &group) : 0;

	if (err || !is_news(tally, key, record))
		return err;
	err = set_put(tally->set, key, value_of(record->kind, group, line), &before);
	if (err)
		return err;
	forget(summary, before);
	if (record->kind == RECORD_INTENT)
		summary->open++;
	else
		summary->items[record->kind]++;
	if (failed)
		summary->groups[group].count++;
	return 0;
}

static void take_outcome(struct tally *tally, const struct record *record)
{
	struct journal_summary *summary = tally->summary;

	summary->records++;
	summary->attempts += record->attempts;
	summary->bytes += record->bytes;
	histogram_add(&tally->durations, record->duration_ns);
}

static int take_root(struct journal_summary *summary, const struct record *record)
{
	char **roots = reallocarray(summary->roots, summary->roots_count + 1, sizeof(*roots));

	if (!roots)
		return -ENOMEM;
	summary->roots = roots;
	roots[summary->roots_count] = strdup(record->name);
	return roots[summary->roots_count++] ? 0 : -ENOMEM;
}

static int take_header(struct journal_summary *summary, const struct record *record)
{
	int err = copy(&summary->job, record->name);

	if (!err)
		err = copy(&summary->hash, record->hash);
	if (!err)
		err = copy(&summary->options, record->options);
	summary->begun_ns = record->time_ns;
	return err;
}

static const char *static_end(const char *word)
{
	static const char *const words[] = {"complete", "stuck",     "halted",
	                                    "drained",  "cancelled", "error"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return words[i];
	return "error";
}

static void end_run(struct tally *tally)
{
	struct journal_summary *summary = tally->summary;

	if (summary->latest_ns > tally->run_ns)
		summary->active_ns += summary->latest_ns - tally->run_ns;
}

static int take_run(struct tally *tally, const struct record *record)
{
	struct journal_summary *summary = tally->summary;

	if (summary->runs++)
		end_run(tally);
	tally->run_ns = record->time_ns;
	summary->latest_ns = record->time_ns;
	summary->pid = record->pid;
	summary->end = NULL;
	return copy(&summary->hash, record->hash);
}

static int take(struct tally *tally, const struct record *record, uint64_t line)
{
	struct journal_summary *summary = tally->summary;
	uint64_t until = record->time_ns + record->duration_ns;
	int err;

	switch (record->kind) {
	case RECORD_HEADER:
		return take_header(summary, record);
	case RECORD_ROOT:
		return take_root(summary, record);
	case RECORD_RUN:
		return take_run(tally, record);
	case RECORD_END:
		summary->end = static_end(record->error);
		err = 0;
		break;
	case RECORD_INTENT:
		err = take_item(tally, record, line);
		break;
	default:
		take_outcome(tally, record);
		err = take_item(tally, record, line);
	}
	if (until > summary->latest_ns)
		summary->latest_ns = until;
	return err;
}

static int compare_groups(const void *a, const void *b)
{
	const struct journal_group *left = a, *right = b;

	return (left->count < right->count) - (left->count > right->count);
}

/* Those that no item is of any more are left out. */
static void finish(struct tally *tally, const struct journal_reader *reader)
{
	static const unsigned percents[] = {50, 90, 99, 100};
	struct journal_summary *summary = tally->summary;

	if (summary->runs)
		end_run(tally);
	for (unsigned i = 0; i < 4; i++)
		summary->duration_ns[i] = histogram_percentile(&tally->durations, percents[i]);
	qsort(summary->groups, summary->groups_count, sizeof(*summary->groups), compare_groups);
	while (summary->groups_count && !summary->groups[summary->groups_count - 1].count) {
		struct journal_group *group = &summary->groups[--summary->groups_count];

		free(group->op);
		free(group->error);
	}
	summary->lines = journal_reader_lines(reader);
	summary->size = journal_reader_offset(reader);
	summary->torn = journal_reader_torn(reader);
}

static void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	set_free(tally->set);
	journal_summary_free(tally->summary);
	free(tally);
}

static int tally_new(struct tally **ret_tally)
{
	struct tally *tally = calloc(1, sizeof(*tally));
	int err = tally ? set_new(&tally->set) : -ENOMEM;

	if (!err) {
		tally->summary = calloc(1, sizeof(*tally->summary));
		err = tally->summary ? 0 : -ENOMEM;
	}
	if (!err) {
		tally->summary->groups = calloc(GROUPS_MAX, sizeof(struct journal_group));
		err = tally->summary->groups ? 0 : -ENOMEM;
	}
	if (err) {
		tally_free(tally);
		return err;
	}
	*ret_tally = tally;
	return 0;
}

static int read_all(struct tally *tally, struct scan *scan)
{
	struct record record;
	int rc, err = 0;

	while (!err && (rc = scan_next(scan, &record)) > 0)
		err = take(tally, &record, journal_reader_lines(scan->reader));
	return err ? err : rc;
}

int journal_summary_new(const char *path, struct journal_summary **ret_summary, char **ret_error)
{
	struct tally *tally = NULL;
	struct scan scan;
	int err = scan_open(&scan, path, O_RDONLY);

	if (!err)
		err = tally_new(&tally);
	if (!err)
		err = read_all(tally, &scan);
	if (err) {
		*ret_error = scan.error;
	} else {
		finish(tally, scan.reader);
		*ret_summary = tally->summary;
		tally->summary = NULL;
	}
	tally_free(tally);
	scan_close(&scan);
	return err;
}

void journal_summary_free(struct journal_summary *summary)
{
	if (!summary)
		return;
	for (uint64_t i = 0; i < summary->roots_count; i++)
		free(summary->roots[i]);
	for (uint64_t i = 0; i < summary->groups_count; i++) {
		free(summary->groups[i].op);
		free(summary->groups[i].error);
	}
	free(summary->roots);
	free(summary->groups);
	free(summary->job);
	free(summary->hash);
	free(summary->options);
	free(summary);
}

/* Gives the records that are the latest of their items, of two kinds. */
static int give(struct tally *tally, struct scan *scan, enum record_kind kind,
                enum record_kind kind2, int (*callback)(void *context, const struct record *record),
                void *context)
{
	uint64_t lines = journal_reader_lines(scan->reader);
	struct record record;
	int rc = scan_again(scan);

	/* Not beyond what was read before, though there may be more by now. */
	while (!rc && journal_reader_lines(scan->reader) < lines) {
		rc = scan_next(scan, &record);
		if (rc <= 0)
			break;
		rc = 0;
		if (record.kind != kind && record.kind != kind2)
			continue;
		if (set_get(tally->set, set_key_of(&record)) >> LINE_SHIFT ==
		    journal_reader_lines(scan->reader))
			rc = callback(context, &record);
	}
	return rc;
}

static int each_latest(const char *path, enum record_kind kind, enum record_kind kind2,
                       int (*callback)(void *context, const struct record *record), void *context,
                       char **ret_error)
{
	struct tally *tally = NULL;
	struct scan scan;
	int rc = scan_open(&scan, path, O_RDONLY);

	if (!rc)
		rc = tally_new(&tally);
	if (!rc)
		rc = read_all(tally, &scan);
	if (!rc)
		rc = give(tally, &scan, kind, kind2, callback, context);
	if (rc)
		*ret_error = scan.error;
	else
		free(scan.error);
	tally_free(tally);
	scan_close(&scan);
	return rc;
}

int journal_failed(const char *path, int (*failed)(void *context, const struct record *record),
                   void *context, char **ret_error)
{
	return each_latest(path, RECORD_FAILED, RECORD_STUCK, failed, context, ret_error);
}

int journal_open_items(const char *path, int (*open)(void *context, const struct record *record),
                       void *context, char **ret_error)
{
	return each_latest(path, RECORD_INTENT, RECORD_INTENT, open, context, ret_error);
}

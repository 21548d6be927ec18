/* SPDX-License-Identifier: MIT */
/*
 * What does a journal cost? The same run without one and with one of each kind, in one process: nop
 * items, where a record costs more than the item, and a tree that is in the page cache, hashed on
 * all CPUs. A record is a line as one would keep it: start, duration, attempts, bytes, outcome,
 * name.
 *
 *     journal DIRECTORY TREE [REPETITIONS]
 */
#include <errno.h>
#include <fcntl.h>
#include <iobatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure.h"

#define NOPS 1000000
#define GOAL 1.05

static const char *directory;
static const char *tree;

/* ------------------------------------------------------------- records -- */

static char *put_text(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

static char *put_number(char *at, uint64_t number)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count > 0)
		*at++ = digits[--count];
	*at++ = ' ';
	return at;
}

static char *put_outcome(char *at, const struct iobatch_outcome *outcome)
{
	at = put_number(at, outcome->start_ns);
	at = put_number(at, outcome->duration_ns);
	at = put_number(at, outcome->attempts);
	at = put_number(at, outcome->bytes);
	return outcome->error ? put_text(at, "failed ", 7) : put_text(at, "ok ", 3);
}

static size_t record_nop(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	char *at = put_outcome(buffer, outcome);

	(void)context;
	at = put_number(at, outcome->index);
	at[-1] = '\n';
	return (size_t)(at - buffer);
}

static size_t record_file(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	const struct iobatch_file *file = outcome->object;
	char *at = put_outcome(buffer, outcome);

	(void)context;
	at = put_text(at, file->path, file->path_length);
	*at++ = '\n';
	return (size_t)(at - buffer);
}

/* ---------------------------------------------------------------- runs -- */

enum {
	WITHOUT,
	NONE,
	BATCH,
	ITEM,
	KINDS
};

static const char *const names[KINDS] = {"no journal", "journal, sync none", "journal, sync batch",
                                         "journal, sync item"};

static int open_journal(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/bench-journal-XXXXXX", directory);
	fd = mkstemp(path);
	if (fd < 0)
		measure_fail(path, errno);
	unlink(path);
	return fd;
}

/* What an item has taken. */
struct cost {
	double wall_ns;
	double cpu_ns;
};

static double cpu_now_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return 1e9 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       1e3 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct cost run(const struct iobatch_items *items, const struct iobatch_processor *processor,
                       unsigned kind, bool files)
{
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_journal journal = IOBATCH_JOURNAL_INIT;
	struct cost cost;
	int error;

	options.rings = files ? 0 : 1;
	journal.outcome = files ? record_file : record_nop;
	if (kind != WITHOUT) {
		journal.fd = open_journal();
		journal.sync = kind - NONE;
		options.journal = &journal;
	}
	cost.cpu_ns = cpu_now_ns();
	cost.wall_ns = (double)measure_now_ns();
	error = iobatch_run(items, processor, &options, &result);
	cost.wall_ns = (double)measure_now_ns() - cost.wall_ns;
	cost.cpu_ns = cpu_now_ns() - cost.cpu_ns;
	if (error)
		measure_fail(result.message, error);
	if (journal.fd >= 0)
		close(journal.fd);
	cost.wall_ns /= (double)result.total_processed;
	cost.cpu_ns /= (double)result.total_processed;
	iobatch_result_deinit(&result);
	return cost;
}

static struct cost run_nops(unsigned kind)
{
	static char objects[NOPS];
	struct iobatch_items items = iobatch_items_array(objects, NOPS, 1);
	struct iobatch_processor *processor;
	struct cost cost;
	int error = iobatch_nop_new(&processor);

	if (error)
		measure_fail("iobatch_nop_new", error);
	cost = run(&items, processor, kind, false);
	iobatch_processor_free(processor);
	return cost;
}

static struct cost run_hash(unsigned kind)
{
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_hash_options hash = IOBATCH_HASH_OPTIONS_INIT;
	const char *const roots[] = {tree, NULL};
	struct iobatch_processor *processor;
	struct iobatch_source *source;
	struct iobatch_items items;
	struct cost cost;
	int error;

	walk.roots = roots;
	error = iobatch_source_walk(&walk, &source);
	if (error)
		measure_fail(tree, error);
	error = iobatch_hash_new(&hash, &processor);
	if (error)
		measure_fail("iobatch_hash_new", error);
	items = iobatch_source_items(source);
	cost = run(&items, processor, kind, true);
	iobatch_processor_free(processor);
	iobatch_source_free(source);
	return cost;
}

static void compare(const char *what, struct cost (*measure)(unsigned kind), unsigned repetitions)
{
	struct series wall[KINDS] = {0}, cpu[KINDS] = {0};

	for (unsigned i = 0; i < KINDS; i++) {
		wall[i].name = cpu[i].name = names[i];
		wall[i].unit = "ns/item";
		cpu[i].unit = "ns of CPU/item";
	}
	(void)measure(WITHOUT);
	for (unsigned i = 0; i < repetitions; i++) {
		/* Each goes first in its turn. */
		for (unsigned j = 0; j < KINDS; j++) {
			unsigned kind = (i + j) % KINDS;
			struct cost cost = measure(kind);

			series_add(&wall[kind], cost.wall_ns);
			series_add(&cpu[kind], cost.cpu_ns);
		}
	}
	printf("%s\n", what);
	for (unsigned i = 0; i < KINDS; i++) {
		series_print(&wall[i]);
		series_print(&cpu[i]);
	}
	for (unsigned i = NONE; i < KINDS; i++) {
		printf("  time: ");
		series_print_ratio(&wall[i], &wall[WITHOUT], i == ITEM ? 0 : GOAL, false);
		printf("  CPU: ");
		series_print_ratio(&cpu[i], &cpu[WITHOUT], 0, false);
	}
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 3 ? measure_repetitions(argv[3]) : 11;

	if (argc < 3) {
		fprintf(stderr, "usage: journal DIRECTORY TREE [REPETITIONS]\n");
		return 2;
	}
	directory = argv[1];
	tree = argv[2];
	compare("nop items, 1 ring", run_nops, repetitions);
	compare("hash a cached tree, all CPUs", run_hash, repetitions);
	return 0;
}

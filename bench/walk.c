/* SPDX-License-Identifier: MIT */
/*
 * How long does it take to find all files of a tree whose directories are in memory: a walk with
 * nothing done for each file, and `iobatch stat` of each, against find without and with a stat.
 *
 *     walk IOBATCH TREE [REPETITIONS]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "race.h"

static char job[] = "/tmp/iobatch-walk-XXXXXX";

static void remove_job(void)
{
	unlink(job);
}

static void write_job(const char *tree)
{
	int fd = mkstemp(job);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		measure_fail(job, errno);
	atexit(remove_job);
	fprintf(file,
	        "items:\n"
	        "  walk: { root: \"%s\", types: [file], order: found }\n"
	        "processor: { nop: {} }\n"
	        "options: { batch_size: 256 }\n",
	        tree);
	if (fclose(file) != 0)
		measure_fail(job, errno);
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 3 ? measure_repetitions(argv[3]) : 11;

	if (argc < 3) {
		fprintf(stderr, "usage: walk IOBATCH TREE [REPETITIONS]\n");
		return 2;
	}
	if (strpbrk(argv[2], "\"\\"))
		measure_fail("a tree with a quote in its name", EINVAL);
	write_job(argv[2]);

	const char *nop[] = {argv[1], "run", "--progress", "none", job, NULL};
	const char *find[] = {"find", argv[2], "-type", "f", NULL};
	struct racer walks[] = {
		{.name = "iobatch, a walk and nothing", .argv = nop, .ours = true},
		{.name = "find -type f", .argv = find, .goal = 1},
	};
	const char *stat[] = {argv[1],    "stat",  "--recursive", "--types", "file",
	                      "--format", "json",  "--executor",  "syscall", "--progress",
	                      "none",     argv[2], NULL};
	const char *stat_ring[] = {argv[1],    "stat",  "--recursive", "--types", "file",
	                           "--format", "json",  "--executor",  "ring",    "--progress",
	                           "none",     argv[2], NULL};
	const char *printf_all[] = {"find", argv[2],   "-type",
	                            "f",    "-printf", "%p %s %m %U %G %T@ %A@ %C@ %i %n\n",
	                            NULL};
	struct racer stats[] = {
		{.name = "iobatch stat, ring", .argv = stat_ring, .ours = true},
		{.name = "iobatch stat, syscall", .argv = stat, .ours = true},
		{.name = "find -printf of the same", .argv = printf_all, .goal = 1},
	};

	race(walks, 2, repetitions, NULL);
	race(stats, 3, repetitions, NULL);
	printf("find all files of a tree: %s\n", argv[2]);
	race_print(walks, 2);
	printf("and stat them\n");
	race_print(stats, 3);
	return 0;
}

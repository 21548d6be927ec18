/* SPDX-License-Identifier: MIT */
/*
 * How long does a tree of small files take to copy, in the shape of a large node_modules and in the
 * page cache: `iobatch copy` by rings and by system calls, against cp -a and rsync -a, with the
 * same attributes kept. Nothing is made durable by any of them; what they wrote is synced between
 * the runs.
 *
 *     copy_tree IOBATCH NPM_TREE DIRECTORY [REPETITIONS [FILES]]
 *
 * NPM_TREE is the program that makes the tree; DIRECTORY is where it is made, copied and removed.
 */
#include <stdio.h>

#include "race.h"

static const char *directory;

static void prepare(void)
{
	race_shell("rm -rf \"$1/copy\" && sync -f \"$1\"", (const char *const[]){directory, NULL});
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 4 ? measure_repetitions(argv[4]) : 9;
	const char *files = argc > 5 ? argv[5] : "50000";
	char from[4096], from_slash[4097], to[4096];

	if (argc < 4) {
		fprintf(stderr,
		        "usage: copy_tree IOBATCH NPM_TREE DIRECTORY [REPETITIONS [FILES]]\n");
		return 2;
	}
	directory = argv[3];
	snprintf(from, sizeof(from), "%s/tree", directory);
	snprintf(from_slash, sizeof(from_slash), "%s/tree/", directory);
	snprintf(to, sizeof(to), "%s/copy", directory);

	const char *ring[] = {argv[1],      "copy", "--executor", "ring", "--xattrs", "--acls",
	                      "--progress", "none", from,         to,     NULL};
	const char *calls[] = {argv[1],      "copy", "--executor", "syscall", "--xattrs", "--acls",
	                       "--progress", "none", from,         to,        NULL};
	const char *cp[] = {"cp", "-a", from, to, NULL};
	const char *rsync[] = {"rsync", "-aHAX", from_slash, to, NULL};
	struct racer racers[] = {
		{.name = "iobatch copy, ring", .argv = ring, .ours = true},
		{.name = "iobatch copy, syscall", .argv = calls, .ours = true},
		{.name = "cp -a", .argv = cp, .goal = 1},
		{.name = "rsync -aHAX", .argv = rsync, .goal = 1},
	};

	race_shell("mkdir -p \"$1\" && rm -rf \"$1/tree\" && \"$2\" \"$1/tree\" \"$3\"",
	           (const char *const[]){directory, argv[2], files, NULL});
	race(racers, race_has("rsync") ? 4 : 3, repetitions, prepare);
	printf("copy a cached tree of %s files\n", files);
	race_print(racers, race_has("rsync") ? 4 : 3);
	race_shell("rm -rf \"$1/tree\" \"$1/copy\"", (const char *const[]){directory, NULL});
	return 0;
}

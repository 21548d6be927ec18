/* SPDX-License-Identifier: MIT */
/*
 * How long does a tree of small files take to remove: `iobatch remove` by rings and by system
 * calls, against rm -rf and find -delete.
 *
 *     remove_tree IOBATCH NPM_TREE DIRECTORY [REPETITIONS [FILES]]
 *
 * NPM_TREE is the program that makes the tree, anew for each of them, in DIRECTORY.
 */
#include <stdio.h>

#include "race.h"

static const char *directory, *program, *files;

static void prepare(void)
{
	race_shell("\"$2\" \"$1/tree\" \"$3\" && sync -f \"$1\"",
	           (const char *const[]){directory, program, files, NULL});
}

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 4 ? measure_repetitions(argv[4]) : 9;
	char tree[4096];

	if (argc < 4) {
		fprintf(stderr,
		        "usage: remove_tree IOBATCH NPM_TREE DIRECTORY [REPETITIONS [FILES]]\n");
		return 2;
	}
	directory = argv[3];
	program = argv[2];
	files = argc > 5 ? argv[5] : "50000";
	snprintf(tree, sizeof(tree), "%s/tree", directory);

	const char *ring[] = {argv[1],      "remove", "--executor", "ring",
	                      "--progress", "none",   tree,         NULL};
	const char *calls[] = {argv[1],      "remove", "--executor", "syscall",
	                       "--progress", "none",   tree,         NULL};
	const char *rm[] = {"rm", "-rf", tree, NULL};
	const char *find[] = {"find", tree, "-delete", NULL};
	struct racer racers[] = {
		{.name = "iobatch remove, ring", .argv = ring, .ours = true},
		{.name = "iobatch remove, syscall", .argv = calls, .ours = true},
		{.name = "rm -rf", .argv = rm, .goal = 1},
		{.name = "find -delete", .argv = find, .goal = 1},
	};

	race_shell("mkdir -p \"$1\" && rm -rf \"$1/tree\"", (const char *const[]){directory, NULL});
	race(racers, 4, repetitions, prepare);
	printf("remove a tree of %s files\n", files);
	race_print(racers, 4);
	return 0;
}

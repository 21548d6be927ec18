/* SPDX-License-Identifier: MIT */
/*
 * How long do checksums of a tree that is in the page cache take where the checksum is the work:
 * `iobatch hash -a sha256` on all CPUs, against find and xargs with as many sha256sum at once.
 *
 *     hash_sha256 IOBATCH TREE [REPETITIONS]
 */
#include <stdio.h>
#include <unistd.h>

#include "race.h"

int main(int argc, char **argv)
{
	unsigned repetitions = argc > 3 ? measure_repetitions(argv[3]) : 7;
	char processors[32];

	if (argc < 3) {
		fprintf(stderr, "usage: hash_sha256 IOBATCH TREE [REPETITIONS]\n");
		return 2;
	}
	snprintf(processors, sizeof(processors), "%ld", sysconf(_SC_NPROCESSORS_ONLN));

	const char *ring[] = {argv[1],   "hash", "-a",         "sha256", "--executor", "ring",
	                      "--rings", "auto", "--progress", "none",   argv[2],      NULL};
	const char *xargs[] = {
		"sh",
		"-c",
		"find \"$1\" -type f -print0 | xargs -0 -P\"$2\" sha256sum >/dev/null",
		"sh",
		argv[2],
		processors,
		NULL};
	struct racer racers[] = {
		{.name = "iobatch hash -a sha256, rings: auto", .argv = ring, .ours = true},
		{.name = "find | xargs -P sha256sum", .argv = xargs, .goal = 1},
	};

	race(racers, 2, repetitions, NULL);
	printf("sha256 of a cached tree: %s, %s CPUs\n", argv[2], processors);
	race_print(racers, 2);
	return 0;
}

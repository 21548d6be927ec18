/* SPDX-License-Identifier: MIT */
/*
 * How long does a tree that is in the page cache take to hash, whole commands against each other:
 * `iobatch run` with a hash job on all CPUs, by rings and by system calls, against find and xargs
 * with as many xxhsum at once as there are CPUs. All write a manifest of the same digests (XXH3,
 * 128 bits), which must have as many lines.
 *
 *     hash_tree IOBATCH TREE [REPETITIONS]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

static char directory[] = "/tmp/iobatch-hash-tree-XXXXXX";
static char job[64];
static char our_manifest[64];
static char their_manifest[64];

static void remove_files(void)
{
	unlink(job);
	unlink(our_manifest);
	unlink(their_manifest);
	rmdir(directory);
}

static void write_job(const char *tree)
{
	FILE *file = fopen(job, "w");

	if (!file)
		measure_fail(job, errno);
	fprintf(file,
	        "job: hash-tree\n"
	        "items:\n"
	        "  walk: { root: \"%s\", types: [file] }\n"
	        "processor:\n"
	        "  hash: { algorithm: xxh3-128, manifest: \"%s\" }\n"
	        "options:\n"
	        "  batch_size: 64\n"
	        "  max_concurrent: 8\n"
	        "  rings: auto\n",
	        tree, our_manifest);
	if (fclose(file) != 0)
		measure_fail(job, errno);
}

static uint64_t count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t lines = 0;
	int byte;

	if (!file)
		measure_fail(path, errno);
	while ((byte = getc(file)) != EOF)
		lines += byte == '\n';
	fclose(file);
	return lines;
}

enum {
	RING,
	SYSCALL,
	XARGS,
	SUBJECTS
};

int main(int argc, char **argv)
{
	struct subject {
		struct series ms, cpu;
	} subjects[SUBJECTS] = {
		[RING] = {{.name = "iobatch, ring", .unit = "ms"},
	                  {.name = "iobatch, ring", .unit = "ms of CPU"}},
		[SYSCALL] = {{.name = "iobatch, syscall", .unit = "ms"},
	                     {.name = "iobatch, syscall", .unit = "ms of CPU"}},
		[XARGS] = {{.name = "find | xargs -P xxhsum", .unit = "ms"},
	                   {.name = "find | xargs -P xxhsum", .unit = "ms of CPU"}},
	};
	unsigned repetitions = argc > 3 ? measure_repetitions(argv[3]) : 11;
	char processors[32];

	if (argc < 3) {
		fprintf(stderr, "usage: hash_tree IOBATCH TREE [REPETITIONS]\n");
		return 2;
	}
	if (strpbrk(argv[2], "\"\\"))
		measure_fail("a tree with a quote in its name", EINVAL);
	if (system("xxhsum --version >/dev/null 2>&1") != 0) {
		printf("hash a cached tree: xxhsum is not installed, left out\n");
		return 0;
	}
	if (!mkdtemp(directory))
		measure_fail(directory, errno);
	snprintf(job, sizeof(job), "%s/job.yaml", directory);
	snprintf(our_manifest, sizeof(our_manifest), "%s/ours", directory);
	snprintf(their_manifest, sizeof(their_manifest), "%s/theirs", directory);
	atexit(remove_files);
	write_job(argv[2]);
	snprintf(processors, sizeof(processors), "%ld", sysconf(_SC_NPROCESSORS_ONLN));

	const char *ring[] = {argv[1],      "run",  "--progress", "none",
	                      "--executor", "ring", job,          NULL};
	const char *syscalls[] = {argv[1],      "run",     "--progress", "none",
	                          "--executor", "syscall", job,          NULL};
	const char *theirs[] = {
		"sh",
		"-c",
		"find \"$1\" -type f -print0 | xargs -0 -P\"$2\" xxhsum -q -H2 >\"$3\"",
		"sh",
		argv[2],
		processors,
		their_manifest,
		NULL};
	const char *const *const commands[SUBJECTS] = {
		[RING] = ring, [SYSCALL] = syscalls, [XARGS] = theirs};

	/* The first two fill the cache, and show that both do the same work. */
	measure_command(theirs, -1);
	measure_command(ring, -1);
	if (count_lines(our_manifest) != count_lines(their_manifest))
		measure_fail("the manifests are not of the same files", EIO);

	for (unsigned i = 0; i < repetitions; i++) {
		/* Each goes first in its turn. */
		for (unsigned j = 0; j < SUBJECTS; j++) {
			struct subject *subject = &subjects[(i + j) % SUBJECTS];
			struct measured_command took =
				measure_command(commands[(i + j) % SUBJECTS], -1);

			series_add(&subject->ms, took.wall_ns / 1e6);
			series_add(&subject->cpu, took.cpu_ns / 1e6);
		}
	}

	printf("hash a cached tree: %s, %llu files, %s CPUs\n", argv[2],
	       (unsigned long long)count_lines(our_manifest), processors);
	for (unsigned i = 0; i < SUBJECTS; i++) {
		series_print(&subjects[i].ms);
		series_print(&subjects[i].cpu);
	}
	printf("  speed: ");
	series_print_ratio(&subjects[XARGS].ms, &subjects[RING].ms, 1.5, true);
	printf("  CPU: ");
	series_print_ratio(&subjects[RING].cpu, &subjects[XARGS].cpu, 0, false);
	printf("  speed: ");
	series_print_ratio(&subjects[XARGS].ms, &subjects[SYSCALL].ms, 1.5, true);
	printf("  CPU: ");
	series_print_ratio(&subjects[SYSCALL].cpu, &subjects[XARGS].cpu, 0, false);
	return 0;
}

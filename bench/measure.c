/* SPDX-License-Identifier: MIT */
/*
 * Clocks, series of figures and commands that are timed: see measure.h. Its one invariant is that
 * no figure is ever left out: what was taken counts in median and spread.
 */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void measure_fail(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

uint64_t measure_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t measure_count(const char *text)
{
	char *end;
	unsigned long long count;

	errno = 0;
	count = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || count == 0)
		measure_fail(text, EINVAL);
	return count;
}

unsigned measure_repetitions(const char *text)
{
	uint64_t count = measure_count(text);

	if (count > MEASURE_MAX)
		measure_fail(text, ERANGE);
	return (unsigned)count;
}

void series_add(struct series *series, double value)
{
	if (series->count == MEASURE_MAX)
		measure_fail(series->name, ENOSPC);
	series->values[series->count++] = value;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

static struct series sorted(const struct series *series)
{
	struct series copy = *series;

	if (copy.count == 0)
		measure_fail(series->name, ENODATA);
	qsort(copy.values, copy.count, sizeof(copy.values[0]), compare_doubles);
	return copy;
}

static double middle(const struct series *ordered)
{
	unsigned half = ordered->count / 2;

	if (ordered->count % 2)
		return ordered->values[half];
	return (ordered->values[half - 1] + ordered->values[half]) / 2;
}

double series_median(const struct series *series)
{
	struct series ordered = sorted(series);

	return middle(&ordered);
}

void series_print(const struct series *series)
{
	struct series ordered = sorted(series);

	printf("  %-44s %11.1f %s   (%.1f to %.1f, %u runs)\n", series->name, middle(&ordered),
	       series->unit, ordered.values[0], ordered.values[ordered.count - 1], ordered.count);
}

void series_print_ratio(const struct series *ours, const struct series *theirs, double goal,
                        bool at_least)
{
	struct series ratios = {.name = "ratio"};
	double ratio;

	for (unsigned i = 0; i < ours->count && i < theirs->count; i++)
		series_add(&ratios, ours->values[i] / theirs->values[i]);
	ratios = sorted(&ratios);
	ratio = middle(&ratios);

	printf("  %s / %s = %.2f   (%.2f to %.2f)", ours->name, theirs->name, ratio,
	       ratios.values[0], ratios.values[ratios.count - 1]);
	if (goal > 0)
		printf("   goal: at %s %.2f, %s", at_least ? "least" : "most", goal,
		       (at_least ? ratio >= goal : ratio <= goal) ? "met" : "missed");
	putchar('\n');
}

static double timeval_ns(struct timeval time)
{
	return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

struct measured_command measure_command(const char *const argv[], int output)
{
	struct measured_command measured;
	struct rusage usage;
	uint64_t start;
	pid_t child;
	int status;

	/* What is still in our own buffer would be written a second time by the child. */
	fflush(NULL);
	start = measure_now_ns();
	child = fork();
	if (child < 0)
		measure_fail("fork", errno);
	if (child == 0) {
		if (output < 0)
			output = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (output < 0 || dup2(output, STDOUT_FILENO) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (wait4(child, &status, 0, &usage) < 0) {
		if (errno != EINTR)
			measure_fail("wait4", errno);
	}
	measured.wall_ns = (double)(measure_now_ns() - start);
	measured.cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench: %s has failed (status %#x)\n", argv[0], (unsigned)status);
		exit(1);
	}
	return measured;
}

/* SPDX-License-Identifier: MIT */
/*
 * What every benchmark does in the same way: takes series of figures, tells their median and
 * spread, and judges the ratio of two series whose runs were made in turn. It knows neither
 * iobatch nor io_uring.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MEASURE_MAX 99

/* Figures of one subject, in the order in which they were taken. */
struct series {
	const char *name;
	const char *unit;
	double values[MEASURE_MAX];
	unsigned count;
};

uint64_t measure_now_ns(void);

/* A repetition count from the command line: 1 to MEASURE_MAX, or the program ends. */
unsigned measure_repetitions(const char *text);
/* Any other count from the command line: 1 or more, or the program ends. */
uint64_t measure_count(const char *text);

void series_add(struct series *series, double value);
double series_median(const struct series *series);

/* Prints median, least and greatest. */
void series_print(const struct series *series);

/*
 * Prints the ratio of `ours` to `theirs`: the median of the ratios of runs that stood side by
 * side, which a machine that slows down for a while disturbs less than the ratio of the medians.
 * `goal` is the greatest ratio that will do, or with `at_least` the smallest; 0 = no goal.
 */
void series_print_ratio(const struct series *ours, const struct series *theirs, double goal,
                        bool at_least);

/* What a command took, from its start to its end. */
struct measured_command {
	double wall_ns;
	double cpu_ns; /* user and system, with the children that it has waited for */
};

/*
 * Runs argv[0] from PATH with its standard output to `output` (-1: nowhere) and waits for it. Ends
 * the program when the command cannot be run or fails.
 */
struct measured_command measure_command(const char *const argv[], int output);

/* Prints a message and ends the program, for what a benchmark cannot go on after. */
_Noreturn void measure_fail(const char *what, int error);

#endif

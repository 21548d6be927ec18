/* SPDX-License-Identifier: MIT */
/*
 * Whole commands that do the same work, against each other: each goes first in its turn, over
 * something that was prepared for it. The first is ours. Knows what measure.h knows.
 */
#ifndef BENCH_RACE_H
#define BENCH_RACE_H

#include "measure.h"

struct racer {
	const char *name;
	const char *const *argv;
	double goal; /* our speed to its, at least; 0 = no goal */
	bool ours;   /* one more of ours: no ratio to it */
	struct series ms, cpu;
};

/* Runs all of them so often. `prepare` makes what the next one works on, and is not measured. */
void race(struct racer *racers, unsigned count, unsigned repetitions, void (*prepare)(void));

/* Prints all of them, and ours to each other. */
void race_print(struct racer *racers, unsigned count);

/* Runs a line of the shell, with $1, $2 ... of `arguments`; ends the program when it fails. */
void race_shell(const char *line, const char *const arguments[]);

/* Is there a command of this name? */
bool race_has(const char *command);

#endif

/* SPDX-License-Identifier: MIT */
/* Commands that are run in turn: see race.h. */
#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void race_shell(const char *line, const char *const arguments[])
{
	const char *argv[16] = {"sh", "-c", line, "sh"};

	for (unsigned i = 0; arguments[i] && i < 10; i++)
		argv[4 + i] = arguments[i];
	measure_command(argv, -1);
}

bool race_has(const char *command)
{
	char line[128];

	snprintf(line, sizeof(line), "command -v %s >/dev/null 2>&1", command);
	return system(line) == 0;
}

void race(struct racer *racers, unsigned count, unsigned repetitions, void (*prepare)(void))
{
	for (unsigned i = 0; i < count; i++) {
		racers[i].ms = (struct series){.name = racers[i].name, .unit = "ms"};
		racers[i].cpu = (struct series){.name = racers[i].name, .unit = "ms of CPU"};
	}
	for (unsigned i = 0; i < repetitions; i++) {
		for (unsigned j = 0; j < count; j++) {
			struct racer *racer = &racers[(i + j) % count];
			struct measured_command took;

			if (prepare)
				prepare();
			took = measure_command(racer->argv, -1);
			series_add(&racer->ms, took.wall_ns / 1e6);
			series_add(&racer->cpu, took.cpu_ns / 1e6);
		}
	}
}

void race_print(struct racer *racers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		series_print(&racers[i].ms);
		series_print(&racers[i].cpu);
	}
	for (unsigned i = 0; i < count; i++) {
		if (racers[i].ours)
			continue;
		printf("  speed, beside %s: ", racers[i].name);
		series_print_ratio(&racers[i].ms, &racers[0].ms, racers[i].goal, true);
		printf("  CPU, beside %s: ", racers[i].name);
		series_print_ratio(&racers[0].cpu, &racers[i].cpu, 0, false);
	}
}

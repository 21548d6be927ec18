/* SPDX-License-Identifier: MIT */
/*
 * What pairs of file systems were found not to be able to do, so that it is not tried for each
 * file. This part knows device numbers only. What it cannot remember is tried again.
 */
#ifndef PROCESSOR_COPY_ABILITY_H
#define PROCESSOR_COPY_ABILITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define COPY_CAN_CLONE 1u
#define COPY_CAN_RANGE 2u  /* copy_file_range */
#define COPY_CAN_RENAME 4u /* from one to the other */

#define COPY_PAIRS_MAX 64u

struct copy_pair {
	uint64_t from, to;
	unsigned cannot;
};

struct copy_abilities {
	pthread_mutex_t lock;
	unsigned count;
	struct copy_pair pairs[COPY_PAIRS_MAX];
};

void copy_abilities_init(struct copy_abilities *abilities);
void copy_abilities_deinit(struct copy_abilities *abilities);

/* May it be worth while to try? */
bool copy_can(struct copy_abilities *abilities, uint64_t from, uint64_t to, unsigned ability);
/* It is not. */
void copy_cannot(struct copy_abilities *abilities, uint64_t from, uint64_t to, unsigned ability);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The directories of a copy whose modes and times are set at the end, when nothing is put into them
 * any more. This part knows paths; neither items nor ops.
 */
#ifndef PROCESSOR_DIRECTORIES_H
#define PROCESSOR_DIRECTORIES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct directories {
	pthread_mutex_t lock;
	struct directory *list;
	size_t count;
	size_t max;
};

int directories_init(struct directories *directories);
void directories_deinit(struct directories *directories);

/*
 * Remembers a directory. `open_flags` are O_* for opening it: O_NOFOLLOW unless it may be a
 * symbolic link. From any thread.
 */
int directories_add(struct directories *directories, const char *path, int open_flags,
                    uint32_t mode, const struct timespec times[2]);

/* Sets the modes and times, the deepest first. Goes on after an error; returns the first one. */
int directories_finish(struct directories *directories);

#endif

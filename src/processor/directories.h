/* SPDX-License-Identifier: MIT */
/*
 * What is still to be done about the directories of a copy: those that were made and whose own item
 * has not come, those whose attributes are set at the end, and the times that a directory had
 * before its contents were moved out of it. This part knows paths below the destination; neither
 * items nor ops.
 */
#ifndef PROCESSOR_DIRECTORIES_H
#define PROCESSOR_DIRECTORIES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct directories {
	pthread_mutex_t lock;
	struct directory **buckets;
	size_t buckets_count;
	size_t count;
	uint32_t made_mode; /* of those that were made and never came as items */
	bool sync;          /* make durable what is set at the end */
};

int directories_init(struct directories *directories, uint32_t made_mode, bool sync);
void directories_deinit(struct directories *directories);

/* Paths are as in place.h. From any thread; -ENOMEM is the only error. */

/* The directory was made, and has mode 0700. */
int directories_made(struct directories *directories, const char *path, uint32_t length);
/* It gets these at the end. NULL times: it keeps its own. */
int directories_keep(struct directories *directories, const char *path, uint32_t length,
                     uint32_t mode, const struct timespec *times);
/* These are the times that its source had; the first that are told are those that count. */
int directories_note(struct directories *directories, const char *path, uint32_t length,
                     const struct timespec *times);
/* Are such times known? When they are, they are copied to ret_times[2], unless that is NULL. */
bool directories_noted(struct directories *directories, const char *path, uint32_t length,
                       struct timespec *ret_times);
/* All that there was to be done about it is done. */
void directories_forget(struct directories *directories, const char *path, uint32_t length);

/*
 * Does what is left to be done, the deepest first. `open_directory` opens a directory of this path
 * (NUL-terminated) and returns a descriptor or a negative errno. Goes on after an error; returns
 * the first one. What is gone is no error.
 */
int directories_finish(struct directories *directories,
                       int (*open_directory)(void *context, const char *path), void *context);

#endif

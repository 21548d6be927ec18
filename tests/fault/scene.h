/* SPDX-License-Identifier: MIT */
#ifndef FAULT_SCENE_H
#define FAULT_SCENE_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Long enough for what comes at all to come, on a machine that is busy. */
#define SCENE_SOON_MS 5000
/* Long enough to say that nothing comes. */
#define SCENE_NOTHING_MS 150

/* Where the facts are looked at: a faultfs, and a directory on a file system that is well. */
extern struct scene {
	const char *mountpoint;
	const char *backing;
	const char *socket;
	const char *healthy;
} scene;

/* From the arguments MOUNTPOINT BACKING SOCKET HEALTHY; says the plan and exits when it cannot. */
void scene_start(int argc, char **argv);
int scene_done(void);

/* TAP. must() is for what the test itself needs; it looks at errno. */
void scene_ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
void scene_must(bool right, const char *what);

double scene_now_ms(void);
void scene_sleep_ms(unsigned ms);

/* The faultfs: a command, how much hangs, and until so much does. No more rules, and all goes on.
 */
void scene_control(const char *command);
unsigned long scene_hung(void);
bool scene_wait_hung(unsigned long count, unsigned ms);
void scene_release(void);

void scene_in_mount(char *path, size_t size, const char *name);
/* A file of the backing directory, with something in it. */
void scene_make(const char *name);

/* Rings in which an op and a second thing, a timeout or a cancel, have these for user_data. */
#define SCENE_OP_ID 1
#define SCENE_OTHER_ID 2

void scene_setup_ring(struct io_uring *ring);

/* When a CQE came, from the start, and whether that was before all was released. */
struct scene_answer {
	bool came;
	bool early;
	int res;
	double ms;
};

/*
 * Takes CQEs into answers[SCENE_OP_ID] and answers[SCENE_OTHER_ID] until both are there or time is
 * up.
 */
void scene_reap(struct io_uring *ring, struct scene_answer *answers, double start, unsigned ms,
                bool early);
const char *scene_words(const struct scene_answer *answer);

/* Can the thread be joined within that time? */
bool scene_joined(pthread_t thread, unsigned ms);

#endif

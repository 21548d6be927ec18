/* SPDX-License-Identifier: MIT */
/*
 * Reading from a descriptor of the caller's that may keep us waiting, such as a pipe, and that
 * another thread can end the wait for. What is read is left to others.
 */
#ifndef SOURCE_INPUT_H
#define SOURCE_INPUT_H

#include <stdbool.h>
#include <sys/types.h>

struct input {
	int fd;
	int stop_fd; /* an eventfd: readable once the wait is to end */
};

/* The caller's `fd` may not be closed before the input is. */
int input_init(struct input *input, int fd);
void input_deinit(struct input *input);

/* As read(2), but waits for a descriptor that does not block; -ECANCELED when interrupted. */
ssize_t input_read(struct input *input, void *buffer, size_t size);

/* Ends all waiting in input_read(), now and later. From any thread. */
void input_interrupt(struct input *input);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef FAULT_CONTROL_H
#define FAULT_CONTROL_H

#include <stddef.h>

#define FAULT_CONTROL_MAX 65536

/*
 * Sends a command to a faultfs that listens on `socket` and waits for what it answers, at most ten
 * seconds. 0 and the answer's text; or -EINVAL and the text of what is wrong with the command; or
 * another negative errno when nobody answers.
 */
int fault_control(const char *socket, const char *command, char *answer, size_t size);

/* Listens on `path`, which must not exist. A descriptor or a negative errno. */
int fault_control_listen(const char *path);

/*
 * Takes one command from a connection to `listener`, has `answer` answer it (with 0 and a text, or
 * a negative errno and what is wrong), and closes the connection.
 */
void fault_control_serve(int listener, int (*answer)(const char *command, char *text, size_t size));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The socket by which a run is asked and told: who may open it is who may control the run, and it
 * belongs to its owner alone from its first moment on. It never waits for anyone: a client that
 * says too much, or does not take its answers, is hung up on; of too many clients the one goes that
 * has been silent for longest. What the lines mean is not known here.
 */
#ifndef CLI_CONTROL_SOCKET_H
#define CLI_CONTROL_SOCKET_H

#include <poll.h>
#include <stddef.h>

#define CONTROL_CLIENTS 16u
/* Descriptors to be waited for at most. */
#define CONTROL_POLLS (CONTROL_CLIENTS + 1)

struct control_socket;

/*
 * Makes the socket, in place of one that nobody listens to any more. -EADDRINUSE: somebody does;
 * -EEXIST: there is something that is no such socket; -EBUSY: somebody holds the directory, and
 * not for a moment only; -ENAMETOOLONG: longer than a socket's path can be. To be called while the
 * process has one thread: it sets the umask for a moment.
 */
int control_socket_open(const char *path, struct control_socket **ret_socket);

/* Removes it, if it is still the one that was made. NULL is none. */
void control_socket_close(struct control_socket *socket);

/* Answers a line (ended by NUL, without a newline; may be changed): fills `answer`
 * (CONTROL_ANSWER_MAX) and returns its length. */
typedef size_t control_answer(void *context, char *line, char *answer);

/* Fills `polls` (CONTROL_POLLS) with what to wait for; returns how many. */
unsigned control_socket_polls(const struct control_socket *socket, struct pollfd *polls);

/* Deals with what has come. `polls` are those that control_socket_polls() filled. */
void control_socket_serve(struct control_socket *socket, const struct pollfd *polls,
                          control_answer *answer, void *context);

/* For both ends: the address of a path, or -EINVAL (an empty one) or -ENAMETOOLONG. */
struct sockaddr_un;
int control_socket_address(const char *path, struct sockaddr_un *ret_address);

/* What an error of these functions means, for people. */
const char *control_socket_problem(int err);

#endif

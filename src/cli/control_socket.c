/* SPDX-License-Identifier: MIT */
/*
 * The listening socket and its clients: see control_socket.h.
 *
 * Invariant: a client's place is taken while its fd is not -1, and only the thread that serves
 * touches any of it.
 */
#include "cli/control_socket.h"

#include "cli/control_words.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How long another process that makes a socket in the same directory is waited for. */
#define LOCK_TRIES 200
#define LOCK_PAUSE_NS 5000000
/* A client that there is no descriptor for is looked for again after so long. */
#define FULL_PAUSE_NS 10000000

struct client {
	int fd;
	uint64_t heard; /* by the socket's count of what it has heard */
	size_t length;
	char line[CONTROL_LINE_MAX];
};

struct control_socket {
	int fd;
	int reserve;  /* kept for a client of a run that has used up all descriptors; -1 = in use */
	dev_t device; /* of the file */
	ino_t inode;
	uint64_t heard;
	struct sockaddr_un address;
	struct client clients[CONTROL_CLIENTS];
};

int control_socket_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	/* An empty path would be a name of the kernel's own, which has no mode. */
	if (!length)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	*ret_address = address;
	return 0;
}

const char *control_socket_problem(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "another run listens there";
	case -EEXIST:
		return "something else is there, which is no socket of a run";
	case -EBUSY:
		return "another process holds a lock on its directory";
	case -EINVAL:
		return "an empty path";
	case -ENAMETOOLONG:
		return "a socket's path has at most 107 bytes; relative ones are shorter";
	default:
		return strerror(-err);
	}
}

/* ------------------------------------------------------------- making it -- */

/*
 * Holds the directory, so that of several that find a stale socket each sees what the others made
 * of it. Returns a descriptor that holds it until it is closed.
 */
static int hold_directory(const char *path)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd, err;

	strcpy(copy, path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		err = -errno;
		if (err != -EWOULDBLOCK || i == LOCK_TRIES) {
			close(fd);
			return err == -EWOULDBLOCK ? -EBUSY : err;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* Removes a socket that nobody listens to. 0 = nothing stands in the way. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat status;
	int fd, err = 0;

	if (lstat(address->sun_path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		err = -EADDRINUSE;
	else if (errno == EAGAIN)
		err = -EADDRINUSE; /* there is even a queue */
	else if (errno == EPROTOTYPE)
		err = -EEXIST; /* of another kind */
	else if (errno != ECONNREFUSED && errno != ENOENT)
		err = -errno;
	close(fd);
	if (!err && unlink(address->sun_path) && errno != ENOENT)
		err = -errno;
	return err;
}

static void keep_reserve(struct control_socket *socket)
{
	if (socket->reserve < 0)
		socket->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int bind_and_listen(struct control_socket *socket)
{
	struct stat status;
	mode_t mask = umask(0177);
	int err = bind(socket->fd, (struct sockaddr *)&socket->address, sizeof(socket->address));

	err = err ? -errno : 0;
	umask(mask);
	if (err)
		return err;
	if (listen(socket->fd, CONTROL_CLIENTS) || lstat(socket->address.sun_path, &status)) {
		err = -errno;
		unlink(socket->address.sun_path);
		return err;
	}
	socket->device = status.st_dev;
	socket->inode = status.st_ino;
	return 0;
}

int control_socket_open(const char *path, struct control_socket **ret_socket)
{
	struct control_socket *made = calloc(1, sizeof(*made));
	int err, directory;

	if (!made)
		return -ENOMEM;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		made->clients[i].fd = -1;
	made->fd = made->reserve = -1;
	err = control_socket_address(path, &made->address);
	if (err)
		goto fail;
	err = directory = hold_directory(path);
	if (err < 0)
		goto fail;
	err = remove_stale(&made->address);
	if (!err) {
		made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		err = made->fd < 0 ? -errno : bind_and_listen(made);
	}
	close(directory);
	if (err)
		goto fail;
	keep_reserve(made);
	*ret_socket = made;
	return 0;
fail:
	if (made->fd >= 0)
		close(made->fd);
	free(made);
	return err;
}

static void hang_up(struct client *client)
{
	close(client->fd);
	client->fd = -1;
}

void control_socket_close(struct control_socket *socket)
{
	struct stat status;

	if (!socket)
		return;
	if (!lstat(socket->address.sun_path, &status) && status.st_dev == socket->device &&
	    status.st_ino == socket->inode)
		unlink(socket->address.sun_path);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (socket->clients[i].fd >= 0)
			hang_up(&socket->clients[i]);
	if (socket->reserve >= 0)
		close(socket->reserve);
	close(socket->fd);
	free(socket);
}

/* --------------------------------------------------------------- serving -- */

unsigned control_socket_polls(const struct control_socket *socket, struct pollfd *polls)
{
	polls[0] = (struct pollfd){.fd = socket->fd, .events = POLLIN};
	/* Those that are not there are -1, which poll() passes over. */
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		polls[i + 1] = (struct pollfd){.fd = socket->clients[i].fd, .events = POLLIN};
	return CONTROL_POLLS;
}

static struct client *place_for_client(struct control_socket *socket)
{
	struct client *oldest = &socket->clients[0];

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &socket->clients[i];

		if (client->fd < 0)
			return client;
		if (client->heard < oldest->heard)
			oldest = client;
	}
	hang_up(oldest);
	return oldest;
}

/* The next client, also of a run that has used up all descriptors; -1 when there is none. */
static int take_client(struct control_socket *socket)
{
	const struct timespec pause = {.tv_nsec = FULL_PAUSE_NS};
	int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && socket->reserve >= 0) {
		close(socket->reserve);
		socket->reserve = -1;
		fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	/* It goes on waiting, and so the poll does not. */
	if (fd < 0 && errno != EAGAIN)
		nanosleep(&pause, NULL);
	return fd;
}

static void accept_client(struct control_socket *socket)
{
	int fd = take_client(socket);
	struct client *client;

	if (fd < 0)
		return;
	client = place_for_client(socket);
	client->fd = fd;
	client->heard = ++socket->heard;
	client->length = 0;
}

/* Returns false when the client does not take it, at once and whole. */
static bool send_answer(const struct client *client, const char *answer, size_t length)
{
	return send(client->fd, answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

/* Answers the whole lines that have been read. Returns false to hang up. */
static bool answer_lines(struct client *client, control_answer *answer, void *context)
{
	static const char too_long[] = "error: the line is too long\n";
	char text[CONTROL_ANSWER_MAX], *end;

	while ((end = memchr(client->line, '\n', client->length))) {
		size_t length = (size_t)(end - client->line) + 1;

		*end = '\0';
		if (!send_answer(client, text, answer(context, client->line, text)))
			return false;
		client->length -= length;
		memmove(client->line, client->line + length, client->length);
	}
	if (client->length < sizeof(client->line))
		return true;
	send_answer(client, too_long, sizeof(too_long) - 1);
	return false;
}

static void serve_client(struct control_socket *socket, struct client *client,
                         control_answer *answer, void *context)
{
	ssize_t got = read(client->fd, client->line + client->length,
	                   sizeof(client->line) - client->length);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client->heard = ++socket->heard;
	if (got > 0)
		client->length += (size_t)got;
	if (got <= 0 || !answer_lines(client, answer, context))
		hang_up(client);
}

void control_socket_serve(struct control_socket *socket, const struct pollfd *polls,
                          control_answer *answer, void *context)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (polls[i + 1].revents)
			serve_client(socket, &socket->clients[i], answer, context);
	keep_reserve(socket);
	/* Afterwards: a place that is given to another must not be served with old news. */
	if (polls[0].revents)
		accept_client(socket);
}

/* SPDX-License-Identifier: MIT */
/*
 * How a test talks to its faultfs: one command a connection over a Unix socket, a text each way.
 * The answer comes when the command has been carried out, so that a test need not wait for it to
 * take effect. Knows nothing of what the commands mean.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int send_all(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		text += sent;
		length -= (size_t)sent;
	}
	return shutdown(fd, SHUT_WR) ? -errno : 0;
}

static int receive_all(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size - 1) {
		ssize_t got = recv(fd, text + length, size - 1 - length, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0) {
			text[length] = '\0';
			return 0;
		}
		length += (size_t)got;
	}
	return -EMSGSIZE;
}

static void wait_at_most(int fd, time_t seconds)
{
	struct timeval timeout = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

int fault_control(const char *path, const char *command, char *answer, size_t size)
{
	struct sockaddr_un address;
	int fd, result;

	result = address_of(path, &address);
	if (result < 0)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	wait_at_most(fd, 10);
	result = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	if (result == 0)
		result = send_all(fd, command);
	if (result == 0)
		result = receive_all(fd, answer, size);
	close(fd);
	if (result < 0)
		return result;
	/* The first byte says whether it went well. None at all: it died meanwhile. */
	if (answer[0] != '+' && answer[0] != '-')
		return -EPIPE;
	result = answer[0] == '+' ? 0 : -EINVAL;
	memmove(answer, answer + 1, strlen(answer));
	return result;
}

int fault_control_listen(const char *path)
{
	struct sockaddr_un address;
	int fd, result;

	result = address_of(path, &address);
	if (result < 0)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 64)) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

void fault_control_serve(int listener, int (*answer)(const char *command, char *text, size_t size))
{
	static char command[FAULT_CONTROL_MAX], text[FAULT_CONTROL_MAX];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	/* A client that says nothing must not keep the others waiting for long. */
	wait_at_most(fd, 2);
	if (receive_all(fd, command, sizeof(command)) == 0) {
		text[0] = text[1] = '\0';
		text[0] = answer(command, text + 1, sizeof(text) - 1) == 0 ? '+' : '-';
		send_all(fd, text);
	}
	close(fd);
}

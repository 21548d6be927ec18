/* SPDX-License-Identifier: MIT */
/* Waits with poll(), for the descriptor and for being told to stop, before each read. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int input_init(struct input *input, int fd)
{
	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	input->fd = fd;
	input->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return input->stop_fd < 0 ? -errno : 0;
}

void input_deinit(struct input *input)
{
	close(input->stop_fd);
}

/* Returns 0 when there is something to read, or an end or an error that read() will tell. */
static int input_wait(const struct input *input)
{
	struct pollfd fds[] = {
		{.fd = input->fd, .events = POLLIN},
		{.fd = input->stop_fd, .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return fds[1].revents ? -ECANCELED : 0;
}

ssize_t input_read(struct input *input, void *buffer, size_t size)
{
	for (;;) {
		ssize_t count;
		int rc = input_wait(input);

		if (rc)
			return rc;
		count = read(input->fd, buffer, size);
		if (count >= 0)
			return count;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

void input_interrupt(struct input *input)
{
	uint64_t one = 1;
	ssize_t size = write(input->stop_fd, &one, sizeof(one));

	/* It fails only when it is readable already. */
	(void)size;
}

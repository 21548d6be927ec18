/* SPDX-License-Identifier: MIT */
/*
 * What the programs share that look at how this kernel treats what hangs: TAP, their faultfs, and
 * waiting with a bound. Knows nothing of the library.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

struct scene scene;
static int tests;

void scene_start(int argc, char **argv)
{
	struct io_uring ring;
	int result;

	if (argc != 5)
		exit(2);
	scene = (struct scene){argv[1], argv[2], argv[3], argv[4]};
	result = io_uring_queue_init(64, &ring, 0);
	if (result < 0) {
		printf("1..0 # SKIP io_uring: %s\n", strerror(-result));
		exit(0);
	}
	io_uring_queue_exit(&ring);
}

int scene_done(void)
{
	printf("1..%d\n", tests);
	return 0;
}

void scene_ok(bool passed, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%sok %d - ", passed ? "" : "not ", ++tests);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
	fflush(stdout);
}

double scene_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void scene_sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

void scene_must(bool right, const char *what)
{
	if (right)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

void scene_control(const char *command)
{
	char answer[FAULT_CONTROL_MAX];

	scene_must(fault_control(scene.socket, command, answer, sizeof(answer)) == 0, command);
}

unsigned long scene_hung(void)
{
	char answer[FAULT_CONTROL_MAX];
	const char *line;

	scene_must(fault_control(scene.socket, "stats", answer, sizeof(answer)) == 0, "stats");
	line = strstr(answer, "\nhung ");
	scene_must(line, "stats");
	return strtoul(line + 6, NULL, 10);
}

bool scene_wait_hung(unsigned long count, unsigned ms)
{
	for (double end = scene_now_ms() + ms; scene_now_ms() < end; scene_sleep_ms(5))
		if (scene_hung() == count)
			return true;
	return false;
}

void scene_release(void)
{
	scene_control("clear");
	scene_control("release");
}

void scene_in_mount(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", scene.mountpoint, name);
}

void scene_make(const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", scene.backing, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	scene_must(fd >= 0 && ftruncate(fd, 65536) == 0, path);
	close(fd);
}

void scene_setup_ring(struct io_uring *ring)
{
	scene_must(io_uring_queue_init(64, ring, 0) == 0, "io_uring_queue_init");
}

void scene_reap(struct io_uring *ring, struct scene_answer *answers, double start, unsigned ms,
                bool early)
{
	double end = scene_now_ms() + ms;

	while (!answers[SCENE_OP_ID].came || !answers[SCENE_OTHER_ID].came) {
		double left = end - scene_now_ms();
		struct __kernel_timespec wait = {.tv_nsec = 5000000};
		struct io_uring_cqe *cqe;

		if (left <= 0)
			return;
		if (io_uring_wait_cqe_timeout(ring, &cqe, &wait) < 0)
			continue;
		if (cqe->user_data == SCENE_OP_ID || cqe->user_data == SCENE_OTHER_ID)
			answers[cqe->user_data] = (struct scene_answer){true, early, cqe->res,
			                                                scene_now_ms() - start};
		io_uring_cqe_seen(ring, cqe);
	}
}

const char *scene_words(const struct scene_answer *answer)
{
	static char texts[4][64];
	static unsigned next;
	char *text = texts[next++ % 4];
	const char *name = answer->res < 0 ? strerrorname_np(-answer->res) : NULL;
	char number[16];

	if (!answer->came)
		return "no answer";
	snprintf(number, sizeof(number), "%d", answer->res);
	snprintf(text, 64, "%s%s %s", name ? "-" : "", name ? name : number,
	         answer->early ? "" : "only when released");
	if (answer->early)
		snprintf(text + strlen(text), 64 - strlen(text), "at %.1f ms", answer->ms);
	return text;
}

bool scene_joined(pthread_t thread, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

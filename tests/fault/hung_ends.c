/* SPDX-License-Identifier: MIT */
/*
 * What else is held up by an op that hangs in a file system and ignores interrupts: healthy ops
 * that need a kernel worker, the end of a ring, of a thread and of a process, and how out of that.
 *
 *     hung_ends MOUNTPOINT BACKING SOCKET HEALTHY
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static char path[4096];
static char buffer[4096];
static struct statx status;

#define WORKERS 4u
#define HUNG 8u

static void starved(void)
{
	unsigned workers[2] = {WORKERS, 0};
	struct scene_answer answers[3] = {{0}};
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	struct statx statuses[HUNG];
	char names[HUNG][4096];
	unsigned answered = 0;
	double start;

	scene_setup_ring(&ring);
	scene_must(io_uring_register_iowq_max_workers(&ring, workers) == 0, "max_workers");
	printf("# bounded workers by default: %u\n", workers[0]);
	for (unsigned i = 0; i < HUNG; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		scene_make(name);
		scene_in_mount(names[i], sizeof(names[i]), name);
	}
	scene_control("add getattr s? hang-ignore");
	for (unsigned i = 0; i < HUNG; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_statx(sqe, AT_FDCWD, names[i], 0, STATX_BASIC_STATS, &statuses[i]);
		io_uring_sqe_set_data64(sqe, 100 + i);
	}
	scene_must(io_uring_submit(&ring) == HUNG, "submit");
	scene_ok(scene_wait_hung(WORKERS, SCENE_SOON_MS), "as many hang as there may be workers");
	answers[SCENE_OTHER_ID].came = true;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_statx(sqe, AT_FDCWD, scene.healthy, 0, STATX_BASIC_STATS, &status);
	io_uring_sqe_set_data64(sqe, SCENE_OP_ID);
	start = scene_now_ms();
	scene_must(io_uring_submit(&ring) == 1, "submit");
	scene_reap(&ring, answers, start, SCENE_NOTHING_MS, true);
	scene_ok(!answers[SCENE_OP_ID].came, "hung statx starve one of a file system that is well");
	workers[0] = 4 * HUNG;
	workers[1] = 0;
	scene_must(io_uring_register_iowq_max_workers(&ring, workers) == 0, "max_workers");
	start = scene_now_ms();
	scene_reap(&ring, answers, start, SCENE_NOTHING_MS, true);
	printf("# when more workers are allowed, the healthy statx: %s; hung then: %lu of %u\n",
	       scene_words(&answers[SCENE_OP_ID]), scene_hung(), HUNG);
	/* What is queued stays so until something new is handed to a worker. */
	if (!answers[SCENE_OP_ID].came) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_nop(sqe);
		sqe->flags |= IOSQE_ASYNC;
		io_uring_sqe_set_data64(sqe, SCENE_OTHER_ID);
		answers[SCENE_OTHER_ID].came = false;
		start = scene_now_ms();
		scene_must(io_uring_submit(&ring) == 1, "submit");
		scene_reap(&ring, answers, start, SCENE_SOON_MS, true);
		printf("# and after a NOP with IOSQE_ASYNC: %s; the NOP %s\n",
		       scene_words(&answers[SCENE_OP_ID]), scene_words(&answers[SCENE_OTHER_ID]));
	}
	scene_ok(answers[SCENE_OP_ID].came,
	         "it goes on when more workers are allowed and asked for");
	scene_ok(scene_wait_hung(HUNG, SCENE_SOON_MS), "and so do all others");
	scene_release();
	for (double end = scene_now_ms() + SCENE_SOON_MS;
	     answered < HUNG && scene_now_ms() < end;) {
		struct __kernel_timespec wait = {.tv_nsec = 5000000};
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe_timeout(&ring, &cqe, &wait) < 0)
			continue;
		answered += cqe->user_data >= 100;
		io_uring_cqe_seen(&ring, cqe);
	}
	scene_ok(answered == HUNG, "all have answered in the end");
	io_uring_queue_exit(&ring);
}

/* ------------------------------------------------------------- the end -- */

/* A file system may take a read or write without a worker. */
static void hang_read_in_ring(struct io_uring *ring)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	scene_must(fd >= 0, path);
	scene_setup_ring(ring);
	io_uring_prep_read(io_uring_get_sqe(ring), fd, buffer, sizeof(buffer), 0);
	scene_must(io_uring_submit(ring) == 1, "submit");
	scene_must(scene_wait_hung(1, SCENE_SOON_MS), "the read does not hang");
}

/* Submits a statx of x on a ring of its own, by whichever thread this is, and waits until it hangs.
 */
static void hang_in_ring(struct io_uring *ring)
{
	struct io_uring_sqe *sqe;

	scene_setup_ring(ring);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_statx(sqe, AT_FDCWD, path, 0, STATX_BASIC_STATS, &status);
	scene_must(io_uring_submit(ring) == 1, "submit");
	scene_must(scene_wait_hung(1, SCENE_SOON_MS), "the statx does not hang");
}

static void *call_stat(void *unused)
{
	struct stat now;

	(void)unused;
	stat(path, &now);
	return NULL;
}

static void hang_in_thread(void)
{
	pthread_t thread;

	scene_must(pthread_create(&thread, NULL, call_stat, NULL) == 0, "pthread_create");
	scene_must(scene_wait_hung(1, SCENE_SOON_MS), "the stat does not hang");
}

/* Does the child end within that time? */
static bool ends(pid_t pid, unsigned ms, double *ret_ms)
{
	double start = scene_now_ms();

	do {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			*ret_ms = scene_now_ms() - start;
			return true;
		}
		scene_sleep_ms(2);
	} while (scene_now_ms() < start + ms);
	return false;
}

enum end {
	RING_EXITS,
	RING_LISTENING_EXITS,
	RING_CLOSED_EXITS,
	RING_READ_EXITS,
	RING_KILLED,
	THREAD_EXITS,
	THREAD_LISTENING_EXITS,
	THREAD_KILLED,
};

/* A process that ends, in its own way, while an op of it hangs. */
static void ending(enum end how, bool returns, const char *name)
{
	bool listens = how == RING_LISTENING_EXITS || how == THREAD_LISTENING_EXITS;
	struct io_uring ring;
	double ms = 0;
	bool ended;
	pid_t pid;
	int ready[2];

	scene_make("x");
	if (how == RING_READ_EXITS)
		scene_control("add read x hang-ignore times 1");
	else
		scene_control(listens ? "add getattr x hang times 1"
		                      : "add getattr x hang-ignore times 1");
	scene_must(pipe(ready) == 0, "pipe");
	fflush(stdout);
	pid = fork();
	scene_must(pid >= 0, "fork");
	if (pid == 0) {
		if (how == RING_READ_EXITS)
			hang_read_in_ring(&ring);
		else if (how < THREAD_EXITS)
			hang_in_ring(&ring);
		else
			hang_in_thread();
		if (how == RING_CLOSED_EXITS)
			io_uring_queue_exit(&ring);
		scene_must(write(ready[1], "r", 1) == 1, "write");
		if (how == RING_KILLED || how == THREAD_KILLED)
			pause();
		_exit(0);
	}
	close(ready[1]);
	scene_must(read(ready[0], buffer, 1) == 1, "the child did not come so far");
	close(ready[0]);
	if (how == RING_KILLED || how == THREAD_KILLED)
		kill(pid, SIGKILL);
	ended = ends(pid, returns ? SCENE_SOON_MS : SCENE_NOTHING_MS, &ms);
	if (ended)
		printf("# %s: its parent sees it end after %.1f ms\n", name, ms);
	else
		printf("# %s: it does not end\n", name);
	if (how != RING_READ_EXITS)
		scene_ok(ended == returns, "%s: %s", name,
		         returns ? "it ends" : "it stays until it is released");
	scene_release();
	if (!ended)
		scene_ok(ends(pid, SCENE_SOON_MS, &ms), "%s: it ends when it is released", name);
	scene_ok(scene_wait_hung(0, SCENE_SOON_MS), "%s: nothing is left", name);
}

static void *close_ring(void *data)
{
	io_uring_queue_exit(data);
	return NULL;
}

static void *submit_and_end(void *data)
{
	hang_in_ring(data);
	return NULL;
}

static void closing(void)
{
	struct io_uring ring;
	pthread_t thread;
	double start;
	bool ended;

	scene_control("add getattr x hang-ignore times 1");
	hang_in_ring(&ring);
	start = scene_now_ms();
	scene_must(pthread_create(&thread, NULL, close_ring, &ring) == 0, "pthread_create");
	ended = scene_joined(thread, SCENE_SOON_MS);
	printf("# io_uring_queue_exit with a hung op: %s after %.1f ms\n",
	       ended ? "returned" : "has not returned", scene_now_ms() - start);
	scene_ok(ended, "closing a ring does not wait for what hangs in it");
	scene_release();
	if (!ended)
		pthread_join(thread, NULL);
	scene_ok(scene_wait_hung(0, SCENE_SOON_MS), "nothing is left");

	scene_control("add getattr x hang-ignore times 1");
	scene_must(pthread_create(&thread, NULL, submit_and_end, &ring) == 0, "pthread_create");
	scene_must(scene_wait_hung(1, SCENE_SOON_MS), "the statx does not hang");
	ended = scene_joined(thread, SCENE_NOTHING_MS);
	printf("# a thread that has submitted what hangs ends: %s\n",
	       ended ? "at once" : "only when released");
	scene_ok(!ended, "a thread that has submitted what hangs cannot be joined");
	scene_release();
	if (!ended)
		pthread_join(thread, NULL);
	io_uring_queue_exit(&ring);
	scene_ok(scene_wait_hung(0, SCENE_SOON_MS), "nothing is left");
}

/*
 * The way out: whoever is waited for has nothing hung itself, but a child that has. The child tells
 * it what its exit status is to be, and lets go of the descriptors that a reader waits to see the
 * end of.
 */
static void through_a_parent(void)
{
	int out[2], message[2];
	struct io_uring ring;
	char text[16] = "";
	double ms = 0, start;
	ssize_t got;
	bool ended;
	pid_t pid;

	scene_control("add getattr x hang-ignore times 1");
	scene_must(pipe(out) == 0, "pipe");
	fflush(stdout);
	pid = fork();
	scene_must(pid >= 0, "fork");
	if (pid == 0) {
		close(out[0]);
		scene_must(pipe(message) == 0, "pipe");
		pid = fork();
		scene_must(pid >= 0, "fork");
		if (pid == 0) {
			close(message[0]);
			hang_in_ring(&ring);
			scene_must(write(out[1], "said", 4) == 4, "write");
			close(out[1]);
			close(STDOUT_FILENO);
			close(STDERR_FILENO);
			scene_must(write(message[1], "\1", 1) == 1, "write");
			_exit(1);
		}
		close(message[1]);
		scene_must(read(message[0], text, 1) == 1, "read");
		_exit(text[0]);
	}
	close(out[1]);
	scene_must(scene_wait_hung(1, SCENE_SOON_MS), "the statx does not hang");
	ended = ends(pid, SCENE_SOON_MS, &ms);
	printf("# parent of a child that cannot end: %s after %.1f ms\n",
	       ended ? "ended" : "has not ended", ms);
	scene_ok(ended, "whoever has a child that cannot end can end itself");
	start = scene_now_ms();
	do
		got = read(out[0], text, sizeof(text));
	while (got > 0);
	printf("# the end of what they wrote is seen after %.1f ms\n", scene_now_ms() - start);
	scene_ok(got == 0, "and what they wrote ends");
	scene_ok(scene_hung() == 1, "while it still hangs");
	close(out[0]);
	scene_release();
	if (!ended)
		ends(pid, SCENE_SOON_MS, &ms);
	scene_ok(scene_wait_hung(0, SCENE_SOON_MS), "nothing is left");
}

int main(int argc, char **argv)
{
	scene_start(argc, argv);
	scene_in_mount(path, sizeof(path), "x");
	starved();
	scene_make("x");
	ending(RING_EXITS, false, "exit with a hung op in a ring");
	ending(RING_LISTENING_EXITS, true, "exit with an op in a ring that listens");
	ending(RING_CLOSED_EXITS, false, "exit with a hung op in a ring that was closed");
	ending(RING_READ_EXITS, true, "exit with a hung read in a ring");
	ending(RING_KILLED, false, "SIGKILL with a hung op in a ring");
	ending(THREAD_EXITS, false, "exit with a thread in a hung system call");
	ending(THREAD_LISTENING_EXITS, true, "exit with a thread in a system call that listens");
	ending(THREAD_KILLED, false, "SIGKILL with a thread in a hung system call");
	closing();
	through_a_parent();
	return scene_done();
}

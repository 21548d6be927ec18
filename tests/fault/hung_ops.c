/* SPDX-License-Identifier: MIT */
/*
 * What this kernel does when an op that hangs in a file system is guarded by a linked timeout, is
 * cancelled, or is a system call of a thread that gets a signal:
 *
 *     hung_ops MOUNTPOINT BACKING SOCKET HEALTHY
 *
 * Each op, on a file system that listens and on one that does not. What the engine relies on is
 * asserted; what differs between kernels is said in comments.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"

enum what {
	STATX,
	STATX_LOOKUP,
	OPEN,
	OPEN_CREATE,
	READ,
	READ_DIRECT,
	WRITE,
	FSYNC,
	CLOSE,
	UNLINK,
	RENAME,
	MKDIR,
	WHAT_COUNT,
};

static const struct {
	const char *name;
	const char *request;
	bool needs_file;
} whats[WHAT_COUNT] = {
	[STATX] = {"statx", "getattr", false},
	[STATX_LOOKUP] = {"statx, in its lookup", "lookup", false},
	[OPEN] = {"openat", "open", false},
	[OPEN_CREATE] = {"openat with O_CREAT", "create", false},
	[READ] = {"read", "read", true},
	[READ_DIRECT] = {"read with O_DIRECT", "read", true},
	[WRITE] = {"write", "write", true},
	[FSYNC] = {"fsync", "fsync", true},
	[CLOSE] = {"close, in its flush", "flush", true},
	[UNLINK] = {"unlinkat", "unlink", false},
	[RENAME] = {"renameat", "rename", false},
	[MKDIR] = {"mkdirat", "mkdir", false},
};

static char path[4096], path2[4096];
static char buffer[65536] __attribute__((aligned(4096)));
static struct statx status;

static void prepare(struct io_uring_sqe *sqe, enum what what, int fd)
{
	switch (what) {
	case STATX:
	case STATX_LOOKUP:
		io_uring_prep_statx(sqe, AT_FDCWD, path, 0, STATX_BASIC_STATS, &status);
		break;
	case OPEN:
		io_uring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY, 0);
		break;
	case OPEN_CREATE:
		io_uring_prep_openat(sqe, AT_FDCWD, path2, O_RDWR | O_CREAT, 0644);
		break;
	case READ:
	case READ_DIRECT:
		io_uring_prep_read(sqe, fd, buffer, 4096, 0);
		break;
	case WRITE:
		io_uring_prep_write(sqe, fd, buffer, 4096, 0);
		break;
	case FSYNC:
		io_uring_prep_fsync(sqe, fd, 0);
		break;
	case CLOSE:
		io_uring_prep_close(sqe, fd);
		break;
	case UNLINK:
		io_uring_prep_unlinkat(sqe, AT_FDCWD, path, 0);
		break;
	case RENAME:
		io_uring_prep_renameat(sqe, AT_FDCWD, path, AT_FDCWD, path2, 0);
		break;
	default:
		io_uring_prep_mkdirat(sqe, AT_FDCWD, path2, 0755);
		break;
	}
	io_uring_sqe_set_data64(sqe, SCENE_OP_ID);
}

static int open_for(enum what what)
{
	return open(path, O_RDWR | O_CLOEXEC | (what == READ_DIRECT ? O_DIRECT : 0));
}

static void arrange(enum what what, bool ignores)
{
	char rule[128];

	scene_make("x");
	unlink(path2);
	rmdir(path2);
	snprintf(rule, sizeof(rule), "add %s %s %s times 1", whats[what].request,
	         what == OPEN_CREATE || what == MKDIR ? "y" : "x",
	         ignores ? "hang-ignore" : "hang");
	scene_control(rule);
}

static void finish(struct io_uring *ring, struct scene_answer *answers, double start,
                   enum what what, int fd)
{
	scene_release();
	scene_reap(ring, answers, start, SCENE_SOON_MS, false);
	scene_ok(answers[SCENE_OP_ID].came && answers[SCENE_OTHER_ID].came &&
	                 scene_wait_hung(0, SCENE_SOON_MS),
	         "%s: all have answered in the end", whats[what].name);
	if ((what == OPEN || what == OPEN_CREATE) && answers[SCENE_OP_ID].res >= 0)
		close(answers[SCENE_OP_ID].res);
	if (fd >= 0)
		close(fd);
}

static void linked(struct io_uring *ring, enum what what, bool ignores)
{
	struct __kernel_timespec timeout = {.tv_nsec = 100000000};
	int fd = whats[what].needs_file ? (scene_make("x"), open_for(what)) : -1;
	const char *manner = ignores ? "ignoring" : "listening";
	struct scene_answer answers[3] = {{0}};
	struct io_uring_sqe *sqe;
	double start;

	arrange(what, ignores);
	sqe = io_uring_get_sqe(ring);
	prepare(sqe, what, fd);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_link_timeout(sqe, &timeout, 0);
	io_uring_sqe_set_data64(sqe, SCENE_OTHER_ID);
	start = scene_now_ms();
	scene_must(io_uring_submit(ring) == 2, "submit");
	scene_reap(ring, answers, start, 100 + SCENE_NOTHING_MS, true);
	finish(ring, answers, start, what, what == CLOSE ? -1 : fd);
	printf("# linked timeout of 100 ms, %s %s: op %s; timeout %s\n", whats[what].name, manner,
	       scene_words(&answers[SCENE_OP_ID]), scene_words(&answers[SCENE_OTHER_ID]));
	if (ignores)
		scene_ok(!answers[SCENE_OP_ID].early,
		         "%s: what ignores does not end by a linked timeout", whats[what].name);
}

static void cancel(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_cancel64(sqe, SCENE_OP_ID, 0);
	io_uring_sqe_set_data64(sqe, SCENE_OTHER_ID);
	scene_must(io_uring_submit(ring) == 1, "submit");
}

/* How long is waited for an end: what need not come is only told when it comes soon. */
static unsigned patience(bool ignores, bool need_not_end)
{
	return ignores ? SCENE_NOTHING_MS : need_not_end ? 3 * SCENE_NOTHING_MS : SCENE_SOON_MS;
}

static void cancelled(struct io_uring *ring, enum what what, bool ignores)
{
	int fd = whats[what].needs_file ? (scene_make("x"), open_for(what)) : -1;
	/* Reads and writes may have no worker that could be interrupted: see the comment printed.
	 */
	bool need_not_end = what == READ || what == READ_DIRECT || what == WRITE;
	const char *manner = ignores ? "ignoring" : "listening";
	struct scene_answer answers[3] = {{0}};
	double start;

	arrange(what, ignores);
	prepare(io_uring_get_sqe(ring), what, fd);
	scene_must(io_uring_submit(ring) == 1, "submit");
	scene_ok(scene_wait_hung(1, SCENE_SOON_MS), "%s: hangs", whats[what].name);
	start = scene_now_ms();
	cancel(ring);
	scene_reap(ring, answers, start, patience(ignores, need_not_end), true);
	finish(ring, answers, start, what, what == CLOSE ? -1 : fd);
	printf("# async cancel, %s %s: op %s; cancel %s\n", whats[what].name, manner,
	       scene_words(&answers[SCENE_OP_ID]), scene_words(&answers[SCENE_OTHER_ID]));
	scene_ok(answers[SCENE_OTHER_ID].early, "%s: a cancel answers at once", whats[what].name);
	if (ignores)
		scene_ok(!answers[SCENE_OP_ID].early, "%s: what ignores goes on", whats[what].name);
	else if (!need_not_end)
		scene_ok(answers[SCENE_OP_ID].early && (answers[SCENE_OP_ID].res == -EINTR ||
		                                        answers[SCENE_OP_ID].res == -ECANCELED),
		         "%s: what listens ends by a cancel", whats[what].name);
}

/* ------------------------------------------- system calls and signals -- */

struct caller {
	enum what what;
	int fd;
	int error;
};

static void *call(void *data)
{
	struct caller *caller = data;
	long result;

	switch (caller->what) {
	case STATX:
	case STATX_LOOKUP:
		result = statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &status);
		break;
	case OPEN:
		result = open(path, O_RDONLY);
		break;
	case OPEN_CREATE:
		result = open(path2, O_RDWR | O_CREAT, 0644);
		break;
	case READ:
	case READ_DIRECT:
		result = pread(caller->fd, buffer, 4096, 0);
		break;
	case WRITE:
		result = pwrite(caller->fd, buffer, 4096, 0);
		break;
	case FSYNC:
		result = fsync(caller->fd);
		break;
	case CLOSE:
		result = close(caller->fd);
		break;
	case UNLINK:
		result = unlink(path);
		break;
	case RENAME:
		result = rename(path, path2);
		break;
	default:
		result = mkdir(path2, 0755);
		break;
	}
	caller->error = result < 0 ? errno : 0;
	if ((caller->what == OPEN || caller->what == OPEN_CREATE) && result >= 0)
		close((int)result);
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

/* A signal with a handler, without SA_RESTART, is a thread's way to cancel. */
static void signalled(enum what what, bool ignores)
{
	int fd = whats[what].needs_file ? (scene_make("x"), open_for(what)) : -1;
	struct caller caller = {.what = what, .fd = fd};
	/* With a page cache, a read waits for others that read for it, and is not interrupted. */
	bool need_not_end = what == READ || what == READ_DIRECT;
	pthread_t thread;
	double start, ms;
	bool ended;

	arrange(what, ignores);
	scene_must(pthread_create(&thread, NULL, call, &caller) == 0, "pthread_create");
	scene_ok(scene_wait_hung(1, SCENE_SOON_MS), "%s by a thread: hangs", whats[what].name);
	start = scene_now_ms();
	pthread_kill(thread, SIGUSR1);
	ended = scene_joined(thread, patience(ignores, need_not_end));
	ms = scene_now_ms() - start;
	scene_release();
	if (!ended)
		pthread_join(thread, NULL);
	printf("# signal, %s by a thread, %s: %s %s, %.1f ms\n", whats[what].name,
	       ignores ? "ignoring" : "listening",
	       caller.error ? strerrorname_np(caller.error) : "0",
	       ended ? "at once" : "only when released", ms);
	if (ignores || !need_not_end)
		scene_ok(ended != ignores, "%s by a thread: a signal %s", whats[what].name,
		         ignores ? "does not end what ignores it" : "ends it");
	if (fd >= 0 && what != CLOSE)
		close(fd);
	scene_ok(scene_wait_hung(0, SCENE_SOON_MS), "nothing is left");
}

/* What can be armed and waits without a worker ends at once. */
static void cancelled_at_once(struct io_uring *ring)
{
	static const char *const names[] = {"read of a pipe", "timeout", "poll"};
	struct __kernel_timespec hour = {.tv_sec = 3600};
	int fds[2];

	scene_must(pipe(fds) == 0, "pipe");
	for (int i = 0; i < 3; i++) {
		struct scene_answer answers[3] = {{0}};
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		double start;

		if (i == 0)
			io_uring_prep_read(sqe, fds[0], buffer, 1, 0);
		else if (i == 1)
			io_uring_prep_timeout(sqe, &hour, 0, 0);
		else
			io_uring_prep_poll_add(sqe, fds[0], POLLIN);
		io_uring_sqe_set_data64(sqe, SCENE_OP_ID);
		scene_must(io_uring_submit(ring) == 1, "submit");
		start = scene_now_ms();
		cancel(ring);
		scene_reap(ring, answers, start, SCENE_SOON_MS, true);
		printf("# async cancel, %s: op %s; cancel %s\n", names[i],
		       scene_words(&answers[SCENE_OP_ID]), scene_words(&answers[SCENE_OTHER_ID]));
		scene_ok(answers[SCENE_OTHER_ID].came && answers[SCENE_OTHER_ID].res == 0,
		         "%s: its cancel answers 0", names[i]);
		scene_ok(answers[SCENE_OP_ID].came && answers[SCENE_OP_ID].res == -ECANCELED,
		         "%s: is cancelled", names[i]);
	}
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	struct io_uring ring;

	scene_start(argc, argv);
	scene_in_mount(path, sizeof(path), "x");
	scene_in_mount(path2, sizeof(path2), "y");
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
	scene_setup_ring(&ring);
	for (int ignores = 0; ignores < 2; ignores++) {
		for (int what = 0; what < WHAT_COUNT; what++) {
			linked(&ring, what, ignores);
			cancelled(&ring, what, ignores);
			signalled(what, ignores);
		}
	}
	cancelled_at_once(&ring);
	io_uring_queue_exit(&ring);
	return scene_done();
}

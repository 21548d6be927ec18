/* SPDX-License-Identifier: MIT */
/*
 * A file system that shows a directory, and delays, hangs, fails, shortens and garbles by a script:
 *
 *     faultfs [--cached] BACKING MOUNTPOINT SCRIPT SOCKET
 *     faultfs control SOCKET COMMAND...
 *
 * The first serves until SIGTERM, SIGINT or SIGHUP, or until it is unmounted or whoever started it
 * dies; the mount goes with it, whatever hangs in it. It can be used as soon as SOCKET is there.
 * --cached lets the kernel read and write through its page cache. The second sends one command:
 *
 *     script      reads SCRIPT again: what it says (see script.c) applies instead of all before
 *     add RULE    one rule more
 *     clear       no rules
 *     release     carries out all that hangs now
 *     stats       prints what was asked for and how often, and how much is hung
 *     reset       counts from 0
 *
 * Exit status 77: file systems in user space cannot be mounted here.
 */
#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"

/* What hangs is parked and holds none of them. */
#define THREADS 4

static void *serve(void *data)
{
	struct fuse_session *session = data;
	struct fuse_buf buffer = {.mem = NULL};
	int result;

	for (;;) {
		result = fuse_session_receive_buf(session, &buffer);
		if (result == -EINTR || result == -EAGAIN)
			continue;
		if (result <= 0)
			break;
		fuse_session_process_buf(session, &buffer);
	}
	/* Unmounted from outside. */
	kill(getpid(), SIGTERM);
	return NULL;
}

static struct fuse_session *mount_at(const char *mountpoint)
{
	char *argv[] = {(char *)"faultfs", (char *)"-o",
	                (char *)"default_permissions,fsname=faultfs,subtype=faultfs", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *session =
		fuse_session_new(&args, &requests_ops, sizeof(requests_ops), NULL);

	fuse_opt_free_args(&args);
	if (session && fuse_session_mount(session, mountpoint)) {
		fuse_session_destroy(session);
		return NULL;
	}
	return session;
}

/* Until a signal comes. */
static void take_commands(int signals, int listener)
{
	struct pollfd polled[2] = {{.fd = signals, .events = POLLIN},
	                           {.fd = listener, .events = POLLIN}};

	for (;;) {
		if (poll(polled, 2, -1) < 0)
			continue;
		if (polled[0].revents)
			return;
		if (polled[1].revents)
			fault_control_serve(listener, park_command);
	}
}

static int run(const char *backing, const char *mountpoint, const char *script, const char *path,
               bool cached)
{
	struct rlimit files;
	struct fuse_session *session;
	pthread_t thread;
	sigset_t set;
	int signals, listener, fd;

	/* Whoever started us may be killed: then the kernel tells us. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	fd = open(backing, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || signals < 0) {
		perror(backing);
		return 1;
	}
	passthrough_init(fd, cached);
	if (park_init(script) < 0)
		return 2;
	session = mount_at(mountpoint);
	if (!session)
		return 77;
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, NULL, serve, session)) {
			fuse_session_unmount(session);
			return 1;
		}
	}
	listener = fault_control_listen(path);
	if (listener < 0)
		fprintf(stderr, "faultfs: %s: %s\n", path, strerror(-listener));
	else
		take_commands(signals, listener);
	/* The mount goes first, so that there never is one that does not answer. */
	fuse_session_unmount(session);
	unlink(path);
	/* All that still hangs ends as the connection's last descriptor is closed. */
	_exit(listener < 0);
}

static int control(const char *path, char **words, int count)
{
	static char answer[FAULT_CONTROL_MAX];
	char command[FAULT_CONTROL_MAX] = "";
	size_t length = 0;
	int result;

	for (int i = 0; i < count && length < sizeof(command); i++)
		length += (size_t)snprintf(command + length, sizeof(command) - length, "%s%s",
		                           i ? " " : "", words[i]);
	result = fault_control(path, command, answer, sizeof(answer));
	if (result == 0) {
		fputs(answer, stdout);
		return 0;
	}
	fprintf(stderr, "faultfs: %s\n", result == -EINVAL ? answer : strerror(-result));
	return 1;
}

int main(int argc, char **argv)
{
	bool cached = argc > 1 && !strcmp(argv[1], "--cached");

	if (argc > 3 && !strcmp(argv[1], "control"))
		return control(argv[2], argv + 3, argc - 3);
	if (argc == 5 + cached) {
		argv += cached;
		return run(argv[1], argv[2], argv[3], argv[4], cached);
	}
	fprintf(stderr, "usage: faultfs [--cached] BACKING MOUNTPOINT SCRIPT SOCKET\n"
	                "       faultfs control SOCKET COMMAND...\n");
	return 2;
}

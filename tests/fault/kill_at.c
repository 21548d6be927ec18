/* SPDX-License-Identifier: MIT */
/*
 * Ends a command at a moment that is told by what it has done, not by a clock:
 *
 *     kill_at [--cut DIRECTORY] [--worker] COUNT DIRECTORY... -- COMMAND...
 *
 * The COUNT-th event in the directories, and in all that is or comes to be below them, is the
 * moment: a file that is made, opened, read, written, renamed, removed or has its attributes
 * changed. Then all of the command is killed; with --worker only the processes that it has started;
 * with --cut after the file system of DIRECTORY has been shut down as a power cut does it, with all
 * that is not in its log lost. COUNT 0: never. When all processes of the command are gone, prints
 * how many events there were, and exits with 137 when it has killed, else as the command has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS                                                                                   \
	(IN_CREATE | IN_OPEN | IN_ACCESS | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | \
	 IN_DELETE)

/* EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are the same, and so is this flag of theirs. */
#define SHUT_DOWN _IOR('X', 125, uint32_t)
#define WITHOUT_LOG 2

#define WATCHES_MAX 4096

static int notifier;
static char *watched[WATCHES_MAX];

static void die(const char *what)
{
	fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
	_exit(2);
}

/* What has appeared and gone again meanwhile is none of our business. */
static void watch(const char *path)
{
	int id = inotify_add_watch(notifier, path, EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW);
	DIR *directory;
	struct dirent *entry;

	if (id < 0 || id >= WATCHES_MAX)
		return;
	free(watched[id]);
	watched[id] = strdup(path);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		char below[PATH_MAX];

		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
		    (int)sizeof(below))
			watch(below);
	}
	if (directory)
		closedir(directory);
}

/* How many events there are to be read now; directories that have come are watched from now on. */
static unsigned long take_events(void)
{
	_Alignas(struct inotify_event) char buffer[65536];
	unsigned long count = 0;
	ssize_t length;

	while ((length = read(notifier, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			char path[PATH_MAX];

			at += (ssize_t)(sizeof(*event) + event->len);
			/* That a watch has ended is no event of the command. */
			if (event->mask & (IN_IGNORED | IN_Q_OVERFLOW))
				continue;
			count++;
			if ((event->mask & IN_ISDIR) && (event->mask & (IN_CREATE | IN_MOVED_TO)) &&
			    event->len > 0 && watched[event->wd] &&
			    snprintf(path, sizeof(path), "%s/%s", watched[event->wd], event->name) <
			            (int)sizeof(path))
				watch(path);
		}
	}
	return count;
}

/* The children of a process, killed one by one. */
static void kill_children(pid_t pid)
{
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		kill(child, SIGKILL);
	if (file)
		fclose(file);
}

static void cut_power(const char *directory)
{
	uint32_t flags = WITHOUT_LOG;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, SHUT_DOWN, &flags))
		die(directory);
	close(fd);
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		die(command[0]);
	}
	setpgid(pid, pid);
	return pid;
}

/* Takes what has ended; false when nobody is left. */
static bool reap(pid_t command, int *status)
{
	int ended;
	pid_t pid;

	while ((pid = waitpid(-1, &ended, WNOHANG)) > 0)
		if (pid == command)
			*status = ended;
	return pid == 0;
}

int main(int argc, char **argv)
{
	const char *cut = NULL;
	bool worker = false, killed = false;
	unsigned long at, count = 0;
	struct pollfd polled[2];
	int status = 0, next = 1;
	sigset_t set;
	pid_t pid;

	for (; next < argc && argv[next][0] == '-'; next++) {
		if (!strcmp(argv[next], "--cut") && next + 1 < argc)
			cut = argv[++next];
		else if (!strcmp(argv[next], "--worker"))
			worker = true;
	}
	if (argc < next + 4) {
		fprintf(stderr, "usage: kill_at [--cut DIRECTORY] [--worker] COUNT DIRECTORY... -- "
		                "COMMAND...\n");
		return 2;
	}
	at = strtoul(argv[next++], NULL, 10);
	notifier = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	polled[0] = (struct pollfd){.fd = notifier, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
	                            .events = POLLIN};
	if (notifier < 0 || polled[1].fd < 0)
		die("inotify");
	/* What the command leaves behind when its first process dies is ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (; next < argc && strcmp(argv[next], "--") != 0; next++)
		watch(argv[next]);
	take_events();
	pid = start(argv + next + 1);
	do {
		struct signalfd_siginfo info;

		poll(polled, 2, -1);
		count += take_events();
		if (!killed && at > 0 && count >= at) {
			killed = true;
			if (cut)
				cut_power(cut);
			if (worker)
				kill_children(pid);
			else
				kill(-pid, SIGKILL);
		}
		while (read(polled[1].fd, &info, sizeof(info)) > 0)
			;
	} while (reap(pid, &status));
	printf("%lu\n", count);
	if (killed && (WIFSIGNALED(status) || WEXITSTATUS(status) == 137))
		return 137;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

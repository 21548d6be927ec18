/* SPDX-License-Identifier: MIT */
/*
 * The parent's watch over the child, and the child's last word: see supervise.h.
 *
 * The parent takes its signals from a descriptor, so that it can wait for them, for the child's
 * word and for its end in one place and never runs a handler.
 */
#include "cli/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often the parent looks whether a child is dying that cannot be waited for. */
#define LOOK_MS 250
/* For how long such a child may take over it (writing a core file, say) before it is left. */
#define DYING_MS 1000
/* How long the parent waits for a child that has given its last word: most are gone by then. */
#define LEAVING_MS 100
/* How long it waits for a child that is about to stop. */
#define STOPPING_MS 1500

/* Fields of /proc/PID/stat, counted from the state, which is the first behind the name. */
#define FIELD_STATE 0
#define FIELD_EXIT_CODE 49

/* The child's end of the pipe; -1 in a process without a parent. */
static int word_fd = -1;

struct watch {
	pid_t child;
	int words;   /* the parent's end of the pipe; -1 when it says nothing any more */
	int signals; /* a signalfd */
	uint64_t dying_since_ms; /* 0: not that we know */
};

/* What is passed on, besides SIGTSTP and SIGCONT. */
static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watched_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(set, passed_on[i]);
	sigaddset(set, SIGTSTP);
	sigaddset(set, SIGCONT);
	sigaddset(set, SIGCHLD);
}

/* Has a signal that is blocked do now what it does, and blocks it again if that can be survived. */
static void suffer(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Ends as a child did that ended with this wait status. */
static _Noreturn void end_like(int status)
{
	if (WIFSIGNALED(status)) {
		/* The core file is the child's. */
		prctl(PR_SET_DUMPABLE, 0);
		signal(WTERMSIG(status), SIG_DFL);
		suffer(WTERMSIG(status));
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

/* Ends like the child, when it is gone. */
static void reap(const struct watch *watch)
{
	int status;

	if (waitpid(watch->child, &status, WNOHANG) == watch->child)
		end_like(status);
}

/*
 * Whether the child is on its way out, by the kernel's books: its main thread is a zombie, or a
 * code of its exit is set while that exit waits for what hangs (older kernels show the code only
 * with the zombie). *ret_status is then the wait status that it will have.
 */
static bool is_dying(pid_t child, int *ret_status)
{
	char path[64], text[1024], state;
	const char *field;
	size_t length;
	FILE *file;
	int status;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* The name may hold anything, also parentheses. */
	field = strrchr(text, ')');
	if (!field || field[1] != ' ')
		return false;
	field += 2;
	state = *field;
	for (unsigned i = FIELD_STATE; field && i < FIELD_EXIT_CODE; i++) {
		field = strchr(field, ' ');
		field += field ? 1 : 0;
	}
	status = field ? atoi(field) : 0;
	if (state == 'Z' || state == 'X') {
		*ret_status = status;
		return true;
	}
	/* That of a child that is stopped or traced says only by what it was stopped. */
	if (!status || state == 'T' || state == 't')
		return false;
	*ret_status = status;
	return true;
}

/* Ends like a child that has been dying for too long to be waited for. */
static void look(struct watch *watch)
{
	int status;

	if (!is_dying(watch->child, &status))
		watch->dying_since_ms = 0;
	else if (!watch->dying_since_ms)
		watch->dying_since_ms = now_ms();
	else if (now_ms() - watch->dying_since_ms >= DYING_MS)
		end_like(status);
}

/* The child has said its exit code, and will end if it can. */
static _Noreturn void go_ahead(const struct watch *watch, int code)
{
	uint64_t until_ms = now_ms() + LEAVING_MS;
	siginfo_t info = {.si_pid = 0};

	while (now_ms() < until_ms) {
		struct timespec pause = {.tv_nsec = 5000000};

		if (waitid(P_PID, (id_t)watch->child, &info, WEXITED | WNOHANG) || info.si_pid)
			break;
		nanosleep(&pause, NULL);
	}
	_exit(code);
}

static void take_word(struct watch *watch)
{
	unsigned char code;
	ssize_t got = read(watch->words, &code, 1);

	if (got == 1)
		go_ahead(watch, code);
	if (got < 0 && errno == EINTR)
		return;
	/* It is ending without a word. */
	close(watch->words);
	watch->words = -1;
}

/*
 * Waits until the child has stopped, which may have something to finish before, so that the shell
 * does not speak while it still does; not for long, and not when it has ended. Returns false when
 * all is to go on already.
 */
static bool let_child_stop(const struct watch *watch)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	uint64_t until_ms = now_ms() + STOPPING_MS;
	siginfo_t info = {.si_pid = 0};
	sigset_t pending;

	while (now_ms() < until_ms) {
		if (waitid(P_PID, (id_t)watch->child, &info,
		           WEXITED | WSTOPPED | WNOHANG | WNOWAIT) ||
		    info.si_pid)
			break;
		if (!sigpending(&pending) && sigismember(&pending, SIGCONT))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static void take_signal(const struct watch *watch)
{
	struct signalfd_siginfo info;
	int signal;

	if (read(watch->signals, &info, sizeof(info)) != sizeof(info))
		return;
	signal = (int)info.ssi_signo;
	if (signal == SIGCHLD) {
		reap(watch);
		return;
	}
	/* What a terminal sends it sends to both, and says so by the code. */
	if (info.ssi_code != SI_KERNEL)
		kill(watch->child, signal);
	if (signal == SIGTSTP && let_child_stop(watch))
		suffer(signal);
}

static _Noreturn void keep_watch(struct watch *watch)
{
	while (true) {
		struct pollfd waits[] = {{.fd = watch->signals, .events = POLLIN},
		                         {.fd = watch->words, .events = POLLIN}};

		poll(waits, 2, LOOK_MS);
		if (waits[1].revents)
			take_word(watch);
		if (waits[0].revents)
			take_signal(watch);
		if (!waits[0].revents && !waits[1].revents)
			look(watch);
	}
}

/* The child's half: `parent` is who must be there. */
static void start_child(pid_t parent, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A parent that died before that was asked for has sent nothing. */
	if (getppid() != parent)
		raise(SIGKILL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

void supervise(void)
{
	struct watch watch = {.words = -1};
	pid_t parent = getpid();
	sigset_t set, before;
	int pipe_[2];

	if (pipe2(pipe_, O_CLOEXEC))
		return;
	/* With SIGCHLD ignored, which can be inherited, children leave no status. */
	signal(SIGCHLD, SIG_DFL);
	watched_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	watch.signals = signalfd(-1, &set, SFD_CLOEXEC);
	/* What is buffered must not be written twice. */
	fflush(NULL);
	watch.child = watch.signals < 0 ? -1 : fork();
	if (watch.child > 0) {
		close(pipe_[1]);
		watch.words = pipe_[0];
		keep_watch(&watch);
	}
	if (watch.signals >= 0)
		close(watch.signals);
	close(pipe_[0]);
	if (watch.child < 0) {
		close(pipe_[1]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	word_fd = pipe_[1];
	start_child(parent, &before);
}

void supervise_leave(int code)
{
	unsigned char word = (unsigned char)code;

	/* While something hangs, the kernel keeps the descriptors of the process open. */
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	if (word_fd >= 0 && write(word_fd, &word, 1) < 0) {
		/* Nobody is there to be told. */
	}
	/*
	 * The rest, pipes among it perhaps that somebody waits for. Not before the word is given:
	 * to close a file of what hangs may hang, too.
	 */
	close_range(3, ~0u, 0);
	_exit(code);
}

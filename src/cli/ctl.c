/* SPDX-License-Identifier: MIT */
/*
 * `iobatch ctl`: says one line to the control socket of a run and prints the answer. The words are
 * checked by the run, but for their number.
 */
#include "cli/cli.h"
#include "cli/control_socket.h"
#include "cli/control_words.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A run answers at once, but for a moment in which it is being stopped. */
#define ANSWER_S 10

struct ctl {
	const char *path;
	const char *word;
	const char *setting;
};

static const char doc[] =
	"Ask or tell a run that was started with --control=PATH.\v"
	"Words:\n"
	"  status         print how far it is, as JSON\n"
	"  pause          start nothing more; what is in flight goes on to its end\n"
	"  resume         go on\n"
	"  drain          end the run when what has started is done\n"
	"  cancel         end it now\n"
	"  set KEY=VALUE  change max_concurrent, delay_ms or items_per_s (0: no limit)\n"
	"\n"
	"Examples:\n"
	"  iobatch copy --control=copy.ctl photos /backup/ &\n"
	"  iobatch ctl copy.ctl status\n"
	"  iobatch ctl copy.ctl set max_concurrent=2\n"
	"\n"
	"Exit status: 0 done; 1 refused, or no answer came; 2 wrong arguments; 3 nobody\n"
	"is there.";

static bool is_word(const char *word)
{
	static const char *const words[] = {"status", "pause", "resume", "drain", "cancel", "set"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static void check(const struct ctl *ctl, struct argp_state *state)
{
	if (!ctl->path || !ctl->word)
		argp_error(state, "a PATH and a word are needed");
	if (!is_word(ctl->word))
		argp_error(state, "%s is not one of status, pause, resume, drain, cancel, set",
		           ctl->word);
	if (!strcmp(ctl->word, "set") != (ctl->setting != NULL))
		argp_error(state, "set takes one KEY=VALUE, the other words nothing");
	if (ctl->setting && (!strchr(ctl->setting, '=') || strchr(ctl->setting, '\n')))
		argp_error(state, "set needs KEY=VALUE");
	if (ctl->setting && strlen(ctl->setting) + sizeof("set ") >= CONTROL_LINE_MAX)
		argp_error(state, "that KEY=VALUE is too long");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct ctl *ctl = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (!ctl->path)
			ctl->path = argument;
		else if (!ctl->word)
			ctl->word = argument;
		else if (!ctl->setting)
			ctl->setting = argument;
		else
			argp_error(state, "%s is too much", argument);
		return 0;
	case ARGP_KEY_END:
		check(ctl, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Connects, or returns a negative errno. */
static int call(const struct sockaddr_un *address)
{
	const struct timeval limit = {.tv_sec = ANSWER_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return fd;
	/* So many have come before that they are not even let in. */
	err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	return err;
}

/* Says the line and reads the answer, without its newline. */
static int ask(int fd, const struct ctl *ctl, char answer[CONTROL_ANSWER_MAX])
{
	char line[CONTROL_LINE_MAX];
	int length = snprintf(line, sizeof(line), "%s%s%s\n", ctl->word, ctl->setting ? " " : "",
	                      ctl->setting ? ctl->setting : "");
	size_t have = 0;
	char *end;

	if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length)
		return -errno;
	while (!(end = memchr(answer, '\n', have))) {
		ssize_t got = have < CONTROL_ANSWER_MAX
		                      ? read(fd, answer + have, CONTROL_ANSWER_MAX - have)
		                      : 0;

		/* A stop and a continuation end a read that has a limit. */
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* The run has ended meanwhile. */
		if (!got)
			return -ECONNRESET;
		have += (size_t)got;
	}
	*end = '\0';
	return 0;
}

int cli_ctl(int argc, char **argv)
{
	static const struct argp argp = {NULL, parse_option, "PATH WORD [KEY=VALUE]", doc, NULL,
	                                 NULL, NULL};
	struct ctl ctl = {.path = NULL};
	char answer[CONTROL_ANSWER_MAX];
	struct sockaddr_un address;
	int err, fd;

	if (argp_parse(&argp, argc, argv, 0, NULL, &ctl))
		return CLI_USAGE;
	err = control_socket_address(ctl.path, &address);
	if (err) {
		cli_complain("PATH %s: %s", ctl.path, control_socket_problem(err));
		return CLI_USAGE;
	}
	fd = call(&address);
	if (fd == -ECONNREFUSED || fd == -ENOENT) {
		cli_complain("%s: no run is there: %s", ctl.path, strerror(-fd));
		return CLI_MACHINE;
	}
	if (fd < 0) {
		cli_complain("%s: %s", ctl.path, strerror(-fd));
		return fd == -ETIMEDOUT ? CLI_FAILED : CLI_MACHINE;
	}
	err = ask(fd, &ctl, answer);
	close(fd);
	if (err) {
		cli_complain("%s: no answer: %s", ctl.path, strerror(-err));
		return CLI_FAILED;
	}
	puts(answer);
	return strncmp(answer, "error:", 6) ? CLI_OK : CLI_FAILED;
}

/* SPDX-License-Identifier: MIT */
/*
 * The command: finds which of its commands is meant and hands the rest of the arguments to it. Also
 * what must hold for all of them: standard descriptors that are open, writes that fail instead of
 * killing, and an exit code that tells of output that was lost.
 */
#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/verbs.h"
#include "job/nearest.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <iobatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct command {
	const char *name;
	char *full_name; /* as it stands in usage messages */
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", (char[]){"iobatch run"}, cli_run},
	{"check", (char[]){"iobatch check"}, cli_check},
	{"ops", (char[]){"iobatch ops"}, cli_ops},
	{"journal", (char[]){"iobatch journal"}, cli_journal},
	{"doctor", (char[]){"iobatch doctor"}, cli_doctor},
	{"ctl", (char[]){"iobatch ctl"}, cli_ctl},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char doc[] =
	"Run the same chain of I/O operations over many items, in batches, on io_uring.\v"
	"Jobs:\n"
	"  run JOB.yaml    run a job\n"
	"  check JOB.yaml  check a job file without running it\n"
	"  journal FILE    say what a run has done so far, and what has failed\n"
	"  ctl PATH WORD   ask or tell a run that was started with --control=PATH\n"
	"\n"
	"Verbs, each of which stands for a job (see --print-job):\n"
	"  copy            copy files and trees, with all that they are\n"
	"  move            move them: rename where that can be, else copy and remove\n"
	"  hash            print the checksum of each file\n"
	"  verify          check files against the checksums of a manifest\n"
	"  compare         say how two trees differ\n"
	"  remove          remove files and trees\n"
	"  rename          rename files by a pattern, within their directories\n"
	"  stat            print the attributes of files\n"
	"  read            read everything, and say where a disk cannot\n"
	"  write           make files of bytes that can be verified later\n"
	"  sync            make files durable\n"
	"  touch           set the times of files, and make those that are missing\n"
	"  chmod           set the permissions of files\n"
	"  chown           set the owner of files\n"
	"  truncate        make files shorter, or longer by a hole\n"
	"\n"
	"About this machine:\n"
	"  ops             list the operations, and which of them this kernel has\n"
	"  doctor          say whether io_uring can be used here, and if not, why and\n"
	"                  what is used instead\n"
	"\n"
	"Each has a --help of its own.\n"
	"\n"
	"Examples:\n"
	"  iobatch copy photos /backup/\n"
	"  iobatch hash -a sha256 /usr/share/doc >doc.sha256\n"
	"  iobatch run quickstart.yaml --set options.rings=auto --result result.json";

/* Stops at the command: what follows is the command's. */
static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	int *first = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_ARG:
		*first = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing; iobatch --help lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * Makes sure that descriptors 0 to 2 are taken, so that no file of the run gets one of them and is
 * written over by messages. They are opened the wrong way round: using them is an error.
 */
static void hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			_exit(CLI_MACHINE);
}

/*
 * Takes all the descriptors that the machine lets this process have. The soft limit, mostly 1024,
 * is there for programs that use select(2), which this one does not; items in flight need one or
 * two each.
 */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Runs at the end, also after --help: what stdout did not take must not look like success. */
static void close_stdout(void)
{
	if (cli_close_stdout(CLI_OK))
		_exit(CLI_FAILED);
}

/* Complains about a word that is no command, and says which may have been meant. */
static void complain_unknown(const char *word)
{
	unsigned best = NEAREST_EDITS_MAX + 1;
	const char *near = NULL;

	for (size_t i = 0; i < COMMANDS || verbs[i - COMMANDS]; i++) {
		const char *name = i < COMMANDS ? commands[i].name : verbs[i - COMMANDS]->name;

		if (nearest_distance(word, name) < best) {
			best = nearest_distance(word, name);
			near = name;
		}
	}
	if (near)
		cli_complain("%s is not a command; did you mean %s?", word, near);
	else
		cli_complain("%s is not a command; iobatch --help lists them", word);
}

static const struct argp main_argp = {NULL, parse_option, "COMMAND [ARGUMENT...]", doc, NULL,
                                      NULL, NULL};

static int run_command(int argc, char **argv)
{
	static char help[] = "--help";

	/* What people type before they have read how it is done. */
	if (!strcmp(argv[0], "help") && argc > 1)
		return run_command(2, (char *[]){argv[1], help, NULL});
	if (!strcmp(argv[0], "help"))
		return argp_parse(&main_argp, 2, (char *[]){(char[]){"iobatch"}, help, NULL}, 0,
		                  NULL, NULL);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		argv[0] = commands[i].full_name;
		return commands[i].run(argc, argv);
	}
	for (const struct verb *const *verb = verbs; *verb; verb++) {
		if (strcmp(argv[0], (*verb)->name))
			continue;
		argv[0] = (*verb)->full_name;
		return verb_main(*verb, argc, argv);
	}
	complain_unknown(argv[0]);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	static char version[64];
	int first = 0;

	hold_standard_descriptors();
	raise_descriptor_limit();
	signal(SIGPIPE, SIG_IGN);
	/* A file that would become larger than it may is an error of that file. */
	signal(SIGXFSZ, SIG_IGN);
	signals_prepare();
	atexit(close_stdout);
	snprintf(version, sizeof(version), "iobatch %s", iobatch_version());
	argp_program_version = version;
	argp_err_exit_status = CLI_USAGE;
	if (argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &first))
		return CLI_USAGE;
	return run_command(argc - first, argv + first);
}

/* SPDX-License-Identifier: MIT */
/* `iobatch doctor`: can io_uring run here, and if not, why and what to do about it. */
#include "cli/cli.h"

#include "cli/bar.h"

#include <argp.h>
#include <inttypes.h>
#include <iobatch.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

static const char doc[] =
	"Say whether io_uring can be used here, and if not, why and what to do.\v"
	"Examples:\n"
	"  iobatch doctor\n"
	"  iobatch doctor >/dev/null && iobatch run job.yaml --executor=ring\n"
	"\n"
	"Exit status: 0 io_uring can be used; 3 it cannot. Jobs run in both cases,\n"
	"unless they name the ring as their executor: see the line executor.";

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "takes no arguments");
	return 0;
}

static void print_bytes(rlim_t value)
{
	char text[32];

	if (value == RLIM_INFINITY) {
		fputs("unlimited", stdout);
		return;
	}
	bar_format_bytes(text, sizeof(text), (double)value);
	fputs(text, stdout);
}

static void print_count(rlim_t value)
{
	if (value == RLIM_INFINITY)
		fputs("unlimited", stdout);
	else
		printf("%" PRIuMAX, (uintmax_t)value);
}

static void print_limit(const char *name, int resource, void (*print)(rlim_t))
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return;
	printf("%s: ", name);
	print(limit.rlim_cur);
	if (limit.rlim_cur != limit.rlim_max) {
		fputs(", can be raised to ", stdout);
		print(limit.rlim_max);
	}
	putchar('\n');
}

static void print_ops(const struct iobatch_support *support)
{
	unsigned ring = 0;

	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		ring += support->ops[i];
	printf("ops: %u of %u on the ring; iobatch ops lists them\n", ring, IOBATCH_OP_COUNT);
}

int cli_doctor(int argc, char **argv)
{
	static const struct argp argp = {NULL, parse_option, NULL, doc, NULL, NULL, NULL};
	struct iobatch_support support = IOBATCH_SUPPORT_INIT;
	struct utsname machine;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return CLI_USAGE;
	err = iobatch_probe(&support);
	if (err) {
		cli_complain("cannot probe io_uring: %s", strerror(-err));
		return CLI_MACHINE;
	}
	printf("io_uring: %s\n", support.error ? "cannot be used" : "can be used");
	if (support.error) {
		printf("cause: %s\n", support.cause);
		printf("remedy: %s\n", support.remedy);
	}
	/* Where there is no ring there are still system calls, which nothing forbids. */
	printf("executor: auto takes %s\n",
	       support.error ? "syscall, a pool of threads; ring by name refuses to run" : "ring");
	if (!uname(&machine))
		printf("kernel: %s %s\n", machine.release, machine.machine);
	if (!support.error) {
		printf("features: %s\n", support.features);
		print_ops(&support);
	}
	print_limit("locked memory (memlock)", RLIMIT_MEMLOCK, print_bytes);
	print_limit("open files (nofile)", RLIMIT_NOFILE, print_count);
	return support.error ? CLI_MACHINE : CLI_OK;
}

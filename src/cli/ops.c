/* SPDX-License-Identifier: MIT */
/* `iobatch ops`: the op table, and how this kernel carries each op out. */
#include "cli/cli.h"

#include <argp.h>
#include <inttypes.h>
#include <iobatch.h>
#include <string.h>

static const struct argp_option options[] = {
	{"arguments", 'a', NULL, 0, "Show the arguments of each op too", 0},
	{0},
};

static const char doc[] =
	"List the operations that a job's steps can be made of.\v"
	"HERE says how it is done on this kernel: by the ring, or by a system call\n"
	"where io_uring has no such operation or cannot be used.\n"
	"\n"
	"Examples:\n"
	"  iobatch ops\n"
	"  iobatch ops --arguments";

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	bool *arguments = state->input;

	(void)argument;
	if (key == 'a')
		*arguments = true;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "takes no arguments");
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const char *argument_type(enum iobatch_argument_type type)
{
	switch (type) {
	case IOBATCH_ARGUMENT_PATH:
		return "path";
	case IOBATCH_ARGUMENT_FILE:
		return "name of an open file";
	case IOBATCH_ARGUMENT_NEW_FILE:
		return "name for the file";
	case IOBATCH_ARGUMENT_SIZE:
		return "size";
	case IOBATCH_ARGUMENT_DURATION:
		return "time with ns, us, ms or s";
	case IOBATCH_ARGUMENT_MODE:
		return "octal permission bits";
	case IOBATCH_ARGUMENT_FLAGS:
		return "list of";
	case IOBATCH_ARGUMENT_WORD:
		return "one of";
	case IOBATCH_ARGUMENT_NUMBER:
		return "number";
	}
	return "";
}

static void print_argument(const struct iobatch_argument *argument)
{
	printf("    %s: %s", argument->name, argument_type(argument->type));
	for (const struct iobatch_word *word = argument->words; word && word->name; word++)
		printf("%s%s", word == argument->words ? " " : ", ", word->name);
	if (argument->required)
		fputs(" (required)", stdout);
	else if (argument->type == IOBATCH_ARGUMENT_MODE)
		printf(" (default 0%" PRIo64 ")", argument->fallback);
	else if (argument->type == IOBATCH_ARGUMENT_SIZE)
		printf(" (default %" PRIu64 ")", argument->fallback);
	putchar('\n');
}

static const char *how(const struct iobatch_op_info *info, const struct iobatch_support *support,
                       unsigned opcode)
{
	return info->ring_opcode && support->ops[opcode] ? "ring" : "system call";
}

int cli_ops(int argc, char **argv)
{
	static const struct argp argp = {options, parse_option, NULL, doc, NULL, NULL, NULL};
	struct iobatch_support support = IOBATCH_SUPPORT_INIT;
	bool arguments = false;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return CLI_USAGE;
	err = iobatch_probe(&support);
	if (err) {
		cli_complain("cannot probe io_uring: %s", strerror(-err));
		return CLI_MACHINE;
	}
	printf("%-15s  %-20s  %-11s  %s\n", "OP", "OPCODE", "HERE", "WHAT");
	for (unsigned opcode = 0; opcode < IOBATCH_OP_COUNT; opcode++) {
		const struct iobatch_op_info *info = iobatch_op_info(opcode);

		printf("%-15s  %-20s  %-11s  %s\n", info->name,
		       info->ring_opcode ? info->ring_opcode : "-", how(info, &support, opcode),
		       info->summary);
		for (const struct iobatch_argument *argument = info->arguments;
		     arguments && argument && argument->name; argument++)
			print_argument(argument);
	}
	if (support.error)
		printf("\nio_uring cannot be used here: %s\n", support.cause);
	return CLI_OK;
}

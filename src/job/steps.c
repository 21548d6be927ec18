/* SPDX-License-Identifier: MIT */
/* Loaded steps to ops: see steps.h. */
#include "job/steps.h"

#include "job/number.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/values.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 16 /* of an item: struct iobatch_processor */

/* The names that files were opened under so far; a name's place is the file's number. */
struct names {
	const char *name[FILES_MAX];
	int count;
};

static int names_find(const struct names *names, const char *name)
{
	for (int i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return i;
	return -ENOENT;
}

static void set_member(struct iobatch_op *op, const struct iobatch_argument *argument,
                       uint64_t value)
{
	char *member = (char *)op + argument->offset;

	if (argument->size == sizeof(uint64_t)) {
		memcpy(member, &value, sizeof(value));
	} else if (argument->size == sizeof(uint32_t)) {
		uint32_t narrow = (uint32_t)value;

		memcpy(member, &narrow, sizeof(narrow));
	} else {
		uint16_t narrow = (uint16_t)value;

		assert(argument->size == sizeof(narrow));
		memcpy(member, &narrow, sizeof(narrow));
	}
}

static int open_file(struct report *report, const char *path, struct names *names, const char *name,
                     uint64_t *ret_file)
{
	int file = names_find(names, name);

	if (file < 0 && names->count == FILES_MAX)
		return report_error(report, path, "more than %d files in one item", FILES_MAX);
	if (file < 0) {
		file = names->count++;
		names->name[file] = name;
	}
	*ret_file = (uint64_t)file;
	return 0;
}

static int use_file(struct report *report, const char *path, const struct names *names,
                    const char *name, uint64_t *ret_file)
{
	int file = names_find(names, name);

	if (file < 0)
		return report_error(report, path,
		                    "file \"%s\" is used before a step opens it (as: %s)", name,
		                    name);
	*ret_file = (uint64_t)file;
	return 0;
}

static int parsed(struct report *report, const char *path, int err, const char *wanted,
                  const char *text)
{
	if (!err)
		return 0;
	return report_error(report, path, "must be %s, not %s", wanted, text);
}

static int convert_argument(struct report *report, const char *path, struct names *names,
                            const struct iobatch_argument *argument, const struct raw_value *raw,
                            struct iobatch_op *op)
{
	uint64_t value = argument->fallback;
	const char *text = raw->text;
	int err = 0;

	if (!raw->any) {
		if (argument->type != IOBATCH_ARGUMENT_PATH)
			set_member(op, argument, value);
		return 0;
	}
	switch (argument->type) {
	case IOBATCH_ARGUMENT_PATH:
		assert(argument->size == sizeof(text));
		text = values_text(report, path);
		memcpy((char *)op + argument->offset, &text, sizeof(text));
		return 0;
	case IOBATCH_ARGUMENT_NEW_FILE:
		err = open_file(report, path, names, text, &value);
		break;
	case IOBATCH_ARGUMENT_FILE:
		err = use_file(report, path, names, text, &value);
		break;
	case IOBATCH_ARGUMENT_SIZE:
		err = parsed(report, path, number_parse_size(text, &value), "a size such as 64KiB",
		             text);
		break;
	case IOBATCH_ARGUMENT_DURATION:
		err = parsed(report, path, number_parse_duration(text, &value),
		             "a time with its unit such as 100ms (ns, us, ms, s)", text);
		break;
	case IOBATCH_ARGUMENT_MODE:
		err = parsed(report, path, number_parse_mode(text, &value),
		             "octal permission bits such as 0644", text);
		break;
	case IOBATCH_ARGUMENT_NUMBER:
		err = number_parse_count(text, &value);
		/* The largest is no number but says that there is none. */
		if (!err && value >= UINT32_MAX)
			err = -ERANGE;
		err = parsed(report, path, err, "a number below 4294967295", text);
		break;
	case IOBATCH_ARGUMENT_FLAGS:
	case IOBATCH_ARGUMENT_WORD:
		value = *raw->bits;
		break;
	}
	if (!err)
		set_member(op, argument, value);
	return err;
}

static int convert_step(struct report *report, unsigned index, struct names *names,
                        const struct raw_step *step, struct iobatch_op *ret_op)
{
	const struct iobatch_op_info *info;
	unsigned found = 0, opcode = 0;
	char path[128];

	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		if (step->ops[i]) {
			opcode = i;
			found++;
		}
	}
	snprintf(path, sizeof(path), "processor.steps.%u", index);
	if (found != 1)
		return report_error(report, path,
		                    "a step is exactly one op with its arguments, not %u; "
		                    "begin each op with a dash of its own",
		                    found);
	*ret_op = (struct iobatch_op){
		.opcode = (uint16_t)opcode, .dirfd = AT_FDCWD, .dirfd2 = AT_FDCWD};
	info = iobatch_op_info(opcode);
	for (unsigned i = 0; info->arguments && info->arguments[i].name; i++) {
		int err;

		snprintf(path, sizeof(path), "processor.steps.%u.%s.%s", index, info->name,
		         info->arguments[i].name);
		err = convert_argument(report, path, names, &info->arguments[i],
		                       &step->ops[opcode]->values[i], ret_op);
		if (err)
			return err;
	}
	return 0;
}

/* Asks the processor itself whether it takes the ops: nothing is touched by that. */
static int check(struct report *report, const struct iobatch_op *ops, unsigned count)
{
	struct iobatch_processor *processor;
	unsigned index = UINT32_MAX;
	char *message = NULL, path[128];
	int err = iobatch_steps_new(ops, count, &processor, &index, &message);

	if (!err) {
		iobatch_processor_free(processor);
		return 0;
	}
	if (err == -EINVAL) {
		snprintf(path, sizeof(path), "processor.steps");
		if (index < count)
			snprintf(path, sizeof(path), "processor.steps.%u.%s", index,
			         iobatch_op_info(ops[index].opcode)->name);
		report_error(report, path, "%s", message ? message : "not a possible step");
	}
	free(message);
	return err;
}

int steps_convert(struct report *report, const struct raw_step *steps, unsigned count,
                  struct iobatch_op **ret_ops)
{
	struct iobatch_op *ops = calloc(count, sizeof(*ops));
	struct names names = {.count = 0};
	int err = 0;

	if (!ops)
		return -ENOMEM;
	for (unsigned i = 0; i < count && !err; i++)
		err = convert_step(report, i, &names, &steps[i], &ops[i]);
	if (!err)
		err = check(report, ops, count);
	if (err) {
		free(ops);
		return err;
	}
	*ret_ops = ops;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The chain that a user writes out, op by op.
 *
 * The steps of an item run as few chains: only a write of what a read has read must wait for that
 * read's result, so that a chain is cut there and nowhere else. Everything that can be wrong with
 * the steps is found when the processor is made. Each read has a buffer of its own, counted by
 * memory_limit; what statx and readlinkat bring is looked at by nobody, and since the ops of an
 * item run in order, one place for each kind serves them all.
 *
 * What an op takes it learns from the op table's public side; it knows no executor.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <iobatch.h>

#include "processor/file.h"
#include "processor/template.h"

#define STEPS_MAX 128u
#define FILES_MAX 16
#define READS_MAX 64u
#define MOVE_MAX (UINT64_C(16) << 20)
#define BUFFER_MULTIPLE 4096u

struct step {
	struct iobatch_op op;
	struct template *path;
	struct template *path2;
	struct timespec times[2]; /* of an op that sets times: the caller's may be gone by then */
	unsigned read;            /* which of the reads this is, or a write sends */
};

struct steps {
	struct iobatch_processor base; /* first: the public handle is the steps */
	size_t link_offset;            /* places in an item's scratch */
	size_t paths_offset;
	unsigned count;
	struct step steps[];
};

/* What is kept of an item between its chains. */
struct steps_state {
	unsigned at;           /* the next step */
	unsigned reads;        /* reads that are done */
	uint64_t read_bytes[]; /* what each of them has read */
};

/* ------------------------------------------------------------ running -- */

/* Keeps the results of a chain. */
static void account(struct steps_state *state, struct iobatch_item *item,
                    const struct iobatch_chain *done)
{
	for (unsigned i = 0; i < done->count; i++) {
		const struct iobatch_op *op = &done->ops[i];
		/* One that may fail has moved nothing then. */
		uint64_t moved = op->result > 0 ? (uint64_t)op->result : 0;

		switch (op->opcode) {
		case IOBATCH_OP_READ:
			state->read_bytes[state->reads++] = moved;
			item->bytes += moved;
			break;
		case IOBATCH_OP_WRITE:
		case IOBATCH_OP_COPY_FILE_RANGE:
			item->bytes += moved;
			break;
		}
	}
}

/*
 * Fills in a path; `*used` is how much of the item's scratch is taken. A path that starts from
 * AT_FDCWD may come to start from the directory that the source holds open.
 */
static int bind_path(const struct template *template, struct iobatch_item *item, size_t *used,
                     const char **ret_path, int32_t *dirfd)
{
	char *space = template_space(template) > 0 ? (char *)item->scratch + *used : NULL;
	const struct iobatch_file *object = item->object;
	int start = AT_FDCWD;
	ssize_t taken;

	if (dirfd && *dirfd == AT_FDCWD)
		taken = template_expand_path(template, object, file_number(item), space, ret_path,
		                             &start);
	else
		taken = template_expand(template, object, file_number(item), NULL, space, ret_path);
	if (taken < 0)
		return (int)taken;
	*used += (size_t)taken;
	if (start != AT_FDCWD)
		*dirfd = start;
	return 0;
}

/* Fills in the paths of an op. */
static int bind_paths(const struct step *step, struct iobatch_item *item, size_t *used,
                      struct iobatch_op *op)
{
	const struct iobatch_file *object = item->object;
	/* What a symbolic link holds starts from nowhere. */
	int32_t *dirfd = op->opcode == IOBATCH_OP_SYMLINKAT ? NULL : &op->dirfd;
	int result = 0;

	if (step->path)
		result = bind_path(step->path, item, used, &op->path, dirfd);
	if (result == 0 && step->path2)
		result = bind_path(step->path2, item, used, &op->path2, &op->dirfd2);
	if (op->dirfd != step->op.dirfd || op->dirfd2 != step->op.dirfd2)
		op->device = object->device;
	return result;
}

/* Fills in what belongs to the item. */
static int bind_op(const struct steps *steps, const struct step *step, struct iobatch_item *item,
                   size_t *used, struct iobatch_op *op)
{
	int result = bind_paths(step, item, used, op);

	switch (op->opcode) {
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_FSTATX:
	case IOBATCH_OP_FIND_DATA:
	case IOBATCH_OP_CACHED:
		op->buffer = item->scratch;
		break;
	case IOBATCH_OP_READLINKAT:
		op->buffer = (char *)item->scratch + steps->link_offset;
		break;
	case IOBATCH_OP_READ:
	case IOBATCH_OP_WRITE:
		op->buffer = item->buffers[step->read];
		break;
	}
	return result;
}

static int steps_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                      struct iobatch_chain *chain)
{
	const struct steps *steps = context;
	struct steps_state *state = item->state;
	size_t used = steps->paths_offset;

	if (done->count == 0 && !file_object(item))
		return -EINVAL;
	account(state, item, done);
	for (; state->at < steps->count; state->at++) {
		const struct step *step = &steps->steps[state->at];
		struct iobatch_op op = step->op;
		int result;

		/* The read is in this very chain: how much it reads is not known yet. */
		if (step->op.opcode == IOBATCH_OP_WRITE && step->read >= state->reads)
			break;
		result = bind_op(steps, step, item, &used, &op);
		if (result < 0)
			return result;
		if (op.opcode == IOBATCH_OP_WRITE) {
			uint64_t available = state->read_bytes[step->read];

			if (op.length == 0 || op.length > available)
				op.length = available;
			/* Behind the end of what was read there is nothing to write. */
			if (op.length == 0)
				continue;
		}
		iobatch_chain_add(chain, op);
	}
	return chain->count > 0 ? IOBATCH_MORE : IOBATCH_DONE;
}

/* ----------------------------------------------------------- checking -- */

/* What is known about the steps before the one that is looked at. */
struct survey {
	unsigned opened; /* bits of files that were opened, and are open */
	unsigned open;
	int files;
	unsigned reads;
	uint64_t longest_read;
	unsigned chain_start_reads; /* of the chain that this step is in: reads before it */
	unsigned chain_ops;         /* and what it has so far */
	size_t chain_space;
	unsigned chain_ops_max;
	size_t chain_space_max;
	bool statx;
	bool readlink;
	bool process_files;
};

__attribute__((format(printf, 2, 3))) static int fail(char **ret_error, const char *format, ...)
{
	char *message;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&message, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	*ret_error = message;
	return -EINVAL;
}

/*
 * May a ring have no opcode for this op? It is made as a system call then, which cannot use a
 * ring's direct descriptors.
 */
static bool may_be_called(unsigned opcode)
{
	/* The ring's ftruncate is younger than the ring, and its statx knows no direct ones. */
	return !iobatch_op_info(opcode)->ring_opcode || opcode == IOBATCH_OP_FTRUNCATE ||
	       opcode == IOBATCH_OP_FSTATX;
}

static int check_file(struct survey *survey, unsigned opcode, int32_t file, bool opens,
                      char **ret_error)
{
	bool closes = opcode == IOBATCH_OP_CLOSE;
	unsigned bit;

	if (file < 0) {
		/* A descriptor of the caller's stays open. */
		if (opens || closes)
			return fail(ret_error, "only a file of the item can be opened or closed");
		return 0;
	}
	if (file >= FILES_MAX)
		return fail(ret_error, "an item can have at most %d files", FILES_MAX);
	bit = 1u << file;
	if (opens) {
		if (survey->open & bit)
			return fail(ret_error, "this file is open already");
		survey->opened |= bit;
		survey->open |= bit;
		if (file >= survey->files)
			survey->files = file + 1;
		return 0;
	}
	if (!(survey->open & bit))
		return fail(ret_error, survey->opened & bit
		                               ? "the file is used after it was closed"
		                               : "the file is used before it is opened");
	if (closes)
		survey->open &= ~bit;
	survey->process_files |= may_be_called(opcode);
	return 0;
}

static int check_length(struct survey *survey, struct step *step, char **ret_error)
{
	const struct iobatch_op *op = &step->op;

	switch (op->opcode) {
	case IOBATCH_OP_READ:
		if (op->length == 0 || op->length > MOVE_MAX)
			return fail(ret_error, "length must be 1 byte to 16 MiB");
		if (survey->reads == READS_MAX)
			return fail(ret_error, "there can be at most %u reads", READS_MAX);
		if (op->length > survey->longest_read)
			survey->longest_read = op->length;
		step->read = survey->reads++;
		break;
	case IOBATCH_OP_WRITE:
		if (op->length > MOVE_MAX)
			return fail(ret_error, "length must be at most 16 MiB");
		if (survey->reads == 0)
			return fail(ret_error, "there is no read before this write");
		step->read = survey->reads - 1;
		break;
	case IOBATCH_OP_READLINKAT:
		if (op->length == 0 || op->length > PATH_MAX)
			return fail(ret_error, "length must be 1 to %d bytes", PATH_MAX);
		survey->readlink = true;
		break;
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_FSTATX:
	case IOBATCH_OP_FIND_DATA:
	case IOBATCH_OP_CACHED:
		survey->statx = true;
		break;
	}
	return 0;
}

/* Takes apart the path that an argument of the op stands for. */
static int take_path(struct step *step, const struct iobatch_argument *argument, char **ret_error)
{
	bool second = argument->offset == offsetof(struct iobatch_op, path2);
	const char *text = second ? step->op.path2 : step->op.path;
	char *message;
	int result;

	if (!text)
		return fail(ret_error, "%s is missing", argument->name);
	result = template_new(text, 0, second ? &step->path2 : &step->path, &message);
	if (result == -EINVAL) {
		result = fail(ret_error, "%s: %s", argument->name, message);
		free(message);
	}
	return result;
}

/* Checks and takes what the op's arguments refer to. */
static int take_arguments(struct survey *survey, struct step *step, char **ret_error)
{
	const struct iobatch_op *op = &step->op;
	const struct iobatch_argument *argument = iobatch_op_info(op->opcode)->arguments;
	int result = 0;

	for (; argument->name && result == 0; argument++) {
		bool second;

		switch (argument->type) {
		case IOBATCH_ARGUMENT_PATH:
			result = take_path(step, argument, ret_error);
			break;
		case IOBATCH_ARGUMENT_FILE:
		case IOBATCH_ARGUMENT_NEW_FILE:
			second = argument->offset == offsetof(struct iobatch_op, file2);
			result = check_file(survey, op->opcode, second ? op->file2 : op->file,
			                    argument->type == IOBATCH_ARGUMENT_NEW_FILE, ret_error);
			break;
		default:
			break;
		}
	}
	return result;
}

/* Which chain the step will be in, and what that chain then needs: as steps_next() cuts them. */
static void survey_chain(struct survey *survey, const struct step *step)
{
	if (step->op.opcode == IOBATCH_OP_WRITE && step->read >= survey->chain_start_reads) {
		survey->chain_start_reads = survey->reads;
		survey->chain_ops = 0;
		survey->chain_space = 0;
	}
	survey->chain_ops++;
	if (step->path)
		survey->chain_space += template_space(step->path);
	if (step->path2)
		survey->chain_space += template_space(step->path2);
	if (survey->chain_ops > survey->chain_ops_max)
		survey->chain_ops_max = survey->chain_ops;
	if (survey->chain_space > survey->chain_space_max)
		survey->chain_space_max = survey->chain_space;
}

static int take_step(struct survey *survey, struct step *step, const struct iobatch_op *op,
                     char **ret_error)
{
	int result;

	if (op->opcode >= IOBATCH_OP_COUNT)
		return fail(ret_error, "there is no op %u", op->opcode);
	step->op = *op;
	result = take_arguments(survey, step, ret_error);
	if (result < 0)
		return result;
	result = check_length(survey, step, ret_error);
	if (result < 0)
		return result;
	/* What the caller's op points to is not looked at again. */
	step->op.path = NULL;
	step->op.path2 = NULL;
	step->op.buffer = NULL;
	if ((op->opcode == IOBATCH_OP_UTIMENSAT || op->opcode == IOBATCH_OP_FUTIMENS) &&
	    op->buffer) {
		memcpy(step->times, op->buffer, sizeof(step->times));
		step->op.buffer = step->times;
	}
	survey_chain(survey, step);
	return 0;
}

/* ------------------------------------------------------ making, freeing -- */

static void steps_free(struct iobatch_processor *processor)
{
	struct steps *steps = (struct steps *)processor;

	for (unsigned i = 0; i < steps->count; i++) {
		template_free(steps->steps[i].path);
		template_free(steps->steps[i].path2);
	}
	free(steps);
}

static struct steps *allocate(unsigned count)
{
	struct steps *steps = calloc(1, sizeof(*steps) + count * sizeof(steps->steps[0]));

	if (!steps)
		return NULL;
	steps->base = (struct iobatch_processor)IOBATCH_PROCESSOR_INIT;
	steps->base.name = "steps";
	steps->base.context = steps;
	steps->base.next = steps_next;
	steps->base.free = steps_free;
	steps->count = count;
	return steps;
}

/* What an item needs, now that all steps are known. */
static void settle_needs(struct steps *steps, const struct survey *survey)
{
	struct iobatch_processor *base = &steps->base;

	base->chain_ops_max = survey->chain_ops_max;
	base->files_max = (unsigned)survey->files;
	base->process_files = survey->process_files;
	base->buffer_size =
		(survey->longest_read + BUFFER_MULTIPLE - 1) / BUFFER_MULTIPLE * BUFFER_MULTIPLE;
	base->buffers_min = survey->reads;
	base->buffers_max = survey->reads;
	base->state_size = sizeof(struct steps_state) + survey->reads * sizeof(uint64_t);
	steps->link_offset = survey->statx ? sizeof(struct statx) : 0;
	steps->paths_offset = steps->link_offset + (survey->readlink ? PATH_MAX : 0);
	base->scratch_size = steps->paths_offset + survey->chain_space_max;
}

int iobatch_steps_new(const struct iobatch_op *ops, unsigned count,
                      struct iobatch_processor **ret_processor, unsigned *ret_op, char **ret_error)
{
	struct survey survey = {0};
	struct steps *steps = NULL;
	char *message = NULL;
	unsigned at = 0;
	int result;

	if (!ops || !ret_processor || count == 0) {
		result = fail(&message, "there are no steps");
		goto failed;
	}
	if (count > STEPS_MAX) {
		at = STEPS_MAX;
		result = fail(&message, "there can be at most %u steps", STEPS_MAX);
		goto failed;
	}
	steps = allocate(count);
	if (!steps)
		return -ENOMEM;
	for (; at < count; at++) {
		result = take_step(&survey, &steps->steps[at], &ops[at], &message);
		if (result < 0)
			goto failed;
	}
	settle_needs(steps, &survey);
	*ret_processor = &steps->base;
	return 0;
failed:
	if (steps)
		steps_free(&steps->base);
	if (result == -EINVAL && ret_op)
		*ret_op = at;
	if (result == -EINVAL && ret_error)
		*ret_error = message;
	else
		free(message);
	return result;
}

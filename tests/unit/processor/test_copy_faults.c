/* SPDX-License-Identifier: MIT */
/*
 * Copies and moves of which each op in turn fails: a final name is touched by a rename only, when
 * the content is whole, and, where that was asked for, durable; a source goes only when its copy is
 * durable; nothing is left under a temporary name.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_SIZE (3 * BLOCK + 5)

/* What the simulated files have come to. */
struct world {
	unsigned fail_at; /* the op that fails, from 1; 0 = none */
	int error;
	unsigned ops;
	uint64_t blocks;  /* of the source; 0 = all of it may be holes */
	bool renames;     /* a rename of the source itself works */
	uint64_t written; /* bytes of the temporary file, whatever their order */
	bool temporary;
	bool stays; /* the removal of the temporary file was what failed */
	bool file_synced;
	bool target_closed;
	bool renamed;
	bool name_synced;
	bool source_gone;
	bool must_sync;
};

static bool is_temporary(const char *path)
{
	return path[0] == '.' && strstr(path, "iobatch");
}

static void note_rename(struct world *world, const struct iobatch_op *op)
{
	if (!is_temporary(op->path)) {
		world->source_gone = true;
		return;
	}
	assert_true(world->temporary);
	assert_true(world->target_closed);
	if (world->blocks)
		assert_true(world->written >= FILE_SIZE);
	if (world->must_sync)
		assert_true(world->file_synced);
	world->temporary = false;
	world->renamed = true;
	world->name_synced = false;
}

static void note_unlink(struct world *world, const struct iobatch_op *op)
{
	if (is_temporary(op->path)) {
		world->temporary = false;
		return;
	}
	assert_true(world->renamed);
	assert_true(world->file_synced);
	assert_true(world->name_synced);
	world->source_gone = true;
}

/* An op that has succeeded. */
static void note(struct world *world, const struct iobatch_op *op, int64_t result)
{
	switch (op->opcode) {
	case IOBATCH_OP_OPENAT:
		if (!(op->op_flags & O_CREAT))
			break;
		assert_true(op->op_flags & O_EXCL);
		world->temporary = true;
		world->written = 0;
		world->file_synced = world->target_closed = world->renamed = false;
		break;
	case IOBATCH_OP_WRITE:
		assert_false(world->renamed);
		world->written += (uint64_t)result;
		world->file_synced = false;
		break;
	case IOBATCH_OP_CLOSE:
		world->target_closed |= op->file == 1;
		break;
	case IOBATCH_OP_FDATASYNC:
		world->file_synced = true;
		break;
	case IOBATCH_OP_FSYNC:
		if (op->file >= 0)
			world->file_synced = true;
		else
			world->name_synced = world->renamed;
		break;
	case IOBATCH_OP_RENAMEAT:
		note_rename(world, op);
		break;
	case IOBATCH_OP_UNLINKAT:
		note_unlink(world, op);
		break;
	}
}

static void play(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct world *world = context;

	if (op->opcode == IOBATCH_OP_FSTATX || op->opcode == IOBATCH_OP_STATX) {
		struct statx *statx = op->buffer;

		statx->stx_blocks = world->blocks;
		statx->stx_uid = 1;
	}
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	if (op->opcode == IOBATCH_OP_RENAMEAT && !is_temporary(op->path) && !world->renames)
		answer->result = -EXDEV;
	if (++world->ops == world->fail_at && answer->result >= 0) {
		answer->result = world->error;
		if (op->opcode == IOBATCH_OP_UNLINKAT && is_temporary(op->path))
			world->stays = true;
	}
	/* A close that is interrupted has closed. */
	if (answer->result >= 0 || (op->opcode == IOBATCH_OP_CLOSE && answer->result == -EINTR))
		note(world, op, answer->result);
}

static void set_plain(struct iobatch_copy_options *copy)
{
	(void)copy;
}

static void set_durable(struct iobatch_copy_options *copy)
{
	copy->fsync = IOBATCH_FSYNC_FULL;
	copy->existing = IOBATCH_EXISTING_FAIL;
}

static void set_careful(struct iobatch_copy_options *copy)
{
	copy->fsync = IOBATCH_FSYNC_DATA;
	copy->verify = copy->direct = copy->preallocate = copy->keep_cache = 1;
	copy->preserve |= IOBATCH_PRESERVE_XATTRS | IOBATCH_PRESERVE_ACLS;
	copy->existing = IOBATCH_EXISTING_SKIP;
}

static void (*const settings[])(struct iobatch_copy_options *) = {set_plain, set_durable,
                                                                  set_careful};

/* Full file systems are tried again only on demand. */
static const int full_too[] = {ENOSPC, 0};

static unsigned run_once(void **state, struct world *world, bool moves, unsigned setting,
                         uint32_t retries)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = FILE_SIZE, .script = play, .context = world};
	struct iobatch_copy_options copy = copying_options("world");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;
	unsigned succeeded;

	options.simulation = &simulation;
	options.retries = retries;
	options.retry_errnos = full_too;
	settings[setting](&copy);
	world->must_sync = moves || copy.fsync != IOBATCH_FSYNC_NONE;
	if (moves)
		assert_int_equal(iobatch_move_new(&copy, &processor), 0);
	else
		assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	files_run(processor, &options, DT_REG, (const char *const[]){"sub/a", NULL}, &result);
	succeeded = (unsigned)result.successful;
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	return succeeded;
}

static void sweep(void **state, bool moves, unsigned setting, uint64_t blocks, int error)
{
	struct world world = {.blocks = blocks};
	unsigned ops;

	assert_int_equal(run_once(state, &world, moves, setting, 0), 1);
	assert_true(world.renamed);
	assert_int_equal(world.source_gone, moves);
	ops = world.ops;
	assert_true(ops > 10);
	for (unsigned at = 1; at <= ops; at++) {
		unsigned succeeded;

		world = (struct world){.fail_at = at, .error = error, .blocks = blocks};
		succeeded = run_once(state, &world, moves, setting, 0);
		assert_true(!world.temporary || world.stays);
		if (succeeded)
			assert_true(world.renamed);
		if (moves)
			assert_int_equal(world.source_gone, succeeded);
		/* With another attempt it is as if nothing had been. */
		world = (struct world){.fail_at = at, .error = error, .blocks = blocks};
		assert_int_equal(run_once(state, &world, moves, setting, 1), 1);
		assert_true(!world.temporary || world.stays);
		assert_true(world.renamed);
	}
}

static void whatever_fails_a_copy_is_whole_or_not_there(void **state)
{
	for (unsigned setting = 0; setting < 3; setting++) {
		sweep(state, false, setting, 64, -EIO);
		sweep(state, false, setting, 64, -ENOSPC);
		sweep(state, false, setting, 0, -EIO);
	}
}

static void whatever_fails_a_source_goes_only_when_its_copy_is_durable(void **state)
{
	for (unsigned setting = 0; setting < 3; setting++) {
		sweep(state, true, setting, 64, -EIO);
		sweep(state, true, setting, 64, -ENOSPC);
		sweep(state, true, setting, 0, -EIO);
	}
}

static void seeds_of_failures_leave_nothing_temporary(void **state)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct world world = {.blocks = seed % 2 ? 64 : 0};
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .file_size = FILE_SIZE,
		                                        .latency_max_ns = 1000000,
		                                        .short_permille = 200,
		                                        .script = play,
		                                        .context = &world};
		struct iobatch_copy_options copy = copying_options("world");
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor;

		world.fail_at = 1 + (unsigned)(seed * 7 % 40);
		world.error = seed % 3 ? -EIO : -EINTR;
		settings[seed % 3](&copy);
		options.simulation = &simulation;
		options.retries = 3;
		if (seed % 4 == 0)
			assert_int_equal(iobatch_move_new(&copy, &processor), 0);
		else
			assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
		files_run(processor, &options, DT_REG, (const char *const[]){"a", NULL}, &result);
		assert_int_equal(result.successful, 1);
		assert_true(world.renamed);
		assert_true(!world.temporary || world.stays);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

/* ------------------------------------------------------------- no queue -- */

static void no_directory(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_MKDIRAT)
		answer->result = -ENOSPC;
}

/* Many want to go into a directory that cannot be made: none waits for another to find that out. */
static void a_directory_that_cannot_be_made_holds_nobody_up(void **state)
{
	static char paths[1000][32];
	static const char *names[1001];
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.latency_min_ns = 1000, .latency_max_ns = 20000, .script = no_directory};
	struct iobatch_copy_options copy = copying_options("world");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(paths[i], sizeof(paths[i]), "a/b/c/%u", i);
		names[i] = paths[i];
	}
	options.simulation = &simulation;
	options.retries = 1;
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	files_run(processor, &options, DT_REG, names, &result);
	assert_int_equal(result.failed, 1000);
	assert_int_equal(result.failed_items[999].error, -ENOSPC);
	assert_int_equal(result.failed_items[999].opcode, IOBATCH_OP_MKDIRAT);
	assert_true(result.processing_time_ms < 50);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_SIMULATED(whatever_fails_a_copy_is_whole_or_not_there),
		FILES_ON_SIMULATED(whatever_fails_a_source_goes_only_when_its_copy_is_durable),
		FILES_ON_SIMULATED(seeds_of_failures_leave_nothing_temporary),
		FILES_ON_SIMULATED(a_directory_that_cannot_be_made_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

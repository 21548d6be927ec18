/* SPDX-License-Identifier: MIT */
/*
 * Names of one file become names of one copy, wherever they are and whoever is first; and where
 * that cannot be, each becomes a copy.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LINKS 40u

static void make_links(void)
{
	char name[64];

	assert_int_equal(mkdir("tree", 0755), 0);
	file_make("tree/first", 50 * BLOCK);
	file_make("tree/alone", 3);
	for (unsigned i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), "tree/d%u", i % 5);
		(void)mkdir(name, 0755);
		snprintf(name, sizeof(name), "tree/d%u/link%u", i % 5, i);
		assert_int_equal(link("tree/first", name), 0);
	}
	assert_int_equal(symlink("nowhere", "tree/symlink"), 0);
	assert_int_equal(linkat(AT_FDCWD, "tree/symlink", AT_FDCWD, "tree/d1/symlink", 0), 0);
	/* This one has its other name outside. */
	file_make("outside", 7);
	assert_int_equal(link("outside", "tree/half"), 0);
}

static void assert_links(const char *copy)
{
	char first[64], name[64];
	struct stat status;

	snprintf(first, sizeof(first), "%s/first", copy);
	assert_file(first, 50 * BLOCK);
	assert_int_equal(stat(first, &status), 0);
	assert_int_equal(status.st_nlink, LINKS + 1);
	for (unsigned i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), "%s/d%u/link%u", copy, i % 5, i);
		assert_linked(first, name);
	}
	snprintf(first, sizeof(first), "%s/symlink", copy);
	snprintf(name, sizeof(name), "%s/d1/symlink", copy);
	assert_linked(first, name);
	snprintf(name, sizeof(name), "%s/half", copy);
	assert_int_equal(stat(name, &status), 0);
	assert_int_equal(status.st_nlink, 1);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%s/d%u", copy, i);
		assert_int_equal(hidden_count(name), 0);
	}
}

static void names_of_one_file_stay_names_of_one_file(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};

	make_links();
	options.batch_size = 4;
	for (uint32_t rings = 1; rings <= 2; rings++) {
		options.rings = rings;
		copying_run(&copy, &tree, &options, NULL);
		assert_links("out");
		/* Over itself, where each name is one of the old copy. */
		copying_run(&copy, &tree, &options, NULL);
		assert_links("out");
		/* Newer copies are left, and missing names become names of them. */
		assert_int_equal(unlink("out/d3/link3"), 0);
		copy.update = 1;
		copying_run(&copy, &tree, &options, NULL);
		assert_links("out");
		copy.update = 0;
		remove_tree("out");
	}
}

static void without_links_each_name_is_a_copy(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	struct stat status;

	make_links();
	copy.preserve &= ~IOBATCH_PRESERVE_LINKS;
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(stat("out/d3/link3", &status), 0);
	assert_int_equal(status.st_nlink, 1);
	assert_file("out/d3/link3", 50 * BLOCK);
}

static void a_name_that_fails_leaves_the_copy_to_the_next(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .may_fail = true};
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct stat status;

	assert_int_equal(mkdir("tree", 0755), 0);
	file_make("tree/a", 5 * BLOCK);
	assert_int_equal(link("tree/a", "tree/b"), 0);
	assert_int_equal(link("tree/a", "tree/c"), 0);
	assert_int_equal(mkdir("out", 0755), 0);
	/* In the way of the first name, so that its rename fails when all is copied. */
	assert_int_equal(mkdir("out/a", 0755), 0);
	options.max_concurrent = 1;
	copying_run(&copy, &tree, &options, &result);
	assert_int_equal(result.failed, 1);
	assert_string_equal(result.failed_items[0].error_name, "EISDIR");
	iobatch_result_deinit(&result);
	assert_file("out/b", 5 * BLOCK);
	assert_linked("out/b", "out/c");
	assert_int_equal(stat("out/b", &status), 0);
	assert_int_equal(status.st_nlink, 2);
	assert_int_equal(hidden_count("out"), 0);
}

/* No link can be made, whatever the reason. */
static void refuse_links(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	unsigned *renamed = context;

	if (op->opcode == IOBATCH_OP_FSTATX || op->opcode == IOBATCH_OP_STATX) {
		struct statx *statx = op->buffer;

		statx->stx_nlink = 3;
		statx->stx_blocks = 64;
	}
	if (op->opcode == IOBATCH_OP_LINKAT)
		answer->result = -EMLINK;
	*renamed += op->opcode == IOBATCH_OP_RENAMEAT;
}

static void where_no_link_can_be_made_each_name_is_a_copy(void **state)
{
	unsigned renamed = 0;
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 3 * BLOCK, .script = refuse_links, .context = &renamed};
	struct iobatch_copy_options copy = copying_options("unlinked");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;

	options.simulation = &simulation;
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	files_run(processor, &options, DT_REG, (const char *const[]){"a", "b", "c", NULL}, &result);
	assert_int_equal(result.successful, 3);
	assert_int_equal(renamed, 3);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* A link that has its name, of which the sync of that name then fails. */
struct late {
	unsigned links;
	unsigned renames;
	unsigned removed;
	bool failed;
};

static void fail_late(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct late *late = context;

	if (op->opcode == IOBATCH_OP_FSTATX || op->opcode == IOBATCH_OP_STATX) {
		((struct statx *)op->buffer)->stx_nlink = 2;
		((struct statx *)op->buffer)->stx_blocks = 64;
	}
	late->links += op->opcode == IOBATCH_OP_LINKAT;
	late->renames += op->opcode == IOBATCH_OP_RENAMEAT;
	late->removed += op->opcode == IOBATCH_OP_UNLINKAT;
	if (op->opcode == IOBATCH_OP_FSYNC && late->links == 1 && late->renames == 2 &&
	    !late->failed) {
		late->failed = true;
		answer->result = -EIO;
	}
}

static void a_link_that_is_made_again_leaves_no_temporary_name(void **state)
{
	struct late late = {0};
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 3 * BLOCK, .script = fail_late, .context = &late};
	struct iobatch_copy_options copy = copying_options("late");
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor;

	options.simulation = &simulation;
	options.retries = 1;
	copy.fsync = IOBATCH_FSYNC_FULL;
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	files_run(processor, &options, DT_REG, (const char *const[]){"a", "b", NULL}, &result);
	assert_int_equal(result.successful, 2);
	assert_true(late.failed);
	assert_int_equal(late.links, 2);
	/* The second rename was one between two names of a file, which does nothing. */
	assert_int_equal(late.renames, 3);
	assert_int_equal(late.removed, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(names_of_one_file_stay_names_of_one_file),
		FILES_ON_REAL(without_links_each_name_is_a_copy),
		FILES_ON_REAL(a_name_that_fails_leaves_the_copy_to_the_next),
		FILES_ON_SIMULATED(where_no_link_can_be_made_each_name_is_a_copy),
		FILES_ON_SIMULATED(a_link_that_is_made_again_leaves_no_temporary_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

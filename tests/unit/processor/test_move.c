/* SPDX-License-Identifier: MIT */
/*
 * Moves: by rename on one file system, by copy between two, with what belongs to a tree in both
 * cases; and what is left where it was.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void make_tree(const char *root)
{
	char name[PATH_MAX], other[PATH_MAX];

	assert_int_equal(mkdir(root, 0755), 0);
#define NAME(suffix) (snprintf(name, sizeof(name), "%s/%s", root, suffix), name)
	assert_int_equal(mkdir(NAME("sub"), 0755), 0);
	assert_int_equal(mkdir(NAME("sub/deep"), 0755), 0);
	assert_int_equal(mkdir(NAME("empty"), 0700), 0);
	file_make(NAME("sub/deep/file"), 9 * BLOCK + 1);
	file_make(NAME("sub/small"), 3);
	file_make(NAME("top"), 0);
	snprintf(other, sizeof(other), "%s/sub/second", root);
	assert_int_equal(link(NAME("sub/deep/file"), other), 0);
	assert_int_equal(symlink("nowhere", NAME("sub/link")), 0);
	set_times(NAME("sub/deep/file"), 111, 1);
	set_times(NAME("sub/link"), 222, 2);
	set_times(NAME("sub/deep"), 333, 3);
	set_times(NAME("sub"), 444, 4);
	assert_int_equal(chmod(NAME("sub"), 01750), 0);
	set_times(NAME("empty"), 555, 5);
	set_times(root, 666, 6);
}

static void assert_mtime(const char *name, time_t seconds, long nanoseconds)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	assert_int_equal(status.st_mtim.tv_sec, seconds);
	assert_int_equal(status.st_mtim.tv_nsec, nanoseconds);
}

static void assert_tree(const char *root)
{
	char name[PATH_MAX], other[PATH_MAX];
	struct stat status;

	assert_file(NAME("sub/deep/file"), 9 * BLOCK + 1);
	assert_file(NAME("sub/small"), 3);
	assert_file(NAME("top"), 0);
	snprintf(other, sizeof(other), "%s/sub/second", root);
	assert_linked(NAME("sub/deep/file"), other);
	assert_int_equal(stat(other, &status), 0);
	assert_int_equal(status.st_nlink, 2);
	assert_mtime(NAME("sub/deep/file"), 111, 1);
	assert_mtime(NAME("sub/link"), 222, 2);
	assert_mtime(NAME("sub/deep"), 333, 3);
	assert_mtime(NAME("sub"), 444, 4);
	assert_mtime(NAME("empty"), 555, 5);
	assert_mtime(root, 666, 6);
	assert_int_equal(stat(NAME("sub"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 01750);
	assert_int_equal(hidden_count(root), 0);
	assert_int_equal(hidden_count(NAME("sub")), 0);
}

static struct copying_tree moved(const char *root)
{
	return (struct copying_tree){
		.root = root, .directories = IOBATCH_DIRECTORIES_LAST, .moves = true};
}

static void a_tree_is_moved_on_one_file_system(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = moved("tree");
	struct stat before, after;

	for (uint32_t rings = 1; rings <= 2; rings++) {
		options.rings = rings;
		options.batch_size = 2;
		make_tree("tree");
		assert_int_equal(stat("tree/sub/deep/file", &before), 0);
		copying_run(&copy, &tree, &options, NULL);
		assert_tree("out");
		assert_missing("tree");
		/* It was not copied. */
		assert_int_equal(stat("out/sub/deep/file", &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		remove_tree("out");
	}
}

static void a_tree_is_moved_to_another_file_system(void **state)
{
	struct iobatch_options options = files_options(state);
	char memory[64], out[PATH_MAX];
	struct copying_tree tree = moved("tree");
	struct iobatch_copy_options copy;

	make_in_memory(memory, sizeof(memory));
	snprintf(out, sizeof(out), "%s/out", memory);
	copy = copying_options(out);
	for (uint32_t rings = 1; rings <= 2; rings++) {
		options.rings = rings;
		options.batch_size = 2;
		make_tree("tree");
		copying_run(&copy, &tree, &options, NULL);
		assert_tree(out);
		assert_missing("tree");
		/* And back. */
		tree = moved(out);
		copy.destination = "back";
		copying_run(&copy, &tree, &options, NULL);
		assert_tree("back");
		assert_missing(out);
		remove_tree("back");
		tree = moved("tree");
		copy.destination = out;
	}
	remove_tree(memory);
}

/* A scene for one name, on one file system and between two. */
static void existing_ones(const struct iobatch_options *options, const char *out)
{
	struct iobatch_copy_options copy = copying_options(out);
	char there[PATH_MAX];

	snprintf(there, sizeof(there), "%s/name", out);
	file_make("name", 3 * BLOCK);
	file_make(there, 5);
	copy.existing = IOBATCH_EXISTING_SKIP;
	copying_skipped(&copy, true, options, DT_REG, "name", "EEXISTING");
	assert_file("name", 3 * BLOCK);
	assert_file(there, 5);
	copy.existing = IOBATCH_EXISTING_FAIL;
	copying_one(&copy, true, options, DT_REG, "name", "EEXIST");
	assert_file("name", 3 * BLOCK);
	assert_file(there, 5);
	copy.existing = IOBATCH_EXISTING_REPLACE;
	copy.update = 1;
	set_times(there, 4000000000, 0);
	copying_skipped(&copy, true, options, DT_REG, "name", "EUPTODATE");
	assert_file("name", 3 * BLOCK);
	copy.update = 0;
	copying_one(&copy, true, options, DT_REG, "name", NULL);
	assert_missing("name");
	assert_file(there, 3 * BLOCK);
	assert_int_equal(unlink(there), 0);
	/* A directory is in the way. */
	file_make("name", 5);
	assert_int_equal(mkdir(there, 0755), 0);
	copying_one(&copy, true, options, DT_REG, "name", "EISDIR");
	assert_file("name", 5);
	assert_int_equal(hidden_count(out), 0);
	assert_int_equal(rmdir(there), 0);
	assert_int_equal(unlink("name"), 0);
}

static void what_is_there_is_replaced_skipped_or_an_error(void **state)
{
	struct iobatch_options options = files_options(state);
	char memory[64];

	assert_int_equal(mkdir("out", 0755), 0);
	existing_ones(&options, "out");
	make_in_memory(memory, sizeof(memory));
	existing_ones(&options, memory);
	remove_tree(memory);
}

static void a_name_is_not_moved_onto_another_of_the_same_file(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");

	assert_int_equal(mkdir("out", 0755), 0);
	file_make("name", 5);
	assert_int_equal(link("name", "out/name"), 0);
	copying_one(&copy, true, &options, DT_REG, "name", "ESAMEFILE");
	assert_file("name", 5);
	assert_file("out/name", 5);
}

static void a_directory_with_something_left_in_it_stays(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = moved("tree");
	struct iobatch_result result = IOBATCH_RESULT_INIT;

	make_tree("tree");
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(mkdir("out/sub", 0755), 0);
	assert_int_equal(mkdir("out/sub/small", 0755), 0);
	tree.may_fail = true;
	copying_run(&copy, &tree, &options, &result);
	assert_int_equal(result.failed, 3);
	iobatch_result_deinit(&result);
	assert_file("tree/sub/small", 3);
	assert_missing("tree/sub/deep");
	assert_missing("tree/top");
	assert_file("out/sub/deep/file", 9 * BLOCK + 1);
	/* Now that it may, the rest follows. */
	assert_int_equal(rmdir("out/sub/small"), 0);
	tree.may_fail = false;
	copying_run(&copy, &tree, &options, NULL);
	assert_missing("tree");
	assert_file("out/sub/small", 3);
}

static void a_directory_before_its_contents_is_moved_whole_or_not_at_all(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	char memory[64];

	make_tree("tree");
	assert_int_equal(mkdir("out", 0755), 0);
	copying_one(&copy, true, &options, DT_DIR, "tree", NULL);
	assert_tree("out/tree");
	assert_missing("tree");
	make_tree("tree");
	copying_one(&copy, true, &options, DT_DIR, "tree", "ENOTEMPTY");
	copy.existing = IOBATCH_EXISTING_FAIL;
	copying_one(&copy, true, &options, DT_DIR, "tree", "EEXIST");
	make_in_memory(memory, sizeof(memory));
	copy.destination = memory;
	copying_one(&copy, true, &options, DT_DIR, "tree", "EXDEV");
	assert_tree("tree");
	remove_tree(memory);
}

static void special_files_stay_where_they_cannot_be_renamed(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct stat status;
	char memory[64], name[PATH_MAX];

	assert_int_equal(mkfifo("fifo", 0640), 0);
	copying_one(&copy, true, &options, DT_FIFO, "fifo", NULL);
	assert_missing("fifo");
	assert_int_equal(mkfifo("fifo", 0640), 0);
	make_in_memory(memory, sizeof(memory));
	copy.destination = memory;
	copying_skipped(&copy, true, &options, DT_FIFO, "fifo", "ESPECIAL");
	assert_int_equal(stat("fifo", &status), 0);
	copy.special = 1;
	copying_one(&copy, true, &options, DT_FIFO, "fifo", NULL);
	assert_missing("fifo");
	snprintf(name, sizeof(name), "%s/fifo", memory);
	assert_int_equal(stat(name, &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	remove_tree(memory);
}

/* When the copy is durable, and before the source is looked at for the last time. */
static void change_late(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	unsigned *state = context;

	if (op->opcode == IOBATCH_OP_FSTATX || op->opcode == IOBATCH_OP_STATX)
		((struct statx *)op->buffer)->stx_blocks = 64;
	if (op->opcode == IOBATCH_OP_RENAMEAT) {
		if (op->path[0] == '.')
			*state = 1;
		else
			answer->result = -EXDEV;
	}
	if (op->opcode == IOBATCH_OP_STATX && *state == 1)
		((struct statx *)op->buffer)->stx_size++;
	if (op->opcode == IOBATCH_OP_UNLINKAT)
		*state = 2;
}

static void a_source_that_changes_after_its_copy_stays(void **state)
{
	unsigned seen = 0;
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 3 * BLOCK, .script = change_late, .context = &seen};
	struct iobatch_copy_options copy = copying_options("world");

	options.simulation = &simulation;
	copying_one(&copy, true, &options, DT_REG, "a", "ECHANGED");
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(a_tree_is_moved_on_one_file_system),
		FILES_ON_REAL(a_tree_is_moved_to_another_file_system),
		FILES_ON_REAL(what_is_there_is_replaced_skipped_or_an_error),
		FILES_ON_REAL(a_name_is_not_moved_onto_another_of_the_same_file),
		FILES_ON_REAL(a_directory_with_something_left_in_it_stays),
		FILES_ON_REAL(a_directory_before_its_contents_is_moved_whole_or_not_at_all),
		FILES_ON_REAL(special_files_stay_where_they_cannot_be_renamed),
		FILES_ON_SIMULATED(a_source_that_changes_after_its_copy_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

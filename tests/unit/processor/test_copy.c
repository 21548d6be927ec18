/* SPDX-License-Identifier: MIT */
/*
 * The copy processor: contents, modes and times arrive; a final name never holds part of a file;
 * what cannot be copied fails with its reason and leaves nothing behind.
 */
#include "copying.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct iobatch_processor *copy_new(const char *destination, uint32_t depth)
{
	struct iobatch_copy_options options = copying_options(destination);
	struct iobatch_processor *processor;

	options.depth = depth;
	assert_int_equal(iobatch_copy_new(&options, &processor), 0);
	return processor;
}

/* Walks `root` and copies what is of these types. */
static void copy_tree(const struct iobatch_processor *processor, struct iobatch_options options,
                      const char *root, uint32_t types, uint32_t directories, uint32_t rings)
{
	struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_source *source;
	struct iobatch_items items;

	walk.root = root;
	walk.types = types;
	walk.directories = directories;
	options.rings = rings;
	options.batch_size = 2;
	assert_int_equal(iobatch_source_walk(&walk, &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(iobatch_run(&items, processor, &options, &result), 0);
	for (uint64_t i = 0; i < result.failed_items_count; i++)
		print_message("%s\n", result.failed_items[i].error_name);
	assert_int_equal(result.failed, 0);
	assert_int_equal(result.executor, options.executor);
	iobatch_result_deinit(&result);
	iobatch_source_free(source);
}

static void make_tree(void)
{
	assert_int_equal(mkdir("tree", 0750), 0);
	assert_int_equal(mkdir("tree/sub", 0700), 0);
	assert_int_equal(mkdir("tree/sub/deep", 0755), 0);
	assert_int_equal(mkdir("tree/empty", 01777), 0);
	file_make("tree/zero", 0);
	file_make("tree/one", 1);
	file_make("tree/block", BLOCK);
	file_make("tree/sub/blocks", 4 * BLOCK);
	file_make("tree/sub/more", 4 * BLOCK + 3);
	file_make("tree/sub/deep/large", 300 * BLOCK - 1);
	assert_int_equal(symlink("../one", "tree/sub/link"), 0);
	assert_int_equal(symlink("nowhere", "tree/dangling"), 0);
	assert_int_equal(chmod("tree/one", 0400), 0);
	assert_int_equal(chmod("tree/block", 04711), 0);
	set_times("tree/one", 1000000000, 123456789);
	set_times("tree/sub/link", 900000000, 5);
	set_times("tree/sub/deep", 800000000, 999999999);
	assert_int_equal(chmod("tree/sub/deep", 0555), 0);
	set_times("tree/sub", 700000000, 1);
	set_times("tree", 600000000, 2);
}

static void assert_tree(const char *copy)
{
	static const char *const names[] = {
		"",       "/sub",        "/sub/deep", "/empty",          "/zero",     "/one",
		"/block", "/sub/blocks", "/sub/more", "/sub/deep/large", "/sub/link", "/dangling"};
	static const struct {
		const char *name;
		uint64_t size;
	} files[] = {{"/zero", 0},
	             {"/one", 1},
	             {"/block", BLOCK},
	             {"/sub/blocks", 4 * BLOCK},
	             {"/sub/more", 4 * BLOCK + 3},
	             {"/sub/deep/large", 300 * BLOCK - 1}};
	char path[PATH_MAX], source[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", copy, names[i]);
		snprintf(source, sizeof(source), "tree%s", names[i]);
		assert_like(path, source);
	}
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", copy, files[i].name);
		assert_file(path, files[i].size);
	}
	snprintf(path, sizeof(path), "%s/sub/link", copy);
	length = readlink(path, target, sizeof(target));
	assert_int_equal(length, 6);
	assert_memory_equal(target, "../one", 6);
	assert_int_equal(hidden_count(copy), 0);
}

static void a_tree_arrives_whole_and_again_over_itself(void **state)
{
	struct iobatch_options options = files_options(state);
	static const uint32_t depths[] = {1, 3, 64};
	char name[32];

	make_tree();
	for (unsigned i = 0; i < 6; i++) {
		struct iobatch_processor *processor;

		snprintf(name, sizeof(name), "copy%u", i / 2);
		processor = copy_new(name, depths[i / 2]);
		copy_tree(processor, options, "tree", 7,
		          i < 3 ? IOBATCH_DIRECTORIES_FIRST : IOBATCH_DIRECTORIES_LAST, 1 + i % 2);
		iobatch_processor_free(processor);
		assert_tree(name);
		/* As root this changes nothing; for others a second copy has to get in. */
		snprintf(name, sizeof(name), "copy%u/sub/deep", i / 2);
		assert_int_equal(chmod(name, 0755), 0);
	}
}

static void missing_parents_are_made(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	struct stat status;

	make_tree();
	processor = copy_new("parents/", 4);
	copy_tree(processor, options, "tree", IOBATCH_TYPE_FILE | IOBATCH_TYPE_SYMLINK, 0, 2);
	iobatch_processor_free(processor);
	assert_file("parents/sub/deep/large", 300 * BLOCK - 1);
	assert_like("parents/sub/link", "tree/sub/link");
	assert_int_equal(stat("parents/sub/deep", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
}

static void holes_stay_holes(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	struct stat status;
	char byte;
	int fd;

	assert_int_equal(mkdir("holes", 0755), 0);
	fd = open("holes/sparse", O_RDWR | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 1000 * BLOCK + 7), 1);
	assert_int_equal(ftruncate(fd, 3000 * BLOCK), 0);
	close(fd);
	processor = copy_new("holes-copy", 4);
	copy_tree(processor, options, "holes", IOBATCH_TYPE_FILE, 0, 1);
	iobatch_processor_free(processor);
	fd = open("holes-copy/sparse", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 3000 * BLOCK);
	assert_true(status.st_blocks < 1000 * (BLOCK / 512));
	assert_int_equal(pread(fd, &byte, 1, 1000 * BLOCK + 7), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(pread(fd, &byte, 1, 1000 * BLOCK + 8), 1);
	assert_int_equal(byte, 0);
	close(fd);
}

static void items_without_a_root_go_by_their_path(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;

	file_make("lonely", 9);
	processor = copy_new("single", 1);
	/* The type is found out when it is not known. */
	files_run_one(processor, &options, DT_UNKNOWN, "lonely", NULL);
	iobatch_processor_free(processor);
	assert_file("single/lonely", 9);
}

static void the_longest_name_is_copied(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	char name[NAME_MAX + 1], path[PATH_MAX];

	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	file_make(name, 3);
	processor = copy_new("long", 1);
	files_run_one(processor, &options, DT_REG, name, NULL);
	iobatch_processor_free(processor);
	snprintf(path, sizeof(path), "long/%s", name);
	assert_file(path, 3);
}

static void a_file_is_not_copied_onto_itself(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;

	file_make("self", 100);
	processor = copy_new(".", 1);
	files_run_one(processor, &options, DT_REG, "self", "ESAMEFILE");
	iobatch_processor_free(processor);
	assert_file("self", 100);
	/* Nor onto another name of it. */
	assert_int_equal(mkdir("linked", 0755), 0);
	assert_int_equal(link("self", "linked/self"), 0);
	processor = copy_new("linked", 1);
	files_run_one(processor, &options, DT_REG, "self", "ESAMEFILE");
	iobatch_processor_free(processor);
	assert_int_equal(hidden_count("linked"), 0);
}

static void what_is_in_the_way_stays(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	struct stat status;

	assert_int_equal(mkdir("occupied", 0755), 0);
	assert_int_equal(mkdir("occupied/thing", 0755), 0);
	file_make("occupied/directory", 5);
	assert_int_equal(symlink("thing", "occupied/other"), 0);
	file_make("thing", 1);
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_int_equal(mkdir("other", 0755), 0);
	processor = copy_new("occupied", 1);
	files_run_one(processor, &options, DT_REG, "thing", "EISDIR");
	files_run_one(processor, &options, DT_DIR, "directory", "ENOTDIR");
	files_run_one(processor, &options, DT_DIR, "other", "ENOTDIR");
	iobatch_processor_free(processor);
	assert_int_equal(stat("occupied/thing", &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_file("occupied/directory", 5);
	assert_int_equal(hidden_count("occupied"), 0);
}

static void names_that_lead_out_are_refused(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;

	assert_int_equal(mkdir("inside", 0755), 0);
	file_make("victim", 4);
	processor = copy_new("inside", 1);
	files_run_one(processor, &options, DT_REG, "inside/../victim", "EOUTSIDE");
	files_run_one(processor, &options, DT_UNKNOWN, "..", "EOUTSIDE");
	files_run_one(processor, &options, DT_REG, "missing", "ENOENT");
	iobatch_processor_free(processor);
	assert_int_equal(hidden_count("inside"), 0);
}

static void change_after_create(unsigned call)
{
	/* 0: look, 1: create and first block, 2: lanes. */
	if (call == 2)
		file_make("changing", 5 * BLOCK + 1);
}

static void shrink_after_create(unsigned call)
{
	if (call == 2)
		assert_int_equal(truncate("shrinking", 2 * BLOCK), 0);
}

static void a_source_that_changes_meanwhile_fails_and_leaves_nothing(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor;
	struct fronted fronted;

	assert_int_equal(mkdir("busy", 0755), 0);
	file_make("changing", 5 * BLOCK);
	file_make("shrinking", 5 * BLOCK);
	processor = copy_new("busy", 2);
	fronted_init(&fronted, processor, change_after_create);
	files_run_one(&fronted.processor, &options, DT_REG, "changing", "ECHANGED");
	fronted_init(&fronted, processor, shrink_after_create);
	files_run_one(&fronted.processor, &options, DT_REG, "shrinking", "ESHRUNK");
	iobatch_processor_free(processor);
	assert_int_equal(access("busy/changing", F_OK), -1);
	assert_int_equal(access("busy/shrinking", F_OK), -1);
	assert_int_equal(hidden_count("busy"), 0);
}

static void short_reads_and_writes_copy_every_byte(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct iobatch_options options = files_options(state);
		struct iobatch_simulation simulation = {.seed = seed,
		                                        .latency_max_ns = 1000000,
		                                        .file_size = seed * 999,
		                                        .short_permille = 500,
		                                        .error_permille = seed % 2 ? 20 : 0};
		struct iobatch_result result = IOBATCH_RESULT_INIT;
		struct iobatch_processor *processor = copy_new("simulated", 1 + seed % 5);

		options.simulation = &simulation;
		options.memory_limit = 4 * BLOCK;
		options.retries = 1000;
		files_run(processor, &options, DT_REG, (const char *const[]){"a", "b", NULL},
		          &result);
		assert_int_equal(result.successful, 2);
		assert_int_equal(result.bytes, 2 * simulation.file_size);
		iobatch_result_deinit(&result);
		iobatch_processor_free(processor);
	}
}

/* A directory that is missing, and which somebody else makes before it can be made. */
static void outrun(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	bool *made = context;

	if (op->opcode == IOBATCH_OP_STATX || op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_mode = S_IFDIR | 0755;
	if (op->opcode == IOBATCH_OP_OPENAT && strcmp(op->path, "child") == 0 && !*made)
		answer->result = -ENOENT;
	if (op->opcode == IOBATCH_OP_MKDIRAT && strcmp(op->path, "child") == 0) {
		*made = true;
		answer->result = -EEXIST;
	}
}

static void a_directory_that_another_item_makes_meanwhile_is_taken(void **state)
{
	bool made = false;
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {.script = outrun, .context = &made};
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = copy_new("outrun", 1);

	options.simulation = &simulation;
	files_run(processor, &options, DT_DIR, (const char *const[]){"parent/child", NULL},
	          &result);
	assert_true(made);
	assert_int_equal(result.successful, 1);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

/* What the ops of the simulated files have done to names. */
struct names_seen {
	unsigned created;
	unsigned removed;
	unsigned renamed;
};

static void full_disk(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct names_seen *seen = context;

	if (op->opcode == IOBATCH_OP_WRITE)
		answer->result = -ENOSPC;
	/* No holes, and nothing that a whole file shares. */
	if (op->opcode == IOBATCH_OP_FSTATX)
		((struct statx *)op->buffer)->stx_blocks = 3 * BLOCK / 512;
	if (op->opcode == IOBATCH_OP_FICLONE)
		answer->result = -EOPNOTSUPP;
	seen->created += op->opcode == IOBATCH_OP_OPENAT && op->op_flags & O_CREAT;
	seen->removed += op->opcode == IOBATCH_OP_UNLINKAT;
	seen->renamed += op->opcode == IOBATCH_OP_RENAMEAT;
}

static void a_full_disk_removes_the_temporary_file_of_every_attempt(void **state)
{
	struct names_seen seen = {0};
	struct iobatch_options options = files_options(state);
	struct iobatch_simulation simulation = {
		.file_size = 3 * BLOCK, .script = full_disk, .context = &seen};
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = copy_new("full", 2);
	static const int full[] = {ENOSPC, 0};

	options.simulation = &simulation;
	options.retries = 2;
	options.retry_errnos = full;
	files_run(processor, &options, DT_REG, (const char *const[]){"a", NULL}, &result);
	assert_int_equal(result.failed_items[0].error, -ENOSPC);
	assert_int_equal(result.failed_items[0].opcode, IOBATCH_OP_WRITE);
	assert_int_equal(seen.created, 3);
	assert_int_equal(seen.removed, 3);
	assert_int_equal(seen.renamed, 0);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void destinations_that_cannot_be_are_refused(void **state)
{
	struct iobatch_copy_options options = IOBATCH_COPY_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	file_make("plain", 1);
	assert_int_equal(iobatch_copy_new(NULL, &processor), -EINVAL);
	assert_int_equal(iobatch_copy_new(&options, &processor), -EINVAL);
	options.destination = "";
	assert_int_equal(iobatch_copy_new(&options, &processor), -EINVAL);
	options.destination = "no/such";
	assert_int_equal(iobatch_copy_new(&options, &processor), -ENOENT);
	options.destination = "plain/below";
	assert_int_equal(iobatch_copy_new(&options, &processor), -ENOTDIR);
	options.destination = "fine";
	options.depth = 0;
	assert_int_equal(iobatch_copy_new(&options, &processor), -EINVAL);
	assert_null(processor);
	assert_int_equal(access("fine", F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(a_tree_arrives_whole_and_again_over_itself),
		FILES_ON_REAL(missing_parents_are_made),
		FILES_ON_REAL(holes_stay_holes),
		FILES_ON_REAL(items_without_a_root_go_by_their_path),
		FILES_ON_REAL(the_longest_name_is_copied),
		FILES_ON_REAL(a_file_is_not_copied_onto_itself),
		FILES_ON_REAL(what_is_in_the_way_stays),
		FILES_ON_REAL(names_that_lead_out_are_refused),
		FILES_ON_REAL(a_source_that_changes_meanwhile_fails_and_leaves_nothing),
		FILES_ON_SIMULATED(short_reads_and_writes_copy_every_byte),
		FILES_ON_SIMULATED(a_directory_that_another_item_makes_meanwhile_is_taken),
		FILES_ON_SIMULATED(a_full_disk_removes_the_temporary_file_of_every_attempt),
		FILES_TEST(destinations_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

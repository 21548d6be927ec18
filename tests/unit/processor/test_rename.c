/* SPDX-License-Identifier: MIT */
/*
 * The rename processor: what new names are made of, that none replaces anything, and the ways
 * around file systems that cannot promise that.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct iobatch_processor *rename_new(const char *match, const char *to, uint32_t existing)
{
	struct iobatch_rename_options options = IOBATCH_RENAME_OPTIONS_INIT;
	struct iobatch_processor *processor;

	options.match = match;
	options.to = to;
	options.existing = existing;
	assert_int_equal(iobatch_rename_new(&options, &processor), 0);
	return processor;
}

static const char *renamed_at(void **state, const char *match, const char *to, uint32_t existing,
                              int dirfd, const char *name)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = rename_new(match, to, existing);
	struct iobatch_file *object = held_object(dirfd, "", name, DT_UNKNOWN);
	const char *result = held_run(processor, &options, object);

	free(object);
	iobatch_processor_free(processor);
	return result;
}

static const char *renamed(void **state, const char *match, const char *to, const char *name)
{
	return renamed_at(state, match, to, IOBATCH_EXISTING_FAIL, AT_FDCWD, name);
}

static bool is_there(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

static void names_are_made_of_groups_and_placeholders(void **state)
{
	static const struct {
		const char *match, *to, *from, *expected;
	} cases[] = {
		{NULL, "{name}.bak", "file", "file.bak"},
		{NULL, "{stem}.txt", "a.b.md", "a.b.txt"},
		{NULL, "n{index}", "x", "n0"},
		{"^(.*)\\.jpeg$", "{1}.jpg", "a b.jpeg", "a b.jpg"},
		{"([0-9]+)-([a-z]+)", "{2}_{1}", "12-abc", "abc_12"},
		{"^(a)|(b)$", "[{1}{2}]", "xb", "[b]"},
		{"(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)", "{9}{1}", "1234567890", "91"},
		{"\xff(.)", "{1}", "\xffz", "z"},
		{"-", "{{{name}}}", "-rf", "{-rf}"},
		{"\n", "line", "new\nline", "line"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char from[64], expected[64];

		/* Anywhere, and in a directory. */
		file_make(cases[i].from, i + 1);
		assert_string_equal(renamed(state, cases[i].match, cases[i].to, cases[i].from), "");
		assert_file(cases[i].expected, i + 1);
		assert_false(is_there(cases[i].from));
		assert_int_equal(unlink(cases[i].expected), 0);
		mkdir("d", 0755);
		snprintf(from, sizeof(from), "d//%s", cases[i].from);
		snprintf(expected, sizeof(expected), "d/%s", cases[i].expected);
		file_make(from, i + 1);
		assert_string_equal(renamed(state, cases[i].match, cases[i].to, from), "");
		assert_file(expected, i + 1);
		assert_int_equal(unlink(expected), 0);
	}
}

static void a_held_directory_is_where_the_name_changes(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = rename_new("^f(.*)", "g{1}", IOBATCH_EXISTING_FAIL);
	struct iobatch_file *object;
	int dirfd;

	assert_int_equal(mkdir("d", 0755), 0);
	file_make("d/file", 3);
	dirfd = open("d", O_PATH | O_DIRECTORY);
	object = held_object(dirfd, "elsewhere/", "file", DT_REG);
	assert_string_equal(held_run(processor, &options, object), "");
	assert_file("d/gile", 3);
	close(dirfd);
	free(object);
	iobatch_processor_free(processor);
}

static void directories_and_links_are_renamed_themselves(void **state)
{
	assert_int_equal(mkdir("directory", 0755), 0);
	file_make("directory/file", 1);
	assert_int_equal(symlink("directory", "link"), 0);
	assert_string_equal(renamed(state, NULL, "{name}2", "directory"), "");
	assert_string_equal(renamed(state, NULL, "{name}2", "link"), "");
	assert_string_equal(renamed(state, NULL, "{name}3", "directory2//"), "");
	assert_true(is_there("directory23/file"));
	assert_true(is_there("link2"));
}

static void what_is_there_stays(void **state)
{
	file_make("a", 1);
	file_make("b", 2);
	assert_string_equal(renamed(state, NULL, "b", "a"), "EEXIST");
	assert_string_equal(renamed_at(state, NULL, "b", IOBATCH_EXISTING_SKIP, AT_FDCWD, "a"),
	                    "EEXISTING");
	assert_file("a", 1);
	assert_file("b", 2);
	assert_string_equal(renamed_at(state, NULL, "b", IOBATCH_EXISTING_REPLACE, AT_FDCWD, "a"),
	                    "");
	assert_false(is_there("a"));
	assert_file("b", 1);
}

static void the_second_of_two_with_one_new_name_fails(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_processor *processor = rename_new(NULL, "same", IOBATCH_EXISTING_FAIL);
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	const char *const names[] = {"a", "b", NULL};

	file_make("a", 1);
	file_make("b", 2);
	files_run(processor, &options, DT_REG, names, &result);
	assert_int_equal(result.successful, 1);
	assert_int_equal(result.failed, 1);
	assert_string_equal(result.failed_items[0].error_name, "EEXIST");
	assert_int_equal(is_there("a") + is_there("b"), 1);
	assert_file("same", is_there("b") ? 1 : 2);
	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
}

static void what_does_not_match_or_stays_is_skipped(void **state)
{
	file_make("file.txt", 1);
	assert_string_equal(renamed(state, "^x", "y", "file.txt"), "ENOMATCH");
	assert_string_equal(renamed(state, "txt$", "file.txt", "file.txt"), "ESAMENAME");
	assert_string_equal(renamed(state, NULL, "{name}", "./file.txt"), "ESAMENAME");
	assert_file("file.txt", 1);
}

static void what_is_no_name_is_refused(void **state)
{
	static const struct {
		const char *match, *to, *from;
	} cases[] = {
		{"(x)?", "{1}", "file"},    {NULL, "", "file"},    {NULL, ".", "file"},
		{NULL, "..", "file"},       {NULL, "a/b", "file"}, {NULL, "../x", "file"},
		{NULL, "{path}", "./file"}, {NULL, "x", "."},      {NULL, "x", ".."},
		{NULL, "x", "/"},           {NULL, "x", "d/.."},   {NULL, "x", ""},
	};

	file_make("file", 1);
	assert_int_equal(mkdir("d", 0755), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(renamed(state, cases[i].match, cases[i].to, cases[i].from),
		                    "EREFUSED");
	assert_true(is_there("file") && is_there("d"));
}

static void a_new_name_that_is_too_long_fails(void **state)
{
	char to[NAME_MAX + 2];

	memset(to, 'n', sizeof(to));
	to[NAME_MAX + 1] = '\0';
	file_make("file", 1);
	assert_string_equal(renamed(state, NULL, to, "file"), "ENAMETOOLONG");
	to[NAME_MAX] = '\0';
	assert_string_equal(renamed(state, NULL, to, "file"), "");
	assert_file(to, 1);
}

/* ------------------------------------------------------- the simulator -- */

/* What the ops answer, by their number, and what they were. */
static struct {
	int answers[8];
	struct iobatch_op ops[8];
	unsigned count;
} played;

static void play(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	(void)context;
	assert_true(played.count < 8);
	answer->result = played.answers[played.count];
	played.ops[played.count++] = *op;
}

static const char *played_run(unsigned char type, uint32_t existing, const int answers[4])
{
	struct iobatch_simulation simulation = {.script = play};
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_processor *processor = rename_new(NULL, "new", existing);
	struct iobatch_file *object = held_object(AT_FDCWD, "", "old", type);
	const char *result;

	memset(&played, 0, sizeof(played));
	memcpy(played.answers, answers, 4 * sizeof(*answers));
	options.executor = IOBATCH_EXECUTOR_SIMULATED;
	options.simulation = &simulation;
	result = held_run(processor, &options, object);
	free(object);
	iobatch_processor_free(processor);
	return result;
}

static void assert_ops(const unsigned *opcodes, unsigned count)
{
	assert_int_equal(played.count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(played.ops[i].opcode, opcodes[i]);
}

#define OPS(...) \
	(const unsigned[]){__VA_ARGS__}, sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned)
#define ANSWERS(...) ((const int[4]){__VA_ARGS__})

static void without_a_rename_that_refuses_a_link_takes_the_name(void **state)
{
	const uint32_t fail = IOBATCH_EXISTING_FAIL;

	(void)state;
	assert_string_equal(played_run(DT_REG, fail, ANSWERS(-EINVAL, 0, 0)), "");
	assert_ops(OPS(IOBATCH_OP_RENAMEAT, IOBATCH_OP_LINKAT, IOBATCH_OP_UNLINKAT));
	assert_int_equal(played.ops[0].op_flags, RENAME_NOREPLACE);
	/* The type is looked at when it is not known. */
	assert_string_equal(played_run(DT_UNKNOWN, fail, ANSWERS(-EINVAL, 0, 0, 0)), "");
	assert_ops(
		OPS(IOBATCH_OP_RENAMEAT, IOBATCH_OP_STATX, IOBATCH_OP_LINKAT, IOBATCH_OP_UNLINKAT));
	/* The name is taken. */
	assert_string_equal(played_run(DT_REG, fail, ANSWERS(-EINVAL, -EEXIST)), "EEXIST");
	assert_int_equal(played.count, 2);
	assert_string_equal(played_run(DT_REG, IOBATCH_EXISTING_SKIP, ANSWERS(-EINVAL, -EEXIST)),
	                    "EEXISTING");
	/* No hard links either. */
	assert_string_equal(played_run(DT_REG, fail, ANSWERS(-EINVAL, -EPERM)), "EUNSUPPORTED");
	assert_string_equal(played_run(DT_REG, fail, ANSWERS(-EINVAL, -EOPNOTSUPP)),
	                    "EUNSUPPORTED");
	assert_string_equal(played_run(DT_REG, fail, ANSWERS(-EINVAL, -EMLINK)), "EMLINK");
	/* To replace is no promise: EINVAL is what it is. */
	assert_string_equal(played_run(DT_REG, IOBATCH_EXISTING_REPLACE, ANSWERS(-EINVAL)),
	                    "EINVAL");
	assert_int_equal(played.ops[0].op_flags, 0);
}

static void an_old_name_that_stays_gives_the_new_one_back(void **state)
{
	(void)state;
	for (int answer = 0; answer >= -EIO; answer -= EIO) {
		assert_string_equal(played_run(DT_REG, IOBATCH_EXISTING_FAIL,
		                               ANSWERS(-EINVAL, 0, -EACCES, answer)),
		                    "EACCES");
		assert_ops(OPS(IOBATCH_OP_RENAMEAT, IOBATCH_OP_LINKAT, IOBATCH_OP_UNLINKAT,
		               IOBATCH_OP_UNLINKAT));
	}
}

static void without_a_rename_that_refuses_a_directory_takes_the_name(void **state)
{
	const uint32_t fail = IOBATCH_EXISTING_FAIL;

	(void)state;
	assert_string_equal(played_run(DT_DIR, fail, ANSWERS(-EINVAL, 0, 0)), "");
	assert_ops(OPS(IOBATCH_OP_RENAMEAT, IOBATCH_OP_MKDIRAT, IOBATCH_OP_RENAMEAT));
	assert_int_equal(played.ops[2].op_flags, 0);
	assert_string_equal(played_run(DT_DIR, fail, ANSWERS(-EINVAL, -EEXIST)), "EEXIST");
	assert_int_equal(played.count, 2);
	/* Somebody has put something into it. */
	assert_string_equal(played_run(DT_DIR, fail, ANSWERS(-EINVAL, 0, -ENOTEMPTY, -ENOTEMPTY)),
	                    "ENOTEMPTY");
	assert_ops(OPS(IOBATCH_OP_RENAMEAT, IOBATCH_OP_MKDIRAT, IOBATCH_OP_RENAMEAT,
	               IOBATCH_OP_UNLINKAT));
	assert_int_equal(played.ops[3].op_flags, AT_REMOVEDIR);
}

static void first_is_unknown(void *context, const struct iobatch_op *op,
                             struct iobatch_answer *answer)
{
	(void)context;
	if (op->opcode == IOBATCH_OP_RENAMEAT && op->op_flags)
		answer->result = -EINVAL;
}

static void each_op_that_fails_fails_the_item(void **state)
{
	struct iobatch_processor *processor = rename_new(NULL, "new", IOBATCH_EXISTING_FAIL);
	static const struct {
		unsigned char type;
		bool around;
		unsigned ops;
	} cases[] = {
		{DT_REG, false, 1}, {DT_REG, true, 3}, {DT_DIR, true, 3}, {DT_UNKNOWN, true, 4}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iobatch_file *object = held_object(AT_FDCWD, "", "old", cases[i].type);

		assert_int_equal(
			held_sweep(processor, object, cases[i].around ? first_is_unknown : NULL),
			cases[i].ops);
		free(object);
	}
	iobatch_processor_free(processor);
}

static void options_that_mean_nothing_are_refused(void **state)
{
	static const struct {
		const char *match, *to;
		uint32_t existing;
	} cases[] = {
		{NULL, NULL, 0},   {NULL, "{x}", 0},   {NULL, "{1}", 0}, {"a", "{1}", 0},
		{"(a)", "{2}", 0}, {"(a", "x", 0},     {"[", "x", 0},    {NULL, "x", 3},
		{"(a)", "{0}", 0}, {"(a)", "{10}", 0},
	};
	struct iobatch_rename_options options = IOBATCH_RENAME_OPTIONS_INIT;
	struct iobatch_processor *processor = NULL;

	(void)state;
	assert_int_equal(iobatch_rename_new(NULL, &processor), -EINVAL);
	options.to = "x";
	assert_int_equal(iobatch_rename_new(&options, NULL), -EINVAL);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		options.match = cases[i].match;
		options.to = cases[i].to;
		options.existing = cases[i].existing;
		assert_int_equal(iobatch_rename_new(&options, &processor), -EINVAL);
		assert_null(processor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(names_are_made_of_groups_and_placeholders),
		FILES_ON_REAL(a_held_directory_is_where_the_name_changes),
		FILES_ON_REAL(directories_and_links_are_renamed_themselves),
		FILES_ON_REAL(what_is_there_stays),
		FILES_ON_REAL(the_second_of_two_with_one_new_name_fails),
		FILES_ON_REAL(what_does_not_match_or_stays_is_skipped),
		FILES_ON_REAL(what_is_no_name_is_refused),
		FILES_ON_REAL(a_new_name_that_is_too_long_fails),
		cmocka_unit_test(without_a_rename_that_refuses_a_link_takes_the_name),
		cmocka_unit_test(an_old_name_that_stays_gives_the_new_one_back),
		cmocka_unit_test(without_a_rename_that_refuses_a_directory_takes_the_name),
		cmocka_unit_test(each_op_that_fails_fails_the_item),
		cmocka_unit_test(options_that_mean_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

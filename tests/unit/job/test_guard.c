/* SPDX-License-Identifier: MIT */
/* What a removal must not be of, and what it may be of; and where copies would overlap. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "job/guard.h"
#include "job/job.h"
#include "job/overlap.h"
#include "job/report.h"
#include "job/tree.h"

static char directory[] = "/tmp/iobatch-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory) || mkdir("a", 0777) || mkdir("a/b", 0777) ||
	       mkdir("...", 0777) || mkdir("there", 0777) || symlink("/", "top") ||
	       symlink("a", "link");
}

static int leave(void **state)
{
	(void)state;
	return chdir(directory) || unlink("top") || unlink("link") || rmdir("there") ||
	       rmdir("...") || rmdir("a/b") || rmdir("a") || chdir("/") || rmdir(directory);
}

static struct job *load(const char *processor, const char *key, const char *value, const char *root,
                        const char *min_depth)
{
	struct tree_node *tree = tree_new();
	struct job *job = NULL;
	char *error = NULL, path[64];

	snprintf(path, sizeof(path), "processor.%s", processor);
	assert_int_equal(tree_put(tree, "items.walk.root", "", root), 0);
	assert_int_equal(tree_put_mapping(tree, path, ""), 0);
	if (key) {
		snprintf(path, sizeof(path), "processor.%s.%s", processor, key);
		assert_int_equal(tree_put(tree, path, "", value), 0);
	}
	if (min_depth)
		assert_int_equal(tree_put(tree, "items.walk.min_depth", "", min_depth), 0);
	if (job_load_tree(tree, NULL, &job, &error))
		fail_msg("%s", error);
	return job;
}

/* Is the removal of the root refused, with these words in the message? NULL: it is not. */
static void check(const char *root, const char *min_depth, const char *words)
{
	struct job *job = load("remove", NULL, NULL, root, min_depth);
	struct report report = {.file = job->file, .root = job->tree};
	int err = guard_check(&report, job);

	if (err != (words ? -EINVAL : 0))
		fail_msg("%s: %d, %s", root, err, report.message);
	if (words && !strstr(report.message, words))
		fail_msg("%s: %s", root, report.message);
	free(report.message);
	job_free(job);
}

static void the_root_of_the_file_system_is_never_removed(void **state)
{
	static const char words[] = "is the root of the file system";

	(void)state;
	for (const char *const *min_depth = (const char *const[]){"0", "1", NULL}; *min_depth;
	     min_depth++) {
		check("/", *min_depth, words);
		check("///", *min_depth, words);
		check("/.", *min_depth, words);
		check("/proc/..", *min_depth, words);
		check("top/", *min_depth, words);
	}
	/* The link itself is another matter. */
	check("top", NULL, NULL);
}

static void names_that_are_no_names_are_refused(void **state)
{
	static const char *const names[] = {".",    "..",     "./",   "..//",  "a/.",
	                                    "a/./", "a/b/..", "a/..", "././.", NULL};

	(void)state;
	for (const char *const *name = names; *name; name++) {
		check(*name, NULL, "is not removed by that name");
		check(*name, "1", NULL);
	}
	check("...", NULL, NULL);
	check("a/b", NULL, NULL);
	check("link", NULL, NULL);
	check("gone", NULL, NULL);
}

static void mount_roots_and_the_ground_are_refused(void **state)
{
	(void)state;
	check("/proc", NULL, "is the root of a mounted file system");
	check("/proc", "1", NULL);
	check(directory, NULL, "is the current directory or holds it");
	check("/tmp", NULL, "is ");
	assert_int_equal(chdir("a/b"), 0);
	check("../../a", NULL, "is the current directory or holds it");
	check("../../link/", NULL, "is the current directory or holds it");
	check("../../link", NULL, NULL);
	check("../../there", NULL, NULL);
	assert_int_equal(chdir("../.."), 0);
}

/* How a copy of `root` to `destination` overlaps; NULL: it does not. */
static void check_copy(const char *root, const char *root_name, const char *destination,
                       const char *words)
{
	struct job *job = load("copy", "destination", destination, root, NULL);
	struct report report = {.file = job->file, .root = job->tree};
	int err;

	job->walk.root_name =
		!strcmp(root_name, "keep") ? IOBATCH_ROOT_NAME_KEEP : IOBATCH_ROOT_NAME_DROP;
	err = overlap_check(&report, job);
	if (err != (words ? -EINVAL : 0))
		fail_msg("%s to %s: %d, %s", root, destination, err, report.message);
	if (words && !strstr(report.message, words))
		fail_msg("%s to %s: %s", root, destination, report.message);
	free(report.message);
	job_free(job);
}

static void copies_are_kept_apart_from_what_they_copy(void **state)
{
	(void)state;
	check_copy("a", "drop", "a", "is a itself");
	check_copy("a", "drop", "a/new", "lies in a");
	check_copy("a", "keep", "a/b", "lies in a");
	check_copy("a", "drop", ".", ". holds a");
	check_copy("a", "keep", ".", "put in its own place");
	check_copy("a/b", "keep", ".", NULL);
	check_copy("a/b", "keep", "a", "put in its own place");
	check_copy("a/b", "drop", "a", "a holds a/b");
	check_copy("a", "keep", "there", NULL);
	check_copy("a", "drop", "there", NULL);
	check_copy("a", "drop", "new", NULL);
	check_copy("a/", "keep", ".", ". holds a/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_of_the_file_system_is_never_removed),
		cmocka_unit_test(names_that_are_no_names_are_refused),
		cmocka_unit_test(mount_roots_and_the_ground_are_refused),
		cmocka_unit_test(copies_are_kept_apart_from_what_they_copy),
	};

	return cmocka_run_group_tests_name("job/guard", tests, enter, leave);
}

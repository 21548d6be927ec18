/* SPDX-License-Identifier: MIT */
/* What is left to do: by what the journal says, and by what is really there. */
#include "book.h"

#include "journal/summary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct book book;
static struct resume *resume;

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	resume = NULL;
	book_open(&book, JOURNAL_NEW, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	book_teardown(&book);
	resume_free(resume);
	return 0;
}

/* An item has ended that took so long. */
static void ended(const char *name, int error, uint64_t duration_s)
{
	struct iobatch_file *file = book_file(book_path(&book, name));
	struct iobatch_outcome outcome = {
		.object = file,
		.error = error,
		.error_name = error ? "EANY" : NULL,
		.opcode = -1,
		.attempts = error == -ECANCELED ? 0 : 1,
		.stuck = error == -ETIME,
		.duration_ns = duration_s * 1000000000,
	};

	book_add(&book, &outcome);
	free(file);
}

static void about_to_unlink(const char *name)
{
	struct iobatch_op op = iobatch_op_unlinkat(AT_FDCWD, book_path(&book, name), 0);

	book_intent(&book, book_path(&book, name), &op);
}

static void about_to_rename(const char *name, const char *target)
{
	struct iobatch_op op = iobatch_op_renameat(AT_FDCWD, book_path(&book, name), AT_FDCWD,
	                                           book_path(&book, target), RENAME_NOREPLACE);

	book_intent(&book, book_path(&book, name), &op);
}

static void again(enum resume_what what, enum resume_judge judge)
{
	book_crash(&book);
	resume_free(resume);
	assert_int_equal(resume_new(what, judge, &resume), 0);
	book_open(&book, JOURNAL_RESUME, resume);
}

static bool keeps(const char *name)
{
	struct iobatch_file *file = book_file(book_path(&book, name));
	bool kept = resume_keep(resume, file);

	free(file);
	return kept;
}

static struct resume_counts counts(void)
{
	struct resume_counts counts_;

	resume_counts(resume, &counts_);
	return counts_;
}

static void what_is_done_is_left_out_and_nothing_else(void **state)
{
	(void)state;
	book_make(&book, "done");
	book_make(&book, "failed");
	book_make(&book, "stuck");
	book_make(&book, "cancelled");
	book_make(&book, "unknown");
	ended("done", 0, 0);
	ended("failed", -EIO, 0);
	ended("stuck", -ETIME, 0);
	ended("cancelled", -ECANCELED, 0);
	ended("gone", 0, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(keeps("done"));
	assert_true(keeps("failed"));
	assert_true(keeps("stuck"));
	assert_true(keeps("cancelled"));
	assert_true(keeps("unknown"));
	assert_false(keeps("gone"));
	assert_int_equal(counts().done, 2);
	assert_int_equal(counts().failed, 2);
	assert_int_equal(counts().changed, 0);
}

static void failures_are_all_that_is_kept_when_only_they_are_wanted(void **state)
{
	(void)state;
	ended("done", 0, 0);
	ended("failed", -EIO, 0);
	ended("stuck", -ETIME, 0);
	ended("cancelled", -ECANCELED, 0);
	again(RESUME_FAILED, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(keeps("done"));
	assert_true(keeps("failed"));
	assert_true(keeps("stuck"));
	assert_false(keeps("cancelled"));
	assert_false(keeps("unknown"));
	assert_int_equal(counts().others, 2);
}

static void an_item_that_was_cancelled_is_what_it_was_before(void **state)
{
	uint64_t done, failed, open;

	(void)state;
	book_make(&book, "done");
	book_make(&book, "open");
	ended("failed", -EIO, 0);
	ended("tried again", -EIO, 0);
	ended("done", 0, 0);
	about_to_unlink("open");
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	ended("failed", -ECANCELED, 0);
	ended("done", -ECANCELED, 0);
	ended("open", -ECANCELED, 0);
	ended("new", -ECANCELED, 0);
	/* After some attempts. */
	book_outcome(&book, book_path(&book, "tried again"), -ECANCELED);
	again(RESUME_FAILED, RESUME_CHANGED_SINCE_BEGUN);
	resume_known(resume, &done, &failed, &open);
	assert_int_equal(done, 1);
	assert_int_equal(failed, 2);
	assert_int_equal(open, 1);
	assert_true(keeps("failed"));
	assert_true(keeps("tried again"));
	assert_true(keeps("open"));
	assert_false(keeps("done"));
	assert_false(keeps("new"));
}

static void the_latest_outcome_holds(void **state)
{
	uint64_t done, failed, open;

	(void)state;
	book_make(&book, "first failed");
	book_make(&book, "first done");
	ended("first failed", -EIO, 0);
	ended("first failed", 0, 0);
	ended("first done", 0, 0);
	ended("first done", -EIO, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(keeps("first failed"));
	assert_true(keeps("first done"));
	resume_known(resume, &done, &failed, &open);
	assert_int_equal(done, 1);
	assert_int_equal(failed, 1);
	assert_int_equal(open, 0);
}

static void what_was_changed_since_it_was_begun_is_done_again(void **state)
{
	(void)state;
	book_make(&book, "changed");
	book_make(&book, "same");
	ended("changed", 0, 3600);
	ended("same", 0, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_true(keeps("changed"));
	assert_false(keeps("same"));
	assert_int_equal(counts().changed, 1);
}

/* The contents of a link that is given by name are what it points to. */
static void what_a_link_points_to_is_looked_at_where_links_are_followed(void **state)
{
	(void)state;
	book_make(&book, "target");
	assert_int_equal(symlink("target", book_path(&book, "link")), 0);
	book_make(&book, "other");
	ended("link", 0, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(keeps("link"));
	assert_int_equal(truncate(book_path(&book, "target"), 5), 0);
	assert_true(keeps("link"));
}

static void a_file_with_several_names_is_done_again_when_they_are_to_be_of_one_file(void **state)
{
	(void)state;
	book_make(&book, "first");
	assert_int_equal(link(book_path(&book, "first"), book_path(&book, "second")), 0);
	book_make(&book, "alone");
	ended("first", 0, 0);
	ended("alone", 0, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(keeps("first"));
	resume_do_linked(resume);
	assert_true(keeps("first"));
	assert_false(keeps("alone"));
	assert_int_equal(counts().changed, 0);
}

static void what_a_job_changes_itself_is_not_for_that_done_again(void **state)
{
	(void)state;
	book_make(&book, "own");
	ended("own", 0, 3600);
	again(RESUME_REST, RESUME_CHANGED_SINCE_DONE);
	assert_false(keeps("own"));
	assert_int_equal(chmod(book_path(&book, "own"), 0640), 0);
	assert_true(keeps("own"));
	again(RESUME_REST, RESUME_NEVER);
	assert_false(keeps("own"));
}

static void what_was_removed_and_is_there_is_removed_again(void **state)
{
	(void)state;
	book_make(&book, "there");
	ended("there", 0, 0);
	ended("gone", 0, 0);
	again(RESUME_REST, RESUME_IS_THERE);
	assert_true(keeps("there"));
	assert_false(keeps("gone"));
	assert_int_equal(counts().changed, 1);
	assert_int_equal(counts().done, 1);
}

static void ranges_and_what_stands_behind_a_name_are_other_items(void **state)
{
	struct iobatch_file *file = book_file(book_path(&book, "a"));
	struct iobatch_outcome outcome = {.object = file, .opcode = -1};

	(void)state;
	book_make(&book, "a");
	file->offset = 4096;
	file->length = 4096;
	file->extra_length = 3;
	memcpy(file->path + file->path_length + 1, "abc", 3);
	book_add(&book, &outcome);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_false(resume_keep(resume, file));
	file->path[file->path_length + 3] = 'x';
	assert_true(resume_keep(resume, file));
	file->path[file->path_length + 3] = 'c';
	assert_false(resume_keep(resume, file));
	file->offset = 8192;
	assert_true(resume_keep(resume, file));
	file->offset = 4096;
	file->length = 8192;
	assert_true(resume_keep(resume, file));
	file->length = 4096;
	file->extra_length = 0;
	assert_true(resume_keep(resume, file));
	free(file);
}

/* How many items are open and done by what the journal says now. */
static void journal_says(uint64_t done, uint64_t open)
{
	struct journal_summary *summary;
	char *error;

	assert_int_equal(journal_summary_new(book.path, &summary, &error), 0);
	assert_int_equal(summary->items[RECORD_DONE], done);
	assert_int_equal(summary->open, open);
	journal_summary_free(summary);
}

static void an_item_that_was_about_to_go_and_is_gone_is_done(void **state)
{
	const struct record *record;
	const void *at = NULL;

	(void)state;
	book_make(&book, "there");
	about_to_unlink("there");
	about_to_unlink("gone");
	about_to_unlink("never given again");
	again(RESUME_REST, RESUME_IS_THERE);
	journal_says(0, 3);
	record = resume_open_next(resume, &at);
	assert_string_equal(record->op, "unlinkat");
	assert_true(keeps("there"));
	assert_false(keeps("gone"));
	assert_int_equal(counts().resolved, 1);
	ended("there", 0, 0);
	book_end(&book);
	journal_says(3, 0);
}

static void what_an_op_on_another_name_has_left_open_is_done_again(void **state)
{
	struct iobatch_op op =
		iobatch_op_renameat(AT_FDCWD, "temporary", AT_FDCWD, "final/name", 0);

	(void)state;
	book_intent(&book, book_path(&book, "source"), &op);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	/* Though it is gone: that is for the item to say. */
	assert_true(keeps("source"));
	book_end(&book);
	journal_says(0, 1);
}

static void a_name_that_an_item_was_given_is_not_renamed_again(void **state)
{
	(void)state;
	book_make(&book, "new");
	about_to_rename("old", "new");
	ended("old", 0, 0);
	again(RESUME_REST, RESUME_IS_THERE);
	assert_false(keeps("new"));
	assert_false(keeps("old"));
	/* But what has come to its old name is. */
	book_make(&book, "old");
	assert_true(keeps("old"));
}

/* Its target is not beside it, whatever that is called. */
static void a_move_to_another_directory_leaves_names_here_alone(void **state)
{
	const struct record *record;
	struct iobatch_op op =
		iobatch_op_renameat(AT_FDCWD, book_path(&book, "a"), 5, book_path(&book, "b"), 0);
	const void *at = NULL;

	(void)state;
	book_make(&book, "b");
	book_intent(&book, book_path(&book, "a"), &op);
	again(RESUME_REST, RESUME_IS_THERE);
	record = resume_open_next(resume, &at);
	assert_true(record->own);
	assert_int_equal(record->place, RECORD_ELSEWHERE);
	assert_string_equal(record->target, book_path(&book, "b"));
	assert_true(keeps("b"));
	assert_false(keeps("a"));
}

static void a_failed_rename_leaves_its_target_to_be_renamed(void **state)
{
	(void)state;
	book_make(&book, "new");
	book_make(&book, "old");
	about_to_rename("old", "new");
	ended("old", -EEXIST, 0);
	again(RESUME_REST, RESUME_IS_THERE);
	assert_true(keeps("new"));
	assert_true(keeps("old"));
}

static void a_rename_that_was_left_open_is_looked_at(void **state)
{
	(void)state;
	book_make(&book, "new");
	book_make(&book, "other new");
	book_make(&book, "other");
	about_to_rename("old", "new");
	about_to_rename("other", "other new");
	again(RESUME_REST, RESUME_IS_THERE);
	/* It went well. */
	assert_false(keeps("new"));
	assert_int_equal(counts().resolved, 1);
	/* It did not: there was such a file before. */
	assert_true(keeps("other new"));
	assert_true(keeps("other"));
	ended("other new", 0, 0);
	ended("other", 0, 0);
	book_end(&book);
	journal_says(3, 0);
}

static void a_rename_of_two_steps_is_known_by_its_first(void **state)
{
	(void)state;
	book_make(&book, "new");
	about_to_rename("old", "new");
	about_to_unlink("old");
	again(RESUME_REST, RESUME_IS_THERE);
	assert_false(keeps("new"));
}

static bool keeps_directory(const char *name)
{
	struct iobatch_file *file = book_file(book_path(&book, name));
	bool kept;

	file->type = DT_DIR;
	file->flags = IOBATCH_FILE_LAST;
	kept = resume_keep(resume, file);
	free(file);
	return kept;
}

static void directories_are_done_again(void **state)
{
	(void)state;
	ended("directory", 0, 0);
	ended("other", 0, 0);
	ended("directory/file", -EIO, 0);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	assert_true(keeps_directory("directory"));
	assert_true(keeps_directory("other"));
	/* Or only those in which something is put right. */
	again(RESUME_FAILED, RESUME_CHANGED_SINCE_BEGUN);
	assert_true(keeps("directory/file"));
	assert_true(keeps_directory("directory"));
	assert_false(keeps_directory("other"));
	again(RESUME_FAILED, RESUME_IS_THERE);
	assert_true(keeps("directory/file"));
	assert_false(keeps_directory("directory"));
}

static void a_walk_gives_what_is_left(void **state)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct iobatch_file *file = calloc(1, sizeof(*file));
	struct iobatch_source *source;
	struct iobatch_items items;
	char found[200] = "";

	(void)state;
	assert_int_equal(mkdir(book_path(&book, "tree"), 0700), 0);
	book_make(&book, "tree/a");
	book_make(&book, "tree/b");
	book_make(&book, "tree/c");
	ended("tree/a", 0, 0);
	ended("tree/b", 0, 3600);
	again(RESUME_REST, RESUME_CHANGED_SINCE_BEGUN);
	options.root = book_path(&book, "tree");
	options.types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY;
	options.directories = IOBATCH_DIRECTORIES_LAST;
	assert_int_equal(iobatch_source_walk(&options, &source), 0);
	assert_int_equal(iobatch_source_filter(source, resume_keep, resume), 0);
	items = iobatch_source_items(source);
	assert_int_equal(items.count, IOBATCH_UNKNOWN);
	while (items.next(items.context, file) > 0) {
		strcat(found, file->path + strlen(book.directory));
		strcat(found, file->flags & IOBATCH_FILE_LAST ? " last " : " ");
		items.release(items.context, file);
	}
	assert_string_equal(found, "/tree/b /tree/c /tree last ");
	iobatch_source_free(source);
	free(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(what_is_done_is_left_out_and_nothing_else),
	TEST(failures_are_all_that_is_kept_when_only_they_are_wanted),
	TEST(an_item_that_was_cancelled_is_what_it_was_before),
	TEST(the_latest_outcome_holds),
	TEST(what_was_changed_since_it_was_begun_is_done_again),
	TEST(what_a_link_points_to_is_looked_at_where_links_are_followed),
	TEST(a_file_with_several_names_is_done_again_when_they_are_to_be_of_one_file),
	TEST(what_a_job_changes_itself_is_not_for_that_done_again),
	TEST(what_was_removed_and_is_there_is_removed_again),
	TEST(ranges_and_what_stands_behind_a_name_are_other_items),
	TEST(an_item_that_was_about_to_go_and_is_gone_is_done),
	TEST(what_an_op_on_another_name_has_left_open_is_done_again),
	TEST(a_name_that_an_item_was_given_is_not_renamed_again),
	TEST(a_move_to_another_directory_leaves_names_here_alone),
	TEST(a_failed_rename_leaves_its_target_to_be_renamed),
	TEST(a_rename_that_was_left_open_is_looked_at),
	TEST(a_rename_of_two_steps_is_known_by_its_first),
	TEST(directories_are_done_again),
	TEST(a_walk_gives_what_is_left),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Which files are taken for a journal, by whom, and what is in them after that. */
#include "book.h"

#include "journal/lock.h"
#include "journal/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct book book;

static int setup(void **state)
{
	(void)state;
	book_setup(&book);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	book_teardown(&book);
	return 0;
}

static bool exists(void)
{
	return !access(book.path, F_OK);
}

static void a_new_journal_is_for_its_owner_only_and_says_whose_it_is(void **state)
{
	struct journal_summary *summary;
	struct stat stat_;
	char *error;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	assert_false(journal_resumed(book.journal));
	assert_int_equal(stat(book.path, &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0600);
	assert_int_equal(stat_.st_size, journal_callbacks(book.journal)->offset);
	assert_int_equal(journal_summary_new(book.path, &summary, &error), 0);
	assert_string_equal(summary->job, "a job");
	assert_string_equal(summary->hash, "0123456789abcdef");
	assert_string_equal(summary->options, "copy, fsync none");
	assert_int_equal(summary->roots_count, 2);
	assert_string_equal(summary->roots[1], "/another\nroot");
	assert_int_equal(summary->pid, getpid());
	assert_null(summary->end);
	journal_summary_free(summary);
}

static void a_new_one_takes_the_place_of_nothing(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_NEW);
	size_t size;
	char *bytes;

	(void)state;
	book_write(&book, "precious", 8);
	book_refused(&book, &options, JOURNAL_EXISTS, "there is such a file already");
	bytes = book_read(&book, &size);
	assert_string_equal(bytes, "precious");
	free(bytes);
}

static void what_is_no_journal_is_never_written_to(void **state)
{
	static const char damaged[] = "iobatch-journal\tprecious\nmore\n";
	static const char *const others[] = {"precious", "precious\n", damaged};
	struct journal_options options = book_options(&book, JOURNAL_CONTINUE);

	(void)state;
	options.force = true;
	for (unsigned i = 0; i < 3; i++) {
		size_t size;
		char *bytes;

		book_write(&book, others[i], strlen(others[i]));
		book_refused(&book, &options, JOURNAL_BAD, "line 1, at byte 0");
		bytes = book_read(&book, &size);
		assert_string_equal(bytes, others[i]);
		free(bytes);
	}
}

static void one_that_is_missing_is_resumed_by_a_new_one_only_when_told(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);

	(void)state;
	book_refused(&book, &options, JOURNAL_MISSING, "No such file");
	assert_false(exists());
	book_open(&book, JOURNAL_CONTINUE, NULL);
	assert_false(journal_resumed(book.journal));
	assert_true(exists());
}

static void another_jobs_journal_is_refused_unless_forced(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);
	size_t size, size_after;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	book_outcome(&book, "a", 0);
	book_end(&book);
	free(book_read(&book, &size));
	options.hash = "another";
	book_refused(&book, &options, JOURNAL_OTHER_JOB, "another job");
	free(book_read(&book, &size_after));
	assert_int_equal(size, size_after);
	options.force = true;
	assert_int_equal(journal_open(&options, &book.journal, &(char *){NULL}), 0);
	book_crash(&book);
	/* From now on it is that job's. */
	options.force = false;
	assert_int_equal(journal_open(&options, &book.journal, &(char *){NULL}), 0);
	book_crash(&book);
	options = book_options(&book, JOURNAL_RESUME);
	book_refused(&book, &options, JOURNAL_OTHER_JOB, "has been changed");
}

static void a_cut_at_every_byte_is_resumed_behind_what_is_whole(void **state)
{
	size_t head, size;
	char *bytes;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	head = journal_callbacks(book.journal)->offset;
	book_outcome(&book, "a", 0);
	book_outcome(&book, "b", 0);
	book_end(&book);
	bytes = book_read(&book, &size);
	for (size_t cut = 0; cut <= size; cut++) {
		uint64_t lines, offset, torn;
		size_t whole = cut, after;
		char *error, *text;

		while (whole && bytes[whole - 1] != '\n')
			whole--;
		book_write(&book, bytes, cut);
		book_open(&book, JOURNAL_RESUME, NULL);
		assert_int_equal(journal_resumed(book.journal), whole >= head);
		assert_int_equal(journal_torn(book.journal), cut - whole);
		book_outcome(&book, "c", 0);
		book_end(&book);
		assert_int_equal(journal_check(book.path, &lines, &offset, &torn, &error), 0);
		assert_int_equal(torn, 0);
		text = book_read(&book, &after);
		assert_int_equal(offset, after);
		if (whole >= head)
			assert_memory_equal(text, bytes, whole);
		free(text);
	}
	free(bytes);
}

static void a_bad_line_in_the_middle_is_refused_until_it_is_repaired(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);
	size_t size, after;
	char *bytes, *text, *error;
	uint64_t cut, place;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	book_outcome(&book, "a", 0);
	place = book.offset;
	book_outcome(&book, "b", 0);
	book_outcome(&book, "c", 0);
	book_end(&book);
	bytes = book_read(&book, &size);
	bytes[place + 3] ^= 4;
	book_write(&book, bytes, size);
	options.force = true;
	book_refused(&book, &options, JOURNAL_BAD, "line 6");
	text = book_read(&book, &after);
	assert_int_equal(after, size);
	assert_memory_equal(text, bytes, size);
	free(text);
	assert_int_equal(journal_repair(book.path, 0, &cut, &error), 0);
	assert_int_equal(cut, size - place);
	assert_int_equal(journal_repair(book.path, 0, &cut, &error), 0);
	assert_int_equal(cut, 0);
	book_open(&book, JOURNAL_RESUME, NULL);
	assert_true(journal_resumed(book.journal));
	free(bytes);
}

static void one_whose_head_is_bad_is_not_repaired(void **state)
{
	size_t size, after;
	char *bytes, *error = NULL;
	uint64_t cut;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	book_outcome(&book, "a", 0);
	book_end(&book);
	bytes = book_read(&book, &size);
	bytes[20] ^= 1;
	book_write(&book, bytes, size);
	assert_int_equal(journal_repair(book.path, 0, &cut, &error), JOURNAL_BAD);
	assert_non_null(error);
	free(error);
	free(book_read(&book, &after));
	assert_int_equal(after, size);
	free(bytes);
}

static void a_second_run_is_told_who_has_it(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);
	struct book second = book;
	char pid[40], *error;
	uint64_t cut;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	for (unsigned i = 0; i < 3000; i++)
		book_outcome(&book, "a", 0);
	snprintf(pid, sizeof(pid), "process %d", getpid());
	book_refused(&second, &options, JOURNAL_LOCKED, pid);
	options.mode = JOURNAL_CONTINUE;
	book_refused(&second, &options, JOURNAL_LOCKED, pid);
	options.mode = JOURNAL_NEW;
	book_refused(&second, &options, JOURNAL_EXISTS, "already");
	assert_int_equal(journal_repair(book.path, 0, &cut, &error), JOURNAL_LOCKED);
	free(error);
	/* The refusals have changed nothing. */
	book_outcome(&book, "b", 0);
	book_end(&book);
	book_open(&book, JOURNAL_RESUME, NULL);
}

static void *close_soon(void *argument)
{
	(void)argument;
	usleep(50000);
	book_crash(&book);
	return NULL;
}

static void a_lock_is_waited_for_and_not_for_ever(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);
	struct book second = book;
	pthread_t thread;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	options.wait_ms = 30;
	book_refused(&second, &options, JOURNAL_LOCKED, "process");
	options.wait_ms = 20000;
	assert_int_equal(pthread_create(&thread, NULL, close_soon, NULL), 0);
	assert_int_equal(journal_open(&options, &second.journal, &(char *){NULL}), 0);
	pthread_join(thread, NULL);
	journal_close(second.journal);
}

static void the_lock_of_a_killed_run_is_free(void **state)
{
	int ready[2], status;
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		book_open(&book, JOURNAL_NEW, NULL);
		book_outcome(&book, "a", 0);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	book_open(&book, JOURNAL_RESUME, NULL);
	assert_true(journal_resumed(book.journal));
	close(ready[0]);
	close(ready[1]);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_CONTINUE);

	(void)state;
	assert_int_equal(mkfifo(book.path, 0600), 0);
	book_refused(&book, &options, -EINVAL, "no regular file");
	assert_true(exists());
	options.path = "/dev/full";
	book_refused(&book, &options, -EINVAL, "no regular file");
	options.mode = JOURNAL_NEW;
	/* Not that it is there already: resuming it would be no better. */
	book_refused(&book, &options, -EINVAL, "no regular file");
	options.path = book.directory;
	book_refused(&book, &options, -EINVAL, "no regular file");
	options.mode = JOURNAL_RESUME;
	book_refused(&book, &options, -EISDIR, "directory");
}

static void a_directory_that_takes_no_file_is_an_error(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_NEW);

	(void)state;
	options.path = "/proc/self/journal";
	book_refused(&book, &options, -ENOENT, "/proc/self/journal: ");
	options.path = "/tmp/is/not/there/journal";
	book_refused(&book, &options, -ENOENT, "No such file");
}

/* A file that must not grow stands for a disk that is full. */
static void limit(rlim_t size)
{
	struct rlimit limit_ = {size, RLIM_INFINITY};

	signal(SIGXFSZ, size == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit_), 0);
}

static void a_journal_that_cannot_be_begun_is_not_there(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_CONTINUE);

	(void)state;
	for (rlim_t size = 0; size < 150; size += 30) {
		limit(size);
		book_refused(&book, &options, -EFBIG, "cannot be written");
		limit(RLIM_INFINITY);
		assert_false(exists());
	}
}

static void a_journal_that_cannot_go_on_is_as_it_was(void **state)
{
	struct journal_options options = book_options(&book, JOURNAL_RESUME);
	size_t size, after;
	char *bytes, *text;

	(void)state;
	book_open(&book, JOURNAL_NEW, NULL);
	book_outcome(&book, "a", 0);
	book_end(&book);
	bytes = book_read(&book, &size);
	for (rlim_t more = 0; more < 30; more += 10) {
		limit(size + more);
		book_refused(&book, &options, -EFBIG, "cannot be written");
		limit(RLIM_INFINITY);
		text = book_read(&book, &after);
		assert_int_equal(after, size);
		assert_memory_equal(text, bytes, size);
		free(text);
	}
	free(bytes);
}

static void an_end_is_not_written_behind_a_gap(void **state)
{
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_file *file = book_file("a");
	struct iobatch_outcome outcome = {.object = file, .opcode = -1};
	const struct iobatch_journal *callbacks;
	char *line = malloc(JOURNAL_LINE_MAX);
	uint64_t lines, offset, torn;
	char *error;

	(void)state;
	assert_non_null(line);
	book_open(&book, JOURNAL_NEW, NULL);
	callbacks = journal_callbacks(book.journal);
	/* A record that was made and never written. */
	assert_true(callbacks->outcome(callbacks->context, &outcome, line) > 0);
	assert_int_equal(journal_end(book.journal, &result), -EIO);
	assert_int_equal(journal_check(book.path, &lines, &offset, &torn, &error), 0);
	assert_int_equal(lines, 4);
	free(line);
	free(file);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_new_journal_is_for_its_owner_only_and_says_whose_it_is,
                                        setup, teardown),
	cmocka_unit_test_setup_teardown(a_new_one_takes_the_place_of_nothing, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_no_journal_is_never_written_to, setup, teardown),
	cmocka_unit_test_setup_teardown(one_that_is_missing_is_resumed_by_a_new_one_only_when_told,
                                        setup, teardown),
	cmocka_unit_test_setup_teardown(another_jobs_journal_is_refused_unless_forced, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(a_cut_at_every_byte_is_resumed_behind_what_is_whole, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(a_bad_line_in_the_middle_is_refused_until_it_is_repaired,
                                        setup, teardown),
	cmocka_unit_test_setup_teardown(one_whose_head_is_bad_is_not_repaired, setup, teardown),
	cmocka_unit_test_setup_teardown(a_second_run_is_told_who_has_it, setup, teardown),
	cmocka_unit_test_setup_teardown(a_lock_is_waited_for_and_not_for_ever, setup, teardown),
	cmocka_unit_test_setup_teardown(the_lock_of_a_killed_run_is_free, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused, setup, teardown),
	cmocka_unit_test_setup_teardown(a_directory_that_takes_no_file_is_an_error, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_begun_is_not_there, setup,
                                        teardown),
	cmocka_unit_test_setup_teardown(a_journal_that_cannot_go_on_is_as_it_was, setup, teardown),
	cmocka_unit_test_setup_teardown(an_end_is_not_written_behind_a_gap, setup, teardown),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}

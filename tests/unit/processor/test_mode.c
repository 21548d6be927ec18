/* SPDX-License-Identifier: MIT */
/*
 * Modes in the words of chmod(1): what they come to, for files and directories, and which are
 * refused. What chmod itself makes of them is asked of it, where it is there.
 */
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processor/mode.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t applied(const char *text, uint32_t umask_bits, uint32_t mode, bool directory)
{
	struct mode_change *change;
	uint32_t result;

	assert_int_equal(mode_new_masked(text, umask_bits, &change), 0);
	result = mode_apply(change, mode, directory);
	if (mode_is_fixed(change, directory)) {
		assert_int_equal(mode_apply(change, 0, directory), result);
		assert_int_equal(mode_apply(change, 07777, directory), result);
	}
	mode_free(change);
	return result;
}

static void clauses_change_what_they_say(void **state)
{
	static const struct {
		const char *text;
		uint32_t before, file, directory;
	} cases[] = {
		{"644", 0, 0644, 0644},
		{"0", 07777, 0, 06000},
		{"755", 06000, 0755, 06755},
		{"4755", 02000, 04755, 06755},
		{"00755", 06000, 0755, 0755},
		{"=755", 06000, 0755, 0755},
		{"+111", 0640, 0751, 0751},
		{"-077", 0777, 0700, 0700},
		{"u+x", 0644, 0744, 0744},
		{"a-w", 0666, 0444, 0444},
		{"go=", 0777, 0700, 0700},
		{"u+rwX,go-w", 0466, 0644, 0744},
		{"a+X", 0644, 0644, 0755},
		{"a+X", 0744, 0755, 0755},
		{"g=u", 0751, 0771, 0771},
		{"o=g-w", 0770, 0775, 0775},
		{"u=rwx,g=rx,o=", 07000, 07750 & ~07000, 06750},
		{"u+s,g+s", 0755, 06755, 06755},
		{"+t", 0777, 01777, 01777},
		{"ugo=r", 0, 0444, 0444},
		{"u-s", 06755, 02755, 02755},
		{"=", 07777, 0, 06000},
		{"+", 0640, 0640, 0640},
		{"+w", 0444, 0644, 0644}, /* with the mask 022 */
		{"=rwx", 0, 0755, 0755},
		{"-w", 0666, 0466 & ~0200, 0466 & ~0200},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t file = applied(cases[i].text, 022, cases[i].before, false);
		uint32_t directory = applied(cases[i].text, 022, cases[i].before, true);

		if (file != cases[i].file || directory != cases[i].directory)
			print_error("%s on %o: %o, %o\n", cases[i].text, cases[i].before, file,
			            directory);
		assert_int_equal(file, cases[i].file);
		assert_int_equal(directory, cases[i].directory);
	}
}

static void what_is_no_mode_is_refused(void **state)
{
	static const char *const texts[] = {
		"",     "8",    "10000", "77777",  "64 4", "u",    "rwx",     "x",    "u+rw,",
		",u+",  "u+q",  "z+r",   "u+755",  "+8",   "+778", "u=ru",    "u=ur", "+10000",
		"a+r ", " a+r", "0x1ff", "u+rwxz", "-1x",  "g=uo", "u+r,,g+r"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct mode_change *change = NULL;
		int result = mode_new(texts[i], &change);

		if (result != -EINVAL)
			print_error("\"%s\" is taken\n", texts[i]);
		assert_int_equal(result, -EINVAL);
		assert_null(change);
	}
}

static void the_mask_of_the_process_counts_where_nobody_is_named(void **state)
{
	struct mode_change *change;
	mode_t before = umask(027);

	(void)state;
	assert_int_equal(mode_new("+rwx", &change), 0);
	assert_int_equal(mode_apply(change, 0, false), 0750);
	mode_free(change);
	assert_int_equal(mode_new("a+rwx", &change), 0);
	assert_int_equal(mode_apply(change, 0, false), 0777);
	mode_free(change);
	/* It was only looked at. */
	assert_int_equal(umask(before), 027);
}

static void what_does_not_depend_on_the_file_is_known_beforehand(void **state)
{
	static const struct {
		const char *text;
		bool file, directory;
	} cases[] = {
		{"644", true, false},   {"00644", true, true}, {"=644", true, true},
		{"a=rX", false, false}, {"u=r", false, false}, {"a=rws,a+t", false, false},
		{"a=rwst", true, true}, {"6644", true, true},  {"+644", false, false},
		{"g=u", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mode_change *change;

		assert_int_equal(mode_new(cases[i].text, &change), 0);
		assert_int_equal(mode_is_fixed(change, false), cases[i].file);
		assert_int_equal(mode_is_fixed(change, true), cases[i].directory);
		mode_free(change);
	}
}

/* Has chmod do it: the mode then, or UINT32_MAX when it refuses. */
static uint32_t asked(const char *text, const char *path, uint32_t mode)
{
	struct stat status;
	int wait_status;
	pid_t child;

	assert_int_equal(chmod(path, mode), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("chmod", "chmod", "--", text, path, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &wait_status, 0), child);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) >= 126)
		skip();
	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

/* A text of clauses, from a seed. */
static void draw(unsigned *seed, char *text)
{
	static const char *const whos[] = {"", "", "u", "g", "o", "a", "ug", "go", "uo"};
	static const char *const values[] = {"",   "r", "w", "x", "X",   "s",  "t",  "rw",
	                                     "rX", "u", "g", "o", "rwx", "st", "xs", "Xt"};
	static const char *const numbers[] = {"0", "7", "644", "4755", "02777", "1000"};
	unsigned clauses = 1 + (unsigned)rand_r(seed) % 3;

	*text = '\0';
	for (unsigned i = 0; i < clauses; i++) {
		const char *who = whos[(unsigned)rand_r(seed) % COUNT(whos)];
		unsigned actions = 1 + (unsigned)rand_r(seed) % 2;

		strcat(strcat(text, i ? "," : ""), who);
		for (unsigned j = 0; j < actions; j++) {
			char sign[2] = {"+-="[(unsigned)rand_r(seed) % 3], '\0'};
			bool number = !*who && actions == 1 && rand_r(seed) % 4 == 0;

			strcat(text, sign);
			strcat(text, number ? numbers[(unsigned)rand_r(seed) % COUNT(numbers)]
			                    : values[(unsigned)rand_r(seed) % COUNT(values)]);
		}
	}
}

static void chmod_makes_the_same_of_it(void **state)
{
	static const char *const plain[] = {"644", "0", "4755", "00755", "02000", "7777"};
	unsigned seed = 1;
	char text[128];

	(void)state;
	file_make("file", 1);
	assert_int_equal(mkdir("directory", 0755), 0);
	for (unsigned i = 0; i < 150; i++) {
		bool directory = rand_r(&seed) % 2;
		uint32_t before = (uint32_t)rand_r(&seed) & 07777, after;
		struct mode_change *change;

		if (i < COUNT(plain))
			strcpy(text, plain[i]);
		else
			draw(&seed, text);
		after = asked(text, directory ? "directory" : "file", before);
		assert_int_equal(mode_new(text, &change), 0);
		if (mode_apply(change, before, directory) != after)
			print_error("%s on %o (%s): %o, by chmod %o\n", text, before,
			            directory ? "directory" : "file",
			            mode_apply(change, before, directory), after);
		assert_int_equal(mode_apply(change, before, directory), after);
		mode_free(change);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clauses_change_what_they_say),
		cmocka_unit_test(what_is_no_mode_is_refused),
		cmocka_unit_test(the_mask_of_the_process_counts_where_nobody_is_named),
		cmocka_unit_test(what_does_not_depend_on_the_file_is_known_beforehand),
		FILES_TEST(chmod_makes_the_same_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Placeholders: what each stands for, for every kind of path, and which texts are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "processor/template.h"

static struct iobatch_file *file_new(const char *path)
{
	struct iobatch_file *file = calloc(1, sizeof(*file));

	assert_non_null(file);
	assert_true(strlen(path) < sizeof(file->path));
	strcpy(file->path, path);
	file->path_length = (uint32_t)strlen(path);
	file->fd = -1;
	return file;
}

/* Expands and compares, within exactly the space that the template has asked for. */
static void check(const char *text, const char *path, uint64_t index, const char *expected)
{
	struct iobatch_file *file = file_new(path);
	struct template *template;
	const char *result = NULL;
	char *error = NULL, *space;
	ssize_t used;

	assert_int_equal(template_new(text, 0, &template, &error), 0);
	assert_null(error);
	space = malloc(template_space(template));
	used = template_expand(template, file, index, NULL, space, &result);
	assert_true(used >= 0 && (size_t)used <= template_space(template));
	assert_string_equal(result, expected);
	free(space);
	template_free(template);
	free(file);
}

static void placeholders_stand_for_parts_of_the_path(void **state)
{
	static const struct {
		const char *path, *dir, *name, *stem;
	} cases[] = {
		{"/usr/share/file.txt", "/usr/share", "file.txt", "file"},
		{"dir/file", "dir", "file", "file"},
		{"file.txt", ".", "file.txt", "file"},
		{"/file", "/", "file", "file"},
		{"a/archive.tar.gz", "a", "archive.tar.gz", "archive.tar"},
		{"home/.bashrc", "home", ".bashrc", ".bashrc"},
		{"home/.config.old", "home", ".config.old", ".config"},
		{"..odd", ".", "..odd", "..odd"},
		{"a/..", "a", "..", ".."},
		{".", ".", ".", "."},
		{"ends.", ".", "ends.", "ends"},
		{"a.d/file", "a.d", "file", "file"},
		{"a//b", "a", "b", "b"},
		{"//x", "/", "x", "x"},
		{"a/b.c/", "a", "b.c", "b"},
		{"/", "/", "/", "/"},
		{"", ".", "", ""},
		{" \n-{name}", ".", " \n-{name}", " \n-{name}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check("{path}", cases[i].path, 0, cases[i].path);
		check("{dir}", cases[i].path, 0, cases[i].dir);
		check("{name}", cases[i].path, 0, cases[i].name);
		check("{stem}", cases[i].path, 0, cases[i].stem);
	}
}

static void the_index_is_decimal(void **state)
{
	(void)state;
	check("{index}", "x", 0, "0");
	check("part-{index}.bin", "x", 1234567, "part-1234567.bin");
	check("{index}", "x", UINT64_MAX, "18446744073709551615");
}

static void placeholders_and_text_mix(void **state)
{
	(void)state;
	check("", "a/b.c", 7, "");
	check("plain text", "a/b.c", 7, "plain text");
	check("{dir}/.{stem}.{index}~", "a/b.c", 7, "a/.b.7~");
	check("{name}{name}", "a/b.c", 7, "b.cb.c");
	check("{path}.old", "a/b.c", 7, "a/b.c.old");
}

static void doubled_braces_are_braces(void **state)
{
	(void)state;
	check("{{", "x", 0, "{");
	check("}}", "x", 0, "}");
	check("{{name}}", "x", 0, "{name}");
	check("{{{name}}}", "x", 0, "{x}");
	check("{{{{}}}}", "x", 0, "{{}}");
}

static void bytes_that_are_no_utf8_pass_unchanged(void **state)
{
	(void)state;
	check("\xff{name}\xfe", "\x80/\xc3\x28.\xa0", 0, "\xff\xc3\x28.\xa0\xfe");
	check("{stem}", "\x80/\xc3\x28.\xa0", 0, "\xc3\x28");
}

static void texts_without_meaning_are_refused_with_a_message(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"{file}", "unknown placeholder \"{file}\""},
		{"a{}b", "unknown placeholder \"{}\""},
		{"{Path}", "unknown placeholder \"{Path}\""},
		{"{ path }", "unknown placeholder \"{ path }\""},
		{"{pat", "\"{\" without \"}\""},
		{"{", "\"{\" without \"}\""},
		{"{{{", "\"{\" without \"}\""},
		{"{path{name}}", "\"{\" without \"}\""},
		{"path}", "\"}\" without \"{\""},
		{"{path}}", "\"}\" without \"{\""},
		{"{\x1b\xff}", "unknown placeholder \"{?"
	                       "?}\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template *template = NULL;
		char *error = NULL;

		assert_int_equal(template_new(cases[i].text, 0, &template, &error), -EINVAL);
		assert_null(template);
		assert_non_null(error);
		assert_non_null(strstr(error, cases[i].message));
		free(error);
	}
}

static void a_text_that_can_never_fit_is_refused(void **state)
{
	char text[PATH_MAX + 1], *error = NULL;
	struct template *template = NULL;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[PATH_MAX - 1] = '\0';
	check(text, "x", 0, text);
	text[PATH_MAX - 1] = 'x';
	text[PATH_MAX] = '\0';
	assert_int_equal(template_new(text, 0, &template, &error), -EINVAL);
	assert_non_null(strstr(error, "longer than a path"));
	free(error);
}

static void a_result_that_does_not_fit_fails_with_enametoolong(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX], *error = NULL, *space;
	struct iobatch_file *file;
	struct template *template;
	const char *result = NULL;

	(void)state;
	memset(path, 'p', sizeof(path));
	path[PATH_MAX - 3] = '\0';
	memcpy(expected, path, PATH_MAX - 3);
	strcpy(expected + PATH_MAX - 3, ".b");
	check("{path}.b", path, 0, expected);

	file = file_new(path);
	assert_int_equal(template_new("{path}.bk", 0, &template, &error), 0);
	space = malloc(template_space(template));
	assert_int_equal(template_expand(template, file, 0, NULL, space, &result), -ENAMETOOLONG);
	assert_null(result);
	free(space);
	template_free(template);
	assert_int_equal(template_new("{path}{path}", 0, &template, &error), 0);
	space = malloc(template_space(template));
	assert_int_equal(template_expand(template, file, 0, NULL, space, &result), -ENAMETOOLONG);
	free(space);
	template_free(template);
	free(file);
}

static void what_exists_as_it_is_needs_no_space(void **state)
{
	static const char *const texts[] = {"", "constant", "{{constant}}", "{path}"};
	char *error = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct template *template;

		assert_int_equal(template_new(texts[i], 0, &template, &error), 0);
		assert_int_equal(template_space(template), 0);
		template_free(template);
	}
}

static void groups_stand_for_what_a_pattern_has_found(void **state)
{
	const struct template_bytes groups[] = {{"one", 3}, {"", 0}, {"\xff three", 2}};
	struct iobatch_file *file = file_new("dir/name");
	struct template *template = NULL;
	char *error = NULL, *space;
	const char *result;

	(void)state;
	assert_int_equal(template_new("{3}-{1}{2}{1}.{name}", 3, &template, &error), 0);
	space = malloc(template_space(template));
	assert_true(template_expand(template, file, 0, groups, space, &result) > 0);
	assert_string_equal(result, "\xff -oneone.name");
	template_free(template);
	/* One alone. */
	assert_int_equal(template_new("{2}", 3, &template, &error), 0);
	free(space);
	space = malloc(template_space(template));
	assert_int_equal(template_expand(template, file, 0, groups, space, &result), 1);
	assert_string_equal(result, "");
	template_free(template);
	/* There are three, and from 1 on. */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const texts[] = {"{4}", "{0}", "{11}"};

		error = NULL;
		assert_int_equal(template_new(texts[i], 3, &template, &error), -EINVAL);
		assert_non_null(error);
		free(error);
	}
	free(space);
	free(file);
}

#define HELD 5

/* A path of a file whose directory is held: what it starts from, and what it is then. */
static void check_held(const char *text, int dirfd, const char *expected)
{
	struct iobatch_file *file = file_new("root/sub/file.txt");
	struct template *template;
	const char *path = NULL;
	char *error, *space;
	int found = -1;
	ssize_t used;

	file->directory = (struct iobatch_directory *)file;
	file->dirfd = HELD;
	file->name = (uint32_t)strlen("root/sub/");
	assert_int_equal(template_new(text, 0, &template, &error), 0);
	space = malloc(template_space(template));
	used = template_expand_path(template, file, 7, space, &path, &found);
	assert_true(used >= 0 && (size_t)used <= template_space(template));
	assert_string_equal(path, expected);
	assert_int_equal(found, dirfd);
	/* Without a directory it is the whole path, wherever it leads. */
	file->directory = NULL;
	file->name = 0;
	used = template_expand_path(template, file, 7, space, &path, &found);
	assert_true(used >= 0);
	assert_int_equal(found, AT_FDCWD);
	if (dirfd == HELD) {
		assert_memory_equal(path, "root/sub/", strlen("root/sub/"));
		assert_string_equal(path + strlen("root/sub/"), expected);
	} else {
		assert_string_equal(path, expected);
	}
	free(space);
	template_free(template);
	free(file);
}

static void a_path_in_the_directory_of_the_file_starts_from_there(void **state)
{
	(void)state;
	check_held("{path}", HELD, "file.txt");
	check_held("{path}.bak", HELD, "file.txt.bak");
	check_held("{path}-{index}{stem}", HELD, "file.txt-7file");
	check_held("{dir}/{stem}.tmp", HELD, "file.tmp");
	check_held("{dir}/{name}", HELD, "file.txt");
	check_held("{dir}/.{index}", HELD, ".7");
	check_held("{dir}/fixed", HELD, "fixed");
}

static void any_other_path_is_what_the_user_has_written(void **state)
{
	(void)state;
	check_held("{path}/x", AT_FDCWD, "root/sub/file.txt/x");
	check_held("{path}{dir}", AT_FDCWD, "root/sub/file.txtroot/sub");
	check_held("{dir}", AT_FDCWD, "root/sub");
	check_held("{dir}/", AT_FDCWD, "root/sub/");
	check_held("{dir}//x", AT_FDCWD, "root/sub//x");
	check_held("{dir}/../{name}", AT_FDCWD, "root/sub/../file.txt");
	check_held("{dir}.old", AT_FDCWD, "root/sub.old");
	check_held("{dir}{name}", AT_FDCWD, "root/subfile.txt");
	check_held("/copy/{name}", AT_FDCWD, "/copy/file.txt");
	check_held("{name}", AT_FDCWD, "file.txt");
	check_held("", AT_FDCWD, "");
}

static void a_held_file_s_path_may_be_longer_than_a_system_call_takes(void **state)
{
	static const char *const texts[] = {"{path}", "{path}.b", "{dir}/{stem}.b"};
	static const char *const expected[] = {"name", "name.b", "name.b"};
	struct iobatch_file *file = calloc(1, sizeof(*file));
	struct template *template;
	const char *path;
	char *error, *space;
	int dirfd;

	(void)state;
	memset(file->path, 'd', 3 * PATH_MAX);
	file->path_length = 3 * PATH_MAX + 5;
	strcpy(file->path + 3 * PATH_MAX, "/name");
	file->directory = (struct iobatch_directory *)file;
	file->dirfd = HELD;
	file->name = 3 * PATH_MAX + 1;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(template_new(texts[i], 0, &template, &error), 0);
		space = malloc(template_space(template));
		assert_true(template_expand_path(template, file, 0, space, &path, &dirfd) >= 0);
		assert_string_equal(path, expected[i]);
		assert_int_equal(dirfd, HELD);
		template_free(template);
		free(space);
	}
	assert_int_equal(template_new("{dir}.x", 0, &template, &error), 0);
	space = malloc(template_space(template));
	assert_int_equal(template_expand_path(template, file, 0, space, &path, &dirfd),
	                 -ENAMETOOLONG);
	template_free(template);
	free(space);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders_stand_for_parts_of_the_path),
		cmocka_unit_test(the_index_is_decimal),
		cmocka_unit_test(placeholders_and_text_mix),
		cmocka_unit_test(doubled_braces_are_braces),
		cmocka_unit_test(bytes_that_are_no_utf8_pass_unchanged),
		cmocka_unit_test(texts_without_meaning_are_refused_with_a_message),
		cmocka_unit_test(a_text_that_can_never_fit_is_refused),
		cmocka_unit_test(a_result_that_does_not_fit_fails_with_enametoolong),
		cmocka_unit_test(what_exists_as_it_is_needs_no_space),
		cmocka_unit_test(groups_stand_for_what_a_pattern_has_found),
		cmocka_unit_test(a_path_in_the_directory_of_the_file_starts_from_there),
		cmocka_unit_test(any_other_path_is_what_the_user_has_written),
		cmocka_unit_test(a_held_file_s_path_may_be_longer_than_a_system_call_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

	assert_int_equal(template_new(text, &template, &error), 0);
	assert_null(error);
	space = malloc(template_space(template));
	used = template_expand(template, file, index, space, &result);
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

		assert_int_equal(template_new(cases[i].text, &template, &error), -EINVAL);
		assert_null(template);
		assert_non_null(error);
		assert_non_null(strstr(error, cases[i].message));
		free(error);
	}
}

static void a_text_that_can_never_fit_is_refused(void **state)
{
	char text[IOBATCH_PATH_MAX + 1], *error = NULL;
	struct template *template = NULL;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[IOBATCH_PATH_MAX - 1] = '\0';
	check(text, "x", 0, text);
	text[IOBATCH_PATH_MAX - 1] = 'x';
	text[IOBATCH_PATH_MAX] = '\0';
	assert_int_equal(template_new(text, &template, &error), -EINVAL);
	assert_non_null(strstr(error, "longer than a path"));
	free(error);
}

static void a_result_that_does_not_fit_fails_with_enametoolong(void **state)
{
	char path[IOBATCH_PATH_MAX], expected[IOBATCH_PATH_MAX], *error = NULL, *space;
	struct iobatch_file *file;
	struct template *template;
	const char *result = NULL;

	(void)state;
	memset(path, 'p', sizeof(path));
	path[IOBATCH_PATH_MAX - 3] = '\0';
	memcpy(expected, path, IOBATCH_PATH_MAX - 3);
	strcpy(expected + IOBATCH_PATH_MAX - 3, ".b");
	check("{path}.b", path, 0, expected);

	file = file_new(path);
	assert_int_equal(template_new("{path}.bk", &template, &error), 0);
	space = malloc(template_space(template));
	assert_int_equal(template_expand(template, file, 0, space, &result), -ENAMETOOLONG);
	assert_null(result);
	free(space);
	template_free(template);
	assert_int_equal(template_new("{path}{path}", &template, &error), 0);
	space = malloc(template_space(template));
	assert_int_equal(template_expand(template, file, 0, space, &result), -ENAMETOOLONG);
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

		assert_int_equal(template_new(texts[i], &template, &error), 0);
		assert_int_equal(template_space(template), 0);
		template_free(template);
	}
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

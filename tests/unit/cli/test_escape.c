/* SPDX-License-Identifier: MIT */
/* Names as text: what is shown as it is, what is escaped, and base64 for the exact bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/escape.h"

#define SHOWN_AS_IT_IS(text) assert_true(escape_is_text(text, sizeof(text) - 1))

static void escaped(const char *bytes, size_t length, const char *expected)
{
	char *text = escape_text(bytes, length);

	assert_false(escape_is_text(bytes, length));
	assert_string_equal(text, expected);
	free(text);
}

#define ESCAPED(bytes, expected) escaped(bytes, sizeof(bytes) - 1, expected)

static void base64(const char *bytes, const char *expected)
{
	char *text = escape_base64(bytes, strlen(bytes));

	assert_string_equal(text, expected);
	free(text);
}

static void text_is_shown_as_it_is(void **state)
{
	(void)state;
	SHOWN_AS_IT_IS("");
	SHOWN_AS_IT_IS("/plain name-1.txt");
	SHOWN_AS_IT_IS("back\\slash \"quoted\"");
	SHOWN_AS_IT_IS("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	SHOWN_AS_IT_IS("\xf4\x8f\xbf\xbf");
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	ESCAPED("a\nb", "a\\x0ab");
	ESCAPED("\x1b[31m", "\\x1b[31m");
	ESCAPED("\x7f", "\\x7f");
	ESCAPED("a\0b", "a\\x00b");
	ESCAPED("\xc2\x85", "\\xc2\\x85");
	ESCAPED("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
	(void)state;
	ESCAPED("\xff", "\\xff");
	ESCAPED("a\x80z", "a\\x80z");
	ESCAPED("\xc3", "\\xc3");
	ESCAPED("\xc3z", "\\xc3z");
	/* Longer than need be, a surrogate, and above the last character. */
	ESCAPED("\xc0\xaf", "\\xc0\\xaf");
	ESCAPED("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	ESCAPED("\xed\xa0\x80", "\\xed\\xa0\\x80");
	ESCAPED("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	ESCAPED("\xc3\xa4\xff\xc3\xa4", "\xc3\xa4\\xff\xc3\xa4");
}

static void base64_is_that_of_the_standard(void **state)
{
	(void)state;
	base64("", "");
	base64("f", "Zg==");
	base64("fo", "Zm8=");
	base64("foo", "Zm9v");
	base64("foobar", "Zm9vYmFy");
	base64("\xff\xfe\xfd\n", "//79Cg==");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_shown_as_it_is),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
		cmocka_unit_test(base64_is_that_of_the_standard),
	};

	return cmocka_run_group_tests_name("cli/escape", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Names as text: what is shown as it is, what is escaped, and lines of JSON that say both.
 */
#include "files.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "processor/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *bytes;
	size_t length;
	bool plain;
	const char *escaped;
} cases[] = {
	{"", 0, true, ""},
	{"plain name", 10, true, "plain name"},
	{"quote\"back\\slash/", 17, true, "quote\"back\\slash/"},
	{"gr\xc3\xbc\xc3\x9f", 6, true, "gr\xc3\xbc\xc3\x9f"},
	{"\xe2\x82\xac\xf0\x9f\x98\x80", 7, true, "\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"a\nb", 3, false, "a\\x0ab"},
	{"\x1b[31m", 5, false, "\\x1b[31m"},
	{"\x7f", 1, false, "\\x7f"},
	{"nul\0l", 5, false, "nul\\x00l"},
	{"\xff\xfe", 2, false, "\\xff\\xfe"},
	{"\xc3", 1, false, "\\xc3"},                            /* cut off */
	{"\xc0\xaf", 2, false, "\\xc0\\xaf"},                   /* overlong */
	{"\xed\xa0\x80", 3, false, "\\xed\\xa0\\x80"},          /* a surrogate */
	{"\xf4\x90\x80\x80", 4, false, "\\xf4\\x90\\x80\\x80"}, /* too large */
	{"\xc2\x9b", 2, false, "\\xc2\\x9b"},                   /* C1: CSI */
	{"\xe2\x80\xa8", 3, false, "\\xe2\\x80\\xa8"},          /* line separator */
	{"\xc3\xbc\x80", 3, false, "\xc3\xbc\\x80"},
};

static void what_is_no_text_is_escaped(void **state)
{
	char escaped[64];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *end = text_put_escaped(escaped, cases[i].bytes, cases[i].length);

		*end = '\0';
		assert_string_equal(escaped, cases[i].escaped);
		assert_int_equal(text_is_plain(cases[i].bytes, cases[i].length), cases[i].plain);
	}
}

/* A base64 value, decoded. */
static void assert_base64(const char *text, const char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0;
	size_t decoded = 0;

	assert_int_equal(strlen(text), (length + 2) / 3 * 4);
	for (; *text && *text != '='; text++) {
		bits = bits << 6 | (unsigned)(strchr(digits, *text) - digits);
		count += 6;
		if (count >= 8) {
			count -= 8;
			assert_int_equal((unsigned char)bytes[decoded++], bits >> count & 255);
		}
	}
	assert_int_equal(decoded, length);
}

static void check_line(const char *bytes, size_t length, const char *escaped, bool plain)
{
	size_t most = TEXT_OBJECT_MAX + TEXT_BYTES_MAX(4, length);
	/* Exactly the room that was promised to be enough. */
	char *memory = malloc(most);
	struct text_object object;
	json_error_t error;
	const char *exact;
	json_t *json;
	size_t used;

	assert_non_null(memory);
	text_object_begin(&object, memory);
	text_add_bytes(&object, "item", bytes, length);
	used = text_object_end(&object);
	assert_true(used <= most);
	assert_int_equal(memory[used - 1], '\n');
	assert_null(memchr(memory, '\n', used - 1));
	json = json_loadb(memory, used, 0, &error);
	if (!json)
		print_error("%s: %.*s", error.text, (int)used, memory);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "item")), escaped);
	exact = json_string_value(json_object_get(json, "item_base64"));
	assert_int_equal(!exact, plain);
	if (exact)
		assert_base64(exact, bytes, length);
	json_decref(json);
	free(memory);
}

static void any_bytes_are_a_member_that_a_parser_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line(cases[i].bytes, cases[i].length, cases[i].escaped, cases[i].plain);
}

static void every_byte_on_its_own_fits_its_room(void **state)
{
	char bytes[300], escaped[TEXT_ESCAPED_MAX(300) + 1];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (size_t length = 1; length < 300; length = 3 * length + 1) {
			memset(bytes, (int)byte, length);
			*text_put_escaped(escaped, bytes, length) = '\0';
			check_line(bytes, length, escaped, text_is_plain(bytes, length));
		}
	}
}

static void members_are_separated(void **state)
{
	struct text_object object;
	char memory[256];
	size_t length;

	(void)state;
	text_object_begin(&object, memory);
	text_add(&object, "a", "%u", 1u);
	text_add(&object, "b", "\"%s\"", "x");
	text_add(&object, "c", "null");
	length = text_object_end(&object);
	memory[length] = '\0';
	assert_string_equal(memory, "{\"a\": 1, \"b\": \"x\", \"c\": null}\n");
	text_object_begin(&object, memory);
	length = text_object_end(&object);
	assert_int_equal(length, TEXT_OBJECT_MAX);
	assert_memory_equal(memory, "{}\n", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_text_is_escaped),
		cmocka_unit_test(any_bytes_are_a_member_that_a_parser_reads),
		cmocka_unit_test(every_byte_on_its_own_fits_its_room),
		cmocka_unit_test(members_are_separated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

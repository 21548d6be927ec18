/* SPDX-License-Identifier: MIT */
/* Documents as trees: lines, limits, and what --set makes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "job/tree.h"

static struct tree_node *parse(const char *text)
{
	struct tree_node *root = NULL;
	char *error = NULL;

	assert_int_equal(tree_parse("f", text, strlen(text), &root, &error), 0);
	assert_null(error);
	return root;
}

static void refused(const char *text, size_t length, const char *message)
{
	struct tree_node *root = NULL;
	char *error = NULL;

	assert_int_equal(tree_parse("f", text, length, &root, &error), -EINVAL);
	assert_null(root);
	assert_string_equal(error, message);
	free(error);
}

static void set(struct tree_node *root, const char *path, const char *value)
{
	char *error = NULL;

	assert_int_equal(tree_set(root, path, value, &error), 0);
	assert_null(error);
}

static void set_refused(struct tree_node *root, const char *path, const char *value,
                        const char *message)
{
	char *error = NULL;

	assert_int_equal(tree_set(root, path, value, &error), -EINVAL);
	assert_string_equal(error, message);
	free(error);
}

static void emits(const struct tree_node *root, const char *expected)
{
	size_t length;
	char *text;

	assert_int_equal(tree_emit(root, &text, &length), 0);
	assert_int_equal(length, strlen(text));
	assert_string_equal(text, expected);
	free(text);
}

static void nodes_know_the_line_of_their_key(void **state)
{
	struct tree_node *root = parse("a: 1\n# c\nb:\n\n  - x\n  - y:\n      2\n");
	struct tree_node *nearest;

	(void)state;
	assert_int_equal(tree_find(root, "a", NULL)->line, 1);
	assert_int_equal(tree_find(root, "b", NULL)->line, 3);
	assert_int_equal(tree_find(root, "b.0", NULL)->line, 5);
	assert_int_equal(tree_find(root, "b.1.y", NULL)->line, 6);
	assert_null(tree_find(root, "b.2", &nearest));
	assert_ptr_equal(nearest, tree_find(root, "b", NULL));
	assert_null(tree_find(root, "b.99999999999999999999999", NULL));
	assert_null(tree_find(root, "b.x", NULL));
	assert_null(tree_find(root, "a.x", &nearest));
	assert_ptr_equal(nearest, tree_find(root, "a", NULL));
	tree_free(root);
}

static void what_could_surprise_is_refused_with_its_line(void **state)
{
	char deep[200];

	(void)state;
#define REFUSED(text, message) refused(text, sizeof(text) - 1, message)
	REFUSED("a: 1\nb: &x 2\n", "f:2: anchors are not allowed in a job; write the value out");
	REFUSED("a: &x [1]\n", "f:1: anchors are not allowed in a job; write the value out");
	REFUSED("a: *x\n", "f:1: aliases are not allowed in a job; write the value out");
	REFUSED("a: !!str 1\n", "f:1: tags are not allowed in a job, except !bytes for a value");
	REFUSED("!bytes a: 1\n", "f:1: tags are not allowed in a job, except !bytes for a value");
	REFUSED("a: !bytes [x]\n", "f:1: tags are not allowed in a job");
	REFUSED("a: !bytes \"x\\0y\"\n", "f:1: a value holds a NUL byte");
	REFUSED("a: !bytes \"x\\u0100\"\n",
	        "f:1: !bytes holds a character that is no byte; write bytes as \\x00 to \\xff in "
	        "double quotes");
	REFUSED("a: 1\n---\nb: 2\n", "f:2: a second document begins; a job is one document");
	REFUSED("a: 1\nb: 2\na: 3\n", "f:3: a: this key is here twice, first in line 1");
	REFUSED("a:\n  - b: 1\n    b: 2\n", "f:3: a.0.b: this key is here twice, first in line 2");
	REFUSED("[a]: 1\n", "f:1: a key must be a plain word");
	REFUSED("a: \"x\\0y\"\n", "f:1: a value holds a NUL byte");
	REFUSED("", "f:1: empty: a job has the keys items and processor");
	REFUSED("# nothing\n", "f:1: empty: a job has the keys items and processor");
	REFUSED("a: 1\n\n  b: 2\n",
	        "f:3: not YAML: mapping values are not allowed in this context");
	REFUSED("a: \xff\n", "f:1: not readable as YAML: invalid leading UTF-8 octet (byte 3)");
#undef REFUSED
	memset(deep, '[', sizeof(deep));
	refused(deep, sizeof(deep), "f:1: nested deeper than 64 levels");
}

static void a_document_of_more_than_eight_mebibytes_is_refused(void **state)
{
	char *text = malloc(TREE_BYTES_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', TREE_BYTES_MAX + 1);
	memcpy(text, "a: 1\n", 5);
	refused(text, TREE_BYTES_MAX + 1, "f:1: larger than 8388608 bytes");
	free(text);
}

static void set_replaces_adds_and_makes_what_is_missing(void **state)
{
	struct tree_node *root = parse("a: 1\nb: [x, {k: v}]\n");

	(void)state;
	set(root, "a", "2");
	set(root, "b.1.k", "w");
	set(root, "c.d.e", "3");
	set(root, "c.d.f", "[4, 5]");
	emits(root, "{\"a\": \"2\", \"b\": [\"x\", {\"k\": \"w\"}], "
	            "\"c\": {\"d\": {\"e\": \"3\", \"f\": [\"4\", \"5\"]}}}\n");
	assert_string_equal(tree_find(root, "c.d.e", NULL)->set, "c.d.e");
	assert_string_equal(tree_find(root, "c.d.f.1", NULL)->set, "c.d.f");
	assert_null(tree_find(root, "b.0", NULL)->set);
	set(root, "b", "{z: 1}");
	set(root, "c", "");
	emits(root, "{\"a\": \"2\", \"b\": {\"z\": \"1\"}, \"c\": \"\"}\n");
	tree_free(root);
}

static void set_takes_a_value_as_it_stands_unless_it_begins_as_yaml(void **state)
{
	struct tree_node *root = parse("a: 1\n");

	(void)state;
	set(root, "a", "/x: y, {z} # *");
	assert_string_equal(tree_find(root, "a", NULL)->value, "/x: y, {z} # *");
	set(root, "a", "'{path}: it''s'");
	assert_string_equal(tree_find(root, "a", NULL)->value, "{path}: it's");
	set(root, "a", "\"tab\\there\"");
	assert_string_equal(tree_find(root, "a", NULL)->value, "tab\there");
	emits(root, "{\"a\": \"tab\\there\"}\n");
	set_refused(root, "a", "[1, 2",
	            "--set a: not YAML: while parsing a flow sequence, did not find "
	            "expected ',' or ']'; quote it to have it taken as it stands: '\"...\"'");
	assert_string_equal(tree_find(root, "a", NULL)->value, "tab\there");
	tree_free(root);
}

static void set_refuses_paths_that_lead_nowhere(void **state)
{
	struct tree_node *root = parse("a: 1\nb: [x]\n");
	static const char shape[] = "must be keys joined by dots, such as options.batch_size=128";

	(void)state;
	set_refused(root, "a.b", "1", "--set a.b: goes through a value that has no keys");
	set_refused(root, "b.1", "1",
	            "--set b.1: names an entry that the list does not have; they count from 0");
	set_refused(root, "b.x.y", "1",
	            "--set b.x.y: names an entry that the list does not have; they count from 0");
	for (const char *const *path = (const char *const[]){"", ".a", "a.", "a..b", NULL}; *path;
	     path++) {
		char message[128];

		snprintf(message, sizeof(message), "--set %s: %s", *path, shape);
		set_refused(root, *path, "1", message);
	}
	emits(root, "{\"a\": \"1\", \"b\": [\"x\"]}\n");
	tree_free(root);
}

static void what_is_emitted_is_the_same_document_again(void **state)
{
	struct tree_node *root = parse("a: |\n  two\n  lines\n'k: 1': \"\\x01\\u00e4\\U0001f600\"\n"
	                               "e: []\nf: {}\ng: ''\nh: '~'\n");
	struct tree_node *again;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(tree_emit(root, &text, &length), 0);
	again = parse(text);
	emits(again, text);
	assert_string_equal(tree_find(again, "a", NULL)->value, "two\nlines\n");
	assert_string_equal(tree_find(again, "k: 1", NULL)->value, "\x01\u00e4\U0001f600");
	assert_int_equal(tree_find(again, "e", NULL)->kind, TREE_SEQUENCE);
	assert_int_equal(tree_find(again, "f", NULL)->kind, TREE_MAPPING);
	free(text);
	tree_free(again);
	tree_free(root);
}

/* As a --set gives them, as an argument does, and as they stand in a document. */
static void values_are_any_bytes(void **state)
{
	struct tree_node *root = parse("a: !bytes \"caf\\xe9\\x01\"\n");
	struct tree_node *again;
	size_t length;
	char *text;

	(void)state;
	assert_string_equal(tree_find(root, "a", NULL)->value, "caf\xe9\x01");
	set(root, "b", "\xff{x}");
	set(root, "c", "!bytes \"\\xfe\"");
	assert_int_equal(tree_put(root, "d.e", "--e", "\xed\xa0\x80"), 0);
	assert_int_equal(tree_append(root, "d.f", "--f", "\xf4\x90\x80\x80"), 0);
	assert_int_equal(tree_append(root, "d.f", "--f", "[plain]"), 0);
	assert_string_equal(tree_find(root, "c", NULL)->value, "\xfe");
	/* What libcyaml gets is only looked at. */
	assert_int_equal(tree_emit(root, &text, &length), 0);
	again = parse(text);
	tree_free(again);
	free(text);
	assert_int_equal(tree_print(root, &text, &length), 0);
	again = parse(text);
	free(text);
	assert_string_equal(tree_find(again, "a", NULL)->value, "caf\xe9\x01");
	assert_string_equal(tree_find(again, "b", NULL)->value, "\xff{x}");
	assert_string_equal(tree_find(again, "c", NULL)->value, "\xfe");
	assert_string_equal(tree_find(again, "d.e", NULL)->value, "\xed\xa0\x80");
	assert_string_equal(tree_find(again, "d.f.0", NULL)->value, "\xf4\x90\x80\x80");
	assert_string_equal(tree_find(again, "d.f.1", NULL)->value, "[plain]");
	tree_free(again);
	tree_free(root);
}

static void check_print(const char *value)
{
	struct tree_node *root = tree_new(), *again = NULL;
	size_t length;
	char *text, *error = NULL;

	assert_non_null(root);
	assert_int_equal(tree_put(root, "key", "", value), 0);
	assert_int_equal(tree_append(root, "list", "", value), 0);
	assert_int_equal(tree_put_list(root, "empty", ""), 0);
	assert_int_equal(tree_print(root, &text, &length), 0);
	if (tree_parse("f", text, length, &again, &error))
		fail_msg("%s\n%s", error, text);
	if (strcmp(tree_find(again, "key", NULL)->value, value) ||
	    strcmp(tree_find(again, "list.0", NULL)->value, value))
		fail_msg("printed: %s", text);
	assert_int_equal(tree_find(again, "empty", NULL)->kind, TREE_SEQUENCE);
	free(text);
	tree_free(again);
	tree_free(root);
}

/* Every byte alone, beside others and twice; every kind of character; what YAML has a use for. */
static void what_is_printed_loads_again_as_it_was(void **state)
{
	static const char *const values[] = {
		"",         " ",       "  two  ", "a: b",   "- a",      "...",
		"---",      "null",    "~",       "true",   "0x10",     "1e3",
		"{a}",      "[a",      "*a",      "&a",     "!a",       "!bytes x",
		"%a",       "@a",      "`a",      "a #b",   "#a",       "a\n\nb\n",
		"\ttab",    "\\x41",   "\"q\"",   "'q'",    "a\r\nb",   "\u00e4\u20ac\U0001f600",
		"\xc2\x85", "\u2028x", "\ufeff",  "\uffff", "\xc2\xa0", "?a",
		"a=b",      "=",       "<<",      "a,b",    "|",        ">",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_print(values[i]);
	for (int byte = 1; byte < 256; byte++) {
		char text[] = {(char)byte, 'x', (char)byte, (char)byte, '\0'};

		check_print(text);
		text[1] = '\0';
		check_print(text);
		text[0] = 'a';
		text[1] = (char)byte;
		text[2] = '\0';
		check_print(text);
	}
}

static void a_value_knows_the_argument_that_made_it(void **state)
{
	struct tree_node *root = tree_new();

	(void)state;
	assert_int_equal(tree_put(root, "a.b", "--b", "1"), 0);
	assert_int_equal(tree_put(root, "a.b", "--c", "2"), 0);
	assert_int_equal(tree_append(root, "a.l", "--l", "3"), 0);
	assert_string_equal(tree_find(root, "a.b", NULL)->argument, "--c");
	assert_string_equal(tree_find(root, "a.b", NULL)->value, "2");
	assert_string_equal(tree_find(root, "a.l.0", NULL)->argument, "--l");
	set(root, "a.b", "4");
	assert_null(tree_find(root, "a.b", NULL)->argument);
	assert_string_equal(tree_find(root, "a.b", NULL)->set, "a.b");
	tree_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_the_line_of_their_key),
		cmocka_unit_test(what_could_surprise_is_refused_with_its_line),
		cmocka_unit_test(a_document_of_more_than_eight_mebibytes_is_refused),
		cmocka_unit_test(set_replaces_adds_and_makes_what_is_missing),
		cmocka_unit_test(set_takes_a_value_as_it_stands_unless_it_begins_as_yaml),
		cmocka_unit_test(set_refuses_paths_that_lead_nowhere),
		cmocka_unit_test(what_is_emitted_is_the_same_document_again),
		cmocka_unit_test(values_are_any_bytes),
		cmocka_unit_test(what_is_printed_loads_again_as_it_was),
		cmocka_unit_test(a_value_knows_the_argument_that_made_it),
	};

	return cmocka_run_group_tests_name("job/tree", tests, NULL, NULL);
}

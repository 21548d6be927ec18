/* SPDX-License-Identifier: MIT */
/* What sources and processors refuse, alone and together: each with its place and what to do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "job/job.h"
#include "job/tree.h"

struct sample {
	const char *text;
	const char *message;
};

static void check(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tree_node *tree = NULL;
		struct job *job = NULL;
		char *error = NULL;

		assert_int_equal(
			tree_parse("f", samples[i].text, strlen(samples[i].text), &tree, &error),
			0);
		assert_int_equal(job_load_tree(tree, NULL, &job, &error), -EINVAL);
		assert_null(job);
		assert_non_null(error);
		assert_string_equal(error, samples[i].message);
		free(error);
	}
}

#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))
#define WALK "items: {walk: {root: /x}}\n"
#define LIST "items: {list: {file: x}}\n"
#define NOP "processor: {nop: {}}\n"

static void a_walk_is_whole_and_possible(void **state)
{
	static const struct sample samples[] = {
		{"items: {walk: {root: a, roots: [b]}}\n" NOP,
	         "job:1: items.walk.roots: there is a root already; put it into roots"},
		{"items: {walk: {roots: []}}\n" NOP,
	         "job:1: items.walk.root: this key is required and is missing"},
		{"items: {walk: {types: [file]}}\n" NOP,
	         "job:1: items.walk.root: this key is required and is missing"},
		{"items: {walk: {root: a, older_than: 2d, newer_than: 1d}}\n" NOP,
	         "job:1: items.walk.older_than: is more than newer_than: nothing is both"},
		{"items: {walk: {root: a, min_depth: 2, max_depth: 1}}\n" NOP,
	         "job:1: items.walk.min_depth: is larger than max_depth"},
		{"items: {walk: {root: a, older_than: 7}}\n" NOP,
	         "job:1: items.walk.older_than: must be a time with its unit such as 7d (s, m, h, "
	         "d, w), not 7"},
		{"items: {walk: {root: a, order: random}}\n" NOP,
	         "job:1: items.walk.order: must be one of name, found, inode, size, not "
	         "\"random\""},
		{"items: {walk: {root: a, min_depth: 4294967296}}\n" NOP,
	         "job:1: items.walk.min_depth: must be 0 to 4294967295, not 4294967296"},
		{"items: {walk: {root: a, follow_root: yes}}\nprocessor: {remove: {}}\n",
	         "job:1: items.walk.follow_root: processor.remove never follows a symbolic link; "
	         "name the directory itself"},
		{"items:\n  walk:\n    root: a\n    directories: first\nprocessor: {move: "
	         "{destination: b}}\n",
	         "job:4: items.walk.directories: processor.move needs directories when what is in "
	         "them is done; leave it out, or say last"},
		{"items: {walk: {root: a}}\nprocessor: {compare: {first: a, other: b}}\n",
	         "job:1: items.walk.root: processor.compare says itself which trees it walks; "
	         "leave it out"},
	};

	(void)state;
	CHECK(samples);
}

static void a_list_is_a_file_or_names(void **state)
{
	static const struct sample samples[] = {
		{"items: {list: {}}\n" NOP, "job:1: items.list: must have a file, or names"},
		{"items: {list: {file: a, names: [b]}}\n" NOP,
	         "job:1: items.list.names: there is a file already, and only one of the two can "
	         "be"},
		{"items: {list: {names: [b], separator: nul}}\n" NOP,
	         "job:1: items.list.names: are one by one: separator and column are for a file"},
		{"items: {list: {file: a, delimiter: ','}}\n" NOP,
	         "job:1: items.list.delimiter: has an effect only with column"},
		{"items: {list: {file: a, column: 1, delimiter: ', '}}\n" NOP,
	         "job:1: items.list.delimiter: must be one byte, or \\t for a tab, not , "},
		{"items: {list: {file: a, column: 0}}\n" NOP,
	         "job:1: items.list.column: must be 1 to 4294967295, not 0"},
		{"items: {list: {names: ['']}}\n" NOP,
	         "job:1: items.list.names.0: must not be empty"},
	};

	(void)state;
	CHECK(samples);
}

static void sources_and_processors_fit(void **state)
{
	static const struct sample samples[] = {
		{LIST "processor: {verify: {}}\n",
	         "job:2: processor.verify: needs digests to compare with, and items.list has none; "
	         "use items.manifest"},
		{"items: {manifest: {file: m}}\nprocessor: {read: {}}\n",
	         "job:2: processor.read: has no use for digests; take the names from items.list, "
	         "whose column can be the one behind the digest"},
		{LIST "processor: {compare: {first: a, other: b}}\n",
	         "job:2: processor.compare: walks its trees itself; leave items out, or filter "
	         "with items.walk"},
		{"items: {range: {path: a}}\nprocessor: {remove: {}}\n",
	         "job:2: processor.remove: works on whole files, and items.range has blocks of "
	         "one; use items.list for one file"},
		{"items: {range: {path: a}}\nprocessor: {hash: {manifest: m}}\n",
	         "job:2: processor.hash.manifest: a manifest names whole files, and items.range "
	         "has blocks of one; leave it out or use items.list"},
		{"processor: {hash: {}}\n", "job:1: items: this key is required and is missing"},
		{"processor: {compare: {first: a}}\n",
	         "job:1: processor.compare.other: this key is required and is missing"},
	};

	(void)state;
	CHECK(samples);
}

static void a_processor_has_what_it_needs(void **state)
{
	static const struct sample samples[] = {
		{LIST "processor: {set: {}}\n",
	         "job:2: processor.set: must have one of create, length, user, group, mode, atime, "
	         "mtime, sync"},
		{LIST "processor: {set: {sync: no}}\n",
	         "job:2: processor.set: must have one of create, length, user, group, mode, atime, "
	         "mtime, sync"},
		{LIST "processor: {set: {mode: u+q}}\n",
	         "job:2: processor.set.mode: must be octal such as 0644 or clauses such as "
	         "u+rwX,go-w, not u+q"},
		{LIST "processor: {set: {mtime: tomorrow}}\n",
	         "job:2: processor.set.mtime: must be now, keep, @SECONDS or a time such as "
	         "2026-01-31T12:00:00Z, not tomorrow"},
		{LIST "processor: {set: {user: no-such-user}}\n",
	         "job:2: processor.set.user: there is no user no-such-user on this machine; a "
	         "number is taken as it is"},
		{LIST "processor: {set: {group: 4294967295}}\n",
	         "job:2: processor.set.group: must be a name or a number below 4294967295, not "
	         "4294967295"},
		{LIST "processor: {rename: {}}\n",
	         "job:2: processor.rename.to: this key is required and is missing"},
		{LIST "processor: {rename: {to: '{colour}'}}\n",
	         "job:2: processor.rename.to: must be a name with the placeholders {name}, {stem} "
	         "or {index}; {1} to {9} need match, not {colour}"},
		{LIST "processor: {rename: {to: '{2}', match: '(a)'}}\n",
	         "job:2: processor.rename.match: must be a regular expression, with a group for "
	         "each of {1} to {9} in processor.rename.to, not (a)"},
		{LIST "processor: {fill: {}}\n",
	         "job:2: processor.fill.length: this key is required and is missing"},
		{LIST "processor: {fill: {length: 4097, direct: yes}}\n",
	         "job:2: processor.fill.length: must be a multiple of 4096 bytes with direct: yes"},
		{LIST "processor: {read: {report: r}}\n",
	         "job:2: processor.read.report: has an effect only with scrub: yes"},
		{LIST "processor: {copy: {destination: d, preserve: [colour]}}\n",
	         "job:2: processor.copy.preserve: must be a list of words from mode, owner, times, "
	         "links, xattrs, acls, not \"colour\""},
		{LIST "processor: {copy: {destination: d, reflink: maybe}}\n",
	         "job:2: processor.copy.reflink: must be one of auto, always, never, not "
	         "\"maybe\""},
		{LIST "processor: {copy: {destination: d, existing: rename}}\n",
	         "job:2: processor.copy.existing: must be one of replace, skip, fail, not "
	         "\"rename\""},
		{"items: {series: {path: a, count: 0}}\n" NOP,
	         "job:1: items.series.count: must be a count of 1 or more, not 0"},
	};

	(void)state;
	CHECK(samples);
}

static struct tree_node *tree_of_a_verb(const char *key, const char *argument, const char *value)
{
	struct tree_node *tree = tree_new();

	assert_non_null(tree);
	assert_int_equal(tree_put(tree, "items.walk.root", "", "/x"), 0);
	assert_int_equal(tree_put_mapping(tree, "processor.nop", ""), 0);
	assert_int_equal(tree_put(tree, key, argument, value), 0);
	return tree;
}

/* What a command has put together has no lines, but the names of its arguments. */
static void an_error_of_an_argument_names_it(void **state)
{
	struct job *job = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(job_load_tree(tree_of_a_verb("items.walk.max_size", "--max-size", "big"),
	                               NULL, &job, &error),
	                 -EINVAL);
	assert_string_equal(error,
	                    "--max-size: must be a size such as 64KiB or 10kB, 0 or more, not big");
	free(error);
	assert_int_equal(
		job_load_tree(tree_of_a_verb("items.walk.root", "", ""), NULL, &job, &error),
		-EINVAL);
	assert_string_equal(error, "must not be empty");
	free(error);
	assert_int_equal(job_load_tree(tree_of_a_verb("options.rings", "--rings", "1"),
	                               (const char *const[]){"options.rings=many", NULL}, &job,
	                               &error),
	                 -EINVAL);
	assert_string_equal(error, "--set options.rings: must be auto or 1 to 64, not many");
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_is_whole_and_possible),
		cmocka_unit_test(a_list_is_a_file_or_names),
		cmocka_unit_test(sources_and_processors_fit),
		cmocka_unit_test(a_processor_has_what_it_needs),
		cmocka_unit_test(an_error_of_an_argument_names_it),
	};

	return cmocka_run_group_tests_name("job/kinds_errors", tests, NULL, NULL);
}

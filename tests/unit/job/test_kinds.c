/* SPDX-License-Identifier: MIT */
/*
 * Every key of every kind of source and processor arrives where it belongs; what is not given is
 * the library's own default; and what a processor implies of its source is so.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "job/job.h"
#include "job/tree.h"

/* The job of a document: as a tree, which is the way of the verbs. */
static struct job *load(const char *text)
{
	struct tree_node *tree = NULL;
	struct job *job = NULL;
	char *error = NULL;

	if (tree_parse("f", text, strlen(text), &tree, &error) ||
	    job_load_tree(tree, NULL, &job, &error))
		fail_msg("%s", error ? error : "no memory");
	return job;
}

#define EVERYTHING \
	(IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK | IOBATCH_TYPE_OTHER)
#define LIST "items: {list: {file: x}}\n"
#define WALK "items: {walk: {root: /x}}\n"

static void every_key_of_a_walk_arrives(void **state)
{
	struct job *job = load("items:\n"
	                       "  walk:\n"
	                       "    roots: [a, b]\n"
	                       "    include_paths: ['**/*.c', x/*]\n"
	                       "    exclude_paths: [y]\n"
	                       "    older_than: 7d\n"
	                       "    newer_than: 2w\n"
	                       "    min_depth: 1\n"
	                       "    max_depth: 9\n"
	                       "    one_file_system: yes\n"
	                       "    follow_root: no\n"
	                       "    root_name: keep\n"
	                       "    order: size\n"
	                       "    directories: last\n"
	                       "processor: {nop: {}}\n");

	(void)state;
	assert_null(job->walk.root);
	assert_string_equal(job->walk.roots[0], "a");
	assert_string_equal(job->walk.roots[1], "b");
	assert_null(job->walk.roots[2]);
	assert_string_equal(job->walk.include_paths[0], "**/*.c");
	assert_string_equal(job->walk.include_paths[1], "x/*");
	assert_null(job->walk.include_paths[2]);
	assert_string_equal(job->walk.exclude_paths[0], "y");
	assert_int_equal(job->walk.min_age_ms, 7ull * 24 * 3600 * 1000);
	assert_int_equal(job->walk.max_age_ms, 14ull * 24 * 3600 * 1000);
	assert_int_equal(job->walk.min_depth, 1);
	assert_int_equal(job->walk.max_depth, 9);
	assert_int_equal(job->walk.one_file_system, 1);
	assert_int_equal(job->walk.no_follow, 1);
	assert_int_equal(job->walk.root_name, IOBATCH_ROOT_NAME_KEEP);
	assert_int_equal(job->walk.order, IOBATCH_WALK_BY_SIZE);
	assert_int_equal(job->walk.directories, IOBATCH_DIRECTORIES_LAST);
	job_free(job);
}

static void every_key_of_a_list_arrives(void **state)
{
	struct job *job = load("items: {list: {file: f, separator: nul, root: r, column: 3,\n"
	                       "               delimiter: ','}}\nprocessor: {nop: {}}\n");

	(void)state;
	assert_string_equal(job->list.file, "f");
	assert_int_equal(job->list.options.separator, '\0');
	assert_string_equal(job->list.options.root, "r");
	assert_int_equal(job->list.options.column, 3);
	assert_int_equal(job->list.options.delimiter, ',');
	job_free(job);
	job = load("items: {list: {file: f, column: 1, delimiter: '\\t'}}\nprocessor: {nop: {}}\n");
	assert_int_equal(job->list.options.delimiter, '\t');
	assert_int_equal(job->list.options.separator, '\n');
	assert_null(job->list.options.root);
	job_free(job);
	job = load("items: {list: {names: [a, !bytes \"\\xff\"]}}\nprocessor: {nop: {}}\n");
	assert_null(job->list.file);
	assert_string_equal(job->list.names[0], "a");
	assert_string_equal(job->list.names[1], "\xff");
	assert_null(job->list.names[2]);
	job_free(job);
}

static void every_key_of_a_manifest_and_a_verify_arrives(void **state)
{
	struct job *job =
		load("items: {manifest: {file: f, algorithm: sha256, root: r}}\n"
	             "processor: {verify: {report: p, quiet: yes, block_size: 4K, depth: 2}}\n");

	(void)state;
	assert_string_equal(job->manifest.file, "f");
	assert_int_equal(job->manifest.options.algorithm, IOBATCH_HASH_SHA256);
	assert_string_equal(job->manifest.options.root, "r");
	assert_string_equal(job->verify.report, "p");
	assert_int_equal(job->verify.quiet, 1);
	assert_int_equal(job->verify.block_size, 4096);
	assert_int_equal(job->verify.depth, 2);
	job_free(job);
	job = load("items: {manifest: {file: '-', algorithm: auto}}\nprocessor: {verify: {}}\n");
	assert_int_equal(job->manifest.options.algorithm, IOBATCH_HASH_COUNT);
	assert_null(job->verify.report);
	job_free(job);
}

static void every_key_of_a_series_and_a_fill_arrives(void **state)
{
	struct job *job = load("items: {series: {path: 'f{index}', count: 12}}\n"
	                       "processor: {fill: {length: 1MiB, seed: 7, algorithm: blake2b,\n"
	                       "  manifest: m, existing: replace, fsync: full, direct: yes,\n"
	                       "  block_size: 8K, depth: 3}}\n");

	(void)state;
	assert_string_equal(job->series.path, "f{index}");
	assert_int_equal(job->series.count, 12);
	assert_int_equal(job->fill.length, 1 << 20);
	assert_int_equal(job->fill.seed, 7);
	assert_int_equal(job->fill.algorithm, IOBATCH_HASH_BLAKE2B);
	assert_string_equal(job->fill.manifest, "m");
	assert_int_equal(job->fill.existing, IOBATCH_EXISTING_REPLACE);
	assert_int_equal(job->fill.fsync, IOBATCH_FSYNC_FULL);
	assert_int_equal(job->fill.direct, 1);
	assert_int_equal(job->fill.block_size, 8192);
	assert_int_equal(job->fill.depth, 3);
	job_free(job);
}

static void every_key_of_a_copy_arrives(void **state)
{
	static const char *const kinds[] = {"copy", "move"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct job *job;
		char text[1024];

		snprintf(text, sizeof(text),
		         WALK
		         "processor: {%s: {destination: d, reflink: never, "
		         "preserve: [mode, xattrs, acls], existing: skip, fsync: data, special: "
		         "yes, "
		         "update: yes, checksum: yes, verify: yes, preallocate: yes, direct: yes, "
		         "keep_cache: yes, block_size: 16MiB, depth: 64}}\n",
		         kinds[i]);
		job = load(text);
		assert_int_equal(job->processor, i ? JOB_PROCESSOR_MOVE : JOB_PROCESSOR_COPY);
		assert_string_equal(job->copy.destination, "d");
		assert_int_equal(job->copy.reflink, IOBATCH_REFLINK_NEVER);
		assert_int_equal(job->copy.preserve, IOBATCH_PRESERVE_MODE |
		                                             IOBATCH_PRESERVE_XATTRS |
		                                             IOBATCH_PRESERVE_ACLS);
		assert_int_equal(job->copy.existing, IOBATCH_EXISTING_SKIP);
		assert_int_equal(job->copy.fsync, IOBATCH_FSYNC_DATA);
		assert_int_equal(job->copy.special, 1);
		assert_int_equal(job->copy.update, 1);
		assert_int_equal(job->copy.checksum, 1);
		assert_int_equal(job->copy.verify, 1);
		assert_int_equal(job->copy.preallocate, 1);
		assert_int_equal(job->copy.direct, 1);
		assert_int_equal(job->copy.keep_cache, 1);
		assert_int_equal(job->copy.block_size, 16 << 20);
		assert_int_equal(job->copy.depth, 64);
		job_free(job);
	}
}

static void nothing_can_be_preserved(void **state)
{
	struct job *job = load(WALK "processor: {copy: {destination: d, preserve: []}}\n");

	(void)state;
	assert_int_equal(job->copy.preserve, 0);
	job_free(job);
}

/* The two trees are the roots; all that is in them counts, and what they are called does not. */
static void a_compare_is_a_walk_of_its_own(void **state)
{
	struct job *job = load("processor: {compare: {first: a, other: b, what: [content, size],\n"
	                       "  report: r, block_size: 8K, depth: 1}}\n");

	(void)state;
	assert_int_equal(job->source, JOB_SOURCE_WALK);
	assert_string_equal(job->walk.roots[0], "a");
	assert_string_equal(job->walk.roots[1], "b");
	assert_null(job->walk.roots[2]);
	assert_int_equal(job->walk.types, EVERYTHING);
	assert_int_equal(job->walk.root_name, IOBATCH_ROOT_NAME_DROP);
	assert_int_equal(job->compare.what,
	                 IOBATCH_COMPARE_TYPE | IOBATCH_COMPARE_SIZE | IOBATCH_COMPARE_CONTENT);
	assert_string_equal(job->compare.report, "r");
	assert_int_equal(job->compare.block_size, 8192);
	assert_int_equal(job->compare.depth, 1);
	job_free(job);
	job = load("items: {walk: {exclude: [x], types: [file]}}\n"
	           "processor: {compare: {first: a, other: b}}\n");
	assert_string_equal(job->walk.exclude[0], "x");
	assert_int_equal(job->walk.types, IOBATCH_TYPE_FILE);
	assert_string_equal(job->walk.roots[1], "b");
	job_free(job);
	job = load("items: {}\nprocessor: {compare: {first: a, other: b}}\n");
	assert_string_equal(job->walk.roots[0], "a");
	job_free(job);
}

static void every_key_of_the_smaller_ones_arrives(void **state)
{
	struct job *job;

	(void)state;
	job = load(WALK "processor: {remove: {keep_full: yes}}\n");
	assert_int_equal(job->remove.keep_full, 1);
	job_free(job);
	job = load(LIST "processor: {read: {scrub: yes, report: r}}\n");
	assert_int_equal(job->read.scrub, 1);
	assert_string_equal(job->read.report, "r");
	job_free(job);
	job = load(LIST "processor: {stat: {format: table, report: '-'}}\n");
	assert_int_equal(job->stat.format, IOBATCH_STAT_TABLE);
	assert_string_equal(job->stat.report, "-");
	assert_true(job_reports_to_stdout(job));
	assert_false(job_reports_failures(job));
	job_free(job);
	job = load(LIST "processor: {rename: {to: '{1}', match: '(.)', existing: replace}}\n");
	assert_string_equal(job->rename.to, "{1}");
	assert_string_equal(job->rename.match, "(.)");
	assert_int_equal(job->rename.existing, IOBATCH_EXISTING_REPLACE);
	job_free(job);
}

static void every_key_of_a_set_arrives(void **state)
{
	struct job *job = load(LIST "processor: {set: {create: yes, length: 3KiB, user: 12,\n"
	                            "  group: root, mode: 'u+x', atime: '@5.5', mtime: now,\n"
	                            "  sync: yes}}\n");

	(void)state;
	assert_int_equal(job->set.what, IOBATCH_SET_CREATE | IOBATCH_SET_LENGTH |
	                                        IOBATCH_SET_OWNER | IOBATCH_SET_MODE |
	                                        IOBATCH_SET_TIMES | IOBATCH_SET_SYNC);
	assert_int_equal(job->set.length, 3072);
	assert_int_equal(job->set.user, 12);
	assert_int_equal(job->set.group, 0);
	assert_string_equal(job->set.mode, "u+x");
	assert_int_equal(job->set.atime_ns, 5500000000);
	assert_true(job->set.mtime_ns == INT64_MAX);
	job_free(job);
	/* What is not said stays as it is. */
	job = load(LIST "processor: {set: {mtime: '@7', sync: no}}\n");
	assert_int_equal(job->set.what, IOBATCH_SET_TIMES);
	assert_true(job->set.atime_ns == INT64_MIN);
	assert_int_equal(job->set.mtime_ns, 7000000000);
	assert_true(job->set.user == UINT32_MAX);
	job_free(job);
	job = load(LIST "processor: {set: {group: 3}}\n");
	assert_int_equal(job->set.what, IOBATCH_SET_OWNER);
	assert_true(job->set.user == UINT32_MAX);
	assert_int_equal(job->set.group, 3);
	job_free(job);
}

static void what_is_not_given_is_the_librarys_default(void **state)
{
	struct iobatch_copy_options copy = IOBATCH_COPY_OPTIONS_INIT;
	struct iobatch_fill_options fill = IOBATCH_FILL_OPTIONS_INIT;
	struct iobatch_compare_options compare = IOBATCH_COMPARE_OPTIONS_INIT;
	struct iobatch_verify_options verify = IOBATCH_VERIFY_OPTIONS_INIT;
	struct iobatch_read_options read = IOBATCH_READ_OPTIONS_INIT;
	struct iobatch_rename_options rename_ = IOBATCH_RENAME_OPTIONS_INIT;
	struct iobatch_list_options list = IOBATCH_LIST_OPTIONS_INIT;
	struct job *job = load(LIST "processor: {copy: {destination: d}}\n");

	(void)state;
	copy.destination = job->copy.destination;
	assert_memory_equal(&job->copy, &copy, sizeof(copy));
	assert_memory_equal(&job->list.options, &list, sizeof(list));
	job_free(job);
	job = load(LIST "processor: {fill: {length: 1}}\n");
	fill.length = 1;
	assert_memory_equal(&job->fill, &fill, sizeof(fill));
	job_free(job);
	job = load("processor: {compare: {first: a, other: b}}\n");
	compare.first = job->compare.first;
	compare.other = job->compare.other;
	assert_memory_equal(&job->compare, &compare, sizeof(compare));
	job_free(job);
	job = load("items: {manifest: {file: m}}\nprocessor: {verify: {}}\n");
	assert_memory_equal(&job->verify, &verify, sizeof(verify));
	job_free(job);
	job = load(LIST "processor: {read: {}}\n");
	assert_memory_equal(&job->read, &read, sizeof(read));
	job_free(job);
	job = load(LIST "processor: {rename: {to: x}}\n");
	rename_.to = job->rename.to;
	assert_memory_equal(&job->rename, &rename_, sizeof(rename_));
	job_free(job);
}

/* Of a walk: whether it gives directories last, follows its roots, stays on its file system. */
static void what_a_processor_implies_of_its_walk_is_so(void **state)
{
	static const struct {
		const char *processor, *more;
		unsigned directories, no_follow, one_file_system;
	} samples[] = {
		{"nop: {}", "", IOBATCH_DIRECTORIES_FIRST, 0, 0},
		{"copy: {destination: d}", "", IOBATCH_DIRECTORIES_LAST, 0, 0},
		{"copy: {destination: d}", ", directories: first", IOBATCH_DIRECTORIES_FIRST, 0, 0},
		{"move: {destination: d}", "", IOBATCH_DIRECTORIES_LAST, 1, 0},
		{"move: {destination: d}", ", max_depth: 0, directories: first",
	         IOBATCH_DIRECTORIES_FIRST, 1, 0},
		{"remove: {}", "", IOBATCH_DIRECTORIES_LAST, 1, 1},
		{"remove: {}", ", directories: last, follow_root: no", IOBATCH_DIRECTORIES_LAST, 1,
	         1},
		{"remove: {}", ", one_file_system: no", IOBATCH_DIRECTORIES_LAST, 1, 0},
		{"set: {mode: '0'}", "", IOBATCH_DIRECTORIES_LAST, 0, 0},
		{"rename: {to: x}", "", IOBATCH_DIRECTORIES_LAST, 0, 0},
		{"stat: {}", "", IOBATCH_DIRECTORIES_FIRST, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct job *job;
		char text[256];

		snprintf(text, sizeof(text), "items: {walk: {root: x%s}}\nprocessor: {%s}\n",
		         samples[i].more, samples[i].processor);
		job = load(text);
		assert_int_equal(job->walk.directories, samples[i].directories);
		assert_int_equal(job->walk.no_follow, samples[i].no_follow);
		assert_int_equal(job->walk.one_file_system, samples[i].one_file_system);
		job_free(job);
	}
}

static void a_text_is_any_bytes_wherever_it_stands(void **state)
{
	struct job *job =
		load("job: !bytes \"\\xe9\"\n"
	             "items: {walk: {root: !bytes \"r\\xff\", include: [!bytes \"*\\xfe\"]}}\n"
	             "processor: {steps: [{unlinkat: {path: !bytes \"\\xfd{path}\"}}]}\n");
	char *text;

	(void)state;
	assert_string_equal(job->name, "\xe9");
	assert_string_equal(job->walk.root, "r\xff");
	assert_string_equal(job->walk.include[0], "*\xfe");
	assert_string_equal(job->steps.ops[0].path, "\xfd{path}");
	assert_int_equal(job_print(job, &text), 0);
	job_free(job);
	job = load(text);
	free(text);
	assert_string_equal(job->walk.root, "r\xff");
	assert_string_equal(job->steps.ops[0].path, "\xfd{path}");
	job_free(job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_walk_arrives),
		cmocka_unit_test(every_key_of_a_list_arrives),
		cmocka_unit_test(every_key_of_a_manifest_and_a_verify_arrives),
		cmocka_unit_test(every_key_of_a_series_and_a_fill_arrives),
		cmocka_unit_test(every_key_of_a_copy_arrives),
		cmocka_unit_test(nothing_can_be_preserved),
		cmocka_unit_test(a_compare_is_a_walk_of_its_own),
		cmocka_unit_test(every_key_of_the_smaller_ones_arrives),
		cmocka_unit_test(every_key_of_a_set_arrives),
		cmocka_unit_test(what_is_not_given_is_the_librarys_default),
		cmocka_unit_test(what_a_processor_implies_of_its_walk_is_so),
		cmocka_unit_test(a_text_is_any_bytes_wherever_it_stands),
	};

	return cmocka_run_group_tests_name("job/kinds", tests, NULL, NULL);
}

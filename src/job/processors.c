/* SPDX-License-Identifier: MIT */
/* The kinds of processors: see kinds.h. */
#include "job/kinds.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/steps.h"
#include "job/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX (16ull << 20)
#define PAGE 4096u

#define COPY struct iobatch_copy_options
#define HASH struct iobatch_hash_options
#define VERIFY struct iobatch_verify_options
#define COMPARE struct iobatch_compare_options
#define REMOVE struct iobatch_remove_options
#define READ struct iobatch_read_options
#define FILL struct iobatch_fill_options
#define STAT struct iobatch_stat_options
#define SET struct iobatch_set_options
#define RENAME struct iobatch_rename_options

/* How a file's blocks are read: of every processor that reads. */
#define BLOCK_KEYS(type)                                          \
	KEY_NUMBER(KEY_PAGES, type, block_size, 4096, BLOCK_MAX), \
		KEY_NUMBER(KEY_COUNT, type, depth, 1, 64)

static const struct iobatch_word reflinks[] = {
	{"auto", IOBATCH_REFLINK_AUTO},
	{"always", IOBATCH_REFLINK_ALWAYS},
	{"never", IOBATCH_REFLINK_NEVER},
	{NULL, 0},
};

static const struct iobatch_word preserved[] = {
	{"mode", IOBATCH_PRESERVE_MODE},
	{"owner", IOBATCH_PRESERVE_OWNER},
	{"times", IOBATCH_PRESERVE_TIMES},
	{"links", IOBATCH_PRESERVE_LINKS},
	{"xattrs", IOBATCH_PRESERVE_XATTRS},
	{"acls", IOBATCH_PRESERVE_ACLS},
	{NULL, 0},
};

static const struct iobatch_word compared[] = {
	{"type", IOBATCH_COMPARE_TYPE},
	{"size", IOBATCH_COMPARE_SIZE},
	{"mtime", IOBATCH_COMPARE_MTIME},
	{"mode", IOBATCH_COMPARE_MODE},
	{"owner", IOBATCH_COMPARE_OWNER},
	{"content", IOBATCH_COMPARE_CONTENT},
	{NULL, 0},
};

static const struct iobatch_word formats[] = {
	{"json", IOBATCH_STAT_JSON},
	{"table", IOBATCH_STAT_TABLE},
	{NULL, 0},
};

static const struct iobatch_word creates[] = {
	{"false", 0}, {"true", IOBATCH_SET_CREATE}, {"no", 0}, {"yes", IOBATCH_SET_CREATE},
	{NULL, 0},
};

static const struct iobatch_word syncs[] = {
	{"false", 0}, {"true", IOBATCH_SET_SYNC}, {"no", 0}, {"yes", IOBATCH_SET_SYNC}, {NULL, 0},
};

static const struct key copy_keys[] = {
	KEY_REQUIRED(COPY, destination),
	KEY_FROM(KEY_WORD, COPY, reflink, reflinks),
	KEY_FROM(KEY_WORDS, COPY, preserve, preserved),
	KEY_FROM(KEY_WORD, COPY, existing, words_existing),
	KEY_FROM(KEY_WORD, COPY, fsync, words_fsync),
	KEY_BOOLEAN(COPY, special),
	KEY_BOOLEAN(COPY, update),
	KEY_BOOLEAN(COPY, checksum),
	KEY_BOOLEAN(COPY, verify),
	KEY_BOOLEAN(COPY, preallocate),
	KEY_BOOLEAN(COPY, direct),
	KEY_BOOLEAN(COPY, keep_cache),
	BLOCK_KEYS(COPY),
	{NULL},
};

static const struct key hash_keys[] = {
	KEY_FROM(KEY_WORD, HASH, algorithm, words_algorithms),
	KEY(KEY_TEXT, HASH, manifest),
	BLOCK_KEYS(HASH),
	{NULL},
};

static const struct key verify_keys[] = {
	KEY(KEY_TEXT, VERIFY, report),
	KEY_BOOLEAN(VERIFY, quiet),
	BLOCK_KEYS(VERIFY),
	{NULL},
};

static const struct key compare_keys[] = {
	KEY_REQUIRED(COMPARE, first),
	KEY_REQUIRED(COMPARE, other),
	KEY_FROM(KEY_WORDS, COMPARE, what, compared),
	KEY(KEY_TEXT, COMPARE, report),
	BLOCK_KEYS(COMPARE),
	{NULL},
};

static const struct key remove_keys[] = {
	KEY_BOOLEAN(REMOVE, keep_full),
	{NULL},
};

static const struct key read_keys[] = {
	KEY_BOOLEAN(READ, direct),
	KEY_BOOLEAN(READ, scrub),
	KEY(KEY_TEXT, READ, report),
	BLOCK_KEYS(READ),
	{NULL},
};

static const struct key fill_keys[] = {
	{.name = "length",
         .kind = KEY_SIZE,
         .required = true,
         KEY_MEMBER(FILL, length),
         .max = INT64_MAX},
	KEY_NUMBER(KEY_COUNT, FILL, seed, 0, UINT64_MAX),
	KEY_FROM(KEY_WORD, FILL, algorithm, words_algorithms),
	KEY(KEY_TEXT, FILL, manifest),
	KEY_FROM(KEY_WORD, FILL, existing, words_existing),
	KEY_FROM(KEY_WORD, FILL, fsync, words_fsync),
	KEY_BOOLEAN(FILL, direct),
	BLOCK_KEYS(FILL),
	{NULL},
};

static const struct key stat_keys[] = {
	KEY_FROM(KEY_WORD, STAT, format, formats),
	KEY(KEY_TEXT, STAT, report),
	{NULL},
};

static const struct key set_keys[] = {
	KEY_WORD_AS("create", KEY_BIT, SET, what, creates),
	KEY_NUMBER(KEY_SIZE, SET, length, 0, INT64_MAX),
	KEY(KEY_USER, SET, user),
	KEY(KEY_GROUP, SET, group),
	KEY(KEY_TEXT, SET, mode),
	KEY_AS("atime", KEY_TIME, SET, atime_ns),
	KEY_AS("mtime", KEY_TIME, SET, mtime_ns),
	KEY_WORD_AS("sync", KEY_BIT, SET, what, syncs),
	{NULL},
};

static const struct key rename_keys[] = {
	KEY_REQUIRED(RENAME, to),
	KEY(KEY_TEXT, RENAME, match),
	KEY_FROM(KEY_WORD, RENAME, existing, words_existing),
	{NULL},
};

static const struct key nop_keys[] = {{NULL}};

static const COPY copy_defaults = IOBATCH_COPY_OPTIONS_INIT;
static const HASH hash_defaults = IOBATCH_HASH_OPTIONS_INIT;
static const VERIFY verify_defaults = IOBATCH_VERIFY_OPTIONS_INIT;
static const COMPARE compare_defaults = IOBATCH_COMPARE_OPTIONS_INIT;
static const REMOVE remove_defaults = IOBATCH_REMOVE_OPTIONS_INIT;
static const READ read_defaults = IOBATCH_READ_OPTIONS_INIT;
static const FILL fill_defaults = IOBATCH_FILL_OPTIONS_INIT;
static const STAT stat_defaults = IOBATCH_STAT_OPTIONS_INIT;
static const SET set_defaults = IOBATCH_SET_OPTIONS_INIT;
static const RENAME rename_defaults = IOBATCH_RENAME_OPTIONS_INIT;

#define MAKE(kind)                                                                              \
	static int make_##kind(const struct job *job, struct iobatch_processor **ret_processor) \
	{                                                                                       \
		return iobatch_##kind##_new(&job->kind, ret_processor);                         \
	}

MAKE(copy)
MAKE(hash)
MAKE(verify)
MAKE(compare)
MAKE(remove)
MAKE(read)
MAKE(fill)
MAKE(stat)
MAKE(set)
MAKE(rename)

static int make_move(const struct job *job, struct iobatch_processor **ret_processor)
{
	return iobatch_move_new(&job->copy, ret_processor);
}

static int make_steps(const struct job *job, struct iobatch_processor **ret_processor)
{
	return iobatch_steps_new(job->steps.ops, job->steps.count, ret_processor, NULL, NULL);
}

static int make_nop(const struct job *job, struct iobatch_processor **ret_processor)
{
	(void)job;
	return iobatch_nop_new(ret_processor);
}

/* A manifest names whole files: for those that take blocks as well, but not with one. */
static int check_hash(struct report *report, const struct raw_value *raw, struct job *job)
{
	(void)raw;
	if (job->source == JOB_SOURCE_RANGE && job->hash.manifest)
		return report_error(report, "processor.hash.manifest",
		                    "a manifest names whole files, and items.range has blocks of "
		                    "one; leave it out or use items.list");
	return 0;
}

/* The two trees are the roots of the walk, and what they are called has no part in it. */
static int check_compare(struct report *report, const struct raw_value *raw, struct job *job)
{
	(void)report;
	(void)raw;
	job->compare.what |= IOBATCH_COMPARE_TYPE;
	job->walked[0] = job->compare.first;
	job->walked[1] = job->compare.other;
	job->walk.roots = job->walked;
	job->walk.root_name = IOBATCH_ROOT_NAME_DROP;
	return 0;
}

static int check_read(struct report *report, const struct raw_value *raw, struct job *job)
{
	(void)raw;
	if (job->read.report && !job->read.scrub)
		return report_error(report, "processor.read.report",
		                    "has an effect only with scrub: yes");
	return 0;
}

static int check_fill(struct report *report, const struct raw_value *raw, struct job *job)
{
	(void)raw;
	if (job->fill.direct && job->fill.length % PAGE)
		return report_error(report, "processor.fill.length",
		                    "must be a multiple of 4096 bytes with direct: yes");
	return 0;
}

static bool is_set(const struct raw_value *raw, const char *key)
{
	return raw_find(raw->mapping, set_keys, key)->any;
}

/*
 * Asks the processor itself whether it takes the text at `key`: nothing is touched by that.
 * `wanted` is what the text should be.
 */
static int check_text(struct report *report, const struct job *job, const char *key,
                      const char *wanted)
{
	struct iobatch_processor *processor;
	int err = processor_kinds[job->processor].make(job, &processor);

	if (!err)
		iobatch_processor_free(processor);
	if (err == -EINVAL)
		return report_error(report, key, "must be %s, not %s", wanted,
		                    values_text(report, key));
	return err == -ENOMEM ? err : 0;
}

static int check_set(struct report *report, const struct raw_value *raw, struct job *job)
{
	SET *set = &job->set;
	bool atime = is_set(raw, "atime"), mtime = is_set(raw, "mtime");

	if (is_set(raw, "length"))
		set->what |= IOBATCH_SET_LENGTH;
	if (is_set(raw, "user") || is_set(raw, "group"))
		set->what |= IOBATCH_SET_OWNER;
	if (set->mode)
		set->what |= IOBATCH_SET_MODE;
	if (atime || mtime) {
		set->what |= IOBATCH_SET_TIMES;
		set->atime_ns = atime ? set->atime_ns : INT64_MIN;
		set->mtime_ns = mtime ? set->mtime_ns : INT64_MIN;
	}
	if (!set->what)
		return report_error(report, "processor.set",
		                    "must have one of create, length, user, group, mode, atime, "
		                    "mtime, sync");
	if (!set->mode)
		return 0;
	return check_text(report, job, "processor.set.mode",
	                  "octal such as 0644 or clauses such as u+rwX,go-w");
}

/* The template and the expression are the processor's to judge; one that is well without the other
 * leaves the blame with it. */
static int check_rename(struct report *report, const struct raw_value *raw, struct job *job)
{
	(void)raw;
	if (job->rename.match)
		return check_text(report, job, "processor.rename.match",
		                  "a regular expression, with a group for each of {1} to {9} in "
		                  "processor.rename.to");
	return check_text(report, job, "processor.rename.to",
	                  "a name with the placeholders {name}, {stem} or {index}; {1} to {9} need "
	                  "match");
}

static int check_steps(struct report *report, const struct raw_value *raw, struct job *job)
{
	job->steps.count = raw->count;
	return steps_convert(report, raw->steps, raw->count, &job->steps.ops);
}

#define KIND_AS(name_, kind)                                                      \
	.key = #name_, .keys = kind##_keys, .target = offsetof(struct job, kind), \
	.size = sizeof(((struct job *)0)->kind), .defaults = &kind##_defaults,    \
	.make = make_##name_
#define KIND(kind) KIND_AS(kind, kind)
#define MAKES(kind, member, word) \
	.name_key = #member, .name = offsetof(struct job, kind.member), .preposition = word

const struct processor_kind processor_kinds[JOB_PROCESSOR_COUNT] = {
	[JOB_PROCESSOR_COPY] = {KIND(copy), MAKES(copy, destination, "to"),
                                .needs = KIND_WHOLE_FILES | KIND_LAST | KIND_APART},
	[JOB_PROCESSOR_MOVE] = {KIND_AS(move, copy), MAKES(copy, destination, "to"),
                                .needs = KIND_WHOLE_FILES | KIND_LAST | KIND_NOT_FIRST |
                                         KIND_NO_FOLLOW | KIND_APART | KIND_REMOVES |
                                         KIND_WHOLE_TREES},
	[JOB_PROCESSOR_HASH] = {KIND(hash), MAKES(hash, manifest, "into"), .check = check_hash},
	[JOB_PROCESSOR_VERIFY] = {KIND(verify), MAKES(verify, report, "into"),
                                  .needs = KIND_WHOLE_FILES | KIND_MANIFEST | KIND_REPORTS},
	[JOB_PROCESSOR_COMPARE] = {KIND(compare), MAKES(compare, report, "into"),
                                   .needs = KIND_WHOLE_FILES | KIND_WALK | KIND_REPORTS,
                                   .check = check_compare},
	[JOB_PROCESSOR_REMOVE] = {KIND(remove), .needs = KIND_WHOLE_FILES | KIND_LAST |
                                                         KIND_NOT_FIRST | KIND_NO_FOLLOW |
                                                         KIND_ONE_SYSTEM | KIND_REMOVES},
	[JOB_PROCESSOR_READ] = {KIND(read), MAKES(read, report, "into"), .check = check_read},
	[JOB_PROCESSOR_FILL] = {KIND(fill), MAKES(fill, manifest, "into"),
                                .needs = KIND_WHOLE_FILES, .check = check_fill},
	[JOB_PROCESSOR_STAT] = {KIND(stat), MAKES(stat, report, "into"), .needs = KIND_WHOLE_FILES},
	[JOB_PROCESSOR_SET] = {KIND(set), .needs = KIND_WHOLE_FILES | KIND_LAST,
                               .check = check_set},
	[JOB_PROCESSOR_RENAME] = {KIND(rename), .needs = KIND_WHOLE_FILES | KIND_LAST,
                                  .check = check_rename},
	[JOB_PROCESSOR_STEPS] = {.key = "steps", .check = check_steps, .make = make_steps},
	[JOB_PROCESSOR_NOP] = {.key = "nop", .keys = nop_keys, .make = make_nop},
};

#define PROCESSOR_AS(name_, kind_)                                        \
	{                                                                 \
		.name = #name_, .kind = KEY_MAPPING, .keys = kind_##_keys \
	}
#define PROCESSOR(kind) PROCESSOR_AS(kind, kind)

const struct key kinds_processors[] = {
	PROCESSOR_AS(copy, copy), PROCESSOR_AS(move, copy),
	PROCESSOR(hash),          PROCESSOR(verify),
	PROCESSOR(compare),       PROCESSOR(remove),
	PROCESSOR(read),          PROCESSOR(fill),
	PROCESSOR(stat),          PROCESSOR(set),
	PROCESSOR(rename),        {.name = "steps", .kind = KEY_STEPS},
	PROCESSOR(nop),           {NULL},
};

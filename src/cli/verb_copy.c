/* SPDX-License-Identifier: MIT */
/* `iobatch copy` and `iobatch move`. */
#include "cli/naming.h"
#include "cli/verb.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COPY_OPTIONS                                                                              \
	{                                                                                         \
		"existing", 0,                                                                    \
		"WHAT",     "What is there already: replace, skip or fail (replace)",             \
		VERB_VALUE, ".existing",                                                          \
		NULL},                                                                            \
		{"update",   'u',                                                                 \
	         NULL,       "Skip a file when what is there is as new, and as large",            \
	         VERB_FIXED, ".update",                                                           \
	         "yes"},                                                                          \
		{"checksum", 'c',         NULL, "Skip a file when what is there has its content", \
	         VERB_FIXED, ".checksum", "yes"},                                                 \
		{"verify",   0,         NULL, "Read what was written back, past the cache",       \
	         VERB_FIXED, ".verify", "yes"},                                                   \
		{"reflink",  0,          "WHEN", "Share the data: auto, always or never (auto)",  \
	         VERB_VALUE, ".reflink", NULL},                                                   \
		{"preserve", 0,                                                                   \
	         "LIST",     "Of mode, owner, times, links, xattrs and acls (the first four)",    \
	         VERB_WORDS, ".preserve",                                                         \
	         NULL},                                                                           \
		{"xattrs", 'X', NULL, "Keep extended attributes too", VERB_NOTE, NULL, NULL},     \
		{"acls", 'A', NULL, "Keep access control lists too", VERB_NOTE, NULL, NULL},      \
		{"special",  0,                                                                   \
	         NULL,       "Make FIFOs and device nodes, which are skipped otherwise",          \
	         VERB_FIXED, ".special",                                                          \
	         "yes"},                                                                          \
		{"fsync",    0,        "WHAT", "Make durable: none, data or full",                \
	         VERB_VALUE, ".fsync", NULL},                                                     \
		{"preallocate",  0,    NULL, "Allocate a file before it is written", VERB_FIXED,  \
	         ".preallocate", "yes"},                                                          \
		{"direct",   0,         NULL, "Read and write past the page cache (O_DIRECT)",    \
	         VERB_FIXED, ".direct", "yes"},                                                   \
		{"keep-cache",  0,    NULL, "Leave the page cache as it was found", VERB_FIXED,   \
	         ".keep_cache", "yes"},

static const struct verb_option options[] = {COPY_OPTIONS{0}};

static const struct verb_option move_options[] = {
	COPY_OPTIONS{"one-by-one", 0, NULL,
                     "Move each file by itself, also where a tree could be renamed", VERB_NOTE,
                     NULL, NULL},
	{0},
};

/* --xattrs and --acls add to what is kept, whether that was said or not. */
static void build_preserve(struct verb_run *run)
{
	char path[64];

	if (!verb_noted(run, "xattrs") && !verb_noted(run, "acls"))
		return;
	snprintf(path, sizeof(path), "processor.%s.preserve", run->verb->processor);
	verb_words_default(run, path, "mode,owner,times,links");
	if (verb_noted(run, "xattrs"))
		verb_append(run, path, "xattrs");
	if (verb_noted(run, "acls"))
		verb_append(run, path, "acls");
}

static bool follows(const struct verb_run *run, char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names[i][strlen(names[i]) - 1] != '/')
			return false;
	return !strcmp(run->verb->processor, "copy");
}

static void build(struct verb_run *run, char **names, size_t count)
{
	bool list = verb_noted(run, "files-from");
	const char *root_name = NULL, *destination;
	char *message = NULL, path[64];
	int err;

	if (!count || !*names[count - 1])
		verb_refuse(run, "a destination is missing");
	destination = names[--count];
	verb_items(run, names, count, "a SRC");
	snprintf(path, sizeof(path), "processor.%s.destination", run->verb->processor);
	verb_put(run, path, destination);
	build_preserve(run);
	if (list)
		return;
	/* What an earlier run has made of the destination must not change what is meant by it. */
	if (verb_resumes(run)) {
		root_name = verb_recalls(run, "root_name=keep") ? "keep" : "drop";
	} else {
		err = naming_decide(names, count, destination, &root_name, &message);
		if (err)
			verb_refuse(run, "%s", message ? message : strerror(-err));
	}
	verb_put_default(run, "items.walk.root_name", root_name);
	/* A slash behind a link says that what it leads to is meant. */
	verb_put_default(run, "items.walk.follow_root", follows(run, names, count) ? "yes" : "no");
	verb_words_default(run, "items.walk.types", "file,directory,symlink,other");
}

#define NAMES                                                                                \
	"\n"                                                                                 \
	"A SRC keeps its name in DST when DST is a directory, or ends in a slash, or\n"      \
	"when there are several; otherwise it becomes DST, which is made in a directory\n"   \
	"that exists. Of a SRC that ends in a slash, or is \".\" or \"..\", what is in it\n" \
	"is meant.\n"

const struct verb verb_copy = {
	.name = "copy",
	.full_name = (char[]){"iobatch copy"},
	.processor = "copy",
	.arguments = "SRC... DST\n--files-from=FILE DST",
	.summary = "copy files and trees, with all that they are",
	.doc = "Copy files, directories and links, with modes, owners, times and holes.\v"
	       "A file is written under a temporary name and renamed when it is whole. Links\n"
	       "are copied as links, and hard links stay linked.\n" NAMES "\n"
	       "Examples:\n"
	       "  iobatch copy photos /backup/\n"
	       "  iobatch copy --update --exclude='*.tmp' src/ /backup/src\n"
	       "  git ls-files -z | iobatch copy --files-from=- --null "
	       "/tmp/tree\n" VERB_EXIT_STATUS,
	.groups = {{"What is copied, and how:", options}, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build,
};

/* A tree of which nothing is picked and nothing is left is renamed in one step, if it can be. */
static void build_move(struct verb_run *run, char **names, size_t count)
{
	bool picked = verb_has(run, "items.walk");

	build(run, names, count);
	if (picked || verb_noted(run, "files-from") || verb_noted(run, "one-by-one"))
		return;
	if (verb_resumes(run) ? !verb_recalls(run, "whole")
	                      : !naming_can_rename(names, count - 1, names[count - 1]))
		return;
	verb_put(run, "items.walk.max_depth", "0");
	verb_put(run, "items.walk.directories", "first");
}

const struct verb verb_move = {
	.name = "move",
	.full_name = (char[]){"iobatch move"},
	.processor = "move",
	.arguments = "SRC... DST\n--files-from=FILE DST",
	.summary = "move them: rename where that can be, else copy and remove",
	.doc = "Move files and trees: by renaming, or else by copying and removing.\v"
	       "Between file systems a file is copied and made durable before its source is\n"
	       "removed. A source that was changed meanwhile stays. A tree whose place is free\n"
	       "is renamed as a whole, unless options pick among what is in it.\n" NAMES "\n"
	       "Examples:\n"
	       "  iobatch move scans/ /archive/scans\n"
	       "  iobatch move --older-than=30d --types=file logs /archive/\n" VERB_EXIT_STATUS,
	.groups = {{"What is moved, and how:", move_options},
                   VERB_FILTERS,
                   VERB_LISTS,
                   VERB_COMMON},
	.build = build_move,
};

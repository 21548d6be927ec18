/* SPDX-License-Identifier: MIT */
/* `iobatch remove`. */
#include "cli/verb.h"
#include "cli/verbs.h"

static const struct verb_option options[] = {
	{"keep-full", 0, NULL, "Leave directories that are not empty, and say nothing", VERB_FIXED,
         ".keep_full", "yes"},
	{0},
};

/* Options that leave something of a tree: directories may then be full, and are not asked for. */
static bool picks(const struct verb_run *run)
{
	static const char *const paths[] = {
		"items.walk.include",       "items.walk.exclude",    "items.walk.include_paths",
		"items.walk.exclude_paths", "items.walk.min_size",   "items.walk.max_size",
		"items.walk.older_than",    "items.walk.newer_than", "items.walk.max_depth",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (verb_has(run, paths[i]))
			return true;
	return false;
}

static void build(struct verb_run *run, char **names, size_t count)
{
	verb_items(run, names, count, "a PATH");
	if (verb_noted(run, "files-from"))
		return;
	if (picks(run) || verb_has(run, "items.walk.types"))
		verb_put_default(run, "processor.remove.keep_full", "yes");
	verb_words_default(run, "items.walk.types",
	                   picks(run) ? "file,symlink,other" : "file,directory,symlink,other");
}

const struct verb verb_remove = {
	.name = "remove",
	.full_name = (char[]){"iobatch remove"},
	.processor = "remove",
	.arguments = "PATH...\n--files-from=FILE",
	.summary = "remove files and trees",
	.doc = "Remove files and trees, what is in a directory before the directory.\v"
	       "No symbolic link is followed, and no other file system entered. /, mount\n"
	       "points, \".\" and \"..\" are refused before anything is touched. Options that\n"
	       "pick among what is in the trees leave the directories, unless --types names\n"
	       "them too; those that are not empty then stay.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch remove --dry-run build\n"
	       "  iobatch remove --older-than=7d --min-depth=1 --include='*.log' /var/tmp/app\n"
	       "  iobatch remove --min-depth=1 cache\n" VERB_EXIT_STATUS,
	.groups = {{"How:", options}, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build,
};

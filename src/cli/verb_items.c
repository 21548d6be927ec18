/* SPDX-License-Identifier: MIT */
/* Where the items of a verb come from: see verb.h. */
#include "cli/verb.h"

#include <string.h>

static void list_items(struct verb_run *run, size_t count, const char *what)
{
	if (count)
		verb_refuse(run, "with --files-from there is no other %s", what + strlen("a "));
	if (verb_has(run, "items.walk"))
		verb_refuse(run,
		            "--files-from takes its names as they are: options that pick among "
		            "what is in trees have no effect on them");
	verb_put_noted(run, "files-from", "items.list.file");
	verb_put(run, "items.list.root", ".");
	verb_put_noted(run, "root", "items.list.root");
	if (verb_noted(run, "null"))
		verb_put(run, "items.list.separator", "nul");
	verb_put_noted(run, "column", "items.list.column");
	verb_put_noted(run, "delimiter", "items.list.delimiter");
}

void verb_items(struct verb_run *run, char **names, size_t count, const char *what)
{
	static const char *const of_lists[] = {"null", "column", "delimiter", "root"};

	if (verb_noted(run, "files-from")) {
		list_items(run, count, what);
		return;
	}
	for (size_t i = 0; i < sizeof(of_lists) / sizeof(of_lists[0]); i++)
		if (verb_noted(run, of_lists[i]))
			verb_refuse(run, "--%s is for the names of --files-from", of_lists[i]);
	if (!count)
		verb_refuse(run, "%s is missing", what);
	for (size_t i = 0; i < count; i++)
		if (!*names[i])
			verb_refuse(run, "%s is empty", what);
	if (count == 1)
		verb_put(run, "items.walk.root", names[0]);
	for (size_t i = 0; count > 1 && i < count; i++)
		verb_append(run, "items.walk.roots", names[i]);
}

void verb_items_named(struct verb_run *run, char **names, size_t count, const char *types,
                      enum verb_links links)
{
	bool recursive = verb_noted(run, "recursive");

	if (recursive && verb_noted(run, "files-from"))
		verb_refuse(run,
		            "a list of --files-from is taken as it is: --recursive has no effect");
	verb_items(run, names, count, "a PATH");
	if (verb_noted(run, "files-from"))
		return;
	if (links == VERB_LINKS_THEMSELVES || recursive || verb_noted(run, "no-dereference"))
		verb_put_default(run, "items.walk.follow_root", "no");
	if (recursive) {
		verb_words_default(run, "items.walk.types", types);
		return;
	}
	/* What is named is meant, whatever it is. */
	verb_words_default(run, "items.walk.types", "file,directory,symlink,other");
	verb_put_default(run, "items.walk.max_depth", "0");
}

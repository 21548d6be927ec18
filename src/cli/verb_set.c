/* SPDX-License-Identifier: MIT */
/* `iobatch touch`, `chmod`, `chown`, `truncate` and `sync`: all of them set attributes. */
#include "cli/verb.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

#define ALL_TYPES "file,directory,symlink,other"
#define ARGUMENTS "PATH...\n--files-from=FILE"
#define GROUPS VERB_RECURSION, VERB_FILTERS, VERB_LISTS, VERB_COMMON

static const struct verb_option touch_options[] = {
	{"date", 'd', "TIME", "Not now but TIME: @SECONDS, or 2026-01-31T12:00:00Z", VERB_NOTE,
         NULL, NULL},
	{"no-create", 'c', NULL, "Make no file where there is none", VERB_NOTE, NULL, NULL},
	{"access", 'a', NULL, "Only the time of access", VERB_NOTE, NULL, NULL},
	{"no-dereference", 'h', NULL, "Of a symbolic link, its own times", VERB_NOTE, NULL, NULL},
	{"modification", 'm', NULL, "Only the time of modification", VERB_NOTE, NULL, NULL},
	{0},
};

static void build_touch(struct verb_run *run, char **names, size_t count)
{
	bool access = verb_noted(run, "access"), modification = verb_noted(run, "modification");
	/* What is in a tree is there: only what is named can be missing. */
	bool create = !verb_noted(run, "no-create") && !verb_noted(run, "recursive") &&
	              !verb_noted(run, "no-dereference");

	if (access || !modification)
		verb_put(run, "processor.set.atime", "now");
	if (modification || !access)
		verb_put(run, "processor.set.mtime", "now");
	if (access || !modification)
		verb_put_noted(run, "date", "processor.set.atime");
	if (modification || !access)
		verb_put_noted(run, "date", "processor.set.mtime");
	if (create)
		verb_put(run, "processor.set.create", "yes");
	if (!create || verb_noted(run, "files-from") || verb_has(run, "items.walk")) {
		verb_items_named(run, names, count, ALL_TYPES, VERB_LINKS_FOLLOWED);
		return;
	}
	if (!count)
		verb_refuse(run, "a PATH is missing");
	for (size_t i = 0; i < count; i++) {
		if (!*names[i])
			verb_refuse(run, "a PATH is empty");
		verb_append(run, "items.list.names", names[i]);
	}
}

const struct verb verb_touch = {
	.name = "touch",
	.full_name = (char[]){"iobatch touch"},
	.processor = "set",
	.arguments = ARGUMENTS,
	.summary = "set the times of files, and make those that are missing",
	.doc = "Set the times of access and modification, and make files that are missing.\v"
	       "Of a symbolic link that is named, those of what it leads to are set, unless -h\n"
	       "is given; with -r, its own.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch touch stamp\n"
	       "  iobatch touch --recursive --date=@1700000000 release\n" VERB_EXIT_STATUS,
	.groups = {{"Times:", touch_options}, GROUPS},
	.build = build_touch,
};

static void build_chmod(struct verb_run *run, char **names, size_t count)
{
	if (!count)
		verb_refuse(run, "a MODE is missing");
	verb_put_named(run, "processor.set.mode", "MODE", names[0]);
	verb_items_named(run, names + 1, count - 1, "file,directory,other", VERB_LINKS_FOLLOWED);
}

const struct verb verb_chmod = {
	.name = "chmod",
	.full_name = (char[]){"iobatch chmod"},
	.processor = "set",
	.arguments = "MODE PATH...\nMODE --files-from=FILE",
	.summary = "set the permissions of files",
	.doc = "Set the permissions of files: octal, or clauses such as u+rwX,go-w.\v"
	       "Put -- before a MODE that begins with a dash. Of a symbolic link that is\n"
	       "named, that of what it leads to is set; with -r, links are left out.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch chmod 0644 *.txt\n"
	       "  iobatch chmod --recursive u+rwX,go-w public\n" VERB_EXIT_STATUS,
	.groups = {GROUPS},
	.build = build_chmod,
};

static const struct verb_option chown_options[] = {
	{"no-dereference", 'h', NULL, "Of a symbolic link, its own owner", VERB_NOTE, NULL, NULL},
	{0},
};

static void build_chown(struct verb_run *run, char **names, size_t count)
{
	char *colon;

	if (!count)
		verb_refuse(run, "an OWNER is missing: USER, USER:GROUP or :GROUP");
	colon = strchr(names[0], ':');
	if (colon && !colon[1])
		verb_refuse(run, "a group is missing behind the colon of %s", names[0]);
	if (colon)
		*colon = '\0';
	if (*names[0])
		verb_put(run, "processor.set.user", names[0]);
	if (colon)
		verb_put(run, "processor.set.group", colon + 1);
	if (!*names[0] && !colon)
		verb_refuse(run, "an OWNER is missing: USER, USER:GROUP or :GROUP");
	verb_items_named(run, names + 1, count - 1, ALL_TYPES, VERB_LINKS_FOLLOWED);
}

const struct verb verb_chown = {
	.name = "chown",
	.full_name = (char[]){"iobatch chown"},
	.processor = "set",
	.arguments = "USER[:GROUP] PATH...\nUSER[:GROUP] --files-from=FILE",
	.summary = "set the owner of files",
	.doc = "Set the owner and the group of files, each by name or number.\v"
	       "Of a symbolic link that is named, that of what it leads to is set, unless -h\n"
	       "is given; with -r, its own.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch chown --recursive www-data:www-data /srv/www\n"
	       "  iobatch chown :1000 notes.txt\n" VERB_EXIT_STATUS,
	.groups = {{"Links:", chown_options}, GROUPS},
	.build = build_chown,
};

static const struct verb_option truncate_options[] = {
	{"length", 'l', "SIZE", "Bytes that a file is to have, such as 1MiB; required", VERB_VALUE,
         ".length", NULL},
	{0},
};

static void build_truncate(struct verb_run *run, char **names, size_t count)
{
	if (!verb_has(run, "processor.set.length"))
		verb_refuse(run, "--length is missing: how long is a file to be?");
	verb_items_named(run, names, count, "file", VERB_LINKS_FOLLOWED);
}

const struct verb verb_truncate = {
	.name = "truncate",
	.full_name = (char[]){"iobatch truncate"},
	.processor = "set",
	.arguments = "--length=SIZE PATH...\n--length=SIZE --files-from=FILE",
	.summary = "make files shorter, or longer by a hole",
	.doc = "Make files as long as is said: shorter, or longer by a hole at the end.\v"
	       "Examples:\n"
	       "  iobatch truncate --length=0 *.log\n"
	       "  iobatch truncate --length=10GiB disk.img\n" VERB_EXIT_STATUS,
	.groups = {{"Length:", truncate_options}, GROUPS},
	.build = build_truncate,
};

static void build_sync(struct verb_run *run, char **names, size_t count)
{
	verb_put(run, "processor.set.sync", "yes");
	verb_items_named(run, names, count, "file,directory", VERB_LINKS_FOLLOWED);
}

const struct verb verb_sync = {
	.name = "sync",
	.full_name = (char[]){"iobatch sync"},
	.processor = "set",
	.arguments = ARGUMENTS,
	.summary = "make files durable",
	.doc = "Make files durable: their content and their attributes (fsync).\v"
	       "Examples:\n"
	       "  iobatch sync database/*.wal\n"
	       "  iobatch sync --recursive /backup/photos\n" VERB_EXIT_STATUS,
	.groups = {GROUPS},
	.build = build_sync,
};

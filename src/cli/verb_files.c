/* SPDX-License-Identifier: MIT */
/* `iobatch stat`, `iobatch read`, `iobatch write` and `iobatch rename`. */
#include "cli/verb.h"
#include "cli/verbs.h"

#include <string.h>
#include <unistd.h>

static const struct verb_option stat_options[] = {
	{"format", 0, "FORMAT", "json, an object a line, or table (table on a terminal)",
         VERB_VALUE, ".format", NULL},
	{"report", 0, "FILE", "Write the lines to FILE, whole at the end (stdout)", VERB_VALUE,
         ".report", NULL},
	{0},
};

static void build_stat(struct verb_run *run, char **names, size_t count)
{
	verb_items_named(run, names, count, "file,directory,symlink,other", VERB_LINKS_THEMSELVES);
	verb_put_default(run, "processor.stat.format", isatty(STDOUT_FILENO) ? "table" : "json");
	verb_put_default(run, "processor.stat.report", "-");
}

const struct verb verb_stat = {
	.name = "stat",
	.full_name = (char[]){"iobatch stat"},
	.processor = "stat",
	.arguments = "PATH...\n--files-from=FILE",
	.summary = "print the attributes of files",
	.doc = "Print the attributes of files: of symbolic links their own.\v"
	       "Examples:\n"
	       "  iobatch stat /etc/passwd /etc/group\n"
	       "  iobatch stat --recursive --format=json --types=file /usr/share | jq "
	       ".size\n" VERB_EXIT_STATUS,
	.groups =
		{{"Output:", stat_options}, VERB_RECURSION, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build_stat,
};

static const struct verb_option read_options[] = {
	{"direct", 0, NULL, "Read past the page cache, from the disk itself (O_DIRECT)", VERB_FIXED,
         ".direct", "yes"},
	{"report", 0, "FILE", "Write what cannot be read to FILE (stdout)", VERB_VALUE, ".report",
         NULL},
	{"block-size", 0, "SIZE", "Bytes that are read at once (128KiB)", VERB_VALUE, ".block_size",
         NULL},
	{"depth", 0, "N", "Blocks of one file in flight (4)", VERB_VALUE, ".depth", NULL},
	{0},
};

static void build_read(struct verb_run *run, char **names, size_t count)
{
	verb_items(run, names, count, "a PATH");
	verb_put_default(run, "processor.read.scrub", "yes");
	verb_put_default(run, "processor.read.report", "-");
}

const struct verb verb_read = {
	.name = "read",
	.full_name = (char[]){"iobatch read"},
	.processor = "read",
	.arguments = "PATH...\n--files-from=FILE",
	.summary = "read everything, and say where a disk cannot",
	.doc = "Read every byte of files, and print each range that cannot be read.\v"
	       "Goes on behind what cannot be read. A line for each range: PATH: OFFSET\n"
	       "+LENGTH: ERROR.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch read --direct /srv\n"
	       "  iobatch read --timeout-ms=60000 --report=bad-blocks /srv\n" VERB_EXIT_STATUS,
	.groups = {{"Reading:", read_options}, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build_read,
};

static const struct verb_option write_options[] = {
	{"length", 'l', "SIZE", "Bytes of each file, such as 1MiB; required", VERB_VALUE, ".length",
         NULL},
	{"count", 0, "N", "So many files: PATH then has {index} in it", VERB_NOTE, NULL, NULL},
	{"seed", 0, "N", "Another seed makes other bytes (0)", VERB_VALUE, ".seed", NULL},
	{"manifest", 'm', "FILE", "Write the digests to FILE, whole at the end", VERB_VALUE,
         ".manifest", NULL},
	{"algorithm", 'a', "NAME", "Of the digests (xxh3)", VERB_VALUE, ".algorithm", NULL},
	{"existing", 0, "WHAT", "What is there already: replace, skip or fail (fail)", VERB_VALUE,
         ".existing", NULL},
	{"fsync", 0, "WHAT", "Make durable: none, data or full (none)", VERB_VALUE, ".fsync", NULL},
	{"direct", 0, NULL, "Write past the page cache (O_DIRECT)", VERB_FIXED, ".direct", "yes"},
	{"block-size", 0, "SIZE", "Bytes that are written at once (128KiB)", VERB_VALUE,
         ".block_size", NULL},
	{"depth", 0, "N", "Blocks of one file in flight (4)", VERB_VALUE, ".depth", NULL},
	{0},
};

static void build_write(struct verb_run *run, char **names, size_t count)
{
	const char *files = verb_noted(run, "count");

	if (!verb_has(run, "processor.fill.length"))
		verb_refuse(run, "--length is missing: how large is a file to be?");
	if (!count || !*names[0])
		verb_refuse(run, "a PATH is missing");
	if (!files) {
		for (size_t i = 0; i < count; i++)
			verb_append(run, "items.list.names", names[i]);
		return;
	}
	if (count > 1)
		verb_refuse(run, "with --count there is one PATH, with {index} in it");
	verb_put(run, "items.series.path", names[0]);
	verb_put_noted(run, "count", "items.series.count");
}

const struct verb verb_write = {
	.name = "write",
	.full_name = (char[]){"iobatch write"},
	.processor = "fill",
	.arguments = "PATH...",
	.summary = "make files of bytes that can be verified later",
	.doc = "Make files of bytes that come from a seed, and that nothing can compress.\v"
	       "With --count, PATH is a template: {index} becomes 0, 1, 2 ..., and {index:6}\n"
	       "000000, 000001 ...\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch write --length=1GiB --fsync=data big\n"
	       "  iobatch write --length=4KiB --count=10000 --manifest=m 'small/{index:5}'\n"
	       "  iobatch verify --quiet m\n" VERB_EXIT_STATUS,
	.groups = {{"Writing:", write_options}, VERB_COMMON},
	.build = build_write,
};

static const struct verb_option rename_options[] = {
	{"to", 0, "TEMPLATE", "What a name becomes, with {name}, {stem}, {index}, {1}; required",
         VERB_VALUE, ".to", NULL},
	{"match", 0, "REGEX", "Only names that match; its groups are {1} to {9}", VERB_VALUE,
         ".match", NULL},
	{"existing", 0, "WHAT", "What is there already: replace, skip or fail (fail)", VERB_VALUE,
         ".existing", NULL},
	{0},
};

static void build_rename(struct verb_run *run, char **names, size_t count)
{
	if (!verb_has(run, "processor.rename.to"))
		verb_refuse(run, "--to is missing: what is a name to become?");
	verb_items_named(run, names, count, "file", VERB_LINKS_THEMSELVES);
}

const struct verb verb_rename = {
	.name = "rename",
	.full_name = (char[]){"iobatch rename"},
	.processor = "rename",
	.arguments = "--to=TEMPLATE PATH...\n--to=TEMPLATE --files-from=FILE",
	.summary = "rename files by a pattern, within their directories",
	.doc = "Rename files by a pattern, each within its directory.\v"
	       "{name} is the name, {stem} the name without its last suffix, {index} the\n"
	       "item's place from 0, and {1} to {9} are the groups of --match, an extended\n"
	       "regular expression. Nothing is overwritten unless --existing=replace says so.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch rename --to='{stem}.jpg' *.jpeg\n"
	       "  iobatch rename -r --match='^(.*)\\.JPG$' --to='{1}.jpg' --dry-run "
	       "photos\n" VERB_EXIT_STATUS,
	.groups =
		{{"Names:", rename_options}, VERB_RECURSION, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build_rename,
};

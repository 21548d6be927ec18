/* SPDX-License-Identifier: MIT */
/* Options that verbs share: see verb.h. */
#include "cli/verb.h"

const struct verb_option verb_common_options[] = {
	{"batch-size", 0, "N", "Items of a batch (64)", VERB_VALUE, "options.batch_size", NULL},
	{"max-concurrent", 0, "N", "Batches in flight at once (8)", VERB_VALUE,
         "options.max_concurrent", NULL},
	{"delay-ms", 0, "MS", "Pause between the items of a window (0)", VERB_VALUE,
         "options.delay_ms", NULL},
	{"timeout-ms", 0, "MS", "Deadline of one attempt at an item (none)", VERB_VALUE,
         "options.timeout_ms", NULL},
	{"retries", 0, "N", "Attempts after the first (0)", VERB_VALUE, "options.retries", NULL},
	{"executor", 'e', "NAME", "auto, ring, syscall or simulated", VERB_VALUE,
         "options.executor", NULL},
	{"rings", 0, "N", "Rings with a thread each, or auto for one per CPU (1)", VERB_VALUE,
         "options.rings", NULL},
	{"set", 's', "KEY=VALUE", "Put VALUE in place of what the job has at KEY", VERB_SET, NULL,
         NULL},
	{"progress", PERFORM_PROGRESS, "HOW", "On stderr: bar, json, none or auto", VERB_PERFORM,
         NULL, NULL},
	{"result", PERFORM_RESULT_WITHOUT_LETTER, "FILE",
         "Write the result as JSON to FILE (- is stdout)", VERB_PERFORM, NULL, NULL},
	{"list-successful", PERFORM_LIST_SUCCESSFUL, NULL,
         "List the successful items in the result too", VERB_PERFORM, NULL, NULL},
	{"dry-run", PERFORM_DRY_RUN, NULL, "Print what would be done, and touch nothing",
         VERB_PERFORM, NULL, NULL},
	{"print-job", PERFORM_PRINT_JOB, NULL,
         "Print the job that this stands for, and touch nothing", VERB_PERFORM, NULL, NULL},
	{0},
};

const struct verb_option verb_filter_options[] = {
	{"types", 't', "LIST", "file, directory, symlink, other; with commas", VERB_WORDS,
         "items.walk.types", NULL},
	{"include", 0, "PATTERN", "Only names that match (again: or this one)", VERB_ENTRY,
         "items.walk.include", NULL},
	{"exclude", 0, "PATTERN", "Not names that match, nor what is in them", VERB_ENTRY,
         "items.walk.exclude", NULL},
	{"include-path", 0, "PATTERN", "The same for the path below PATH; ** is any depth",
         VERB_ENTRY, "items.walk.include_paths", NULL},
	{"exclude-path", 0, "PATTERN", "The same for the path below PATH; ** is any depth",
         VERB_ENTRY, "items.walk.exclude_paths", NULL},
	{"min-size", 0, "SIZE", "Files of at least SIZE, such as 64KiB", VERB_VALUE,
         "items.walk.min_size", NULL},
	{"max-size", 0, "SIZE", "Files of at most SIZE", VERB_VALUE, "items.walk.max_size", NULL},
	{"older-than", 0, "AGE", "Modified longer ago than AGE, such as 7d", VERB_VALUE,
         "items.walk.older_than", NULL},
	{"newer-than", 0, "AGE", "Modified less long ago than AGE", VERB_VALUE,
         "items.walk.newer_than", NULL},
	{"min-depth", 0, "N", "At least N levels below PATH, which is at 0", VERB_VALUE,
         "items.walk.min_depth", NULL},
	{"max-depth", 0, "N", "At most N levels below PATH", VERB_VALUE, "items.walk.max_depth",
         NULL},
	{"one-file-system", 'x', NULL, "Do not enter other file systems", VERB_FIXED,
         "items.walk.one_file_system", "yes"},
	{"cross-file-systems", 0, NULL, "Do enter them, where that is not the default", VERB_FIXED,
         "items.walk.one_file_system", "no"},
	{"order", 0, "ORDER", "name, found, inode or size", VERB_VALUE, "items.walk.order", NULL},
	{0},
};

const struct verb_option verb_list_options[] = {
	{"files-from", 0, "FILE", "Names from FILE (- is stdin), a line each", VERB_NOTE, NULL,
         NULL},
	{"null", '0', NULL, "They end in NUL, as find -print0 writes them", VERB_NOTE, NULL, NULL},
	{"column", 0, "N", "They are the Nth column of a line, from 1", VERB_NOTE, NULL, NULL},
	{"delimiter", 0, "C", "What parts the columns (a tab)", VERB_NOTE, NULL, NULL},
	{"root", 0, "DIR", "They are below DIR, and none may lead out of it (.)", VERB_NOTE, NULL,
         NULL},
	{0},
};

const struct verb_option verb_recursive_options[] = {
	{"recursive", 'r', NULL, "What is in the directories too", VERB_NOTE, NULL, NULL},
	{0},
};

/* SPDX-License-Identifier: MIT */
/*
 * Verbs: commands that stand for a job. A verb is a table of options, each of which says where in
 * the job its value goes, and a function that places the arguments. What comes of it is the tree of
 * a job file, which is loaded and carried out as that of `iobatch run` is: a verb has no way of its
 * own to do anything.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "cli/perform.h"

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

struct tree_node;

/* What an option does with its value. */
enum verb_put {
	VERB_VALUE,   /* puts it at the path */
	VERB_FIXED,   /* puts `value` there; the option has no argument */
	VERB_WORDS,   /* appends each of the words between its commas to the list there */
	VERB_HALT,    /* takes it apart, below the path: "N", "P%", ",soon" behind it */
	VERB_ENTRY,   /* appends it to the list there */
	VERB_NOTE,    /* keeps it for the verb's function: verb_noted() */
	VERB_PERFORM, /* is perform_parse()'s, by `key` */
	VERB_SET,     /* is --set */
};

struct verb_option {
	const char *name; /* NULL ends the table */
	int key;          /* its letter; 0 = none */
	const char *argument;
	const char *help;
	enum verb_put put;
	const char *path; /* in the job; ".x" is key x of the verb's processor */
	const char *value;
};

struct verb_group {
	const char *header;
	const struct verb_option *options;
};

#define VERB_GROUPS_MAX 6u
#define VERB_NOTES_MAX 8u

struct verb_run;

struct verb {
	const char *name;
	char *full_name;       /* "iobatch NAME" */
	const char *processor; /* the key of the job's processor */
	const char *arguments; /* as in the usage: "SRC... DST" */
	const char *summary;   /* one line, for the list of commands */
	const char *doc;       /* as argp takes it */
	struct verb_group groups[VERB_GROUPS_MAX];
	/* Places the arguments in the job. Reports what is wrong by verb_refuse(). */
	void (*build)(struct verb_run *run, char **names, size_t count);
};

/* One call of a verb. */
struct verb_run {
	const struct verb *verb;
	struct perform perform;
	struct tree_node *tree;
	const char **sets;
	size_t sets_count;
	char **names; /* the arguments that are no options */
	size_t names_count;
	struct argp_option *options; /* of argp, made from the verb's */
	const struct verb_option *
		*by_key; /* of the options without a letter, from VERB_KEY_FIRST on */
	struct {
		const char *name;
		const char *value;
	} notes[VERB_NOTES_MAX];
	unsigned notes_count;
	struct argp_state *state;
	char *recalled; /* NULL: there is no journal to go on with */
};

/* Runs a verb with its arguments, from its own name on. Returns the exit code. */
int verb_main(const struct verb *verb, int argc, char **argv);

/* For `build`. What has no memory ends the command. */

/* Ends the command with a message about its usage. */
void verb_refuse(struct verb_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* The value of an option of VERB_NOTE ("" when it takes none); NULL when it was not given. */
const char *verb_noted(const struct verb_run *run, const char *name);
/* Puts a value at a path of the job; the second only where nothing has been put yet. */
void verb_put(struct verb_run *run, const char *path, const char *value);
void verb_put_default(struct verb_run *run, const char *path, const char *value);
/* The same as verb_put(), of an argument that errors call `name`. */
void verb_put_named(struct verb_run *run, const char *path, const char *name, const char *value);
/* Puts the value of an option of VERB_NOTE, if it was given. */
void verb_put_noted(struct verb_run *run, const char *name, const char *path);
void verb_append(struct verb_run *run, const char *path, const char *value);
/* Appends the words, separated by commas, where nothing has been put yet. */
void verb_words_default(struct verb_run *run, const char *path, const char *words);
/*
 * Whether the run goes on with a journal in which is written how it was decided what the state of
 * the destination decides; `word` of it: see durable_recall().
 */
bool verb_resumes(const struct verb_run *run);
bool verb_recalls(const struct verb_run *run, const char *word);
bool verb_has(const struct verb_run *run, const char *path);

/*
 * Where the items of most verbs come from: the trees of the names, or the list of --files-from,
 * which is then to be the only one. `what` is what a name is, for messages.
 */
void verb_items(struct verb_run *run, char **names, size_t count, const char *what);
/* What a symbolic link is that is named. */
enum verb_links {
	VERB_LINKS_THEMSELVES,
	VERB_LINKS_FOLLOWED, /* what it leads to, unless --recursive or --no-dereference is given */
};

/* The same, of the names only themselves unless --recursive; and the types that are meant then. */
void verb_items_named(struct verb_run *run, char **names, size_t count, const char *types,
                      enum verb_links links);

/* Options that several verbs have. */
extern const struct verb_option verb_common_options[];
extern const struct verb_option verb_filter_options[];
extern const struct verb_option verb_list_options[];
extern const struct verb_option verb_recursive_options[];

#define VERB_COMMON                             \
	{                                       \
		"Running:", verb_common_options \
	}
#define VERB_FILTERS                                                  \
	{                                                             \
		"Which of what is in the trees:", verb_filter_options \
	}
#define VERB_LISTS                                              \
	{                                                       \
		"Names from a list instead:", verb_list_options \
	}
#define VERB_RECURSION                                            \
	{                                                         \
		"What is in directories:", verb_recursive_options \
	}

/* How all of them end: the last part of each `doc`. */
#define VERB_EXIT_STATUS                                                                   \
	"\n"                                                                               \
	"Exit status: 0 all succeeded; 1 some failed, or could not be looked for, or an\n" \
	"output could not be written; 2 wrong arguments; 3 this machine cannot run it\n"   \
	"(see iobatch doctor), or the journal cannot be written; 4 the journal cannot\n"   \
	"be used; 5 halted, because too many failed or did not answer. See iobatch(1)."

#endif

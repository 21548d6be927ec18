/* SPDX-License-Identifier: MIT */
/* From the arguments of a verb to its job, and on: see verb.h. */
#include "cli/verb.h"

#include "cli/cli.h"
#include "job/job.h"
#include "job/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options without a letter have the keys from here on, below those of perform_parse(). */
#define VERB_KEY_FIRST 256
#define VERB_KEYS_MAX (PERFORM_LIST_SUCCESSFUL - VERB_KEY_FIRST)

/* Ends the command when there was no memory. */
static void must(int err)
{
	if (!err)
		return;
	cli_complain("out of memory");
	exit(CLI_MACHINE);
}

static void *must_have(void *memory)
{
	must(memory ? 0 : -ENOMEM);
	return memory;
}

void verb_refuse(struct verb_run *run, const char *format, ...)
{
	va_list arguments;
	char *message = NULL;
	int length;

	va_start(arguments, format);
	length = vasprintf(&message, format, arguments);
	va_end(arguments);
	must(length < 0 ? -ENOMEM : 0);
	argp_error(run->state, "%s", message);
	exit(CLI_USAGE);
}

const char *verb_noted(const struct verb_run *run, const char *name)
{
	for (unsigned i = 0; i < run->notes_count; i++)
		if (!strcmp(run->notes[i].name, name))
			return run->notes[i].value;
	return NULL;
}

bool verb_has(const struct verb_run *run, const char *path)
{
	return tree_find(run->tree, path, NULL);
}

bool verb_resumes(const struct verb_run *run)
{
	return run->recalled;
}

bool verb_recalls(const struct verb_run *run, const char *word)
{
	return run->recalled && strstr(run->recalled, word);
}

void verb_put(struct verb_run *run, const char *path, const char *value)
{
	must(tree_put(run->tree, path, "", value));
}

void verb_put_named(struct verb_run *run, const char *path, const char *name, const char *value)
{
	must(tree_put(run->tree, path, name, value));
}

void verb_put_default(struct verb_run *run, const char *path, const char *value)
{
	if (!verb_has(run, path))
		verb_put(run, path, value);
}

void verb_put_noted(struct verb_run *run, const char *name, const char *path)
{
	const char *value = verb_noted(run, name);
	char *argument;

	if (!value)
		return;
	must(asprintf(&argument, "--%s", name) < 0 ? -ENOMEM : 0);
	must(tree_put(run->tree, path, argument, value));
	free(argument);
}

void verb_append(struct verb_run *run, const char *path, const char *value)
{
	must(tree_append(run->tree, path, "", value));
}

/* The words between commas; no words make an empty list. */
static void append_words(struct verb_run *run, const char *path, const char *argument,
                         const char *words)
{
	must(tree_put_list(run->tree, path, argument));
	while (*words) {
		size_t length = strcspn(words, ",");
		char *word = must_have(strndup(words, length));

		must(tree_append(run->tree, path, argument, word));
		free(word);
		words += length;
		words += *words == ',';
	}
}

void verb_words_default(struct verb_run *run, const char *path, const char *words)
{
	if (!verb_has(run, path))
		append_words(run, path, "", words);
}

static void add_set(struct verb_run *run, const char *set)
{
	run->sets = must_have(reallocarray(run->sets, run->sets_count + 2, sizeof(*run->sets)));
	run->sets[run->sets_count++] = set;
	run->sets[run->sets_count] = NULL;
}

static void add_note(struct verb_run *run, const char *name, const char *value)
{
	unsigned place = 0;

	while (place < run->notes_count && strcmp(run->notes[place].name, name))
		place++;
	assert(place < VERB_NOTES_MAX);
	run->notes[place].name = name;
	run->notes[place].value = value ? value : "";
	run->notes_count += place == run->notes_count;
}

/* "10", "5%", "10,soon": how many may fail, or which part, and how the run then ends. */
static void put_halt(struct verb_run *run, const char *argument, const char *value)
{
	size_t length = strcspn(value, ",");
	bool is_part = length && value[length - 1] == '%';
	char *count = must_have(strndup(value, length - is_part));

	must(tree_put(run->tree,
	              is_part ? "options.halt.after_percent" : "options.halt.after_failures",
	              argument, count));
	free(count);
	if (value[length])
		must(tree_put(run->tree, "options.halt.how", argument, value + length + 1));
}

static void take_option(struct verb_run *run, const struct verb_option *option, char *value)
{
	char *path = NULL, *argument;

	if (option->put == VERB_NOTE) {
		add_note(run, option->name, value);
		return;
	}
	if (option->put == VERB_SET) {
		add_set(run, value);
		return;
	}
	must(asprintf(&argument, "--%s", option->name) < 0 ? -ENOMEM : 0);
	if (*option->path == '.')
		must(asprintf(&path, "processor.%s%s", run->verb->processor, option->path) < 0
		             ? -ENOMEM
		             : 0);
	else
		path = must_have(strdup(option->path));
	if (option->put == VERB_WORDS)
		append_words(run, path, argument, value);
	else if (option->put == VERB_HALT)
		put_halt(run, argument, value);
	else if (option->put == VERB_ENTRY)
		must(tree_append(run->tree, path, argument, value));
	else
		must(tree_put(run->tree, path, argument,
		              option->put == VERB_FIXED ? option->value : value));
	free(argument);
	free(path);
}

/* The option of a key of argp, or NULL. */
static const struct verb_option *find_option(const struct verb *verb, const struct verb_run *run,
                                             int key)
{
	if (key >= VERB_KEY_FIRST && key < VERB_KEY_FIRST + VERB_KEYS_MAX)
		return run->by_key[key - VERB_KEY_FIRST];
	for (unsigned i = 0; i < VERB_GROUPS_MAX && verb->groups[i].options; i++)
		for (const struct verb_option *option = verb->groups[i].options; option->name;
		     option++)
			if (option->key == key && option->put != VERB_PERFORM)
				return option;
	return NULL;
}

/* The journal of --journal, when the run goes on with it. */
static void recall(struct verb_run *run)
{
	const struct durable_wish *wish = &run->perform.durable_wish;
	const struct tree_node *file = tree_find(run->tree, "options.journal.file", NULL);

	if (file && (wish->resume || wish->failed_only))
		run->recalled = durable_recall(file->value);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct verb_run *run = state->input;
	const struct verb_option *option;
	error_t err;

	if (key == ARGP_KEY_ARG) {
		run->names[run->names_count++] = argument;
		return 0;
	}
	option = find_option(run->verb, run, key);
	if (option) {
		take_option(run, option, argument);
		return 0;
	}
	err = perform_parse(&run->perform, key, argument, state);
	if (key == ARGP_KEY_SUCCESS && !err) {
		if (verb_has(run, "options.journal.sync") && !run->sets_count &&
		    !verb_has(run, "options.journal.file"))
			argp_error(state, "--journal-sync needs --journal=FILE");
		run->state = state;
		recall(run);
		run->verb->build(run, run->names, run->names_count);
	}
	return err;
}

/* The verb's options as argp takes them: each group with its header. */
static void make_options(struct verb_run *run)
{
	const struct verb *verb = run->verb;
	size_t count = 0, place = 0, without = 0;

	for (unsigned i = 0; i < VERB_GROUPS_MAX && verb->groups[i].options; i++) {
		count++;
		for (const struct verb_option *option = verb->groups[i].options; option->name;
		     option++)
			count++;
	}
	run->options = must_have(calloc(count + 1, sizeof(*run->options)));
	run->by_key = must_have(calloc(VERB_KEYS_MAX, sizeof(*run->by_key)));
	for (unsigned i = 0; i < VERB_GROUPS_MAX && verb->groups[i].options; i++) {
		run->options[place++] =
			(struct argp_option){.doc = verb->groups[i].header, .group = (int)i + 1};
		for (const struct verb_option *option = verb->groups[i].options; option->name;
		     option++) {
			int key = option->key;

			if (!key) {
				run->by_key[without] = option;
				key = VERB_KEY_FIRST + (int)without++;
			}
			run->options[place++] = (struct argp_option){.name = option->name,
			                                             .key = key,
			                                             .arg = option->argument,
			                                             .doc = option->help,
			                                             .group = (int)i + 1};
		}
	}
}

/* What every job of the verb has, in the order in which it is to be read. */
static void begin_tree(struct verb_run *run)
{
	char *path;

	run->tree = must_have(tree_new());
	must(asprintf(&path, "processor.%s", run->verb->processor) < 0 ? -ENOMEM : 0);
	must(tree_put(run->tree, "job", "", run->verb->name));
	must(tree_put_mapping(run->tree, "items", ""));
	must(tree_put_mapping(run->tree, path, ""));
	free(path);
}

static int load_and_perform(struct verb_run *run)
{
	struct job *job;
	char *message;
	int err = job_load_tree(run->tree, run->sets, &job, &message);
	int code;

	run->tree = NULL;
	if (err) {
		cli_complain_free(message);
		return err == -ENOMEM ? CLI_MACHINE : CLI_USAGE;
	}
	code = perform_job(&run->perform, job);
	job_free(job);
	return code;
}

int verb_main(const struct verb *verb, int argc, char **argv)
{
	struct verb_run run = {.verb = verb, .perform = {.mode = PROGRESS_AUTO}};
	struct argp argp = {.parser = parse_option, .args_doc = verb->arguments, .doc = verb->doc};
	int code = CLI_USAGE;

	run.names = must_have(calloc((size_t)argc + 1, sizeof(*run.names)));
	make_options(&run);
	begin_tree(&run);
	argp.options = run.options;
	if (!argp_parse(&argp, argc, argv, 0, NULL, &run))
		code = load_and_perform(&run);
	tree_free(run.tree);
	free(run.sets);
	free(run.names);
	free(run.options);
	free(run.recalled);
	free(run.by_key);
	return code;
}

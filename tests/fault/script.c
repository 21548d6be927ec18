/* SPDX-License-Identifier: MIT */
/*
 * The script of faultfs: rules of the form
 *
 *     OP PATTERN ACTION [VALUE] [after N] [times N]
 *
 * OP is a request's name, or * for each; PATTERN is matched as fnmatch(3) does against the path
 * below the root, or against its last component when it has no slash. The first rule that matches
 * and has not been used up is the one that counts. Knows nothing of FUSE.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

static const char *const op_names[FAULT_OP_COUNT] = {
	[FAULT_LOOKUP] = "lookup",       [FAULT_GETATTR] = "getattr", [FAULT_SETATTR] = "setattr",
	[FAULT_READLINK] = "readlink",   [FAULT_MKNOD] = "mknod",     [FAULT_MKDIR] = "mkdir",
	[FAULT_UNLINK] = "unlink",       [FAULT_RMDIR] = "rmdir",     [FAULT_SYMLINK] = "symlink",
	[FAULT_RENAME] = "rename",       [FAULT_LINK] = "link",       [FAULT_OPEN] = "open",
	[FAULT_CREATE] = "create",       [FAULT_READ] = "read",       [FAULT_WRITE] = "write",
	[FAULT_FLUSH] = "flush",         [FAULT_RELEASE] = "release", [FAULT_FSYNC] = "fsync",
	[FAULT_FALLOCATE] = "fallocate", [FAULT_OPENDIR] = "opendir", [FAULT_READDIR] = "readdir",
	[FAULT_FSYNCDIR] = "fsyncdir",   [FAULT_STATFS] = "statfs",
};

static const struct {
	const char *name;
	enum fault_action action;
	bool has_value;
} actions[] = {
	{"delay", FAULT_DELAY, true},
	{"hang", FAULT_HANG, false},
	{"hang-ignore", FAULT_HANG_IGNORE, false},
	{"error", FAULT_ERROR, true},
	{"short", FAULT_SHORT, true},
	{"flip", FAULT_FLIP, true},
	{"kill", FAULT_KILL, false},
};

const char *fault_op_name(enum fault_op op)
{
	return op_names[op];
}

static bool number_of(const char *word, uint64_t *ret_number)
{
	unsigned long long number;
	char *end;

	if (!word || *word < '0' || *word > '9')
		return false;
	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || *end)
		return false;
	*ret_number = number;
	return true;
}

static bool errno_of(const char *word, uint64_t *ret_number)
{
	for (int number = 1; word && number < 134; number++) {
		const char *name = strerrorname_np(number);

		if (name && !strcmp(name, word)) {
			*ret_number = (uint64_t)number;
			return true;
		}
	}
	return false;
}

static bool op_of(const char *word, struct fault_rule *rule)
{
	rule->any_op = !strcmp(word, "*");
	if (rule->any_op)
		return true;
	for (unsigned i = 0; i < FAULT_OP_COUNT; i++) {
		if (!strcmp(word, op_names[i])) {
			rule->op = (enum fault_op)i;
			return true;
		}
	}
	return false;
}

static bool action_of(const char *word, char **rest, struct fault_rule *rule)
{
	for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(word, actions[i].name) != 0)
			continue;
		rule->action = actions[i].action;
		if (!actions[i].has_value)
			return true;
		word = strtok_r(NULL, " \t", rest);
		return rule->action == FAULT_ERROR ? errno_of(word, &rule->value)
		                                   : number_of(word, &rule->value);
	}
	return false;
}

/* Returns what is wrong with the line, NULL when nothing is. */
static const char *parse_line(char *line, struct fault_rule *rule)
{
	char *rest;
	char *op = strtok_r(line, " \t", &rest);
	char *pattern = strtok_r(NULL, " \t", &rest);
	char *action = strtok_r(NULL, " \t", &rest);
	char *word;

	*rule = (struct fault_rule){.times = UINT64_MAX};
	if (!op || !pattern || !action)
		return "a rule is: OP PATTERN ACTION [VALUE] [after N] [times N]";
	if (!op_of(op, rule))
		return "no such op";
	if (strlen(pattern) >= sizeof(rule->pattern))
		return "the pattern is too long";
	strcpy(rule->pattern, pattern);
	if (!action_of(action, &rest, rule))
		return "no such action, or its value is wrong";
	while ((word = strtok_r(NULL, " \t", &rest))) {
		uint64_t *number = !strcmp(word, "after")   ? &rule->after
		                   : !strcmp(word, "times") ? &rule->times
		                                            : NULL;

		if (!number || !number_of(strtok_r(NULL, " \t", &rest), number))
			return "behind the action only `after N` and `times N` can stand";
	}
	return NULL;
}

int fault_script_add(struct fault_script *script, const char *text, char *error, size_t size)
{
	unsigned count = script->count, number = 0;
	const char *wrong = NULL;
	char *copy = strdup(text);
	char *rest = copy;
	char *line;

	if (!copy)
		return -ENOMEM;
	while (!wrong && (line = strsep(&rest, "\n"))) {
		number++;
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (count == FAULT_RULES_MAX)
			wrong = "too many rules";
		else
			wrong = parse_line(line, &script->rules[count++]);
	}
	free(copy);
	if (wrong) {
		snprintf(error, size, "line %u: %s", number, wrong);
		return -EINVAL;
	}
	script->count = count;
	return 0;
}

static bool matches(const struct fault_rule *rule, enum fault_op op, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!rule->any_op && rule->op != op)
		return false;
	/* Nobody asks for a release: the kernel tells of it, and does not say for whom. */
	if (rule->action == FAULT_KILL && op == FAULT_RELEASE)
		return false;
	if (slash && !strchr(rule->pattern, '/'))
		path = slash + 1;
	return fnmatch(rule->pattern, path, 0) == 0;
}

enum fault_action fault_script_match(struct fault_script *script, enum fault_op op,
                                     const char *path, uint64_t *ret_value)
{
	for (unsigned i = 0; i < script->count; i++) {
		struct fault_rule *rule = &script->rules[i];

		if (rule->times == 0 || !matches(rule, op, path))
			continue;
		if (rule->after > 0) {
			rule->after--;
			continue;
		}
		if (rule->times != UINT64_MAX)
			rule->times--;
		*ret_value = rule->value;
		return rule->action;
	}
	return FAULT_NONE;
}

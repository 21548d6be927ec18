/* SPDX-License-Identifier: MIT */
/*
 * Changing a tree by `--set`, and putting one together: see tree.h. A value that is put in place
 * carries the key of its --set with all below it, or the name of its argument, so that errors can
 * name it.
 */
#include "job/tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail_set(const char *path, const char *what, char **ret_error)
{
	char *message;

	if (asprintf(&message, "--set %s: %s", path, what) < 0)
		return -ENOMEM;
	*ret_error = message;
	return -EINVAL;
}

static int mark(struct tree_node *node, const char *path)
{
	node->set = strdup(path);
	if (!node->set)
		return -ENOMEM;
	for (unsigned i = 0; i < node->count; i++)
		if (mark(node->children[i], path))
			return -ENOMEM;
	return 0;
}

static struct tree_node *new_node(enum tree_kind kind, const char *value)
{
	struct tree_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	if (value) {
		node->value = strdup(value);
		if (!node->value) {
			free(node);
			return NULL;
		}
	}
	return node;
}

/* The value of a --set as a tree of its own, marked. */
static int parse_value(const char *path, const char *text, struct tree_node **ret_node,
                       char **ret_error)
{
	struct tree_node *node = NULL;
	char *problem = NULL;
	int err;

	if ((*text && strchr("[{\"'", *text)) || !strncmp(text, "!bytes ", strlen("!bytes "))) {
		err = tree_parse("value", text, strlen(text), &node, &problem);
		if (err == -EINVAL) {
			/* "value:2: what": the place says nothing that the value does not. */
			const char *what = strstr(problem, ": ") + 2;
			char *message;

			if (asprintf(&message,
			             "%s; quote it to have it taken as it stands: '\"...\"'",
			             what) < 0)
				message = NULL;
			free(problem);
			if (!message)
				return -ENOMEM;
			err = fail_set(path, message, ret_error);
			free(message);
		}
		if (err)
			return err;
	} else {
		node = new_node(TREE_SCALAR, text);
		if (!node)
			return -ENOMEM;
	}
	err = mark(node, path);
	if (err) {
		tree_free(node);
		return err;
	}
	*ret_node = node;
	return 0;
}

/* Adds a child to a mapping under a key; takes over the child when it succeeds. */
static int add_child(struct tree_node *mapping, const char *key, size_t length,
                     struct tree_node *child)
{
	struct tree_node **children =
		reallocarray(mapping->children, mapping->count + 1u, sizeof(*children));
	char *copy;

	if (!children)
		return -ENOMEM;
	mapping->children = children;
	mapping->capacity = mapping->count + 1;
	copy = strndup(key, length);
	if (!copy)
		return -ENOMEM;
	child->key = copy;
	children[mapping->count++] = child;
	return 0;
}

/*
 * Wraps `node` in the mappings that are missing: for the keys "b.c" the result is {b: {c: node}}
 * without its outermost key, which is left to the caller. Takes over `node`.
 */
static struct tree_node *wrap(struct tree_node *node, const char *set, const char *keys)
{
	size_t length = strcspn(keys, ".");
	struct tree_node *outer;

	if (!keys[length])
		return node;
	node = wrap(node, set, keys + length + 1);
	if (!node)
		return NULL;
	outer = new_node(TREE_MAPPING, NULL);
	keys += length + 1;
	if (!outer || mark(outer, set) || add_child(outer, keys, strcspn(keys, "."), node)) {
		tree_free(outer);
		tree_free(node);
		return NULL;
	}
	return outer;
}

/* Puts `value` in the place of `old` and frees that. */
static void replace(struct tree_node *old, struct tree_node *value)
{
	struct tree_node swap = *old;

	*old = *value;
	*value = swap;
	old->key = value->key;
	value->key = NULL;
	tree_free(value);
}

static bool path_is_well_formed(const char *path)
{
	size_t length = strlen(path);

	return length && path[0] != '.' && path[length - 1] != '.' && !strstr(path, "..");
}

int tree_set(struct tree_node *root, const char *path, const char *value, char **ret_error)
{
	struct tree_node *node = root, *parent = root, *new = NULL;
	const char *rest = path;
	size_t levels = 1;
	int err;

	if (!path_is_well_formed(path))
		return fail_set(path, "must be keys joined by dots, such as options.batch_size=128",
		                ret_error);
	for (const char *at = path; *at; at++)
		levels += *at == '.';
	if (levels > TREE_DEPTH_MAX)
		return fail_set(path, "has too many levels", ret_error);
	/* Go down as far as the path exists. */
	while (*rest) {
		size_t length = strcspn(rest, ".");
		char *part = strndup(rest, length);

		if (!part)
			return -ENOMEM;
		node = tree_find(parent, part, NULL);
		free(part);
		if (!node)
			break;
		parent = node;
		rest += length;
		rest += *rest == '.';
	}
	if (!node && parent->kind == TREE_SEQUENCE)
		return fail_set(path,
		                "names an entry that the list does not have; they count from 0",
		                ret_error);
	if (!node && parent->kind == TREE_SCALAR)
		return fail_set(path, "goes through a value that has no keys", ret_error);
	err = parse_value(path, value, &new, ret_error);
	if (err)
		return err;
	if (node) {
		replace(node, new);
		return 0;
	}
	new = wrap(new, path, rest);
	if (!new)
		return -ENOMEM;
	err = add_child(parent, rest, strcspn(rest, "."), new);
	if (err)
		tree_free(new);
	return err;
}

struct tree_node *tree_new(void)
{
	return new_node(TREE_MAPPING, NULL);
}

/* The node at a path, made as `kind` if it is missing, with the mappings on the way. */
static int make(struct tree_node *root, const char *path, enum tree_kind kind, const char *argument,
                struct tree_node **ret_node)
{
	struct tree_node *node = root;

	while (*path) {
		size_t length = strcspn(path, ".");
		struct tree_node *child = tree_child(node, path, length);

		if (!child) {
			child = new_node(path[length] ? TREE_MAPPING : kind, NULL);
			if (!child)
				return -ENOMEM;
			child->argument = strdup(argument);
			if (!child->argument || add_child(node, path, length, child)) {
				tree_free(child);
				return -ENOMEM;
			}
		}
		node = child;
		path += length;
		path += *path == '.';
	}
	*ret_node = node;
	return 0;
}

int tree_put(struct tree_node *root, const char *path, const char *argument, const char *value)
{
	struct tree_node *node = NULL;
	char *copy = strdup(value), *name = strdup(argument);

	if (!copy || !name || make(root, path, TREE_SCALAR, argument, &node)) {
		free(copy);
		free(name);
		return -ENOMEM;
	}
	free(node->value);
	free(node->argument);
	node->value = copy;
	node->argument = name;
	return 0;
}

int tree_append(struct tree_node *root, const char *path, const char *argument, const char *value)
{
	struct tree_node *list, *entry = new_node(TREE_SCALAR, value);

	if (!entry)
		return -ENOMEM;
	entry->argument = strdup(argument);
	if (!entry->argument || make(root, path, TREE_SEQUENCE, argument, &list))
		goto fail;
	if (list->count == list->capacity) {
		unsigned capacity = list->capacity ? list->capacity * 2 : 4;
		void *children = reallocarray(list->children, capacity, sizeof(*list->children));

		if (!children)
			goto fail;
		list->children = children;
		list->capacity = capacity;
	}
	list->children[list->count++] = entry;
	return 0;
fail:
	tree_free(entry);
	return -ENOMEM;
}

int tree_enlist(struct tree_node *node)
{
	struct tree_node *entry = new_node(TREE_SCALAR, NULL);

	if (!entry)
		return -ENOMEM;
	entry->children = calloc(1, sizeof(*entry->children));
	entry->argument = node->argument ? strdup(node->argument) : NULL;
	entry->set = node->set ? strdup(node->set) : NULL;
	if (!entry->children || !entry->argument != !node->argument || !entry->set != !node->set) {
		tree_free(entry);
		return -ENOMEM;
	}
	/* The room for the list of one is the node's from now on. */
	node->children = entry->children;
	entry->children = NULL;
	entry->line = node->line;
	entry->value = node->value;
	node->value = NULL;
	node->kind = TREE_SEQUENCE;
	node->children[0] = entry;
	node->count = node->capacity = 1;
	return 0;
}

int tree_put_mapping(struct tree_node *root, const char *path, const char *argument)
{
	struct tree_node *node;

	return make(root, path, TREE_MAPPING, argument, &node);
}

int tree_put_list(struct tree_node *root, const char *path, const char *argument)
{
	struct tree_node *node;

	return make(root, path, TREE_SEQUENCE, argument, &node);
}

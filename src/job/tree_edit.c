/* SPDX-License-Identifier: MIT */
/*
 * Changing a tree by `--set`, and writing it as YAML for libcyaml: see tree.h. A value that is put
 * in place carries the key of its --set with all below it, so that errors can name it.
 */
#include "job/tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

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

	if (*text && strchr("[{\"'", *text)) {
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

/* libyaml checks what it is given, so that what it takes can be written and loaded again. */
static bool is_utf8(const char *text)
{
	yaml_event_t event;

	if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
	                                  (int)strlen(text), 1, 1, YAML_ANY_SCALAR_STYLE))
		return false;
	yaml_event_delete(&event);
	return true;
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
	if (!is_utf8(path) || !is_utf8(value))
		return fail_set(path, "must be UTF-8, as all YAML", ret_error);
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

struct text {
	char *bytes;
	size_t length;
};

static int append_text(void *context, unsigned char *bytes, size_t length)
{
	struct text *text = context;
	char *grown = realloc(text->bytes, text->length + length + 1);

	if (!grown)
		return 0;
	memcpy(grown + text->length, bytes, length);
	text->bytes = grown;
	text->length += length;
	grown[text->length] = '\0';
	return 1;
}

static int emit_scalar(yaml_emitter_t *emitter, const char *value)
{
	yaml_event_t event;

	if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)value,
	                                  (int)strlen(value), 1, 1,
	                                  YAML_DOUBLE_QUOTED_SCALAR_STYLE))
		return -ENOMEM;
	return yaml_emitter_emit(emitter, &event) ? 0 : -ENOMEM;
}

/* Depth is bounded by the parser and by tree_set(). */
static int emit_node(yaml_emitter_t *emitter, const struct tree_node *node)
{
	bool mapping = node->kind == TREE_MAPPING;
	yaml_event_t event;
	int err;

	if (node->kind == TREE_SCALAR)
		return emit_scalar(emitter, node->value);
	if (!(mapping ? yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
	                                                    YAML_FLOW_MAPPING_STYLE)
	              : yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
	                                                     YAML_FLOW_SEQUENCE_STYLE)))
		return -ENOMEM;
	if (!yaml_emitter_emit(emitter, &event))
		return -ENOMEM;
	for (unsigned i = 0; i < node->count; i++) {
		err = mapping ? emit_scalar(emitter, node->children[i]->key) : 0;
		if (!err)
			err = emit_node(emitter, node->children[i]);
		if (err)
			return err;
	}
	if (mapping)
		yaml_mapping_end_event_initialize(&event);
	else
		yaml_sequence_end_event_initialize(&event);
	return yaml_emitter_emit(emitter, &event) ? 0 : -ENOMEM;
}

int tree_emit(const struct tree_node *root, char **ret_text, size_t *ret_length)
{
	struct text text = {NULL, 0};
	yaml_emitter_t emitter;
	yaml_event_t event;
	int err = -ENOMEM;

	if (!yaml_emitter_initialize(&emitter))
		return -ENOMEM;
	yaml_emitter_set_output(&emitter, append_text, &text);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	if (!yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) ||
	    !yaml_emitter_emit(&emitter, &event) ||
	    !yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) ||
	    !yaml_emitter_emit(&emitter, &event))
		goto out;
	err = emit_node(&emitter, root);
	if (err)
		goto out;
	err = -ENOMEM;
	if (!yaml_document_end_event_initialize(&event, 1) ||
	    !yaml_emitter_emit(&emitter, &event) || !yaml_stream_end_event_initialize(&event) ||
	    !yaml_emitter_emit(&emitter, &event))
		goto out;
	*ret_text = text.bytes;
	*ret_length = text.length;
	text.bytes = NULL;
	err = 0;
out:
	yaml_emitter_delete(&emitter);
	free(text.bytes);
	return err;
}

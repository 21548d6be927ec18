/* SPDX-License-Identifier: MIT */
/*
 * Parsing of a document into a tree, and finding in it: see tree.h. The events of libyaml are
 * taken one by one with an explicit stack, so that neither depth nor aliases can make the program
 * recurse or grow. Nodes belong to their parent from the moment that they are made.
 */
#include "job/tree.h"

#include "job/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct builder {
	const char *file;
	struct tree_node *root;
	struct tree_node *stack[TREE_DEPTH_MAX];
	unsigned depth;
	char *key; /* of the mapping on top of the stack, waiting for its value */
	unsigned key_line;
	char **ret_error;
};

void tree_free(struct tree_node *node)
{
	if (!node)
		return;
	for (unsigned i = 0; i < node->count; i++)
		tree_free(node->children[i]);
	free(node->children);
	free(node->key);
	free(node->value);
	free(node->set);
	free(node->argument);
	free(node);
}

static int fail(struct builder *builder, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct builder *builder, size_t line, const char *format, ...)
{
	char *message, *whole;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&message, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	length = asprintf(&whole, "%s:%zu: %s", builder->file, line, message);
	free(message);
	if (length < 0)
		return -ENOMEM;
	*builder->ret_error = whole;
	return -EINVAL;
}

static int append(struct tree_node *parent, struct tree_node *child)
{
	if (parent->count == parent->capacity) {
		unsigned capacity = parent->capacity ? parent->capacity * 2 : 4;
		void *children =
			reallocarray(parent->children, capacity, sizeof(*parent->children));

		if (!children)
			return -ENOMEM;
		parent->children = children;
		parent->capacity = capacity;
	}
	parent->children[parent->count++] = child;
	return 0;
}

/* Hangs a new node below the top of the stack, or makes it the root. */
static int add_node(struct builder *builder, enum tree_kind kind, size_t line,
                    struct tree_node **ret_node)
{
	struct tree_node *parent = builder->depth ? builder->stack[builder->depth - 1] : NULL;
	struct tree_node *node = calloc(1, sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->line = (unsigned)line;
	if (!parent) {
		builder->root = node;
	} else if (append(parent, node)) {
		free(node);
		return -ENOMEM;
	}
	if (parent && parent->kind == TREE_MAPPING) {
		node->key = builder->key;
		node->line = builder->key_line;
		builder->key = NULL;
	}
	*ret_node = node;
	return 0;
}

static bool expects_key(const struct builder *builder)
{
	return builder->depth && builder->stack[builder->depth - 1]->kind == TREE_MAPPING &&
	       !builder->key;
}

/* The keys on the way down to the mapping that is being filled, each with a dot after it. */
static void path_to_here(const struct builder *builder, char *path, size_t size)
{
	size_t length = 0;

	path[0] = '\0';
	for (unsigned i = 1; i < builder->depth && length < size; i++) {
		const struct tree_node *node = builder->stack[i];
		int more = node->key ? snprintf(path + length, size - length, "%s.", node->key)
		                     : snprintf(path + length, size - length, "%u.",
		                                builder->stack[i - 1]->count - 1);

		length += more < 0 ? 0 : (size_t)more;
	}
}

static int take_key(struct builder *builder, const yaml_event_t *event, size_t line)
{
	const struct tree_node *mapping = builder->stack[builder->depth - 1];
	const char *key = (const char *)event->data.scalar.value;
	const struct tree_node *first = tree_child(mapping, key, strlen(key));

	if (first) {
		char path[256];

		path_to_here(builder, path, sizeof(path));
		return fail(builder, line, "%s%s: this key is here twice, first in line %u", path,
		            key, first->line);
	}
	if (mapping->count == TREE_KEYS_MAX)
		return fail(builder, line, "more than %u keys in one mapping", TREE_KEYS_MAX);
	builder->key = strdup(key);
	builder->key_line = (unsigned)line;
	return builder->key ? 0 : -ENOMEM;
}

static int take_scalar(struct builder *builder, const yaml_event_t *event, size_t line)
{
	const char *value = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	struct tree_node *node;
	int err;

	if (event->data.scalar.anchor)
		return fail(builder, line, "anchors are not allowed in a job; write the value out");
	if (tag && (strcmp(tag, "!bytes") || expects_key(builder)))
		return fail(builder, line,
		            "tags are not allowed in a job, except !bytes for a value");
	if (memchr(value, '\0', event->data.scalar.length))
		return fail(builder, line, "a value holds a NUL byte");
	if (expects_key(builder))
		return take_key(builder, event, line);
	err = add_node(builder, TREE_SCALAR, line, &node);
	if (err)
		return err;
	if (tag) {
		err = bytes_from_characters(value, &node->value);
		return err == -EINVAL
		               ? fail(builder, line,
		                      "!bytes holds a character that is no byte; write bytes "
		                      "as \\x00 to \\xff in double quotes")
		               : err;
	}
	node->value = strdup(value);
	return node->value ? 0 : -ENOMEM;
}

static int open_collection(struct builder *builder, enum tree_kind kind, size_t line, bool anchor,
                           bool tag)
{
	struct tree_node *node;
	int err;

	if (anchor)
		return fail(builder, line, "anchors are not allowed in a job; write the value out");
	if (tag)
		return fail(builder, line, "tags are not allowed in a job");
	if (expects_key(builder))
		return fail(builder, line, "a key must be a plain word");
	if (builder->depth == TREE_DEPTH_MAX)
		return fail(builder, line, "nested deeper than %u levels", TREE_DEPTH_MAX);
	err = add_node(builder, kind, line, &node);
	if (!err)
		builder->stack[builder->depth++] = node;
	return err;
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->root)
			return fail(builder, line,
			            "a second document begins; a job is one document");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail(builder, line, "aliases are not allowed in a job; write the value out");
	case YAML_SCALAR_EVENT:
		return take_scalar(builder, event, line);
	case YAML_SEQUENCE_START_EVENT:
		return open_collection(builder, TREE_SEQUENCE, line,
		                       event->data.sequence_start.anchor,
		                       event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_collection(builder, TREE_MAPPING, line,
		                       event->data.mapping_start.anchor,
		                       event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	default:
		return 0;
	}
}

/* What libyaml says, with the line: it keeps it in different members for different stages. */
static int fail_parser(struct builder *builder, const yaml_parser_t *parser)
{
	size_t line = parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		return fail(builder, parser->mark.line + 1, "not readable as YAML: %s (byte %zu)",
		            parser->problem, parser->problem_offset);
	if (strstr(parser->problem, "cannot start any token"))
		return fail(builder, line,
		            "not YAML: %s; indent with spaces, not tabs, and put values in "
		            "quotes that begin with @, ` or %%",
		            parser->problem);
	if (parser->context)
		return fail(builder, line, "not YAML: %s, %s%s", parser->context, parser->problem,
		            strstr(parser->context, "flow mapping")
		                    ? "; put values in quotes that hold { or }"
		                    : "");
	return fail(builder, line, "not YAML: %s", parser->problem);
}

int tree_parse(const char *file, const char *text, size_t length, struct tree_node **ret_root,
               char **ret_error)
{
	struct builder builder = {.file = file, .ret_error = ret_error};
	yaml_parser_t parser;
	bool end = false;
	int err = 0;

	if (length > TREE_BYTES_MAX)
		return fail(&builder, 1, "larger than %u bytes", TREE_BYTES_MAX);
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	while (!err && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			err = fail_parser(&builder, &parser);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		err = take_event(&builder, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!err && !builder.root)
		err = fail(&builder, 1, "empty: a job has the keys items and processor");
	free(builder.key);
	if (err) {
		tree_free(builder.root);
		return err;
	}
	*ret_root = builder.root;
	return 0;
}

struct tree_node *tree_child(const struct tree_node *node, const char *key, size_t length)
{
	if (node->kind != TREE_MAPPING)
		return NULL;
	for (unsigned i = 0; i < node->count; i++) {
		const char *other = node->children[i]->key;

		if (strlen(other) == length && !memcmp(other, key, length))
			return node->children[i];
	}
	return NULL;
}

static struct tree_node *entry(const struct tree_node *node, const char *key, size_t length)
{
	unsigned long index = 0;

	if (node->kind != TREE_SEQUENCE || !length)
		return tree_child(node, key, length);
	for (size_t i = 0; i < length; i++) {
		if (key[i] < '0' || key[i] > '9')
			return NULL;
		index = index * 10 + (unsigned long)(key[i] - '0');
		if (index >= node->count)
			return NULL;
	}
	return node->children[index];
}

struct tree_node *tree_find(struct tree_node *root, const char *path,
                            struct tree_node **ret_nearest)
{
	struct tree_node *node = root, *nearest = root;

	while (*path && node) {
		size_t length = strcspn(path, ".");

		node = entry(node, path, length);
		if (node)
			nearest = node;
		path += length;
		path += *path == '.';
	}
	if (ret_nearest)
		*ret_nearest = nearest;
	return node;
}

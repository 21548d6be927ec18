/* SPDX-License-Identifier: MIT */
/*
 * Writing a tree as YAML: see tree.h. Only the plainest of scalars stand without quotes, so that
 * nothing here has to know what YAML takes for something else.
 */
#include "job/tree.h"

#include "job/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

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

/* Can it stand without quotes, and be nothing but itself? */
static bool is_plain(const char *value)
{
	/* What may begin it stands in front, what may only follow behind that. */
	static const char safe[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./"
		"-+=";

	return *value && !strchr("-+=", *value) && !value[strspn(value, safe)];
}

static int emit_scalar(yaml_emitter_t *emitter, const char *value, bool readable)
{
	bool text = bytes_are_utf8(value), plain = readable && is_plain(value);
	bool tagged = readable && !text;
	char *characters = text ? NULL : bytes_to_characters(value);
	const char *shown = text ? value : characters;
	yaml_event_t event;
	int ready;

	if (!shown)
		return -ENOMEM;
	ready = yaml_scalar_event_initialize(
		&event, NULL, tagged ? (const yaml_char_t *)"!bytes" : NULL,
		(const yaml_char_t *)shown, (int)strlen(shown), !tagged, !tagged,
		plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	free(characters);
	return ready && yaml_emitter_emit(emitter, &event) ? 0 : -ENOMEM;
}

/* Depth is bounded by the parser and by tree_set(). */
static int emit_node(yaml_emitter_t *emitter, const struct tree_node *node, bool readable)
{
	bool mapping = node->kind == TREE_MAPPING;
	yaml_event_t event;
	int err;

	if (node->kind == TREE_SCALAR)
		return emit_scalar(emitter, node->value, readable);
	if (!(mapping ? yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
	                                                    readable ? YAML_BLOCK_MAPPING_STYLE
	                                                             : YAML_FLOW_MAPPING_STYLE)
	              : yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
	                                                     readable ? YAML_BLOCK_SEQUENCE_STYLE
	                                                              : YAML_FLOW_SEQUENCE_STYLE)))
		return -ENOMEM;
	if (!yaml_emitter_emit(emitter, &event))
		return -ENOMEM;
	for (unsigned i = 0; i < node->count; i++) {
		err = mapping ? emit_scalar(emitter, node->children[i]->key, readable) : 0;
		if (!err)
			err = emit_node(emitter, node->children[i], readable);
		if (err)
			return err;
	}
	if (mapping)
		yaml_mapping_end_event_initialize(&event);
	else
		yaml_sequence_end_event_initialize(&event);
	return yaml_emitter_emit(emitter, &event) ? 0 : -ENOMEM;
}

static int write_tree(const struct tree_node *root, bool readable, char **ret_text,
                      size_t *ret_length)
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
	err = emit_node(&emitter, root, readable);
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

int tree_emit(const struct tree_node *root, char **ret_text, size_t *ret_length)
{
	return write_tree(root, false, ret_text, ret_length);
}

int tree_print(const struct tree_node *root, char **ret_text, size_t *ret_length)
{
	return write_tree(root, true, ret_text, ret_length);
}

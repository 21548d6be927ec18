/* SPDX-License-Identifier: MIT */
/*
 * Tables of keys as schemas of libcyaml: see schema.h. What a schema consists of hangs in one list
 * and is freed with it.
 */
#include "job/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 128u

/* A piece of a schema's memory. */
struct piece {
	struct piece *next;
	max_align_t memory[];
};

struct schema {
	cyaml_schema_value_t root;
	struct piece *pieces;
};

const struct iobatch_word keys_booleans[] = {
	{"false", 0}, {"true", 1}, {"no", 0}, {"yes", 1}, {NULL, 0}};
const struct iobatch_word keys_not[] = {
	{"false", 1}, {"true", 0}, {"no", 1}, {"yes", 0}, {NULL, 0}};

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static void *take(struct schema *schema, size_t count, size_t size)
{
	struct piece *piece = calloc(1, sizeof(*piece) + count * size);

	if (!piece)
		return NULL;
	piece->next = schema->pieces;
	schema->pieces = piece;
	return piece->memory;
}

static int fill_words(struct schema *schema, cyaml_schema_value_t *value, enum cyaml_type type,
                      const struct iobatch_word *words)
{
	cyaml_strval_t *strings;
	unsigned count = 0;

	while (words[count].name)
		count++;
	strings = take(schema, count, sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		strings[i].str = words[i].name;
		strings[i].val = (int64_t)words[i].value;
	}
	value->type = type;
	value->data_size = sizeof(uint64_t);
	value->enumeration.strings = strings;
	value->enumeration.count = count;
	return 0;
}

static void fill_text(cyaml_schema_value_t *value)
{
	value->type = CYAML_STRING;
	value->data_size = sizeof(char);
	value->string.min = 1;
	value->string.max = CYAML_UNLIMITED;
}

static void fill_sequence(cyaml_schema_field_t *field, const cyaml_schema_value_t *entry,
                          unsigned min, unsigned max)
{
	field->value.type = CYAML_SEQUENCE;
	field->value.data_size = entry->data_size;
	if (entry->flags & CYAML_FLAG_POINTER)
		field->value.data_size = sizeof(void *);
	field->value.sequence.entry = entry;
	field->value.sequence.min = min;
	field->value.sequence.max = max;
}

/* The field at a place of a mapping, whose value is still to be filled. */
static void fill_field(cyaml_schema_field_t *field, const char *name, unsigned place, bool required)
{
	assert(place < KEYS_MAX);
	field->key = name;
	field->data_offset = (uint32_t)(place * sizeof(struct raw_value));
	field->count_offset = field->data_offset + (uint32_t)offsetof(struct raw_value, count);
	field->count_size = sizeof(unsigned);
	field->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_STRICT;
	if (!required)
		field->value.flags |= CYAML_FLAG_OPTIONAL;
}

static int fill_argument(struct schema *schema, cyaml_schema_field_t *field,
                         const struct iobatch_argument *argument, unsigned place)
{
	fill_field(field, argument->name, place, argument->required);
	if (argument->type == IOBATCH_ARGUMENT_FLAGS)
		return fill_words(schema, &field->value, CYAML_FLAGS, argument->words);
	if (argument->type == IOBATCH_ARGUMENT_WORD)
		return fill_words(schema, &field->value, CYAML_ENUM, argument->words);
	fill_text(&field->value);
	return 0;
}

/* A step is a mapping of which one key, an op, is there. */
static int fill_steps(struct schema *schema, cyaml_schema_field_t *steps)
{
	cyaml_schema_field_t *ops =
		take(schema, IOBATCH_OP_COUNT + 1, sizeof(cyaml_schema_field_t));
	cyaml_schema_value_t *step = take(schema, 1, sizeof(*step));

	if (!ops || !step)
		return -ENOMEM;
	for (unsigned opcode = 0; opcode < IOBATCH_OP_COUNT; opcode++) {
		const struct iobatch_op_info *info = iobatch_op_info(opcode);
		cyaml_schema_field_t *fields =
			take(schema, KEYS_MAX + 1, sizeof(cyaml_schema_field_t));

		if (!fields)
			return -ENOMEM;
		for (unsigned i = 0; info->arguments && info->arguments[i].name; i++)
			if (fill_argument(schema, &fields[i], &info->arguments[i], i))
				return -ENOMEM;
		ops[opcode].key = info->name;
		ops[opcode].data_offset = (uint32_t)(opcode * sizeof(struct raw_mapping *));
		ops[opcode].value = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
			CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_mapping, fields)};
	}
	*step = (cyaml_schema_value_t){
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_step, ops)};
	fill_sequence(steps, step, 1, STEPS_MAX);
	return 0;
}

static int fill_mapping(struct schema *schema, cyaml_schema_value_t *value, const struct key *keys);

static int fill_key(struct schema *schema, cyaml_schema_field_t *field, const struct key *key,
                    unsigned place)
{
	fill_field(field, key->name, place, key->required);
	switch (key->kind) {
	case KEY_TEXTS:
		fill_sequence(field, &text_entry, 0, CYAML_UNLIMITED);
		return 0;
	case KEY_ERRORS:
		fill_sequence(field, &text_entry, 1, CYAML_UNLIMITED);
		return 0;
	case KEY_WORDS:
		return fill_words(schema, &field->value, CYAML_FLAGS, key->words);
	case KEY_WORD:
	case KEY_BIT:
		return fill_words(schema, &field->value, CYAML_ENUM, key->words);
	case KEY_MAPPING:
		return fill_mapping(schema, &field->value, key->keys);
	case KEY_STEPS:
		return fill_steps(schema, field);
	default:
		fill_text(&field->value);
		return 0;
	}
}

/* Tables are as deep as they are: two or three levels. */
static int fill_mapping(struct schema *schema, cyaml_schema_value_t *value, const struct key *keys)
{
	cyaml_schema_field_t *fields = take(schema, KEYS_MAX + 1, sizeof(*fields));

	if (!fields)
		return -ENOMEM;
	for (unsigned i = 0; keys[i].name; i++)
		if (fill_key(schema, &fields[i], &keys[i], i))
			return -ENOMEM;
	value->type = CYAML_MAPPING;
	value->flags |= CYAML_FLAG_POINTER;
	value->data_size = sizeof(struct raw_mapping);
	value->mapping.fields = fields;
	return 0;
}

int schema_new(const struct key *keys, struct schema **ret_schema)
{
	struct schema *schema = calloc(1, sizeof(*schema));

	if (!schema)
		return -ENOMEM;
	if (fill_mapping(schema, &schema->root, keys)) {
		schema_free(schema);
		return -ENOMEM;
	}
	*ret_schema = schema;
	return 0;
}

const cyaml_schema_value_t *schema_root(const struct schema *schema)
{
	return &schema->root;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	while (schema->pieces) {
		struct piece *piece = schema->pieces;

		schema->pieces = piece->next;
		free(piece);
	}
	free(schema);
}

const struct raw_value *raw_find(const struct raw_mapping *raw, const struct key *keys,
                                 const char *name)
{
	unsigned place = 0;

	while (strcmp(keys[place].name, name))
		place++;
	return &raw->values[place];
}

/* SPDX-License-Identifier: MIT */
/*
 * Loading by libcyaml, and its errors: see load.h. The line numbers of libcyaml are not used: they
 * are those of the emitted tree. Its backtrace gives the key's path, and the tree knows the line.
 */
#include "job/load.h"

#include "job/nearest.h"
#include "job/report.h"
#include "job/schema.h"
#include "job/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part of the backtrace: a key, or an entry of a sequence. */
struct part {
	char key[64];   /* "" = an entry */
	unsigned entry; /* from 1; 0 = before the first */
};

struct trace {
	char problem[256]; /* the first line that was logged, without "Load: " */
	struct part parts[2 * TREE_DEPTH_MAX];
	unsigned count;
};

static void take_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
	struct trace *trace = context;
	struct part *part = &trace->parts[trace->count];
	char line[512];

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	if (trace->count < sizeof(trace->parts) / sizeof(trace->parts[0]) &&
	    sscanf(line, "  in mapping field '%63[^']'", part->key) == 1) {
		trace->count++;
	} else if (trace->count < sizeof(trace->parts) / sizeof(trace->parts[0]) &&
	           sscanf(line, "  in sequence entry '%u'", &part->entry) == 1) {
		trace->count++;
	} else if (!trace->problem[0] && !strncmp(line, "Load: ", 6) &&
	           strcmp(line, "Load: Backtrace:")) {
		snprintf(trace->problem, sizeof(trace->problem), "%.255s", line + 6);
	}
}

/* The text of a logged problem after its ": ". */
static const char *detail(const struct trace *trace)
{
	const char *colon = strstr(trace->problem, ": ");

	return colon ? colon + 2 : "";
}

static void extend(char **path, const char *key)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *path, **path ? "." : "", key) < 0)
		return;
	free(*path);
	*path = longer;
}

/*
 * The path that the backtrace stands for, outermost key first, without its `skip` innermost parts;
 * and the schema of the value there.
 */
static char *trace_path(const struct trace *trace, unsigned skip, const struct schema *schema,
                        const cyaml_schema_value_t **ret_value)
{
	const cyaml_schema_value_t *value = schema_root(schema);
	char *path = strdup("");

	for (unsigned i = trace->count; path && i-- > skip;) {
		const struct part *part = &trace->parts[i];
		char number[16];

		if (!part->key[0]) {
			snprintf(number, sizeof(number), "%u", part->entry ? part->entry - 1 : 0);
			extend(&path, number);
			value = value->sequence.entry;
			continue;
		}
		extend(&path, part->key);
		for (const cyaml_schema_field_t *field = value->mapping.fields; field->key; field++)
			if (!strcmp(field->key, part->key)) {
				value = &field->value;
				break;
			}
	}
	*ret_value = value;
	return path;
}

/* "a, b, c" of the keys or words that a schema allows, to be freed; and the one next to `word`. */
static char *allowed(const cyaml_schema_value_t *value, const char *word, const char **ret_near)
{
	unsigned best = NEAREST_EDITS_MAX + 1;
	char *list = strdup("");

	*ret_near = NULL;
	for (unsigned i = 0; list; i++) {
		const char *name, *separator = i ? ", " : "";
		char *longer;

		if (value->type == CYAML_MAPPING)
			name = value->mapping.fields[i].key;
		else
			name = i < value->enumeration.count ? value->enumeration.strings[i].str
			                                    : NULL;
		if (!name)
			break;
		if (nearest_distance(word, name) < best) {
			best = nearest_distance(word, name);
			*ret_near = name;
		}
		if (asprintf(&longer, "%s%s%s", list, separator, name) < 0)
			longer = NULL;
		free(list);
		list = longer;
	}
	return list;
}

static void report_word(struct report *report, const char *path, const char *word,
                        const cyaml_schema_value_t *value)
{
	const char *near;
	char *list = allowed(value, word, &near);
	const char *separator = list && *list ? list : "nothing";

	if (value->type == CYAML_MAPPING && near)
		report_error(report, path, "unknown key; did you mean %s?", near);
	else if (value->type == CYAML_MAPPING)
		report_error(report, path, "unknown key; allowed here: %s", separator);
	else
		report_error(report, path, "must be %s %s, not \"%s\"",
		             value->type == CYAML_FLAGS ? "a list of words from" : "one of",
		             separator, word);
	free(list);
}

static const char *kind_wanted(const cyaml_schema_value_t *value)
{
	switch (value->type) {
	case CYAML_MAPPING:
		return "must be a mapping of keys and values";
	case CYAML_SEQUENCE:
		return "must be a list";
	case CYAML_FLAGS:
		return "must be a list of words";
	default:
		return "must be a single value";
	}
}

static const char *kind_given(const struct tree_node *node)
{
	if (node->kind == TREE_MAPPING)
		return "a mapping";
	if (node->kind == TREE_SEQUENCE)
		return "a list";
	return *node->value ? "a single value" : "nothing";
}

static const char *kind_remedy(const cyaml_schema_value_t *value, const struct tree_node *node)
{
	if (value->type == CYAML_MAPPING && node->kind == TREE_SCALAR)
		return *node->value ? "; write its keys below it, or in braces: { }"
		                    : "; write {} when there is nothing to say";
	/* `path: {path}`, which YAML takes for a mapping. */
	if (value->type == CYAML_STRING && node->kind == TREE_MAPPING && node->count == 1)
		return "; put it in quotes when it begins with {";
	if ((value->type == CYAML_FLAGS || value->type == CYAML_SEQUENCE) &&
	    node->kind == TREE_SCALAR)
		return "; write it in brackets: [ ]";
	return "";
}

static void report_entries(struct report *report, const char *path, cyaml_err_t err,
                           const cyaml_schema_value_t *value)
{
	if (err == CYAML_ERR_SEQUENCE_ENTRIES_MIN)
		report_error(report, path, "must not be an empty list");
	else
		report_error(report, path, "must have at most %u entries", value->sequence.max);
}

/* Says in our words what libcyaml has found. */
static void explain(struct report *report, const struct schema *schema, const struct trace *trace,
                    cyaml_err_t err)
{
	bool in_key = trace->count && trace->parts[0].key[0];
	bool in_entry = trace->count && !trace->parts[0].key[0];
	const cyaml_schema_value_t *value;
	const struct tree_node *node;
	unsigned skip = 0;
	char *path;

	/* The backtrace of a missing field begins with the field that was read last. */
	if (err == CYAML_ERR_MAPPING_FIELD_MISSING && in_key)
		skip = 1;
	/* That of a wrong number of entries begins with an entry. */
	if ((err == CYAML_ERR_SEQUENCE_ENTRIES_MIN || err == CYAML_ERR_SEQUENCE_ENTRIES_MAX) &&
	    in_entry)
		skip = 1;
	path = trace_path(trace, skip, schema, &value);
	if (!path)
		return;
	node = tree_find(report->root, path, (struct tree_node **)&node);
	switch (err) {
	case CYAML_ERR_INVALID_KEY:
		extend(&path, detail(trace));
		report_word(report, path, detail(trace), value);
		break;
	case CYAML_ERR_MAPPING_FIELD_MISSING:
		extend(&path, detail(trace));
		report_error(report, path, "this key is required and is missing");
		break;
	case CYAML_ERR_STRING_LENGTH_MIN:
		report_error(report, path, "must not be empty");
		break;
	case CYAML_ERR_SEQUENCE_ENTRIES_MIN:
	case CYAML_ERR_SEQUENCE_ENTRIES_MAX:
		report_entries(report, path, err, value);
		break;
	case CYAML_ERR_UNEXPECTED_EVENT:
		report_error(report, path, "%s", kind_wanted(value));
		break;
	case CYAML_ERR_INVALID_VALUE:
		if (node && !strncmp(trace->problem, "Expecting", strlen("Expecting")))
			report_error(report, path, "%s, not %s%s", kind_wanted(value),
			             kind_given(node), kind_remedy(value, node));
		else
			report_word(report, path, detail(trace), value);
		break;
	default:
		report_error(report, path, "%s (%s)", cyaml_strerror(err), trace->problem);
	}
	free(path);
}

static cyaml_config_t config_for(struct trace *trace)
{
	return (cyaml_config_t){
		.log_fn = take_log,
		.log_ctx = trace,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int load_raw(struct report *report, const struct schema *schema, struct raw_mapping **ret_raw)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	cyaml_config_t config = config_for(trace);
	cyaml_data_t *data = NULL;
	char *text = NULL;
	size_t length;
	cyaml_err_t wrong;
	int err = -ENOMEM;

	if (!trace)
		goto out;
	err = tree_emit(report->root, &text, &length);
	if (err)
		goto out;
	wrong = cyaml_load_data((const uint8_t *)text, length, &config, schema_root(schema), &data,
	                        NULL);
	if (wrong == CYAML_ERR_OOM) {
		err = -ENOMEM;
	} else if (wrong != CYAML_OK) {
		explain(report, schema, trace, wrong);
		err = -EINVAL;
	} else {
		*ret_raw = data;
	}
out:
	free(text);
	free(trace);
	return err;
}

void load_free(const struct schema *schema, struct raw_mapping *raw)
{
	cyaml_config_t config = config_for(NULL);

	config.log_fn = NULL;
	if (raw)
		cyaml_free(&config, schema_root(schema), raw, 0);
}

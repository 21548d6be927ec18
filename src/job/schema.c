/* SPDX-License-Identifier: MIT */
/* The schema of a job file: see schema.h. To add a key: a member in schema.h and a line here. */
#include "job/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRED CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define STRICT (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A text that must not be empty. */
#define TEXT(key, flags, type, member) \
	CYAML_FIELD_STRING_PTR(key, flags, type, member, 1, CYAML_UNLIMITED)
#define WORDS(key, type, member, words) \
	CYAML_FIELD_ENUM(key, STRICT, type, member, words, COUNT(words))

/* libcyaml's own booleans take every unknown word for true. */
static const cyaml_strval_t booleans[] = {{"false", 0}, {"true", 1}, {"no", 0}, {"yes", 1}};

static const cyaml_strval_t types[] = {
	{"file", IOBATCH_TYPE_FILE},
	{"directory", IOBATCH_TYPE_DIRECTORY},
	{"symlink", IOBATCH_TYPE_SYMLINK},
	{"other", IOBATCH_TYPE_OTHER},
};

/* The first of each is the default. */
static const cyaml_strval_t separators[] = {{"newline", 0}, {"nul", 1}};

static const cyaml_strval_t orders[] = {
	{"sequential", IOBATCH_ORDER_SEQUENTIAL},
	{"random", IOBATCH_ORDER_RANDOM},
};

static const cyaml_strval_t algorithms[] = {
	{"xxh3", IOBATCH_HASH_XXH3_64},      {"xxh3-64", IOBATCH_HASH_XXH3_64},
	{"xxh3-128", IOBATCH_HASH_XXH3_128}, {"sha256", IOBATCH_HASH_SHA256},
	{"crc32c", IOBATCH_HASH_CRC32C},     {"blake2b", IOBATCH_HASH_BLAKE2B},
};

static const cyaml_strval_t executors[] = {
	{"auto", IOBATCH_EXECUTOR_AUTO},
	{"ring", IOBATCH_EXECUTOR_RING},
	{"syscall", IOBATCH_EXECUTOR_SYSCALL},
	{"simulated", IOBATCH_EXECUTOR_SIMULATED},
};

static const cyaml_strval_t guards[] = {
	{"auto", IOBATCH_GUARDS_AUTO},
	{"linked", IOBATCH_GUARDS_LINKED},
	{"list", IOBATCH_GUARDS_LIST},
};

static const cyaml_strval_t lacks[] = {
	{"submit_all", IOBATCH_WITHOUT_SUBMIT_ALL},
	{"cqe_skip", IOBATCH_WITHOUT_CQE_SKIP},
	{"etime_success", IOBATCH_WITHOUT_ETIME_SUCCESS},
	{"direct_files", IOBATCH_WITHOUT_DIRECT_FILES},
};

static const cyaml_schema_value_t pattern = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t walk_fields[] = {
	TEXT("root", REQUIRED, struct raw_walk, root),
	CYAML_FIELD_FLAGS_PTR("types", STRICT, struct raw_walk, types, types, COUNT(types)),
	CYAML_FIELD_SEQUENCE("include", CYAML_FLAG_POINTER | OPTIONAL, struct raw_walk, include,
                             &pattern, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("exclude", CYAML_FLAG_POINTER | OPTIONAL, struct raw_walk, exclude,
                             &pattern, 0, CYAML_UNLIMITED),
	TEXT("min_size", OPTIONAL, struct raw_walk, min_size),
	TEXT("max_size", OPTIONAL, struct raw_walk, max_size),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t glob_fields[] = {
	TEXT("pattern", REQUIRED, struct raw_glob, pattern),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t list_fields[] = {
	TEXT("file", REQUIRED, struct raw_list, file),
	WORDS("separator", struct raw_list, separator, separators),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t range_fields[] = {
	TEXT("path", REQUIRED, struct raw_range, path),
	TEXT("block_size", OPTIONAL, struct raw_range, block_size),
	TEXT("count", OPTIONAL, struct raw_range, count),
	WORDS("order", struct raw_range, order, orders),
	TEXT("seed", OPTIONAL, struct raw_range, seed),
	WORDS("direct", struct raw_range, direct, booleans),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t items_fields[] = {
	CYAML_FIELD_MAPPING_PTR("walk", OPTIONAL, struct raw_items, walk, walk_fields),
	CYAML_FIELD_MAPPING_PTR("glob", OPTIONAL, struct raw_items, glob, glob_fields),
	CYAML_FIELD_MAPPING_PTR("list", OPTIONAL, struct raw_items, list, list_fields),
	CYAML_FIELD_MAPPING_PTR("range", OPTIONAL, struct raw_items, range, range_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t hash_fields[] = {
	WORDS("algorithm", struct raw_hash, algorithm, algorithms),
	TEXT("manifest", OPTIONAL, struct raw_hash, manifest),
	TEXT("block_size", OPTIONAL, struct raw_hash, block_size),
	TEXT("depth", OPTIONAL, struct raw_hash, depth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t copy_fields[] = {
	TEXT("destination", REQUIRED, struct raw_copy, destination),
	TEXT("block_size", OPTIONAL, struct raw_copy, block_size),
	TEXT("depth", OPTIONAL, struct raw_copy, depth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t read_fields[] = {
	TEXT("block_size", OPTIONAL, struct raw_read, block_size),
	TEXT("depth", OPTIONAL, struct raw_read, depth),
	WORDS("direct", struct raw_read, direct, booleans),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t nop_fields[] = {CYAML_FIELD_END};

static const cyaml_schema_field_t simulation_fields[] = {
	TEXT("seed", OPTIONAL, struct raw_simulation, seed),
	TEXT("latency_min_us", OPTIONAL, struct raw_simulation, latency_min_us),
	TEXT("latency_max_us", OPTIONAL, struct raw_simulation, latency_max_us),
	TEXT("file_size", OPTIONAL, struct raw_simulation, file_size),
	TEXT("error_permille", OPTIONAL, struct raw_simulation, error_permille),
	TEXT("short_permille", OPTIONAL, struct raw_simulation, short_permille),
	TEXT("late_permille", OPTIONAL, struct raw_simulation, late_permille),
	TEXT("lost_permille", OPTIONAL, struct raw_simulation, lost_permille),
	TEXT("submit_permille", OPTIONAL, struct raw_simulation, submit_permille),
	CYAML_FIELD_FLAGS_PTR("without", STRICT, struct raw_simulation, without, lacks,
                              COUNT(lacks)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t options_fields[] = {
	TEXT("batch_size", OPTIONAL, struct raw_options, batch_size),
	TEXT("max_concurrent", OPTIONAL, struct raw_options, max_concurrent),
	TEXT("delay_ms", OPTIONAL, struct raw_options, delay_ms),
	TEXT("timeout_ms", OPTIONAL, struct raw_options, timeout_ms),
	WORDS("guards", struct raw_options, guards, guards),
	TEXT("max_stuck", OPTIONAL, struct raw_options, max_stuck),
	TEXT("stuck_grace_ms", OPTIONAL, struct raw_options, stuck_grace_ms),
	TEXT("retries", OPTIONAL, struct raw_options, retries),
	TEXT("backoff_ms", OPTIONAL, struct raw_options, backoff_ms),
	TEXT("memory_limit", OPTIONAL, struct raw_options, memory_limit),
	TEXT("rings", OPTIONAL, struct raw_options, rings),
	WORDS("executor", struct raw_options, executor, executors),
	TEXT("threads", OPTIONAL, struct raw_options, threads),
	TEXT("path_ops_max", OPTIONAL, struct raw_options, path_ops_max),
	WORDS("register_buffers", struct raw_options, register_buffers, booleans),
	CYAML_FIELD_MAPPING_PTR("simulation", OPTIONAL, struct raw_options, simulation,
                                simulation_fields),
	CYAML_FIELD_END,
};

/* The schema of one argument of an op. */
static int fill_argument(cyaml_schema_field_t *field, const struct iobatch_argument *argument,
                         unsigned place)
{
	cyaml_strval_t *words;
	unsigned count = 0;

	field->key = argument->name;
	field->data_offset = (uint32_t)(offsetof(struct raw_arguments, argument) +
	                                place * sizeof(union raw_argument));
	field->value.flags =
		CYAML_FLAG_POINTER | CYAML_FLAG_STRICT | (argument->required ? REQUIRED : OPTIONAL);
	if (argument->type != IOBATCH_ARGUMENT_FLAGS && argument->type != IOBATCH_ARGUMENT_WORD) {
		field->value.type = CYAML_STRING;
		field->value.data_size = sizeof(char);
		field->value.string.min = 1;
		field->value.string.max = CYAML_UNLIMITED;
		return 0;
	}
	while (argument->words[count].name)
		count++;
	words = calloc(count + 1u, sizeof(*words));
	if (!words)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		words[i].str = argument->words[i].name;
		words[i].val = (int64_t)argument->words[i].value;
	}
	field->value.type = argument->type == IOBATCH_ARGUMENT_FLAGS ? CYAML_FLAGS : CYAML_ENUM;
	field->value.data_size = sizeof(uint64_t);
	field->value.enumeration.strings = words;
	field->value.enumeration.count = count;
	return 0;
}

static int fill_steps(struct schema *schema)
{
	for (unsigned opcode = 0; opcode < IOBATCH_OP_COUNT; opcode++) {
		const struct iobatch_op_info *info = iobatch_op_info(opcode);
		cyaml_schema_field_t *field = &schema->step_fields[opcode];

		field->key = info->name;
		field->data_offset = (uint32_t)(offsetof(struct raw_step, op) +
		                                opcode * sizeof(struct raw_arguments *));
		field->value.type = CYAML_MAPPING;
		field->value.flags = CYAML_FLAG_POINTER | OPTIONAL;
		field->value.data_size = sizeof(struct raw_arguments);
		field->value.mapping.fields = schema->argument_fields[opcode];
		for (unsigned i = 0; info->arguments && info->arguments[i].name; i++) {
			assert(i < SCHEMA_ARGUMENTS_MAX);
			if (fill_argument(&schema->argument_fields[opcode][i], &info->arguments[i],
			                  i))
				return -ENOMEM;
		}
	}
	return 0;
}

int schema_new(struct schema **ret_schema)
{
	struct schema *schema = calloc(1, sizeof(*schema));

	if (!schema)
		return -ENOMEM;
	if (fill_steps(schema)) {
		schema_free(schema);
		return -ENOMEM;
	}
	schema->step = (cyaml_schema_value_t){
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_step, schema->step_fields),
	};

	const cyaml_schema_field_t processor_fields[] = {
		CYAML_FIELD_MAPPING_PTR("hash", OPTIONAL, struct raw_processor, hash, hash_fields),
		CYAML_FIELD_MAPPING_PTR("copy", OPTIONAL, struct raw_processor, copy, copy_fields),
		CYAML_FIELD_MAPPING_PTR("read", OPTIONAL, struct raw_processor, read, read_fields),
		CYAML_FIELD_MAPPING_PTR("nop", OPTIONAL, struct raw_processor, nop, nop_fields),
		CYAML_FIELD_SEQUENCE("steps", CYAML_FLAG_POINTER | OPTIONAL, struct raw_processor,
	                             steps, &schema->step, 1, 128),
		CYAML_FIELD_END,
	};
	const cyaml_schema_field_t root_fields[] = {
		TEXT("job", OPTIONAL, struct raw_job, job),
		CYAML_FIELD_MAPPING_PTR("items", REQUIRED, struct raw_job, items, items_fields),
		CYAML_FIELD_MAPPING_PTR("processor", REQUIRED, struct raw_job, processor,
	                                schema->processor_fields),
		CYAML_FIELD_MAPPING_PTR("options", OPTIONAL, struct raw_job, options,
	                                options_fields),
		CYAML_FIELD_END,
	};

	_Static_assert(sizeof(processor_fields) == sizeof(schema->processor_fields), "processors");
	_Static_assert(sizeof(root_fields) == sizeof(schema->root_fields), "keys of a job");
	memcpy(schema->processor_fields, processor_fields, sizeof(processor_fields));
	memcpy(schema->root_fields, root_fields, sizeof(root_fields));
	schema->root = (cyaml_schema_value_t){
		CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_job, schema->root_fields),
	};
	*ret_schema = schema;
	return 0;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	for (unsigned opcode = 0; opcode < IOBATCH_OP_COUNT; opcode++) {
		for (cyaml_schema_field_t *field = schema->argument_fields[opcode]; field->key;
		     field++)
			if (field->value.type == CYAML_FLAGS || field->value.type == CYAML_ENUM)
				free((void *)field->value.enumeration.strings);
	}
	free(schema);
}

/* SPDX-License-Identifier: MIT */
/* Records and their lines: see record.h. */
#include "journal/record.h"

#include <string.h>
#include <xxhash.h>

/* What is kept of an error's name. */
#define ERROR_MAX 64u

static const char magic[] = "iobatch-journal";

static const char *const words[RECORD_COUNT] = {
	[RECORD_DONE] = "done",   [RECORD_SKIPPED] = "skipped", [RECORD_FAILED] = "failed",
	[RECORD_STUCK] = "stuck", [RECORD_INTENT] = "intent",   [RECORD_CANCELLED] = "cancelled",
	[RECORD_HEADER] = magic,  [RECORD_ROOT] = "root",       [RECORD_RUN] = "run",
	[RECORD_END] = "end",
};

/* Fields of each kind, with the word itself. */
static const unsigned field_counts[RECORD_COUNT] = {
	[RECORD_DONE] = 12,   [RECORD_SKIPPED] = 12,   [RECORD_FAILED] = 12, [RECORD_STUCK] = 12,
	[RECORD_INTENT] = 10, [RECORD_CANCELLED] = 12, [RECORD_HEADER] = 6,  [RECORD_ROOT] = 2,
	[RECORD_RUN] = 5,     [RECORD_END] = 9,
};

static const char *const places[] = {
	[RECORD_NOWHERE] = "-",
	[RECORD_BESIDE] = "beside",
	[RECORD_ELSEWHERE] = "elsewhere",
};

const char *record_word(unsigned kind)
{
	return kind < RECORD_COUNT ? words[kind] : NULL;
}

void record_of_file(const struct iobatch_file *file, struct record *record)
{
	record->offset = file->offset;
	record->length = file->length;
	record->extra = 0;
	if (file->extra_length)
		record->extra = XXH3_64bits(file->path + file->path_length + 1, file->extra_length);
	record->name = file->path;
	record->name_length = file->path_length;
}

/* Writing. Each of these puts a tab first. */

static char *put_number(char *to, uint64_t number)
{
	*to++ = '\t';
	return text_number(to, number);
}

static char *put_time(char *to, uint64_t ns)
{
	*to++ = '\t';
	return text_time(to, ns);
}

/* NULL = none. */
static char *put_word(char *to, const char *word)
{
	*to++ = '\t';
	return text_word(to, word ? word : "-");
}

static char *put_name(char *to, const char *name, size_t length)
{
	*to++ = '\t';
	if (!name)
		return text_word(to, "-");
	return text_name(to, name, length);
}

/* The name of an error, which may be anybody's. */
static char *put_error(char *to, const char *error)
{
	return put_name(to, error, error ? strnlen(error, ERROR_MAX) : 0);
}

static char *put_identity(char *to, const struct record *record)
{
	to = put_number(to, record->offset);
	to = put_number(to, record->length);
	*to++ = '\t';
	to = record->extra ? text_hex(to, record->extra) : text_word(to, "-");
	return put_name(to, record->name, record->name_length);
}

static char *put_outcome(char *to, const struct record *record)
{
	to = put_time(to, record->time_ns);
	to = put_time(to, record->duration_ns);
	to = put_number(to, record->attempts);
	to = put_number(to, record->bytes);
	to = put_error(to, record->error);
	to = put_word(to, record->op);
	to = put_name(to, record->note, record->note_length);
	return put_identity(to, record);
}

static char *put_end(char *to, const struct record *record)
{
	to = put_time(to, record->time_ns);
	to = put_word(to, record->error);
	for (unsigned i = 0; i < RECORD_OUTCOMES; i++)
		to = put_number(to, record->counts[i]);
	return put_number(to, record->bytes);
}

size_t record_write(const struct record *record, char *line, uint64_t *check)
{
	char *to = text_word(line, words[record->kind]);

	switch (record->kind) {
	case RECORD_INTENT:
		to = put_time(to, record->time_ns);
		to = put_word(to, record->op);
		to = put_word(to, record->own ? "own" : "other");
		to = put_word(to, places[record->place]);
		to = put_name(to, record->target, record->target_length);
		to = put_identity(to, record);
		break;
	case RECORD_HEADER:
		to = put_number(to, record->version);
		to = put_time(to, record->time_ns);
		to = put_name(to, record->hash, strlen(record->hash));
		to = put_name(to, record->options, record->options ? strlen(record->options) : 0);
		to = put_name(to, record->name, record->name_length);
		break;
	case RECORD_ROOT:
		to = put_name(to, record->name, record->name_length);
		break;
	case RECORD_RUN:
		to = put_time(to, record->time_ns);
		to = put_number(to, record->pid);
		to = put_word(to, record->mode);
		to = put_name(to, record->hash, strlen(record->hash));
		break;
	case RECORD_END:
		to = put_end(to, record);
		break;
	default:
		to = put_outcome(to, record);
	}
	return text_end(line, to, check);
}

/* Reading. */

/* A name that may be missing. */
static bool take_name(struct text_field *field, const char **ret_name, size_t *ret_length)
{
	*ret_name = NULL;
	*ret_length = 0;
	if (text_is(field, "-"))
		return true;
	if (!text_read_name(field))
		return false;
	*ret_name = field->bytes;
	*ret_length = field->length;
	return true;
}

static bool take_string(struct text_field *field, const char **ret_string)
{
	size_t length;

	return take_name(field, ret_string, &length);
}

static bool take_place(const struct text_field *field, enum record_place *ret_place)
{
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (text_is(field, places[i])) {
			*ret_place = i;
			return true;
		}
	return false;
}

static bool take_own(const struct text_field *field, bool *ret_own)
{
	*ret_own = text_is(field, "own");
	return *ret_own || text_is(field, "other");
}

static bool take_identity(struct text_field *fields, struct record *record)
{
	return text_read_number(&fields[0], &record->offset) &&
	       text_read_number(&fields[1], &record->length) &&
	       (text_is(&fields[2], "-") || text_read_hex(&fields[2], &record->extra)) &&
	       take_name(&fields[3], &record->name, &record->name_length) && record->name &&
	       record->name_length < JOURNAL_NAME_MAX;
}

static bool take_note(struct text_field *field, struct record *record)
{
	return take_name(field, &record->note, &record->note_length) &&
	       (!record->note || (record->note_length && record->note_length <= IOBATCH_NOTE_MAX));
}

static bool take_outcome(struct text_field *fields, struct record *record)
{
	return text_read_time(&fields[1], &record->time_ns) &&
	       text_read_time(&fields[2], &record->duration_ns) &&
	       text_read_number(&fields[3], &record->attempts) &&
	       text_read_number(&fields[4], &record->bytes) &&
	       take_string(&fields[5], &record->error) && take_string(&fields[6], &record->op) &&
	       take_note(&fields[7], record) && take_identity(fields + 8, record);
}

static bool take_intent(struct text_field *fields, struct record *record)
{
	return text_read_time(&fields[1], &record->time_ns) &&
	       take_string(&fields[2], &record->op) && record->op &&
	       take_own(&fields[3], &record->own) && take_place(&fields[4], &record->place) &&
	       take_name(&fields[5], &record->target, &record->target_length) &&
	       (record->place == RECORD_NOWHERE) == !record->target &&
	       record->target_length < JOURNAL_TARGET_MAX && take_identity(fields + 6, record);
}

static bool take_header(struct text_field *fields, struct record *record)
{
	return text_read_time(&fields[2], &record->time_ns) &&
	       take_string(&fields[3], &record->hash) && record->hash &&
	       take_string(&fields[4], &record->options) &&
	       take_name(&fields[5], &record->name, &record->name_length) && record->name;
}

static bool take_run(struct text_field *fields, struct record *record)
{
	return text_read_time(&fields[1], &record->time_ns) &&
	       text_read_number(&fields[2], &record->pid) &&
	       take_string(&fields[3], &record->mode) && record->mode &&
	       take_string(&fields[4], &record->hash) && record->hash;
}

static bool take_end(struct text_field *fields, struct record *record)
{
	if (!text_read_time(&fields[1], &record->time_ns) ||
	    !take_string(&fields[2], &record->error) || !record->error)
		return false;
	for (unsigned i = 0; i < RECORD_OUTCOMES; i++)
		if (!text_read_number(&fields[3 + i], &record->counts[i]))
			return false;
	return text_read_number(&fields[3 + RECORD_OUTCOMES], &record->bytes);
}

static bool take_fields(struct text_field *fields, struct record *record)
{
	switch (record->kind) {
	case RECORD_INTENT:
		return take_intent(fields, record);
	case RECORD_HEADER:
		return take_header(fields, record);
	case RECORD_ROOT:
		return take_name(&fields[1], &record->name, &record->name_length) && record->name;
	case RECORD_RUN:
		return take_run(fields, record);
	case RECORD_END:
		return take_end(fields, record);
	default:
		return take_outcome(fields, record);
	}
}

const char *record_read(char *line, size_t length, struct record *ret_record)
{
	struct text_field fields[JOURNAL_FIELDS_MAX];
	unsigned count = text_split(line, length, fields);
	struct record record = {0};

	while (record.kind < RECORD_COUNT && !(count && text_is(&fields[0], words[record.kind])))
		record.kind++;
	if (record.kind == RECORD_COUNT)
		return "a record of an unknown kind";
	/* What another version writes behind its number is its own business. */
	if (record.kind == RECORD_HEADER) {
		if (count < 2 || !text_read_number(&fields[1], &record.version))
			return "no version";
		if (record.version != JOURNAL_VERSION) {
			*ret_record = record;
			return NULL;
		}
	}
	if (count != field_counts[record.kind])
		return "another number of fields than it must have";
	if (!take_fields(fields, &record))
		return "a field that cannot be read";
	*ret_record = record;
	return NULL;
}

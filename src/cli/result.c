/* SPDX-License-Identifier: MIT */
/* The result file: see result.h. */
#include "cli/result.h"

#include "cli/describe.h"
#include "cli/escape.h"
#include "journal/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sets a text that may be any bytes: as they are when that is text, else escaped and in base64. */
static int set_bytes(json_t *object, const char *key, const char *bytes, size_t length)
{
	char *escaped, *base64, *exact_key;
	int err = -1;

	if (escape_is_text(bytes, length))
		return json_object_set_new(object, key, json_stringn(bytes, length));
	escaped = escape_text(bytes, length);
	base64 = escape_base64(bytes, length);
	if (asprintf(&exact_key, "%s_base64", key) < 0)
		exact_key = NULL;
	if (escaped && base64 && exact_key &&
	    !json_object_set_new(object, key, json_string(escaped)))
		err = json_object_set_new(object, exact_key, json_string(base64));
	free(escaped);
	free(base64);
	free(exact_key);
	return err;
}

static int set_count(json_t *object, const char *key, uint64_t count)
{
	return json_object_set_new(object, key, json_integer((json_int_t)count));
}

static int set_text(json_t *object, const char *key, const char *text)
{
	return json_object_set_new(object, key, text ? json_string(text) : json_null());
}

static int fill_outcome(json_t *object, const struct iobatch_outcome *outcome)
{
	size_t length;
	char *name = describe_item(outcome->object, &length);
	int err = -1;

	if (!name)
		return -1;
	if (!set_bytes(object, "item", name, length))
		err = set_count(object, "index", outcome->index);
	free(name);
	if (!err && outcome->skipped)
		err = set_text(object, "skipped", outcome->error_name) ||
		      set_text(object, "message", outcome->message);
	if (!err && outcome->error)
		err = set_text(object, "error", outcome->error_name) ||
		      set_text(object, "message", outcome->message) ||
		      set_text(object, "op",
		               outcome->opcode < 0 ? NULL : describe_op(outcome->opcode));
	if (!err && outcome->stuck)
		err = json_object_set_new(object, "stuck", json_true());
	if (!err && outcome->still_running)
		err = json_object_set_new(object, "still_running", json_true());
	if (!err)
		err = set_count(object, "attempts", outcome->attempts);
	if (!err && !outcome->error)
		err = set_count(object, "bytes", outcome->bytes);
	return err;
}

/* `    "key": [` and an outcome a line. */
static int write_list(FILE *file, const char *key, const struct iobatch_outcome *outcomes,
                      uint64_t count)
{
	fprintf(file, "  \"%s\": [", key);
	for (uint64_t i = 0; i < count; i++) {
		json_t *object = json_object();
		int err = !object || fill_outcome(object, &outcomes[i]);

		fputs(i ? ",\n    " : "\n    ", file);
		if (!err)
			err = json_dumpf(object, file, 0);
		json_decref(object);
		if (err)
			return ferror(file) ? -EIO : -ENOMEM;
	}
	fputs(count ? "\n  ],\n" : "],\n", file);
	return 0;
}

static int write_job(FILE *file, const char *job)
{
	json_t *object = json_object();
	const char *key;
	json_t *value;
	int err = !object || set_bytes(object, "job", job, strlen(job));

	if (!err) {
		json_object_foreach(object, key, value)
		{
			fprintf(file, "  \"%s\": ", key);
			err = err || json_dumpf(value, file, JSON_ENCODE_ANY);
			fputs(",\n", file);
		}
	}
	json_decref(object);
	return err ? -ENOMEM : 0;
}

static int write_run_error(FILE *file, const char *message)
{
	char *escaped = message ? escape_text(message, strlen(message)) : NULL;
	json_t *value = escaped ? json_string(escaped) : json_null();
	int err;

	fputs("  \"run_error\": ", file);
	err = !value || json_dumpf(value, file, JSON_ENCODE_ANY);
	fputs(",\n", file);
	json_decref(value);
	free(escaped);
	return err ? -ENOMEM : 0;
}

/* A failed item by its index, in which the list is ordered; NULL when it was not kept. */
static const struct iobatch_outcome *find_failed(const struct iobatch_result *result,
                                                 uint64_t index)
{
	uint64_t low = 0, high = result->failed_items_count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (result->failed_items[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == result->failed_items_count || result->failed_items[low].index != index)
		return NULL;
	return &result->failed_items[low];
}

static json_t *make_example(const struct iobatch_result *result, uint64_t index)
{
	const struct iobatch_outcome *outcome = find_failed(result, index);
	json_t *object = json_object();
	size_t length;
	int err = !object || set_count(object, "index", index);

	if (!err && outcome && outcome->object) {
		char *name = describe_item(outcome->object, &length);

		err = !name || set_bytes(object, "item", name, length);
		free(name);
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

static int fill_group(json_t *object, const struct iobatch_result *result,
                      const struct iobatch_error_group *group)
{
	const size_t most = sizeof(group->first) / sizeof(group->first[0]);
	/* The group of other kinds, when there were too many kinds. */
	bool is_rest = !group->error;
	bool has_op = !is_rest && group->opcode >= 0;
	json_t *first = json_array();
	int err = !first || set_text(object, "op", has_op ? describe_op(group->opcode) : NULL) ||
	          set_text(object, "error", is_rest ? NULL : group->error_name) ||
	          set_text(object, "message", is_rest ? "of other kinds" : group->message) ||
	          set_count(object, "count", group->count);

	for (size_t i = 0; !err && i < most && i < group->count; i++)
		err = json_array_append_new(first, make_example(result, group->first[i]));
	return json_object_set_new(object, "first", first) || err;
}

static int write_groups(FILE *file, const struct iobatch_result *result)
{
	fputs("  \"errors\": [", file);
	for (uint64_t i = 0; i < result->errors_count; i++) {
		json_t *object = json_object();
		int err = !object || fill_group(object, result, &result->errors[i]);

		fputs(i ? ",\n    " : "\n    ", file);
		if (!err)
			err = json_dumpf(object, file, 0);
		json_decref(object);
		if (err)
			return ferror(file) ? -EIO : -ENOMEM;
	}
	fputs(result->errors_count ? "\n  ],\n" : "],\n", file);
	return 0;
}

static void write_end(FILE *file, const struct result_report *report)
{
	static const char *const words[] = {
		[IOBATCH_END_COMPLETE] = "complete",   [IOBATCH_END_STUCK] = "stuck",
		[IOBATCH_END_HALTED] = "halted",       [IOBATCH_END_DRAINED] = "drained",
		[IOBATCH_END_CANCELLED] = "cancelled", [IOBATCH_END_ERROR] = "error",
	};
	const struct resume_counts *resumed = report->resumed;
	uint32_t end = report->result->end;

	fprintf(file, "  \"end\": \"%s\",\n",
	        end < sizeof(words) / sizeof(words[0]) ? words[end] : "error");
	if (!resumed) {
		fputs("  \"resumed\": null,\n", file);
		return;
	}
	fprintf(file,
	        "  \"resumed\": {\"done\": %" PRIu64 ", \"others\": %" PRIu64
	        ", \"changed\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"found_done\": %" PRIu64
	        ", \"carried\": %" PRIu64 "},\n",
	        resumed->done, resumed->others, resumed->changed, resumed->failed,
	        resumed->resolved, resumed->carried);
}

static double to_ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void write_counts(FILE *file, const struct result_report *report)
{
	const struct iobatch_result *result = report->result;
	const struct iobatch_lateness *late = &result->lateness;
	const char *executor = iobatch_executor_name(result->executor);

	fprintf(file,
	        "  \"failed_count\": %" PRIu64 ",\n"
	        "  \"skipped\": %" PRIu64 ",\n"
	        "  \"total_processed\": %" PRIu64 ",\n"
	        "  \"total_batches\": %" PRIu64 ",\n"
	        "  \"processing_time_ms\": %.3f,\n"
	        "  \"bytes\": %" PRIu64 ",\n"
	        "  \"retries\": %" PRIu64 ",\n"
	        "  \"rings\": %" PRIu32 ",\n"
	        "  \"executor\": \"%s\",\n"
	        "  \"stuck\": %" PRIu64 ",\n"
	        "  \"still_running\": %" PRIu64 ",\n",
	        result->failed, result->skipped, result->total_processed, result->total_batches,
	        result->processing_time_ms, result->bytes, result->retries, result->rings,
	        executor ? executor : "?", result->stuck, result->still_running);
	fprintf(file,
	        "  \"lateness\": {\"count\": %" PRIu64
	        ", \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f},\n"
	        "  \"source_errors\": %" PRIu64 "\n",
	        late->count, to_ms(late->p50_ns), to_ms(late->p90_ns), to_ms(late->p99_ns),
	        to_ms(late->max_ns), report->source_errors);
}

static int write_document(FILE *file, const struct result_report *report)
{
	const struct iobatch_result *result = report->result;
	int err;

	fputs("{\n", file);
	err = write_job(file, report->job);
	if (err)
		return err;
	fprintf(file, "  \"successful\": %" PRIu64 ",\n", result->successful);
	if (report->list_successful)
		err = write_list(file, "successful_items", result->successful_items,
		                 result->successful_items_count);
	if (!err)
		err = write_list(file, "failed", result->failed_items, result->failed_items_count);
	if (!err)
		err = write_groups(file, result);
	if (!err)
		err = write_run_error(file, report->run_error);
	if (err)
		return err;
	write_end(file, report);
	if (result->lists_incomplete)
		fputs("  \"lists_incomplete\": true,\n", file);
	write_counts(file, report);
	fputs("}\n", file);
	return 0;
}

/* Writes and closes; stdio keeps no errno for later, so that a failed write is asked for here. */
static int write_and_close(FILE *file, const struct result_report *report)
{
	int err;

	errno = 0;
	err = write_document(file, report);
	if ((fflush(file) || ferror(file)) && !err)
		err = errno ? -errno : -EIO;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

/* Whether `path` is something to be replaced by a rename, and not to be written into. */
static bool is_replaceable(const char *path)
{
	struct stat stat;

	if (lstat(path, &stat))
		return true;
	return S_ISREG(stat.st_mode);
}

int result_check(const char *path)
{
	char *copy;
	int err;

	if (!strcmp(path, "-"))
		return 0;
	if (!is_replaceable(path)) {
		struct stat stat_;

		if (!stat(path, &stat_) && S_ISDIR(stat_.st_mode))
			return -EISDIR;
		return access(path, W_OK) ? -errno : 0;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	err = access(dirname(copy), W_OK | X_OK) ? -errno : 0;
	free(copy);
	return err;
}

static int write_replacing(const char *path, const struct result_report *report)
{
	mode_t mask = umask(0);
	char *temporary;
	FILE *file;
	int fd, err;

	umask(mask);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(temporary);
		return err;
	}
	file = fdopen(fd, "w");
	if (!file || fchmod(fd, 0666 & ~mask)) {
		err = -errno;
		if (file)
			fclose(file);
		else
			close(fd);
	} else {
		err = write_and_close(file, report);
	}
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	free(temporary);
	return err;
}

int result_write(const char *path, const struct result_report *report)
{
	FILE *file;
	int fd;

	if (strcmp(path, "-") && is_replaceable(path))
		return write_replacing(path, report);
	/* A standard output that is closed is held open for reading: see main.c. */
	if (!strcmp(path, "-") && (fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	/* Standard output itself stays open for the check at the end of the program. */
	fd = strcmp(path, "-") ? open(path, O_WRONLY | O_TRUNC | O_CLOEXEC) : dup(STDOUT_FILENO);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		int err = -errno;

		close(fd);
		return err;
	}
	return write_and_close(file, report);
}

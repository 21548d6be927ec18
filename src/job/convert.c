/* SPDX-License-Identifier: MIT */
/* What was loaded becomes a job: see convert.h. */
#include "job/convert.h"

#include "job/kinds.h"
#include "job/report.h"
#include "job/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The places of the keys in what was loaded. */
enum place {
	PLACE_JOB,
	PLACE_ITEMS,
	PLACE_PROCESSOR,
	PLACE_OPTIONS,
};

const struct key convert_keys[] = {
	[PLACE_JOB] = {.name = "job", .kind = KEY_TEXT},
	/* Only a processor that says itself where its items come from can do without. */
	[PLACE_ITEMS] = {.name = "items", .kind = KEY_MAPPING, .keys = kinds_items},
	[PLACE_PROCESSOR] = {.name = "processor",
                             .kind = KEY_MAPPING,
                             .required = true,
                             .keys = kinds_processors},
	[PLACE_OPTIONS] = {.name = "options", .kind = KEY_MAPPING, .keys = kinds_options},
	{NULL},
};

/* One of the keys below `path` must be there, and not a second one. */
static int exactly_one(struct report *report, const char *path, const struct key *keys,
                       const struct raw_mapping *raw, unsigned *ret_place)
{
	unsigned count = 0, found = UINT32_MAX;
	char list[256] = "", second[64];

	for (; keys[count].name; count++) {
		size_t length = strlen(list);

		snprintf(list + length, sizeof(list) - length, "%s%s", count ? ", " : "",
		         keys[count].name);
		if (!raw->values[count].any)
			continue;
		if (found < count) {
			snprintf(second, sizeof(second), "%s.%s", path, keys[count].name);
			return report_error(report, second,
			                    "%s already has %s, and can have only one of them",
			                    path, keys[found].name);
		}
		found = count;
	}
	if (found == UINT32_MAX)
		return report_error(report, path, "must have one of %s", list);
	*ret_place = found;
	return 0;
}

/* Fills the options of a kind in the job: the defaults, and over them what was loaded. */
static int fill(struct report *report, const char *part, const char *key, const struct key *keys,
                const struct raw_mapping *raw, void *target, const void *defaults, size_t size,
                struct lists *lists)
{
	char path[64];

	memcpy(target, defaults, size);
	snprintf(path, sizeof(path), "%s.%s", part, key);
	return raw ? values_convert(report, path, keys, raw, target, lists) : 0;
}

static int convert_source(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	/* Of a walk that the processor implies: nothing was said about it. */
	static const struct raw_mapping nothing;
	const struct source_kind *kind = &source_kinds[job->source];
	const struct raw_mapping *own = raw ? raw->values[job->source].mapping : &nothing;
	int err = fill(report, "items", kind->key, kind->keys, own, (char *)job + kind->target,
	               kind->defaults, kind->size, &job->lists);

	return !err && kind->check ? kind->check(report, own, job) : err;
}

/* Options without keys are fine: their defaults. */
static int convert_processor(struct report *report, const struct raw_value *raw, struct job *job)
{
	const struct processor_kind *kind = &processor_kinds[job->processor];
	int err = 0;

	if (kind->keys && kind->defaults)
		err = fill(report, "processor", kind->key, kind->keys, raw->mapping,
		           (char *)job + kind->target, kind->defaults, kind->size, &job->lists);
	return !err && kind->check ? kind->check(report, raw, job) : err;
}

/* What cannot work for any item is refused for the whole job. */
static int check_together(struct report *report, const struct job *job)
{
	const struct processor_kind *processor = &processor_kinds[job->processor];
	const char *source = source_kinds[job->source].key;
	char path[64];

	snprintf(path, sizeof(path), "processor.%s", processor->key);
	if (processor->needs & KIND_WALK && job->source != JOB_SOURCE_WALK)
		return report_error(report, path,
		                    "walks its trees itself; leave items out, or filter with "
		                    "items.walk");
	if (processor->needs & KIND_MANIFEST && job->source != JOB_SOURCE_MANIFEST)
		return report_error(report, path,
		                    "needs digests to compare with, and items.%s has none; use "
		                    "items.manifest",
		                    source);
	if (!(processor->needs & KIND_MANIFEST) && job->source == JOB_SOURCE_MANIFEST)
		return report_error(report, path,
		                    "has no use for digests; take the names from items.list, whose "
		                    "column can be the one behind the digest");
	if (processor->needs & KIND_WHOLE_FILES && job->source == JOB_SOURCE_RANGE)
		return report_error(report, path,
		                    "works on whole files, and items.range has blocks of one; use "
		                    "items.list for one file");
	return 0;
}

static bool is_empty(const struct raw_mapping *raw, const struct key *keys)
{
	for (unsigned i = 0; keys[i].name; i++)
		if (raw->values[i].any)
			return false;
	return true;
}

int convert_job(struct report *report, const struct raw_mapping *raw, struct job *job)
{
	const struct raw_mapping *items = raw->values[PLACE_ITEMS].mapping;
	const struct raw_mapping *processor = raw->values[PLACE_PROCESSOR].mapping;
	unsigned place = 0;
	int err = exactly_one(report, "processor", kinds_processors, processor, &place);

	if (err)
		return err;
	job->processor = (enum job_processor)place;
	job->source = JOB_SOURCE_WALK;
	if (items && processor_kinds[place].needs & KIND_WALK && is_empty(items, kinds_items))
		items = NULL;
	if (items || !(processor_kinds[place].needs & KIND_WALK)) {
		if (!items)
			return report_error(report, "items", "this key is required and is missing");
		err = exactly_one(report, "items", kinds_items, items, &place);
		if (err)
			return err;
		job->source = (enum job_source)place;
	}
	err = check_together(report, job);
	if (!err)
		err = convert_source(report, items, job);
	if (!err)
		err = convert_processor(report, &processor->values[job->processor], job);
	if (!err)
		err = kinds_convert_options(report, &raw->values[PLACE_OPTIONS], job);
	return err;
}

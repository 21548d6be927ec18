/* SPDX-License-Identifier: MIT */
/*
 * Finds sources that overlap their destination: see overlap.h. Directories are compared by what
 * they are and not by their names, so that links and bind mounts hide nothing.
 */
#include "job/overlap.h"

#include "job/kinds.h"
#include "job/report.h"
#include "job/roots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory that the job writes into. */
struct place {
	dev_t device;
	ino_t inode;
};

struct places {
	struct place *places;
	unsigned count;
};

/* The canonical path of `path`, or of the directory that it would be made in; NULL when neither is.
 */
static char *resolve(const char *path)
{
	char *whole = realpath(path, NULL), *parent;
	size_t length = strlen(path);

	if (whole || errno != ENOENT)
		return whole;
	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	parent = length ? strndup(path, length) : strdup(".");
	if (!parent)
		return NULL;
	whole = realpath(parent, NULL);
	free(parent);
	return whole;
}

static bool is_one_of(const struct places *places, const struct stat *stat)
{
	for (unsigned i = 0; i < places->count; i++)
		if (places->places[i].device == stat->st_dev &&
		    places->places[i].inode == stat->st_ino)
			return true;
	return false;
}

/* Is the file, or a directory that it is in, one of the places? Cuts the path off. */
static bool is_within(char *path, const struct places *places)
{
	for (;;) {
		char *slash = strrchr(path, '/');
		struct stat here;

		if (!stat(path, &here) && is_one_of(places, &here))
			return true;
		if (!slash || !slash[1])
			return false;
		slash[slash == path] = '\0';
	}
}

static void add_place(struct places *places, const char *path)
{
	struct stat stat_;

	if (!stat(path, &stat_) && S_ISDIR(stat_.st_mode))
		places->places[places->count++] = (struct place){stat_.st_dev, stat_.st_ino};
}

/* Where the roots will stand, as far as that is there already. */
static int find_places(const struct job *job, const char *const *roots, struct places *ret_places)
{
	const char *destination = job->copy.destination;
	unsigned count = 1;

	for (const char *const *root = roots; *root; root++)
		count++;
	ret_places->places = calloc(count, sizeof(*ret_places->places));
	if (!ret_places->places)
		return -ENOMEM;
	for (const char *const *root = roots; *root; root++) {
		size_t length;
		const char *name = roots_name(*root, &length);
		char *place;

		if (job->walk.root_name != IOBATCH_ROOT_NAME_KEEP || !length) {
			add_place(ret_places, destination);
			break;
		}
		if (asprintf(&place, "%s/%.*s", destination, (int)length, name) < 0)
			return -ENOMEM;
		add_place(ret_places, place);
		free(place);
	}
	return 0;
}

/* One root that is a directory. */
static int check_root(struct report *report, const char *key, const char *destination,
                      const char *root, const struct places *places)
{
	struct stat source, target;
	struct places self;
	struct place place;
	char *path;
	int err = 0;

	if (stat(root, &source) || !S_ISDIR(source.st_mode))
		return 0;
	place = (struct place){source.st_dev, source.st_ino};
	self = (struct places){&place, 1};
	if (!stat(destination, &target) && is_one_of(&self, &target))
		return report_error(report, key, "%s is %s itself; name another place", destination,
		                    root);
	if (is_one_of(places, &source))
		return report_error(report, key,
		                    "%s would have %s put in its own place; name another one",
		                    destination, root);
	path = resolve(destination);
	if (path && is_within(path, &self))
		err = report_error(report, key,
		                   "%s lies in %s, and would be put into itself; name a place "
		                   "outside of it",
		                   destination, root);
	free(path);
	if (err)
		return err;
	path = resolve(root);
	if (path && is_within(path, places))
		err = report_error(
			report, key,
			"%s holds %s, which could be written over; name a place beside it",
			destination, root);
	free(path);
	return err;
}

int overlap_check(struct report *report, const struct job *job)
{
	const struct processor_kind *kind = &processor_kinds[job->processor];
	const char *one[2];
	const char *const *roots;
	struct places places = {NULL, 0};
	char key[64];
	int err;

	if (!(kind->needs & KIND_APART) || job->source != JOB_SOURCE_WALK)
		return 0;
	roots = roots_of(job, one);
	snprintf(key, sizeof(key), "processor.%s.destination", kind->key);
	err = find_places(job, roots, &places);
	for (; !err && *roots; roots++)
		err = check_root(report, key, job->copy.destination, *roots, &places);
	free(places.places);
	return err;
}

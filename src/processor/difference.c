/* SPDX-License-Identifier: MIT */
/*
 * Owns the comparison of attributes, and the words for what differs.
 */
#include "processor/difference.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool times_differ(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

uint32_t difference_of(uint32_t what, const struct statx *own, const struct statx *other)
{
	mode_t type = own->stx_mode & S_IFMT;
	uint32_t found = 0;

	if (type != (other->stx_mode & S_IFMT))
		return IOBATCH_COMPARE_TYPE;
	if (what & IOBATCH_COMPARE_SIZE) {
		if (type == S_IFREG && own->stx_size != other->stx_size)
			found |= IOBATCH_COMPARE_SIZE;
		if ((type == S_IFBLK || type == S_IFCHR) &&
		    (own->stx_rdev_major != other->stx_rdev_major ||
		     own->stx_rdev_minor != other->stx_rdev_minor))
			found |= FOUND_NUMBER;
	}
	if (what & IOBATCH_COMPARE_MTIME && type != S_IFLNK &&
	    times_differ(&own->stx_mtime, &other->stx_mtime))
		found |= IOBATCH_COMPARE_MTIME;
	if (what & IOBATCH_COMPARE_MODE && type != S_IFLNK && own->stx_mode != other->stx_mode)
		found |= IOBATCH_COMPARE_MODE;
	if (what & IOBATCH_COMPARE_OWNER &&
	    (own->stx_uid != other->stx_uid || own->stx_gid != other->stx_gid))
		found |= IOBATCH_COMPARE_OWNER;
	return found;
}

void difference_name(uint32_t found, uint64_t byte, char *ret_text)
{
	static const struct {
		uint32_t found;
		const char *name;
	} rows[] = {
		{IOBATCH_COMPARE_TYPE, "type"},   {IOBATCH_COMPARE_SIZE, "size"},
		{FOUND_TARGET, "target"},         {FOUND_NUMBER, "device number"},
		{IOBATCH_COMPARE_MTIME, "mtime"}, {IOBATCH_COMPARE_MODE, "mode"},
		{IOBATCH_COMPARE_OWNER, "owner"},
	};
	const char *separator = ": ";
	char *at = ret_text;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(found & rows[i].found))
			continue;
		at = stpcpy(at, separator);
		at = stpcpy(at, rows[i].name);
		separator = ", ";
	}
	if (found & IOBATCH_COMPARE_CONTENT)
		sprintf(at, "%scontent at byte %" PRIu64, separator, byte);
}

/* SPDX-License-Identifier: MIT */
/*
 * Reads directories with getdents64, a large buffer at a time, into the two arrays of a listing.
 */
#include "walk_listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define BUFFER_SIZE ((size_t)64 << 10)

/* Arrays below this are not worth shrinking. */
#define KEEP_SIZE ((size_t)256 << 10)

int walk_listing_init(struct walk_listing *listing)
{
	*listing = (struct walk_listing){.buffer = malloc(BUFFER_SIZE)};
	return listing->buffer ? 0 : -ENOMEM;
}

void walk_listing_deinit(struct walk_listing *listing)
{
	free(listing->names);
	free(listing->entries);
	free(listing->buffer);
	*listing = (struct walk_listing){0};
}

/* The array with room for `more` elements beyond the `used` ones; NULL when there is no memory. */
static void *array_grow(void *array, size_t used, size_t more, size_t element, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity : 256;
	void *grown;

	while (wanted - used < more)
		if (__builtin_mul_overflow(wanted, 2, &wanted))
			return NULL;
	grown = reallocarray(array, wanted, element);
	if (grown)
		*capacity = wanted;
	return grown;
}

/* Gives memory back after a very large directory; half is kept, so that this stays rare. */
static void *array_shrink(void *array, size_t used, size_t element, size_t *capacity)
{
	void *shrunk;

	if (*capacity * element <= KEEP_SIZE || used > *capacity / 4)
		return array;
	shrunk = reallocarray(array, *capacity / 2, element);
	if (!shrunk)
		return array;
	*capacity /= 2;
	return shrunk;
}

static int listing_append(struct walk_listing *listing, const char *name, uint8_t type)
{
	size_t length = strlen(name);

	if (listing->names_capacity - listing->names_used <= length) {
		char *names = array_grow(listing->names, listing->names_used, length + 1, 1,
		                         &listing->names_capacity);

		if (!names)
			return -ENOMEM;
		listing->names = names;
	}
	if (listing->count == listing->capacity) {
		struct walk_entry *entries = array_grow(listing->entries, listing->count, 1,
		                                        sizeof(*entries), &listing->capacity);

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
	}
	listing->entries[listing->count++] = (struct walk_entry){
		.name = listing->names_used,
		.length = (uint32_t)length,
		.type = type,
	};
	memcpy(listing->names + listing->names_used, name, length + 1);
	listing->names_used += length + 1;
	return 0;
}

static int entry_compare(const void *a, const void *b, void *names)
{
	const struct walk_entry *left = a;
	const struct walk_entry *right = b;

	/* strcmp() compares as unsigned bytes, whatever the locale. */
	return strcmp((const char *)names + left->name, (const char *)names + right->name);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Takes the `size` bytes of entries that the kernel has written to the buffer. */
static int listing_take(struct walk_listing *listing, size_t size, const struct walk_filter *filter)
{
	const char *at = listing->buffer;
	const char *end = at + size;

	while (at < end) {
		const struct dirent64 *entry = (const struct dirent64 *)at;
		int rc;

		at += entry->d_reclen;
		if (is_dots(entry->d_name) ||
		    !walk_filter_wants(filter, entry->d_name, entry->d_type))
			continue;
		rc = listing_append(listing, entry->d_name, entry->d_type);
		if (rc)
			return rc;
	}
	return 0;
}

int walk_listing_read(struct walk_listing *listing, int fd, const struct walk_filter *filter)
{
	size_t first = listing->count;
	int error = 0;

	for (;;) {
		ssize_t size = getdents64(fd, listing->buffer, BUFFER_SIZE);

		if (size < 0 && errno == EINTR)
			continue;
		/* ENOENT: the directory was removed after it was opened, and so is empty. */
		if (size < 0 && errno != ENOENT)
			error = -errno;
		if (size <= 0)
			break;
		error = listing_take(listing, (size_t)size, filter);
		if (error)
			return error;
	}
	if (listing->count > first)
		qsort_r(listing->entries + first, listing->count - first, sizeof(struct walk_entry),
		        entry_compare, listing->names);
	return error;
}

void walk_listing_release(struct walk_listing *listing, struct walk_mark mark)
{
	listing->names_used = mark.names_used;
	listing->count = mark.count;
	listing->names = array_shrink(listing->names, mark.names_used, 1, &listing->names_capacity);
	listing->entries = array_shrink(listing->entries, mark.count, sizeof(*listing->entries),
	                                &listing->capacity);
}

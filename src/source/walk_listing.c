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

/* The most entries that a buffer holds: a header of 19 bytes, a byte of name and its NUL. */
#define BUFFER_ENTRIES (BUFFER_SIZE / 24)

int walk_listing_init(struct walk_listing *listing, uint32_t order, bool directories_behind)
{
	*listing = (struct walk_listing){
		.buffer = malloc(BUFFER_SIZE),
		.order = order,
		.directories_behind = directories_behind || order == IOBATCH_WALK_BY_SIZE,
	};
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

/* Sizes are not known here: who looks them up fills them in. */
static uint64_t entry_key(const struct walk_listing *listing, const struct dirent64 *entry)
{
	switch (listing->order) {
	case IOBATCH_WALK_BY_INODE:
		return entry->d_ino;
	case IOBATCH_WALK_BY_SIZE:
		return 0;
	default:
		return listing->count;
	}
}

static int listing_append(struct walk_listing *listing, const struct dirent64 *entry)
{
	const char *name = entry->d_name;
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
	listing->entries[listing->count] = (struct walk_entry){
		.name = listing->names_used,
		.key = entry_key(listing, entry),
		.length = (uint32_t)length,
		.type = entry->d_type,
	};
	listing->count++;
	memcpy(listing->names + listing->names_used, name, length + 1);
	listing->names_used += length + 1;
	return 0;
}

static int entry_compare(const void *a, const void *b, void *argument)
{
	const struct walk_listing *listing = argument;
	const struct walk_entry *left = a;
	const struct walk_entry *right = b;

	if (listing->directories_behind && (left->type == DT_DIR) != (right->type == DT_DIR))
		return left->type == DT_DIR ? 1 : -1;
	if (listing->order == IOBATCH_WALK_BY_SIZE && left->type == DT_DIR)
		;
	else if (listing->order != IOBATCH_WALK_BY_NAME && left->key != right->key)
		return (left->key < right->key) == (listing->order == IOBATCH_WALK_BY_SIZE) ? 1
		                                                                            : -1;
	/* strcmp() compares as unsigned bytes, whatever the locale. */
	return strcmp(walk_listing_name(listing, left), walk_listing_name(listing, right));
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
		rc = listing_append(listing, entry);
		if (rc)
			return rc;
	}
	return 0;
}

/* Where the kernel goes on behind the last of `size` bytes of entries. */
static off_t listing_position(const struct walk_listing *listing, size_t size)
{
	const char *at = listing->buffer;
	const char *end = at + size;
	off_t position = 0;

	while (at < end) {
		const struct dirent64 *entry = (const struct dirent64 *)at;

		position = entry->d_off;
		at += entry->d_reclen;
	}
	return position;
}

int walk_listing_read(struct walk_listing *listing, int fd, const struct walk_filter *filter,
                      bool *ret_more, off_t *ret_position)
{
	size_t first = listing->count;
	off_t position = 0;
	bool more = true;
	int error = 0;

	while (listing->count - first + BUFFER_ENTRIES <= WALK_PORTION) {
		ssize_t size = getdents64(fd, listing->buffer, BUFFER_SIZE);

		if (size < 0 && errno == EINTR)
			continue;
		/* ENOENT: the directory was removed after it was opened, and so is empty. */
		if (size < 0 && errno != ENOENT)
			error = -errno;
		if (size <= 0) {
			more = false;
			break;
		}
		error = listing_take(listing, (size_t)size, filter);
		if (error)
			return error;
		position = listing_position(listing, (size_t)size);
	}
	*ret_more = more;
	*ret_position = position;
	return error;
}

void walk_listing_sort(struct walk_listing *listing, struct walk_mark mark)
{
	if (listing->order == IOBATCH_WALK_AS_FOUND && !listing->directories_behind)
		return;
	if (listing->count > mark.count)
		qsort_r(listing->entries + mark.count, listing->count - mark.count,
		        sizeof(struct walk_entry), entry_compare, listing);
}

void walk_listing_release(struct walk_listing *listing, struct walk_mark mark)
{
	listing->names_used = mark.names_used;
	listing->count = mark.count;
	listing->names = array_shrink(listing->names, mark.names_used, 1, &listing->names_capacity);
	listing->entries = array_shrink(listing->entries, mark.count, sizeof(*listing->entries),
	                                &listing->capacity);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of a report's lines. Items settle nearly in order: a line that comes before its
 * turn waits in a ring that is indexed by how far its item is ahead.
 *
 * One slow item holds up all behind it, which may be millions. When the ring holds its share, the
 * item whose turn it is becomes a hole: its place is noted, and what comes behind it goes to a
 * spill file, in order. When the first hole is filled, the spill file is copied up to the next one,
 * a part with each line that is added. Invariant: what is written is the lines of all items before
 * the first hole, or before `next` when there is none; the spill file has those from there to
 * `next`, but for the holes. Memory is the ring, and as many holes as items are unsettled at once.
 */
#include "processor/lines.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE (64u << 10)
#define WAITING_FIRST 1024u
/* What the ring holds at most: lines, and bytes of them. */
#define WAITING_MAX 16384u
#define WAITING_BYTES (4u << 20)
#define HOLES_FIRST 64u
/* Bytes that are copied from the spill file with each line that is added. */
#define DRAIN_STEP (1u << 20)

/* A line that waits for its turn. */
struct line {
	bool present; /* the item has settled */
	char *text;   /* NULL: it has no line */
	size_t length;
};

/* An item that has not settled, although what comes behind it is in the spill file. */
struct hole {
	uint64_t index;
	uint64_t offset; /* in the spill file */
	struct line line;
};

struct outlet {
	int fd;
	size_t used;
	char buffer[BUFFER_SIZE];
};

struct lines {
	uint64_t next;        /* index whose turn it is */
	struct line *waiting; /* of item `next + i` at (next + i) % waiting_max */
	uint64_t waiting_max; /* a power of two */
	size_t waiting_bytes;

	struct hole *holes; /* in the order of their items */
	size_t holes_first; /* those before it are filled and gone */
	size_t holes_count;
	size_t holes_max;

	int (*open_spill)(void *context);
	void *context;
	struct outlet *spill; /* NULL = not needed so far */
	uint64_t spilled;     /* bytes that went to the spill file; 0 = it is not in use */
	uint64_t drained;     /* bytes of them that were copied */

	struct outlet out;
};

/* ------------------------------------------------------------- writing -- */

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static int outlet_flush(struct outlet *outlet)
{
	int result = write_all(outlet->fd, outlet->buffer, outlet->used);

	outlet->used = 0;
	return result;
}

static int outlet_put(struct outlet *outlet, const char *text, size_t length)
{
	int result = 0;

	if (length == 0)
		return 0;
	if (length > BUFFER_SIZE - outlet->used)
		result = outlet_flush(outlet);
	if (result < 0)
		return result;
	if (length > BUFFER_SIZE)
		return write_all(outlet->fd, text, length);
	memcpy(outlet->buffer + outlet->used, text, length);
	outlet->used += length;
	return 0;
}

/* --------------------------------------------------------------- holes -- */

static bool is_spilling(const struct lines *lines)
{
	return lines->holes_first < lines->holes_count || lines->drained < lines->spilled;
}

static int start_spill(struct lines *lines)
{
	struct outlet *spill;
	int fd;

	if (lines->spill)
		return 0;
	spill = malloc(sizeof(*spill));
	if (!spill)
		return -ENOMEM;
	fd = lines->open_spill(lines->context);
	if (fd < 0) {
		free(spill);
		return fd;
	}
	spill->fd = fd;
	spill->used = 0;
	lines->spill = spill;
	return 0;
}

/* The next text in order. */
static int emit(struct lines *lines, const char *text, size_t length)
{
	if (!is_spilling(lines))
		return outlet_put(&lines->out, text, length);
	lines->spilled += length;
	return outlet_put(lines->spill, text, length);
}

/* Makes room for one more hole behind the last. */
static int make_room_for_hole(struct lines *lines)
{
	size_t count = lines->holes_count - lines->holes_first;
	size_t max = lines->holes_max ? 2 * lines->holes_max : HOLES_FIRST;
	struct hole *holes = lines->holes;

	if (lines->holes_count < lines->holes_max)
		return 0;
	if (lines->holes_first >= lines->holes_max / 2 && lines->holes_first > 0) {
		memmove(holes, holes + lines->holes_first, count * sizeof(*holes));
	} else {
		holes = calloc(max, sizeof(*holes));
		if (!holes)
			return -ENOMEM;
		if (count > 0)
			memcpy(holes, lines->holes + lines->holes_first, count * sizeof(*holes));
		free(lines->holes);
		lines->holes = holes;
		lines->holes_max = max;
	}
	lines->holes_first = 0;
	lines->holes_count = count;
	return 0;
}

/* The hole of an item; it must be there. */
static struct hole *find_hole(struct lines *lines, uint64_t index)
{
	size_t low = lines->holes_first, high = lines->holes_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lines->holes[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	assert(low < lines->holes_count && lines->holes[low].index == index);
	return &lines->holes[low];
}

/* Copies the next bytes of the spill file, at most `length`. */
static int copy_spilled(struct lines *lines, uint64_t length)
{
	char buffer[BUFFER_SIZE];
	size_t wanted = length < sizeof(buffer) ? (size_t)length : sizeof(buffer);
	ssize_t size;

	do {
		size = pread(lines->spill->fd, buffer, wanted, (off_t)lines->drained);
	} while (size < 0 && errno == EINTR);
	if (size <= 0)
		return size < 0 ? -errno : -EIO;
	lines->drained += (uint64_t)size;
	return outlet_put(&lines->out, buffer, (size_t)size);
}

/* Everything has been copied: what comes now can be written as it is. */
static int end_spill(struct lines *lines)
{
	lines->spilled = 0;
	lines->drained = 0;
	lines->spill->used = 0;
	if (ftruncate(lines->spill->fd, 0) < 0 || lseek(lines->spill->fd, 0, SEEK_SET) < 0)
		return -errno;
	return 0;
}

/* Writes what is in the spill file, up to the first hole that is not filled and so many bytes. */
static int drain(struct lines *lines, uint64_t budget)
{
	int result = 0;

	while (is_spilling(lines) && budget > 0 && result == 0) {
		struct hole *hole = &lines->holes[lines->holes_first];
		bool there_is = lines->holes_first < lines->holes_count;
		uint64_t end = there_is ? hole->offset : lines->spilled;
		uint64_t length = end - lines->drained;

		if (length > 0) {
			result = outlet_flush(lines->spill);
			if (length > budget)
				length = budget;
			if (length > BUFFER_SIZE)
				length = BUFFER_SIZE;
			budget -= length;
			if (result == 0)
				result = copy_spilled(lines, length);
		} else if (hole->line.present) {
			result = outlet_put(&lines->out, hole->line.text, hole->line.length);
			free(hole->line.text);
			hole->line.text = NULL;
			lines->holes_first++;
		} else {
			return 0;
		}
	}
	if (result == 0 && !is_spilling(lines) && lines->spilled > 0)
		result = end_spill(lines);
	return result;
}

/* --------------------------------------------------------------- order -- */

static struct line *place(struct lines *lines, uint64_t index)
{
	return &lines->waiting[index & (lines->waiting_max - 1)];
}

/* Makes room in the ring for an item that is `ahead` of the one whose turn it is. */
static int make_room(struct lines *lines, uint64_t ahead)
{
	struct lines old = {.waiting = lines->waiting, .waiting_max = lines->waiting_max};
	uint64_t max = old.waiting_max ? old.waiting_max : WAITING_FIRST;

	if (ahead < old.waiting_max)
		return 0;
	while (max <= ahead)
		max *= 2;
	lines->waiting = calloc(max, sizeof(struct line));
	if (!lines->waiting) {
		lines->waiting = old.waiting;
		return -ENOMEM;
	}
	lines->waiting_max = max;
	for (uint64_t i = 0; i < old.waiting_max; i++)
		*place(lines, lines->next + i) = *place(&old, lines->next + i);
	free(old.waiting);
	return 0;
}

static int copy_line(const char *text, size_t length, struct line *ret_line)
{
	struct line line = {.present = true, .length = length};

	if (length > 0) {
		line.text = malloc(length);
		if (!line.text)
			return -ENOMEM;
		memcpy(line.text, text, length);
	}
	*ret_line = line;
	return 0;
}

static int keep_line(struct lines *lines, uint64_t index, const char *text, size_t length)
{
	int result = make_room(lines, index - lines->next);

	if (result == 0)
		result = copy_line(text, length, place(lines, index));
	if (result == 0)
		lines->waiting_bytes += length;
	return result;
}

/* Emits the line whose turn it is, if it waits; it waits no longer whatever the result. */
static int emit_waiting(struct lines *lines)
{
	struct line *line = place(lines, lines->next);
	int result = line->text ? emit(lines, line->text, line->length) : 0;

	lines->waiting_bytes -= line->length;
	free(line->text);
	*line = (struct line){0};
	lines->next++;
	return result;
}

/* Emits all whose turn it is by now. */
static int go_on(struct lines *lines)
{
	int result = 0;

	while (result == 0 && lines->waiting && place(lines, lines->next)->present)
		result = emit_waiting(lines);
	return result;
}

/* The item whose turn it is becomes a hole. */
static int pass_over(struct lines *lines)
{
	int result = start_spill(lines);

	if (result == 0)
		result = make_room_for_hole(lines);
	if (result < 0)
		return result;
	lines->holes[lines->holes_count++] =
		(struct hole){.index = lines->next, .offset = lines->spilled};
	lines->next++;
	return go_on(lines);
}

static bool ring_is_full(const struct lines *lines, uint64_t index)
{
	return index > lines->next &&
	       (index - lines->next >= WAITING_MAX || lines->waiting_bytes > WAITING_BYTES);
}

int lines_add(struct lines *lines, uint64_t index, const char *text, size_t length)
{
	int result = 0;

	if (index < lines->next) {
		result = copy_line(text, length, &find_hole(lines, index)->line);
	} else {
		while (result == 0 && ring_is_full(lines, index))
			result = pass_over(lines);
		if (result == 0 && index > lines->next) {
			result = keep_line(lines, index, text, length);
		} else if (result == 0) {
			result = emit(lines, text, length);
			lines->next++;
			if (result == 0)
				result = go_on(lines);
		}
	}
	if (result == 0 && is_spilling(lines))
		result = drain(lines, DRAIN_STEP);
	return result;
}

int lines_flush(struct lines *lines)
{
	return outlet_flush(&lines->out);
}

int lines_finish(struct lines *lines)
{
	int result = 0;

	/* What waits behind items that never settled is written all the same. */
	for (size_t i = lines->holes_first; i < lines->holes_count; i++)
		lines->holes[i].line.present = true;
	for (uint64_t i = 0; result == 0 && i < lines->waiting_max; i++)
		result = emit_waiting(lines);
	if (result == 0)
		result = drain(lines, UINT64_MAX);
	return result ? result : outlet_flush(&lines->out);
}

/* --------------------------------------------------- beginning and end -- */

int lines_new(int fd, int (*open_spill)(void *context), void *context, struct lines **ret_lines)
{
	struct lines *lines = malloc(sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	memset(lines, 0, offsetof(struct lines, out));
	lines->open_spill = open_spill;
	lines->context = context;
	lines->out.fd = fd;
	lines->out.used = 0;
	*ret_lines = lines;
	return 0;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	for (uint64_t i = 0; i < lines->waiting_max; i++)
		free(lines->waiting[i].text);
	free(lines->waiting);
	for (size_t i = lines->holes_first; i < lines->holes_count; i++)
		free(lines->holes[i].line.text);
	free(lines->holes);
	if (lines->spill)
		close(lines->spill->fd);
	free(lines->spill);
	free(lines);
}

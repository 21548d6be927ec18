/* SPDX-License-Identifier: MIT */
/*
 * The levels of a walk: the directories from a root to the one that it is in. Which of them are
 * open is decided here, and what happens when there are no descriptors: levels that can do without
 * give theirs back first, and then the walk waits for items to come back, if there are any.
 */
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ahead.h"

/* Levels, the innermost ones, that have a descriptor open besides the root. */
#define OPEN_LEVELS_MAX 16

static void level_close(struct walk_level *level)
{
	if (level->is_open)
		directory_unuse(level->directory);
	level->is_open = false;
}

/* Gives back what the levels can do without for now: all but the root and the innermost. */
static void walk_close_levels(struct walk *walk)
{
	for (size_t i = 1; i + 1 < walk->depth; i++)
		level_close(&walk->levels[i]);
}

bool walk_may_wait(struct walk *walk)
{
	return walk->source.out > 0 && !ahead_is_starving(walk->source.ahead);
}

bool walk_is_short(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

/*
 * A level that was not read to its end stays open as long as that can be: its descriptor knows
 * where to go on, which not every file system can be told.
 */
int walk_push(struct walk *walk, struct iobatch_directory *directory, bool listed)
{
	if (walk->depth == walk->capacity) {
		size_t capacity = walk->capacity ? 2 * walk->capacity : 32;
		struct walk_level *levels = reallocarray(walk->levels, capacity, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		walk->levels = levels;
		walk->capacity = capacity;
	}
	directory_ref(directory);
	directory->root = walk->root;
	directory->path_length = (uint32_t)walk->path_length;
	if (walk->last)
		walk_last_enter(walk, directory,
		                walk_filter_wants_directory(&walk->filter, walk->depth));
	walk->levels[walk->depth++] = (struct walk_level){
		.directory = directory,
		.is_open = true,
		.more = listed,
		.path_length = walk->path_length,
		.next = walk->listing.count,
		.mark = walk_listing_mark(&walk->listing),
	};
	if (walk->depth > OPEN_LEVELS_MAX + 1) {
		struct walk_level *outer = &walk->levels[walk->depth - 1 - OPEN_LEVELS_MAX];

		if (!outer->more)
			level_close(outer);
	}
	return 0;
}

/* Has a closed level be open again. What is left of its listing goes on where it was. */
static int level_reopen(struct walk_level *level, const struct iobatch_directory *child)
{
	int rc = directory_reopen(level->directory, child);

	if (rc)
		return rc;
	if (level->more && lseek(level->directory->fd, level->position, SEEK_SET) < 0) {
		rc = -errno;
		directory_unuse(level->directory);
		return rc;
	}
	level->is_open = true;
	return 0;
}

void walk_leave(struct walk *walk)
{
	struct walk_level *level = walk_innermost(walk);

	/* The easiest way back to a closed directory is from one that is in it. */
	if (walk->depth > 1 && level->is_open && !level[-1].is_open)
		(void)level_reopen(&level[-1], level->directory);
	if (walk->last)
		walk_last_leave(walk, level->directory, level->is_open);
	else
		level_close(level);
	directory_unref(level->directory);
	walk_listing_release(&walk->listing, level->mark);
	if (!--walk->depth)
		return;
	walk->path_length = walk_innermost(walk)->path_length;
	walk->path[walk->path_length] = '\0';
}

int walk_level_open(struct walk *walk)
{
	struct walk_level *level = walk_innermost(walk);
	int rc;

	if (level->is_open)
		return 0;
	rc = level_reopen(level, NULL);
	if (walk_is_short(rc)) {
		walk_close_levels(walk);
		rc = level_reopen(level, NULL);
		if (walk_is_short(rc) && walk_may_wait(walk))
			rc = -EAGAIN;
	}
	return rc;
}

int walk_open(struct walk *walk, const char *name, size_t length,
              struct iobatch_directory **ret_directory)
{
	struct iobatch_directory *parent = walk_innermost(walk)->directory;
	int rc;
	int fd;

	if (walk->pool.open >= walk->pool.limit) {
		walk_close_levels(walk);
		if (walk->pool.open >= walk->pool.limit && walk_may_wait(walk))
			return -EAGAIN;
	}
	source_flush(&walk->source);
	fd = openat(parent->fd, name, DIRECTORY_FLAGS);
	if (fd < 0 && walk_is_short(-errno)) {
		walk_close_levels(walk);
		fd = openat(parent->fd, name, DIRECTORY_FLAGS);
		if (fd < 0 && walk_is_short(-errno) && walk_may_wait(walk))
			return -EAGAIN;
	}
	if (fd < 0)
		return -errno;
	rc = directory_new(&walk->pool, parent, fd, name, length, ret_directory);
	if (rc)
		close(fd);
	return rc;
}

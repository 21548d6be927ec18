/* SPDX-License-Identifier: MIT */
/*
 * Directories behind their contents. Each directory counts what keeps it back: that the walk is in
 * it, the items in it that were given and have not come back, and the directories in it that were
 * entered and have not. Whoever takes the last one away makes it ready: then it is given, or, when
 * it is no item, it goes and is one thing less in the directory above.
 *
 * A ready directory is reached from the one that it is in. When that is closed by now, the thread
 * of the walk opens it again, from below: what keeps a directory of a deep tree waiting is no
 * descriptor but a count.
 *
 * Counts change without a lock, in the threads of those who give objects back. A directory that is
 * ready has one owner: who made it so, then the list that it is in, then who takes it from there.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "ahead.h"
#include "walk.h"

int walk_last_init(struct walk *walk)
{
	walk->ready_end = &walk->ready;
	return -pthread_mutex_init(&walk->lock, NULL);
}

void walk_last_enter(struct walk *walk, struct iobatch_directory *directory, bool wanted)
{
	directory_ref(directory);
	directory->tracked = true;
	directory->wanted = wanted;
	directory->pending = 1;
	if (directory->parent && directory->parent->tracked)
		directory->parent->pending++;
	walk->tracked++;
}

void walk_last_given(struct iobatch_directory *directory)
{
	directory->pending++;
}

/* The directory that the item of this one is in: itself for a root that is reached from itself. */
static struct iobatch_directory *place_of(struct iobatch_directory *directory)
{
	return directory->parent ? directory->parent : directory;
}

static void drop_own_use(struct iobatch_directory *directory)
{
	if (directory->own_use)
		directory_unuse(directory);
	directory->own_use = false;
}

/* What is left out below is missing above as well. */
static void pass_incomplete(struct iobatch_directory *directory)
{
	if (directory->parent && directory->incomplete)
		directory->parent->incomplete = true;
}

/* It is done with. The end of the walk may have waited for that. */
static void forget(struct walk *walk, struct iobatch_directory *directory)
{
	directory_unref(directory);
	if (--walk->tracked == 0)
		ahead_again(walk->source.ahead);
}

/* Takes a directory away that is not given; returns the one above if that is ready now. */
static struct iobatch_directory *pass_over(struct walk *walk, struct iobatch_directory *directory)
{
	struct iobatch_directory *above = directory->parent;

	pass_incomplete(directory);
	drop_own_use(directory);
	if (above && (!above->tracked || --above->pending))
		above = NULL;
	forget(walk, directory);
	return above;
}

/* `directory` is ready and the walk has a use of the one that its item is in. */
static void put_ready(struct walk *walk, struct iobatch_directory *directory)
{
	if (place_of(directory) != directory)
		drop_own_use(directory);
	walk->source.out++;
	directory->next = NULL;
	pthread_mutex_lock(&walk->lock);
	*walk->ready_end = directory;
	walk->ready_end = &directory->next;
	walk->ready_count++;
	pthread_mutex_unlock(&walk->lock);
	ahead_urgent(walk->source.ahead);
}

static void put_closed(struct walk *walk, struct iobatch_directory *directory)
{
	pthread_mutex_lock(&walk->lock);
	directory->next = walk->closed;
	walk->closed = directory;
	walk->closed_count++;
	pthread_mutex_unlock(&walk->lock);
	ahead_again(walk->source.ahead);
}

/*
 * Nothing keeps `directory` back any more. `is_open`: the caller has a use of it, which is enough
 * to take one more.
 */
static void become_ready(struct walk *walk, struct iobatch_directory *directory, bool is_open)
{
	while (directory && (walk->closing || !directory->wanted)) {
		directory = pass_over(walk, directory);
		is_open = false;
	}
	if (!directory)
		return;
	if (is_open && !directory->own_use) {
		directory_use(directory);
		directory->own_use = true;
	}
	if (place_of(directory) == directory || directory_use_if_open(directory->parent))
		put_ready(walk, directory);
	else
		put_closed(walk, directory);
}

void walk_last_leave(struct walk *walk, struct iobatch_directory *directory, bool is_open)
{
	bool is_root = directory->path_length == directory->name_length;

	/* A root stays open to the end: others may have to be found from there again. */
	if (is_root && is_open) {
		directory->own_use = true;
		is_open = false;
	}
	if (--directory->pending == 0)
		become_ready(walk, directory, is_open);
	if (is_open)
		directory_unuse(directory);
}

void walk_last_back(struct walk *walk, struct iobatch_directory *directory)
{
	if (directory->tracked && --directory->pending == 0)
		become_ready(walk, directory, true);
}

static struct iobatch_directory *take_ready(struct walk *walk)
{
	struct iobatch_directory *directory;

	pthread_mutex_lock(&walk->lock);
	directory = walk->ready;
	if (directory) {
		walk->ready = directory->next;
		if (!walk->ready)
			walk->ready_end = &walk->ready;
		walk->ready_count--;
	}
	pthread_mutex_unlock(&walk->lock);
	return directory;
}

static struct iobatch_directory *take_closed(struct walk *walk)
{
	struct iobatch_directory *directory;

	pthread_mutex_lock(&walk->lock);
	directory = walk->closed;
	if (directory) {
		walk->closed = directory->next;
		walk->closed_count--;
	}
	pthread_mutex_unlock(&walk->lock);
	return directory;
}

/* Writes the path, from its end: the names are in the nodes. */
static void fill_path(const struct iobatch_directory *directory, char *path)
{
	size_t at = directory->path_length;

	path[at] = '\0';
	for (;; directory = directory->parent) {
		at -= directory->name_length;
		memcpy(path + at, directory->name, directory->name_length);
		if (!at)
			return;
		if (directory->parent->path_length < at)
			path[--at] = '/';
	}
}

static void fill(const struct walk *walk, const struct iobatch_directory *directory,
                 struct iobatch_file *file)
{
	const struct walk_root *root = &walk->roots[directory->root];

	if (directory->path_length == directory->name_length) {
		walk_root_fill(walk, directory->root, DT_DIR, file);
		return;
	}
	file->offset = 0;
	file->length = 0;
	file->fd = -1;
	file->type = DT_DIR;
	file->flags = 0;
	file->extra_length = 0;
	file->known_length = 0;
	file->left_out = 0;
	file->root = directory->root;
	file->relative = walk_root_relative(walk, root, true, true);
	file->path_length = directory->path_length;
	fill_path(directory, file->path);
}

/* The place of a directory that is ready. */
static void fill_place(struct walk *walk, struct iobatch_directory *directory,
                       struct iobatch_file *file)
{
	const struct walk_root *root = &walk->roots[directory->root];
	struct iobatch_directory *place = place_of(directory);
	bool is_root = directory->path_length == directory->name_length;

	/* It is reached by its path, and needs nothing to be open. */
	if (is_root && root->is_followed) {
		drop_own_use(directory);
		walk->source.out--;
		return;
	}
	file->name = is_root ? (uint32_t)walk_root_name(root)
	                     : directory->path_length - directory->name_length;
	file->directory = place;
	file->dirfd = place->fd;
	file->device = place->device;
}

bool walk_last_take(struct walk *walk, struct iobatch_file *file)
{
	struct iobatch_directory *directory;

	if (!walk->ready_count)
		return false;
	directory = take_ready(walk);
	if (!directory)
		return false;
	fill(walk, directory, file);
	file->flags = directory->incomplete ? 0 : IOBATCH_FILE_LAST;
	fill_place(walk, directory, file);
	pass_incomplete(directory);
	/* What is reached from itself keeps nothing back when it comes back. */
	directory->tracked = false;
	forget(walk, directory);
	return true;
}

/* A directory whose item cannot be reached any more is left out. */
static int leave_out(struct walk *walk, struct iobatch_directory *directory, int error)
{
	char path[IOBATCH_PATH_MAX];
	int rc;

	fill_path(directory, path);
	rc = source_leave_out(&walk->source, error, path, NULL);
	directory->incomplete = true;
	become_ready(walk, pass_over(walk, directory), false);
	return rc;
}

int walk_last_serve(struct walk *walk)
{
	struct iobatch_directory *directory;
	int rc = 0;

	while (!rc && walk->closed_count && (directory = take_closed(walk))) {
		int error =
			directory_reopen(directory->parent, directory->own_use ? directory : NULL);

		if (!error) {
			put_ready(walk, directory);
		} else if (walk_is_short(error) && walk_may_wait(walk)) {
			pthread_mutex_lock(&walk->lock);
			directory->next = walk->closed;
			walk->closed = directory;
			walk->closed_count++;
			pthread_mutex_unlock(&walk->lock);
			break;
		} else {
			rc = leave_out(walk, directory, error);
		}
	}
	return rc;
}

void walk_last_deinit(struct walk *walk)
{
	struct iobatch_directory *directory;

	while ((directory = take_ready(walk))) {
		if (place_of(directory) != directory)
			directory_unuse(place_of(directory));
		become_ready(walk, pass_over(walk, directory), false);
	}
	while ((directory = take_closed(walk)))
		become_ready(walk, pass_over(walk, directory), false);
	pthread_mutex_destroy(&walk->lock);
}

/* SPDX-License-Identifier: MIT */
/*
 * The walk of directory trees: depth first, a directory before what is in it unless it is to come
 * last. Each directory is opened below its parent's descriptor and never through a symbolic link,
 * and is listed when the walk goes on in it. What vanishes while the walk goes on is passed over;
 * what is there and cannot be reached is left out and counted.
 *
 * Invariant: `path` is the path of the innermost directory, and the listing holds entries of the
 * directories in `levels`, outermost first. Besides the root only the innermost few levels have a
 * use of their directory, so that the depth of a tree is not limited by RLIMIT_NOFILE; the others
 * are opened again when the walk comes back to them.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ahead.h"
#include "op/abi.h"

/* Counts what is left out in the innermost directory, or that itself. */
static int walk_leave_out(struct walk *walk, int error, const char *name)
{
	walk_innermost(walk)->directory->incomplete = true;
	return source_leave_out(&walk->source, error, walk->path, name);
}

/* Whether an entry could not be had because by now it is not there, or is something else. */
static bool is_vanished(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* Looks up what the listing could not tell: the type, the size, the time. */
static int walk_look(struct walk *walk, const char *name, struct statx *ret_status)
{
	if (statx(walk_innermost(walk)->directory->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	          STATX_TYPE | STATX_SIZE | STATX_MTIME, ret_status))
		return -errno;
	return 0;
}

/*
 * Looks at an entry of the innermost directory, for the filter and for the order. Returns 1 when it
 * is wanted, 0 when not, or a negative errno that ends the walk.
 */
static int walk_examine(struct walk *walk, struct walk_entry *entry)
{
	const char *name = walk_listing_name(&walk->listing, entry);
	struct statx status;
	int rc = walk_look(walk, name, &status);

	entry->looked = true;
	if (is_vanished(rc))
		return 0;
	if (rc)
		return walk_leave_out(walk, rc, name);
	entry->type = IFTODT(status.stx_mode);
	if (walk->listing.order == IOBATCH_WALK_BY_SIZE)
		entry->key = entry->type == DT_REG ? status.stx_size : 0;
	return walk_filter_wants(&walk->filter, name, entry->type) &&
	       walk_filter_wants_status(&walk->filter, entry->type, &status);
}

static bool walk_asks_status(const struct walk *walk, const struct walk_entry *entry)
{
	return !entry->looked &&
	       (entry->type == DT_UNKNOWN || walk_filter_asks_status(&walk->filter, entry->type));
}

/* Whether the order of the entries depends on what the listing could not tell of one. */
static bool walk_order_asks(const struct walk *walk, const struct walk_entry *entry)
{
	if (walk->listing.order == IOBATCH_WALK_BY_SIZE && entry->type == DT_REG)
		return true;
	return walk->listing.directories_behind && entry->type == DT_UNKNOWN;
}

/* Looks at the entries behind `mark`, as far as the order of all of them asks for it. */
static int walk_prepare(struct walk *walk, struct walk_mark mark)
{
	struct walk_listing *listing = &walk->listing;
	size_t kept = mark.count;

	for (size_t i = mark.count; i < listing->count; i++) {
		struct walk_entry *entry = &listing->entries[i];

		if (walk_order_asks(walk, entry)) {
			int rc = walk_examine(walk, entry);

			if (rc < 0)
				return rc;
			if (!rc)
				continue;
		}
		listing->entries[kept++] = *entry;
	}
	listing->count = kept;
	return 0;
}

/* Lists the innermost directory, or the next portion of it. Only what ends the walk is an error. */
static int walk_list(struct walk *walk)
{
	struct walk_level *level = walk_innermost(walk);
	int error;
	int rc;

	rc = walk_level_open(walk);
	if (rc)
		return rc;
	source_flush(&walk->source);
	walk_listing_release(&walk->listing, level->mark);
	level->next = level->mark.count;
	level->more = false;
	error = walk_listing_read(&walk->listing, level->directory->fd, &walk->filter, &level->more,
	                          &level->position);
	if (error == -ENOMEM)
		return error;
	rc = error ? walk_leave_out(walk, error, NULL) : 0;
	if (!rc)
		rc = walk_prepare(walk, level->mark);
	if (!rc)
		walk_listing_sort(&walk->listing, level->mark);
	return rc;
}

/* There is no way back to the innermost directory: the rest of it is left out. */
static int walk_give_up(struct walk *walk, int error)
{
	struct walk_level *level = walk_innermost(walk);

	level->more = false;
	level->next = walk->listing.count;
	return error == -ENOENT ? 0 : walk_leave_out(walk, error, NULL);
}

/* Fills `file` with the entry `name` of the innermost directory, but for its place. */
static void walk_fill(const struct walk *walk, const char *name, size_t length, uint8_t type,
                      struct iobatch_file *file)
{
	size_t at = walk->path_length;

	file->offset = 0;
	file->length = 0;
	file->fd = -1;
	file->type = type;
	file->flags = 0;
	file->extra_length = 0;
	file->known_length = 0;
	file->left_out = 0;
	file->root = walk->root;
	file->relative = walk->relative;
	memcpy(file->path, walk->path, at);
	if (walk->path[at - 1] != '/')
		file->path[at++] = '/';
	memcpy(file->path + at, name, length + 1);
	file->path_length = (uint32_t)(at + length);
}

/* Makes `file` an item, which is in `directory`. */
static int walk_give(struct walk *walk, struct iobatch_directory *directory, size_t name,
                     struct iobatch_file *file)
{
	if (walk->last && directory->tracked)
		walk_last_given(directory);
	source_place(&walk->source, file, directory, name);
	return 1;
}

/*
 * Whether a directory is on another file system than its root, or something is mounted there, when
 * that matters. A bind mount shows what is of the same file system, and at home somewhere else.
 */
static int walk_is_elsewhere(struct walk *walk, const char *name)
{
	struct statx status;
	int rc;

	if (!walk->one_file_system)
		return 0;
	/* Before it is opened, which might mount something or wait for a server. */
	rc = walk_look(walk, name, &status);
	if (rc)
		return rc;
	return makedev(status.stx_dev_major, status.stx_dev_minor) != walk->device ||
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/*
 * Deals with the directory that `file` is. Returns 1 when it is an item now, 0 when not (yet), or a
 * negative errno that ends the walk, or -EAGAIN. One that cannot be opened is left out, but is
 * still an item itself.
 */
static int walk_enter(struct walk *walk, struct iobatch_file *file, size_t name)
{
	struct iobatch_directory *parent = walk_innermost(walk)->directory;
	bool wanted = walk_filter_wants_directory(&walk->filter, walk->depth);
	struct iobatch_directory *directory = NULL;
	int rc = walk_is_elsewhere(walk, file->path + name);

	if (rc > 0)
		return 0;
	/* What is in a directory at the lowest level does not count: it is complete. */
	if (!rc && walk->depth >= walk->filter.max_depth) {
		file->flags = walk->last ? IOBATCH_FILE_LAST : 0;
		return wanted ? walk_give(walk, parent, name, file) : 0;
	}
	if (!rc)
		rc = walk_open(walk, file->path + name, file->path_length - name, &directory);
	if (rc == -EAGAIN || rc == -ENOMEM)
		return rc;
	if (is_vanished(rc))
		return 0;
	if (rc) {
		parent->incomplete = true;
		rc = source_leave_out(&walk->source, rc, file->path, NULL);
		return rc || !wanted ? rc : walk_give(walk, parent, name, file);
	}
	if (walk->one_file_system && directory->device != walk->device) {
		directory_unuse(directory);
		return 0;
	}
	/* Before the level that it is in may be closed. */
	if (!walk->last && wanted)
		walk_give(walk, parent, name, file);
	walk->path_length = file->path_length;
	memcpy(walk->path, file->path, walk->path_length + 1);
	rc = walk_push(walk, directory, true);
	if (rc) {
		directory_unuse(directory);
		if (!walk->last && wanted)
			source_take_back(&walk->source, file);
		return rc;
	}
	return !walk->last && wanted;
}

/* Deals with one entry. Returns as walk_enter(). */
static int walk_visit(struct walk *walk, struct walk_entry *entry, struct iobatch_file *file)
{
	const char *name = walk_listing_name(&walk->listing, entry);
	struct iobatch_directory *directory = walk_innermost(walk)->directory;
	size_t start;
	int rc;

	if (walk_asks_status(walk, entry)) {
		rc = walk_examine(walk, entry);
		if (rc <= 0)
			return rc;
	}
	if (walk->path_length + 1 + entry->length >= IOBATCH_PATH_MAX)
		return walk_leave_out(walk, -ENAMETOOLONG, name);
	walk_fill(walk, name, entry->length, entry->type, file);
	if (!walk_filter_wants_path(&walk->filter, file->path + walk->below, entry->type))
		return 0;
	start = file->path_length - entry->length;
	if (entry->type == DT_DIR)
		return walk_enter(walk, file, start);
	if (walk->depth < walk->filter.min_depth)
		return 0;
	return walk_give(walk, directory, start, file);
}

/* One step within a tree. Returns as walk_enter(). */
static int walk_step(struct walk *walk, struct iobatch_file *file)
{
	size_t index = walk->depth - 1;
	struct walk_level *level = &walk->levels[index];
	struct walk_entry entry;
	int rc;

	if (level->next == walk->listing.count && !level->more) {
		walk_leave(walk);
		return 0;
	}
	rc = walk_level_open(walk);
	if (rc == -EAGAIN)
		return rc;
	if (rc)
		return walk_give_up(walk, rc);
	if (level->next == walk->listing.count)
		return walk_list(walk);
	entry = walk->listing.entries[level->next];
	rc = walk_visit(walk, &entry, file);
	if (rc != -EAGAIN)
		walk->levels[index].next++;
	return rc;
}

/* A root that is no directory: an item, when the filter wants it. */
static int walk_begin_leaf(struct walk *walk, const struct walk_root *root,
                           struct walk_found *found, struct iobatch_file *file)
{
	const char *name = root->path + root->name;

	if (walk->filter.min_depth > 0 || !walk_filter_wants(&walk->filter, name, found->type) ||
	    !walk_filter_wants_path(&walk->filter, name, found->type) ||
	    !walk_filter_wants_status(&walk->filter, found->type, &found->status))
		return 0;
	walk_root_fill(walk, walk->root, found->type, file);
	return root->is_followed ? 1 : walk_give(walk, found->parent, walk_root_name(root), file);
}

static int walk_begin_directory(struct walk *walk, const struct walk_root *root,
                                struct walk_found *found, struct iobatch_file *file)
{
	struct iobatch_directory *place = found->parent ? found->parent : found->directory;
	int rc;

	memcpy(walk->path, root->path, root->length + 1);
	walk->path_length = root->length;
	walk->below = root->length + (root->path[root->length - 1] != '/');
	walk->relative = walk_root_relative(walk, root, true, true);
	walk->device = found->directory->device;
	rc = walk_push(walk, found->directory, walk->filter.max_depth > 0);
	if (rc)
		return rc;
	found->directory = NULL;
	if (walk->last || !walk_filter_wants_directory(&walk->filter, 0))
		return 0;
	walk_root_fill(walk, walk->root, DT_DIR, file);
	return root->is_followed ? 1 : walk_give(walk, place, walk_root_name(root), file);
}

/* Begins with the next root, which may not have been looked for yet. Returns as walk_enter(). */
static int walk_begin(struct walk *walk, struct iobatch_file *file)
{
	struct walk_root *root = &walk->roots[walk->root];
	int rc;

	if (!walk->is_found) {
		rc = walk_root_find(walk, root, &walk->found);
		if (walk_is_short(rc) && walk_may_wait(walk))
			return -EAGAIN;
		if (rc == -ENOMEM)
			return rc;
		if (rc) {
			walk->root++;
			return source_leave_out(&walk->source, rc, root->path, NULL);
		}
	}
	walk->is_found = false;
	rc = walk->found.directory ? walk_begin_directory(walk, root, &walk->found, file)
	                           : walk_begin_leaf(walk, root, &walk->found, file);
	walk_found_drop(&walk->found);
	/* The root that is walked is `root` until it is left. */
	if (!walk->depth)
		walk->root++;
	return rc;
}

static int walk_next(struct iobatch_source *source, struct iobatch_file *file)
{
	struct walk *walk = (struct walk *)source;

	while (!ahead_is_stopping(source->ahead)) {
		int rc = walk->last ? walk_last_serve(walk) : 0;

		if (rc)
			return rc;
		if (walk->depth) {
			rc = walk_step(walk, file);
			if (!walk->depth)
				walk->root++;
		} else if (walk->root < walk->root_count) {
			rc = walk_begin(walk, file);
		} else if (walk->tracked) {
			rc = -EAGAIN;
		} else {
			break;
		}
		if (rc)
			return rc;
	}
	return 0;
}

static bool walk_urgent(struct iobatch_source *source, struct iobatch_file *file)
{
	struct walk *walk = (struct walk *)source;

	return walk->last && walk_last_take(walk, file);
}

static void walk_released(struct iobatch_source *source, const struct iobatch_file *file)
{
	struct walk *walk = (struct walk *)source;

	if (walk->last)
		walk_last_back(walk, file->directory);
}

/*
 * What is out still, and has not come back when the source is freed, is left to those who have it:
 * they may yet use its descriptors.
 */
static void walk_free(struct iobatch_source *source)
{
	struct walk *walk = (struct walk *)source;

	walk->closing = true;
	walk_found_drop(&walk->found);
	while (walk->depth)
		walk_leave(walk);
	walk_last_deinit(walk);
	free(walk->levels);
	free(walk->roots);
	walk_listing_deinit(&walk->listing);
	walk_filter_deinit(&walk->filter);
	free(walk);
}

static const struct source_kind walk_kind = {
	.next = walk_next,
	.urgent = walk_urgent,
	.released = walk_released,
	.free = walk_free,
};

/*
 * Looks for all roots before anything is given, so that a mistake is told at once. The first one is
 * kept: when there is one, it is what it was when the source was opened.
 */
static int walk_check_roots(struct walk *walk)
{
	for (uint32_t i = walk->root_count; i-- > 0;) {
		struct walk_found found;
		int rc = walk_root_find(walk, &walk->roots[i], &found);

		if (rc)
			return rc;
		if (i) {
			walk_found_drop(&found);
		} else {
			walk->found = found;
			walk->is_found = true;
		}
	}
	return 0;
}

static bool walk_options_are_good(const struct iobatch_walk_options *options)
{
	return options->one_file_system <= 1 && options->no_follow <= 1 &&
	       options->root_name <= IOBATCH_ROOT_NAME_DROP &&
	       options->order <= IOBATCH_WALK_BY_SIZE &&
	       options->directories <= IOBATCH_DIRECTORIES_LAST;
}

static int walk_init(struct walk *walk, const struct iobatch_walk_options *options)
{
	int rc;

	directory_pool_init(&walk->pool);
	walk->one_file_system = options->one_file_system;
	walk->no_follow = options->no_follow;
	walk->last = options->directories == IOBATCH_DIRECTORIES_LAST;
	walk->root_name = options->root_name;
	rc = walk_last_init(walk);
	if (!rc)
		rc = source_run_ahead(&walk->source);
	if (!rc)
		rc = walk_filter_init(&walk->filter, options);
	if (!rc)
		rc = walk_listing_init(&walk->listing, options->order, walk->last);
	if (!rc)
		rc = walk_roots_init(walk, options);
	return rc ? rc : walk_check_roots(walk);
}

int iobatch_source_walk(const struct iobatch_walk_options *given,
                        struct iobatch_source **ret_source)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct walk *walk;
	int rc;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!walk_options_are_good(&options))
		return -EINVAL;

	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	source_init(&walk->source, &walk_kind, IOBATCH_UNKNOWN);
	rc = walk_init(walk, &options);
	if (rc)
		iobatch_source_free(&walk->source);
	else
		*ret_source = &walk->source;
	return rc;
}

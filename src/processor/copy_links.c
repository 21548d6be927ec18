/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of files that have several names. Invariant: while an entry is in the table, there
 * is a copy of its file, or one item makes one. An entry leaves it when all names of its file have
 * come, or when its copy turns out not to be there; it is freed when nobody uses it any more.
 *
 * An entry holds the path of the copy and no directory, because links may wait for long in
 * directories of which there are more than descriptors.
 */
#include "processor/copy_links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 256u

struct copy_link {
	struct copy_link *same_bucket;
	uint64_t inode;
	uint32_t major, minor;
	/* An inode that was given to another file meanwhile is not the same file. */
	uint64_t size;
	struct statx_timestamp mtime;
	uint32_t missing; /* names that have not come */
	unsigned users;
	bool listed; /* in the table */
	uint32_t length;
	char *path; /* NULL while the file is being copied */
};

int copy_links_init(struct copy_links *links)
{
	*links = (struct copy_links){.buckets_count = BUCKETS_FIRST};
	links->buckets = calloc(BUCKETS_FIRST, sizeof(*links->buckets));
	if (!links->buckets)
		return -ENOMEM;
	pthread_mutex_init(&links->lock, NULL);
	return 0;
}

static void free_link(struct copy_link *link)
{
	free(link->path);
	free(link);
}

void copy_links_deinit(struct copy_links *links)
{
	for (unsigned i = 0; i < links->buckets_count; i++) {
		while (links->buckets[i]) {
			struct copy_link *link = links->buckets[i];

			links->buckets[i] = link->same_bucket;
			free_link(link);
		}
	}
	free(links->buckets);
	pthread_mutex_destroy(&links->lock);
}

/* -------------------------------------------------------------- the table -- */

static struct copy_link **bucket_of(const struct copy_links *links, uint64_t inode, uint32_t minor)
{
	uint64_t hash = (inode ^ (uint64_t)minor << 48) * UINT64_C(0x9e3779b97f4a7c15);

	return &links->buckets[(hash >> 32) & (links->buckets_count - 1)];
}

/* More buckets for more entries; without memory for them it is slower, and that is all. */
static void grow(struct copy_links *links)
{
	struct copy_link **old = links->buckets;
	unsigned count = links->buckets_count;

	links->buckets = calloc(2 * (size_t)count, sizeof(*links->buckets));
	if (!links->buckets) {
		links->buckets = old;
		return;
	}
	links->buckets_count = 2 * count;
	for (unsigned i = 0; i < count; i++) {
		while (old[i]) {
			struct copy_link *link = old[i], **at;

			old[i] = link->same_bucket;
			at = bucket_of(links, link->inode, link->minor);
			link->same_bucket = *at;
			*at = link;
		}
	}
	free(old);
}

static bool is_of(const struct copy_link *link, const struct statx *statx)
{
	return link->inode == statx->stx_ino && link->major == statx->stx_dev_major &&
	       link->minor == statx->stx_dev_minor && link->size == statx->stx_size &&
	       link->mtime.tv_sec == statx->stx_mtime.tv_sec &&
	       link->mtime.tv_nsec == statx->stx_mtime.tv_nsec;
}

static void list(struct copy_links *links, struct copy_link *link)
{
	struct copy_link **at;

	if (links->count++ >= links->buckets_count)
		grow(links);
	at = bucket_of(links, link->inode, link->minor);
	link->same_bucket = *at;
	*at = link;
	link->listed = true;
}

static void unlist(struct copy_links *links, struct copy_link *link)
{
	struct copy_link **at = bucket_of(links, link->inode, link->minor);

	if (!link->listed)
		return;
	while (*at != link)
		at = &(*at)->same_bucket;
	*at = link->same_bucket;
	link->listed = false;
	links->count--;
}

static struct copy_link *find(const struct copy_links *links, const struct statx *statx)
{
	struct copy_link *link = *bucket_of(links, statx->stx_ino, statx->stx_dev_minor);

	while (link && !is_of(link, statx))
		link = link->same_bucket;
	return link;
}

static struct copy_link *new_link(const struct statx *statx)
{
	struct copy_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->inode = statx->stx_ino;
	link->major = statx->stx_dev_major;
	link->minor = statx->stx_dev_minor;
	link->size = statx->stx_size;
	link->mtime = statx->stx_mtime;
	link->missing = statx->stx_nlink - 1;
	return link;
}

/* ---------------------------------------------------------------- asking -- */

static enum copy_link_state ask(struct copy_links *links, const struct statx *statx,
                                struct copy_link **ret_link)
{
	struct copy_link *link = find(links, statx);

	if (link && !link->path)
		return COPY_LINK_BUSY;
	if (link) {
		link->users++;
		*ret_link = link;
		return COPY_LINK_DONE;
	}
	if (statx->stx_nlink < 2)
		return COPY_LINK_NONE;
	link = new_link(statx);
	if (!link)
		return COPY_LINK_NONE;
	link->users = 1;
	list(links, link);
	*ret_link = link;
	return COPY_LINK_MINE;
}

enum copy_link_state copy_links_ask(struct copy_links *links, const struct statx *statx,
                                    bool always, struct copy_link **ret_link)
{
	enum copy_link_state state;

	if (statx->stx_nlink < 2 && !always)
		return COPY_LINK_NONE;
	pthread_mutex_lock(&links->lock);
	state = ask(links, statx, ret_link);
	pthread_mutex_unlock(&links->lock);
	return state;
}

/* Gives an entry back. */
static void drop(struct copy_links *links, struct copy_link *link, bool lost)
{
	bool unused;

	if (lost)
		unlist(links, link);
	unused = --link->users == 0 && !link->listed;
	pthread_mutex_unlock(&links->lock);
	if (unused)
		free_link(link);
}

void copy_links_done(struct copy_links *links, struct copy_link *link, const char *path,
                     uint32_t length)
{
	char *copy = strndup(path, length);

	pthread_mutex_lock(&links->lock);
	link->path = copy;
	link->length = length;
	drop(links, link, !copy);
}

void copy_links_failed(struct copy_links *links, struct copy_link *link)
{
	pthread_mutex_lock(&links->lock);
	drop(links, link, true);
}

void copy_links_used(struct copy_links *links, struct copy_link *link)
{
	pthread_mutex_lock(&links->lock);
	if (link->missing > 0)
		link->missing--;
	drop(links, link, link->missing == 0);
}

void copy_links_unused(struct copy_links *links, struct copy_link *link)
{
	pthread_mutex_lock(&links->lock);
	drop(links, link, false);
}

void copy_links_lost(struct copy_links *links, struct copy_link *link)
{
	pthread_mutex_lock(&links->lock);
	drop(links, link, true);
}

const char *copy_link_path(const struct copy_link *link, uint32_t *ret_length)
{
	*ret_length = link->length;
	return link->path;
}

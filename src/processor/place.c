/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of open directories. Invariant: a path has one entry at most, an entry is closed
 * only when nobody uses it, and of those that nobody uses the longest unused go when there are too
 * many. The lock is held for lookups only. The nearest entries above are found by their paths and
 * are not held by those below: in a tree that is deeper than descriptors there are, directories are
 * opened anew from wherever one is held.
 */
#include "processor/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#define BUCKETS 4096u
#define IDLE_MIN 2u
#define IDLE_MAX 1024u
/* What part of the descriptors that the process may have is for directories that nobody uses. */
#define IDLE_PART 8u

/* ---------------------------------------------------------------- paths -- */

const char *path_begin(const char *path)
{
	for (;;) {
		path += strspn(path, "/");
		if (path[0] != '.' || (path[1] != '/' && path[1] != '\0'))
			return path;
		path++;
	}
}

uint32_t path_trim(const char *path, uint32_t length)
{
	for (;;) {
		while (length > 0 && path[length - 1] == '/')
			length--;
		if (length == 0 || path[length - 1] != '.' ||
		    (length > 1 && path[length - 2] != '/'))
			return length;
		length--;
	}
}

uint32_t path_parent(const char *path, uint32_t length)
{
	while (length > 0 && path[length - 1] != '/')
		length--;
	return path_trim(path, length);
}

/* -------------------------------------------------------------- entries -- */

static struct place **bucket_of(const struct places *places, uint64_t hash)
{
	return &places->buckets[hash % places->buckets_count];
}

static void close_place(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	free(place);
}

static void leave_idle(struct places *places, struct place *place)
{
	if (place->older)
		place->older->newer = place->newer;
	else
		places->oldest = place->newer;
	if (place->newer)
		place->newer->older = place->older;
	else
		places->newest = place->older;
	place->older = place->newer = NULL;
	places->idle--;
}

static void become_idle(struct places *places, struct place *place)
{
	place->older = places->newest;
	if (places->newest)
		places->newest->newer = place;
	else
		places->oldest = place;
	places->newest = place;
	places->idle++;
}

static void unlist(struct places *places, struct place *place)
{
	struct place **at = bucket_of(places, place->hash);

	while (*at != place)
		at = &(*at)->same_bucket;
	*at = place->same_bucket;
}

/* Takes the longest unused out of the table; to be closed without the lock. */
static struct place *take_oldest(struct places *places)
{
	struct place *place = places->oldest;

	leave_idle(places, place);
	unlist(places, place);
	return place;
}

static struct place *find(struct places *places, const char *path, uint32_t length, uint64_t hash)
{
	struct place *place = *bucket_of(places, hash);

	while (place && (place->hash != hash || place->length != (int32_t)length ||
	                 memcmp(place->path, path, length) != 0))
		place = place->same_bucket;
	return place;
}

/* The same, if it is open; it has one more user then. */
static struct place *take(struct places *places, const char *path, uint32_t length, uint64_t hash)
{
	struct place *place = find(places, path, length, hash);

	if (!place || place->fd < 0)
		return NULL;
	if (place->users++ == 0 && !place->pinned)
		leave_idle(places, place);
	return place;
}

/* ------------------------------------------------------------- the table -- */

static unsigned idle_max(void)
{
	struct rlimit limit;
	rlim_t part = IDLE_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / IDLE_PART < part)
		part = limit.rlim_cur / IDLE_PART;
	return part > IDLE_MIN ? (unsigned)part : IDLE_MIN;
}

static struct place *new_place(const char *path, uint32_t length, int fd, uint64_t device)
{
	struct place *place = calloc(1, sizeof(*place) + length + 1);

	if (!place)
		return NULL;
	place->fd = fd;
	place->device = device;
	place->length = (int32_t)length;
	place->users = 1;
	atomic_init(&place->owner, PLACE_OWNER_UNKNOWN);
	memcpy(place->path, path, length);
	return place;
}

int places_init(struct places *places, int base_fd, uint64_t base_device)
{
	*places = (struct places){.buckets_count = BUCKETS, .idle_max = idle_max()};
	places->buckets = calloc(BUCKETS, sizeof(*places->buckets));
	if (!places->buckets)
		return -ENOMEM;
	if (base_fd >= 0) {
		places->base = new_place("", 0, base_fd, base_device);
		if (!places->base) {
			free(places->buckets);
			return -ENOMEM;
		}
		places->base->length = PLACE_BASE;
		places->base->pinned = true;
	}
	pthread_mutex_init(&places->lock, NULL);
	return 0;
}

void places_deinit(struct places *places)
{
	for (unsigned i = 0; i < places->buckets_count; i++) {
		while (places->buckets[i]) {
			struct place *place = places->buckets[i];

			places->buckets[i] = place->same_bucket;
			close_place(place);
		}
	}
	if (places->base)
		close_place(places->base);
	free(places->buckets);
	pthread_mutex_destroy(&places->lock);
}

struct place *places_nearest(struct places *places, const char *path, uint32_t length)
{
	struct place *place;

	pthread_mutex_lock(&places->lock);
	for (;;) {
		place = take(places, path, length, XXH3_64bits(path, length));
		if (place || length == 0)
			break;
		length = path_parent(path, length);
	}
	if (!place && places->base) {
		place = places->base;
		place->users++;
	}
	pthread_mutex_unlock(&places->lock);
	return place;
}

struct place *places_base(struct places *places)
{
	pthread_mutex_lock(&places->lock);
	places->base->users++;
	pthread_mutex_unlock(&places->lock);
	return places->base;
}

static void list(struct places *places, struct place *place)
{
	place->same_bucket = *bucket_of(places, place->hash);
	*bucket_of(places, place->hash) = place;
	place->listed = true;
}

/* Nothing of this path is open. */
static enum place_claim claim(struct places *places, const char *path, uint32_t length,
                              uint64_t hash, struct place **ret_place)
{
	const struct place *other = find(places, path, length, hash);
	struct place *place;

	if (other && !other->broken)
		return PLACE_BUSY;
	place = new_place(path, length, -1, 0);
	if (!place)
		return PLACE_NO_MEMORY;
	place->hash = hash;
	if (!other)
		list(places, place);
	*ret_place = place;
	return PLACE_CLAIMED;
}

enum place_claim places_claim(struct places *places, const char *path, uint32_t length,
                              struct place **ret_place)
{
	uint64_t hash = XXH3_64bits(path, length);
	enum place_claim result = PLACE_FOUND;
	struct place *place;

	pthread_mutex_lock(&places->lock);
	place = take(places, path, length, hash);
	if (place)
		*ret_place = place;
	else
		result = claim(places, path, length, hash, ret_place);
	pthread_mutex_unlock(&places->lock);
	return result;
}

static void replace(struct places *places, struct place *broken, struct place *place)
{
	if (broken)
		unlist(places, broken);
	list(places, place);
}

struct place *places_open(struct places *places, struct place *place, int fd, uint64_t device,
                          bool fresh)
{
	struct place *other = NULL, *broken = NULL;

	pthread_mutex_lock(&places->lock);
	place->fd = fd;
	place->device = device;
	place->fresh = fresh;
	if (!place->listed) {
		/* Others have tried as well, and one may have been faster, or be about to be. */
		other = take(places, place->path, (uint32_t)place->length, place->hash);
		broken = find(places, place->path, (uint32_t)place->length, place->hash);
		if (broken && !broken->broken)
			broken = NULL;
		else
			replace(places, broken, place);
	}
	pthread_mutex_unlock(&places->lock);
	free(broken);
	if (!other)
		return place;
	close_place(place);
	return other;
}

void places_unclaim(struct places *places, struct place *place)
{
	if (!place)
		return;
	if (!place->listed) {
		free(place);
		return;
	}
	pthread_mutex_lock(&places->lock);
	place->broken = true;
	place->users = 0;
	pthread_mutex_unlock(&places->lock);
}

struct place *places_pin(struct places *places, const char *path, uint32_t length, int fd,
                         uint64_t device)
{
	struct place *place = new_place(path, length, fd, device);

	if (!place) {
		close(fd);
		return NULL;
	}
	place->pinned = true;
	place->hash = XXH3_64bits(path, length);
	pthread_mutex_lock(&places->lock);
	list(places, place);
	pthread_mutex_unlock(&places->lock);
	return place;
}

void places_release(struct places *places, struct place *place)
{
	struct place *old = NULL;

	if (!place)
		return;
	pthread_mutex_lock(&places->lock);
	if (--place->users == 0 && !place->pinned) {
		/* One that is not in the table was its user's own. */
		if (place->listed)
			become_idle(places, place);
		else
			old = place;
		if (places->idle > places->idle_max)
			old = take_oldest(places);
	}
	pthread_mutex_unlock(&places->lock);
	if (old)
		close_place(old);
}

bool places_trim(struct places *places)
{
	bool trimmed = false;

	for (;;) {
		struct place *place = NULL;

		pthread_mutex_lock(&places->lock);
		if (places->oldest)
			place = take_oldest(places);
		pthread_mutex_unlock(&places->lock);
		if (!place)
			return trimmed;
		close_place(place);
		trimmed = true;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * What is left to do: see resume.h. A value of the set is a state in its lowest four bits, and in
 * the others a time, in nanoseconds cut down to sixteen, or the place of a record in the journal:
 * so what takes room for each item is the same however much its record says.
 */
#include "journal/resume.h"

#include "journal/notes.h"
#include "journal/open_items.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Times of files come from a clock that ticks more coarsely than that of the journal. */
#define CLOCK_GRAIN_NS UINT64_C(20000000)

#define STATE_BITS 4
#define STATE_MASK UINT64_C(15)

enum state {
	STATE_UNKNOWN,
	STATE_DONE, /* with the time that changes are looked for from */
	STATE_FAILED,
	STATE_NOT_DONE,      /* cancelled */
	STATE_OPEN,          /* among the open items */
	STATE_TARGET,        /* what a done item has become */
	STATE_MAY_BE_TARGET, /* what an open item may have become */
	STATE_AGAIN,         /* a directory in which something that has failed is done again */
	STATE_NOTED,         /* done, with the place of the record, which may have a note */
};

struct resume {
	enum resume_what what;
	enum resume_judge judge;
	bool do_linked;
	pthread_mutex_t lock; /* of the set, once resume_keep() is called */
	struct set *set;
	struct open_items *open;
	struct notes *notes; /* NULL: what is done is left out */
	uint64_t done;
	uint64_t failed;
	_Atomic uint64_t kept_changed;
	_Atomic uint64_t kept_failed;
	_Atomic uint64_t left_done;
	_Atomic uint64_t left_others;
	_Atomic uint64_t resolved;
	_Atomic uint64_t carried;
};

int resume_new(enum resume_what what, enum resume_judge judge, struct resume **ret_resume)
{
	struct resume *resume = calloc(1, sizeof(*resume));
	int err;

	if (!resume)
		return -ENOMEM;
	pthread_mutex_init(&resume->lock, NULL);
	err = set_new(&resume->set);
	if (!err)
		err = open_items_new(&resume->open);
	if (err) {
		resume_free(resume);
		return err;
	}
	resume->what = what;
	resume->judge = judge;
	*ret_resume = resume;
	return 0;
}

void resume_free(struct resume *resume)
{
	if (!resume)
		return;
	pthread_mutex_destroy(&resume->lock);
	set_free(resume->set);
	open_items_free(resume->open);
	notes_free(resume->notes);
	free(resume);
}

int resume_carry(struct resume *resume)
{
	resume->what = RESUME_REST;
	return notes_new(&resume->notes);
}

void resume_read_from(struct resume *resume, int fd)
{
	if (resume->notes)
		notes_read_from(resume->notes, fd);
}

void resume_carried(struct resume *resume)
{
	if (resume)
		resume->carried++;
}

void resume_do_linked(struct resume *resume)
{
	resume->do_linked = true;
}

static bool is_done(uint64_t value)
{
	enum state state = value & STATE_MASK;

	return state == STATE_DONE || state == STATE_NOTED;
}

static int put_value(struct resume *resume, struct set_key key, uint64_t value)
{
	uint64_t before;
	int err = set_put(resume->set, key, value, &before);

	if (err)
		return err;
	resume->done += is_done(value) - is_done(before);
	resume->failed +=
		((value & STATE_MASK) == STATE_FAILED) - ((before & STATE_MASK) == STATE_FAILED);
	return 0;
}

static int put(struct resume *resume, struct set_key key, enum state state, uint64_t time_ns)
{
	return put_value(resume, key, (time_ns & ~STATE_MASK) | state);
}

static int put_noted(struct resume *resume, struct set_key key, uint64_t place)
{
	return put_value(resume, key, place << STATE_BITS | STATE_NOTED);
}

/*
 * An item that was cancelled has not become worse by it: one that had failed is still to be done
 * with the failed ones, and of one that was not even tried is known what was known before.
 */
static bool is_news(const struct resume *resume, struct set_key key, const struct record *record)
{
	enum state before = set_get(resume->set, key) & STATE_MASK;

	if (record->kind != RECORD_CANCELLED || before == STATE_UNKNOWN)
		return true;
	return before != STATE_FAILED && record->attempts;
}

/* From when on a change of an item's file makes that it is done again. */
static uint64_t changes_from(const struct resume *resume, uint64_t time_ns, uint64_t duration_ns)
{
	if (resume->judge != RESUME_CHANGED_SINCE_DONE)
		return time_ns;
	/* What it has changed itself it has changed before that moment. */
	return time_ns + duration_ns + CLOCK_GRAIN_NS + STATE_MASK + 1;
}

static int take_outcome(struct resume *resume, struct set_key key, const struct record *record)
{
	struct open_item *open;
	uint64_t since = changes_from(resume, record->time_ns, record->duration_ns);
	int err = 0;

	if (!is_news(resume, key, record))
		return 0;
	open = open_items_take(resume->open, key);
	switch (record->kind) {
	case RECORD_DONE:
	case RECORD_SKIPPED:
		if (open && record->kind == RECORD_DONE && open->has_target)
			err = put(resume, open->target, STATE_TARGET, 0);
		if (!err && resume->notes)
			err = put_noted(resume, key, record->place_in_file);
		else if (!err)
			err = put(resume, key, STATE_DONE, since);
		break;
	case RECORD_CANCELLED:
		err = put(resume, key, STATE_NOT_DONE, 0);
		break;
	default:
		err = put(resume, key, STATE_FAILED, 0);
	}
	free(open);
	return err;
}

int resume_take(struct resume *resume, const struct record *record)
{
	struct set_key key;
	int err;

	if (record->kind > RECORD_INTENT)
		return 0;
	key = set_key_of(record);
	if (record->kind < RECORD_OUTCOMES)
		return take_outcome(resume, key, record);
	err = open_items_put(resume->open, key, record);
	return err ? err : put(resume, key, STATE_OPEN, 0);
}

int resume_taken(struct resume *resume)
{
	struct open_item *item = NULL;

	while ((item = open_items_next(resume->open, item))) {
		int err;

		/* What the journal knows of that name itself is more than a guess. */
		if (!item->has_target || set_get(resume->set, item->target))
			continue;
		err = put(resume, item->target, STATE_MAY_BE_TARGET, 0);
		if (err)
			return err;
	}
	return 0;
}

/* Looks at the file. 0 or a negative errno. */
static int look_at(const struct iobatch_file *file, const char *name, int flags,
                   struct stat *ret_stat)
{
	int rc = file->fd >= 0 ? fstat(file->fd, ret_stat)
	                       : fstatat(file->dirfd, name, ret_stat, flags);

	return rc ? -errno : 0;
}

static bool is_gone(int err)
{
	return err == -ENOENT || err == -ENOTDIR;
}

static uint64_t ns_of(struct timespec time)
{
	if (time.tv_sec < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static bool is_newer(const struct stat *stat_, uint64_t since_ns)
{
	return ns_of(stat_->st_mtim) + CLOCK_GRAIN_NS >= since_ns ||
	       ns_of(stat_->st_ctim) + CLOCK_GRAIN_NS >= since_ns;
}

/* What has become of the file of an item that was done. */
enum since {
	SINCE_SAME,
	SINCE_CHANGED, /* or nobody can say */
	SINCE_GONE,
};

static enum since since_error(int err)
{
	return is_gone(err) ? SINCE_GONE : SINCE_CHANGED;
}

/* *ret_linked: whether it is the same and has other names. */
static enum since since_done(const struct resume *resume, const struct iobatch_file *file,
                             uint64_t since_ns, bool *ret_linked)
{
	const char *name = file->path + file->name;
	struct stat stat_;
	int err;

	*ret_linked = false;
	if (resume->judge == RESUME_NEVER)
		return SINCE_SAME;
	err = look_at(file, name, AT_SYMLINK_NOFOLLOW, &stat_);
	if (err)
		return since_error(err);
	if (resume->judge == RESUME_IS_THERE || is_newer(&stat_, since_ns))
		return SINCE_CHANGED;
	*ret_linked = stat_.st_nlink > 1;
	/* A name that is looked up as open() does may be that of a link to what was changed. */
	if (!S_ISLNK(stat_.st_mode) || file->dirfd != AT_FDCWD)
		return SINCE_SAME;
	err = look_at(file, name, 0, &stat_);
	if (err)
		return since_error(err);
	return is_newer(&stat_, since_ns) ? SINCE_CHANGED : SINCE_SAME;
}

static bool leave(struct resume *resume, bool done)
{
	if (done)
		resume->left_done++;
	else
		resume->left_others++;
	return false;
}

static bool leave_resolved(struct resume *resume, struct open_item *item)
{
	item->resolved = true;
	resume->resolved++;
	return leave(resume, true);
}

static bool keep_open(struct resume *resume, const struct iobatch_file *file, struct set_key key)
{
	struct open_item *item = open_items_find(resume->open, key);
	struct stat stat_;

	if (item && item->record.own && file->type != DT_DIR &&
	    is_gone(look_at(file, file->path + file->name, AT_SYMLINK_NOFOLLOW, &stat_)))
		return leave_resolved(resume, item);
	if (item)
		item->seen = true;
	return true;
}

/* The file has the name that an open item was about to get: it is that item, if that is gone. */
static bool keep_target(struct resume *resume, const struct iobatch_file *file, struct set_key key)
{
	struct open_item *item = NULL;

	while ((item = open_items_next(resume->open, item))) {
		const char *slash = memrchr(item->record.name, '/', item->record.name_length);
		const char *name = slash && file->name ? slash + 1 : item->record.name;
		struct stat stat_;

		if (!item->has_target || item->target.low != key.low ||
		    item->target.high != key.high)
			continue;
		if (is_gone(look_at(file, name, AT_SYMLINK_NOFOLLOW, &stat_)))
			return item->resolved ? leave(resume, true) : leave_resolved(resume, item);
	}
	return resume->what == RESUME_REST || leave(resume, false);
}

/*
 * A directory gets its times when all in it has settled, so it is done again with a failed item.
 * Without memory for that it is not.
 */
static void touch_directory(struct resume *resume, const struct iobatch_file *file)
{
	size_t length = file->path_length;

	while (length && file->path[length - 1] == '/')
		length--;
	while (length && file->path[length - 1] != '/')
		length--;
	/* A root may be named with a slash at its end. */
	for (unsigned i = 0; i < 2 && length; i++, length--) {
		struct set_key key = set_key_of_name(file->path, length);
		uint64_t before;

		pthread_mutex_lock(&resume->lock);
		if ((set_get(resume->set, key) & STATE_MASK) != STATE_FAILED)
			(void)set_put(resume->set, key, STATE_AGAIN, &before);
		pthread_mutex_unlock(&resume->lock);
	}
}

static bool keep_done(struct resume *resume, const struct iobatch_file *file, uint64_t since_ns)
{
	bool linked;

	if (resume->what == RESUME_FAILED)
		return leave(resume, true);
	/* Of its contents some may be done again; and who takes items must not wait for a look. */
	if (file->type == DT_DIR)
		return true;
	if (since_done(resume, file, since_ns, &linked) != SINCE_CHANGED)
		return (linked && resume->do_linked) || leave(resume, true);
	resume->kept_changed++;
	return true;
}

/* An item that is done, where nothing is left out; one whose file is gone has changed, too. */
static bool carry(struct resume *resume, struct iobatch_file *file, const struct record *item,
                  uint64_t place)
{
	struct note note;
	uint64_t since_ns;
	bool linked;

	/* Without one, or when it cannot be read, it is simply done again. */
	if (!notes_read(resume->notes, place, item, &note))
		return true;
	since_ns = changes_from(resume, note.time_ns, note.duration_ns);
	if (since_done(resume, file, since_ns, &linked) == SINCE_SAME)
		(void)iobatch_file_know(file, note.text, note.length);
	else
		resume->kept_changed++;
	return true;
}

static bool judge(struct resume *resume, struct iobatch_file *file)
{
	struct record record = {0};
	struct set_key key;
	uint64_t value;

	record_of_file(file, &record);
	key = set_key_of(&record);
	pthread_mutex_lock(&resume->lock);
	value = set_get(resume->set, key);
	pthread_mutex_unlock(&resume->lock);
	if (resume->notes && is_done(value))
		return carry(resume, file, &record, value >> STATE_BITS);
	switch ((enum state)(value & STATE_MASK)) {
	case STATE_NOTED:
	case STATE_DONE:
		return keep_done(resume, file, value & ~STATE_MASK);
	case STATE_FAILED:
		resume->kept_failed++;
		return true;
	case STATE_OPEN:
		return keep_open(resume, file, key);
	case STATE_TARGET:
		return leave(resume, true);
	case STATE_MAY_BE_TARGET:
		return keep_target(resume, file, key);
	case STATE_AGAIN:
		return true;
	case STATE_UNKNOWN:
	case STATE_NOT_DONE:
		break;
	}
	return resume->what == RESUME_REST || leave(resume, false);
}

bool resume_keep(void *context, struct iobatch_file *file)
{
	struct resume *resume = context;
	bool kept = judge(resume, file);

	if (kept && resume->what == RESUME_FAILED && resume->judge != RESUME_IS_THERE)
		touch_directory(resume, file);
	return kept;
}

void resume_counts(const struct resume *resume, struct resume_counts *ret_counts)
{
	*ret_counts = (struct resume_counts){
		.done = resume->left_done,
		.others = resume->left_others,
		.changed = resume->kept_changed,
		.failed = resume->kept_failed,
		.resolved = resume->resolved,
		.carried = resume->carried,
	};
}

void resume_known(const struct resume *resume, uint64_t *ret_done, uint64_t *ret_failed,
                  uint64_t *ret_open)
{
	*ret_done = resume->done;
	*ret_failed = resume->failed;
	*ret_open = open_items_count(resume->open);
}

const struct record *resume_open_next(const struct resume *resume, const void **at)
{
	const struct open_item *item = open_items_next(resume->open, *at);

	*at = item;
	return item ? &item->record : NULL;
}

const struct record *resume_resolved_next(struct resume *resume, const void **at)
{
	struct open_item *item = (struct open_item *)*at;

	while ((item = open_items_next(resume->open, item))) {
		struct stat stat_;

		/* Its source has not given it: then it is not there any more, or not its own. */
		if (!item->seen && !item->resolved && item->record.own &&
		    lstat(item->record.name, &stat_) && is_gone(-errno))
			item->resolved = true;
		if (item->resolved)
			break;
	}
	*at = item;
	return item ? &item->record : NULL;
}

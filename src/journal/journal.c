/* SPDX-License-Identifier: MIT */
/*
 * A journal that is open for a run: the records of what its items come to, and how it has ended.
 * How it is opened is open.c's. Between the two only iobatch_run() writes to the file, and what the
 * callbacks here have made is what it writes, in this order.
 */
#include "journal/journal.h"

#include "journal/file.h"
#include "journal/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t journal_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/*
 * By how much the clock that files have their times of is ahead of the other one. It comes out too
 * large when this thread is held up, and the smallest of many is right.
 */
static uint64_t clocks_apart_ns(void)
{
	uint64_t monotonic = clock_ns(CLOCK_MONOTONIC);

	return clock_ns(CLOCK_REALTIME) - monotonic;
}

/*
 * When an item began, by the clock that files have their times of. When somebody has set that clock
 * since, it is the earlier of what may be meant: rather an item is done again that need not be.
 */
static uint64_t begun_ns(struct journal *journal, uint64_t start_ns)
{
	uint64_t apart = clocks_apart_ns();

	if (apart < journal->clocks_apart_ns)
		journal->clocks_apart_ns = apart;
	return start_ns + journal->clocks_apart_ns;
}

static enum record_kind kind_of(const struct iobatch_outcome *outcome)
{
	if (outcome->skipped)
		return RECORD_SKIPPED;
	if (!outcome->error)
		return RECORD_DONE;
	if (outcome->stuck || outcome->still_running)
		return RECORD_STUCK;
	return outcome->error == -ECANCELED ? RECORD_CANCELLED : RECORD_FAILED;
}

static size_t add(struct journal *journal, const struct record *record, char *line)
{
	size_t length = record_write(record, line, &journal->check);

	journal->offset += length;
	return length;
}

/*
 * Whether the item has come to what an earlier run had found out, and that was taken over. The
 * record of that run says so, and when the file was looked at; a new one would have the time of
 * now.
 */
static bool is_known(const struct iobatch_outcome *outcome)
{
	const struct iobatch_file *file = outcome->object;
	const char *known = file->path + file->path_length + 1 + file->extra_length;

	return outcome->note && file->known_length && file->known_length == outcome->note_length &&
	       !memcmp(known, outcome->note, outcome->note_length);
}

static size_t add_outcome(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	const struct iobatch_op_info *op =
		outcome->opcode >= 0 ? iobatch_op_info((unsigned)outcome->opcode) : NULL;
	struct journal *journal = context;
	struct record record = {
		.kind = kind_of(outcome),
		.duration_ns = outcome->duration_ns,
		.attempts = outcome->attempts,
		.bytes = outcome->bytes,
		.error = outcome->error_name,
		.op = op ? op->name : NULL,
		.note = outcome->note,
		.note_length = outcome->note_length,
	};

	if (is_known(outcome)) {
		resume_carried(journal->resume);
		return 0;
	}
	record.time_ns = begun_ns(journal, outcome->start_ns);
	record_of_file(outcome->object, &record);
	journal->counts[record.kind]++;
	journal->bytes += outcome->bytes;
	return add(journal, &record, buffer);
}

/* Whether an op begins with the item's own name. */
static bool is_own(const struct iobatch_file *file, const struct iobatch_op *op)
{
	return op->dirfd == file->dirfd && op->path && !strcmp(op->path, file->path + file->name);
}

/*
 * The part of a target that is a name in the item's own directory; NULL when it is elsewhere, or
 * when nobody can say.
 */
static const char *beside(const struct iobatch_file *file, const struct iobatch_op *op)
{
	const char *own = file->path + file->name;
	const char *slash = strrchr(own, '/');
	size_t length = slash ? (size_t)(slash - own) + 1 : 0;

	if (op->dirfd2 != file->dirfd || strncmp(op->path2, own, length))
		return NULL;
	return strchr(op->path2 + length, '/') ? NULL : op->path2 + length;
}

static void set_target(struct record *record, const struct iobatch_file *file,
                       const struct iobatch_op *op)
{
	const char *name;

	/* The kernel takes no longer one. */
	if (!op->path2 || !*op->path2 || strlen(op->path2) >= JOURNAL_TARGET_MAX)
		return;
	name = beside(file, op);
	record->place = name && *name ? RECORD_BESIDE : RECORD_ELSEWHERE;
	record->target = name && *name ? name : op->path2;
	record->target_length = strlen(record->target);
}

static size_t add_intent(void *context, const struct iobatch_item *item,
                         const struct iobatch_op *op, char *buffer)
{
	const struct iobatch_op_info *info = iobatch_op_info(op->opcode);
	const struct iobatch_file *file = item->object;
	struct journal *journal = context;
	struct record record = {
		.kind = RECORD_INTENT,
		.time_ns = journal_now_ns(),
		.op = info ? info->name : "-",
	};

	record_of_file(file, &record);
	switch (op->opcode) {
	case IOBATCH_OP_RENAMEAT:
	case IOBATCH_OP_LINKAT:
		set_target(&record, file, op);
		record.own = is_own(file, op);
		break;
	case IOBATCH_OP_UNLINKAT:
		record.own = is_own(file, op);
		break;
	}
	return add(journal, &record, buffer);
}

void journal_init_callbacks(struct journal *journal, uint32_t sync)
{
	struct iobatch_journal callbacks = IOBATCH_JOURNAL_INIT;

	callbacks.fd = journal->fd;
	callbacks.offset = journal->offset;
	callbacks.sync = sync;
	callbacks.record_max = JOURNAL_LINE_MAX;
	callbacks.context = journal;
	callbacks.outcome = add_outcome;
	callbacks.intent = add_intent;
	journal->callbacks = callbacks;
	journal->clocks_apart_ns = clocks_apart_ns();
}

const struct iobatch_journal *journal_callbacks(struct journal *journal)
{
	return &journal->callbacks;
}

uint64_t journal_torn(const struct journal *journal)
{
	return journal->torn;
}

bool journal_resumed(const struct journal *journal)
{
	return journal->resumed;
}

static const char *end_word(const struct iobatch_result *result)
{
	static const char *const words[] = {
		[IOBATCH_END_COMPLETE] = "complete",   [IOBATCH_END_STUCK] = "stuck",
		[IOBATCH_END_HALTED] = "halted",       [IOBATCH_END_DRAINED] = "drained",
		[IOBATCH_END_CANCELLED] = "cancelled", [IOBATCH_END_ERROR] = "error",
	};

	if (!result || result->end >= sizeof(words) / sizeof(words[0]))
		return "error";
	return words[result->end];
}

/* Items that an earlier run had left open, and that have turned out to be done. */
static int write_resolved(struct journal *journal)
{
	const struct record *open;
	const void *at = NULL;

	while (journal->resume && (open = resume_resolved_next(journal->resume, &at))) {
		struct record record = *open;
		int err;

		record.kind = RECORD_DONE;
		record.duration_ns = 0;
		record.op = NULL;
		err = journal_file_add(journal, &record);
		if (err)
			return err;
		journal->counts[RECORD_DONE]++;
	}
	return 0;
}

int journal_end(struct journal *journal, const struct iobatch_result *result)
{
	struct record record = {.kind = RECORD_END, .error = end_word(result)};
	struct stat stat_;
	int err;

	if (fstat(journal->fd, &stat_))
		return -errno;
	/* Somebody has removed it: what it says goes with it. */
	if (!stat_.st_nlink)
		return -ENOENT;
	/* The chain of checks goes through all that was made: behind a gap it would be wrong. */
	if ((uint64_t)stat_.st_size != journal->offset)
		return -EIO;
	err = write_resolved(journal);
	if (err)
		return err;
	record.time_ns = journal_now_ns();
	record.bytes = journal->bytes;
	memcpy(record.counts, journal->counts, sizeof(record.counts));
	err = journal_file_add(journal, &record);
	if (err || journal->callbacks.sync == IOBATCH_JOURNAL_NONE)
		return err;
	return fdatasync(journal->fd) ? -errno : 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	close(journal->fd);
	free(journal);
}

/* SPDX-License-Identifier: MIT */
/*
 * See journal.h. A group is what has been appended since the one before it was taken, and is
 * written by one op. Of all the rings one at a time has an op of the journal in flight, and nothing
 * is written behind something that is not there yet. So there is never a hole in the file,
 * whichever op fails, is cut short or is in flight when the process dies: what is there is a
 * beginning of the text, and what is durable has nothing before it that is not. Two buffers bound
 * what is not written; who finds no room waits with its item's slot.
 *
 * A group is written when somebody waits for a record of it, when it is large, when a record has
 * waited for FLUSH_NS, or when the ring has nothing else to do; what was written is made durable
 * when somebody waits for that, from time to time, and at the end. Any ring may do so; who has an
 * op in flight looks again when it ends, so that nobody who leaves leaves anything behind.
 *
 * Invariant: `committed` only ever grows over text that the file has, durable when that is wanted;
 * after an error it stands still.
 */
#include "engine/journal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/engine.h"
#include "op/abi.h"

#define BUFFER_SIZE ((size_t)1 << 20)
/* A group of so many bytes is written whoever waits. */
#define GROUP_BYTES ((size_t)128 << 10)
/* So long a record waits at most for others. */
#define FLUSH_NS (5 * NS_PER_MS)
/* At least so many times the time that it takes lies between two times that it is made durable,
 * when nobody waits for that, but no more than this. */
#define SYNC_SHARE 10u
#define SYNC_GAP_MAX_NS (1000 * NS_PER_MS)
/*
 * In a run with deadlines an op of the journal has one, too: so long at least, since a disk that is
 * busy is no reason to give up.
 */
#define PATIENCE_MS UINT64_C(10000)
/* How often it is asked again to end. */
#define ASK_AGAIN_NS (100 * NS_PER_MS)

/* ------------------------------------------------------------- set-up -- */

int journal_init(struct run *run)
{
	struct journal *journal = &run->journal;

	if (!run->options.journal)
		return 0;
	journal->file = (struct iobatch_journal)IOBATCH_JOURNAL_INIT;
	abi_copy(&journal->file, run->options.journal, sizeof(journal->file));
	journal->asks = journal->file.intent;
	journal->tells_late = journal->file.sync == IOBATCH_JOURNAL_ITEM;
	journal->buffer_size = BUFFER_SIZE + journal->file.record_max;
	pthread_mutex_init(&journal->lock, NULL);
	pthread_cond_init(&journal->changed, NULL);
	journal->sync_gap_ns = FLUSH_NS;
	journal->on = true;
	for (unsigned i = 0; i < 2; i++) {
		journal->buffers[i] = region_map(journal->buffer_size);
		if (!journal->buffers[i])
			return -ENOMEM;
	}
	return 0;
}

void journal_deinit(struct run *run)
{
	struct journal *journal = &run->journal;

	if (!journal->on)
		return;
	for (unsigned i = 0; i < 2 && !journal->left_behind; i++)
		region_unmap(journal->buffers[i], journal->buffer_size);
	pthread_cond_destroy(&journal->changed);
	pthread_mutex_destroy(&journal->lock);
}

unsigned journal_slots(const struct run *run)
{
	return run->journal.on;
}

/* Simulated rings have clocks of their own, and wait for each other where these stand still. */
static bool time_stands_still(const struct run *run)
{
	return run->executor == IOBATCH_EXECUTOR_SIMULATED;
}

bool journal_wakes(const struct run *run)
{
	return run->journal.on && run->reapers_count > 1 && !time_stands_still(run);
}

/* Wakes the rings that wait for the journal, or all. */
static void wake_others(struct reaper *reaper, bool all)
{
	struct run *run = reaper->run;

	if (!journal_wakes(run))
		return;
	pthread_mutex_lock(&run->wake_lock);
	for (unsigned i = 0; i < run->reapers_count; i++) {
		struct reaper *other = &run->reapers[i];

		if (other != reaper && other->executor && (all || atomic_load(&other->log.waits)))
			other->executor->ops->wake(other->executor);
	}
	pthread_mutex_unlock(&run->wake_lock);
}

/* ------------------------------------------------------------ records -- */

/* Is there room for the longest record? Under the lock. */
static bool has_room(const struct journal *journal)
{
	return journal->buffer_size - journal->filled >= journal->file.record_max;
}

static char *end_of(const struct journal *journal)
{
	return journal->buffers[journal->filling] + journal->filled;
}

/* Takes a record in that stands at the end. Under the lock. */
static uint64_t append(struct reaper *reaper, size_t length, bool is_waited_for)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;

	assert(length <= journal->file.record_max);
	journal->filled += length;
	journal->appended += length;
	if (is_waited_for)
		journal->wanted = journal->appended;
	log->appended = journal->appended;
	if (!log->due_ns)
		log->due_ns = reaper->now_ns + FLUSH_NS;
	return journal->appended;
}

/* There is no room: that is something to be waited for. Under the lock. */
static int refuse(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;

	journal->crowded = true;
	return -EAGAIN;
}

int journal_record_outcome(struct reaper *reaper, const struct iobatch_outcome *outcome,
                           uint64_t *ret_end)
{
	struct journal *journal = &reaper->run->journal;
	int result = 0;
	size_t length;

	pthread_mutex_lock(&journal->lock);
	if (journal->error) {
		result = journal->error;
	} else if (!has_room(journal)) {
		result = refuse(reaper);
	} else {
		length = journal->file.outcome(journal->file.context, outcome, end_of(journal));
		*ret_end = length ? append(reaper, length, journal->tells_late) : 0;
	}
	pthread_mutex_unlock(&journal->lock);
	return result;
}

/* When nothing is written any more, an op without a record may go on. */
int journal_record_intent(struct reaper *reaper, const struct slot *slot,
                          const struct iobatch_op *op, uint64_t *ret_end)
{
	struct journal *journal = &reaper->run->journal;
	int result = 0;
	size_t length;

	pthread_mutex_lock(&journal->lock);
	if (!has_room(journal)) {
		result = refuse(reaper);
	} else {
		length = journal->file.intent(journal->file.context, &slot->item, op,
		                              end_of(journal));
		if (length && journal->error)
			result = journal->error;
		else
			*ret_end = length ? append(reaper, length, true) : 0;
	}
	pthread_mutex_unlock(&journal->lock);
	return result;
}

/* ------------------------------------------------------------- groups -- */

static void fail(struct reaper *reaper, int error, const char *what)
{
	struct journal *journal = &reaper->run->journal;

	pthread_mutex_lock(&journal->lock);
	journal->error = error;
	journal->filled = 0;
	journal->writer = NULL;
	reaper->log.busy = false;
	pthread_cond_broadcast(&journal->changed);
	pthread_mutex_unlock(&journal->lock);
	drain_run(reaper->run, error, "journal: %s: %s; what has settled last is not in it", what,
	          strerrordesc_np(-error));
	wake_others(reaper, true);
}

static void start_op(struct reaper *reaper, struct iobatch_op op)
{
	const struct iobatch_options *options = &reaper->run->options;
	struct slot *slot = reaper->log.slot;
	uint64_t patience_ms =
		options->timeout_ms > PATIENCE_MS ? options->timeout_ms : PATIENCE_MS;

	slot->phase = SLOT_JOURNAL;
	slot->error = 0;
	slot->current = 0;
	slot->chains[0].ops[0] = op;
	slot->chains[0].count = 1;
	slot->chains[0].unordered = false;
	if (options->timeout_ms > 0)
		slot->deadline_ns = reaper->now_ns + patience_ms * NS_PER_MS;
	reaper->log.asked_ns = 0;
	if (chain_start(reaper, slot) == CHAIN_OVER)
		journal_chain_ended(reaper, slot);
}

static uint64_t between(uint64_t value, uint64_t min, uint64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/* This ring's op has done what it was to do. */
static void end_op(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;

	pthread_mutex_lock(&journal->lock);
	journal->written = journal->writing;
	if (log->syncing || journal->file.sync == IOBATCH_JOURNAL_NONE)
		journal->committed = journal->written;
	if (log->syncing)
		journal->sync_gap_ns = between(SYNC_SHARE * (reaper->now_ns - log->started_ns),
		                               FLUSH_NS, SYNC_GAP_MAX_NS);
	journal->writer = NULL;
	log->busy = false;
	log->committed = journal->committed;
	if (journal->committed == journal->written)
		log->sync_due_ns = 0;
	else if (!log->sync_due_ns)
		log->sync_due_ns = reaper->now_ns + journal->sync_gap_ns;
	pthread_cond_broadcast(&journal->changed);
	pthread_mutex_unlock(&journal->lock);
	wake_others(reaper, false);
}

void journal_chain_ended(struct reaper *reaper, struct slot *slot)
{
	if (reaper->log.given_up)
		reaper->log.given_up = false;
	else if (slot->error)
		fail(reaper, slot->error == -ETIME ? -ETIMEDOUT : slot->error,
		     op_row(&slot_chain(slot)->ops[0])->info.name);
	else
		end_op(reaper);
}

/* Is a group to be written now? Under the lock. */
static bool write_is_due(const struct reaper *reaper)
{
	const struct journal *journal = &reaper->run->journal;
	const struct logger *log = &reaper->log;
	uint64_t taken = journal->appended - journal->filled;

	if (journal->filled == 0)
		return false;
	return journal->wanted > taken || journal->asked > taken ||
	       journal->filled >= GROUP_BYTES || reaper_is_idle(reaper) ||
	       (log->due_ns && reaper->now_ns >= log->due_ns);
}

/* Is what was written to be made durable now? Under the lock. */
static bool sync_is_due(const struct reaper *reaper)
{
	const struct journal *journal = &reaper->run->journal;
	const struct logger *log = &reaper->log;

	if (journal->written == journal->committed)
		return false;
	return journal->awaited > journal->committed || reaper_is_idle(reaper) ||
	       (log->sync_due_ns && reaper->now_ns >= log->sync_due_ns);
}

static struct iobatch_op take_group(struct journal *journal)
{
	uint64_t start = journal->appended - journal->filled;
	char *buffer = journal->buffers[journal->filling];
	uint64_t length = journal->filled;

	journal->awaited = journal->wanted;
	journal->writing = journal->appended;
	journal->filling ^= 1;
	journal->filled = 0;
	return iobatch_op_write(IOBATCH_FD(journal->file.fd), buffer, length,
	                        journal->file.offset + start);
}

/* Another op is in flight: what is due comes behind it, at once or soon. Under the lock. */
static void put_off(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;

	journal->asked = journal->appended;
	/* Whoever has it in flight sees to what this ring leaves. */
	if (reaper_is_idle(reaper))
		journal->wanted = journal->awaited = journal->appended;
	log->due_ns = 0;
	if (log->sync_due_ns && !log->busy)
		log->sync_due_ns = reaper->now_ns + FLUSH_NS;
}

/* Takes up what is due: *ret_op is it. Under the lock. */
static bool take_up(struct reaper *reaper, struct iobatch_op *ret_op)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;
	bool syncs = sync_is_due(reaper), writes = write_is_due(reaper);

	if (log->appended <= journal->appended - journal->filled)
		log->due_ns = 0;
	if (journal->written == journal->committed)
		log->sync_due_ns = 0;
	if (!syncs && !writes)
		return false;
	if (journal->writer) {
		put_off(reaper);
		return false;
	}
	journal->writer = reaper;
	log->busy = true;
	log->syncing = syncs;
	log->started_ns = reaper->now_ns;
	if (syncs) {
		log->sync_due_ns = 0;
		*ret_op = iobatch_op_fdatasync(IOBATCH_FD(journal->file.fd));
	} else {
		log->due_ns = 0;
		*ret_op = take_group(journal);
	}
	return true;
}

/* Simulated time stands still while the ring waits for another one's group. Under the lock. */
static bool await_others(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	bool awaited = false;

	if (!time_stands_still(reaper->run) || !journal_keeps(reaper))
		return false;
	while (journal->writer && journal->writer != reaper && !journal->error &&
	       journal->committed == reaper->log.committed) {
		pthread_cond_wait(&journal->changed, &journal->lock);
		awaited = true;
	}
	return awaited;
}

bool journal_begin(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;
	struct iobatch_op op;
	bool begins, can_go_on, crowded = false;

	if (!journal->on)
		return false;
	atomic_store(&log->waits, journal_keeps(reaper));
	pthread_mutex_lock(&journal->lock);
	begins = !journal->error && take_up(reaper, &op);
	if (begins && !log->syncing) {
		crowded = journal->crowded;
		journal->crowded = false;
	}
	if (journal->error)
		log->due_ns = log->sync_due_ns = 0;
	can_go_on = await_others(reaper) || journal->committed > log->committed ||
	            journal->error != log->error;
	pthread_mutex_unlock(&journal->lock);
	if (begins)
		start_op(reaper, op);
	/* Another buffer is filled now: there is room. */
	if (crowded)
		wake_others(reaper, false);
	if (!can_go_on && !begins)
		return false;
	return journal_keeps(reaper);
}

/* ----------------------------------------------------- ops that hang -- */

/* When an op of the journal that is late is given up. */
static uint64_t given_up_ns(const struct reaper *reaper)
{
	uint64_t grace_ns = reaper->run->options.stuck_grace_ms * NS_PER_MS;

	return reaper->log.slot->deadline_ns + (grace_ns > ASK_AGAIN_NS ? grace_ns : ASK_AGAIN_NS);
}

void journal_hurry(struct reaper *reaper)
{
	struct logger *log = &reaper->log;
	struct slot *slot = log->slot;

	if (!log->busy || !slot->deadline_ns || reaper->now_ns < slot->deadline_ns)
		return;
	if (slot->queue) {
		queue_leave(slot);
		if (chain_give_up(slot, -ETIME) == CHAIN_OVER)
			journal_chain_ended(reaper, slot);
	} else if (log->asked_ns && reaper->now_ns >= given_up_ns(reaper)) {
		log->given_up = true;
		fail(reaper, -ETIMEDOUT, op_row(&slot_chain(slot)->ops[0])->info.name);
	} else if (reaper->now_ns >= log->asked_ns + ASK_AGAIN_NS &&
	           handover_cancel(reaper, slot) == 0) {
		log->asked_ns = reaper->now_ns;
	}
}

static uint64_t sooner(uint64_t due_ns, uint64_t other_ns)
{
	return other_ns && other_ns < due_ns ? other_ns : due_ns;
}

uint64_t journal_due(const struct reaper *reaper)
{
	const struct logger *log = &reaper->log;

	if (!log->busy)
		return sooner(sooner(UINT64_MAX, log->due_ns), log->sync_due_ns);
	/* Until its op has ended there is nothing to be done but to wait for that. */
	if (log->asked_ns)
		return log->asked_ns + ASK_AGAIN_NS;
	return sooner(UINT64_MAX, log->slot->deadline_ns);
}

unsigned journal_owed(const struct reaper *reaper)
{
	return reaper->log.given_up ? reaper->log.slot->outstanding : 0;
}

void journal_leave(struct reaper *reaper)
{
	struct journal *journal = &reaper->run->journal;
	struct logger *log = &reaper->log;

	if (!journal->on)
		return;
	/* Its executor broke. */
	if (log->busy)
		fail(reaper, reaper->error, op_row(&slot_chain(log->slot)->ops[0])->info.name);
	if (log->slot->outstanding > 0)
		journal->left_behind = true;
}

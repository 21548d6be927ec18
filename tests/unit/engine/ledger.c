/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THING "/nonexistent/thing-"
#define NOT_SAID 0
#define SAID(error) (1 - (error))

/* Beside struct ledger: what only this file looks at. */
struct inside {
	struct ledger ledger;
	bool simulated;
	uint64_t appended; /* bytes that the caller has written into buffers */
	uint64_t outcome_end[TRIAL_ITEMS_MAX];
	_Atomic uint64_t intent_end[TRIAL_ITEMS_MAX];
	int (*next)(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
	            struct iobatch_chain *chain);
	void (*on_settled)(void *context, const struct iobatch_outcome *outcome);
	void (*on_progress)(void *context, const struct iobatch_progress *progress);
	void (*script)(void *context, const struct iobatch_op *op, struct iobatch_answer *answer);
};

static struct inside *inside_of(struct ledger *ledger)
{
	return (struct inside *)ledger;
}

/* -------------------------------------------------------------- notes -- */

static const char long_note[IOBATCH_NOTE_MAX] = {[0] = 'l', [IOBATCH_NOTE_MAX - 1] = 'g'};

/* A third of the items gets a note in the first attempt only, a third in each, a third at the end.
 */
static void give_note(struct iobatch_item *item)
{
	if (item->index % 3 == 0 && item->attempt == 1)
		assert_int_equal(iobatch_item_note(item, "first", 5), 0);
	if (item->index % 3 == 1) {
		assert_int_equal(iobatch_item_note(item, long_note, sizeof(long_note)), 0);
		assert_int_equal(iobatch_item_note(item, "x", sizeof(long_note) + 1), -EINVAL);
	}
}

static int settled(void *context, struct iobatch_item *item, const struct iobatch_outcome *outcome)
{
	(void)context;
	(void)outcome;
	if (item->index % 3 == 2)
		assert_int_equal(iobatch_item_note(item, "end", 3), 0);
	return 0;
}

static void check_note(const struct iobatch_outcome *outcome)
{
	const char *expected = NULL;
	size_t length = 0;

	if (outcome->index % 3 == 0 && outcome->attempts == 1)
		expected = "first", length = 5;
	if (outcome->index % 3 == 1)
		expected = long_note, length = sizeof(long_note);
	if (outcome->index % 3 == 2)
		expected = "end", length = 3;
	if (outcome->error || !expected) {
		assert_null(outcome->note);
		assert_int_equal(outcome->note_length, 0);
		return;
	}
	assert_non_null(outcome->note);
	assert_int_equal(outcome->note_length, length);
	assert_memory_equal(outcome->note, expected, length);
}

/* ---------------------------------------------------------- callbacks -- */

static void enter(struct ledger *ledger)
{
	assert_false(ledger->inside);
	ledger->inside = true;
}

static size_t leave(struct ledger *ledger, int length)
{
	inside_of(ledger)->appended += (uint64_t)length;
	ledger->inside = false;
	return (size_t)length;
}

static size_t write_outcome(void *context, const struct iobatch_outcome *outcome, char *buffer)
{
	struct ledger *ledger = context;
	int length;

	enter(ledger);
	check_note(outcome);
	assert_int_equal(ledger->told[outcome->index], NOT_SAID);
	assert_int_equal(inside_of(ledger)->outcome_end[outcome->index], 0);
	ledger->records++;
	/* All of it may be used. */
	memset(buffer, 'x', ledger->journal.record_max);
	length = snprintf(buffer, ledger->journal.record_max, "o %u %d %u %0*d\n",
	                  (unsigned)outcome->index, outcome->error, outcome->attempts,
	                  (int)ledger->padding, 0);
	length = (int)leave(ledger, length);
	inside_of(ledger)->outcome_end[outcome->index] = inside_of(ledger)->appended;
	return (size_t)length;
}

static size_t write_intent(void *context, const struct iobatch_item *item,
                           const struct iobatch_op *op, char *buffer)
{
	struct ledger *ledger = context;
	int length;

	enter(ledger);
	assert_int_equal(op->opcode, IOBATCH_OP_UNLINKAT);
	assert_string_equal(op->path, item->scratch);
	ledger->intents[item->index]++;
	length = snprintf(buffer, ledger->journal.record_max, "i %u %u\n", (unsigned)item->index,
	                  item->attempt);
	length = (int)leave(ledger, length);
	inside_of(ledger)->intent_end[item->index] = inside_of(ledger)->appended;
	return (size_t)length;
}

/* So much is in the file, and durable where that is wanted. */
static uint64_t safe_end(struct ledger *ledger)
{
	struct stat stat;

	if (!inside_of(ledger)->simulated) {
		assert_int_equal(fstat(ledger->journal.fd, &stat), 0);
		return (uint64_t)stat.st_size - ledger->journal.offset;
	}
	return ledger->journal.sync == IOBATCH_JOURNAL_NONE ? ledger->length : ledger->durable;
}

static void on_settled(void *context, const struct iobatch_outcome *outcome)
{
	struct ledger *ledger = context;
	uint64_t end = inside_of(ledger)->outcome_end[outcome->index];

	pthread_mutex_lock(&ledger->lock);
	check_note(outcome);
	assert_int_equal(ledger->told[outcome->index], NOT_SAID);
	ledger->told[outcome->index] = SAID(outcome->error);
	assert_true(outcome->attempts == 0 || outcome->start_ns > 0 ||
	            inside_of(ledger)->simulated);
	if (ledger->journal.sync == IOBATCH_JOURNAL_ITEM && !ledger->failed)
		assert_true(end > 0 && end <= safe_end(ledger));
	pthread_mutex_unlock(&ledger->lock);
	inside_of(ledger)->on_settled(ledger->trial, outcome);
}

static void on_progress(void *context, const struct iobatch_progress *progress)
{
	struct ledger *ledger = context;

	inside_of(ledger)->on_progress(ledger->trial, progress);
}

static int next_noting(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                       struct iobatch_chain *chain)
{
	struct ledger *ledger = context;

	give_note(item);
	return inside_of(ledger)->next(ledger->trial, item, done, chain);
}

/* First a name is removed, which is not there. */
static int next_destroying(void *context, struct iobatch_item *item,
                           const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct ledger *ledger = context;
	unsigned *step = item->state;
	struct iobatch_chain none = {.count = 0};
	struct iobatch_op op;

	give_note(item);
	switch ((*step)++) {
	case 0:
		ledger->intents[item->index] = 0;
		/* Of every other item two at once, which is the same name. */
		snprintf(item->scratch, 64, THING "%u", (unsigned)item->index);
		op = iobatch_op_unlinkat(AT_FDCWD, item->scratch, 0);
		op.flags = IOBATCH_MAY_FAIL;
		iobatch_chain_add(chain, op);
		chain->unordered = item->index % 2;
		if (chain->unordered)
			iobatch_chain_add(chain, op);
		return IOBATCH_MORE;
	case 1:
		pthread_mutex_lock(&ledger->lock);
		assert_int_equal(ledger->intents[item->index], 1 + item->index % 2);
		if (inside_of(ledger)->intent_end[item->index] > safe_end(ledger))
			ledger->asked_unsafe++;
		pthread_mutex_unlock(&ledger->lock);
		return inside_of(ledger)->next(ledger->trial, item, &none, chain);
	default:
		return inside_of(ledger)->next(ledger->trial, item, done, chain);
	}
}

/* -------------------------------------------------------------- model -- */

static void write_model(struct ledger *ledger, const struct iobatch_op *op, int32_t result)
{
	uint64_t moved = op->reserved[0], at = op->offset + moved - ledger->journal.offset;

	/* Never a hole, and nothing is written over what is there. */
	assert_int_equal(at, ledger->length);
	/* But for the rest of one that was short, each begins behind whole records. */
	assert_true(moved > 0 || !ledger->torn);
	if (result <= 0)
		return;
	assert_true(ledger->length + (size_t)result <= LEDGER_MODEL_SIZE);
	memcpy(ledger->model + at, (const char *)op->buffer + moved, (size_t)result);
	ledger->length += (size_t)result;
	ledger->torn = ledger->model[ledger->length - 1] != '\n';
}

static void answer_journal(struct ledger *ledger, const struct iobatch_op *op,
                           struct iobatch_answer *answer)
{
	bool writes = op->opcode == IOBATCH_OP_WRITE;

	assert_false(ledger->failed);
	if (ledger->ops++ == ledger->faulty)
		*answer = ledger->fault(op, *answer);
	ledger->writes += writes;
	ledger->syncs += !writes;
	if (answer->result < 0 && answer->result != -EINTR && answer->result != -EAGAIN &&
	    answer->result != -ECANCELED)
		ledger->failed = true;
	if (answer->result < 0 && answer->result == -EINTR && !writes)
		ledger->failed = true;
	if (answer->latency_ns == UINT64_MAX || (writes && answer->result == 0))
		ledger->failed = true;
	if (writes)
		write_model(ledger, op, answer->result);
	else if (answer->result >= 0)
		ledger->durable = ledger->length;
	if (!writes)
		assert_false(ledger->torn);
}

static void script(void *context, const struct iobatch_op *op, struct iobatch_answer *answer)
{
	struct ledger *ledger = context;

	pthread_mutex_lock(&ledger->lock);
	if (op->opcode == IOBATCH_OP_WRITE || op->opcode == IOBATCH_OP_FDATASYNC) {
		assert_int_equal(op->file, IOBATCH_FD(ledger->journal.fd));
		answer_journal(ledger, op, answer);
	} else if (op->opcode == IOBATCH_OP_UNLINKAT) {
		unsigned index = (unsigned)atoi(op->path + strlen(THING));
		uint64_t end = inside_of(ledger)->intent_end[index];

		if (end == 0 || end > safe_end(ledger))
			ledger->asked_unsafe++;
		answer->result = -ENOENT;
	}
	pthread_mutex_unlock(&ledger->lock);
	inside_of(ledger)->script(ledger->trial, op, answer);
}

/* ------------------------------------------------------------- ledger -- */

struct ledger *ledger_new(struct trial *trial, enum iobatch_journal_sync sync)
{
	struct inside *inside = calloc(1, sizeof(*inside));
	struct ledger *ledger = &inside->ledger;

	assert_non_null(inside);
	inside->simulated = trial->options.executor == IOBATCH_EXECUTOR_SIMULATED;
	ledger->trial = trial;
	ledger->faulty = LEDGER_NO_FAULT;
	pthread_mutex_init(&ledger->lock, NULL);
	ledger->model = malloc(LEDGER_MODEL_SIZE);
	assert_non_null(ledger->model);
	ledger->journal = (struct iobatch_journal)IOBATCH_JOURNAL_INIT;
	ledger->journal.fd = memfd_create("journal", MFD_CLOEXEC);
	assert_true(ledger->journal.fd >= 0);
	ledger->journal.offset = 1000;
	ledger->journal.sync = sync;
	ledger->journal.context = ledger;
	ledger->journal.outcome = write_outcome;
	inside->next = trial->processor.next;
	inside->on_settled = trial->options.on_settled;
	inside->on_progress = trial->options.on_progress;
	inside->script = trial->simulation.script;
	trial->processor.context = ledger;
	trial->processor.next = next_noting;
	trial->processor.settled = settled;
	trial->options.context = ledger;
	trial->options.on_settled = on_settled;
	trial->options.on_progress = on_progress;
	trial->options.journal = &ledger->journal;
	trial->simulation.context = ledger;
	trial->simulation.script = script;
	return ledger;
}

void ledger_destroy_things(struct ledger *ledger)
{
	struct iobatch_processor *processor = &ledger->trial->processor;

	ledger->journal.intent = write_intent;
	processor->next = next_destroying;
	processor->chain_ops_max = 2;
	processor->state_size = sizeof(unsigned);
	processor->scratch_size = 64;
}

/* The end of the real file, where the simulated one has its model. */
static void read_file(struct ledger *ledger)
{
	ssize_t got;

	if (inside_of(ledger)->simulated)
		return;
	got = pread(ledger->journal.fd, ledger->model, LEDGER_MODEL_SIZE,
	            (off_t)ledger->journal.offset);
	assert_true(got >= 0 && got < (ssize_t)LEDGER_MODEL_SIZE);
	ledger->length = (size_t)got;
}

void ledger_run(struct ledger *ledger)
{
	trial_run(ledger->trial);
	read_file(ledger);
	assert_int_equal(ledger->asked_unsafe, 0);
	if (ledger->trial->error)
		return;
	/* What the notes point to is not the result's. */
	for (uint64_t i = 0; i < ledger->trial->result.successful_items_count; i++)
		assert_null(ledger->trial->result.successful_items[i].note);
	assert_int_equal(ledger_check(ledger), ledger->trial->count);
	assert_int_equal(ledger->length, inside_of(ledger)->appended);
	if (inside_of(ledger)->simulated && ledger->journal.sync != IOBATCH_JOURNAL_NONE)
		assert_int_equal(ledger->durable, ledger->length);
}

unsigned ledger_check(struct ledger *ledger)
{
	bool *seen = calloc(2 * TRIAL_ITEMS_MAX, sizeof(*seen)), *meant = seen + TRIAL_ITEMS_MAX;
	char *line = ledger->model, *end = ledger->model + ledger->length, *next;
	unsigned outcomes = 0;

	assert_non_null(seen);
	for (; line < end; line = next) {
		unsigned index, attempts;
		int error;
		char *stop = memchr(line, '\n', (size_t)(end - line));

		/* The last one may be cut when an op of the journal has failed, and no other. */
		if (!stop) {
			assert_true(ledger->failed);
			break;
		}
		next = stop + 1;
		*stop = '\0';
		if (sscanf(line, "i %u %u", &index, &attempts) == 2) {
			assert_true(index < ledger->trial->count && !seen[index]);
			meant[index] = true;
			continue;
		}
		assert_int_equal(sscanf(line, "o %u %d %u", &index, &error, &attempts), 3);
		assert_true(index < ledger->trial->count && !seen[index]);
		assert_int_equal(ledger->told[index], SAID(error));
		assert_true(meant[index] || !ledger->journal.intent || attempts == 0 || error);
		seen[index] = true;
		outcomes++;
	}
	free(seen);
	return outcomes;
}

void ledger_free(struct ledger *ledger)
{
	close(ledger->journal.fd);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger->model);
	free(ledger);
}

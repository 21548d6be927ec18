/* SPDX-License-Identifier: MIT */
/*
 * The inside of the engine: what a run consists of while it goes on.
 *
 *     run      everything that its reapers share: intake, tally, options
 *     reaper   one executor (one ring) and the windows, slots and buffers that belong to it
 *     window   a place for one batch in flight
 *     slot     a place for one item in flight (slot.h)
 *
 * A reaper and what belongs to it is touched by its thread only. What the reapers share is taken
 * once for a batch (intake) and, when somebody listens, once for a settled item (tally). The engine
 * knows ops and the executor interface; neither io_uring nor job files.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include <iobatch.h>

#include "engine/control.h"
#include "engine/descriptors.h"
#include "engine/errors.h"
#include "engine/journal.h"
#include "engine/lanes.h"
#include "engine/lateness.h"
#include "engine/policy.h"
#include "engine/slot.h"
#include "executor/executor.h"
#include "op/op.h"

#define NS_PER_MS UINT64_C(1000000)

/* ------------------------------------------------------------- windows -- */

struct window {
	struct reaper *reaper;
	struct window *next;  /* in the list of windows to be filled */
	struct slot **places; /* its slots: another takes the place of one that is set aside */
	uint32_t size;        /* items of the batch, as far as there were any */
	uint32_t started;     /* with a delay: items of it that were started */
	uint32_t unsettled;   /* items of it that have no outcome yet */
	bool made;            /* are its slots? */
	bool used;            /* has an item been started in this window, so that a pause is due? */
	bool open;            /* the batch is not full yet, and the stream had nothing more */
	bool pausing;         /* the pause between two items is in flight */
	uint64_t idle_ns;     /* with a delay: since when it has had no item; 0 = it has one */
	uint64_t rested_ns;   /* when the pause is over, on the clock of pauses */
};

/* Slots in the order in which they want to be looked at. */
struct deadline_list {
	struct slot *first;
	struct slot *last;
};

/* ------------------------------------------------------------ reapers -- */

/*
 * Buffers of one reaper: a stack of free ones over one mapping, and spare ones in the place of
 * those that slots which were set aside have with them.
 */
struct pool {
	char *memory;
	size_t memory_size;
	size_t buffer_size;
	void **free;
	unsigned free_count;
	unsigned count;
	void **spare;
	unsigned spare_count;
	unsigned spare_max;
	void **made; /* beside the mapping */
	unsigned made_count;
	unsigned missing; /* for which there was no memory */
};

/* What a reaper has counted and not yet published. */
struct tally_part {
	uint64_t successful;
	uint64_t failed;
	uint64_t retries;
	uint64_t bytes;
	uint64_t stuck;
	uint64_t skipped; /* of the successful */
};

enum {
	PIECE_SLOT,
	PIECE_CHAINS,
	PIECE_FILES,
	PIECE_BUFFERS,
	PIECE_STATE,
	PIECE_SCRATCH,
	PIECE_OBJECT,
	PIECES
};

struct reaper {
	struct run *run;
	unsigned number;
	pthread_t thread;
	int error;            /* of the set-up, or of the executor */
	bool executor_failed; /* is the set-up's error the executor's? */

	struct executor *executor;
	uint64_t now_ns; /* the clock as of the last wait */
	uint64_t start_ns;
	bool reads_clock;
	unsigned in_flight; /* completions that the executor owes */
	uint64_t ops;
	_Atomic unsigned active; /* attempts in progress, but for those set aside */

	struct window *windows;
	unsigned windows_count;
	unsigned windows_busy; /* with a batch that has not settled */
	struct slot *slots;
	struct slot **places;
	unsigned slots_count; /* of all windows */
	struct piece {
		size_t stride;
		size_t start;
	} pieces[PIECES]; /* of every slot, within the region */
	unsigned spares_count;
	struct pool pool;
	struct lanes lanes;

	struct window *to_fill;
	struct window *starved;     /* the stream had nothing for them */
	struct window *open;        /* whose batch is open: never to be filled; NULL = none */
	bool feeds_open;            /* there may be more for that one */
	atomic_bool starves;        /* are there any? */
	bool dry;                   /* the stream had nothing the last time... */
	uint64_t wakes_seen;        /* ...and this was run->wakes before it was asked */
	struct slot_queue ready;    /* an attempt is to start */
	struct slot_queue starving; /* an attempt waits for buffers */
	struct slot_queue blocked;  /* a chain waits for room in the executor */
	struct slot_queue resting;  /* a backoff waits for room in the executor */
	struct window *to_pause;    /* a delay waits for room in the executor */
	struct throttle throttle;   /* and who waits for descriptors */

	struct slot_queue spares;       /* slots without a place in a window */
	struct deadline_list ahead;     /* attempts before their deadline */
	struct deadline_list overdue;   /* behind it, told to end */
	struct deadline_list set_aside; /* given up */
	uint64_t checked_ns;            /* when the lists were last looked at */
	uint64_t handed_ns;             /* when what was asked then went to the executor */
	unsigned aside_count;
	unsigned asked_at_last; /* how often, to end before they are left behind */
	bool halting;
	bool ending;       /* the run ends soon: nothing more is taken, nor tried again */
	bool backoffs_end; /* they are to be told so */
	struct reaper_control control;
	struct logger log;

	struct lateness lateness;
	struct tally_part part;
	bool untold; /* of what was added to the sum */
	uint64_t published_ns;

	void *region; /* memory behind the slots */
	size_t region_size;
};

/* ---------------------------------------------------------------- run -- */

/* Where items come from. */
struct intake {
	const struct iobatch_items *items;
	pthread_mutex_t lock; /* of a stream */
	bool ended;
	atomic_bool closed; /* by us: there may be more, and nobody asks */
	bool may_be_dry;    /* a stream that says when it has more */
	int error;
	_Atomic uint64_t taken;
	_Atomic uint64_t batches;
	const struct window *open; /* whose batch is not full yet: it comes first; NULL = none */
	_Atomic uint64_t total;    /* items known so far, or of all */
	_Atomic bool total_is_final;
};

/* Outcomes of one kind, as they are collected. */
struct outcome_list {
	struct iobatch_outcome *items;
	uint64_t count;
	uint64_t max;
};

/* What the reapers have published. */
struct tally {
	pthread_mutex_t lock;
	pthread_mutex_t sum_lock; /* the innermost: callbacks may ask how far the run is */
	struct tally_part sum;
	_Atomic uint64_t elapsed_ns; /* when that was added to last */
	struct outcome_list successful;
	struct outcome_list failed;
	bool lists_incomplete;
	struct errors errors;
	uint64_t still_running; /* items given up that had not answered at the end */
	_Atomic uint32_t batches_in_flight;
	_Atomic uint32_t batches_peak;
};

struct run {
	struct iobatch_options options;
	const struct iobatch_processor *processor;
	struct intake intake;
	struct tally tally;
	struct mounts *mounts; /* NULL = no lanes */
	unsigned executor;     /* enum iobatch_executor: never AUTO */
	struct reaper *reapers;
	unsigned reapers_count;
	bool wants_times;       /* somebody asks how long items took */
	bool may_end;           /* before its time: another ring may have seen to that */
	bool success_is_silent; /* nobody wants to hear of an item that succeeds */
	/* The collection's: it wants its objects back. NULL = it does not. */
	void (*release)(void *context, void *object);
	unsigned windows_count;  /* of all reapers */
	unsigned concurrent_max; /* what max_concurrent may be raised to */
	struct meter meter;
	_Atomic bool taken_all; /* a window has found nothing more */
	unsigned window_slots;
	unsigned chain_ops; /* room of a chain: the processor's, and to close every file */
	size_t chain_size;  /* bytes of it, whole cache lines */

	_Atomic uint32_t stuck; /* slots set aside now, of all reapers */
	_Atomic bool halted;    /* the run ends before its time, with halt_error... */
	_Atomic bool soon;      /* ...or goes on with what was taken, each item to its outcome... */
	_Atomic bool drained;   /* ...or only with what has started */
	int halt_error;
	uint32_t end;     /* enum iobatch_end: why it does */
	_Atomic bool cut; /* its control has kept it from something */

	struct policy policy;
	_Atomic bool probed; /* a ring with nothing else in flight looks for a descriptor */

	struct journal journal;

	bool listens;              /* to a stream that says when it has more: listen.c */
	_Atomic uint64_t wakes;    /* how often it has */
	pthread_mutex_t wake_lock; /* of the reapers' executors as others see them */

	/* The reapers wait for each other between set-up and start, and at the end. */
	pthread_mutex_t gate_lock;
	pthread_cond_t gate_changed;
	unsigned gate_arrived;
	unsigned gate_left;
	enum {
		GATE_SHUT,
		GATE_OPEN,
		GATE_CANCELLED
	} gate;

	char message[512];
};

/* run.c: the CPUs that this process may use. */
unsigned cpus_count(void);

/* options.c: checks arguments. 0, or -EINVAL with `message` filled. */
int options_check(const struct iobatch_items *items, const struct iobatch_processor *processor,
                  const struct iobatch_options *given, struct iobatch_options *ret_options,
                  char *message, size_t message_size);

/* intake.c: takes batches from the collection. */
int intake_init(struct intake *intake, const struct iobatch_items *items);
void intake_deinit(struct intake *intake);
/* What there is for a window, besides what it has been given. */
enum intake_state {
	INTAKE_FULL, /* its batch is full, or nothing will ever be added to it */
	INTAKE_DRY,  /* the stream has nothing now: the batch stays open for what comes */
	INTAKE_HELD, /* another window's batch is open: what comes is for that one */
};

/*
 * Puts the next batch, or more of the one that is open, into the places of the window, `size` of
 * which are taken; *ret_count of them now.
 */
enum intake_state intake_take(struct intake *intake, uint32_t batch_size,
                              const struct window *window, unsigned *ret_count);
/* Nothing more is to be taken. */
void intake_close(struct intake *intake);
/* Has all been taken that there is? false as long as that is not known. */
static inline bool intake_is_over(const struct intake *intake)
{
	return intake->total_is_final && intake->taken == intake->total;
}
/* May there be anything to take? */
static inline bool intake_has_more(const struct intake *intake)
{
	return !intake->closed && !intake_is_over(intake);
}

/* listen.c: streams that say when they have more. */
/* The stream is told whom to wake, when all executors stand; and at the end that nobody is. */
void listen_begin(struct run *run);
void listen_end(struct run *run);
/* There is more, or nothing will ever be: whoever starves looks. From any thread. */
void listen_wake(struct run *run);
/* Had the stream nothing the last time, and has it not said a word since? */
bool listen_is_dry(const struct reaper *reaper);
/* There is nothing for the window now. */
void listen_starve(struct reaper *reaper, struct window *window);
/* Has those windows filled that are starved, if the run was woken. Returns whether it was. */
bool listen_feed(struct reaper *reaper);
/* Nothing is wanted any more. */
void listen_give_up(struct reaper *reaper);

/* tally.c: counts outcomes and tells those who listen. */
int tally_init(struct tally *tally);
void tally_deinit(struct tally *tally, bool owns_objects);
void tally_batch_started(struct tally *tally);
void tally_batch_ended(struct tally *tally);
void tally_settle(struct reaper *reaper, const struct iobatch_outcome *outcome);
/* The run ends and the item, which was given up, has not answered. */
void tally_still_running(struct run *run, uint64_t index);
/* Counts a success, and no more. */
static inline void tally_success(struct reaper *reaper, uint64_t bytes, bool skipped)
{
	reaper->part.successful++;
	reaper->part.bytes += bytes;
	reaper->part.skipped += skipped;
}
/* When those who listen are to be told of what has settled, though nothing settles any more. */
uint64_t tally_due(const struct reaper *reaper);
/* Tells them, when it is time. */
void tally_tell(struct reaper *reaper);
/* Adds what the reaper has counted to the sum: at its end. */
void tally_add(struct reaper *reaper);
/* Publishes it, for others to see before that. */
void tally_publish(struct reaper *reaper);
/* How far the run is. From any thread, callbacks included. */
void tally_progress(struct run *run, uint64_t elapsed_ns, struct iobatch_progress *ret_progress);
/* The last progress call, when all reapers have ended. */
void tally_end(struct run *run, uint64_t elapsed_ns);
void tally_finish(struct run *run, struct iobatch_result *result);

/* pool.c: buffers, and the mapping behind slots. */
int pool_init(struct pool *pool, size_t buffer_size, uint64_t count, uint64_t spare_max);
void pool_deinit(struct pool *pool);
/* The same, but the buffers stay mapped. */
void pool_leave_behind(struct pool *pool);
/* Gives the slot buffers up to `wanted`, as far as there are any; returns how many it has. */
unsigned pool_reserve(struct pool *pool, struct slot *slot, unsigned wanted);
void pool_release(struct pool *pool, struct slot *slot);
/* Others take the place of the slot's buffers, as far as there is memory for them... */
void pool_replace(struct pool *pool, const struct slot *slot);
/* ...and its own become spare. */
void pool_take_back(struct pool *pool, struct slot *slot);
void *region_map(size_t size);
void region_unmap(void *memory, size_t size);
/* What is touched in a part of it becomes resident, and no huge page around it. */
void region_keep_sparse(void *memory, size_t size);

/* reaper.c */
int reaper_init(struct reaper *reaper, struct run *run, unsigned number);
void reaper_deinit(struct reaper *reaper);
void reaper_loop(struct reaper *reaper);
/* Makes the slots of a window that is used for the first time: before, its memory is untouched. */
void reaper_make_slots(struct reaper *reaper, struct window *window);
/* Is there nothing left to do, but for what was given up? */
bool reaper_is_idle(const struct reaper *reaper);
/* Lets those go on that wait in a queue, the first first, as far as there is room. */
void reaper_serve(struct reaper *reaper, struct slot_queue *queue);

/* window.c: batches, and when their items start. */
/* Takes the next batch into a window whose batch has settled. Without one the window is done with.
 */
void window_fill(struct reaper *reaper, struct window *window);
void window_start_next(struct reaper *reaper, struct window *window);
/* Nothing more comes for a batch that is open. */
void window_give_up(struct reaper *reaper, struct window *window);
/* With a delay: the window's next item, after the pause that separates it from the one before. */
void window_pause(struct reaper *reaper, struct window *window);
/* What is left of that pause, which stood still; and when its timer has run. */
void window_rest(struct reaper *reaper, struct window *window);
void window_rested(struct reaper *reaper, struct window *window);
/* The item of a slot has its outcome: its window goes on. */
void window_settled(struct reaper *reaper, struct slot *slot);
/* Has a timer complete `pause_ns` from now. Returns 0, or -EAGAIN when the executor has no room. */
int timer_start(struct reaper *reaper, uint64_t id, uint64_t pause_ns);

/* attempt.c: from an attempt's start to its end. */
void attempt_start(struct reaper *reaper, struct slot *slot);
/* The same when there are buffers for it and it is its turn. */
void attempt_admit(struct reaper *reaper, struct slot *slot);
void attempt_chain_ended(struct reaper *reaper, struct slot *slot);
/* Starts the pause before the slot's next attempt. Returns like timer_start(). */
int attempt_rest(struct reaper *reaper, struct slot *slot);
/* One that has waited for descriptors starts. */
void attempt_start_over(struct reaper *reaper, struct slot *slot);
/* Can an op that the processor has rewritten be carried out as it stands? */
bool attempt_op_is_sound(const struct reaper *reaper, const struct slot *slot,
                         const struct iobatch_op *op);
/* The attempt's error when it cannot. */
int attempt_refuse_chain(struct slot *slot);

/* attempt_end.c: what ends before its time. */
/*
 * The attempt's time is over: has what is in flight of it end, and what waits end at once. -EAGAIN
 * when the executor has no room to be told: again after the next wait.
 */
int attempt_expire(struct reaper *reaper, struct slot *slot);
/* Once more, as to what is in flight. Returns like attempt_expire(). */
int attempt_ask_to_end(struct reaper *reaper, struct slot *slot);
/* The run is halted: the item ends as cancelled, at once or when its ops have. */
void attempt_halt(struct reaper *reaper, struct slot *slot);
/* The run is drained: the item, no attempt of which is going on, ends as it stands. */
void attempt_drain(struct reaper *reaper, struct slot *slot);
/* What the attempt's error is when its time is over. */
int attempt_late_error(const struct slot *slot);

/* attempt_outcome.c: the outcome, and who hears of it. */
/* Settles the item of a slot as it stands. */
void attempt_settle(struct reaper *reaper, struct slot *slot);
/* The outcome of an item that has settled. */
struct iobatch_outcome attempt_outcome(const struct reaper *reaper, const struct slot *slot);
/* Tells everybody of it: the slot is done with the item. */
void attempt_tell(struct reaper *reaper, struct slot *slot, const struct iobatch_outcome *outcome);
/* Nothing of the item is in flight, and it has its outcome: its object goes back. */
static inline void attempt_release(const struct reaper *reaper, const struct slot *slot)
{
	if (reaper->run->release)
		reaper->run->release(reaper->run->intake.items->context, slot->item.object);
}

/* aside.c: slots whose ops ignore that they were cancelled. */
void aside_put(struct reaper *reaper, struct slot *slot);
/* All ops of such a slot have answered, and nothing is left of its attempt. */
void aside_return(struct reaper *reaper, struct slot *slot);
/* Completions that they are owed. */
unsigned aside_owed(const struct reaper *reaper);
/* Asks all of them once more to end, also those that only close or clean up. 0, or -EAGAIN when
 * there was no room for all of it. */
int aside_ask_to_end(struct reaper *reaper);
/* The reaper ends, and these have not answered. */
void aside_leave_behind(struct reaper *reaper);

/* deadline.c: when attempts must end. */
/* How often a slot that is set aside is asked once more to end. */
#define DEADLINE_ASIDE_NS (100 * NS_PER_MS)
void deadline_start(struct reaper *reaper, struct slot *slot, uint64_t deadline_ns);
void deadline_stop(struct slot *slot);
/* The slot was told to end, from now on it is to hurry. */
void deadline_passed(struct reaper *reaper, struct slot *slot);
/* Moves a slot to the end of a list that looks at it `after_ns` from now. */
void deadline_move(struct reaper *reaper, struct slot *slot, struct deadline_list *list,
                   uint64_t after_ns);
/* When the reaper must look again; UINT64_MAX = not for a deadline's sake. */
uint64_t deadline_next(const struct reaper *reaper);
/* Ends what is late. `idle`: there are no completions left to be taken. */
void deadline_check(struct reaper *reaper, bool idle);

/* halt.c: a run that ends before its time. */
__attribute__((format(printf, 3, 4))) void halt_run(struct run *run, int error, const char *format,
                                                    ...);
/* The same because so many have failed: now or soon, as the options say. */
__attribute__((format(printf, 2, 3))) void halt_by_policy(struct run *run, const char *format, ...);
/* The same, since its control has cancelled it. */
void halt_by_control(struct run *run);
/* What has started goes on to its outcome, the rest ends, and nothing more is taken. */
__attribute__((format(printf, 3, 4))) void drain_run(struct run *run, int error, const char *format,
                                                     ...);
/* The same as the reaper's part, for whatever reason. */
void halt_drain(struct reaper *reaper);
/* The reaper's part, once the run is to end: to be called before each wait. */
void halt_reaper(struct reaper *reaper);

/* chain.c: carries out the chain of a slot. All but chain_unblock() leave a slot that waits in its
 * queue. */
enum chain_state {
	CHAIN_RUNNING,
	CHAIN_BLOCKED, /* waits for room in the executor or in a lane */
	CHAIN_OVER,    /* nothing of it is outstanding; slot->error says how it went */
};
enum chain_state chain_start(struct reaper *reaper, struct slot *slot);
enum chain_state chain_complete(struct reaper *reaper, struct slot *slot, unsigned op,
                                int32_t result);
enum chain_state chain_resume(struct reaper *reaper, struct slot *slot, unsigned op);
/* There may be room again for a slot that is the first in its queue: when there is not, it still
 * is. */
enum chain_state chain_unblock(struct reaper *reaper, struct slot *slot);
/* Fails with `error` unless it has failed already, and gives up what has not been handed over. */
enum chain_state chain_give_up(struct slot *slot, int error);

/* handover.c: between a slot's chain and the executor. */
/* Hands over what is wanted. Returns NULL, or the queue in which the slot waits to go on. */
struct slot_queue *handover(struct reaper *reaper, struct slot *slot);
/* Is there anything to be handed over? */
static inline bool handover_is_wanted(const struct slot *slot)
{
	const struct iobatch_chain *chain = &slot->chains[slot->current];

	return chain->unordered ? !op_set_is_empty(&slot->wanted)
	                        : slot->outstanding == 0 && slot->position < chain->count;
}
/* The first op that is; only when there is one. */
unsigned handover_first_wanted(const struct slot *slot);
/* Gives up what has not been handed over. */
void handover_abandon(struct slot *slot);
/* Asks the executor to end what is in flight. 0, or -EAGAIN when there was no room for all of it.
 */
int handover_cancel(struct reaper *reaper, struct slot *slot);
/* Nobody counts on what is in flight any more: the lanes, and the executor's width. */
void handover_discount(struct reaper *reaper, struct slot *slot);

/* ----------------------------------------------------------- small things -- */

static inline struct reaper *slot_reaper(const struct slot *slot)
{
	return slot->window->reaper;
}

/* Now, on the clock of its executor; reaper->now_ns is what that said last. */
static inline uint64_t reaper_clock_ns(const struct reaper *reaper)
{
	return reaper->executor->ops->now_ns(reaper->executor);
}

/* Attempts in progress: one more or less. Other rings only look. */
static inline void reaper_count_active(struct reaper *reaper, int more)
{
	unsigned active = atomic_load_explicit(&reaper->active, memory_order_relaxed);

	atomic_store_explicit(&reaper->active, active + (unsigned)more, memory_order_relaxed);
}

static inline unsigned reaper_active(const struct reaper *reaper)
{
	return atomic_load_explicit(&reaper->active, memory_order_relaxed);
}

/* Takes up what the run's control has asked for. */
static inline void control_look(struct reaper *reaper)
{
	if (reaper->control.on)
		control_look_now(reaper);
}

static inline bool control_is_asked(const struct reaper *reaper)
{
	return reaper->control.on && control_is_asked_now(reaper);
}

static inline bool control_lets_start(struct reaper *reaper)
{
	if (reaper->control.on && !control_lets_start_now(reaper))
		return false;
	if (reaper->control.metered.first)
		meter_serve(reaper);
	return true;
}

/* May what goes on in the slot be late? What closes and cleans up has no deadline. */
static inline bool slot_may_be_late(const struct slot *slot)
{
	return slot->phase == SLOT_RUNNING || slot->phase == SLOT_JOURNAL;
}

static inline bool slot_is_late(const struct reaper *reaper, const struct slot *slot)
{
	return slot_may_be_late(slot) && slot->deadline_ns && reaper->now_ns >= slot->deadline_ns;
}

#endif

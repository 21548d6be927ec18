/* SPDX-License-Identifier: MIT */
/*
 * The observer stands between engine and simulator, in place of simulated_new(). It knows what is
 * in flight, refuses now and then for want of room, gives out descriptors as a kernel does (the
 * lowest that is free) and gathers several completions.
 */
#include "random.h"

#define FD_FIRST 1000000 /* of the simulator's descriptors */
#define WANTED_MAX 4u
#define WAITS_MAX 200000u
/* How much later than asked for a timer may come: submissions fail for a while. */
#define TIMER_SLACK_NS (20 * NS_PER_MS)

_Thread_local uint64_t current_seed;

void broken(const char *file, int line, const char *what)
{
	printf("Bail out! seed %" PRIu64 ", %s:%d: %s\n", current_seed, file, line, what);
	fflush(stdout);
	_exit(1);
}

struct flying {
	uint64_t id;
	const struct iobatch_op *op; /* NULL for a timer of the engine */
	struct iobatch_op copy;
	int fd;
	bool direct;
	bool asked;        /* to end */
	bool broken;       /* an op of its sequence before it has failed... */
	bool never_began;  /* ...or was refused */
	unsigned sequence; /* and the place in it */
	unsigned place;
	uint64_t from_ns; /* when it was handed over */
	uint64_t due_ns;  /* of a timer */
};

/* The last answer of an op's place in a slot's chain. */
struct answer {
	uint64_t id;
	int32_t result;
	bool refused; /* the pause behind it found no room */
	uint64_t time_ns;
};

struct observer {
	struct executor base;
	struct executor *inner;
	struct world *world;
	uint64_t random;
	unsigned chain_ops_max, capacity, flying_count, flying_max;
	struct flying *flying;
	unsigned files;
	unsigned number, sequences, waits;
	struct answer *answers;
	uint64_t taken[WANTED_MAX]; /* by the last wait */
	unsigned taken_count;
	uint64_t *holder; /* of a descriptor or a direct file: 1 + slot * FILES_MAX +
	                     file, or 0 */
};

int __real_simulated_new(const struct executor_config *config, struct executor **ret_executor);
int __wrap_simulated_new(const struct executor_config *config, struct executor **ret_executor);

static bool refuses(struct observer *observer, unsigned count)
{
	return observer->flying_count + count > observer->capacity ||
	       (observer->flying_count > 0 && one_in(&observer->random, 16));
}

static uint64_t now_of(const struct observer *observer)
{
	return observer->inner->ops->now_ns(observer->inner);
}

static struct slot *slot_of(const struct observer *observer, uint64_t id)
{
	struct slot *slots = observer->world->slots[observer->number];

	CHECK(slots && id_kind(id) != ID_DELAY);
	return &slots[id_number(id)];
}

static const struct reaper *reaper_of(const struct observer *observer)
{
	const struct slot *slots = observer->world->slots[observer->number];

	return slots ? slot_reaper(slots) : NULL;
}

static struct answer *answer_of(const struct observer *observer, uint64_t id)
{
	return &observer->answers[id_number(id) * observer->chain_ops_max + id_op(id)];
}

/* What is known here of ops is known by heart, and not from the op table. */

bool observer_is_idempotent(int opcode)
{
	switch (opcode) {
	case IOBATCH_OP_NOP:
	case IOBATCH_OP_READ:
	case IOBATCH_OP_WRITE:
	case IOBATCH_OP_FADVISE:
	case IOBATCH_OP_STATX:
	case IOBATCH_OP_TIMEOUT:
	case IOBATCH_OP_FCHMODAT:
	case IOBATCH_OP_FTRUNCATE:
		return true;
	default:
		return false;
	}
}

/* Nothing that destroys is linked, nor anything behind an op whose failure does not break a link.
 */
static void check_link(const struct observer *observer, const struct iobatch_op *op,
                       const struct iobatch_op *next)
{
	const struct world *world = observer->world;

	switch (op->opcode) {
	case IOBATCH_OP_NOP:
	case IOBATCH_OP_CLOSE:
	case IOBATCH_OP_READ:
	case IOBATCH_OP_WRITE:
	case IOBATCH_OP_FADVISE:
		break;
	case IOBATCH_OP_OPENAT:
		CHECK(observer->base.direct_files);
		break;
	case IOBATCH_OP_TIMEOUT:
		CHECK(world->timers_link &&
		      !(world->simulation.without & IOBATCH_WITHOUT_ETIME_SUCCESS));
		break;
	default:
		CHECK(!"linked behind an op whose failure does not break a link");
	}
	CHECK(!(op->flags & IOBATCH_MAY_FAIL));
	CHECK(next->opcode != IOBATCH_OP_UNLINKAT && next->opcode != IOBATCH_OP_RENAMEAT &&
	      next->opcode != IOBATCH_OP_FTRUNCATE && next->opcode != IOBATCH_OP_FALLOCATE);
}

/* An op is handed over again only when its last answer leaves something to be done. */
static void check_again(const struct observer *observer, const struct executor_request *request)
{
	const struct slot *slot = slot_of(observer, request->id);
	const struct answer *last = answer_of(observer, request->id);
	bool closes = request->op->opcode == IOBATCH_OP_CLOSE;
	bool may_fail =
		request->op->flags & IOBATCH_MAY_FAIL || request->op->opcode == IOBATCH_OP_TIMEOUT;

	if (last->id != request->id || last->time_ns == 0)
		return;
	/* Or the processor wants it again. */
	if (slot->phase == SLOT_RUNNING && slot->chains[slot->current].unordered &&
	    observer->world->processor.complete && (last->result >= 0 || may_fail) && !closes)
		return;
	switch (last->result) {
	case -ECANCELED:
		break;
	case -EAGAIN:
		CHECK(!closes && (last->refused || now_of(observer) >= last->time_ns + NS_PER_MS));
		break;
	case -512: /* ERESTARTSYS, which the kernel lets out now and then */
	case -EINTR:
		CHECK(!closes &&
		      (observer_is_idempotent(request->op->opcode) || slot->phase != SLOT_RUNNING));
		break;
	default:
		CHECK(op_is(request->op, OP_MOVES_BYTES) && last->result >= 0 &&
		      op_moved(request->op) < request->op->length);
	}
}

static void add_flying(struct observer *observer, const struct flying *flying)
{
	for (unsigned i = 0; i < observer->flying_count; i++) {
		const struct flying *other = &observer->flying[i];
		const char *a, *b;

		CHECK(other->id != flying->id);
		/* In order nothing starts before the end of what is before it. */
		if (flying->op && id_number(flying->id) == id_number(other->id) &&
		    flying->sequence != other->sequence && id_kind(other->id) != ID_DELAY)
			CHECK(slot_chain(slot_of(observer, flying->id))->unordered);
		if (!flying->op || !other->op || id_number(flying->id) == id_number(other->id))
			continue;
		a = op_rest_buffer(flying->op);
		b = other->copy.buffer;
		if (op_is(flying->op, OP_MOVES_BYTES) && op_is(&other->copy, OP_MOVES_BYTES))
			CHECK(a + op_rest_length(flying->op) <= b || b + other->copy.length <= a);
	}
	CHECK(observer->flying_count < observer->flying_max);
	observer->flying[observer->flying_count++] = *flying;
}

static uint64_t holder_of(const struct executor_request *request)
{
	return 1 + (uint64_t)id_number(request->id) * FILES_MAX + (uint64_t)request->op->file;
}

static int observed_submit(struct executor *executor, const struct executor_request *requests,
                           unsigned count, uint64_t deadline_ns)
{
	struct observer *observer = (struct observer *)executor;
	const struct reaper *reaper = reaper_of(observer);
	struct slot *slot = slot_of(observer, requests[0].id);

	/* Nobody overtakes those that wait for room. */
	CHECK(!reaper->blocked.first || reaper->blocked.first == slot);
	CHECK(count == 1 || slot->phase == SLOT_RUNNING);
	for (unsigned i = 0; i < count; i++)
		check_again(observer, &requests[i]);
	/* The kernel may refuse as well. */
	if (refuses(observer, count) ||
	    observer->inner->ops->submit(observer->inner, requests, count, deadline_ns) < 0)
		return -EAGAIN;
	observer->sequences++;
	for (unsigned i = 0; i < count; i++) {
		const struct executor_request *request = &requests[i];
		struct flying flying = {.id = request->id,
		                        .op = request->op,
		                        .copy = *request->op,
		                        .fd = request->fd,
		                        .direct = request->direct,
		                        .sequence = observer->sequences,
		                        .place = i,
		                        .from_ns = now_of(observer)};
		bool named = op_is(request->op, OP_USES_FILE | OP_CLOSES_FILE);

		CHECK(count == 1 || executor->linkable[request->op->opcode]);
		if (i + 1 < count)
			check_link(observer, request->op, requests[i + 1].op);
		if (request->direct)
			CHECK(!observer->world->processor.process_files &&
			      (unsigned)request->fd < observer->files);
		else if (named && request->op->file >= 0 && request->fd != -1)
			CHECK(request->fd >= FD_FIRST &&
			      observer->holder[request->fd - FD_FIRST] == holder_of(request));
		add_flying(observer, &flying);
	}
	return 0;
}

static int observed_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct observer *observer = (struct observer *)executor;
	struct flying flying = {.id = id,
	                        .sequence = ++observer->sequences,
	                        .from_ns = now_of(observer),
	                        .due_ns = expires_ns};

	CHECK(id_kind(id) == ID_RESUME || !reaper_of(observer)->halting);
	if (id_kind(id) == ID_BACKOFF) {
		uint64_t most = policy_pause_after_ns(observer->world,
		                                      slot_attempts(slot_of(observer, id)));
		uint64_t least =
			most * (100 - observer->world->options.backoff_jitter_percent) / 100;

		CHECK(expires_ns <= now_of(observer) + most);
		/* What is left of it, behind a pause of the run. */
		CHECK(expires_ns >= now_of(observer) + least ||
		      reaper_of(observer)->control.stood_ns > 0);
	}
	if (refuses(observer, 1) ||
	    observer->inner->ops->timer(observer->inner, id, expires_ns) < 0) {
		if (id_kind(id) == ID_RESUME)
			answer_of(observer, id)->refused = true;
		return -EAGAIN;
	}
	add_flying(observer, &flying);
	return 0;
}

static int32_t note_opened(struct observer *observer, const struct flying *flying, int32_t result)
{
	unsigned place = 0;

	if (flying->direct)
		place = (unsigned)flying->fd;
	else
		place = (unsigned)(result - FD_FIRST);
	CHECK(place < observer->files && !observer->holder[place]);
	observer->holder[place] =
		1 + (uint64_t)id_number(flying->id) * FILES_MAX + (uint64_t)flying->copy.file;
	return result;
}

/* What is behind an op that has failed does not run. */
static void break_sequence(struct observer *observer, const struct flying *flying, int32_t result)
{
	for (unsigned i = 0; i < observer->flying_count; i++) {
		struct flying *other = &observer->flying[i];

		if (other->sequence == flying->sequence && other->place > flying->place)
			other->broken = true,
			other->never_began = result == -ECANCELED || result == -EBADF;
	}
}

/* A timer comes when its time has come. */
static void check_timer(const struct observer *observer, const struct flying *flying,
                        int32_t result)
{
	uint64_t now_ns = now_of(observer), due_ns = flying->due_ns;

	if (result != -ETIME)
		return;
	if (flying->op) {
		CHECK(now_ns >= flying->from_ns + flying->copy.length);
		return;
	}
	due_ns = due_ns > flying->from_ns ? due_ns : flying->from_ns;
	CHECK(now_ns >= flying->due_ns && now_ns <= due_ns + TIMER_SLACK_NS);
}

/* An op has failed, and may be why its item does. */
static void note_error(struct observer *observer, const struct flying *flying, int32_t result)
{
	uint64_t index = slot_of(observer, flying->id)->item.index;
	unsigned number = (unsigned)-result;

	if (flying->copy.flags & IOBATCH_MAY_FAIL)
		return;
	CHECK(index < observer->world->count);
	/* An item that is given up has its outcome. */
	if (number < 192)
		observer->world->records[index].errnos[number / 64] |= UINT64_C(1) << number % 64;
}

static void note_answer(struct observer *observer, const struct flying *flying, int32_t result)
{
	bool well = result >= 0 || (flying->copy.opcode == IOBATCH_OP_TIMEOUT && result == -ETIME);

	*answer_of(observer, flying->id) =
		(struct answer){.id = flying->id,
	                        .result = flying->never_began ? -ECANCELED : result,
	                        .time_ns = now_of(observer)};
	observer->world->ops++;
	/* Of a sequence that was refused one op says why, and not the first. */
	CHECK(!flying->broken || result == -ECANCELED || (flying->never_began && result == -EBADF));
	if (well)
		return;
	break_sequence(observer, flying, result);
	note_error(observer, flying, result);
}

static void note_completion(struct observer *observer, struct executor_completion *completion)
{
	struct flying flying;
	unsigned i = 0;

	while (i < observer->flying_count && observer->flying[i].id != completion->id)
		i++;
	CHECK(i < observer->flying_count);
	flying = observer->flying[i];
	observer->flying[i] = observer->flying[--observer->flying_count];
	check_timer(observer, &flying, completion->result);
	if (!flying.op)
		return;
	note_answer(observer, &flying, completion->result);
	/* Neither the engine nor anybody else has touched what was in flight. */
	CHECK(flying.op->opcode == flying.copy.opcode && flying.op->file == flying.copy.file &&
	      flying.op->buffer == flying.copy.buffer && flying.op->length == flying.copy.length &&
	      flying.op->offset == flying.copy.offset &&
	      op_moved(flying.op) == op_moved(&flying.copy));
	if (op_is(&flying.copy, OP_OPENS_FILE) && completion->result >= 0)
		completion->result = note_opened(observer, &flying, completion->result);
	if (op_is(&flying.copy, OP_CLOSES_FILE) && completion->result != -ECANCELED) {
		unsigned place = (unsigned)(flying.direct ? flying.fd : flying.fd - FD_FIRST);

		CHECK(place < observer->files && observer->holder[place]);
		observer->holder[place] = 0;
	}
}

/* What the reaper counts is what there is. */
static void check_reaper(const struct observer *observer)
{
	const struct reaper *reaper = reaper_of(observer);
	unsigned spares = 0;

	CHECK(reaper->in_flight == observer->flying_count);
	for (const struct slot *slot = reaper->spares.first; slot; slot = slot->next)
		spares++;
	CHECK(spares + reaper->aside_count == reaper->spares_count || reaper->run->halted);
	if (reaper->run->reapers_count == 1)
		CHECK(reaper->run->stuck == reaper->aside_count);
	/* Another ring counts first, and halts the run then. */
	CHECK(reaper->run->stuck <= reaper->run->options.max_stuck || reaper->run->halted ||
	      reaper->run->reapers_count > 1);
}

static int observed_wait(struct executor *executor, struct executor_completion *ret, unsigned max,
                         uint64_t until_ns)
{
	struct observer *observer = (struct observer *)executor;
	unsigned wanted = 1 + (unsigned)below(&observer->random, WANTED_MAX);
	unsigned count = 0;
	uint64_t end_ns = now_of(observer);

	end_ns = until_ns > end_ns ? until_ns : end_ns;
	check_reaper(observer);
	CHECK(++observer->waits < WAITS_MAX);
	control_look_on(observer->world, now_of(observer));
	/* Too late for this wait: as if somebody asked while it lasts. */
	control_ask(observer->world, true);
	observer->taken_count = 0;
	CHECK(max >= wanted &&
	      (observer->flying_count > 0 || reaper_of(observer)->throttle.waiting.first ||
	       reaper_of(observer)->control.on));
	while (count < wanted && (observer->flying_count > 0 || count == 0)) {
		int taken = observer->inner->ops->wait(observer->inner, &ret[count], 1, until_ns);

		CHECK(taken == 0 || taken == 1);
		if (taken == 0)
			break;
		observer->taken[observer->taken_count++] = ret[count].id;
		note_completion(observer, &ret[count++]);
	}
	CHECK(count > 0 || until_ns != UINT64_MAX);
	CHECK(now_of(observer) <= end_ns && (count > 0 || now_of(observer) >= until_ns));
	return (int)count;
}

static int observed_cancel(struct executor *executor, uint64_t id)
{
	struct observer *observer = (struct observer *)executor;
	bool found = false;

	for (unsigned i = 0; i < observer->taken_count; i++)
		found |= observer->taken[i] == id;
	for (unsigned i = 0; i < observer->flying_count; i++)
		found |= observer->flying[i].id == id;
	/* It is in flight, or was until just now; what closes and cleans up is left alone. */
	CHECK(found);
	if (id_kind(id) == ID_OP || id_kind(id) == ID_RESUME)
		CHECK(slot_of(observer, id)->phase == SLOT_RUNNING || slot_of(observer, id)->aside);
	if (one_in(&observer->random, 8))
		return -EAGAIN;
	for (unsigned i = 0; i < observer->flying_count; i++)
		observer->flying[i].asked |=
			observer->flying[i].id == id ||
			(id_kind(id) == ID_OP && id_kind(observer->flying[i].id) == ID_OP &&
		         id_number(observer->flying[i].id) == id_number(id));
	return observer->inner->ops->cancel(observer->inner, id);
}

/* Streams block: time stands still while nobody asks for it. */
static void observed_wake(struct executor *executor)
{
	(void)executor;
	CHECK(!"the simulated executor is not woken");
}

static void observed_grow(struct executor *executor, unsigned count)
{
	struct observer *observer = (struct observer *)executor;

	/* What is stuck takes no room from the others: a ring has it from the beginning. */
	observer->capacity += observer->chain_ops_max * count;
	observer->inner->ops->grow(observer->inner, count);
}

static void observed_disown(struct executor *executor, int fd)
{
	struct observer *observer = (struct observer *)executor;
	unsigned place = (unsigned)(fd - FD_FIRST);

	CHECK(fd >= FD_FIRST && place < observer->files && observer->holder[place]);
	observer->holder[place] = 0;
	observer->inner->ops->disown(observer->inner, fd);
}

static uint64_t observed_now_ns(struct executor *executor)
{
	struct observer *observer = (struct observer *)executor;

	return observer->inner->ops->now_ns(observer->inner);
}

bool observer_holds_files(const struct executor *executor, unsigned slot)
{
	const struct observer *observer = (const struct observer *)executor;

	for (unsigned i = 0; i < observer->files; i++) {
		if (observer->holder[i] && (observer->holder[i] - 1) / FILES_MAX == slot)
			return true;
	}
	return false;
}

/* Only what was asked to end is left behind, after its grace, and what belongs to it. */
static void check_left_behind(struct observer *observer)
{
	const struct world *world = observer->world;
	const struct reaper *reaper = reaper_of(observer);
	uint64_t grace_ns = world->options.stuck_grace_ms * NS_PER_MS;

	for (unsigned i = 0; i < observer->flying_count; i++) {
		const struct flying *flying = &observer->flying[i];
		const struct slot *slot = slot_of(observer, flying->id);
		unsigned before = 0;

		/*
		 * Or it has begun since all were asked for the last time, a millisecond before the
		 * end, or some more where submissions were refused.
		 */
		CHECK(slot->aside &&
		      (flying->asked || flying->from_ns + 10 * NS_PER_MS >= now_of(observer)));
		CHECK(now_of(observer) >= world->records[slot->item.index].settled_ns + grace_ns);
		while (id_number(observer->flying[before].id) != slot->number)
			before++;
		observer->world->left_behind += before == i;
	}
	for (unsigned i = 0; i < observer->files; i++) {
		if (observer->holder[i])
			CHECK(reaper->slots[(observer->holder[i] - 1) / FILES_MAX].aside);
	}
	/* Others have taken the place of buffers that are with slots which were set aside. */
	if (reaper)
		CHECK(reaper->pool.free_count + reaper->pool.missing == reaper->pool.count);
}

static void observed_free(struct executor *executor)
{
	struct observer *observer = (struct observer *)executor;

	check_left_behind(observer);
	observer->inner->ops->free(observer->inner);
	free(observer->answers);
	free(observer->holder);
	free(observer->flying);
	free(observer);
}

int __wrap_simulated_new(const struct executor_config *config, struct executor **ret_executor)
{
	static const struct executor_ops ops = {
		.submit = observed_submit,
		.timer = observed_timer,
		.cancel = observed_cancel,
		.wait = observed_wait,
		.wake = observed_wake,
		.grow = observed_grow,
		.disown = observed_disown,
		.now_ns = observed_now_ns,
		.free = observed_free,
	};
	struct observer *observer = calloc(1, sizeof(*observer));
	struct world *world = config->simulation->context;

	current_seed = world->seed;
	control_begin(world);
	CHECK(observer && __real_simulated_new(config, &observer->inner) == 0);
	observer->base = *observer->inner;
	observer->base.ops = &ops;
	observer->base.direct_files &= world->direct_files;
	observer->base.timers_link &= world->timers_link;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		observer->base.linkable[i] &= !(world->unlinkable >> i & 1);
	observer->world = world;
	observer->random = world->seed ^ config->number << 8;
	observer->flying_max = config->in_flight_max;
	observer->chain_ops_max = config->chain_ops_max;
	observer->capacity =
		config->chain_ops_max + (unsigned)below(&observer->random, config->in_flight_max);
	observer->flying = calloc(observer->flying_max, sizeof(*observer->flying));
	observer->number = config->number;
	observer->answers = calloc(config->in_flight_max, sizeof(*observer->answers));
	observer->files = config->files;
	/* Descriptors that were taken are never used again. */
	if (world->processor.process_files)
		observer->files = config->in_flight_max + TAKEN_MAX;
	observer->holder = calloc(observer->files + 1, sizeof(*observer->holder));
	CHECK(observer->flying && observer->holder && observer->answers);
	*ret_executor = &observer->base;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The observer stands between engine and simulator, in place of simulated_new(). It knows what is
 * in flight, refuses now and then for want of room, gives out descriptors as a kernel does (the
 * lowest that is free) and gathers several completions.
 */
#include "random.h"

#define FD_FIRST 1000

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
};

struct observer {
	struct executor base;
	struct executor *inner;
	struct world *world;
	uint64_t random;
	unsigned capacity, flying_count, flying_max;
	struct flying *flying;
	unsigned files;
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

static void add_flying(struct observer *observer, const struct flying *flying)
{
	for (unsigned i = 0; i < observer->flying_count; i++) {
		const struct flying *other = &observer->flying[i];
		const char *a, *b;

		CHECK(other->id != flying->id);
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

	if (refuses(observer, count))
		return -EAGAIN;
	for (unsigned i = 0; i < count; i++) {
		const struct executor_request *request = &requests[i];
		struct flying flying = {.id = request->id,
		                        .op = request->op,
		                        .copy = *request->op,
		                        .fd = request->fd,
		                        .direct = request->direct};
		bool named = op_is(request->op, OP_USES_FILE | OP_CLOSES_FILE);

		CHECK(count == 1 || executor->linkable[request->op->opcode]);
		if (request->direct)
			CHECK((unsigned)request->fd < observer->files);
		else if (named && request->op->file >= 0 && request->fd != -1)
			CHECK(request->fd >= FD_FIRST &&
			      observer->holder[request->fd - FD_FIRST] == holder_of(request));
		add_flying(observer, &flying);
	}
	CHECK(observer->inner->ops->submit(observer->inner, requests, count, deadline_ns) == 0);
	return 0;
}

static int observed_timer(struct executor *executor, uint64_t id, uint64_t expires_ns)
{
	struct observer *observer = (struct observer *)executor;
	struct flying flying = {.id = id};

	if (refuses(observer, 1))
		return -EAGAIN;
	add_flying(observer, &flying);
	CHECK(observer->inner->ops->timer(observer->inner, id, expires_ns) == 0);
	return 0;
}

static int32_t note_opened(struct observer *observer, const struct flying *flying, int32_t result)
{
	unsigned place = 0;

	if (flying->direct)
		place = (unsigned)flying->fd;
	else
		while (place < observer->files && observer->holder[place])
			place++;
	CHECK(place < observer->files && !observer->holder[place]);
	observer->holder[place] =
		1 + (uint64_t)id_number(flying->id) * FILES_MAX + (uint64_t)flying->copy.file;
	return flying->direct ? result : FD_FIRST + (int32_t)place;
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
	if (!flying.op)
		return;
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

static int observed_wait(struct executor *executor, struct executor_completion *ret, unsigned max)
{
	struct observer *observer = (struct observer *)executor;
	unsigned wanted = 1 + (unsigned)below(&observer->random, 4), count = 0;

	CHECK(observer->flying_count > 0 && max >= wanted);
	while (count < wanted && observer->flying_count > 0) {
		CHECK(observer->inner->ops->wait(observer->inner, &ret[count], 1) == 1);
		note_completion(observer, &ret[count++]);
	}
	return (int)count;
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

static void observed_free(struct executor *executor)
{
	struct observer *observer = (struct observer *)executor;

	CHECK(observer->flying_count == 0);
	for (unsigned i = 0; i < observer->files; i++)
		CHECK(observer->holder[i] == 0);
	observer->inner->ops->free(observer->inner);
	free(observer->holder);
	free(observer->flying);
	free(observer);
}

int __wrap_simulated_new(const struct executor_config *config, struct executor **ret_executor)
{
	static const struct executor_ops ops = {
		.name = "observed",
		.submit = observed_submit,
		.timer = observed_timer,
		.wait = observed_wait,
		.now_ns = observed_now_ns,
		.free = observed_free,
	};
	struct observer *observer = calloc(1, sizeof(*observer));
	struct world *world = config->simulation->context;

	current_seed = world->seed;
	CHECK(observer && __real_simulated_new(config, &observer->inner) == 0);
	observer->base = *observer->inner;
	observer->base.ops = &ops;
	observer->base.direct_files = world->direct_files;
	observer->base.timers_link = world->timers_link;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		observer->base.linkable[i] &= !(world->unlinkable >> i & 1);
	observer->world = world;
	observer->random = world->seed ^ config->number << 8;
	observer->flying_max = config->in_flight_max;
	observer->capacity =
		config->chain_ops_max + (unsigned)below(&observer->random, config->in_flight_max);
	observer->flying = calloc(observer->flying_max, sizeof(*observer->flying));
	observer->files = config->files;
	observer->holder = calloc(config->files + 1, sizeof(*observer->holder));
	CHECK(observer->flying && observer->holder);
	*ret_executor = &observer->base;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The simulated executor: the ring's own code on a kernel of our own, which answers from a seed and
 * a script on a virtual clock that jumps to what happens next. So what is proved on it is proved of
 * the ring: how it fills its queue, what it makes of completions in any order, of submissions that
 * fail or are cut, and of features that older kernels do not have.
 *
 * The same seed and the same submissions give the same run.
 */
#include <errno.h>
#include <stdlib.h>

#include "executor/ring.h"
#include "executor/simulated.h"

#define CLOCK_START_NS UINT64_C(1000000000)

/* The kernel's limits for one ring. */
#define SQ_ENTRIES_MAX 32768u
#define CQ_ENTRIES_MAX 65536u
#define FILES_MAX (1u << 20)

static struct simulated *simulated_of(struct kernel *kernel)
{
	return (struct simulated *)kernel;
}

static int allocate(struct simulated *kernel, unsigned entries, unsigned cq_entries)
{
	/* As many as post into both queues twice over: the kernel's own memory is not the limit. */
	unsigned requests = 2 * (entries + cq_entries);

	kernel->requests_max = requests;
	kernel->overflow_max = requests;
	kernel->by_id_mask = ring_power_of_two(requests, 1, 1u << 31) - 1;
	kernel->sqes = calloc(entries, sizeof(*kernel->sqes));
	kernel->cqes = calloc(cq_entries, sizeof(*kernel->cqes));
	kernel->overflow = calloc(requests, sizeof(*kernel->overflow));
	kernel->requests = calloc(requests, sizeof(*kernel->requests));
	kernel->events = calloc(requests, sizeof(*kernel->events));
	kernel->by_id = calloc(kernel->by_id_mask + 1, sizeof(*kernel->by_id));
	return kernel->sqes && kernel->cqes && kernel->overflow && kernel->requests &&
	                       kernel->events && kernel->by_id
	               ? 0
	               : -ENOMEM;
}

static int simulated_set_up(struct kernel *base, struct io_uring *uring, unsigned entries,
                            struct io_uring_params *params)
{
	struct simulated *kernel = simulated_of(base);
	unsigned modern = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
	                  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
	                  IORING_SETUP_TASKRUN_FLAG;
	unsigned cq_entries = ring_power_of_two(params->cq_entries, 1, CQ_ENTRIES_MAX);

	if (kernel->script.without & IOBATCH_WITHOUT_SUBMIT_ALL && params->flags & modern)
		return -EINVAL;
	entries = ring_power_of_two(entries, 1, SQ_ENTRIES_MAX);
	if (allocate(kernel, entries, cq_entries) < 0)
		return -ENOMEM;
	kernel->submit_all = params->flags & IORING_SETUP_SUBMIT_ALL;
	uring->flags = params->flags;
	uring->features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG;
	if (!(kernel->script.without & IOBATCH_WITHOUT_CQE_SKIP))
		uring->features |= IORING_FEAT_CQE_SKIP;
	uring->ring_fd = uring->enter_ring_fd = -1;
	uring->sq.khead = &kernel->sq_head;
	uring->sq.ktail = &kernel->sq_tail;
	uring->sq.kflags = &kernel->sq_flags;
	uring->sq.sqes = kernel->sqes;
	uring->sq.ring_entries = entries;
	uring->sq.ring_mask = entries - 1;
	uring->cq.khead = &kernel->cq_head;
	uring->cq.ktail = &kernel->cq_tail;
	uring->cq.cqes = kernel->cqes;
	uring->cq.ring_entries = cq_entries;
	uring->cq.ring_mask = cq_entries - 1;
	base->uring = uring;
	return 0;
}

static int simulated_probe(struct kernel *base, bool *ret_has, unsigned count)
{
	(void)base;
	for (unsigned i = 0; i < count; i++)
		ret_has[i] = true;
	return 0;
}

/* How many SQEs this submission takes, or why it takes none: mostly all of them. */
static int draw_submission(struct simulated *kernel, unsigned to_submit)
{
	static const int errors[] = {EAGAIN, EBUSY, EINTR};

	if (to_submit == 0 || !simulated_happens(kernel, kernel->script.submit_permille))
		return (int)to_submit;
	switch (simulated_random(kernel) % 2) {
	case 0:
		return -errors[simulated_random(kernel) % 3];
	default:
		return (int)(1 + simulated_random(kernel) % to_submit);
	}
}

static unsigned take(struct simulated *kernel, unsigned to_submit)
{
	unsigned taken = 0, mask = kernel->base.uring->sq.ring_mask;
	bool more = true;

	while (more && taken < to_submit && kernel->sq_head != kernel->sq_tail) {
		unsigned head = kernel->sq_head;

		more = simulated_take(kernel, head & mask);
		taken += kernel->sq_head - head;
	}
	simulated_take_end(kernel);
	return taken;
}

static int wait(struct simulated *kernel, uint64_t until_ns)
{
	simulated_flush(kernel);
	while (kernel->cq_tail == kernel->cq_head) {
		uint64_t next_ns =
			kernel->events_count > 0 ? kernel->events[0]->time_ns : UINT64_MAX;

		if (next_ns > until_ns || next_ns == UINT64_MAX) {
			if (until_ns == UINT64_MAX) {
				kernel->broken = true;
				return -EDEADLK;
			}
			if (kernel->now_ns < until_ns)
				kernel->now_ns = until_ns;
			return -ETIME;
		}
		kernel->now_ns = next_ns;
		simulated_run_due(kernel);
	}
	return 0;
}

static int simulated_enter(struct kernel *base, unsigned to_submit, bool waits, uint64_t until_ns)
{
	struct simulated *kernel = simulated_of(base);
	int wanted = draw_submission(kernel, to_submit);
	unsigned taken;
	int result = 0;

	if (wanted < 0)
		return wanted;
	taken = take(kernel, (unsigned)wanted);
	simulated_run_due(kernel);
	if (waits && taken == to_submit)
		result = wait(kernel, until_ns);
	return taken > 0 ? (int)taken : result;
}

static int simulated_register_files(struct kernel *base, unsigned count)
{
	struct simulated *kernel = simulated_of(base);

	if (kernel->script.without & IOBATCH_WITHOUT_DIRECT_FILES)
		return -EINVAL;
	if (count > FILES_MAX)
		return -EMFILE;
	kernel->direct = calloc(count, sizeof(*kernel->direct));
	if (!kernel->direct)
		return -ENOMEM;
	kernel->direct_count = count;
	return 0;
}

/* The memory is the same, registered or not. */
static int simulated_register_buffers(struct kernel *base, const struct iovec *iovecs,
                                      unsigned count)
{
	(void)base;
	(void)iovecs;
	(void)count;
	return 0;
}

/*
 * One limit: all ops of workers that there are belong to the bounded class. What waits is not begun
 * by a limit that is raised: the next op that goes to a worker does that.
 */
static int simulated_limit_workers(struct kernel *base, unsigned workers[2])
{
	struct simulated *kernel = simulated_of(base);
	unsigned before = kernel->workers_max;

	if (workers[0] > 0)
		kernel->workers_max = workers[0];
	workers[0] = workers[1] = before == UINT32_MAX ? 0 : before;
	return 0;
}

static int simulated_make_call(struct kernel *base, const struct executor_request *request)
{
	return simulated_call(simulated_of(base), request);
}

static void simulated_disown(struct kernel *base, int fd)
{
	simulated_file_disown(simulated_of(base), fd);
}

static uint64_t simulated_now_ns(struct kernel *base)
{
	return simulated_of(base)->now_ns;
}

static void simulated_exit(struct kernel *base)
{
	struct simulated *kernel = simulated_of(base);

	if (base->uring)
		simulated_check_exit(kernel);
	free(kernel->direct);
	free(kernel->files);
	free(kernel->by_id);
	free(kernel->events);
	free(kernel->requests);
	free(kernel->overflow);
	free(kernel->cqes);
	free(kernel->sqes);
	free(kernel);
}

int simulated_new(const struct executor_config *config, struct executor **ret_executor)
{
	static const struct kernel_ops ops = {
		.set_up = simulated_set_up,
		.probe = simulated_probe,
		.enter = simulated_enter,
		.register_files = simulated_register_files,
		.register_buffers = simulated_register_buffers,
		.limit_workers = simulated_limit_workers,
		.call = simulated_make_call,
		.disown = simulated_disown,
		.now_ns = simulated_now_ns,
		.exit = simulated_exit,
	};
	struct simulated *kernel = calloc(1, sizeof(*kernel));
	int result;

	if (!kernel)
		return -ENOMEM;
	kernel->base.ops = &ops;
	if (config->simulation)
		kernel->script = *config->simulation;
	kernel->random = kernel->script.seed + config->number;
	/* As on any machine that runs, the clock is never 0, which stands for no time at all. */
	kernel->now_ns = CLOCK_START_NS;
	kernel->chain_ops_max = config->chain_ops_max;
	kernel->workers_max = UINT32_MAX;
	kernel->waiting_last = &kernel->waiting;
	result = ring_new_on(&kernel->base, "simulated", config, ret_executor);
	if (result < 0)
		return result;
	kernel->notes = ((struct ring *)*ret_executor)->notes;
	return 0;
}

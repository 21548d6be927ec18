/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS (UINT64_C(20000) * NS_PER_MS)

uint64_t pool_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static void count_message(void *context, enum iobatch_log_level level, const char *message)
{
	struct pool *pool = context;

	assert_int_equal(level, IOBATCH_LOG_WARNING);
	assert_non_null(message);
	pool->warnings++;
}

struct workers_config pool_config(struct pool *pool)
{
	return (struct workers_config){
		.threads = 2,
		.ops_max = POOL_OPS_MAX,
		.files = 8,
		.event_fd = -1,
		.log = count_message,
		.log_context = pool,
	};
}

void pool_init(struct pool *pool, const struct workers_config *config)
{
	memset(pool, 0, sizeof(*pool));
	for (unsigned i = 0; i < POOL_OPS_MAX; i++)
		pool->results[i] = NO_RESULT;
	assert_int_equal(pipe(pool->silent), 0);
	assert_int_equal(pipe(pool->started), 0);
	assert_int_equal(workers_new(config, &pool->workers), 0);
}

void pool_deinit(struct pool *pool)
{
	workers_free(pool->workers);
	for (unsigned i = 0; i < 2; i++) {
		close(pool->silent[i]);
		close(pool->started[i]);
	}
}

struct executor_request pool_request(struct pool *pool, struct iobatch_op op)
{
	unsigned number = pool->count++;

	assert_true(number < POOL_OPS_MAX);
	pool->ops[number] = op;
	return (struct executor_request){
		.op = &pool->ops[number],
		.id = number,
		.fd = IOBATCH_FD(op.file),
		.fd2 = IOBATCH_FD(op.file2),
	};
}

struct executor_request pool_direct(struct pool *pool, struct iobatch_op op)
{
	struct executor_request request = pool_request(pool, op);

	request.fd = op.file;
	request.direct = true;
	return request;
}

void pool_submit(struct pool *pool, const struct executor_request *requests, unsigned count,
                 uint64_t deadline_ns)
{
	assert_int_equal(workers_submit(pool->workers, requests, count, deadline_ns), 0);
}

uint64_t pool_submit_op(struct pool *pool, struct iobatch_op op)
{
	struct executor_request request = pool_request(pool, op);

	pool_submit(pool, &request, 1, 0);
	return request.id;
}

void pool_wait(struct pool *pool, unsigned count)
{
	uint64_t until_ns = pool_now_ns() + PATIENCE_NS;

	while (pool->done < count) {
		struct executor_completion completions[8];
		unsigned taken = workers_wait(pool->workers, completions, 8, until_ns);

		assert_true(taken > 0);
		for (unsigned i = 0; i < taken; i++) {
			assert_true(completions[i].id < pool->count);
			assert_int_equal(pool->results[completions[i].id], NO_RESULT);
			pool->results[completions[i].id] = completions[i].result;
			pool->order[pool->done++] = completions[i].id;
		}
	}
	assert_int_equal(pool->done, count);
}

/* Is one of the threads in this system call? */
static bool somebody_is_in(long wanted)
{
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *task;
	bool found = false;

	assert_non_null(directory);
	while (!found && (task = readdir(directory))) {
		char name[64];
		long number;
		FILE *file;

		snprintf(name, sizeof(name), "/proc/self/task/%.20s/syscall", task->d_name);
		file = fopen(name, "re");
		if (!file)
			continue;
		/* Of a thread that runs it says just that. */
		found = fscanf(file, "%ld", &number) == 1 && number == wanted;
		fclose(file);
	}
	closedir(directory);
	return found;
}

void pool_wait_for_call(long number)
{
	const struct timespec moment = {.tv_nsec = NS_PER_MS / 10};

	/* Where the kernel does not tell, the time that this takes must do. */
	for (unsigned i = 0; i < 1000 && !somebody_is_in(number); i++)
		nanosleep(&moment, NULL);
}

uint64_t pool_hang(struct pool *pool)
{
	const struct executor_request requests[] = {
		pool_request(pool,
	                     iobatch_op_write(IOBATCH_FD(pool->started[1]), "s", 1, UINT64_MAX)),
		pool_request(pool, iobatch_op_read(IOBATCH_FD(pool->silent[0]), pool->buffer, 1,
	                                           UINT64_MAX)),
	};
	char byte;

	pool_submit(pool, requests, 2, 0);
	workers_flush(pool->workers);
	assert_int_equal(read(pool->started[0], &byte, 1), 1);
	pool_wait_for_call(SYS_preadv2);
	return requests[1].id;
}

void pool_answer(struct pool *pool)
{
	assert_int_equal(write(pool->silent[1], "x", 1), 1);
}

unsigned pool_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

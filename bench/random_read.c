/* SPDX-License-Identifier: MIT */
/*
 * Can the disk be driven as hard as fio drives it, for no more CPU? Random 4 KiB reads with
 * O_DIRECT of a file of random data, by iobatch (a range source and the read processor), by fio
 * with its io_uring engine at the same depth, by the same fio with submissions in batches, by a
 * loop of liburing written by hand, and by a pool of threads that call pread(). All in turn,
 * `READS` each, so that a disk that slows down does so for everybody.
 *
 * Figures are of the reading alone: fio tells its own, the others are taken here around the loop.
 *
 *     random_read DIRECTORY [REPETITIONS [DEPTH [READS [BATCH_SIZE]]]]
 *
 * The file (1 GiB) is made in DIRECTORY and removed at the end. Without fio its part is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <iobatch.h>
#include <jansson.h>
#include <liburing.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure.h"

#define BLOCK 4096u
#define FILE_SIZE (1ull << 30)
#define BLOCKS (FILE_SIZE / BLOCK)

struct load {
	char path[PATH_MAX];
	unsigned depth;
	uint32_t batch_size;
	uint64_t reads;
	uint64_t seed; /* another one for each repetition */
};

/* What a run of one subject came to. */
struct figures {
	double iops;
	double cpu_us; /* user and system, per read */
};

/* A small generator of our own: what it costs is nothing beside a read. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static double own_cpu_us(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		measure_fail("getrusage", errno);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct figures figures_of(uint64_t reads, uint64_t start_ns, double start_cpu_us)
{
	struct figures figures = {
		.cpu_us = (own_cpu_us() - start_cpu_us) / (double)reads,
		.iops = (double)reads * 1e9 / (double)(measure_now_ns() - start_ns),
	};

	return figures;
}

static void *allocate_blocks(unsigned count)
{
	void *memory;

	if (posix_memalign(&memory, BLOCK, (size_t)count * BLOCK))
		measure_fail("buffers", ENOMEM);
	return memory;
}

static int open_direct(const struct load *load)
{
	int fd = open(load->path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		measure_fail(load->path, errno);
	return fd;
}

static struct figures run_iobatch(const struct load *load)
{
	struct iobatch_range_options range = IOBATCH_RANGE_OPTIONS_INIT;
	struct iobatch_read_options read_options = IOBATCH_READ_OPTIONS_INIT;
	struct iobatch_options options = IOBATCH_OPTIONS_INIT;
	struct iobatch_result result = IOBATCH_RESULT_INIT;
	struct iobatch_processor *processor = NULL;
	struct iobatch_source *source = NULL;
	struct iobatch_items items;
	struct figures figures;
	uint64_t start_ns;
	double start_cpu_us;
	int error;

	range.path = load->path;
	range.block_size = BLOCK;
	range.count = load->reads;
	range.order = IOBATCH_ORDER_RANDOM;
	range.direct = 1;
	range.seed = load->seed;
	error = iobatch_source_range(&range, &source);
	if (error)
		measure_fail("iobatch_source_range", error);

	read_options.block_size = BLOCK;
	read_options.depth = 1;
	read_options.direct = 1;
	error = iobatch_read_new(&read_options, &processor);
	if (error)
		measure_fail("iobatch_read_new", error);

	options.batch_size = load->batch_size;
	options.max_concurrent = load->depth / load->batch_size;
	items = iobatch_source_items(source);

	start_cpu_us = own_cpu_us();
	start_ns = measure_now_ns();
	error = iobatch_run(&items, processor, &options, &result);
	figures = figures_of(load->reads, start_ns, start_cpu_us);
	if (error)
		measure_fail(result.message, error);
	if (result.successful != load->reads || result.bytes != load->reads * BLOCK)
		measure_fail("reads of iobatch failed", EIO);

	iobatch_result_deinit(&result);
	iobatch_processor_free(processor);
	iobatch_source_free(source);
	return figures;
}

static struct figures run_loop(const struct load *load)
{
	char *buffers = allocate_blocks(load->depth);
	unsigned *idle = calloc(load->depth, sizeof(*idle));
	unsigned idle_count = load->depth;
	int fd = open_direct(load);
	uint64_t random = load->seed;
	uint64_t started = 0;
	uint64_t completed = 0;
	struct figures figures;
	struct io_uring ring;
	uint64_t start_ns;
	double start_cpu_us;
	int result;

	if (!idle)
		measure_fail("buffers", ENOMEM);
	for (unsigned i = 0; i < load->depth; i++)
		idle[i] = i;

	start_cpu_us = own_cpu_us();
	start_ns = measure_now_ns();
	result = io_uring_queue_init(load->depth, &ring, 0);
	if (result < 0)
		measure_fail("io_uring_queue_init", result);
	while (completed < load->reads) {
		struct io_uring_cqe *cqe;
		unsigned seen = 0;
		unsigned head;

		while (idle_count && started < load->reads) {
			unsigned buffer = idle[--idle_count];
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			if (!sqe)
				measure_fail("the loop's submission queue", ENOSPC);
			io_uring_prep_read(sqe, fd, buffers + (size_t)buffer * BLOCK, BLOCK,
			                   next_random(&random) % BLOCKS * BLOCK);
			io_uring_sqe_set_data64(sqe, buffer);
			started++;
		}
		result = io_uring_submit_and_wait(&ring, 1);
		if (result < 0)
			measure_fail("io_uring_submit_and_wait", result);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			if (cqe->res != (int)BLOCK)
				measure_fail("a read of the loop", cqe->res < 0 ? cqe->res : EIO);
			idle[idle_count++] = (unsigned)cqe->user_data;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		completed += seen;
	}
	io_uring_queue_exit(&ring);
	figures = figures_of(load->reads, start_ns, start_cpu_us);

	close(fd);
	free(idle);
	free(buffers);
	return figures;
}

struct pool {
	const struct load *load;
	atomic_uint_fast64_t taken;
	int fd;
};

static void *pool_thread(void *argument)
{
	struct pool *pool = argument;
	char *buffer = allocate_blocks(1);
	uint64_t random = pool->load->seed ^ (uint64_t)(uintptr_t)buffer;

	while (atomic_fetch_add(&pool->taken, 1) < pool->load->reads) {
		off_t offset = (off_t)(next_random(&random) % BLOCKS * BLOCK);

		if (pread(pool->fd, buffer, BLOCK, offset) != (ssize_t)BLOCK)
			measure_fail("pread", errno);
	}
	free(buffer);
	return NULL;
}

static struct figures run_pool(const struct load *load)
{
	struct pool pool = {.load = load, .fd = open_direct(load)};
	pthread_t *threads = calloc(load->depth, sizeof(*threads));
	struct figures figures;
	uint64_t start_ns;
	double start_cpu_us;

	if (!threads)
		measure_fail("threads", ENOMEM);
	start_cpu_us = own_cpu_us();
	start_ns = measure_now_ns();
	for (unsigned i = 0; i < load->depth; i++) {
		int error = pthread_create(&threads[i], NULL, pool_thread, &pool);

		if (error)
			measure_fail("pthread_create", error);
	}
	for (unsigned i = 0; i < load->depth; i++)
		pthread_join(threads[i], NULL);
	figures = figures_of(load->reads, start_ns, start_cpu_us);

	free(threads);
	close(pool.fd);
	return figures;
}

static struct figures run_fio(const struct load *load, bool in_batches)
{
	char filename[PATH_MAX + 16];
	char iodepth[64];
	char io_size[64];
	char seed[64];
	const char *arguments[] = {"fio",
	                           "--name=random_read",
	                           filename,
	                           iodepth,
	                           io_size,
	                           seed,
	                           "--ioengine=io_uring",
	                           "--direct=1",
	                           "--rw=randread",
	                           "--bs=4k",
	                           "--size=1g",
	                           "--norandommap",
	                           "--fixedbufs=0",
	                           "--registerfiles=0",
	                           "--gtod_reduce=1",
	                           "--output-format=json",
	                           in_batches ? "--iodepth_batch_submit=64" : NULL,
	                           "--iodepth_batch_complete_min=1",
	                           "--iodepth_batch_complete_max=64",
	                           NULL};
	double iops, user_percent, system_percent, runtime_ms;
	struct figures figures;
	json_error_t json_error;
	json_t *report;
	FILE *output = tmpfile();

	if (!output)
		measure_fail("tmpfile", errno);
	snprintf(filename, sizeof(filename), "--filename=%s", load->path);
	snprintf(iodepth, sizeof(iodepth), "--iodepth=%u", load->depth);
	snprintf(io_size, sizeof(io_size), "--io_size=%llu",
	         (unsigned long long)(load->reads * BLOCK));
	snprintf(seed, sizeof(seed), "--randseed=%llu", (unsigned long long)load->seed);

	measure_command(arguments, fileno(output));
	rewind(output);
	report = json_loadf(output, 0, &json_error);
	fclose(output);
	if (!report || json_unpack(report, "{s:[{s:F,s:F,s:{s:F,s:F}}]}", "jobs", "usr_cpu",
	                           &user_percent, "sys_cpu", &system_percent, "read", "iops", &iops,
	                           "runtime", &runtime_ms) < 0)
		measure_fail("fio's report", EPROTO);
	json_decref(report);

	figures.iops = iops;
	figures.cpu_us =
		(user_percent + system_percent) / 100 * runtime_ms * 1000 / (double)load->reads;
	return figures;
}

static bool have_fio(void)
{
	return system("fio --version >/dev/null 2>&1") == 0;
}

static void write_file(int fd)
{
	uint64_t *chunk = allocate_blocks(256);
	size_t size = 256 * BLOCK;
	uint64_t random = 88172645463325252u;

	for (uint64_t written = 0; written < FILE_SIZE; written += size) {
		for (size_t i = 0; i < size / sizeof(*chunk); i++)
			chunk[i] = next_random(&random);
		if (write(fd, chunk, size) != (ssize_t)size)
			measure_fail("the file of random data", errno ? errno : EIO);
	}
	if (fsync(fd) < 0)
		measure_fail("fsync", errno);
	free(chunk);
}

static char file_to_remove[PATH_MAX];

static void remove_file(void)
{
	unlink(file_to_remove);
}

enum subject {
	OURS,
	FIO,
	FIO_BATCHED,
	LOOP,
	POOL,
	SUBJECTS
};

static struct figures run_subject(enum subject subject, const struct load *load)
{
	switch (subject) {
	case OURS:
		return run_iobatch(load);
	case FIO:
		return run_fio(load, false);
	case FIO_BATCHED:
		return run_fio(load, true);
	case LOOP:
		return run_loop(load);
	default:
		return run_pool(load);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[SUBJECTS] = {"iobatch", "fio", "fio in batches",
	                                            "liburing loop", "pread threads"};
	struct load load = {.depth = 128, .reads = 300000, .batch_size = 1};
	struct series iops[SUBJECTS] = {0};
	struct series cpu[SUBJECTS] = {0};
	unsigned repetitions = 7;
	bool fio = have_fio();
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: random_read DIRECTORY [REPETITIONS [DEPTH [READS "
		                "[BATCH_SIZE]]]]\n");
		return 2;
	}
	if (argc > 2)
		repetitions = measure_repetitions(argv[2]);
	if (argc > 3)
		load.depth = (unsigned)measure_count(argv[3]);
	if (argc > 4)
		load.reads = measure_count(argv[4]);
	if (argc > 5)
		load.batch_size = (uint32_t)measure_count(argv[5]);
	if (load.depth > 4096 || load.batch_size > load.depth || load.depth % load.batch_size)
		measure_fail("depth and batch size", EINVAL);

	if (snprintf(load.path, sizeof(load.path), "%s/iobatch-random-read-XXXXXX", argv[1]) >=
	    (int)sizeof(load.path))
		measure_fail(argv[1], ENAMETOOLONG);
	fd = mkostemp(load.path, O_CLOEXEC);
	if (fd < 0)
		measure_fail(load.path, errno);
	memcpy(file_to_remove, load.path, sizeof(file_to_remove));
	atexit(remove_file);
	write_file(fd);
	close(fd);

	for (unsigned i = 0; i < repetitions; i++) {
		load.seed = i + 1;
		for (unsigned j = 0; j < SUBJECTS; j++) {
			/* Each goes first in its turn. */
			enum subject subject = (i + j) % SUBJECTS;
			struct figures figures;

			if (!fio && (subject == FIO || subject == FIO_BATCHED))
				continue;
			figures = run_subject(subject, &load);
			series_add(&iops[subject], figures.iops);
			series_add(&cpu[subject], figures.cpu_us);
		}
	}

	printf("random 4 KiB reads, O_DIRECT, depth %u (batches of %u), %llu reads\n", load.depth,
	       load.batch_size, (unsigned long long)load.reads);
	if (!fio)
		printf("  fio is not installed: its part is left out\n");
	for (unsigned i = 0; i < SUBJECTS; i++) {
		iops[i].name = cpu[i].name = names[i];
		iops[i].unit = "reads/s";
		cpu[i].unit = "us of CPU/read";
		if (iops[i].count) {
			series_print(&iops[i]);
			series_print(&cpu[i]);
		}
	}
	for (unsigned i = FIO; i < SUBJECTS; i++) {
		bool judged = i == FIO || i == FIO_BATCHED;

		if (!iops[i].count)
			continue;
		printf("  reads/s: ");
		series_print_ratio(&iops[OURS], &iops[i], judged ? 1.0 : 0, true);
		printf("  CPU/read: ");
		series_print_ratio(&cpu[OURS], &cpu[i], judged ? 1.0 : 0, false);
	}
	return 0;
}

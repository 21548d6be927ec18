/* SPDX-License-Identifier: MIT */
/*
 * What the op table says about links is what this kernel does: each op of the ring is made to fail
 * with a nop linked behind it, and the nop is cancelled exactly when the table says so. The failure
 * is one of the op itself, not of its set-up, which would break any link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/op.h"

#define OP_ID 1
#define NOP_ID 2
#define CANCEL_ID 3

/* A nop can fail on demand on newer kernels only; the headers may be older. */
#define NOP_INJECT_RESULT 1u

struct facts {
	struct io_uring ring;
	int error;     /* why there is no ring */
	int full;      /* /dev/full: writes fail with ENOSPC */
	int directory; /* reads fail with EISDIR */
	int pipe[2];   /* what is about a range or about durability fails */
	char data[16];
	struct statx statx;
	bool seen[IOBATCH_OP_COUNT]; /* ops that were made to fail */
};

static int set_up(void **state)
{
	static struct facts facts;

	facts.error = io_uring_queue_init(8, &facts.ring, 0);
	facts.full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	facts.directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &facts;
	return facts.full < 0 || facts.directory < 0 || pipe(facts.pipe) < 0;
}

static int tear_down(void **state)
{
	struct facts *facts = *state;

	if (facts->error == 0)
		io_uring_queue_exit(&facts->ring);
	close(facts->full);
	close(facts->directory);
	close(facts->pipe[0]);
	close(facts->pipe[1]);
	return 0;
}

static void need_ring(const struct facts *facts)
{
	if (facts->error == 0)
		return;
	print_message("io_uring cannot be used here: %s\n", strerror(-facts->error));
	skip();
}

/* Waits for `count` completions and gives back the results of the op and of the nop. */
static void collect(struct facts *facts, unsigned count, int *ret_op, int *ret_nop)
{
	while (count-- > 0) {
		struct io_uring_cqe *cqe;

		assert_int_equal(io_uring_wait_cqe(&facts->ring, &cqe), 0);
		if (cqe->user_data == OP_ID)
			*ret_op = cqe->res;
		else if (cqe->user_data == NOP_ID)
			*ret_nop = cqe->res;
		io_uring_cqe_seen(&facts->ring, cqe);
	}
}

/* The op's SQE, linked to what is added next. */
static struct io_uring_sqe *link_op(struct facts *facts, const struct iobatch_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&facts->ring);

	assert_non_null(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = OP_ID;
	facts->seen[op->opcode] = true;
	return sqe;
}

static void add_nop(struct facts *facts)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&facts->ring);

	assert_non_null(sqe);
	io_uring_prep_nop(sqe);
	sqe->user_data = NOP_ID;
}

/* Runs an op that must fail with `error`, and compares what becomes of the nop behind it. */
static void check_fact(struct facts *facts, struct iobatch_op op, int fd, int error)
{
	const struct op_row *row = op_row(&op);
	struct io_uring_sqe *sqe = link_op(facts, &op);
	int op_result = 0, nop_result = 0;

	row->prepare(sqe, &op, fd);
	sqe->flags = IOSQE_IO_LINK;
	add_nop(facts);
	assert_int_equal(io_uring_submit(&facts->ring), 2);
	collect(facts, 2, &op_result, &nop_result);
	if (op_result != -error || nop_result != (row->facts & OP_BREAKS_LINK ? -ECANCELED : 0))
		print_error("%s: result %d, the nop's %d\n", row->info.name, op_result, nop_result);
	assert_int_equal(op_result, -error);
	assert_int_equal(nop_result, row->facts & OP_BREAKS_LINK ? -ECANCELED : 0);
}

static void failures_on_paths_break_links_as_the_table_says(void **state)
{
	static const char missing[] = "/nonexistent/name";
	struct facts *facts = *state;
	const struct iobatch_op ops[] = {
		iobatch_op_openat(0, AT_FDCWD, missing, O_RDONLY, 0),
		iobatch_op_openat2(0, AT_FDCWD, missing, O_RDONLY, 0, 0),
		iobatch_op_statx(AT_FDCWD, missing, 0, STATX_BASIC_STATS, &facts->statx),
		iobatch_op_renameat(AT_FDCWD, missing, AT_FDCWD, missing, 0),
		iobatch_op_unlinkat(AT_FDCWD, missing, 0),
		iobatch_op_mkdirat(AT_FDCWD, missing, 0777),
		iobatch_op_symlinkat("target", AT_FDCWD, missing),
		iobatch_op_linkat(AT_FDCWD, missing, AT_FDCWD, missing, 0),
	};

	need_ring(facts);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		check_fact(facts, ops[i], -1, ENOENT);
}

static void failures_on_files_break_links_as_the_table_says(void **state)
{
	struct facts *facts = *state;

	need_ring(facts);
	check_fact(facts, iobatch_op_close(0), 1 << 20, EBADF);
	check_fact(facts, iobatch_op_read(0, facts->data, sizeof(facts->data), 0), facts->directory,
	           EISDIR);
	check_fact(facts, iobatch_op_write(0, facts->data, sizeof(facts->data), 0), facts->full,
	           ENOSPC);
	check_fact(facts, iobatch_op_fsync(0), facts->pipe[1], EINVAL);
	check_fact(facts, iobatch_op_fdatasync(0), facts->pipe[1], EINVAL);
	check_fact(facts, iobatch_op_fallocate(0, 0, 0, 1), facts->pipe[1], ESPIPE);
	check_fact(facts, iobatch_op_fadvise(0, 0, 1, POSIX_FADV_NORMAL), facts->pipe[0], ESPIPE);
	check_fact(facts, iobatch_op_fstatx(0, STATX__RESERVED, &facts->statx), facts->pipe[0],
	           EINVAL);
}

static void a_failed_ftruncate_breaks_links_as_the_table_says(void **state)
{
	struct facts *facts = *state;
	const struct iobatch_op op = iobatch_op_ftruncate(0, 1);
	struct io_uring_probe *probe;
	bool known;

	need_ring(facts);
	facts->seen[op.opcode] = true;
	probe = io_uring_get_probe_ring(&facts->ring);
	known = probe && io_uring_opcode_supported(probe, op_row(&op)->ring_opcode);
	io_uring_free_probe(probe);
	if (!known) {
		print_message("this kernel's ring has no ftruncate\n");
		skip();
	}
	check_fact(facts, op, facts->pipe[1], EINVAL);
}

static void a_short_read_breaks_a_link(void **state)
{
	struct facts *facts = *state;
	struct iobatch_op op = iobatch_op_read(0, facts->data, sizeof(facts->data), 0);
	struct io_uring_sqe *sqe;
	int op_result = 0, nop_result = 0;

	need_ring(facts);
	assert_int_equal(write(facts->pipe[1], "abc", 3), 3);
	sqe = link_op(facts, &op);
	op_row(&op)->prepare(sqe, &op, facts->pipe[0]);
	sqe->flags = IOSQE_IO_LINK;
	add_nop(facts);
	assert_int_equal(io_uring_submit(&facts->ring), 2);
	collect(facts, 2, &op_result, &nop_result);
	assert_int_equal(op_result, 3);
	assert_int_equal(nop_result, -ECANCELED);
}

static void a_nop_that_fails_breaks_a_link(void **state)
{
	struct facts *facts = *state;
	struct iobatch_op op = iobatch_op_nop();
	struct io_uring_sqe *sqe;
	int op_result = 0, nop_result = 0;

	need_ring(facts);
	sqe = link_op(facts, &op);
	op_row(&op)->prepare(sqe, &op, -1);
	sqe->flags = IOSQE_IO_LINK;
	sqe->rw_flags = NOP_INJECT_RESULT;
	sqe->len = (__u32)-EIO;
	add_nop(facts);
	assert_int_equal(io_uring_submit(&facts->ring), 2);
	collect(facts, 2, &op_result, &nop_result);
	if (op_result != -EIO) {
		print_message("a nop cannot be made to fail on this kernel\n");
		skip();
	}
	assert_true(op_row(&op)->facts & OP_BREAKS_LINK);
	assert_int_equal(nop_result, -ECANCELED);
}

static void a_timer_that_is_cancelled_breaks_a_link(void **state)
{
	struct facts *facts = *state;
	struct iobatch_op op = iobatch_op_timeout(0);
	struct __kernel_timespec hour = {.tv_sec = 3600};
	struct io_uring_sqe *sqe;
	int op_result = 0, nop_result = 0;

	need_ring(facts);
	sqe = link_op(facts, &op);
	sqe->opcode = (__u8)op_row(&op)->ring_opcode;
	sqe->fd = -1;
	sqe->addr = (__u64)(uintptr_t)&hour;
	sqe->len = 1;
	sqe->flags = IOSQE_IO_LINK;
	add_nop(facts);
	sqe = io_uring_get_sqe(&facts->ring);
	assert_non_null(sqe);
	io_uring_prep_timeout_remove(sqe, OP_ID, 0);
	sqe->user_data = CANCEL_ID;
	assert_int_equal(io_uring_submit(&facts->ring), 3);
	collect(facts, 3, &op_result, &nop_result);
	assert_int_equal(op_result, -ECANCELED);
	assert_true(op_row(&op)->facts & OP_BREAKS_LINK);
	assert_int_equal(nop_result, -ECANCELED);
}

static void no_op_of_the_ring_was_left_out(void **state)
{
	const struct facts *facts = *state;

	need_ring(facts);
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++)
		assert_int_equal(facts->seen[i], op_table[i].ring_opcode != OP_NO_RING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_on_paths_break_links_as_the_table_says),
		cmocka_unit_test(failures_on_files_break_links_as_the_table_says),
		cmocka_unit_test(a_failed_ftruncate_breaks_links_as_the_table_says),
		cmocka_unit_test(a_short_read_breaks_a_link),
		cmocka_unit_test(a_nop_that_fails_breaks_a_link),
		cmocka_unit_test(a_timer_that_is_cancelled_breaks_a_link),
		cmocka_unit_test(no_op_of_the_ring_was_left_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/*
 * The op table is consistent with itself and with what its users rely on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "op/op.h"

static bool is_timer(const struct op_row *row)
{
	return row->facts & OP_IS_TIMER;
}

static void every_op_has_a_row_with_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct iobatch_op_info *info = iobatch_op_info(i);

		assert_ptr_equal(info, &op_table[i].info);
		assert_non_null(info->name);
		assert_non_null(info->summary);
		assert_non_null(info->arguments);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(info->name, op_table[j].info.name);
	}
}

static void a_number_that_is_no_op_has_no_info(void **state)
{
	(void)state;
	assert_null(iobatch_op_info(IOBATCH_OP_COUNT));
	assert_null(iobatch_op_info(UINT32_MAX));
}

static void every_op_can_be_carried_out_in_some_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct op_row *row = &op_table[i];
		bool on_ring = row->ring_opcode != OP_NO_RING;

		assert_int_equal(on_ring, row->info.ring_opcode != NULL);
		assert_int_equal(on_ring && !is_timer(row), row->prepare != NULL);
		assert_int_equal(!is_timer(row), row->call != NULL);
	}
}

/* How large the member is that an argument of a type fills. */
static bool size_fits(const struct iobatch_argument *argument)
{
	switch (argument->type) {
	case IOBATCH_ARGUMENT_PATH:
		return argument->size == sizeof(const char *);
	case IOBATCH_ARGUMENT_FILE:
	case IOBATCH_ARGUMENT_NEW_FILE:
	case IOBATCH_ARGUMENT_MODE:
	case IOBATCH_ARGUMENT_WORD:
	case IOBATCH_ARGUMENT_NUMBER:
		return argument->size == sizeof(uint32_t);
	case IOBATCH_ARGUMENT_SIZE:
	case IOBATCH_ARGUMENT_DURATION:
		return argument->size == sizeof(uint64_t);
	case IOBATCH_ARGUMENT_FLAGS:
		return argument->size == sizeof(uint16_t) || argument->size == sizeof(uint32_t) ||
		       argument->size == sizeof(uint64_t);
	}
	return false;
}

static void check_words(const struct iobatch_argument *argument)
{
	bool wants =
		argument->type == IOBATCH_ARGUMENT_FLAGS || argument->type == IOBATCH_ARGUMENT_WORD;

	assert_int_equal(wants, argument->words != NULL);
	for (const struct iobatch_word *word = argument->words; word && word->name; word++) {
		if (argument->size < sizeof(uint64_t))
			assert_int_equal(word->value >> 8 * argument->size, 0);
		for (const struct iobatch_word *other = argument->words; other < word; other++)
			assert_string_not_equal(word->name, other->name);
	}
}

static void arguments_fit_the_members_that_they_fill(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct iobatch_argument *first = op_table[i].info.arguments;

		for (const struct iobatch_argument *at = first; at->name; at++) {
			assert_true(size_fits(at));
			assert_true(at->offset % at->size == 0);
			assert_true(at->offset + at->size <= offsetof(struct iobatch_op, result));
			if (at->size < sizeof(uint64_t))
				assert_int_equal(at->fallback >> 8 * at->size, 0);
			check_words(at);
			for (const struct iobatch_argument *other = first; other < at; other++) {
				assert_string_not_equal(at->name, other->name);
				assert_int_not_equal(at->offset, other->offset);
			}
		}
	}
}

static void an_op_has_a_file_argument_exactly_when_its_facts_say_so(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct iobatch_argument *argument = op_table[i].info.arguments;
		bool uses = false, uses2 = false, opens = false;

		for (; argument->name; argument++) {
			bool file = argument->type == IOBATCH_ARGUMENT_FILE;

			uses |= file && argument->offset == offsetof(struct iobatch_op, file);
			uses2 |= file && argument->offset == offsetof(struct iobatch_op, file2);
			opens |= argument->type == IOBATCH_ARGUMENT_NEW_FILE;
		}
		assert_int_equal(uses, !!(op_table[i].facts & OP_USES_FILE));
		assert_int_equal(uses2, !!(op_table[i].facts & OP_USES_FILE2));
		assert_int_equal(opens, !!(op_table[i].facts & OP_OPENS_FILE));
	}
}

static void an_op_has_a_path_argument_exactly_when_its_facts_say_so(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct iobatch_argument *argument = op_table[i].info.arguments;
		bool looks_up = false;

		for (; argument->name; argument++)
			looks_up |= argument->type == IOBATCH_ARGUMENT_PATH;
		assert_int_equal(looks_up, !!(op_table[i].facts & OP_ON_PATH));
	}
}

static void every_ring_opcode_is_prepared_as_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IOBATCH_OP_COUNT; i++) {
		const struct op_row *row = &op_table[i];
		struct iobatch_op op = {.opcode = (uint16_t)i,
		                        .dirfd = 31,
		                        .dirfd2 = 32,
		                        .path = "a",
		                        .path2 = "b"};
		struct io_uring_sqe sqe = {0};

		if (!row->prepare)
			continue;
		row->prepare(&sqe, &op, 33);
		assert_int_equal(sqe.opcode, row->ring_opcode);
		assert_int_equal(sqe.flags, 0);
		assert_int_equal(sqe.user_data, 0);
		assert_int_equal(sqe.buf_index, 0);
		assert_int_equal(sqe.file_index, 0);
		if (row->facts & OP_USES_FILE)
			assert_int_equal(sqe.fd, 33);
	}
}

static void a_continued_op_moves_the_rest(void **state)
{
	char data[64];

	(void)state;
	for (unsigned i = IOBATCH_OP_READ; i <= IOBATCH_OP_WRITE; i++) {
		struct iobatch_op op = {
			.opcode = (uint16_t)i, .buffer = data, .length = 64, .offset = 4096};
		struct io_uring_sqe sqe = {0};

		op.reserved[0] = 24;
		op_table[i].prepare(&sqe, &op, 3);
		assert_int_equal(sqe.addr, (uintptr_t)(data + 24));
		assert_int_equal(sqe.len, 40);
		assert_int_equal(sqe.off, 4096 + 24);

		/* The file's own position has moved by itself. */
		op.offset = UINT64_MAX;
		op_table[i].prepare(&sqe, &op, 3);
		assert_true(sqe.off == UINT64_MAX);
	}
}

static void a_length_of_more_than_32_bits_is_moved_in_parts(void **state)
{
	struct iobatch_op op = {.opcode = IOBATCH_OP_READ, .length = UINT64_C(5) << 30};
	struct io_uring_sqe sqe = {0};

	(void)state;
	op_row(&op)->prepare(&sqe, &op, 3);
	assert_int_equal(sqe.len, 1u << 30);
	op.reserved[0] = (UINT64_C(5) << 30) - 7;
	op_row(&op)->prepare(&sqe, &op, 3);
	assert_int_equal(sqe.len, 7);
}

static void opens_do_not_leak_into_other_programs(void **state)
{
	struct iobatch_op op = iobatch_op_openat(0, AT_FDCWD, "/", O_RDONLY, 0);
	struct iobatch_op op2 = iobatch_op_openat2(0, AT_FDCWD, "/", O_RDONLY, 0, 0);
	struct io_uring_sqe sqe = {0}, sqe2 = {0};
	const struct open_how *how;

	(void)state;
	op_row(&op)->prepare(&sqe, &op, -1);
	assert_true(sqe.open_flags & O_CLOEXEC);
	op_row(&op2)->prepare(&sqe2, &op2, -1);
	how = (const struct open_how *)(uintptr_t)sqe2.addr2;
	assert_int_equal(sqe2.len, sizeof(*how));
	assert_true(how->flags & O_CLOEXEC);
	for (unsigned i = 0; i < 2; i++) {
		const struct iobatch_op *open = i == 0 ? &op : &op2;
		int64_t fd = op_row(open)->call(open, -1, -1);

		assert_true(fd >= 0);
		assert_true(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
		close((int)fd);
	}
}

static void openat2_is_told_a_mode_only_when_it_creates(void **state)
{
	static const struct {
		uint32_t flags;
		uint64_t mode;
	} cases[] = {
		{O_RDONLY, 0},
		{O_WRONLY | O_CREAT, 0640},
		{O_RDWR | O_TMPFILE, 0640},
		{O_DIRECTORY, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iobatch_op op =
			iobatch_op_openat2(0, AT_FDCWD, "/", cases[i].flags, 0640, RESOLVE_BENEATH);
		struct io_uring_sqe sqe = {0};
		const struct open_how *how;

		op_row(&op)->prepare(&sqe, &op, -1);
		how = (const struct open_how *)(uintptr_t)sqe.addr2;
		assert_int_equal(how->mode, cases[i].mode);
		assert_int_equal(how->resolve, RESOLVE_BENEATH);
	}
}

static void calls_move_the_rest_of_a_continued_op(void **state)
{
	char name[] = "/tmp/iobatch-table-XXXXXX", data[] = "0123456789", back[11] = "..........";
	int fd = mkstemp(name);
	struct iobatch_op write = iobatch_op_write(0, data, 10, 100);
	struct iobatch_op read = iobatch_op_read(0, back, 10, 100);

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(op_row(&write)->call(&write, fd, -1), 10);
	read.reserved[0] = 4;
	assert_int_equal(op_row(&read)->call(&read, fd, -1), 6);
	assert_string_equal(back, "....456789");
	close(fd);
}

static void calls_ignore_the_offset_of_a_pipe_as_the_ring_does(void **state)
{
	char data[] = "abc", back[4] = "";
	int pipe_fds[2];
	struct iobatch_op write = iobatch_op_write(0, data, 3, 0);
	struct iobatch_op read = iobatch_op_read(0, back, 3, 0);

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(op_row(&write)->call(&write, pipe_fds[1], -1), 3);
	assert_int_equal(op_row(&read)->call(&read, pipe_fds[0], -1), 3);
	assert_string_equal(back, "abc");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void calls_return_negative_errnos(void **state)
{
	static const char missing[] = "/nonexistent/name";
	struct statx statx;
	uint64_t range[2];
	char buffer[8];
	const struct iobatch_op on_paths[] = {
		iobatch_op_openat(0, AT_FDCWD, missing, O_RDONLY, 0),
		iobatch_op_openat2(0, AT_FDCWD, missing, O_RDONLY, 0, 0),
		iobatch_op_statx(AT_FDCWD, missing, 0, STATX_BASIC_STATS, &statx),
		iobatch_op_renameat(AT_FDCWD, missing, AT_FDCWD, missing, 0),
		iobatch_op_unlinkat(AT_FDCWD, missing, 0),
		iobatch_op_mkdirat(AT_FDCWD, missing, 0777),
		iobatch_op_symlinkat("target", AT_FDCWD, missing),
		iobatch_op_linkat(AT_FDCWD, missing, AT_FDCWD, missing, 0),
		iobatch_op_readlinkat(AT_FDCWD, missing, buffer, sizeof(buffer)),
		iobatch_op_fchmodat(AT_FDCWD, missing, 0600, 0),
		iobatch_op_utimensat(AT_FDCWD, missing, NULL, 0),
		iobatch_op_fchownat(AT_FDCWD, missing, UINT32_MAX, UINT32_MAX),
		iobatch_op_mknodat(AT_FDCWD, missing, S_IFIFO, 0600, 0),
	};
	const struct iobatch_op on_files[] = {
		iobatch_op_close(0),
		iobatch_op_read(0, buffer, sizeof(buffer), 0),
		iobatch_op_write(0, buffer, sizeof(buffer), 0),
		iobatch_op_fsync(0),
		iobatch_op_fdatasync(0),
		iobatch_op_fallocate(0, 0, 0, 1),
		iobatch_op_fadvise(0, 0, 0, POSIX_FADV_NORMAL),
		iobatch_op_ftruncate(0, 0),
		iobatch_op_fchmod(0, 0600),
		iobatch_op_fchown(0, UINT32_MAX, UINT32_MAX),
		iobatch_op_futimens(0, NULL),
		iobatch_op_copy_file_range(0, 0, 1, 0, 1),
		iobatch_op_ficlone(0, 1),
		iobatch_op_fstatx(0, STATX_BASIC_STATS, &statx),
		iobatch_op_find_data(0, 0, range),
		iobatch_op_copy_xattrs(0, 1, IOBATCH_XATTR_USER),
		iobatch_op_cached(0, 0, 0, range),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(on_paths) / sizeof(on_paths[0]); i++)
		assert_int_equal(op_row(&on_paths[i])->call(&on_paths[i], -1, -1), -ENOENT);
	for (size_t i = 0; i < sizeof(on_files) / sizeof(on_files[0]); i++)
		assert_int_equal(op_row(&on_files[i])->call(&on_files[i], -1, -1), -EBADF);
}

/* A file of its own, unlinked, with `data` in it. */
static int make_file(const char *data)
{
	char name[] = "/tmp/iobatch-table-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(pwrite(fd, data, strlen(data), 0), strlen(data));
	return fd;
}

static void a_file_is_cut_and_lengthened(void **state)
{
	int fd = make_file("0123456789");
	struct iobatch_op op = iobatch_op_ftruncate(0, 4);
	struct stat stat;

	(void)state;
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_size, 4);
	op.length = UINT64_C(5) << 30;
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_true(stat.st_size == (off_t)5 << 30);
	close(fd);
}

static void an_open_file_takes_mode_owner_and_times(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};
	int fd = make_file("");
	struct iobatch_op mode = iobatch_op_fchmod(0, 0604);
	struct iobatch_op same = iobatch_op_fchown(0, UINT32_MAX, UINT32_MAX);
	struct iobatch_op own = iobatch_op_fchown(0, getuid(), getgid());
	struct iobatch_op give = iobatch_op_fchown(0, 1234, 4321);
	struct iobatch_op old = iobatch_op_futimens(0, times);
	struct stat stat;

	(void)state;
	assert_int_equal(op_row(&mode)->call(&mode, fd, -1), 0);
	assert_int_equal(op_row(&own)->call(&own, fd, -1), 0);
	assert_int_equal(op_row(&same)->call(&same, fd, -1), 0);
	assert_int_equal(op_row(&old)->call(&old, fd, -1), 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0604);
	assert_int_equal(stat.st_uid, getuid());
	assert_int_equal(stat.st_gid, getgid());
	assert_int_equal(stat.st_atime, 1000);
	assert_int_equal(stat.st_mtim.tv_sec, 2000);
	if (op_row(&give)->call(&give, fd, -1) == 0) {
		assert_int_equal(fstat(fd, &stat), 0);
		assert_int_equal(stat.st_uid, 1234);
		assert_int_equal(stat.st_gid, 4321);
	} else {
		assert_int_not_equal(geteuid(), 0);
	}
	close(fd);
}

static void copy_file_range_goes_on_where_it_was_and_sees_the_end(void **state)
{
	int from = make_file("0123456789"), to = make_file("");
	struct iobatch_op op = iobatch_op_copy_file_range(0, 2, 1, 100, 20);
	char back[9] = "";

	(void)state;
	/* As if 5 bytes had been copied before. */
	op.reserved[0] = 5;
	assert_int_equal(op_row(&op)->call(&op, from, to), 3);
	assert_int_equal(pread(to, back, 8, 105), 3);
	assert_string_equal(back, "789");
	op.reserved[0] = 8;
	assert_int_equal(op_row(&op)->call(&op, from, to), 0);
	close(from);
	close(to);
}

static void copy_file_range_uses_the_position_of_a_file_without_an_offset(void **state)
{
	int from = make_file("0123456789"), to = make_file("");
	struct iobatch_op op = iobatch_op_copy_file_range(0, UINT64_MAX, 1, UINT64_MAX, 4);
	char back[5] = "";

	(void)state;
	assert_int_equal(lseek(from, 1, SEEK_SET), 1);
	assert_int_equal(op_row(&op)->call(&op, from, to), 4);
	assert_int_equal(op_row(&op)->call(&op, from, to), 4);
	assert_int_equal(pread(to, back, 4, 4), 4);
	assert_string_equal(back, "5678");
	assert_int_equal(lseek(from, 0, SEEK_CUR), 9);
	close(from);
	close(to);
}

static void a_clone_has_the_data_where_the_file_system_can(void **state)
{
	int from = make_file("0123456789"), to = make_file("");
	struct iobatch_op op = iobatch_op_ficlone(0, 1);
	int64_t result = op_row(&op)->call(&op, from, to);
	char back[11] = "";

	(void)state;
	if (result == 0) {
		assert_int_equal(pread(to, back, 10, 0), 10);
		assert_string_equal(back, "0123456789");
	}
	close(from);
	close(to);
	if (result < 0) {
		assert_true(result == -EOPNOTSUPP || result == -ENOTTY || result == -EINVAL);
		print_message("the file system of /tmp cannot clone: %s\n", strerror((int)-result));
	}
}

static void the_data_of_a_sparse_file_is_found(void **state)
{
	int fd = make_file("");
	uint64_t range[2] = {7, 7};
	struct iobatch_op op = iobatch_op_find_data(0, 0, range);

	(void)state;
	assert_int_equal(op_row(&op)->call(&op, fd, -1), -ENXIO);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	/* Where there are no holes all is data. */
	assert_true(range[0] == 1 << 20 || range[0] == 0);
	assert_int_equal(range[1], (1 << 20) + 1);
	op.offset = range[1];
	assert_int_equal(op_row(&op)->call(&op, fd, -1), -ENXIO);
	close(fd);
}

static void extended_attributes_become_those_of_the_other_file(void **state)
{
	int from = make_file("a"), to = make_file("b");
	struct iobatch_op op = iobatch_op_copy_xattrs(0, 1, IOBATCH_XATTR_USER);
	char value[16];

	(void)state;
	if (fsetxattr(from, "user.one", "1", 1, 0) < 0) {
		assert_int_equal(errno, EOPNOTSUPP);
		skip();
	}
	assert_int_equal(fsetxattr(from, "user.long", "0123456789", 10, 0), 0);
	assert_int_equal(fsetxattr(to, "user.old", "x", 1, 0), 0);
	op.op_flags = IOBATCH_XATTR_TRUSTED;
	assert_int_equal(op_row(&op)->call(&op, from, to), 0);
	assert_int_equal(fgetxattr(to, "user.old", value, sizeof(value)), 1);
	op.op_flags = IOBATCH_XATTR_USER;
	assert_int_equal(op_row(&op)->call(&op, from, to), 0);
	assert_int_equal(fgetxattr(to, "user.one", value, sizeof(value)), 1);
	assert_int_equal(fgetxattr(to, "user.long", value, sizeof(value)), 10);
	assert_memory_equal(value, "0123456789", 10);
	assert_int_equal(fgetxattr(to, "user.old", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
	close(from);
	close(to);
}

static void the_pages_of_a_file_that_was_just_written_are_cached(void **state)
{
	char data[3 * 4096 + 1];
	uint64_t pages[2];
	struct iobatch_op op = iobatch_op_cached(0, 0, 0, pages);
	int fd = make_file("");

	(void)state;
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	assert_int_equal(pages[1], 0);
	memset(data, 'x', sizeof(data));
	assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	assert_int_equal(pages[0],
	                 (sizeof(data) + (size_t)getpagesize() - 1) / (size_t)getpagesize());
	assert_int_equal(pages[1], pages[0]);
	op.offset = 4096;
	op.length = 4096;
	assert_int_equal(op_row(&op)->call(&op, fd, -1), 0);
	assert_int_equal(pages[1], 1);
	assert_int_equal(pages[0], 1);
	close(fd);
}

static void the_owner_of_a_link_is_set_and_a_node_is_made(void **state)
{
	char directory[] = "/tmp/iobatch-table-XXXXXX", target[8];
	struct iobatch_op node, own;
	struct stat stat;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	fd = open(directory, O_RDONLY | O_DIRECTORY);
	node = iobatch_op_mknodat(fd, "fifo", S_IFIFO, 0604, 0);
	assert_int_equal(op_row(&node)->call(&node, -1, -1), 0);
	assert_int_equal(fstatat(fd, "fifo", &stat, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISFIFO(stat.st_mode));
	assert_int_equal(symlinkat("nowhere", fd, "link"), 0);
	own = iobatch_op_fchownat(fd, "link", getuid(), getgid());
	assert_int_equal(op_row(&own)->call(&own, -1, -1), 0);
	assert_int_equal(readlinkat(fd, "link", target, sizeof(target)), 7);
	unlinkat(fd, "fifo", 0);
	unlinkat(fd, "link", 0);
	close(fd);
	rmdir(directory);
}

static void a_link_has_no_mode_to_be_set(void **state)
{
	char directory[] = "/tmp/iobatch-table-XXXXXX";
	struct iobatch_op op;
	struct stat stat;
	int fd, file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	fd = open(directory, O_RDONLY | O_DIRECTORY);
	file = openat(fd, "file", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(symlinkat("file", fd, "link"), 0);
	op = iobatch_op_fchmodat(fd, "link", 0644, AT_SYMLINK_NOFOLLOW);
	assert_int_equal(op_row(&op)->call(&op, -1, -1), -EOPNOTSUPP);
	assert_int_equal(fstat(file, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	op.path = "file";
	assert_int_equal(op_row(&op)->call(&op, -1, -1), 0);
	assert_int_equal(fstat(file, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0644);
	unlinkat(fd, "link", 0);
	unlinkat(fd, "file", 0);
	close(file);
	close(fd);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_has_a_row_with_a_name_of_its_own),
		cmocka_unit_test(a_number_that_is_no_op_has_no_info),
		cmocka_unit_test(every_op_can_be_carried_out_in_some_way),
		cmocka_unit_test(arguments_fit_the_members_that_they_fill),
		cmocka_unit_test(an_op_has_a_file_argument_exactly_when_its_facts_say_so),
		cmocka_unit_test(an_op_has_a_path_argument_exactly_when_its_facts_say_so),
		cmocka_unit_test(every_ring_opcode_is_prepared_as_itself),
		cmocka_unit_test(a_continued_op_moves_the_rest),
		cmocka_unit_test(a_length_of_more_than_32_bits_is_moved_in_parts),
		cmocka_unit_test(opens_do_not_leak_into_other_programs),
		cmocka_unit_test(openat2_is_told_a_mode_only_when_it_creates),
		cmocka_unit_test(calls_move_the_rest_of_a_continued_op),
		cmocka_unit_test(calls_ignore_the_offset_of_a_pipe_as_the_ring_does),
		cmocka_unit_test(calls_return_negative_errnos),
		cmocka_unit_test(a_file_is_cut_and_lengthened),
		cmocka_unit_test(an_open_file_takes_mode_owner_and_times),
		cmocka_unit_test(copy_file_range_goes_on_where_it_was_and_sees_the_end),
		cmocka_unit_test(copy_file_range_uses_the_position_of_a_file_without_an_offset),
		cmocka_unit_test(a_clone_has_the_data_where_the_file_system_can),
		cmocka_unit_test(the_data_of_a_sparse_file_is_found),
		cmocka_unit_test(extended_attributes_become_those_of_the_other_file),
		cmocka_unit_test(the_pages_of_a_file_that_was_just_written_are_cached),
		cmocka_unit_test(the_owner_of_a_link_is_set_and_a_node_is_made),
		cmocka_unit_test(a_link_has_no_mode_to_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

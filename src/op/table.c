/* SPDX-License-Identifier: MIT */
/*
 * The op table itself: what each op is called, which arguments it takes under which words, and the
 * facts about it. It is all data; what the ops do stands in prepare.c and call.c.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>

#include "op/call.h"
#include "op/op.h"
#include "op/prepare.h"

/* clang-format off */
static const struct iobatch_word open_words[] = {
	{"rdonly", O_RDONLY},       {"wronly", O_WRONLY},     {"rdwr", O_RDWR},
	{"creat", O_CREAT},         {"excl", O_EXCL},         {"trunc", O_TRUNC},
	{"append", O_APPEND},       {"direct", O_DIRECT},     {"directory", O_DIRECTORY},
	{"nofollow", O_NOFOLLOW},   {"nonblock", O_NONBLOCK}, {"noatime", O_NOATIME},
	{"tmpfile", O_TMPFILE},     {"path", O_PATH},         {"sync", O_SYNC},
	{"dsync", O_DSYNC},         {NULL, 0},
};

static const struct iobatch_word resolve_words[] = {
	{"beneath", RESOLVE_BENEATH},
	{"in_root", RESOLVE_IN_ROOT},
	{"no_magiclinks", RESOLVE_NO_MAGICLINKS},
	{"no_symlinks", RESOLVE_NO_SYMLINKS},
	{"no_xdev", RESOLVE_NO_XDEV},
	{"cached", RESOLVE_CACHED},
	{NULL, 0},
};

static const struct iobatch_word read_words[] = {
	{"exact", IOBATCH_EXACT},
	{NULL, 0},
};

static const struct iobatch_word fallocate_words[] = {
	{"keep_size", FALLOC_FL_KEEP_SIZE},
	{"punch_hole", FALLOC_FL_PUNCH_HOLE},
	{"collapse_range", FALLOC_FL_COLLAPSE_RANGE},
	{"zero_range", FALLOC_FL_ZERO_RANGE},
	{"insert_range", FALLOC_FL_INSERT_RANGE},
	{"unshare_range", FALLOC_FL_UNSHARE_RANGE},
	{NULL, 0},
};

static const struct iobatch_word advice_words[] = {
	{"normal", POSIX_FADV_NORMAL},     {"sequential", POSIX_FADV_SEQUENTIAL},
	{"random", POSIX_FADV_RANDOM},     {"noreuse", POSIX_FADV_NOREUSE},
	{"willneed", POSIX_FADV_WILLNEED}, {"dontneed", POSIX_FADV_DONTNEED},
	{NULL, 0},
};

static const struct iobatch_word statx_words[] = {
	{"symlink_nofollow", AT_SYMLINK_NOFOLLOW},
	{"no_automount", AT_NO_AUTOMOUNT},
	{"force_sync", AT_STATX_FORCE_SYNC},
	{"dont_sync", AT_STATX_DONT_SYNC},
	{"empty_path", AT_EMPTY_PATH},
	{NULL, 0},
};

static const struct iobatch_word mask_words[] = {
	{"type", STATX_TYPE},   {"mode", STATX_MODE},     {"nlink", STATX_NLINK},
	{"uid", STATX_UID},     {"gid", STATX_GID},       {"atime", STATX_ATIME},
	{"mtime", STATX_MTIME}, {"ctime", STATX_CTIME},   {"ino", STATX_INO},
	{"size", STATX_SIZE},   {"blocks", STATX_BLOCKS}, {"btime", STATX_BTIME},
	{"basic_stats", STATX_BASIC_STATS},               {NULL, 0},
};

static const struct iobatch_word rename_words[] = {
	{"noreplace", RENAME_NOREPLACE},
	{"exchange", RENAME_EXCHANGE},
	{"whiteout", RENAME_WHITEOUT},
	{NULL, 0},
};

static const struct iobatch_word unlink_words[] = {
	{"removedir", AT_REMOVEDIR},
	{NULL, 0},
};

static const struct iobatch_word link_words[] = {
	{"symlink_follow", AT_SYMLINK_FOLLOW},
	{NULL, 0},
};

static const struct iobatch_word nofollow_words[] = {
	{"symlink_nofollow", AT_SYMLINK_NOFOLLOW},
	{NULL, 0},
};

static const struct iobatch_word node_words[] = {
	{"fifo", S_IFIFO}, {"socket", S_IFSOCK}, {"character", S_IFCHR}, {"block", S_IFBLK},
	{NULL, 0},
};

static const struct iobatch_word xattr_words[] = {
	{"user", IOBATCH_XATTR_USER},         {"acl", IOBATCH_XATTR_ACL},
	{"security", IOBATCH_XATTR_SECURITY}, {"trusted", IOBATCH_XATTR_TRUSTED},
	{NULL, 0},
};

/*
 * Arguments: the name in a job file, what it is, which member it fills, and what else there is to
 * say about it.
 */
#define ARGUMENT(name_, type_, member_, ...)                                           \
	{                                                                              \
		.name = name_, .type = IOBATCH_ARGUMENT_##type_,                       \
		.offset = offsetof(struct iobatch_op, member_),                        \
		.size = sizeof(((struct iobatch_op *)NULL)->member_), __VA_ARGS__      \
	}
#define REQUIRED .required = true
#define OR(value) .fallback = (value)

#define FILE_ARGUMENT ARGUMENT("file", FILE, file, REQUIRED)
#define FILE_ARGUMENTS                                                                 \
	ARGUMENT("from", FILE, file, REQUIRED), ARGUMENT("to", FILE, file2, REQUIRED)
#define NEW_FILE_ARGUMENT ARGUMENT("as", NEW_FILE, file, REQUIRED)
#define PATH_ARGUMENT ARGUMENT("path", PATH, path, REQUIRED)
#define OFFSET_ARGUMENT ARGUMENT("offset", SIZE, offset, OR(0))
#define FLAGS_ARGUMENT(words_) ARGUMENT("flags", FLAGS, op_flags, .words = words_)

#define ARGUMENTS(...) ((const struct iobatch_argument[]){__VA_ARGS__ __VA_OPT__(,) {.name = NULL}})

/* What is called what: the name, a line about it, its ring opcode, its arguments. */
#define ON_RING(name_, opcode_, summary_, ...)                                         \
	.info = {.name = name_,                                                        \
	         .summary = summary_,                                                  \
	         .ring_opcode = #opcode_,                                              \
	         .arguments = ARGUMENTS(__VA_ARGS__)},                                 \
	.ring_opcode = opcode_
#define BY_CALL(name_, summary_, ...)                                                  \
	.info = {.name = name_, .summary = summary_, .arguments = ARGUMENTS(__VA_ARGS__)}, \
	.ring_opcode = OP_NO_RING

/*
 * Which failures break a link is the kernel's behaviour, not its documentation:
 * tests/unit/op/test_link_facts.c compares the two. Reads and writes count as idempotent because
 * they name their offset; at the file's own position they are not, and whoever asks must look.
 * Only a pool of threads runs what has no ring opcode, and there links are what we make of them.
 */
const struct op_row op_table[IOBATCH_OP_COUNT] = {
	[IOBATCH_OP_NOP] = {
		ON_RING("nop", IORING_OP_NOP, "Does nothing"),
		.facts = OP_BREAKS_LINK | OP_IDEMPOTENT,
		.prepare = prepare_nop,
		.call = call_nop,
	},
	[IOBATCH_OP_OPENAT] = {
		ON_RING("openat", IORING_OP_OPENAT, "Opens a file",
		        PATH_ARGUMENT,
		        NEW_FILE_ARGUMENT,
		        FLAGS_ARGUMENT(open_words),
		        ARGUMENT("mode", MODE, mode, OR(0666))),
		.facts = OP_BREAKS_LINK | OP_OPENS_FILE | OP_ON_PATH,
		.prepare = prepare_openat,
		.call = call_openat,
	},
	[IOBATCH_OP_OPENAT2] = {
		ON_RING("openat2", IORING_OP_OPENAT2, "Opens a file, with limits on how its path resolves",
		        PATH_ARGUMENT,
		        NEW_FILE_ARGUMENT,
		        FLAGS_ARGUMENT(open_words),
		        ARGUMENT("mode", MODE, mode, OR(0666)),
		        ARGUMENT("resolve", FLAGS, resolve, .words = resolve_words)),
		.facts = OP_BREAKS_LINK | OP_OPENS_FILE | OP_ON_PATH,
		.prepare = prepare_openat2,
		.call = call_openat2,
	},
	[IOBATCH_OP_CLOSE] = {
		ON_RING("close", IORING_OP_CLOSE, "Closes a file", FILE_ARGUMENT),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_CLOSES_FILE,
		.prepare = prepare_close,
		.call = call_close,
	},
	[IOBATCH_OP_READ] = {
		ON_RING("read", IORING_OP_READ, "Reads up to a number of bytes",
		        FILE_ARGUMENT,
		        ARGUMENT("length", SIZE, length, REQUIRED),
		        OFFSET_ARGUMENT,
		        ARGUMENT("flags", FLAGS, flags, .words = read_words)),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_MOVES_BYTES | OP_IDEMPOTENT,
		.prepare = prepare_read,
		.call = call_read,
	},
	[IOBATCH_OP_WRITE] = {
		ON_RING("write", IORING_OP_WRITE, "Writes what the last read before it has read",
		        FILE_ARGUMENT,
		        ARGUMENT("length", SIZE, length, OR(0)),
		        OFFSET_ARGUMENT),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_MOVES_BYTES | OP_IDEMPOTENT,
		.prepare = prepare_write,
		.call = call_write,
	},
	[IOBATCH_OP_FSYNC] = {
		ON_RING("fsync", IORING_OP_FSYNC, "Makes data and metadata durable", FILE_ARGUMENT),
		.facts = OP_USES_FILE,
		.prepare = prepare_fsync,
		.call = call_fsync,
	},
	[IOBATCH_OP_FDATASYNC] = {
		ON_RING("fdatasync", IORING_OP_FSYNC, "Makes data durable", FILE_ARGUMENT),
		.facts = OP_USES_FILE,
		.prepare = prepare_fdatasync,
		.call = call_fdatasync,
	},
	[IOBATCH_OP_FALLOCATE] = {
		ON_RING("fallocate", IORING_OP_FALLOCATE, "Allocates, punches or moves a range of a file",
		        FILE_ARGUMENT,
		        OFFSET_ARGUMENT,
		        ARGUMENT("length", SIZE, length, REQUIRED),
		        ARGUMENT("mode", FLAGS, mode, .words = fallocate_words)),
		/* Destructive for its modes that punch, zero and collapse. */
		.facts = OP_USES_FILE | OP_DESTRUCTIVE,
		.prepare = prepare_fallocate,
		.call = call_fallocate,
	},
	[IOBATCH_OP_FADVISE] = {
		ON_RING("fadvise", IORING_OP_FADVISE, "Tells the kernel how a range will be used",
		        FILE_ARGUMENT,
		        ARGUMENT("advice", WORD, mode, REQUIRED, .words = advice_words),
		        OFFSET_ARGUMENT,
		        ARGUMENT("length", SIZE, length, OR(0))),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.prepare = prepare_fadvise,
		.call = call_fadvise,
	},
	[IOBATCH_OP_STATX] = {
		ON_RING("statx", IORING_OP_STATX, "Asks for a file's attributes",
		        PATH_ARGUMENT,
		        FLAGS_ARGUMENT(statx_words),
		        ARGUMENT("mask", FLAGS, mode, OR(STATX_BASIC_STATS), .words = mask_words)),
		.facts = OP_IDEMPOTENT | OP_ON_PATH,
		.prepare = prepare_statx,
		.call = call_statx,
	},
	[IOBATCH_OP_RENAMEAT] = {
		ON_RING("renameat", IORING_OP_RENAMEAT, "Renames a file",
		        ARGUMENT("from", PATH, path, REQUIRED),
		        ARGUMENT("to", PATH, path2, REQUIRED),
		        FLAGS_ARGUMENT(rename_words)),
		.facts = OP_DESTRUCTIVE | OP_ON_PATH,
		.prepare = prepare_renameat,
		.call = call_renameat,
	},
	[IOBATCH_OP_UNLINKAT] = {
		ON_RING("unlinkat", IORING_OP_UNLINKAT, "Removes a name",
		        PATH_ARGUMENT,
		        FLAGS_ARGUMENT(unlink_words)),
		.facts = OP_DESTRUCTIVE | OP_ON_PATH,
		.prepare = prepare_unlinkat,
		.call = call_unlinkat,
	},
	[IOBATCH_OP_MKDIRAT] = {
		ON_RING("mkdirat", IORING_OP_MKDIRAT, "Makes a directory",
		        PATH_ARGUMENT,
		        ARGUMENT("mode", MODE, mode, OR(0777))),
		.facts = OP_ON_PATH,
		.prepare = prepare_mkdirat,
		.call = call_mkdirat,
	},
	[IOBATCH_OP_SYMLINKAT] = {
		ON_RING("symlinkat", IORING_OP_SYMLINKAT, "Makes a symbolic link",
		        ARGUMENT("target", PATH, path, REQUIRED),
		        ARGUMENT("path", PATH, path2, REQUIRED)),
		.facts = OP_ON_PATH,
		.prepare = prepare_symlinkat,
		.call = call_symlinkat,
	},
	[IOBATCH_OP_LINKAT] = {
		ON_RING("linkat", IORING_OP_LINKAT, "Makes a hard link",
		        ARGUMENT("from", PATH, path, REQUIRED),
		        ARGUMENT("to", PATH, path2, REQUIRED),
		        FLAGS_ARGUMENT(link_words)),
		.facts = OP_ON_PATH,
		.prepare = prepare_linkat,
		.call = call_linkat,
	},
	[IOBATCH_OP_TIMEOUT] = {
		ON_RING("timeout", IORING_OP_TIMEOUT, "Waits",
		        ARGUMENT("duration", DURATION, length, REQUIRED)),
		.facts = OP_BREAKS_LINK | OP_IS_TIMER | OP_IDEMPOTENT,
	},
	[IOBATCH_OP_READLINKAT] = {
		BY_CALL("readlinkat", "Reads what a symbolic link points to",
		        PATH_ARGUMENT,
		        ARGUMENT("length", SIZE, length, OR(PATH_MAX))),
		.facts = OP_BREAKS_LINK | OP_IDEMPOTENT | OP_ON_PATH,
		.call = call_readlinkat,
	},
	[IOBATCH_OP_FCHMODAT] = {
		BY_CALL("fchmodat", "Sets a file's permissions",
		        PATH_ARGUMENT,
		        ARGUMENT("mode", MODE, mode, REQUIRED),
		        FLAGS_ARGUMENT(nofollow_words)),
		.facts = OP_BREAKS_LINK | OP_IDEMPOTENT | OP_ON_PATH,
		.call = call_fchmodat,
	},
	[IOBATCH_OP_UTIMENSAT] = {
		BY_CALL("utimensat", "Sets a file's times to now",
		        PATH_ARGUMENT,
		        FLAGS_ARGUMENT(nofollow_words)),
		.facts = OP_BREAKS_LINK | OP_IDEMPOTENT | OP_ON_PATH,
		.call = call_utimensat,
	},
	[IOBATCH_OP_FTRUNCATE] = {
		ON_RING("ftruncate", IORING_OP_FTRUNCATE, "Sets a file's length",
		        FILE_ARGUMENT,
		        ARGUMENT("length", SIZE, length, REQUIRED)),
		.facts = OP_USES_FILE | OP_DESTRUCTIVE | OP_IDEMPOTENT,
		.prepare = prepare_ftruncate,
		.call = call_ftruncate,
	},
	[IOBATCH_OP_FCHMOD] = {
		BY_CALL("fchmod", "Sets an open file's permissions",
		        FILE_ARGUMENT,
		        ARGUMENT("mode", MODE, mode, REQUIRED)),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.call = call_fchmod,
	},
	[IOBATCH_OP_FCHOWN] = {
		BY_CALL("fchown", "Sets an open file's user and group",
		        FILE_ARGUMENT,
		        ARGUMENT("user", NUMBER, op_flags, OR(UINT32_MAX)),
		        ARGUMENT("group", NUMBER, mode, OR(UINT32_MAX))),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.call = call_fchown,
	},
	[IOBATCH_OP_FUTIMENS] = {
		BY_CALL("futimens", "Sets an open file's times to now", FILE_ARGUMENT),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.call = call_futimens,
	},
	[IOBATCH_OP_COPY_FILE_RANGE] = {
		BY_CALL("copy_file_range", "Copies from file to file within the kernel",
		        FILE_ARGUMENTS,
		        ARGUMENT("length", SIZE, length, REQUIRED),
		        OFFSET_ARGUMENT,
		        ARGUMENT("to_offset", SIZE, offset2, OR(0))),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_USES_FILE2 | OP_MOVES_BYTES |
		         OP_IDEMPOTENT,
		.call = call_copy_file_range,
	},
	[IOBATCH_OP_FICLONE] = {
		BY_CALL("ficlone", "Makes a file share the data of another", FILE_ARGUMENTS),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_USES_FILE2 | OP_IDEMPOTENT,
		.call = call_ficlone,
	},
	[IOBATCH_OP_FSTATX] = {
		ON_RING("fstatx", IORING_OP_STATX, "Asks for an open file's attributes",
		        FILE_ARGUMENT,
		        ARGUMENT("mask", FLAGS, mode, OR(STATX_BASIC_STATS), .words = mask_words)),
		.facts = OP_USES_FILE | OP_IDEMPOTENT,
		.prepare = prepare_fstatx,
		.call = call_fstatx,
	},
	[IOBATCH_OP_FCHOWNAT] = {
		BY_CALL("fchownat", "Sets the user and group of a name",
		        PATH_ARGUMENT,
		        ARGUMENT("user", NUMBER, op_flags, OR(UINT32_MAX)),
		        ARGUMENT("group", NUMBER, mode, OR(UINT32_MAX)),
		        ARGUMENT("flags", FLAGS, length, .words = link_words)),
		.facts = OP_BREAKS_LINK | OP_IDEMPOTENT | OP_ON_PATH,
		.call = call_fchownat,
	},
	[IOBATCH_OP_MKNODAT] = {
		BY_CALL("mknodat", "Makes a FIFO, a socket or a device node",
		        PATH_ARGUMENT,
		        ARGUMENT("type", WORD, op_flags, REQUIRED, .words = node_words),
		        ARGUMENT("mode", MODE, mode, OR(0666)),
		        ARGUMENT("device", SIZE, length, OR(0))),
		.facts = OP_BREAKS_LINK | OP_ON_PATH,
		.call = call_mknodat,
	},
	[IOBATCH_OP_FIND_DATA] = {
		BY_CALL("find_data", "Finds the next range of a file that is no hole",
		        FILE_ARGUMENT,
		        OFFSET_ARGUMENT),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.call = call_find_data,
	},
	[IOBATCH_OP_COPY_XATTRS] = {
		BY_CALL("copy_xattrs", "Gives a file the extended attributes of another",
		        FILE_ARGUMENTS,
		        ARGUMENT("classes", FLAGS, op_flags, OR(IOBATCH_XATTR_USER),
		                 .words = xattr_words)),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_USES_FILE2 | OP_IDEMPOTENT,
		.call = call_copy_xattrs,
	},
	[IOBATCH_OP_CACHED] = {
		BY_CALL("cached", "Tells how much of a range is in the page cache",
		        FILE_ARGUMENT,
		        OFFSET_ARGUMENT,
		        ARGUMENT("length", SIZE, length, OR(0))),
		.facts = OP_BREAKS_LINK | OP_USES_FILE | OP_IDEMPOTENT,
		.call = call_cached,
	},
};
/* clang-format on */

const struct iobatch_op_info *iobatch_op_info(unsigned opcode)
{
	return opcode < IOBATCH_OP_COUNT ? &op_table[opcode].info : NULL;
}

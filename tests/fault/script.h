/* SPDX-License-Identifier: MIT */
#ifndef FAULT_SCRIPT_H
#define FAULT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel asks a file system for, as far as faultfs has it. */
enum fault_op {
	FAULT_LOOKUP,
	FAULT_GETATTR,
	FAULT_SETATTR,
	FAULT_READLINK,
	FAULT_MKNOD,
	FAULT_MKDIR,
	FAULT_UNLINK,
	FAULT_RMDIR,
	FAULT_SYMLINK,
	FAULT_RENAME,
	FAULT_LINK,
	FAULT_OPEN,
	FAULT_CREATE,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_FLUSH,
	FAULT_RELEASE,
	FAULT_FSYNC,
	FAULT_FALLOCATE,
	FAULT_OPENDIR,
	FAULT_READDIR,
	FAULT_FSYNCDIR,
	FAULT_STATFS,
	FAULT_OP_COUNT,
};

enum fault_action {
	FAULT_NONE,
	FAULT_DELAY,       /* carried out `value` milliseconds later; not to be interrupted */
	FAULT_HANG,        /* carried out when released; EINTR when interrupted */
	FAULT_HANG_IGNORE, /* carried out when released */
	FAULT_ERROR,       /* fails with errno `value` */
	FAULT_SHORT,       /* a read or write moves `value` bytes at the most */
	FAULT_KILL,        /* fails, and whoever has asked for it is killed before it is told */
	FAULT_FLIP, /* a read or write has the lowest bit of byte `value` of the file flipped */
};

struct fault_rule {
	bool any_op;
	enum fault_op op;
	enum fault_action action;
	uint64_t value;
	uint64_t after; /* calls that match and are let through first */
	uint64_t times; /* calls that it then applies to */
	char pattern[256];
};

#define FAULT_RULES_MAX 256

struct fault_script {
	struct fault_rule rules[FAULT_RULES_MAX];
	unsigned count;
};

const char *fault_op_name(enum fault_op op);

/*
 * Adds the rules of `text`, one a line. On failure nothing is added and `error` says why. Blank
 * lines, and what comes behind a #, are left out.
 */
int fault_script_add(struct fault_script *script, const char *text, char *error, size_t size);

/*
 * What is to be done with a call on `path`, which is relative to the root: the first rule that
 * matches and applies. Counts down its `after` and `times`.
 */
enum fault_action fault_script_match(struct fault_script *script, enum fault_op op,
                                     const char *path, uint64_t *ret_value);

#endif

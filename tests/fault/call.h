/* SPDX-License-Identifier: MIT */
#ifndef FAULT_CALL_H
#define FAULT_CALL_H

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "script.h"

/* A request with all that is needed to carry it out later. */
struct call {
	enum fault_op op;
	fuse_req_t req;
	fuse_ino_t node;  /* what it is about; the directory where there is a name */
	fuse_ino_t node2; /* the new directory of a rename or link */
	char *name;
	char *name2; /* new name, or target of a symbolic link */
	char *data;  /* of a write */
	size_t size;
	off_t offset;
	int flags; /* as the op takes them */
	mode_t mode;
	dev_t device;
	struct stat attributes;
	struct fuse_file_info file;

	enum fault_action action;
	uint64_t value;

	/* While it is parked: */
	struct call *next;
	uint64_t due_ns;
	bool interrupted;
};

/* requests.c */
extern const struct fuse_lowlevel_ops requests_ops;

/* passthrough.c: `backing` is an O_PATH descriptor of the directory that is shown. */
void passthrough_init(int backing, bool cached);
/* Carries the call out and answers it. */
void passthrough_perform(struct call *call);
/* The path below the root that a script's pattern is matched against. */
void passthrough_path(const struct call *call, char *path, size_t size);
void passthrough_forget(fuse_ino_t node, uint64_t count);
void passthrough_closedir(const struct fuse_file_info *file);

/* park.c: starts the thread that answers later what is not to be answered at once. */
int park_init(const char *script);
/* Takes the call, to be answered some time and freed. */
void park_submit(struct call *call);
/* A command of the control socket, as fault_control_serve() wants it. */
int park_command(const char *command, char *text, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What libfuse calls: makes a struct call of each request and hands it on. No more: what is done
 * with it, and when, is not known here.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

static struct call *new_call(fuse_req_t req, enum fault_op op, fuse_ino_t node, const char *name)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();
	call->req = req;
	call->op = op;
	call->node = node;
	call->name = name ? strdup(name) : NULL;
	return call;
}

/* A call on an open file. */
static struct call *new_file_call(fuse_req_t req, enum fault_op op, fuse_ino_t node,
                                  const struct fuse_file_info *file)
{
	struct call *call = new_call(req, op, node, NULL);

	call->file = *file;
	return call;
}

static void on_init(void *context, struct fuse_conn_info *connection)
{
	(void)context;
	/* Requests that hang in the background must not keep others from being sent. */
	connection->max_background = 65535;
	connection->congestion_threshold = 65535;
	/* Nor those that hang in a directory the ones beside them. */
	connection->want |= connection->capable & FUSE_CAP_PARALLEL_DIROPS;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	park_submit(new_call(req, FAULT_LOOKUP, parent, name));
}

static void on_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	passthrough_forget(node, count);
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		passthrough_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	(void)file;
	park_submit(new_call(req, FAULT_GETATTR, node, NULL));
}

static void on_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attributes, int set,
                       struct fuse_file_info *file)
{
	struct call *call = new_call(req, FAULT_SETATTR, node, NULL);

	(void)file;
	call->attributes = *attributes;
	call->flags = set;
	park_submit(call);
}

static void on_readlink(fuse_req_t req, fuse_ino_t node)
{
	park_submit(new_call(req, FAULT_READLINK, node, NULL));
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct call *call = new_call(req, FAULT_MKNOD, parent, name);

	call->mode = mode;
	call->device = device;
	park_submit(call);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct call *call = new_call(req, FAULT_MKDIR, parent, name);

	call->mode = mode;
	park_submit(call);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	park_submit(new_call(req, FAULT_UNLINK, parent, name));
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	park_submit(new_call(req, FAULT_RMDIR, parent, name));
}

static void on_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct call *call = new_call(req, FAULT_SYMLINK, parent, name);

	call->name2 = strdup(target);
	park_submit(call);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2,
                      const char *name2, unsigned flags)
{
	struct call *call = new_call(req, FAULT_RENAME, parent, name);

	call->node2 = parent2;
	call->name2 = strdup(name2);
	call->flags = (int)flags;
	park_submit(call);
}

static void on_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent2, const char *name2)
{
	struct call *call = new_call(req, FAULT_LINK, node, NULL);

	call->node2 = parent2;
	call->name2 = strdup(name2);
	park_submit(call);
}

static void on_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	park_submit(new_file_call(req, FAULT_OPEN, node, file));
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *file)
{
	struct call *call = new_call(req, FAULT_CREATE, parent, name);

	call->file = *file;
	call->mode = mode;
	park_submit(call);
}

static void on_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
	struct call *call = new_file_call(req, FAULT_READ, node, file);

	call->size = size;
	call->offset = offset;
	park_submit(call);
}

static void on_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
	struct call *call = new_file_call(req, FAULT_WRITE, node, file);

	call->data = malloc(size ? size : 1);
	if (!call->data)
		abort();
	memcpy(call->data, data, size);
	call->size = size;
	call->offset = offset;
	park_submit(call);
}

static void on_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	park_submit(new_file_call(req, FAULT_FLUSH, node, file));
}

static void on_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	park_submit(new_file_call(req, FAULT_RELEASE, node, file));
}

static void on_fsync(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *file)
{
	struct call *call = new_file_call(req, FAULT_FSYNC, node, file);

	call->flags = data_only;
	park_submit(call);
}

static void on_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset, off_t length,
                         struct fuse_file_info *file)
{
	struct call *call = new_file_call(req, FAULT_FALLOCATE, node, file);

	call->flags = mode;
	call->offset = offset;
	call->size = (size_t)length;
	park_submit(call);
}

static void on_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	park_submit(new_file_call(req, FAULT_OPENDIR, node, file));
}

static void on_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
	struct call *call = new_file_call(req, FAULT_READDIR, node, file);

	call->size = size;
	call->offset = offset;
	park_submit(call);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
	(void)node;
	passthrough_closedir(file);
	fuse_reply_err(req, 0);
}

static void on_fsyncdir(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *file)
{
	(void)data_only;
	park_submit(new_file_call(req, FAULT_FSYNCDIR, node, file));
}

static void on_statfs(fuse_req_t req, fuse_ino_t node)
{
	park_submit(new_call(req, FAULT_STATFS, node ? node : FUSE_ROOT_ID, NULL));
}

const struct fuse_lowlevel_ops requests_ops = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.readlink = on_readlink,
	.mknod = on_mknod,
	.mkdir = on_mkdir,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
	.open = on_open,
	.create = on_create,
	.read = on_read,
	.write = on_write,
	.flush = on_flush,
	.release = on_release,
	.fsync = on_fsync,
	.fallocate = on_fallocate,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.fsyncdir = on_fsyncdir,
	.statfs = on_statfs,
};

/* SPDX-License-Identifier: MIT */
/*
 * The file system of faultfs as it is without faults: shows a directory. Requests come as
 * calls, when they are to be carried out. Nothing is left to the kernel's caches, so
 * that each system call asks us: names and attributes are never valid for any time, and files are
 * read and written past the page cache unless that is wanted. Must not know of the script.
 */
#include "call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A file that the kernel knows: its number is the address of this. */
struct node {
	struct node *next;
	int fd; /* O_PATH */
	dev_t device;
	ino_t inode;
	uint64_t lookups;
	char *path; /* below the root, as it was last looked up */
};

#define BUCKETS 1024u

static struct {
	pthread_mutex_t lock; /* of the nodes */
	struct node *nodes[BUCKETS];
	struct node root;
	bool cached;
} fs = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct node *node_of(fuse_ino_t number)
{
	return number == FUSE_ROOT_ID ? &fs.root : (struct node *)(uintptr_t)number;
}

static int fd_of(fuse_ino_t number)
{
	return node_of(number)->fd;
}

void passthrough_init(int backing, bool cached)
{
	fs.root.fd = backing;
	fs.root.path = strdup("");
	fs.cached = cached;
}

/* The path of `name` in the directory `parent`, or of `parent` itself. With the lock held. */
static void path_of(const struct node *parent, const char *name, char *path, size_t size)
{
	if (name)
		snprintf(path, size, "%s%s%s", parent->path, *parent->path ? "/" : "", name);
	else
		snprintf(path, size, "%s", *parent->path ? parent->path : ".");
}

void passthrough_path(const struct call *call, char *path, size_t size)
{
	pthread_mutex_lock(&fs.lock);
	path_of(node_of(call->node), call->name, path, size);
	pthread_mutex_unlock(&fs.lock);
}

static int lookup(fuse_ino_t parent, const char *name, struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param entry = {0};
	char path[4096];
	struct node *node, **bucket;
	int fd = openat(fd_of(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fstat(fd, &entry.attr)) {
		close(fd);
		return errno;
	}
	bucket = &fs.nodes[(entry.attr.st_ino ^ entry.attr.st_dev) % BUCKETS];
	pthread_mutex_lock(&fs.lock);
	for (node = *bucket; node; node = node->next)
		if (node->inode == entry.attr.st_ino && node->device == entry.attr.st_dev)
			break;
	if (node) {
		close(fd);
	} else {
		node = calloc(1, sizeof(*node));
		if (!node)
			abort();
		node->fd = fd;
		node->device = entry.attr.st_dev;
		node->inode = entry.attr.st_ino;
		node->next = *bucket;
		*bucket = node;
	}
	node->lookups++;
	path_of(node_of(parent), name, path, sizeof(path));
	if (!node->path || strcmp(node->path, path) != 0) {
		free(node->path);
		node->path = strdup(path);
		if (!node->path)
			abort();
	}
	pthread_mutex_unlock(&fs.lock);
	entry.ino = (fuse_ino_t)(uintptr_t)node;
	*ret_entry = entry;
	return 0;
}

void passthrough_forget(fuse_ino_t number, uint64_t count)
{
	struct node *node = node_of(number), **link;

	if (node == &fs.root)
		return;
	pthread_mutex_lock(&fs.lock);
	node->lookups -= count;
	if (node->lookups == 0) {
		link = &fs.nodes[(node->inode ^ node->device) % BUCKETS];
		while (*link != node)
			link = &(*link)->next;
		*link = node->next;
		close(node->fd);
		free(node->path);
		free(node);
	}
	pthread_mutex_unlock(&fs.lock);
}

/* A path by which the node itself can be opened or changed, not a link that it may be. */
static const char *self(fuse_ino_t number, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd_of(number));
	return path;
}

static void reply_entry(struct call *call, int error)
{
	struct fuse_entry_param entry;

	if (error == 0)
		error = lookup(call->op == FAULT_LINK ? call->node2 : call->node,
		               call->op == FAULT_LINK ? call->name2 : call->name, &entry);
	if (error)
		fuse_reply_err(call->req, error);
	else
		fuse_reply_entry(call->req, &entry);
}

static void reply_attributes(struct call *call)
{
	struct stat attributes;

	if (fstat(fd_of(call->node), &attributes))
		fuse_reply_err(call->req, errno);
	else
		fuse_reply_attr(call->req, &attributes, 0);
}

static int set_attributes(struct call *call)
{
	const struct stat *new = &call->attributes;
	char path[32];
	int set = call->flags;

	self(call->node, path);
	if ((set & FUSE_SET_ATTR_MODE) && chmod(path, new->st_mode))
		return errno;
	if ((set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) &&
	    fchownat(fd_of(call->node), "", set & FUSE_SET_ATTR_UID ? new->st_uid : (uid_t)-1,
	             set & FUSE_SET_ATTR_GID ? new->st_gid : (gid_t)-1, AT_EMPTY_PATH))
		return errno;
	if ((set & FUSE_SET_ATTR_SIZE) && truncate(path, new->st_size))
		return errno;
	if (set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

		if (set & FUSE_SET_ATTR_ATIME_NOW)
			times[0].tv_nsec = UTIME_NOW;
		else if (set & FUSE_SET_ATTR_ATIME)
			times[0] = new->st_atim;
		if (set & FUSE_SET_ATTR_MTIME_NOW)
			times[1].tv_nsec = UTIME_NOW;
		else if (set & FUSE_SET_ATTR_MTIME)
			times[1] = new->st_mtim;
		if (utimensat(fd_of(call->node), "", times, AT_EMPTY_PATH))
			return errno;
	}
	return 0;
}

/* The kernel gives offsets and follows links itself, and our own buffers are not aligned. */
static int open_flags(int flags)
{
	return (flags & ~(O_APPEND | O_DIRECT | O_NOFOLLOW)) | O_CLOEXEC;
}

static void reply_open(struct call *call)
{
	struct fuse_entry_param entry;
	char path[32];
	int fd, error;

	if (call->op == FAULT_CREATE)
		fd = openat(fd_of(call->node), call->name, open_flags(call->file.flags) | O_CREAT,
		            call->mode);
	else
		fd = open(self(call->node, path), open_flags(call->file.flags));
	if (fd < 0) {
		fuse_reply_err(call->req, errno);
		return;
	}
	call->file.fh = (uint64_t)fd;
	call->file.direct_io = !fs.cached;
	call->file.keep_cache = 0;
	if (call->op == FAULT_OPEN) {
		/* When whoever asked has gone, nobody will ever release it. */
		if (fuse_reply_open(call->req, &call->file))
			close(fd);
		return;
	}
	error = lookup(call->node, call->name, &entry);
	if (error)
		fuse_reply_err(call->req, error);
	if (error || fuse_reply_create(call->req, &entry, &call->file))
		close(fd);
}

static void reply_read(struct call *call)
{
	char *data = malloc(call->size ? call->size : 1);
	size_t size = call->size;
	ssize_t got;

	if (!data)
		abort();
	if (call->action == FAULT_SHORT && call->value < size)
		size = call->value;
	got = pread((int)call->file.fh, data, size, call->offset);
	if (got < 0) {
		fuse_reply_err(call->req, errno);
	} else {
		if (call->action == FAULT_FLIP && (off_t)call->value >= call->offset &&
		    (off_t)call->value < call->offset + got)
			data[(off_t)call->value - call->offset] ^= 1;
		fuse_reply_buf(call->req, data, (size_t)got);
	}
	free(data);
}

static void reply_write(struct call *call)
{
	size_t size = call->size;
	ssize_t put;

	if (call->action == FAULT_SHORT && call->value < size)
		size = call->value;
	if (call->action == FAULT_FLIP && (off_t)call->value >= call->offset &&
	    (off_t)call->value < call->offset + (off_t)size)
		call->data[(off_t)call->value - call->offset] ^= 1;
	put = pwrite((int)call->file.fh, call->data, size, call->offset);
	if (put < 0)
		fuse_reply_err(call->req, errno);
	else
		fuse_reply_write(call->req, (size_t)put);
}

static void reply_opendir(struct call *call)
{
	int fd = openat(fd_of(call->node), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		fuse_reply_err(call->req, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	call->file.fh = (uint64_t)(uintptr_t)directory;
	if (fuse_reply_open(call->req, &call->file))
		closedir(directory);
}

void passthrough_closedir(const struct fuse_file_info *file)
{
	closedir((DIR *)(uintptr_t)file->fh);
}

static void reply_readdir(struct call *call)
{
	DIR *directory = (DIR *)(uintptr_t)call->file.fh;
	char *data = malloc(call->size);
	const struct dirent *entry;
	size_t used = 0;

	if (!data)
		abort();
	seekdir(directory, call->offset);
	while ((entry = readdir(directory))) {
		struct stat attributes = {.st_ino = entry->d_ino,
		                          .st_mode = (mode_t)entry->d_type << 12};
		size_t size = fuse_add_direntry(call->req, data + used, call->size - used,
		                                entry->d_name, &attributes, telldir(directory));

		if (size > call->size - used)
			break;
		used += size;
	}
	fuse_reply_buf(call->req, data, used);
	free(data);
}

static void reply_readlink(struct call *call)
{
	char target[4096];
	ssize_t length = readlinkat(fd_of(call->node), "", target, sizeof(target) - 1);

	if (length < 0) {
		fuse_reply_err(call->req, errno);
		return;
	}
	target[length] = '\0';
	fuse_reply_readlink(call->req, target);
}

static void reply_statfs(struct call *call)
{
	struct statvfs space;
	char path[32];

	if (statvfs(self(call->node, path), &space))
		fuse_reply_err(call->req, errno);
	else
		fuse_reply_statfs(call->req, &space);
}

/* What is answered by an errno alone. */
static int simple(struct call *call)
{
	int file = (int)call->file.fh, copy;

	switch (call->op) {
	case FAULT_UNLINK:
		return unlinkat(fd_of(call->node), call->name, 0) ? errno : 0;
	case FAULT_RMDIR:
		return unlinkat(fd_of(call->node), call->name, AT_REMOVEDIR) ? errno : 0;
	case FAULT_RENAME:
		return renameat2(fd_of(call->node), call->name, fd_of(call->node2), call->name2,
		                 (unsigned)call->flags)
		               ? errno
		               : 0;
	case FAULT_FLUSH:
		/* Closing a copy tells the file system below, and leaves ours open. */
		copy = dup(file);
		return copy < 0 || close(copy) ? errno : 0;
	case FAULT_RELEASE:
		close(file);
		return 0;
	case FAULT_FSYNC:
		return (call->flags ? fdatasync(file) : fsync(file)) ? errno : 0;
	case FAULT_FSYNCDIR:
		return fsync(dirfd((DIR *)(uintptr_t)call->file.fh)) ? errno : 0;
	case FAULT_FALLOCATE:
		return fallocate(file, call->flags, call->offset, (off_t)call->size) ? errno : 0;
	default:
		return ENOSYS;
	}
}

void passthrough_perform(struct call *call)
{
	int parent = fd_of(call->node), error;
	char path[32];

	switch (call->op) {
	case FAULT_LOOKUP:
		reply_entry(call, 0);
		break;
	case FAULT_MKNOD:
		error = mknodat(parent, call->name, call->mode, call->device) ? errno : 0;
		reply_entry(call, error);
		break;
	case FAULT_MKDIR:
		reply_entry(call, mkdirat(parent, call->name, call->mode) ? errno : 0);
		break;
	case FAULT_SYMLINK:
		reply_entry(call, symlinkat(call->name2, parent, call->name) ? errno : 0);
		break;
	case FAULT_LINK:
		error = linkat(AT_FDCWD, self(call->node, path), fd_of(call->node2), call->name2,
		               AT_SYMLINK_FOLLOW)
		                ? errno
		                : 0;
		reply_entry(call, error);
		break;
	case FAULT_GETATTR:
		reply_attributes(call);
		break;
	case FAULT_SETATTR:
		error = set_attributes(call);
		if (error)
			fuse_reply_err(call->req, error);
		else
			reply_attributes(call);
		break;
	case FAULT_OPEN:
	case FAULT_CREATE:
		reply_open(call);
		break;
	case FAULT_READ:
		reply_read(call);
		break;
	case FAULT_WRITE:
		reply_write(call);
		break;
	case FAULT_OPENDIR:
		reply_opendir(call);
		break;
	case FAULT_READDIR:
		reply_readdir(call);
		break;
	case FAULT_READLINK:
		reply_readlink(call);
		break;
	case FAULT_STATFS:
		reply_statfs(call);
		break;
	default:
		fuse_reply_err(call->req, simple(call));
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * How a processor gets at the file of its item: whether the object is one at all, and from which
 * directory and by which name ops reach it. Nothing else may hand a part of an object's path to the
 * kernel: `path` as a whole may be longer than a system call takes, and the directories in it may
 * have been replaced since the source went through them.
 */
#ifndef PROCESSOR_FILE_H
#define PROCESSOR_FILE_H

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include <iobatch.h>

/* The item's object; NULL when it is none of struct iobatch_file. */
static inline const struct iobatch_file *file_object(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;

	if (item->object_size <= offsetof(struct iobatch_file, path) ||
	    object->path_length >= IOBATCH_PATH_MAX || object->extra_length > IOBATCH_EXTRA_MAX ||
	    item->object_size < iobatch_file_size(object) ||
	    object->path[object->path_length] != '\0' || object->relative > object->path_length)
		return NULL;
	/* The name by which a link's target is reached stands behind the path of the link. */
	if (object->name > object->path_length &&
	    (object->name > object->path_length + object->extra_length ||
	     object->path[object->path_length + object->extra_length] != '\0'))
		return NULL;
	return object;
}

/* The name by which ops reach the file from file_dirfd(): one component when that is a directory
 * that the source holds open, otherwise the whole path. */
static inline const char *file_name(const struct iobatch_file *object)
{
	return object->path + object->name;
}

static inline int file_dirfd(const struct iobatch_file *object)
{
	return object->directory ? object->dirfd : AT_FDCWD;
}

/* The last component of the path, for temporary names and the like. */
static inline const char *file_last_component(const struct iobatch_file *object)
{
	const char *slash = strrchr(file_name(object), '/');

	return slash ? slash + 1 : file_name(object);
}

/* The op with the object's file as its `path`. */
static inline struct iobatch_op file_at(const struct iobatch_file *object, struct iobatch_op op)
{
	op.dirfd = file_dirfd(object);
	op.path = file_name(object);
	op.device = object->device;
	return op;
}

/* What an earlier run has found out about the file: object->known_length bytes. */
static inline const char *file_note(const struct iobatch_file *object)
{
	return object->path + object->path_length + 1 + object->extra_length;
}

/* The item's place in its source, the same however much of that a run that is resumed leaves out. */
static inline uint64_t file_number(const struct iobatch_item *item)
{
	const struct iobatch_file *object = file_object(item);

	return item->index + (object ? object->left_out : 0);
}

/* The same for the second path of an op that has two. */
static inline struct iobatch_op file_at2(const struct iobatch_file *object, struct iobatch_op op)
{
	op.dirfd2 = file_dirfd(object);
	op.path2 = file_name(object);
	return op;
}

/*
 * O_NOFOLLOW where no symbolic link may be followed: below a directory that the source holds open,
 * and where it has said that the name itself is a file or a link. Any other name may be a link to
 * what is meant, such as a root that was given on the command line.
 */
static inline uint32_t file_open_flags(const struct iobatch_file *object)
{
	bool itself = object->type == DT_REG || object->type == DT_LNK;

	return object->directory || itself ? O_NOFOLLOW : 0;
}

/* The same as a flag of the ops that take AT_*. */
static inline uint32_t file_at_flags(const struct iobatch_file *object)
{
	return file_open_flags(object) ? AT_SYMLINK_NOFOLLOW : 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The public face of the item sources: hands out the items of any kind of source as a stream, and
 * keeps the record of what was left out. Once a source has ended it stays ended. This part does not
 * know where the items of a kind come from.
 */
#include "source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "directory.h"

void source_init(struct iobatch_source *source, const struct source_kind *kind, uint64_t count)
{
	*source = (struct iobatch_source){.kind = kind, .count = count};
}

int source_run_ahead(struct iobatch_source *source)
{
	return ahead_new(source, &source->ahead);
}

void source_flush(struct iobatch_source *source)
{
	if (source->ahead)
		ahead_flush(source->ahead);
}

int source_leave_out(struct iobatch_source *source, int error, const char *directory,
                     const char *name)
{
	assert(error < 0);

	if (source->errors == 0) {
		size_t directory_length = strlen(directory);
		size_t name_length = name ? strlen(name) : 0;
		char *path = malloc(directory_length + 1 + name_length + 1);
		char *at = path;

		if (!path)
			return -ENOMEM;
		memcpy(at, directory, directory_length);
		at += directory_length;
		if (name && directory_length && at[-1] != '/')
			*at++ = '/';
		if (name)
			memcpy(at, name, name_length);
		at[name_length] = '\0';
		source->first_path = path;
		source->first_error = error;
	}
	source->errors++;
	return 0;
}

size_t source_name_start(const char *path, size_t length)
{
	size_t start = length;

	while (start && path[start - 1] == '/')
		start--;
	/* Nothing but slashes: the root of the file system, which has no name. */
	if (!start)
		return length;
	while (start && path[start - 1] != '/')
		start--;
	return start;
}

void source_fill(struct iobatch_file *file, const char *path, size_t length)
{
	assert(length < IOBATCH_PATH_MAX);

	file->offset = 0;
	file->length = 0;
	file->fd = -1;
	file->type = 0; /* DT_UNKNOWN */
	file->device = 0;
	file->directory = NULL;
	file->dirfd = AT_FDCWD;
	file->flags = 0;
	file->extra_length = 0;
	file->known_length = 0;
	file->left_out = 0;
	file->root = 0;
	file->name = 0;
	file->relative = (uint32_t)source_name_start(path, length);
	file->path_length = (uint32_t)length;
	memcpy(file->path, path, length);
	file->path[length] = '\0';
}

void source_place(struct iobatch_source *source, struct iobatch_file *file,
                  struct iobatch_directory *directory, size_t name)
{
	directory_use(directory);
	source->out++;
	file->directory = directory;
	file->dirfd = directory->fd;
	file->device = directory->device;
	file->name = (uint32_t)name;
}

void source_take_back(struct iobatch_source *source, const struct iobatch_file *file)
{
	if (!file->directory)
		return;
	if (source->kind->released)
		source->kind->released(source, file);
	directory_unuse(file->directory);
	source->out--;
}

bool source_keeps(struct iobatch_source *source, struct iobatch_file *file)
{
	file->left_out = source->left_out;
	if (!source->keep || source->keep(source->keep_context, file))
		return true;
	source->left_out++;
	source_take_back(source, file);
	return false;
}

int iobatch_file_know(struct iobatch_file *file, const char *note, size_t length)
{
	if (length > IOBATCH_NOTE_MAX)
		return -EINVAL;
	if (length)
		memcpy(file->path + file->path_length + 1 + file->extra_length, note, length);
	file->known_length = (uint16_t)length;
	return 0;
}

int iobatch_source_filter(struct iobatch_source *source,
                          bool (*keep)(void *context, struct iobatch_file *file), void *context)
{
	/* Whoever takes the items is not to wait for what `keep` looks at. */
	int err = source->ahead ? 0 : source_run_ahead(source);

	if (err)
		return err;
	source->keep = keep;
	source->keep_context = context;
	return 0;
}

static ssize_t source_next(void *context, void *object)
{
	struct iobatch_source *source = context;
	struct iobatch_file *file = object;

	if (!source->ended) {
		int rc = source->ahead ? ahead_next(source->ahead, file)
		                       : source->kind->next(source, file);

		if (rc > 0)
			return (ssize_t)iobatch_file_size(file);
		if (rc == -EAGAIN)
			return rc;
		source->ended = true;
		source->end = rc;
	}
	return source->end;
}

static void source_release(void *context, void *object)
{
	struct iobatch_source *source = context;

	source_take_back(source, object);
	ahead_released(source->ahead);
}

static void source_listen(void *context, void (*wake)(void *waker), void *waker)
{
	struct iobatch_source *source = context;

	ahead_listen(source->ahead, wake, waker);
}

struct iobatch_items iobatch_source_items(struct iobatch_source *source)
{
	struct iobatch_items items =
		iobatch_items_stream(source_next, source, sizeof(struct iobatch_file));

	items.count = source->keep ? IOBATCH_UNKNOWN : source->count;
	if (source->ahead) {
		items.release = source_release;
		items.listen = source_listen;
	}
	return items;
}

uint64_t iobatch_source_errors(const struct iobatch_source *source, int *ret_error,
                               const char **ret_path)
{
	uint64_t errors = source->errors;

	if (errors && ret_error)
		*ret_error = source->first_error;
	if (errors && ret_path)
		*ret_path = source->first_path;
	return errors;
}

void iobatch_source_free(struct iobatch_source *source)
{
	struct ahead *ahead;
	char *first_path;

	if (!source)
		return;
	ahead = source->ahead;
	/* A thread that hangs in a dead file system keeps all that it may come back to. */
	if (ahead && !ahead_stop(ahead))
		return;
	first_path = source->first_path;
	source->kind->free(source);
	ahead_free(ahead);
	free(first_path);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns where an item is copied to: its path below the destination, cut into the directory and the
 * name in it, and its temporary name there. Invariant: the path has no component that leads out of
 * the destination. It does not know what is there.
 */
#include <errno.h>
#include <string.h>

#include "processor/copy.h"
#include "processor/temporary.h"

static bool leads_out(const char *path, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t end = at;

		while (end < length && path[end] != '/')
			end++;
		if (end - at == 2 && path[at] == '.' && path[at + 1] == '.')
			return true;
		at = end + 1;
	}
	return false;
}

const char *copy_path(const struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	const struct copy_state *state = item->state;

	return object->path + state->path;
}

static int make_name(const struct copy_processor *copy, struct iobatch_item *item)
{
	const struct copy_state *state = item->state;
	struct copy_scratch *scratch = item->scratch;
	const char *path = copy_path(item), *name = path + state->path_length;
	struct temporary temporary = {.mark = copy->options.mark};
	size_t length;

	if (state->is_root) {
		/* Without a name it can be a directory only, which needs none. */
		name = copy->base_name ? copy->base_name : ".";
		length = strlen(name);
	} else {
		while (name > path && name[-1] != '/')
			name--;
		length = (size_t)(path + state->path_length - name);
	}
	if (length >= sizeof(scratch->name))
		return -ENAMETOOLONG;
	memcpy(scratch->name, name, length);
	scratch->name[length] = '\0';
	/* Each attempt has a temporary name of its own. */
	temporary.seed = copy->seed + item->attempt;
	return temporary_name(scratch->name, length, item->index, temporary, scratch->temporary,
	                      sizeof(scratch->temporary));
}

int copy_names(const struct copy_processor *copy, struct iobatch_item *item)
{
	const struct iobatch_file *object = item->object;
	struct copy_state *state = item->state;
	const char *path = path_begin(object->path + object->relative);

	state->path = (uint32_t)(path - object->path);
	state->path_length = path_trim(path, (uint32_t)strlen(path));
	if (leads_out(path, state->path_length))
		return iobatch_item_fail(item, &copy_outside);
	state->is_root = state->path_length == 0;
	state->parent_length = path_parent(path, state->path_length);
	return make_name(copy, item);
}

/* SPDX-License-Identifier: MIT */
/*
 * Owns how a copy or move processor is made: its options are checked, and the destination is found.
 * Its directory, and the destination itself when it is there, are opened here and once: whatever
 * becomes of the path later, the copy goes there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/abi.h"
#include "processor/copy.h"
#include "processor/temporary.h"

/* Ops of the longest chain without lanes: the one that syncs, closes and renames. */
#define CHAIN_MIN 10u

#define PRESERVE_ALL                                                               \
	(IOBATCH_PRESERVE_MODE | IOBATCH_PRESERVE_OWNER | IOBATCH_PRESERVE_TIMES | \
	 IOBATCH_PRESERVE_LINKS | IOBATCH_PRESERVE_XATTRS | IOBATCH_PRESERVE_ACLS)

/* ---------------------------------------------------------- destination -- */

static bool is_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The directory that the destination is in: 0, a descriptor in *ret_fd, or -1 when it has none. */
static int open_base(struct copy_processor *copy, int *ret_fd)
{
	char *slash = strrchr(copy->destination, '/');
	const char *name = slash ? slash + 1 : copy->destination, *base = ".";
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd;

	*ret_fd = -1;
	if (!is_name(name))
		return 0;
	if (slash)
		base = slash == copy->destination ? "/" : copy->destination;
	if (base == copy->destination)
		*slash = '\0';
	fd = open(base, flags);
	if (base == copy->destination)
		*slash = '/';
	if (fd < 0)
		return -errno;
	copy->base_name = name;
	*ret_fd = fd;
	return 0;
}

static int device_of(int fd, uint64_t *ret_device)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	*ret_device = status.st_dev;
	return 0;
}

static int init_base(struct copy_processor *copy)
{
	uint64_t device = 0;
	int result, fd;

	result = open_base(copy, &fd);
	if (result < 0)
		return result;
	if (fd >= 0)
		result = device_of(fd, &device);
	if (result == 0)
		result = places_init(&copy->places, fd, device);
	if (result < 0 && fd >= 0)
		close(fd);
	return result;
}

/* When it is there already, as a directory, it is held from now on. */
static int init_root(struct copy_processor *copy)
{
	int fd = open(copy->destination, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t device = 0;
	int result;

	if (fd < 0) {
		copy->fresh = errno == ENOENT;
		/* Whatever else it is, an item may take its place. */
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	}
	result = device_of(fd, &device);
	if (result < 0) {
		close(fd);
		return result;
	}
	copy->root = places_pin(&copy->places, "", 0, fd, device);
	return copy->root ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------ the process -- */

/* umask(2) cannot be asked for without setting it, which other threads would notice. */
static uint32_t read_umask(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	unsigned mask = 077;

	if (!file)
		return mask;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	}
	fclose(file);
	return mask;
}

/* ----------------------------------------------------------- construction -- */

static void init_processor(struct copy_processor *copy)
{
	const struct iobatch_copy_options *options = &copy->options;

	copy->copy_plan = (struct reader_plan){
		.block_size = options->block_size,
		.depth = options->depth,
		.take = copy_data_take,
		.context = copy,
	};
	copy->sum_plan = copy->copy_plan;
	copy->sum_plan.take = copy_sum_take;
	copy->processor = copy_callbacks;
	copy->processor.name = copy->moving ? "move" : "copy";
	copy->processor.context = copy;
	copy->processor.chain_ops_max = options->depth > CHAIN_MIN ? options->depth : CHAIN_MIN;
	copy->processor.buffer_size = options->block_size;
	copy->processor.buffers_max = options->depth;
	copy->user = geteuid();
	copy->umask = read_umask();
	copy->syncs_renames = options->fsync == IOBATCH_FSYNC_FULL;
	if (copy->moving)
		copy->options.fsync = IOBATCH_FSYNC_FULL;
}

static int init(struct copy_processor *copy)
{
	bool sync = copy->options.fsync == IOBATCH_FSYNC_FULL;
	int result;

	init_processor(copy);
	result = temporary_seed(&copy->seed);
	if (result < 0)
		return result;
	result = init_base(copy);
	if (result < 0)
		return result;
	result = directories_init(&copy->directories, 0777 & ~copy->umask, sync);
	if (result < 0)
		goto no_directories;
	result = copy_links_init(&copy->links);
	if (result < 0)
		goto no_links;
	result = init_root(copy);
	if (result < 0)
		goto no_root;
	copy_abilities_init(&copy->abilities);
	return 0;

no_root:
	copy_links_deinit(&copy->links);
no_links:
	directories_deinit(&copy->directories);
no_directories:
	places_deinit(&copy->places);
	return result;
}

static bool options_are_sound(const struct iobatch_copy_options *options)
{
	return options->destination && *options->destination &&
	       reader_check(options->block_size, options->depth) == 0 &&
	       options->reflink <= IOBATCH_REFLINK_NEVER && !(options->preserve & ~PRESERVE_ALL) &&
	       options->existing <= IOBATCH_EXISTING_FAIL && options->fsync <= IOBATCH_FSYNC_FULL &&
	       options->special <= 1 && options->update <= 1 && options->checksum <= 1 &&
	       options->verify <= 1 && options->preallocate <= 1 && options->direct <= 1 &&
	       options->keep_cache <= 1;
}

int copy_new(const struct iobatch_copy_options *given, bool moving,
             struct iobatch_processor **ret_processor)
{
	struct iobatch_copy_options options = IOBATCH_COPY_OPTIONS_INIT;
	struct copy_processor *copy;
	size_t length;
	int result;

	if (!given || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (!options_are_sound(&options))
		return -EINVAL;
	length = strlen(options.destination);
	while (length > 1 && options.destination[length - 1] == '/')
		length--;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	copy = calloc(1, sizeof(*copy) + length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy->destination, options.destination, length);
	copy->options = options;
	copy->options.destination = copy->destination;
	copy->moving = moving;
	result = init(copy);
	if (result < 0) {
		free(copy);
		return result;
	}
	*ret_processor = &copy->processor;
	return 0;
}

int iobatch_copy_new(const struct iobatch_copy_options *options,
                     struct iobatch_processor **ret_processor)
{
	return copy_new(options, false, ret_processor);
}

/* SPDX-License-Identifier: MIT */
/*
 * Do two files share all of their blocks on the disk?
 *
 *     shared_extents A B      exit status 0: yes; 1: no; 2: the file system does not say
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "make.h"

#define EXTENTS 512

static struct fiemap *extents_of(const char *path)
{
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENTS * sizeof(struct fiemap_extent));
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (!map || fd < 0)
		err(2, "%s", path);
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, map))
		err(2, "%s", path);
	close(fd);
	return map;
}

static int are_shared(const struct fiemap *a, const struct fiemap *b)
{
	if (a->fm_mapped_extents == 0 || a->fm_mapped_extents != b->fm_mapped_extents)
		return 0;
	for (uint32_t i = 0; i < a->fm_mapped_extents; i++) {
		if (a->fm_extents[i].fe_physical != b->fm_extents[i].fe_physical ||
		    a->fm_extents[i].fe_length != b->fm_extents[i].fe_length ||
		    !(a->fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED))
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct fiemap *a, *b;
	int shared;

	if (argc != 3)
		errx(2, "usage: shared_extents A B");
	a = extents_of(argv[1]);
	b = extents_of(argv[2]);
	shared = are_shared(a, b);
	free(a);
	free(b);
	return !shared;
}

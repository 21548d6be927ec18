/* SPDX-License-Identifier: MIT */
/*
 * Are two trees the same in everything that a copy can keep?
 *
 *     same_tree [--but WHAT,...] A B
 *
 * Type, mode, owner, group, size, modification time to the nanosecond (of all, symbolic links too),
 * content, holes, device number, target, extended attributes with ACLs, and which names are of one
 * inode. Prints what differs, a line each, and exits with 1; prints nothing when nothing does. WHAT
 * is left out: mode, owner, mtime, content, holes, xattrs, links, special (files that are neither
 * regular nor directories nor symbolic links) or vanished (what is only in A). --and atime compares
 * the access times too, before anything is read.
 *
 * Of the same kind as what it checks, it never opens a path, follows no link, and opens nothing but
 * regular files and directories, which it leaves with the access times that they had.
 */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "make.h"

enum {
	MODE = 1,
	OWNER = 2,
	MTIME = 4,
	CONTENT = 8,
	HOLES = 16,
	XATTRS = 32,
	LINKS = 64,
	SPECIAL = 128,
	VANISHED = 256,
	ATIME = 512,
};

static const char *const words[] = {"mode",   "owner", "mtime",   "content",  "holes",
                                    "xattrs", "links", "special", "vanished", "atime"};

static unsigned looked_at =
	MODE | OWNER | MTIME | CONTENT | HOLES | XATTRS | LINKS | SPECIAL | VANISHED;
static unsigned long differences;
static unsigned long entries;

/* The way to the directory at hand, for people. */
static char *path;
static size_t path_length, path_size;

static void differ(const char *name, const char *what)
{
	char *text;

	differences++;
	if (differences > 100)
		return;
	if (asprintf(&text, "%.*s%s", (int)path_length, path, name) < 0)
		err(2, "memory");
	for (char *at = text; *at; at++) {
		if (*at == '\n' || *at == '\033')
			printf("\\%03o", *at);
		else
			putchar(*at);
	}
	printf(": %s\n", what);
	free(text);
}

/* Inodes of A with more than one name, and which inode of B they are. */
static struct inode {
	dev_t device;
	ino_t inode, other;
} * inodes;
static size_t inode_count;

static void links_agree(const char *name, const struct stat *a, const struct stat *b)
{
	if (a->st_nlink != b->st_nlink)
		differ(name, "number of links");
	if (a->st_nlink < 2)
		return;
	for (size_t i = 0; i < inode_count; i++) {
		bool same_a = inodes[i].inode == a->st_ino && inodes[i].device == a->st_dev;

		if (same_a && inodes[i].other != b->st_ino)
			differ(name, "is no hard link any more");
		if (same_a)
			return;
		if (inodes[i].other == b->st_ino)
			differ(name, "is a hard link of another");
	}
	inodes = reallocarray(inodes, inode_count + 1, sizeof(*inodes));
	if (!inodes)
		err(2, "memory");
	inodes[inode_count++] = (struct inode){a->st_dev, a->st_ino, b->st_ino};
}

static bool same_bytes(int a, int b, off_t offset, off_t end)
{
	static char blocks[2][1 << 17];

	while (offset < end) {
		size_t size = (size_t)(end - offset) < sizeof(blocks[0]) ? (size_t)(end - offset)
		                                                         : sizeof(blocks[0]);

		if (pread(a, blocks[0], size, offset) != (ssize_t)size ||
		    pread(b, blocks[1], size, offset) != (ssize_t)size ||
		    memcmp(blocks[0], blocks[1], size) != 0)
			return false;
		offset += (off_t)size;
	}
	return true;
}

/* The first range of data at or behind `offset`; at the end an empty one. */
static void next_data(int fd, off_t offset, off_t size, off_t *ret_start, off_t *ret_end)
{
	*ret_start = lseek(fd, offset, SEEK_DATA);
	*ret_end = *ret_start < 0 ? -1 : lseek(fd, *ret_start, SEEK_HOLE);
	if (*ret_start < 0 || *ret_end < 0)
		*ret_start = *ret_end = size;
}

/* A range that is data in one of them is read in both. */
static void content_agrees(const char *name, int a, int b, off_t size)
{
	off_t offset = 0, starts[2], ends[2], start, end;

	while (offset < size) {
		next_data(a, offset, size, &starts[0], &ends[0]);
		next_data(b, offset, size, &starts[1], &ends[1]);
		start = starts[0] < starts[1] ? starts[0] : starts[1];
		end = starts[0] < starts[1] ? ends[0] : ends[1];
		if (start >= size)
			break;
		if (!same_bytes(a, b, start, end < size ? end : size)) {
			differ(name, "content");
			break;
		}
		offset = end;
	}
}

/* A hole of A of a page and more is one in B. Blocks of the two file systems may differ. */
static void holes_agree(const char *name, int a, int b, off_t size)
{
	const off_t page = 4096;
	off_t offset = 0, start, end, data, data_end;

	while (offset < size) {
		next_data(a, offset, size, &start, &end);
		/* From `offset` to `start` is a hole. */
		offset = (offset + page - 1) / page * page;
		if (start / page * page > offset) {
			next_data(b, offset, size, &data, &data_end);
			if (data < start / page * page) {
				differ(name, "a hole was filled");
				return;
			}
		}
		offset = end;
	}
}

/* The names of all attributes, each ended by a NUL, in `names`; how many bytes. */
static size_t attribute_names(const char *file, char *names, size_t size)
{
	ssize_t length = llistxattr(file, names, size);

	return length < 0 ? 0 : (size_t)length;
}

static void xattrs_agree(const char *name, const char *a, const char *b)
{
	static char names[2][65536], values[2][65536], what[400];
	size_t lengths[2] = {attribute_names(a, names[0], sizeof(names[0])),
	                     attribute_names(b, names[1], sizeof(names[1]))};

	for (int side = 0; side < 2; side++) {
		for (size_t at = 0; at < lengths[side]; at += strlen(names[side] + at) + 1) {
			const char *key = names[side] + at;
			ssize_t sizes[2] = {lgetxattr(a, key, values[0], sizeof(values[0])),
			                    lgetxattr(b, key, values[1], sizeof(values[1]))};

			if (sizes[0] == sizes[1] &&
			    (sizes[0] < 0 || !memcmp(values[0], values[1], (size_t)sizes[0])))
				continue;
			if (side == 1 && sizes[0] >= 0)
				continue; /* told */
			snprintf(what, sizeof(what), "attribute %s", key);
			differ(name, what);
		}
	}
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void stats_agree(const char *name, const struct stat *a, const struct stat *b)
{
	if ((looked_at & MODE) && !S_ISLNK(a->st_mode) && a->st_mode != b->st_mode)
		differ(name, "mode");
	if ((looked_at & OWNER) && (a->st_uid != b->st_uid || a->st_gid != b->st_gid))
		differ(name, "owner");
	if ((looked_at & MTIME) && !same_time(&a->st_mtim, &b->st_mtim))
		differ(name, "modification time");
	if ((looked_at & ATIME) && !S_ISDIR(a->st_mode) && !same_time(&a->st_atim, &b->st_atim))
		differ(name, "access time");
	if (!S_ISDIR(a->st_mode) && a->st_size != b->st_size)
		differ(name, "size");
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
		differ(name, "device");
	if ((looked_at & LINKS) && !S_ISDIR(a->st_mode))
		links_agree(name, a, b);
}

static void targets_agree(const char *name, int a, int b)
{
	static char targets[2][4097];
	ssize_t lengths[2] = {readlinkat(a, name, targets[0], sizeof(targets[0])),
	                      readlinkat(b, name, targets[1], sizeof(targets[1]))};

	if (lengths[0] < 0 || lengths[0] != lengths[1] ||
	    memcmp(targets[0], targets[1], (size_t)lengths[0]) != 0)
		differ(name, "target");
}

static void files_agree(const char *name, int a, int b, off_t size)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOATIME;
	int files[2] = {openat(a, name, flags), openat(b, name, flags)};

	if (files[0] < 0 || files[1] < 0) {
		differ(name, "cannot be opened");
	} else {
		if (looked_at & CONTENT)
			content_agrees(name, files[0], files[1], size);
		if (looked_at & HOLES)
			holes_agree(name, files[0], files[1], size);
	}
	close(files[0]);
	close(files[1]);
}

/* The names in a directory, in order. */
static char **list(int fd, size_t *ret_count)
{
	DIR *directory = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	if (!directory)
		err(2, "directory");
	rewinddir(directory);
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (count % 64 == 0)
			names = reallocarray(names, count + 64, sizeof(*names));
		if (!names || !(names[count++] = strdup(entry->d_name)))
			err(2, "memory");
	}
	closedir(directory);
	*ret_count = count;
	return names;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void directories_agree(int a, int b);

static void enter(const char *name, int a, int b)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME;
	int fds[2] = {openat(a, name, flags), openat(b, name, flags)};
	size_t length = path_length;

	if (fds[0] < 0 || fds[1] < 0) {
		differ(name, "cannot be opened");
	} else {
		if (path_length + strlen(name) + 2 > path_size) {
			path_size = path_size * 2 + 1024;
			path = realloc(path, path_size);
			if (!path)
				err(2, "memory");
		}
		path_length += (size_t)sprintf(path + path_length, "%s/", name);
		directories_agree(fds[0], fds[1]);
		path_length = length;
	}
	close(fds[0]);
	close(fds[1]);
}

static void entries_agree(const char *name, int a, int b)
{
	/* Not on the stack, for trees are deep. */
	static char files[2][300];
	struct stat stats[2];

	entries++;
	if (fstatat(a, name, &stats[0], AT_SYMLINK_NOFOLLOW) ||
	    fstatat(b, name, &stats[1], AT_SYMLINK_NOFOLLOW)) {
		differ(name, "cannot be looked at");
		return;
	}
	if ((stats[0].st_mode & S_IFMT) != (stats[1].st_mode & S_IFMT)) {
		differ(name, "type");
		return;
	}
	stats_agree(name, &stats[0], &stats[1]);
	snprintf(files[0], sizeof(files[0]), "/proc/self/fd/%d/%s", a, name);
	snprintf(files[1], sizeof(files[1]), "/proc/self/fd/%d/%s", b, name);
	if (looked_at & XATTRS)
		xattrs_agree(name, files[0], files[1]);
	if (S_ISREG(stats[0].st_mode) && (looked_at & (CONTENT | HOLES)) &&
	    stats[0].st_size == stats[1].st_size)
		files_agree(name, a, b, stats[0].st_size);
	else if (S_ISLNK(stats[0].st_mode))
		targets_agree(name, a, b);
	else if (S_ISDIR(stats[0].st_mode))
		enter(name, a, b);
}

static bool is_left_out(int parent, const char *name)
{
	struct stat stat;

	return !(looked_at & SPECIAL) && !fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) &&
	       !S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode) && !S_ISLNK(stat.st_mode);
}

static void directories_agree(int a, int b)
{
	size_t counts[2], i = 0, j = 0;
	char **lists[2] = {list(a, &counts[0]), list(b, &counts[1])};

	if (counts[0])
		qsort(lists[0], counts[0], sizeof(char *), by_bytes);
	if (counts[1])
		qsort(lists[1], counts[1], sizeof(char *), by_bytes);
	while (i < counts[0] || j < counts[1]) {
		int order = i == counts[0]   ? 1
		            : j == counts[1] ? -1
		                             : strcmp(lists[0][i], lists[1][j]);

		if (order == 0) {
			if (!is_left_out(a, lists[0][i]))
				entries_agree(lists[0][i], a, b);
			i++;
			j++;
		} else if (order < 0) {
			if ((looked_at & VANISHED) && !is_left_out(a, lists[0][i]))
				differ(lists[0][i], "is only in the first");
			i++;
		} else {
			if (!is_left_out(b, lists[1][j]))
				differ(lists[1][j], "is only in the second");
			j++;
		}
	}
	for (int side = 0; side < 2; side++) {
		for (size_t name = 0; name < counts[side]; name++)
			free(lists[side][name]);
		free(lists[side]);
	}
}

static unsigned bits_of(char *list)
{
	unsigned bits = 0;

	for (char *word; (word = strsep(&list, ","));) {
		unsigned i = 0;

		while (i < sizeof(words) / sizeof(words[0]) && strcmp(word, words[i]) != 0)
			i++;
		if (i == sizeof(words) / sizeof(words[0]))
			errx(2, "no such thing: %s", word);
		bits |= 1u << i;
	}
	return bits;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct stat stats[2];
	int fds[2];

	for (; argc > 3; argc -= 2, argv += 2) {
		if (!strcmp(argv[1], "--but"))
			looked_at &= ~bits_of(argv[2]);
		else if (!strcmp(argv[1], "--and"))
			looked_at |= bits_of(argv[2]);
		else
			break;
	}
	if (argc != 3)
		errx(2, "usage: same_tree [--but WHAT,...] [--and WHAT,...] A B");
	/* Two for each level. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int i = 0; i < 2; i++) {
		fds[i] = open(argv[i + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0 || fstat(fds[i], &stats[i]))
			err(2, "%s", argv[i + 1]);
	}
	path_size = 65536;
	path = malloc(path_size);
	if (!path)
		err(2, "memory");
	stats_agree(".", &stats[0], &stats[1]);
	if (looked_at & XATTRS)
		xattrs_agree(".", argv[1], argv[2]);
	directories_agree(fds[0], fds[1]);
	if (differences > 100)
		printf("and %lu more\n", differences - 100);
	if (entries == 0 && differences == 0)
		fprintf(stderr, "same_tree: both are empty\n");
	return differences > 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Attacks a command while it works on a tree, and looks whether it was led out of it:
 *
 *     attack ARENA MANNER ROUNDS HITS COMMAND...
 *
 * In the directory ARENA, which must not be there, are made: `tree`, `source` with the same files,
 * and `sentinel`, which nobody was asked to touch, with the same names and a content of its own.
 * COMMAND is run in ARENA again and again, over a new `tree` each time, until there were as many
 * ROUNDS and HITS: HITS is how often the attack was carried out while a command ran. MANNERs:
 *
 *     swap        directories and files of `tree` are exchanged with links to those of the
 *                 sentinel, and back
 *     source      so are those of `source`
 *     temporary   a name in `tree` that looks like a temporary one becomes a link to a file of the
 *                 sentinel
 *
 * Exit status 0: the sentinel is as it was, down to the time of its last change, and no file of it
 * is found in `tree`, `copy` or the command's output. 1: it is not so, with what was seen; at once.
 * 3: the command did not end with 0 or 1.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIRECTORIES 8
#define FILES 8
#define SECRET "SECRET-of-the-sentinel"

static char arena[PATH_MAX];
static int sentinel_was_read;

static void file(int directory, const char *name, const char *content, size_t length)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static char block[65536];

	if (fd < 0)
		err(2, "%s", name);
	memset(block, '.', sizeof(block));
	memcpy(block, content, strlen(content));
	if (write(fd, block, length) != (ssize_t)length)
		err(2, "%s", name);
	close(fd);
}

static int directory(int parent, const char *name)
{
	int fd;

	if (mkdirat(parent, name, 0700) && errno != EEXIST)
		err(2, "%s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", name);
	return fd;
}

/* Files, and a directory with the same again. */
static void fill(int fd, const char *content, size_t length)
{
	for (int level = 0; level < 2; level++) {
		char name[16];
		int below;

		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			file(fd, name, content, length);
		}
		below = level ? -1 : directory(fd, "q");
		close(fd);
		fd = below;
	}
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)stat;
	(void)type;
	(void)at;
	return remove(path);
}

static void remove_all(const char *path)
{
	struct stat stat;

	if (!lstat(path, &stat) && nftw(path, remove_one, 64, FTW_DEPTH | FTW_PHYS))
		err(2, "remove %s", path);
}

static void make_tree(const char *name, size_t length)
{
	int tree = directory(AT_FDCWD, name);
	char part[16];

	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(part, sizeof(part), "d%d", i);
		fill(directory(tree, part), "harmless", length);
		snprintf(part, sizeof(part), "leaf%d", i);
		file(tree, part, "harmless", length);
	}
	close(tree);
}

/* What the directories and files are exchanged with. */
static void make_attic(void)
{
	int attic;
	char name[16], target[PATH_MAX + 16];

	remove_all("attic");
	attic = directory(AT_FDCWD, "attic");
	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(target, sizeof(target), "%s/sentinel", arena);
		if (symlinkat(target, attic, name))
			err(2, "%s", name);
		snprintf(name, sizeof(name), "leaf%d", i);
		snprintf(target, sizeof(target), "%s/sentinel/f0", arena);
		if (symlinkat(target, attic, name))
			err(2, "%s", name);
	}
	close(attic);
}

/* One line for each file of the sentinel with all that can be changed of it. */
static char *seen;
static size_t seen_size;
static FILE *seen_stream;

static int look_at(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	char content[64] = "";
	int fd;

	(void)at;
	if (type == FTW_F && (fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC)) >= 0) {
		ssize_t got = read(fd, content, sizeof(content) - 1);

		content[got < 0 ? 0 : got] = '\0';
		close(fd);
	}
	fprintf(seen_stream,
	        "%s mode %o owner %u:%u size %jd mtime %jd.%09ld ctime %jd.%09ld links %ju %.30s\n",
	        path, stat->st_mode, stat->st_uid, stat->st_gid, (intmax_t)stat->st_size,
	        (intmax_t)stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec,
	        (intmax_t)stat->st_ctim.tv_sec, stat->st_ctim.tv_nsec, (uintmax_t)stat->st_nlink,
	        content);
	return 0;
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *look(void)
{
	char *lines[1024], *sorted, *rest, *line;
	size_t count = 0, size;
	FILE *stream = open_memstream(&sorted, &size);

	seen_stream = open_memstream(&seen, &seen_size);
	if (!stream || !seen_stream || nftw("sentinel", look_at, 64, FTW_PHYS))
		err(2, "sentinel");
	fclose(seen_stream);
	rest = seen;
	while ((line = strsep(&rest, "\n")) && count < 1024)
		lines[count++] = line;
	qsort(lines, count, sizeof(lines[0]), name_order);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "%s\n", lines[i]);
	fclose(stream);
	free(seen);
	return sorted;
}

static int look_for_secret(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	static char content[1 << 20];
	ssize_t got;
	int fd;

	(void)at;
	if (type != FTW_F || !S_ISREG(stat->st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	got = read(fd, content, sizeof(content));
	close(fd);
	if (got > 0 && memmem(content, (size_t)got, SECRET, strlen(SECRET))) {
		printf("%s has what is the sentinel's\n", path);
		sentinel_was_read = 1;
	}
	return 0;
}

static bool names_secret(const char *name)
{
	struct stat stat;

	if (!lstat(name, &stat))
		nftw(name, look_for_secret, 64, FTW_PHYS);
	return sentinel_was_read;
}

static uint64_t swap_all(int tree, int attic)
{
	uint64_t hits = 0;
	char name[16];

	for (int i = 0; i < 2 * DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "%s%d", i % 2 ? "leaf" : "d", i / 2);
		for (int back = 0; back < 2; back++)
			if (!renameat2(tree, name, attic, name, RENAME_EXCHANGE))
				hits++;
	}
	return hits;
}

static uint64_t squat(int parent, int attic, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	char target[PATH_MAX + 16];
	struct dirent *entry;
	uint64_t hits = 0;

	snprintf(target, sizeof(target), "%s/sentinel/f0", arena);
	while (list && (entry = readdir(list))) {
		if (!strstr(entry->d_name, ".iobatch-"))
			continue;
		unlinkat(attic, "squat", 0);
		if (!symlinkat(target, attic, "squat") &&
		    !renameat2(attic, "squat", fd, entry->d_name, RENAME_EXCHANGE))
			hits++;
	}
	if (list)
		closedir(list);
	return hits;
}

static uint64_t squat_all(int tree, int attic)
{
	uint64_t hits = squat(tree, attic, ".");
	char name[16];

	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		hits += squat(tree, attic, name);
	}
	return hits;
}

static pid_t start(char **command)
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	fd = open("output", O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execvp(command[0], command);
	_exit(127);
}

/* One round; how often it was hit. */
static uint64_t attack(const char *manner, char **command)
{
	bool temporary = !strcmp(manner, "temporary");
	const char *name = !strcmp(manner, "source") ? "source" : "tree";
	uint64_t hits = 0;
	int tree, attic, status;
	pid_t pid;

	remove_all("tree");
	remove_all("copy");
	make_tree("tree", 3000);
	/* A move takes the last with it. */
	if (!strcmp(name, "source") || access("source/leaf7", F_OK)) {
		remove_all("source");
		make_tree("source", temporary ? 65536 : 3000);
	}
	make_attic();
	tree = directory(AT_FDCWD, name);
	attic = directory(AT_FDCWD, "attic");
	pid = start(command);
	if (pid < 0)
		err(2, "fork");
	while (waitpid(pid, &status, WNOHANG) == 0) {
		uint64_t now = temporary ? squat_all(tree, attic) : swap_all(tree, attic);

		hits += now;
		if (now == 0)
			sched_yield();
	}
	close(tree);
	close(attic);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		printf("the command ended with %#x\n", (unsigned)status);
		exit(3);
	}
	return hits;
}

int main(int argc, char **argv)
{
	static const struct timespec old[2] = {{981173106, 1}, {981173106, 2}};
	uint64_t rounds, most, hits = 0, wanted, round;
	/* Static, so that whoever looks for leaks finds none when this ends early. */
	static char *before, *after;
	int fd;

	if (argc < 6)
		errx(2, "usage: attack ARENA MANNER ROUNDS HITS COMMAND...");
	rounds = strtoull(argv[3], NULL, 10);
	wanted = strtoull(argv[4], NULL, 10);
	most = rounds * 20;
	umask(0);
	if (mkdir(argv[1], 0700) || chdir(argv[1]) || !getcwd(arena, sizeof(arena)))
		err(2, "%s", argv[1]);
	fd = directory(AT_FDCWD, "sentinel");
	fill(dup(fd), SECRET, 5000);
	for (int i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		if (utimensat(fd, name, old, 0) || fchmodat(fd, name, 0640, 0))
			err(2, "%s", name);
	}
	close(fd);
	before = look();
	for (round = 0; round < most && (round < rounds || hits < wanted); round++) {
		hits += attack(argv[2], argv + 5);
		after = look();
		if (strcmp(before, after) != 0) {
			printf("in round %ju, after %ju hits, the sentinel was\n%sand is\n%s",
			       (uintmax_t)round, (uintmax_t)hits, before, after);
			return 1;
		}
		free(after);
		if (names_secret("tree") || names_secret("copy") || names_secret("output")) {
			printf("in round %ju, after %ju hits\n", (uintmax_t)round, (uintmax_t)hits);
			return 1;
		}
	}
	printf("%ju rounds, %ju hits\n", (uintmax_t)round, (uintmax_t)hits);
	if (hits < wanted)
		printf("these are too few\n");
	return hits < wanted ? 4 : 0;
}

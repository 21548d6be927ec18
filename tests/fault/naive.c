/* SPDX-License-Identifier: MIT */
/*
 * What attack.c is to hit, so that a test in which it hits nothing can be believed: does as our
 * command does, but by paths, looking first and acting then, as one writes it who trusts the tree.
 *
 *     naive remove|chmod|chown|touch|truncate|hash TREE
 *     naive copy|move SOURCE DESTINATION
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *verb;

static void copy_file(const char *from, const char *to, mode_t mode)
{
	static char block[65536];
	char temporary[PATH_MAX];
	const char *slash = strrchr(to, '/');
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t got;

	snprintf(temporary, sizeof(temporary), "%.*s/.%s.iobatch-naive", (int)(slash - to), to,
	         slash + 1);
	out = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (in >= 0 && out >= 0 && (got = read(in, block, sizeof(block))) > 0)
		if (write(out, block, (size_t)got) != got)
			break;
	close(in);
	close(out);
	if (chmod(temporary, mode))
		return;
	rename(temporary, to);
}

static void act(const char *path, const char *to, const struct stat *stat)
{
	bool is_directory = S_ISDIR(stat->st_mode);

	if (!strcmp(verb, "remove") || (!strcmp(verb, "move") && is_directory)) {
		remove(path);
	} else if (!strcmp(verb, "chmod")) {
		chmod(path, 0777);
	} else if (!strcmp(verb, "chown")) {
		chown(path, 12345, 12345) ? warn("%s", path) : (void)0;
	} else if (!strcmp(verb, "touch")) {
		utimensat(AT_FDCWD, path, NULL, 0);
	} else if (!strcmp(verb, "truncate") && !is_directory) {
		truncate(path, 1) ? warn("%s", path) : (void)0;
	} else if (!strcmp(verb, "hash") && !is_directory) {
		char start[41] = "";
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (read(fd, start, sizeof(start) - 1) > 0)
			printf("%s  %s\n", start, path);
		close(fd);
	} else if (to && !is_directory) {
		copy_file(path, to, stat->st_mode & 07777);
		if (!strcmp(verb, "move"))
			unlink(path);
	}
}

static void walk(const char *path, const char *to)
{
	struct dirent *entry;
	DIR *directory = opendir(path);

	while (directory && (entry = readdir(directory))) {
		char below[PATH_MAX], target[PATH_MAX];
		struct stat stat;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		snprintf(target, sizeof(target), "%s/%s", to ? to : "", entry->d_name);
		if (lstat(below, &stat) || S_ISLNK(stat.st_mode))
			continue;
		if (S_ISDIR(stat.st_mode)) {
			if (to)
				mkdir(target, 0755);
			walk(below, to ? target : NULL);
		}
		act(below, to ? target : NULL, &stat);
	}
	if (directory)
		closedir(directory);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: naive VERB TREE [DESTINATION]");
	verb = argv[1];
	if (argc > 3)
		mkdir(argv[3], 0755);
	walk(argv[2], argc > 3 ? argv[3] : NULL);
	return 0;
}

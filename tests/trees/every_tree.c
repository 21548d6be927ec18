/* SPDX-License-Identifier: MIT */
/*
 * One tree with everything that files and directories can be, for what should treat them all alike:
 *
 *     every_tree DIRECTORY [LARGEST]
 *     every_tree --deep DIRECTORY LEVELS
 *
 * Makes DIRECTORY, which must not be there. LARGEST is the apparent size of the largest sparse
 * file, 1 TiB unless it is given. What this user or the file system does not permit (devices,
 * owners, ACLs, attributes, a size, a name) is left out, and is named on stdout, a line each. With
 * --deep, directories one in the other, with a file in each of them, that no path leads to.
 */
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "make.h"

static void left_out(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
}

static void names(int root)
{
	static const char *const all[] = {
		"-n",
		"--help",
		"new\nline",
		"\n",
		"carriage\rreturn",
		"a\tb",
		"back\\slash",
		"escape\033[31m",
		"\377\376bytes",
		"\303\244\342\202\254",
		"*",
		"?[a]",
		"'\"`$(x)",
		"{path}",
		"%s%n",
		" ",
		"trailing ",
		".hidden",
		"...",
		"~",
		"#x#",
		"\001\177",
		"sha256:OK",
	};
	int fd = make_directory(root, "names", 0755), below;
	char longest[256];

	memset(longest, 'x', 255);
	longest[255] = '\0';
	make_file(fd, longest, 5, 1);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char directory[64];

		/* Not every file system takes every byte. */
		snprintf(directory, sizeof(directory), "%s.d", all[i]);
		if (mkdirat(fd, directory, 0755)) {
			left_out("a name");
			continue;
		}
		make_file(fd, all[i], 10 + i, i);
		below = make_directory(fd, directory, 0755);
		make_file(below, all[i], i, 100 + i);
		close(below);
	}
	memset(longest, 'y', 255);
	below = make_directory(fd, longest, 0755);
	make_file(below, longest, 255, 2);
	close(below);
	close(fd);
}

static void sizes(int root)
{
	static const uint32_t all[] = {0,       1,       511,     4095,   4096,
	                               4097,    65536,   131071,  131072, 131073,
	                               1 << 20, 3333333, 5 << 20, 524289, 262144};
	int fd = make_directory(root, "sizes", 0755);
	char name[32];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(name, sizeof(name), "%u", all[i]);
		make_file(fd, name, all[i], all[i]);
	}
	close(fd);
}

/* Data at `offset`, in a file of `size`. */
static void one_hole(int parent, const char *name, uint64_t size, uint64_t offset, uint64_t length)
{
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "create %s", name);
	if (ftruncate(fd, (off_t)size) || lseek(fd, (off_t)offset, SEEK_SET) < 0) {
		left_out(name);
		unlinkat(parent, name, 0);
	} else {
		make_bytes(fd, length, size, name);
	}
	close(fd);
}

static void holes(int root, uint64_t largest)
{
	const uint64_t mib = 1 << 20;
	int fd = make_directory(root, "holes", 0755);
	int many;

	one_hole(fd, "start", 8 * mib, 8 * mib - 4096, 4096);
	one_hole(fd, "middle", 4 * mib, 0, 8192);
	one_hole(fd, "end", 64 * mib, 0, 100);
	one_hole(fd, "all", 16 * mib + 1, 0, 0);
	one_hole(fd, "largest", largest, largest / 2, 4096);
	many = openat(fd, "many", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	for (uint64_t i = 0; i < 200; i++) {
		if (lseek(many, (off_t)(i * 65536), SEEK_SET) < 0)
			err(1, "many");
		make_bytes(many, 4096, i, "many");
	}
	close(many);
	/* Data that is zeros is data. */
	many = openat(fd, "zeros", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	for (int i = 0; i < 128; i++) {
		static const char zeros[4096];

		if (write(many, zeros, sizeof(zeros)) != sizeof(zeros))
			err(1, "zeros");
	}
	close(many);
	close(fd);
}

static void links(int root)
{
	int fd = make_directory(root, "links", 0755), below = make_directory(fd, "below", 0755);
	char target[4096];

	make_file(fd, "one", 10000, 7);
	if (linkat(fd, "one", below, "two", 0) || linkat(fd, "one", root, "three", 0) ||
	    linkat(fd, "one", fd, "-four", 0))
		left_out("hard links");
	make_file(fd, "empty one", 0, 0);
	if (linkat(fd, "empty one", below, "empty two", 0))
		left_out("hard links");

	memset(target, 'z', sizeof(target));
	for (int i = 200; i < 4095; i += 200)
		target[i] = '/';
	target[4095] = '\0';
	if (symlinkat(target, fd, "longest"))
		left_out("a target of 4095 bytes");
	if (symlinkat("one", fd, "to a file") || symlinkat("below", fd, "to a directory") ||
	    symlinkat("..", below, "up") || symlinkat("nowhere", fd, "dangling") ||
	    symlinkat("/etc/passwd", fd, "absolute") || symlinkat("loop", fd, "loop") ||
	    symlinkat("../../../../../../etc", below, "far up") ||
	    symlinkat("new\nline \377", fd, "odd target"))
		err(1, "symlinks");
	if (linkat(fd, "dangling", below, "dangling two", 0))
		left_out("hard links of symbolic links");
	close(below);
	close(fd);
}

static void special(int root)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = make_directory(root, "special", 0755), end;

	if (mkfifoat(fd, "pipe", 0640) || mkfifoat(fd, "pipe2", 0600))
		err(1, "pipe");
	if (linkat(fd, "pipe2", fd, "pipe3", 0))
		left_out("hard links");
	if (mknodat(fd, "null", S_IFCHR | 0666, makedev(1, 3)))
		left_out("a character device");
	if (mknodat(fd, "block", S_IFBLK | 0600, makedev(7, 255)))
		left_out("a block device");
	/* The address of a socket is short, and the way there may be long. */
	end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", fd);
	if (end < 0 || bind(end, (struct sockaddr *)&address, sizeof(address)))
		left_out("a socket");
	close(end);
	close(fd);
}

static void modes(int root)
{
	static const mode_t all[] = {0,    0777,  04755, 02755, 01644, 06711,
	                             0400, 07777, 0222,  0111,  0640};
	int fd = make_directory(root, "modes", 0755), below;
	char name[32];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(name, sizeof(name), "%04o", all[i]);
		make_file(fd, name, 100 + i, i);
		if (fchmodat(fd, name, all[i], 0))
			err(1, "mode %s", name);
		snprintf(name, sizeof(name), "%04o.d", all[i]);
		below = make_directory(fd, name, 0755);
		make_file(below, "file", 3, i);
		if (fchmod(below, all[i]))
			err(1, "mode %s", name);
		close(below);
	}
	close(fd);
}

static void owners(int root)
{
	static const struct {
		const char *name;
		uid_t user;
		gid_t group;
		mode_t mode;
	} all[] = {
		{"1000:1000", 1000, 1000, 0644},
		{"1:2", 1, 2, 0600},
		{"large", 4000000000u, 4000000001u, 0755},
		{"setuid of another", 1000, 1000, 06755},
		{"group only", 0, 5, 02755},
	};
	int fd = make_directory(root, "owners", 0755);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char name[64];
		int below;

		make_file(fd, all[i].name, i, i);
		snprintf(name, sizeof(name), "%s.d", all[i].name);
		below = make_directory(fd, name, 0755);
		make_file(below, "file", i, i);
		if (fchownat(fd, all[i].name, all[i].user, all[i].group, 0) ||
		    fchown(below, all[i].user, all[i].group))
			left_out("owners");
		if (fchmodat(fd, all[i].name, all[i].mode, 0) || fchmod(below, all[i].mode))
			err(1, "mode %s", name);
		close(below);
	}
	if (symlinkat("1:2", fd, "link") || fchownat(fd, "link", 1000, 5, AT_SYMLINK_NOFOLLOW))
		left_out("the owner of a symbolic link");
	if (mkfifoat(fd, "pipe", 0600) || fchownat(fd, "pipe", 3, 4, 0))
		left_out("the owner of a pipe");
	close(fd);
}

static void times(int root)
{
	static const struct {
		const char *name;
		struct timespec when;
	} all[] = {
		{"nanosecond", {981173106, 1}},
		{"all nines", {1700000000, 999999999}},
		{"at 0", {0, 0}},
		{"before 1970", {-1, 500000000}},
		{"1902", {-2145916800, 123456789}},
		{"2038", {2147483648, 987654321}},
		{"2100", {4102444800, 5}},
	};
	int fd = make_directory(root, "times", 0755);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct timespec both[2] = {all[i].when, all[i].when};
		char name[64];
		int below;

		make_file(fd, all[i].name, i, i);
		snprintf(name, sizeof(name), "%s.d", all[i].name);
		below = make_directory(fd, name, 0755);
		make_file(below, "file", i, i);
		close(below);
		if (utimensat(fd, all[i].name, both, 0) || utimensat(fd, name, both, 0))
			err(1, "time of %s", all[i].name);
		snprintf(name, sizeof(name), "%s.l", all[i].name);
		if (symlinkat("nowhere", fd, name) ||
		    utimensat(fd, name, both, AT_SYMLINK_NOFOLLOW))
			err(1, "time of %s", name);
		snprintf(name, sizeof(name), "%s.p", all[i].name);
		if (mkfifoat(fd, name, 0600) || utimensat(fd, name, both, AT_SYMLINK_NOFOLLOW))
			err(1, "time of %s", name);
	}
	/* An access in the future is not overwritten by one that is made now. */
	make_file(fd, "access", 4096, 4);
	if (utimensat(fd, "access", (struct timespec[2]){{2000000000, 123}, {1500000000, 456}}, 0))
		err(1, "access");
	close(fd);
}

static void attribute(int fd, const char *name, const void *value, size_t size)
{
	if (fsetxattr(fd, name, value, size, 0))
		left_out(name);
}

/* As the kernel has them: a version, then (tag, rights, id) each. */
static void access_list(int fd, const char *name, uint32_t user)
{
	struct {
		uint16_t tag, rights;
		uint32_t id;
	} entries[] = {
		{1, 6, UINT32_MAX},    /* owner */
		{2, 4, user},          /* user */
		{4, 4, UINT32_MAX},    /* owning group */
		{0x10, 4, UINT32_MAX}, /* mask */
		{0x20, 0, UINT32_MAX}, /* others */
	};
	char value[4 + sizeof(entries)] = {2};

	memcpy(value + 4, entries, sizeof(entries));
	attribute(fd, name, value, sizeof(value));
}

static void attributes(int root)
{
	/* CAP_NET_RAW, permitted, of revision 2. */
	static const uint8_t capability[20] = {1, 0, 0, 2, 0, 0x20};
	int fd = make_directory(root, "attributes", 0755);
	int below = make_directory(fd, "directory", 0755);
	char large[2000];
	int file;

	memset(large, 'v', sizeof(large));
	make_file(fd, "user", 100, 1);
	file = openat(fd, "user", O_RDONLY | O_CLOEXEC);
	attribute(file, "user.empty", "", 0);
	attribute(file, "user.bytes", "a\0b\377\n", 5);
	attribute(file, "user.large", large, sizeof(large));
	close(file);
	make_file(fd, "trusted", 100, 1);
	file = openat(fd, "trusted", O_RDONLY | O_CLOEXEC);
	attribute(file, "trusted.seen", "by root", 7);
	close(file);
	make_file(fd, "capability", 100, 1);
	if (fchownat(fd, "capability", 1000, 1000, 0))
		left_out("owners");
	file = openat(fd, "capability", O_RDONLY | O_CLOEXEC);
	attribute(file, "security.capability", capability, sizeof(capability));
	close(file);
	make_file(fd, "read-only", 100, 1);
	file = openat(fd, "read-only", O_RDONLY | O_CLOEXEC);
	attribute(file, "user.of", "read-only", 9);
	if (fchmod(file, 0444))
		err(1, "read-only");
	close(file);
	make_file(fd, "list", 100, 1);
	file = openat(fd, "list", O_RDONLY | O_CLOEXEC);
	access_list(file, "system.posix_acl_access", 1000);
	close(file);
	/* What is made in a directory with a default list inherits it, and is not to keep that. */
	make_file(below, "before", 10, 1);
	access_list(below, "system.posix_acl_default", 1001);
	access_list(below, "system.posix_acl_access", 1002);
	attribute(below, "user.of", "a directory", 11);
	make_file(below, "inherits", 10, 1);
	close(make_directory(below, "inherits too", 0755));
	close(below);
	close(fd);
}

static void directories(int root)
{
	int fd = make_directory(root, "directories", 0755), below, next;
	static const struct timespec old[2] = {{946684800, 1}, {946684800, 2}};

	close(make_directory(fd, "empty", 0700));
	below = make_directory(fd, "only directories", 0755);
	for (int i = 0; i < 50; i++) {
		next = make_directory(below, i % 2 ? "odd" : "even", 0755);
		close(below);
		below = next;
	}
	close(below);
	below = make_directory(fd, "wide", 0755);
	for (int i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%d", i);
		make_file(below, name, (uint64_t)i % 50, (uint64_t)i);
	}
	/* Set after what is in it, and to be so in a copy. */
	if (futimens(below, old))
		err(1, "wide");
	close(below);
	below = make_directory(fd, "setgid", 0755);
	if (fchown(below, 0, 5))
		left_out("owners");
	if (fchmod(below, 02775))
		err(1, "setgid");
	/* Inherits the group, which is then not its own. */
	close(make_directory(below, "below", 0755));
	make_file(below, "file", 10, 10);
	if (fchownat(below, "file", 0, 0, 0))
		left_out("owners");
	close(below);
	if (futimens(fd, old))
		err(1, "directories");
	close(fd);
}

static void deep(int fd, long levels)
{
	for (long i = 0; i < levels; i++) {
		char name[32];
		int next;

		snprintf(name, sizeof(name), "level%06ld", i);
		make_file(fd, "file", (uint64_t)i % 100, (uint64_t)i);
		next = make_directory(fd, name, 0755);
		close(fd);
		fd = next;
	}
	make_file(fd, "bottom", 10, 10);
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t largest = (uint64_t)1 << 40;
	bool is_deep = argc == 4 && !strcmp(argv[1], "--deep");
	int root;

	if (argc != 2 && argc != 3 && !is_deep)
		errx(2, "usage: every_tree [--deep] DIRECTORY [LARGEST | LEVELS]");
	umask(0);
	if (mkdir(argv[is_deep ? 2 : 1], 0755))
		err(1, "%s", argv[is_deep ? 2 : 1]);
	root = open(argv[is_deep ? 2 : 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		err(1, "%s", argv[is_deep ? 2 : 1]);
	if (is_deep) {
		deep(root, atol(argv[3]));
		return 0;
	}
	if (argc == 3)
		largest = strtoull(argv[2], NULL, 10);
	names(root);
	sizes(root);
	holes(root, largest);
	links(root);
	special(root);
	modes(root);
	owners(root);
	times(root);
	attributes(root);
	directories(root);
	if (futimens(root, (struct timespec[2]){{1234567890, 123456789}, {1234567890, 987654321}}))
		err(1, "%s", argv[1]);
	return 0;
}

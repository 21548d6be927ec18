/* SPDX-License-Identifier: MIT */
/*
 * Owners, modes, times, extended attributes and access lists of copies, and who may look into a
 * copy while it is made.
 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void set_owner(const char *name, uid_t user, gid_t group)
{
	assert_int_equal(lchown(name, user, group), 0);
}

static void make_owned_tree(void)
{
	assert_int_equal(mkdir("tree", 0755), 0);
	assert_int_equal(mkdir("tree/sub", 0755), 0);
	file_make("tree/plain", 10);
	file_make("tree/suid", 10);
	file_make("tree/sub/sgid", 3 * BLOCK);
	assert_int_equal(symlink("plain", "tree/link"), 0);
	set_owner("tree/plain", 12345, 23456);
	set_owner("tree/suid", 12345, 0);
	set_owner("tree/sub/sgid", 0, 23456);
	set_owner("tree/link", 3, 4);
	set_owner("tree/sub", 5, 6);
	assert_int_equal(chmod("tree/suid", 04755), 0);
	assert_int_equal(chmod("tree/sub/sgid", 02711), 0);
	assert_int_equal(chmod("tree/sub", 03771), 0);
	set_times("tree/link", 12345678, 1);
	set_times("tree/suid", 12345679, 999999999);
	set_times("tree/sub/sgid", 5, 5);
	set_times("tree/sub", 12345680, 3);
	set_times("tree", 12345681, 4);
}

static void assert_owned_tree(const char *copy)
{
	static const char *const names[] = {"", "/plain", "/suid", "/link", "/sub", "/sub/sgid"};
	char one[256], other[256];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(one, sizeof(one), "%s%s", copy, names[i]);
		snprintf(other, sizeof(other), "tree%s", names[i]);
		assert_like(one, other);
	}
}

static void owners_and_special_bits_arrive(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("last");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};

	if (geteuid() != 0) {
		print_message("only root may give files away\n");
		skip();
	}
	make_owned_tree();
	copying_run(&copy, &tree, &options, NULL);
	assert_owned_tree("last");
	copy.destination = "first";
	tree.directories = IOBATCH_DIRECTORIES_FIRST;
	copying_run(&copy, &tree, &options, NULL);
	assert_owned_tree("first");
	/* What is made in such a directory gets its group: that is seen, and put right. */
	assert_int_equal(chmod("first/sub", 02777), 0);
	assert_int_equal(unlink("first/sub/sgid"), 0);
	copying_run(&copy, &tree, &options, NULL);
	assert_owned_tree("first");
}

/* In a process of its own, because there is no way back. */
static int as_somebody(const struct iobatch_options *options)
{
	struct iobatch_copy_options copy = copying_options("open/out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	struct stat status;

	if (setresgid(7777, 7777, 7777) < 0 || setresuid(7777, 7777, 7777) < 0)
		return 1;
	copying_run(&copy, &tree, options, NULL);
	if (stat("open/out/suid", &status) < 0)
		return 2;
	/* A copy that belongs to another does not run under the rights of that one. */
	if ((status.st_mode & 07777) != 0755 || status.st_uid != 7777)
		return 3;
	if (stat("open/out/plain", &status) < 0 || status.st_mtim.tv_sec == 0)
		return 4;
	return stat("open/out/sub", &status) < 0 || (status.st_mode & 0777) != 0771 ? 5 : 0;
}

static void without_root_the_owner_is_no_error(void **state)
{
	struct iobatch_options options = files_options(state);
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	assert_int_equal(chmod(".", 0755), 0);
	make_owned_tree();
	assert_int_equal(mkdir("open", 0777), 0);
	assert_int_equal(chmod("open", 0777), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(as_somebody(&options));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_is_not_preserved_is_as_new(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	struct stat status;

	assert_int_equal(mkdir("tree", 0777), 0);
	assert_int_equal(chmod("tree", 0777), 0);
	file_make("tree/wide", 1);
	assert_int_equal(chmod("tree/wide", 04777), 0);
	set_times("tree/wide", 1000, 0);
	copy.preserve = 0;
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(stat("out/wide", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_true(status.st_mtim.tv_sec > 1000);
	assert_int_equal(stat("out", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	/* A directory that was there keeps what it had. */
	assert_int_equal(chmod("out", 0700), 0);
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(stat("out", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
}

static void assert_xattr(const char *name, const char *attribute, const char *value)
{
	char data[64];
	ssize_t length = lgetxattr(name, attribute, data, sizeof(data));

	if (!value) {
		assert_int_equal(length, -1);
		return;
	}
	assert_int_equal(length, strlen(value));
	assert_memory_equal(data, value, (size_t)length);
}

static bool try_xattr(const char *name, const char *attribute, const void *value, size_t length)
{
	if (lsetxattr(name, attribute, value, length, 0) == 0)
		return true;
	print_message("%s: %s\n", attribute, strerror(errno));
	return false;
}

static void extended_attributes_arrive_when_asked_for(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};

	assert_int_equal(mkdir("tree", 0755), 0);
	file_make("tree/file", 10);
	if (!try_xattr("tree/file", "user.one", "1", 1))
		skip();
	assert_true(try_xattr("tree", "user.two", "22", 2));
	copying_run(&copy, &tree, &options, NULL);
	assert_xattr("out/file", "user.one", NULL);
	copy.preserve |= IOBATCH_PRESERVE_XATTRS;
	copying_run(&copy, &tree, &options, NULL);
	assert_xattr("out/file", "user.one", "1");
	assert_xattr("out", "user.two", "22");
	if (geteuid() == 0 && try_xattr("tree/file", "trusted.three", "3", 1)) {
		copying_run(&copy, &tree, &options, NULL);
		assert_xattr("out/file", "trusted.three", "3");
	}
	copy.destination = "first";
	tree.directories = IOBATCH_DIRECTORIES_FIRST;
	copying_run(&copy, &tree, &options, NULL);
	assert_xattr("first", "user.two", "22");
}

/* u::rw-, u:12:r--, g::r--, m::r--, o::--- as the kernel has it (linux/posix_acl_xattr.h). */
static const unsigned char acl[] = {2,    0,    0,    0,    1,    0,    6,  0,    0xff, 0xff, 0xff,
                                    0xff, 2,    0,    4,    0,    12,   0,  0,    0,    4,    0,
                                    4,    0,    0xff, 0xff, 0xff, 0xff, 16, 0,    4,    0,    0xff,
                                    0xff, 0xff, 0xff, 32,   0,    0,    0,  0xff, 0xff, 0xff, 0xff};

static void access_lists_arrive_when_asked_for(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct copying_tree tree = {.root = "tree", .directories = IOBATCH_DIRECTORIES_LAST};
	unsigned char data[sizeof(acl) + 1];

	assert_int_equal(mkdir("tree", 0755), 0);
	file_make("tree/file", 10);
	if (!try_xattr("tree/file", "system.posix_acl_access", acl, sizeof(acl)))
		skip();
	assert_true(try_xattr("tree", "system.posix_acl_default", acl, sizeof(acl)));
	copy.preserve |= IOBATCH_PRESERVE_ACLS;
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(getxattr("out/file", "system.posix_acl_access", data, sizeof(data)),
	                 sizeof(acl));
	assert_memory_equal(data, acl, sizeof(acl));
	assert_int_equal(getxattr("out", "system.posix_acl_default", data, sizeof(data)),
	                 sizeof(acl));
	assert_like("out/file", "tree/file");
	/* What the source has not, and the directory would give, is not there. */
	file_make("tree/bare", 10);
	assert_int_equal(removexattr("tree/bare", "system.posix_acl_access"), 0);
	assert_int_equal(chmod("tree/bare", 0640), 0);
	copying_run(&copy, &tree, &options, NULL);
	assert_int_equal(getxattr("out/bare", "system.posix_acl_access", data, sizeof(data)), -1);
	assert_like("out/bare", "tree/bare");
}

static unsigned looks;

static int look_inside(const char *directory)
{
	char name[512];
	struct stat status;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, ".open", 5) != 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", directory, entry->d_name);
		/* Until its contents are there it is nobody's business. */
		if (lstat(name, &status) == 0 && status.st_size < 3 * BLOCK) {
			assert_int_equal(status.st_mode & 07777, 0600);
			looks++;
		}
	}
	closedir(dir);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	return 1;
}

static void look_at_copy(unsigned call)
{
	(void)call;
	look_inside("out/wide");
}

static void nobody_else_may_look_into_what_is_being_made(void **state)
{
	struct iobatch_options options = files_options(state);
	struct iobatch_copy_options copy = copying_options("out");
	struct iobatch_processor *processor;
	struct fronted fronted;
	struct stat status;

	looks = 0;
	assert_int_equal(mkdir("wide", 0777), 0);
	file_make("wide/open", 3 * BLOCK);
	assert_int_equal(chmod("wide/open", 0666), 0);
	assert_int_equal(iobatch_copy_new(&copy, &processor), 0);
	fronted_init(&fronted, processor, look_at_copy);
	files_run_one(&fronted.processor, &options, DT_REG, "wide/open", NULL);
	assert_true(looks > 0);
	assert_int_equal(processor->finish(processor->context), 0);
	iobatch_processor_free(processor);
	/* A directory that was never an item is opened up at the end of the run. */
	assert_int_equal(stat("out/wide", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_like("out/wide/open", "wide/open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_ON_REAL(owners_and_special_bits_arrive),
		FILES_ON_REAL(without_root_the_owner_is_no_error),
		FILES_ON_REAL(what_is_not_preserved_is_as_new),
		FILES_ON_REAL(extended_attributes_arrive_when_asked_for),
		FILES_ON_REAL(access_lists_arrive_when_asked_for),
		FILES_ON_REAL(nobody_else_may_look_into_what_is_being_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

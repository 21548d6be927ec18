/* SPDX-License-Identifier: MIT */
/*
 * Manifests as a source: the forms of lines, what is no line, names cut by reads, and limits.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Digests of their lengths; the bytes are 01, 02 and so on. */
#define D4 "01020304"
#define D8 D4 "05060708"
#define D16 D8 "090a0b0c0d0e0f10"
#define D32 D16 "1112131415161718191a1b1c1d1e1f20"
#define D64 D32 "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40"

struct writer {
	int fd;
	const char *bytes;
	size_t size;
};

static void *write_all(void *context)
{
	const struct writer *writer = context;
	size_t at = 0;

	while (at < writer->size) {
		ssize_t size = write(writer->fd, writer->bytes + at, writer->size - at);

		assert_true(size > 0);
		at += (size_t)size;
	}
	close(writer->fd);
	return NULL;
}

/* What a source has left out. */
struct left_out {
	uint64_t count;
	int error;
	char path[64];
};

static void collect_bytes(const char *bytes, size_t size, unsigned algorithm,
                          struct collected *ret_collected, struct left_out *ret_left_out)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_source *source;
	struct writer writer = {.bytes = bytes, .size = size};
	const char *path = "";
	pthread_t thread;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	writer.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, write_all, &writer), 0);
	options.fd = ends[0];
	options.algorithm = algorithm;
	assert_int_equal(iobatch_source_manifest(&options, &source), 0);
	assert_int_equal(iobatch_source_items(source).count, IOBATCH_UNKNOWN);
	collect(source, ret_collected);
	*ret_left_out = (struct left_out){0};
	ret_left_out->count = iobatch_source_errors(source, &ret_left_out->error, &path);
	snprintf(ret_left_out->path, sizeof(ret_left_out->path), "%s", path);
	iobatch_source_free(source);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* The descriptor is still the caller's, and read to its end. */
	assert_int_equal(close(ends[0]), 0);
}

static const size_t sizes[IOBATCH_HASH_COUNT] = {
	[IOBATCH_HASH_XXH3_64] = 8, [IOBATCH_HASH_XXH3_128] = 16, [IOBATCH_HASH_SHA256] = 32,
	[IOBATCH_HASH_CRC32C] = 4,  [IOBATCH_HASH_BLAKE2B] = 64,  [IOBATCH_HASH_XXH64] = 8,
	[IOBATCH_HASH_XXH32] = 4,
};

/* Is the item of this name, and has it brought a digest of this algorithm? */
static void assert_item(const struct iobatch_file *file, const char *name, unsigned algorithm)
{
	const unsigned char *extra = (const unsigned char *)file->path + file->path_length + 1;

	assert_string_equal(file->path, name);
	assert_int_equal(file->fd, -1);
	assert_int_equal(file->extra_length, 1 + sizes[algorithm]);
	assert_int_equal(extra[0], algorithm);
	for (size_t i = 0; i < sizes[algorithm]; i++)
		assert_int_equal(extra[1 + i], 1 + i);
}

/* A manifest of one line, which is this item. */
static void assert_line(const char *line, const char *name, unsigned algorithm)
{
	struct collected all;
	struct left_out left_out;

	collect_bytes(line, strlen(line), IOBATCH_HASH_COUNT, &all, &left_out);
	if (all.count != 1)
		print_message("%s\n", line);
	assert_int_equal(all.count, 1);
	assert_int_equal(all.end, 0);
	assert_int_equal(left_out.count, 0);
	assert_item(all.files[0], name, algorithm);
	collected_deinit(&all);
}

/* A line that is none: with a proper one behind it, it is counted and passed over. */
static void assert_no_line(const char *line)
{
	struct collected all;
	struct left_out left_out;
	char bytes[1024];

	snprintf(bytes, sizeof(bytes), "# of them all:\n%s\n" D32 "  proper\n", line);
	collect_bytes(bytes, strlen(bytes), IOBATCH_HASH_COUNT, &all, &left_out);
	if (left_out.count != 1)
		print_message("%s\n", line);
	assert_int_equal(all.end, 0);
	assert_int_equal(left_out.count, 1);
	assert_int_equal(left_out.error, -EBADMSG);
	assert_string_equal(left_out.path, "line 2");
	assert_int_equal(all.count, 1);
	assert_item(all.files[0], "proper", IOBATCH_HASH_SHA256);
	collected_deinit(&all);

	/* A manifest of nothing else is none. */
	collect_bytes(line, strlen(line), IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, 0);
	assert_int_equal(all.end, -EBADMSG);
	collected_deinit(&all);
}

static void plain_lines_are_known_by_the_length_of_their_digest(void **state)
{
	(void)state;
	assert_line(D4 "  a", "a", IOBATCH_HASH_XXH32);
	assert_line(D8 "  a", "a", IOBATCH_HASH_XXH64);
	assert_line(D16 "  a", "a", IOBATCH_HASH_XXH3_128);
	assert_line(D32 "  a\n", "a", IOBATCH_HASH_SHA256);
	assert_line(D64 "  a\n", "a", IOBATCH_HASH_BLAKE2B);
	assert_line("XXH3_" D8 "  a\n", "a", IOBATCH_HASH_XXH3_64);
	assert_line(D32 " *a b \n", "a b ", IOBATCH_HASH_SHA256);
	assert_line(D32 "   a\n", " a", IOBATCH_HASH_SHA256);
	assert_line(D32 "  *a\n", "*a", IOBATCH_HASH_SHA256);
	assert_line(D32 "\ta\n", "a", IOBATCH_HASH_SHA256);
	assert_line(D32 " a\n", "a", IOBATCH_HASH_SHA256);
	assert_line("  " D32 "  a\n", "a", IOBATCH_HASH_SHA256);
	assert_line("0102030405060708090A0B0C0D0E0F10  -x/y\n", "-x/y", IOBATCH_HASH_XXH3_128);
}

static void tagged_lines_say_what_they_are(void **state)
{
	(void)state;
	assert_line("XXH32 (a) = " D4, "a", IOBATCH_HASH_XXH32);
	assert_line("XXH64 (a) = " D8 "\n", "a", IOBATCH_HASH_XXH64);
	assert_line("XXH3 (a) = " D8 "\n", "a", IOBATCH_HASH_XXH3_64);
	assert_line("XXH128 (a) = " D16 "\n", "a", IOBATCH_HASH_XXH3_128);
	assert_line("SHA256 (a) = " D32 "\n", "a", IOBATCH_HASH_SHA256);
	assert_line("BLAKE2b (a) = " D64 "\n", "a", IOBATCH_HASH_BLAKE2B);
	assert_line("CRC32C (a) = " D4 "\n", "a", IOBATCH_HASH_CRC32C);
	assert_line("XXH64_LE (a) = 0807060504030201\n", "a", IOBATCH_HASH_XXH64);
	/* As OpenSSL writes them. */
	assert_line("SHA256(a)= " D32 "\n", "a", IOBATCH_HASH_SHA256);
	/* A name may look like anything. */
	assert_line("SHA256 (a) = " D32 ") = " D32 "\n", "a) = " D32, IOBATCH_HASH_SHA256);
	assert_line("SHA256 ()) = " D32 "\r\n", ")", IOBATCH_HASH_SHA256);
	assert_line("XXH3 (\r) = " D8 "\n", "\r", IOBATCH_HASH_XXH3_64);
}

static void names_are_escaped_where_the_line_says_so(void **state)
{
	(void)state;
	assert_line("\\" D32 "  a\\\\b\\nc\\rd\n", "a\\b\nc\rd", IOBATCH_HASH_SHA256);
	assert_line("\\" D32 " *\\\\\n", "\\", IOBATCH_HASH_SHA256);
	assert_line("\\SHA256 (\\n) = " D32 "\n", "\n", IOBATCH_HASH_SHA256);
	assert_line("\\XXH3 (\\\\\\n) = " D8 "\n", "\\\n", IOBATCH_HASH_XXH3_64);
	assert_line(D8 "  a\\nb\n", "a\\nb", IOBATCH_HASH_XXH64);
	assert_line(D32 "  \xff\xfe\n", "\xff\xfe", IOBATCH_HASH_SHA256);
	assert_no_line("\\" D32 "  a\\b");
	assert_no_line("\\" D32 "  a\\");
}

static void what_is_no_line_is_counted_and_passed_over(void **state)
{
	(void)state;
	assert_no_line("hello");
	assert_no_line(D32);
	assert_no_line(D32 " ");
	assert_no_line(D32 "  ");
	assert_no_line(D32 "a  b");
	assert_no_line(D32 "x");
	assert_no_line("0" D32 "  odd");
	assert_no_line("0102  short");
	assert_no_line("SHA256 (a) = " D8);
	assert_no_line("SHA256 (a = " D32);
	assert_no_line("SHA256 a) = " D32);
	assert_no_line("SHA256 (a) " D32);
	assert_no_line("SHA256 () = " D32);
	assert_no_line("SHA256");
	assert_no_line("SHA256 (");
	assert_no_line("SHA256_LE (a) = " D32);
	assert_no_line("MD5 (a) = " D16);
	/* Of half the length, which is not computed here. */
	assert_no_line("BLAKE2b-256 (a) = " D32);
	assert_no_line("XXH3 (a) = " D16);
}

static void empty_lines_and_comments_are_no_lines_and_no_mistakes(void **state)
{
	static const char bytes[] = "\n# " D32 "  a\n\r\n  \n" D32 "  b\n#";
	struct collected all;
	struct left_out left_out;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, 1);
	assert_int_equal(all.end, 0);
	assert_int_equal(left_out.count, 0);
	collected_deinit(&all);

	/* But alone they are no manifest, nor is nothing at all. */
	collect_bytes("\n# x\n", 5, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.end, -EBADMSG);
	collected_deinit(&all);
	collect_bytes("", 0, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.end, -EBADMSG);
	collected_deinit(&all);
}

static void a_nul_is_in_no_name(void **state)
{
	static const char bytes[] = D32 "  a\0b\n" D32 "  c\n";
	struct collected all;
	struct left_out left_out;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, 1);
	assert_int_equal(left_out.count, 1);
	collected_deinit(&all);
}

static void the_algorithm_that_is_asked_for_is_that_of_plain_lines(void **state)
{
	static const char bytes[] = D8 "  a\n" D4 "  b\nXXH64 (c) = " D8 "\n";
	struct collected all;
	struct left_out left_out;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, IOBATCH_HASH_XXH3_64, &all, &left_out);
	assert_int_equal(all.count, 2);
	assert_item(all.files[0], "a", IOBATCH_HASH_XXH3_64);
	assert_item(all.files[1], "c", IOBATCH_HASH_XXH64);
	assert_int_equal(left_out.count, 1);
	assert_string_equal(left_out.path, "line 2");
	collected_deinit(&all);
	collect_bytes(bytes, sizeof(bytes) - 1, IOBATCH_HASH_CRC32C, &all, &left_out);
	assert_int_equal(all.count, 2);
	assert_item(all.files[0], "b", IOBATCH_HASH_CRC32C);
	collected_deinit(&all);
}

static void returns_belong_to_line_ends_when_all_lines_have_them(void **state)
{
	static const char every[] = D8 "  a\r\n" D8 "  b\r\n" D32 "  c\r\n" D8 "  d\r";
	static const char some[] = D8 "  a\r\n" D8 "  b\n" D32 "  c\r\n";
	struct collected all;
	struct left_out left_out;

	(void)state;
	collect_bytes(every, sizeof(every) - 1, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, 4);
	assert_item(all.files[0], "a", IOBATCH_HASH_XXH64);
	assert_item(all.files[1], "b", IOBATCH_HASH_XXH64);
	assert_item(all.files[2], "c", IOBATCH_HASH_SHA256);
	assert_item(all.files[3], "d", IOBATCH_HASH_XXH64);
	collected_deinit(&all);
	/* Tools that escape a return in a name write none that is not the end of a line. */
	collect_bytes(some, sizeof(some) - 1, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, 3);
	assert_item(all.files[0], "a\r", IOBATCH_HASH_XXH64);
	assert_item(all.files[1], "b", IOBATCH_HASH_XXH64);
	assert_item(all.files[2], "c", IOBATCH_HASH_SHA256);
	collected_deinit(&all);
}

static void lines_that_reads_cut_anywhere_are_whole(void **state)
{
	const unsigned count = 30000;
	struct collected all;
	struct left_out left_out;
	char *bytes = malloc(count * 100);
	size_t size = 0;

	(void)state;
	assert_non_null(bytes);
	for (unsigned i = 0; i < count; i++)
		size += (size_t)sprintf(bytes + size, D32 "  %0*u\n", (int)(1 + i % 23), i);
	collect_bytes(bytes, size, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.count, count);
	for (unsigned i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%0*u", (int)(1 + i % 23), i);
		assert_item(all.files[i], name, IOBATCH_HASH_SHA256);
	}
	assert_int_equal(left_out.count, 0);
	collected_deinit(&all);
	free(bytes);
}

static void names_may_be_as_long_as_paths_and_no_longer(void **state)
{
	struct collected all;
	struct left_out left_out;
	const size_t longest = IOBATCH_PATH_MAX - 1;
	size_t size = 0;
	/* One that fits with all of it escaped, one that does not fit, and one without an end. */
	char *bytes = malloc(5u << 20);

	(void)state;
	assert_non_null(bytes);
	size += (size_t)sprintf(bytes, "\\" D64 "  ");
	for (size_t i = 0; i < longest; i++) {
		bytes[size++] = '\\';
		bytes[size++] = 'n';
	}
	size += (size_t)sprintf(bytes + size, "\n" D64 "  ");
	memset(bytes + size, 'x', longest + 1);
	size += longest + 1;
	size += (size_t)sprintf(bytes + size, "\n" D32 "  ");
	memset(bytes + size, 'y', 4u << 20);
	size += 4u << 20;
	size += (size_t)sprintf(bytes + size, "\n" D32 "  last\n");
	collect_bytes(bytes, size, IOBATCH_HASH_COUNT, &all, &left_out);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 2);
	assert_int_equal(all.files[0]->path_length, longest);
	assert_int_equal(strspn(all.files[0]->path, "\n"), longest);
	assert_int_equal(all.files[0]->extra_length, 65);
	assert_item(all.files[1], "last", IOBATCH_HASH_SHA256);
	assert_int_equal(left_out.count, 2);
	assert_int_equal(left_out.error, -ENAMETOOLONG);
	assert_string_equal(left_out.path, "line 2");
	collected_deinit(&all);
	free(bytes);
}

/* ----------------------------------------------------------- below a root -- */

/* The manifest "manifest" of a tree, whose root is "root" in it. */
static int open_below_root(const struct tree *tree, const char *bytes,
                           struct iobatch_source **ret_source)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;
	char *root = tree_path(tree, "root");
	int result;

	options.fd = openat(tree->fd, "manifest", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(options.fd >= 0);
	assert_int_equal(write(options.fd, bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(lseek(options.fd, 0, SEEK_SET), 0);
	options.root = root;
	result = iobatch_source_manifest(&options, ret_source);
	free(root);
	/* It is read until the source has ended, so that it stays open here. */
	return result < 0 ? result : options.fd;
}

static void names_below_a_root_start_from_their_directories(void **state)
{
	struct tree *tree = *state;
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file *file = malloc(sizeof(*file));
	char *root = tree_path(tree, "root"), bytes[4096];
	struct stat status, expected;
	int fd;

	assert_non_null(file);
	tree_directory(tree, "root");
	tree_directory(tree, "root/sub");
	tree_file(tree, "root/sub/file", 3);
	tree_symlink(tree, "sub", "root/link");
	snprintf(bytes, sizeof(bytes),
	         D32 "  ./sub//file\n" D4 "  %s/sub/file\nno line\n" D32 "  link/file\n" D32
	             "  not/there\n",
	         root);
	fd = open_below_root(tree, bytes, &source);
	assert_true(fd >= 0);
	items = iobatch_source_items(source);
	assert_int_equal(fstatat(tree->fd, "root/sub/file", &expected, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(items.next(items.context, file) > 0);
		assert_string_equal(file->path + file->relative, "sub/file");
		assert_string_equal(file->path + file->name, "file");
		assert_non_null(file->directory);
		assert_int_equal(fstatat(file->dirfd, file->path + file->name, &status, 0), 0);
		assert_int_equal(status.st_ino, expected.st_ino);
		assert_int_equal(file->extra_length, i == 0 ? 33 : 5);
		assert_int_equal(file->path[file->path_length + 1],
		                 i == 0 ? IOBATCH_HASH_SHA256 : IOBATCH_HASH_XXH32);
		assert_int_equal(file->path[file->path_length + 2], 1);
		items.release(items.context, file);
	}
	/* Not through a link; and what is not there is an item that is not found. */
	assert_true(items.next(items.context, file) > 0);
	assert_string_equal(file->path + file->relative, "not/there");
	assert_int_equal(fstatat(file->dirfd, file->path + file->name, &status, 0), -1);
	assert_int_equal(errno, ENOENT);
	items.release(items.context, file);
	assert_int_equal(items.next(items.context, file), 0);
	assert_int_equal(iobatch_source_errors(source, NULL, NULL), 2);
	iobatch_source_free(source);
	close(fd);
	free(root);
	free(file);
}

static void a_name_outside_the_root_is_refused_before_the_first_item(void **state)
{
	static const char *const names[] = {"../manifest", "sub/../../x", "/etc/passwd", ".."};
	struct tree *tree = *state;

	tree_directory(tree, "root");
	tree_file(tree, "root/file", 3);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct iobatch_source *source;
		struct collected all;
		char bytes[512];
		const char *path;
		int error, fd;

		snprintf(bytes, sizeof(bytes), D32 "  file\nSHA256 (%s) = " D32 "\n", names[i]);
		fd = open_below_root(tree, bytes, &source);
		assert_true(fd >= 0);
		collect(source, &all);
		assert_int_equal(all.count, 0);
		assert_int_equal(all.end, -EXDEV);
		assert_int_equal(iobatch_source_errors(source, &error, &path), 1);
		assert_int_equal(error, -EXDEV);
		assert_string_equal(path, names[i]);
		collected_deinit(&all);
		iobatch_source_free(source);
		close(fd);
	}
}

static void options_that_cannot_be_are_refused(void **state)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_source *source = NULL;

	(void)state;
	assert_int_equal(iobatch_source_manifest(NULL, &source), -EINVAL);
	assert_int_equal(iobatch_source_manifest(&options, &source), -EBADF);
	options.fd = 0;
	options.algorithm = IOBATCH_HASH_COUNT + 1;
	assert_int_equal(iobatch_source_manifest(&options, &source), -EINVAL);
	assert_null(source);
}

static void what_cannot_be_read_ends_the_intake(void **state)
{
	struct iobatch_manifest_options options = IOBATCH_MANIFEST_OPTIONS_INIT;
	struct iobatch_source *source;
	struct collected all;

	(void)state;
	options.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(options.fd >= 0);
	assert_int_equal(iobatch_source_manifest(&options, &source), 0);
	collect(source, &all);
	assert_int_equal(all.end, -EISDIR);
	iobatch_source_free(source);
	collected_deinit(&all);
	close(options.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_lines_are_known_by_the_length_of_their_digest),
		cmocka_unit_test(tagged_lines_say_what_they_are),
		cmocka_unit_test(names_are_escaped_where_the_line_says_so),
		cmocka_unit_test(what_is_no_line_is_counted_and_passed_over),
		cmocka_unit_test(empty_lines_and_comments_are_no_lines_and_no_mistakes),
		cmocka_unit_test(a_nul_is_in_no_name),
		cmocka_unit_test(the_algorithm_that_is_asked_for_is_that_of_plain_lines),
		cmocka_unit_test(returns_belong_to_line_ends_when_all_lines_have_them),
		cmocka_unit_test(lines_that_reads_cut_anywhere_are_whole),
		cmocka_unit_test(names_may_be_as_long_as_paths_and_no_longer),
		cmocka_unit_test_setup_teardown(names_below_a_root_start_from_their_directories,
	                                        tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(
			a_name_outside_the_root_is_refused_before_the_first_item, tree_setup,
			tree_teardown),
		cmocka_unit_test(options_that_cannot_be_are_refused),
		cmocka_unit_test(what_cannot_be_read_ends_the_intake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

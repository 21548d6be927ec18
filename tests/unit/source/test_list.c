/* SPDX-License-Identifier: MIT */
/*
 * Lists of names: separators, names cut by reads, limits and errors. The lists come through pipes,
 * written before they are read, so that what one read returns is known.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int list_new(int fd, char separator, struct iobatch_source **ret_source)
{
	struct iobatch_list_options options = IOBATCH_LIST_OPTIONS_INIT;

	options.fd = fd;
	options.separator = separator;
	return iobatch_source_list(&options, ret_source);
}

/* A list of `size` bytes, at most what a pipe holds, read whole. */
static void collect_bytes(const char *bytes, size_t size, char separator,
                          struct collected *ret_collected)
{
	struct iobatch_source *source;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, size), size);
	close(ends[1]);
	assert_int_equal(list_new(ends[0], separator, &source), 0);
	assert_int_equal(iobatch_source_items(source).count, IOBATCH_UNKNOWN);
	collect(source, ret_collected);
	iobatch_source_free(source);
	/* The descriptor is still the caller's, and read to its end unless there was an error. */
	assert_int_equal(close(ends[0]), 0);
}

static void assert_paths(const struct collected *all, const char *const *expected, size_t count)
{
	assert_int_equal(all->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(all->files[i]->path, expected[i]);
}

#define assert_path_list(all, ...)                            \
	assert_paths(all, (const char *const[]){__VA_ARGS__}, \
	             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void names_come_in_the_order_of_the_list(void **state)
{
	static const char bytes[] = "b\n/a/file\n-c\n\xff\x80 x\n";
	struct collected all;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, '\n', &all);
	assert_int_equal(all.end, 0);
	assert_path_list(&all, "b", "/a/file", "-c", "\xff\x80 x");
	for (size_t i = 0; i < all.count; i++) {
		assert_int_equal(all.files[i]->type, 0);
		assert_int_equal(all.files[i]->fd, -1);
		assert_int_equal(all.files[i]->offset, 0);
		assert_int_equal(all.files[i]->length, 0);
	}
	collected_deinit(&all);
}

static void the_last_name_needs_no_separator(void **state)
{
	struct collected all;

	(void)state;
	collect_bytes("a\nb", 3, '\n', &all);
	assert_int_equal(all.end, 0);
	assert_path_list(&all, "a", "b");
	collected_deinit(&all);
}

static void empty_names_are_skipped(void **state)
{
	struct collected all;

	(void)state;
	collect_bytes("\n\na\n\n\nb\n\n", 9, '\n', &all);
	assert_int_equal(all.end, 0);
	assert_path_list(&all, "a", "b");
	collected_deinit(&all);
}

static void an_empty_list_has_no_items(void **state)
{
	struct collected all;

	(void)state;
	collect_bytes("", 0, '\n', &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 0);
	collected_deinit(&all);
}

static void newlines_are_part_of_names_that_end_in_nul(void **state)
{
	static const char bytes[] = "a\nb\0c\0";
	struct collected all;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, '\0', &all);
	assert_int_equal(all.end, 0);
	assert_path_list(&all, "a\nb", "c");
	collected_deinit(&all);
}

static void a_nul_within_a_name_ends_the_intake(void **state)
{
	static const char bytes[] = "a\nb\0c\nd\n";
	struct collected all;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, '\n', &all);
	assert_int_equal(all.end, -EINVAL);
	assert_path_list(&all, "a");
	collected_deinit(&all);
}

static void relative_is_the_last_component(void **state)
{
	static const char bytes[] = "/a/b/c\nplain\nd/e/\n/\n///\n./x\n";
	static const char *const expected[] = {"c", "plain", "e/", "", "", "x"};
	struct collected all;

	(void)state;
	collect_bytes(bytes, sizeof(bytes) - 1, '\n', &all);
	assert_int_equal(all.count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(all.files[i]->path + all.files[i]->relative, expected[i]);
	collected_deinit(&all);
}

static void the_longest_name_fits_and_a_longer_one_ends_the_intake(void **state)
{
	static char bytes[2 * IOBATCH_PATH_MAX];
	struct collected all;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[IOBATCH_PATH_MAX - 1] = '\n';
	/* With its separator and, at the end of the list, without. */
	collect_bytes(bytes, 2 * IOBATCH_PATH_MAX - 1, '\n', &all);
	assert_int_equal(all.end, 0);
	assert_int_equal(all.count, 2);
	assert_int_equal(all.files[0]->path_length, IOBATCH_PATH_MAX - 1);
	assert_int_equal(all.files[1]->path_length, IOBATCH_PATH_MAX - 1);
	collected_deinit(&all);

	collect_bytes(bytes, 2 * IOBATCH_PATH_MAX, '\n', &all);
	assert_int_equal(all.end, -ENAMETOOLONG);
	assert_int_equal(all.count, 1);
	collected_deinit(&all);
}

static void only_the_bytes_that_are_used_are_written(void **state)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	unsigned char *bytes = (unsigned char *)&file;
	int ends[2];
	ssize_t size;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "dir/name\n", 9), 9);
	close(ends[1]);
	assert_int_equal(list_new(ends[0], '\n', &source), 0);
	items = iobatch_source_items(source);
	memset(&file, 0xa5, sizeof(file));
	size = items.next(items.context, &file);
	assert_int_equal(size, offsetof(struct iobatch_file, path) + 9);
	for (size_t at = (size_t)size; at < sizeof(file); at++)
		assert_int_equal(bytes[at], 0xa5);
	iobatch_source_free(source);
	close(ends[0]);
}

static void names_are_handed_out_before_more_is_read(void **state)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	int ends[2];

	(void)state;
	/* The pipe stays open: a source that wanted more than the first name would wait for ever.
	 */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(list_new(ends[0], '\n', &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(write(ends[1], "first\nsec", 9), 9);
	assert_true(items.next(items.context, &file) > 0);
	assert_string_equal(file.path, "first");
	/* A name that two writes, and so two reads, have a part of. */
	assert_int_equal(write(ends[1], "ond\n", 4), 4);
	assert_true(items.next(items.context, &file) > 0);
	assert_string_equal(file.path, "second");
	/* A separator that comes alone. */
	assert_int_equal(write(ends[1], "third", 5), 5);
	assert_int_equal(write(ends[1], "\n", 1), 1);
	assert_true(items.next(items.context, &file) > 0);
	assert_string_equal(file.path, "third");
	close(ends[1]);
	assert_int_equal(items.next(items.context, &file), 0);
	iobatch_source_free(source);
	close(ends[0]);
}

#define MANY 100000

/* Name `index` of a long list: of every length from 6 to 105 bytes, so that all cuts occur. */
static size_t make_name(char *buffer, unsigned index)
{
	unsigned length = 6 + index % 100;

	memset(buffer, 'a' + (int)(index % 26), length);
	for (unsigned digit = 0, rest = index; digit < 6; digit++, rest /= 10)
		buffer[digit] = '0' + (char)(rest % 10);
	return length;
}

static void *write_many(void *argument)
{
	int fd = *(int *)argument;
	char chunk[777];
	char name[128];
	size_t used = 0;

	for (unsigned i = 0; i < MANY; i++) {
		size_t length = make_name(name, i);

		name[length++] = '\0';
		/* Writes of 777 bytes cut the names wherever they happen to. */
		for (size_t at = 0; at < length; at++) {
			chunk[used++] = name[at];
			if (used == sizeof(chunk) || (i == MANY - 1 && at == length - 1)) {
				if (write(fd, chunk, used) != (ssize_t)used)
					return argument;
				used = 0;
			}
		}
	}
	close(fd);
	return NULL;
}

static void long_lists_come_whole_through_a_pipe(void **state)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	char name[128];
	pthread_t writer;
	void *failed;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(list_new(ends[0], '\0', &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(pthread_create(&writer, NULL, write_many, &ends[1]), 0);
	for (unsigned i = 0; i < MANY; i++) {
		size_t length = make_name(name, i);

		assert_true(items.next(items.context, &file) > 0);
		assert_int_equal(file.path_length, length);
		assert_memory_equal(file.path, name, length);
	}
	assert_int_equal(items.next(items.context, &file), 0);
	assert_int_equal(pthread_join(writer, &failed), 0);
	assert_null(failed);
	iobatch_source_free(source);
	close(ends[0]);
}

static void a_non_blocking_descriptor_is_waited_for(void **state)
{
	struct iobatch_source *source;
	struct iobatch_items items;
	struct iobatch_file file;
	char name[128];
	pthread_t writer;
	unsigned count = 0;
	void *failed;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(list_new(ends[0], '\0', &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(pthread_create(&writer, NULL, write_many, &ends[1]), 0);
	for (; items.next(items.context, &file) > 0; count++)
		assert_int_equal(file.path_length, make_name(name, count));
	assert_int_equal(count, MANY);
	assert_int_equal(pthread_join(writer, &failed), 0);
	assert_null(failed);
	iobatch_source_free(source);
	close(ends[0]);
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
	struct iobatch_source *source = NULL;
	struct iobatch_items items;
	struct iobatch_file file;
	int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(directory >= 0);
	assert_int_equal(list_new(-1, '\n', &source), -EBADF);
	assert_null(source);
	assert_int_equal(list_new(directory, '\n', &source), 0);
	items = iobatch_source_items(source);
	assert_int_equal(items.next(items.context, &file), -EISDIR);
	iobatch_source_free(source);
	close(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_in_the_order_of_the_list),
		cmocka_unit_test(the_last_name_needs_no_separator),
		cmocka_unit_test(empty_names_are_skipped),
		cmocka_unit_test(an_empty_list_has_no_items),
		cmocka_unit_test(newlines_are_part_of_names_that_end_in_nul),
		cmocka_unit_test(a_nul_within_a_name_ends_the_intake),
		cmocka_unit_test(relative_is_the_last_component),
		cmocka_unit_test(the_longest_name_fits_and_a_longer_one_ends_the_intake),
		cmocka_unit_test(only_the_bytes_that_are_used_are_written),
		cmocka_unit_test(names_are_handed_out_before_more_is_read),
		cmocka_unit_test(long_lists_come_whole_through_a_pipe),
		cmocka_unit_test(a_non_blocking_descriptor_is_waited_for),
		cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A walk of a real tree, compared with what find(1) says about it. */
#include "tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char type_letter(uint8_t type)
{
	switch (type) {
	case DT_REG:
		return 'f';
	case DT_DIR:
		return 'd';
	case DT_LNK:
		return 'l';
	default:
		return 'o';
	}
}

/* Compares as the order of a walk does: the end of a name comes before every other byte. */
static int compare_walk_order(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (*a == '/' ? 1 : (unsigned char)*a + (*a != 0)) -
	       (*b == '/' ? 1 : (unsigned char)*b + (*b != 0));
}

static void a_real_tree_agrees_with_find(void **state)
{
	struct iobatch_walk_options options = IOBATCH_WALK_OPTIONS_INIT;
	struct collected all;
	char **lines;
	char *line = NULL;
	size_t capacity = 0;
	size_t count = 0;
	FILE *find;

	(void)state;
	if (access("/usr/share/doc", R_OK | X_OK)) {
		print_message("there is no /usr/share/doc\n");
		skip();
	}
	options.root = "/usr/share/doc";
	options.types = IOBATCH_TYPE_FILE | IOBATCH_TYPE_DIRECTORY | IOBATCH_TYPE_SYMLINK |
	                IOBATCH_TYPE_OTHER;
	collect_walk(&options, &all);
	lines = calloc(all.count, sizeof(*lines));
	assert_non_null(lines);
	for (size_t i = 0; i < all.count; i++) {
		if (i)
			assert_true(compare_walk_order(all.files[i - 1]->path, all.files[i]->path) <
			            0);
		assert_true(asprintf(&lines[i], "%c%s", type_letter(all.files[i]->type),
		                     all.files[i]->path) > 0);
	}
	qsort(lines, all.count, sizeof(*lines), compare_lines);

	find = popen("find /usr/share/doc -printf '%y%p\\0' | LC_ALL=C sort -z", "r");
	assert_non_null(find);
	while (getdelim(&line, &capacity, '\0', find) > 0) {
		assert_true(count < all.count);
		assert_string_equal(lines[count], line);
		count++;
	}
	assert_int_equal(pclose(find), 0);
	assert_int_equal(count, all.count);

	for (size_t i = 0; i < all.count; i++)
		free(lines[i]);
	free(lines);
	free(line);
	collected_deinit(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_tree_agrees_with_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the sources share: a temporary directory to build trees in, and a collection
 * of all that a source hands out. Everything here fails the test when it cannot do its work.
 */
#ifndef TEST_SOURCE_TREE_H
#define TEST_SOURCE_TREE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <iobatch.h>

struct tree {
	char *root; /* absolute path of the temporary directory */
	int fd;
};

/* Makes the temporary directory, in TMPDIR or /tmp, readable for everybody. */
void tree_init(struct tree *tree);
/* Removes it with all in it, however deep. */
void tree_deinit(struct tree *tree);

/* The same as set-up and tear-down of a test, whose state becomes the struct tree. */
int tree_setup(void **state);
int tree_teardown(void **state);

void tree_directory(const struct tree *tree, const char *name);
void tree_file(const struct tree *tree, const char *name, size_t size);
void tree_symlink(const struct tree *tree, const char *target, const char *name);
/* The path of `name` in the tree, to be freed. */
char *tree_path(const struct tree *tree, const char *name);

/* Makes `depth` directories called `name`, each in the one before. */
void tree_chain(const struct tree *tree, const char *name, unsigned depth);

/* Makes `count` files in the directory `name`, called by numbers of five digits. */
void tree_many(const struct tree *tree, const char *name, unsigned count);

/* All items of a source, in their order. */
struct collected {
	struct iobatch_file **files; /* each as long as its used bytes */
	size_t count;
	ssize_t end; /* what came after the last item */
};

/* As a run does when an item has settled. */
void give_back(struct iobatch_source *source, struct iobatch_file *file);

/* Gives each item back as soon as it was taken. */
void collect(struct iobatch_source *source, struct collected *ret_collected);
void collected_deinit(struct collected *collected);
/* Opens a walk that leaves nothing out, collects it and frees it. */
void collect_walk(const struct iobatch_walk_options *options, struct collected *ret_collected);

/* That the parts below the root are just these, in this order; NULL ends the list. */
void assert_relatives(const struct collected *collected, const char *const *expected);

#define assert_relative_list(collected, ...) \
	assert_relatives(collected, (const char *const[]){__VA_ARGS__, NULL})

#endif

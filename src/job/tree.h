/* SPDX-License-Identifier: MIT */
/*
 * A YAML document as a tree that remembers where each value came from: the line of the file, or the
 * --set that put it there. It exists beside libcyaml because libcyaml loads values but keeps no
 * lines, and so that `--set` can change a value before it is loaded.
 *
 * What is refused here, before anything else looks at the document: more than 1 MiB, nesting deeper
 * than 64, anchors, aliases and tags, more than one document, a key twice in a mapping, keys that
 * are not scalars, and NUL bytes. This part does not know which keys a job has.
 */
#ifndef JOB_TREE_H
#define JOB_TREE_H

#include <stddef.h>

#define TREE_BYTES_MAX (1u << 20)
#define TREE_DEPTH_MAX 64u

enum tree_kind {
	TREE_SCALAR,
	TREE_SEQUENCE,
	TREE_MAPPING,
};

struct tree_node {
	enum tree_kind kind;
	unsigned line; /* from 1: of the key for a value in a mapping, else of the value */
	char *set;     /* the key of the --set that it came with; NULL = from the file */
	char *key;     /* its key when it is in a mapping, else NULL */
	char *value;   /* text of a scalar, else NULL */
	struct tree_node **children;
	unsigned count;
	unsigned capacity;
};

/*
 * Parses a document. `file` is its name in messages. -EINVAL: *ret_error is "file:line: what is
 * wrong", to be freed. -ENOMEM: *ret_error is untouched.
 */
int tree_parse(const char *file, const char *text, size_t length, struct tree_node **ret_root,
               char **ret_error);

/* Frees a node with all below it; NULL is fine. */
void tree_free(struct tree_node *node);

/* The child of a mapping with this key (`length` bytes of it), or NULL. */
struct tree_node *tree_child(const struct tree_node *node, const char *key, size_t length);

/*
 * The node at a path of keys and 0-based indices, joined by dots: "processor.steps.2.read". "" is
 * the root. NULL when there is none; *ret_nearest, when not NULL, is then its nearest ancestor that
 * exists, and else the node itself.
 */
struct tree_node *tree_find(struct tree_node *root, const char *path,
                            struct tree_node **ret_nearest);

/*
 * Puts a value at a path, replacing what is there; mappings that are missing on the way are made. A
 * value that begins with [ { " or ' is YAML; anything else is a scalar as it stands. -EINVAL:
 * *ret_error is "--set path: what is wrong", to be freed, and the tree is unchanged.
 */
int tree_set(struct tree_node *root, const char *path, const char *value, char **ret_error);

/* Writes the tree as YAML, to be freed by the caller. */
int tree_emit(const struct tree_node *root, char **ret_text, size_t *ret_length);

#endif

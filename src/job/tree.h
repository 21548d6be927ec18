/* SPDX-License-Identifier: MIT */
/*
 * A YAML document as a tree that remembers where each value came from: the line of the file, the
 * --set or the argument of a command that put it there. It exists beside libcyaml because libcyaml
 * loads values but keeps no lines and takes no bytes that are not UTF-8, and so that a value can be
 * changed, or a whole job be put together, before it is loaded.
 *
 * What is refused here, before anything else looks at the document: more than 8 MiB, nesting deeper
 * than 64, anchors, aliases and tags but !bytes (bytes.h), more than one document, a key twice in a
 * mapping and more than 256 keys in one, keys that are not scalars, and NUL bytes. This part does
 * not know which keys a job has.
 */
#ifndef JOB_TREE_H
#define JOB_TREE_H

#include <stddef.h>

#define TREE_BYTES_MAX (8u << 20)
#define TREE_DEPTH_MAX 64u
#define TREE_KEYS_MAX 256u

enum tree_kind {
	TREE_SCALAR,
	TREE_SEQUENCE,
	TREE_MAPPING,
};

struct tree_node {
	enum tree_kind kind;
	unsigned line;  /* from 1: of the key for a value in a mapping, else of the value */
	char *set;      /* the key of the --set that it came with; NULL = from the file */
	char *argument; /* what it is in messages when a command made it: "--types"; else NULL */
	char *key;      /* its key when it is in a mapping, else NULL */
	char *value;    /* bytes of a scalar, else NULL */
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
 * value that begins with [ { " ' or "!bytes " is YAML; anything else is a scalar as it stands, of
 * any bytes. -EINVAL: *ret_error is "--set path: what is wrong", to be freed, and the tree is
 * unchanged.
 */
int tree_set(struct tree_node *root, const char *path, const char *value, char **ret_error);

/* An empty mapping, to be filled by the next two. NULL without memory. */
struct tree_node *tree_new(void);

/*
 * Puts a scalar at a path, as it stands and of any bytes, for the argument of a command that is
 * called `argument` in messages; the other appends it to the list there. The path must be possible,
 * as it is when no --set has been there before. 0 or -ENOMEM.
 */
int tree_put(struct tree_node *root, const char *path, const char *argument, const char *value);
int tree_append(struct tree_node *root, const char *path, const char *argument, const char *value);

/* Makes a scalar the only entry of a list in its place. -ENOMEM: it is unchanged. */
int tree_enlist(struct tree_node *node);

/* Makes sure that there is a mapping at a path, or an empty list. */
int tree_put_mapping(struct tree_node *root, const char *path, const char *argument);
int tree_put_list(struct tree_node *root, const char *path, const char *argument);

/*
 * Writes the tree as YAML, to be freed by the caller. `emit` is for libcyaml: each scalar in
 * quotes, and bytes that are not UTF-8 as characters without a tag. `print` is for people, and
 * loads again as the same tree.
 */
int tree_emit(const struct tree_node *root, char **ret_text, size_t *ret_length);
int tree_print(const struct tree_node *root, char **ret_text, size_t *ret_length);

#endif
